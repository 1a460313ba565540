package clients

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

func TestParseConnectionStatus(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []Method
	}{
		{"tabs, with titles", "CID\tSMTP Address\tDisplay name\tProxy Server\tServer name\tStatus\tProtocol\tAuthn\tEncrypt\tRPCPort\tType\n" +
			"7\tbob@contoso.test\t\t\thttps://outlook.office365.com/mapi\tEstablished\tHTTP\tBearer*\tSSL\t\tExchange Mail", []Method{MethodModern}},
		{"translated titles", "Protokoll\tAuthentifizierung\tVerschlüsselung\nRPC/HTTP\tClear [Anonymous]\tSSL [No]\nHTTP\tNego*\tSSL", []Method{MethodBasic, MethodWindows}},
		{"blanks", "mail.contoso.test   Established   HTTP   Bearer   SSL\nmail.contoso.test   Established   RPC/HTTP   NTLM   No", []Method{MethodModern, MethodWindows}},
		{"single blanks", "Exchange Mail mail.contoso.test Established RPC/HTTP Clear [Anonymous] SSL", []Method{MethodBasic}},
		{"any case, a star", "http | CLEAR* | ssl", []Method{MethodBasic}},
		{"quoted, with blanks that do not break", "> HTTP\t\u00a0Kerberos\u00a0\tSSL", []Method{MethodWindows}},
		{"a server called clear", "clear.contoso.test\tEstablished\tHTTP\tBearer*", []Method{MethodModern}},
		{"a row without a method", "HTTP\t\tSSL\nHTTP\tBearer\tSSL", []Method{MethodUnknown, MethodModern}},
		{"an error", "HTTP\tError 0x80040115\tSSL", []Method{MethodError}},
		{"single blanks, and two where a column is empty", "25 anna@contoso.test  outlook.office365.com Established HTTP Bearer* SSL  Exchange Mail 52/0 112", []Method{MethodModern}},
		{"stars with blanks, and in front", "HTTP\tBearer *\tSSL\nHTTP\t*Clear\tSSL\nHTTP\tNego *\tSSL", []Method{MethodModern, MethodBasic, MethodWindows}},
		{"commas and quotes", "HTTP,Bearer*,SSL\n\"HTTP\",\"Clear [Anonymous]\",\"SSL [No]\"", []Method{MethodModern, MethodBasic}},
		{"labels", "Status: Hergestellt; Protokoll: HTTP; Authentifizierung: Bearer*\nAuthn: Clear", []Method{MethodModern, MethodBasic}},
		{"a web page's table", "<tr><td>HTTP</td><td>Bearer*</td><td>SSL</td></tr>", []Method{MethodModern}},
		{"a blank of no width", "HTTP\tBearer\u200b*\tSSL", []Method{MethodModern}},
		{"anonymous", "HTTP\tAnonymous\tSSL", []Method{MethodNone}},
		{"autologon and certificate", "HTTP\tAutologon\tSSL\nHTTP\tCert\tSSL", []Method{MethodWindows, MethodCertificate}},
	} {
		rows, err := ParseConnectionStatus(test.text)
		require.NoError(t, err, test.name)
		var got []Method
		for _, r := range rows {
			got = append(got, r.Method)
		}
		assert.Equal(t, test.want, got, test.name)
	}
	rows, err := ParseConnectionStatus("RPC/HTTP\tClear* [Anonymous]\tSSL [No]")
	require.NoError(t, err)
	assert.Equal(t, "Clear* [Anonymous]", rows[0].Authn, "the star is kept")
	assert.Equal(t, []string{"RPC/HTTP", "SSL [No]"}, []string{rows[0].Protocol, rows[0].Encrypt})
	for _, none := range []string{"", "Protocol\tAuthn\tEncrypt", "Good morning, everybody.", "Basic settings for TLS", "It shows HTTP and Bearer for me", "HTTP Error 403", "We use NTLM here", strings.Repeat("x ", 100)} {
		_, err := ParseConnectionStatus(none)
		assert.ErrorIs(t, err, ErrNoConnection, "%.40q", none)
	}
	_, err = ParseConnectionStatus(strings.Repeat("HTTP\tBearer\n", maxStatusText/10))
	assert.ErrorContains(t, err, "at most")
}

func FuzzParseConnectionStatus(f *testing.F) {
	f.Add("HTTP\tBearer*\tSSL\n")
	f.Add("RPC/HTTP   Clear [Anonymous]   SSL [No]")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := ParseConnectionStatus(text)
		again, errAgain := ParseConnectionStatus(strings.ReplaceAll(text, "\n", "\r\n"))
		if (err == nil) != (errAgain == nil) || len(rows) != len(again) {
			t.Fatal("line breaks of Windows make a difference")
		}
		for _, r := range rows {
			if r.Authn != "" && r.Method == MethodUnknown {
				t.Fatal("a word without its meaning")
			}
		}
	})
}

