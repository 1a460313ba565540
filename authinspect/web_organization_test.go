package authinspect_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

func TestInspectOrganizationByDomain(t *testing.T) {
	estate := authinspecttest.Contoso().Start()
	defer estate.Close()
	told := 0
	inspector := authinspect.Inspector{
		Mailbox: "bob@contoso.test", Dial: estate.Dial, Roots: estate.Roots(), Timeout: 20 * time.Second,
		Progress: func(*authinspect.Result) { told++ },
	}
	o, err := inspector.InspectOrganization(t.Context(), "Contoso.test")
	require.NoError(t, err)

	assert.Equal(t, len(o.Endpoints), told)
	assert.Equal(t, authinspect.ModernOn, o.Modern())
	require.NotNil(t, o.Realm)
	assert.Equal(t, "Federated", o.Realm.NameSpaceType)
	assert.Equal(t, authinspecttest.Tenant, o.Realm.Tenant)
	strength := func(target string, scheme authinspect.Scheme) authinspect.Strength {
		t.Helper()
		i := slices.IndexFunc(o.Endpoints, func(r *authinspect.Result) bool { return r.Target == target })
		require.GreaterOrEqual(t, i, 0, target)
		return o.Endpoints[i].Strength(scheme)
	}
	assert.Equal(t, authinspect.Advertised, strength("https://mail.contoso.test/rpc/rpcproxy.dll", authinspect.Basic))
	assert.Equal(t, authinspect.StrengthUnknown, strength("https://mail.contoso.test/EWS/Exchange.asmx", authinspect.Basic))
	assert.Equal(t, authinspect.Observed, strength("https://mail.contoso.test/EWS/Exchange.asmx", authinspect.NTLM))
	assert.Equal(t, authinspect.Configured, strength("https://mail.contoso.test/mapi/emsmdb/", authinspect.Bearer))
	assert.Equal(t, authinspect.Advertised, strength("https://autodiscover.contoso.test/autodiscover/autodiscover.xml", authinspect.Basic))
	assert.Equal(t, authinspect.Observed, strength("https://sts.contoso.test/adfs/services/trust/13/windowstransport", authinspect.NTLM))
	assert.Equal(t, authinspect.Configured, strength("https://outlook.office365.com/EWS/Exchange.asmx", authinspect.Bearer))

	// The domain itself does not exist; that is told, not left out.
	require.NotEmpty(t, o.Unanswered)
	for _, u := range o.Unanswered {
		assert.True(t, strings.HasPrefix(u.Target, "https://contoso.test/"), u.Target)
		assert.ErrorContains(t, u.Err, "no such host")
	}
	require.Len(t, o.Located, 6)
	assert.Equal(t, authinspect.Located{Asked: "https://mail.contoso.test/autodiscover/autodiscover.json", Protocol: "EWS", URL: "https://mail.contoso.test/EWS/Exchange.asmx"}, o.Located[5])

	var got struct {
		Schemes  []string
		Modern   string
		Issuer   struct{ Kind, Tenant string }
		Warnings []string
	}
	data, err := json.Marshal(o)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &got))
	assert.Equal(t, "on", got.Modern)
	assert.Equal(t, "entra", got.Issuer.Kind)
	assert.Contains(t, got.Schemes, "basic")
	assert.NotContains(t, string(data), "nonce", "queries of redirects stay out")

	// Endpoints stand in the order of the questions, whoever answers first.
	assert.Equal(t, []string{"mail.contoso.test", "autodiscover.contoso.test", "sts.contoso.test", "outlook.office365.com"}, hosts(o))

	failed := make(map[string]int)
	for _, f := range authinspect.AssessOrganization(o, o.At) {
		if f.Status == crossprem.Failed {
			failed[f.Rule]++
		}
	}
	assert.Equal(t, 2, failed["windows-transport-public"])
	assert.Positive(t, failed["basic-offered"])
	assert.Positive(t, failed["ntlm-internal-names"])
	assert.Zero(t, failed["endpoint-tls-untrusted"])
}

// hosts returns the hosts of the endpoints in their order, one after another.
func hosts(o *authinspect.Organization) []string {
	var hosts []string
	for _, r := range o.Endpoints {
		hosts = append(hosts, strings.Split(r.Target, "/")[2])
	}
	return slices.Compact(hosts)
}

