package exchange_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

const sum = "1A2B3C4D5E6F7081920A0B0C0D0E0F1011121314"

func TestParseThumbprint(t *testing.T) {
	spaced := strings.Join(strings.SplitAfter(sum, ""), " ")
	for _, text := range []string{sum, strings.ToLower(sum), spaced, `"` + sum + `"`, "\u200e" + sum, "\ufeff" + spaced + "\r\n", "?" + sum,
		"1A:2B:3C:4D:5E:6F:70:81:92:0A:0B:0C:0D:0E:0F:10:11:12:13:14"} {
		got, err := exchange.ParseThumbprint(text)
		require.NoError(t, err, "%q", text)
		assert.Equal(t, exchange.Thumbprint(sum), got, "%q", text)
	}
	for text, why := range map[string]string{
		"":                                  "0 digits",
		sum[1:]:                             "39 digits",
		sum + "5":                           "41 digits",
		strings.Repeat("a", 64):             "looks like SHA-256",
		strings.Replace(sum, "A", "G", 1):   `'G'`,
		"??" + sum:                          `'?'`,
		strings.Repeat("f", 500):            "500 bytes long",
		"1A2B3C4D5E6F7081920A0B0C0D0E0F…":   `'…'`,
		"CN=Microsoft Exchange Server Auth": `'N'`,
	} {
		got, err := exchange.ParseThumbprint(text)
		require.ErrorContains(t, err, why)
		assert.Empty(t, got)
	}
	assert.Equal(t, exchange.Thumbprint("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"), exchange.ThumbprintOf(nil)) // FIPS 180-4: of nothing
}

func FuzzParseThumbprint(f *testing.F) {
	f.Add(sum)
	f.Add("\u200e1a:2b")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := exchange.ParseThumbprint(text)
		if err != nil {
			assert.Empty(t, got)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 400)
			return
		}
		assert.Len(t, got, 40)
		again, err := exchange.ParseThumbprint(string(got))
		require.NoError(t, err)
		assert.Equal(t, got, again)
	})
}

func TestParseBuild(t *testing.T) {
	for text, want := range map[string]string{
		"Version 15.2 (Build 2562.41)": "15.2.2562.41",
		"15.2.2562.41":                 "15.2.2562.41",
		"15.02.2562.041":               "15.2.2562.41",
		"Version 8.3 (Build 83.6)":     "8.3.83.6",
	} {
		b, ok := exchange.ParseBuild(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, b.String())
	}
	for _, text := range []string{"", "15.2", "15.2.2562", "15.2.2562.41.7", "Exchange 2019", "1234.2.2562.41"} {
		_, ok := exchange.ParseBuild(text)
		assert.False(t, ok, text)
	}
	older, newer := exchange.Build{15, 2, 999, 9}, exchange.Build{15, 2, 1000, 1}
	assert.Equal(t, []int{-1, 0, 1}, []int{older.Compare(newer), newer.Compare(newer), newer.Compare(older)})
}

func TestHostsAndClouds(t *testing.T) {
	for address, host := range map[string]string{
		"https://Mail.Contoso.com:444/EWS/Exchange.asmx": "mail.contoso.com",
		"mail.contoso.com.":   "mail.contoso.com",
		" [2001:db8::1]:443 ": "2001:db8::1",
		"":                    "",
		"http://%zz":          "",
	} {
		assert.Equal(t, host, exchange.HostOf(address), address)
	}
	assert.True(t, exchange.SameAddress("https://a/b/", "HTTPS://A/b "))
	assert.False(t, exchange.SameAddress("https://a/b", "https://a/c"))
	for host, cloud := range map[string]crossprem.Cloud{
		"outlook.office365.com":      crossprem.Worldwide,
		"outlook.office365.us":       crossprem.GCCHigh,
		"outlook-dod.office365.us":   crossprem.DoD,
		"partner.outlook.cn":         crossprem.China21Vianet,
		"login.microsoftonline.us":   crossprem.CloudUnknown, // GCC High and DoD share it
		"notoutlook.office365.com.x": crossprem.CloudUnknown,
		"evil-outlook.office365.us":  crossprem.CloudUnknown,
	} {
		assert.Equal(t, cloud, exchange.CloudOf(host), host)
	}
	assert.True(t, exchange.IsMicrosoft("a.outlook.com"))
	assert.False(t, exchange.IsMicrosoft("outlook.com.contoso.com"))
	assert.False(t, exchange.IsMicrosoft("myoutlook.com"))
	assert.True(t, exchange.IsServiceDomain("Contoso.mail.onmicrosoft.com"))
	assert.False(t, exchange.IsServiceDomain(".mail.onmicrosoft.com"))
	assert.False(t, exchange.IsServiceDomain("contoso.onmicrosoft.com"))
	assert.True(t, exchange.IsTenantDomain("contoso.onmicrosoft.com"))
	assert.False(t, exchange.IsTenantDomain("onmicrosoft.com"))
}

func TestKinds(t *testing.T) {
	object := func(names ...string) func(string) (string, bool) {
		return func(p string) (string, bool) {
			for _, n := range names {
				if n == p {
					return "x", true
				}
			}
			return "", false
		}
	}
	assert.Equal(t, exchange.AuthConfig, exchange.KindOfObject(nil, object("CurrentCertificateThumbprint")))
	assert.Equal(t, exchange.Certificate, exchange.KindOfObject(nil, object("Thumbprint", "NotAfter")))
	assert.Equal(t, exchange.Kind(""), exchange.KindOfObject(nil, object("Thumbprint")))
	assert.Equal(t, exchange.AuthServer, exchange.KindOfObject([]string{"Deserialized.Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthServer"}, object()))

	for command, want := range map[string]struct {
		kind exchange.Kind
		side exchange.Side
	}{
		"Get-AuthServer | fl":          {exchange.AuthServer, ""},
		"get-exopartnerapplication":    {exchange.PartnerApplication, exchange.ExchangeOnline},
		`C:\out\Get-AuthConfig.json`:   {exchange.AuthConfig, ""},
		"Test-OAuthConnectivity -Ser":  {exchange.ConnectivityTest, ""},
		"Get-Process":                  {"", ""},
		"Set-AuthConfig -Publish":      {"", ""},
		"Get-CloudAuthServer":          {exchange.AuthServer, exchange.ExchangeOnline},
		"My-Get-AuthServerThing-Other": {"", ""},
	} {
		kind, side := exchange.KindOfCommand(command)
		assert.Equal(t, want.kind, kind, command)
		assert.Equal(t, want.side, side, command)
	}
	assert.Equal(t, exchange.OnPremises, exchange.SideOfPath("cloud/onprem/Get-AuthServer.json"))
	assert.Equal(t, exchange.ExchangeOnline, exchange.SideOfPath(`EXO\AuthServer.txt`))
	assert.Equal(t, exchange.Side(""), exchange.SideOfPath("localhost.txt"))
	assert.True(t, exchange.IsOnlineText("NAMPR01A001.PROD.OUTLOOK.COM/Microsoft Exchange Hosted Organizations/x"))
	assert.False(t, exchange.IsOnlineText("mail.contoso.com"))
}