func TestOutlookSettings(t *testing.T) {
	read := func(text string) OutlookSettings {
		s, err := ReadOutlookSettings(strings.NewReader(text))
		require.NoError(t, err)
		return s
	}
	const head = "Windows Registry Editor Version 5.00\r\n\r\n"
	key := func(key string, values ...string) string {
		return "[" + key + "]\r\n" + strings.Join(values, "\r\n") + "\r\n\r\n"
	}
	const id15, id16 = `HKEY_CURRENT_USER\Software\Microsoft\Office\15.0\Common\Identity`, `HKEY_CURRENT_USER\SOFTWARE\Microsoft\Office\16.0\Common\Identity`
	const exchange = `HKEY_CURRENT_USER\Software\Microsoft\Exchange`
	one := func(name string) string { return `"` + name + `"=dword:00000001` }
	zero := func(name string) string { return `"` + name + `"=dword:00000000` }

	for _, test := range []struct {
		name  string
		text  string
		major int
		want  Behaviour
	}{
		{"2016, nothing set", head + key(id16), 16, ModernFirst},
		{"2016, on", head + key(id16, one("EnableADAL")), 16, ModernFirst},
		{"2016, off", head + key(id16, zero("EnableADAL")), 16, PasswordsOnly},
		{"2016, the policy wins", head + key(id16, zero("EnableADAL")) + key(`HKEY_CURRENT_USER\Software\Policies\Microsoft\Office\16.0\Common\Identity`, one("EnableADAL")), 16, ModernFirst},
		{"another user's hive", head + key(`HKEY_USERS\S-1-5-21-1-2-3-1001\Software\Microsoft\Office\16.0\Common\Identity`, zero("EnableADAL")), 16, PasswordsOnly},
		{"2013, nothing set", head + key(id15), 15, PasswordsOnly},
		{"2013, one of two", head + key(id15, one("EnableADAL")), 15, PasswordsOnly},
		{"2013, the other", head + key(id15, one("Version")), 15, PasswordsOnly},
		{"2013, both", head + key(id15, one("EnableADAL"), one("Version")), 15, ModernFirst},
		{"2013, forced", head + key(id15, one("EnableADAL"), one("Version")) + key(exchange, one("AlwaysUseMSOAuthForAutoDiscover")), 15, ModernForced},
		{"2016, Outlook Anywhere", head + key(id16) + key(exchange, one("MapiHttpDisabled")), 16, PasswordsOnly},
		{"2016, another version's key alone", head + key(id15, one("EnableADAL")), 16, BehaviourUnknown},
		{"2010", head + key(id16), 14, PasswordsOnly},
		{"no version", head + key(id16), 0, BehaviourUnknown},
	} {
		behaviour, why := read(test.text).Outlook(test.major)
		assert.Equal(t, test.want, behaviour, "%s: %s", test.name, why)
		assert.NotEmpty(t, why)
	}
	behaviour, _ := OutlookSettings{}.Outlook(16)
	assert.Equal(t, BehaviourUnknown, behaviour, "nothing was read")

	s := read(head + key(id16, zero("EnableADAL")))
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var back OutlookSettings
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, s, back)
	assert.Equal(t, crossprem.AnswerUnknown, s.MapiHttpDisabled, "its key was not exported")

	s = read(head + key(id16, one("DisableAADWAM")) + key(`HKEY_CURRENT_USER\Software\Policies\Microsoft\Office\16.0\Outlook\AutoDiscover`, one("ExcludeExplicitO365Endpoint")))
	assert.Equal(t, []crossprem.Answer{crossprem.Yes, crossprem.Yes, crossprem.No}, []crossprem.Answer{s.DisableAADWAM, s.ExcludeExplicitO365Endpoint, s.DisableADALatopWAMOverride})

	for _, bad := range []string{"", "junk", head + key(`HKEY_CURRENT_USER\Software\Other`, one("x")), head + key(`HKEY_LOCAL_MACHINE\Software\Microsoft\Exchange`, one("MapiHttpDisabled"))} {
		_, err := ReadOutlookSettings(strings.NewReader(bad))
		require.Error(t, err, "%.30q", bad)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestSignInWindow(t *testing.T) {
	for words, want := range map[string]Method{
		"a web page with our company logo":                        MethodModern,
		"an HTML page asks for the password":                      MethodModern,
		"grey box, Windows Security, remember my credentials":     MethodBasic,
		"a gray window of Windows":                                MethodBasic,
		"it asks for a code from the authenticator app":           MethodModern,
		"https://login.microsoftonline.com opens":                 MethodModern,
		"no web page appears, just a box with user name":          MethodBasic,
		"a popup box with user name and password, not a web page": MethodBasic,
		"something appeared":                                      MethodUnknown,
		"":                                                        MethodUnknown,
	} {
		w := SignInWindow(words)
		assert.Equal(t, want, w.Method, words)
		assert.Equal(t, want == MethodUnknown, w.Confidence == ConfidenceUnknown, words)
		if w.Method == MethodBasic {
			assert.LessOrEqual(t, w.Confidence, Medium, "a box of Windows may be Kerberos: %s", words)
		}
	}
}

// With tokens the server of the mailbox never sees the password; with Basic it
// always does.
func TestSignInPath(t *testing.T) {
	ways := 0
	for _, hosting := range Hostings() {
		for _, method := range []Method{MethodBasic, MethodModern, MethodWindows} {
			for _, federation := range []Federation{PasswordHash, PassThrough, Federated} {
				path, err := SignInPath(method, hosting, federation)
				if err != nil {
					assert.Empty(t, path)
					continue
				}
				ways++
				saw := false
				for _, hop := range path {
					assert.NotEmpty(t, hop.Sentence)
					assert.Equal(t, hop.Carries == "password", hop.SeesPassword)
					saw = saw || hop.SeesPassword && strings.HasPrefix(hop.To, "Exchange")
				}
				assert.Equal(t, method == MethodBasic, saw, "%v at %v, %v", method, hosting, federation)
				assert.Equal(t, "client", path[0].From)
			}
		}
	}
	assert.Equal(t, 27, ways)
	for _, bad := range []struct {
		m Method
		h Hosting
		f Federation
	}{{MethodModern, OnPremisesBasicOff, Federated}, {MethodBasic, OnPremisesHMABlocked, Federated}, {MethodModern, ExchangeOnline, FederationUnknown}, {MethodBasic, 0, Federated}, {MethodUnknown, ExchangeOnline, Federated}, {MethodBasic, 99, 99}} {
		_, err := SignInPath(bad.m, bad.h, bad.f)
		assert.Error(t, err)
	}
}
