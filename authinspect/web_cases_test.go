package authinspect_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// Basic on one virtual directory, modern authentication on the rest.
func TestExchangeByVirtualDirectory(t *testing.T) {
	server := authinspecttest.Exchange{Modern: authinspecttest.HMA, BasicOff: true, Directories: map[string]authinspecttest.Directory{
		"EWS": {Schemes: []authinspect.Scheme{authinspect.Basic}}, "OAB": {NoModern: true}, "api": {Preauthenticated: true}, "MAPI": {Version: "15.2.1748.39"}}}.FrontEnd().Start()
	defer server.Close()
	in := &authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test"}
	at := func(path string) *authinspect.Result {
		t.Helper()
		r, err := in.Inspect(t.Context(), server.URL+path)
		require.NoError(t, err)
		return r
	}
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic}, at("/EWS/Exchange.asmx").Schemes)
	assert.Equal(t, authinspect.ModernOff, at("/EWS/Exchange.asmx").Modern)
	assert.Equal(t, authinspect.ModernOn, at("/Microsoft-Server-ActiveSync").Modern)
	assert.NotContains(t, at("/Microsoft-Server-ActiveSync").Schemes, authinspect.Basic)
	assert.NotEqual(t, authinspect.ModernOn, at("/OAB/").Modern)
	assert.Equal(t, crossprem.Failed, findingStatus(at("/api/"), "preauthentication"))
	assert.Equal(t, "15.2.1748.39", at("/mapi/emsmdb/").Server.Version)
}

// What a server shows of itself is weighed: hosts, then builds, then what a
// proxy or a setting may leave.
func TestConcludeServer(t *testing.T) {
	check := func(kind, product, version string, lines ...string) {
		t.Helper()
		s := authinspect.Conclude("-", "", answer(anonymous, lines...)).Server
		assert.Equal(t, []string{kind, product, version}, []string{s.Kind, s.Product, s.Version}, "%q", lines)
	}
	const front, empty, any = "X-FEServer: EX01", `WWW-Authenticate: Basic realm=""`, `WWW-Authenticate: Bearer trusted_issuers="x@*"`
	check("exchange", "Exchange Server 2019", "15.2.1544.4", front, "X-OWA-Version: 15.2.1544.4", empty)
	check("exchange", "Exchange Server SE", "15.2.2562.17", front, "X-OWA-Version: 15.2.2562.17", empty, any)
	check("exchange", "Exchange Server 2016", "15.1.2176.9", front, "X-ServerApplication: Exchange/15.01.2176.009", any)
	check("exchange", "Exchange Server 2013", "15.0.1497.48", "X-OWA-Version: 15.0.1497.48", any)
	check("exchange", "Exchange Server 2010", "14.3.513.0", "X-OWA-Version: 14.3.513.0", empty)
	check("exchange-online", "Exchange Online", "15.20.485.0", "X-ServerApplication: Exchange/15.20.0485.000")
	check("exchange-online", "Exchange Online", "15.1.1240.20", "X-OWA-Version: 15.1.1240.20", "X-CalculatedBETarget: am6pr01mb1.eurprd01.prod.exchangelabs.outlook.com")
	check("exchange-online", "Exchange Online", "", front, empty)
	check("exchange-online", "Exchange Online", "", any)
	check("", "", "", empty)
	check("gromox", "Gromox (grommunio)", "", "X-ServerApplication: Exchange/15.00.0847.4040")
	check("exchange", "Exchange Server", "", front)
	check("exchange", "Exchange Server 2016", "15.1", front, "MS-Server-ActiveSync: 15.1")
	check("", "", "", "MS-Server-ActiveSync: 14.0") // others speak ActiveSync too

	assert.Nil(t, authinspect.Conclude("-", "", answer(anonymous, "WWW-Authenticate: Bearer")).Issuer)
	issuer := func(target string, lines ...string) string {
		t.Helper()
		return authinspect.Conclude(target, "", answer(anonymous, lines...)).Issuer.Kind
	}
	const foreign, own = `WWW-Authenticate: Bearer authorization_uri="https://evil.example/adfs/oauth2/authorize"`, `WWW-Authenticate: Bearer authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize"`
	assert.Equal(t, "other", issuer("-", foreign))
	assert.Equal(t, "other", issuer("https://mail.contoso.test/ews", foreign))
	assert.Equal(t, "other", issuer("-", foreign, `WWW-Authenticate: Basic realm="mail.contoso.test"`))
	assert.Equal(t, "adfs", issuer("https://mail.contoso.test/ews", own))
	assert.Equal(t, "adfs", issuer("-", own, `WWW-Authenticate: Basic realm="mail.contoso.test"`))
	r := authinspect.Conclude("https://mail.contoso.test/ews", "", answer(anonymous, strings.TrimSuffix(foreign, "")+`, issuer_kind="ADFS"`))
	assert.Equal(t, crossprem.Failed, findingStatus(r, "issuer-unrecognized"))

	challenges, warnings := parse(`Bearer ="a"`)
	require.Len(t, challenges, 1)
	assert.Equal(t, authinspect.Bearer, challenges[0].Scheme)
	assert.NotEmpty(t, warnings)
}