func TestInspectOrganizationByURL(t *testing.T) {
	exchange := authinspecttest.ExchangeSE()
	exchange.Modern = authinspecttest.ADFSOnly
	estate := authinspecttest.Estate{"mail.contoso.test": exchange.FrontEnd(), "sts.contoso.test": authinspecttest.ADFS()}.Start()
	defer estate.Close()
	inspector := authinspect.Inspector{Mailbox: "bob@contoso.test", Dial: estate.Dial, Roots: estate.Roots()}
	o, err := inspector.InspectOrganization(t.Context(), "https://mail.contoso.test")
	require.NoError(t, err)
	assert.Nil(t, o.Realm)
	assert.Empty(t, o.Unanswered)
	assert.Len(t, o.Endpoints, 16+7, "Exchange, and the AD FS that it names")
	assert.Equal(t, o.Modern(), authinspect.ModernOn)
}

// What lies outside of the organization is told, not asked.
func TestInspectOrganizationStaysAtHome(t *testing.T) {
	estate := authinspecttest.Contoso()
	delete(estate, "outlook.office365.com")
	estate["login.microsoftonline.com"] = authinspecttest.EntraID("contoso.test", "https://sts.fabrikam.test/adfs/ls/")
	estate["sts.fabrikam.test"] = authinspecttest.ADFS()
	running := estate.Start()
	defer running.Close()
	inspector := authinspect.Inspector{Dial: running.Dial, Roots: running.Roots()}
	o, err := inspector.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Contains(t, o.Warnings, "AD FS at sts.fabrikam.test was not asked: it lies outside of contoso.test")
	assert.Empty(t, running.Requests()["sts.fabrikam.test"])
	assert.Empty(t, o.Located, "nobody was named")
}

func TestInspectOrganizationOfNobody(t *testing.T) {
	estate := authinspecttest.Estate{}.Start()
	defer estate.Close()
	inspector := authinspect.Inspector{Dial: estate.Dial}
	_, err := inspector.InspectOrganization(t.Context(), "contoso.test")
	var unreachable *authinspect.UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.ErrorContains(t, err, "contoso.test gave no answer: ")

	for _, bad := range []string{"", "contoso", "127.0.0.1", "contoso..test", "bob@contoso.test", "ftp://contoso.test", "https://bob:secret@contoso.test", "contoso.test/owa"} {
		_, err := inspector.InspectOrganization(t.Context(), bad)
		assert.ErrorIs(t, err, authinspect.ErrBadTarget, bad)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestInspectOrganizations(t *testing.T) {
	estate := authinspecttest.Contoso().Start()
	defer estate.Close()
	inspector := authinspect.Inspector{Dial: estate.Dial, Roots: estate.Roots()}
	targets := []string{"https://mail.contoso.test", "https://nobody.contoso.test", "nonsense", "https://sts.contoso.test"}
	var inspected, failed []string
	for o, err := range inspector.InspectOrganizations(t.Context(), slices.Values(targets), 2) {
		if err != nil {
			failed = append(failed, err.Error())
		} else {
			inspected = append(inspected, o.Target)
		}
	}
	assert.ElementsMatch(t, []string{targets[0], targets[3]}, inspected)
	assert.Len(t, failed, 2)

	for range inspector.InspectOrganizations(t.Context(), slices.Values(targets), 2) {
		break // goleak tells if somebody goes on
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range inspector.InspectOrganizations(ctx, slices.Values(targets), 2) {
		assert.Error(t, err)
	}
}

// All paths and steps are asked at once, within the bound of the caller.
func TestInspectOrganizationAsksAtOnce(t *testing.T) {
	peak := func(concurrency int) int {
		front := authinspecttest.ExchangeSE().FrontEnd()
		front.Delay = 300 * time.Millisecond
		server := front.Start()
		defer server.Close()
		inspector := authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test", Concurrency: concurrency}
		o, err := inspector.InspectOrganization(t.Context(), server.URL)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(server.Requests()), 3*len(o.Endpoints))
		return server.Peak()
	}
	assert.Greater(t, peak(0), 15)
	assert.LessOrEqual(t, peak(15), 15)
}

// Autodiscover v2 may name another host of the organization; that one is
// asked too, and nobody else's.
func TestInspectOrganizationFollowsAutodiscover(t *testing.T) {
	at := func(base string) *authinspecttest.FrontEnd {
		return &authinspecttest.FrontEnd{Name: "Autodiscover", Routes: []authinspecttest.Route{
			{Path: "/autodiscover/autodiscover.json", Query: "Protocol=EWS", Status: 200, Body: `{"Protocol":"EWS","Url":"` + base + `/EWS/Exchange.asmx"}`},
			{Path: "/autodiscover/autodiscover.json", Status: 400, Body: `{"ErrorCode":"ProtocolNotSupported"}`},
		}}
	}
	estate := authinspecttest.Estate{
		"autodiscover.contoso.test": at("https://ex.contoso.test"),
		"mail.contoso.test":         at("https://ex.fabrikam.test"),
		"contoso.test":              at("https://mail.contoso.test"),
		"ex.contoso.test":           authinspecttest.ExchangeSE().FrontEnd(),
		"ex.fabrikam.test":          authinspecttest.ExchangeSE().FrontEnd(),
	}.Start()
	defer estate.Close()
	inspector := authinspect.Inspector{Mailbox: "bob@contoso.test", Dial: estate.Dial, Roots: estate.Roots()}
	o, err := inspector.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Contains(t, o.Located, authinspect.Located{Asked: "https://mail.contoso.test/autodiscover/autodiscover.json", Protocol: "ActiveSync", Error: "ProtocolNotSupported"})
	assert.Contains(t, estate.Requests()["ex.contoso.test"], "ntlm /EWS/Exchange.asmx")
	assert.Empty(t, estate.Requests()["ex.fabrikam.test"])
	assert.Equal(t, []string{"mail.contoso.test", "autodiscover.contoso.test", "contoso.test", "ex.contoso.test"}, hosts(o))
	assert.Nil(t, o.Realm)
	assert.NotEmpty(t, o.Warnings, "the sign-in service does not exist here, which is told")
}

// Whose domain it is, is told from the base URL, without a guess at others'.
func TestInspectOrganizationOwnDomain(t *testing.T) {
	check := func(base, adfs string, own bool) {
		t.Helper()
		front := &authinspecttest.FrontEnd{Name: "own", Routes: []authinspecttest.Route{
			{Path: "/*", Header: []string{`WWW-Authenticate: Bearer authorization_uri="https://` + adfs + `/adfs/oauth2/authorize"`}}}}
		server := front.Start()
		defer server.Close()
		o, err := (&authinspect.Inspector{Dial: server.Dial, Roots: server.Roots()}).InspectOrganization(t.Context(), base)
		require.NoError(t, err)
		asked := slices.ContainsFunc(o.Endpoints, func(r *authinspect.Result) bool { return strings.HasPrefix(r.Target, "https://"+adfs+"/adfs/") })
		assert.Equal(t, own, asked, "%s names %s", base, adfs)
		assert.Equal(t, own, o.Warnings == nil, "%q", o.Warnings)
	}
	check("https://Mail.Contoso.test", "sts.contoso.test", true)
	check("https://mail.contoso.co.uk", "sts.contoso.co.uk", true)
	check("https://contoso.co.uk", "sts.contoso.co.uk", true)
	check("https://contoso.co.uk", "sts.fabrikam.co.uk", false)
	check("https://contoso.test", "sts.fabrikam.test", false)
	check("https://mail.abc.de", "sts.abc.de", true)
	check("https://192.0.2.1", "3.0.2.1", false)
}

// Whoever names another AD FS in each answer is not followed for ever.
func TestInspectOrganizationEndlessADFS(t *testing.T) {
	front := &authinspecttest.FrontEnd{Name: "endless", Routes: []authinspecttest.Route{
		{Path: "/*", Header: []string{`WWW-Authenticate: Bearer authorization_uri="https://x{host}/adfs/oauth2/authorize"`}}}}
	server := front.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o, err := (&authinspect.Inspector{Dial: server.Dial, Roots: server.Roots()}).InspectOrganization(ctx, "contoso.test")
	require.NoError(t, err)
	require.NoError(t, ctx.Err())
	assert.Less(t, len(server.Requests()), 200)
	assert.Contains(t, strings.Join(o.Warnings, "\n"), "AD FS at x")
}
