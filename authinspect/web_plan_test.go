package authinspect_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// autodiscovered is Contoso with everything by which Autodiscover finds it.
func autodiscovered() (authinspecttest.Estate, *authinspecttest.DNS) {
	estate := authinspecttest.Contoso()
	estate["autodiscover.contoso.test:80"] = &authinspecttest.FrontEnd{Name: "redirect", Plain: true, Routes: []authinspecttest.Route{
		{Path: "/autodiscover/autodiscover.xml", Status: 302, Header: []string{"Location: https://ex.contoso.test/autodiscover/autodiscover.xml?x=secret"}}}}
	estate["ex.contoso.test"] = authinspecttest.ExchangeSE().FrontEnd()
	estate["srv.contoso.test"] = authinspecttest.Exchange2019().FrontEnd()
	estate["elsewhere.test"] = authinspecttest.ExchangeSE().FrontEnd()
	dns := &authinspecttest.DNS{
		SRV: map[string][]*net.SRV{"_autodiscover._tcp.contoso.test": {{Target: "srv.contoso.test.", Port: 443}, {Target: "elsewhere.test.", Port: 443}, {Target: "srv.contoso.test.", Port: 8443}}},
		MX:  map[string][]*net.MX{"contoso.test": {{Host: "contoso-test.mail.protection.outlook.com.", Pref: 0}}},
		IP:  map[string][]netip.Addr{},
	}
	return estate, dns
}

func TestAutodiscover(t *testing.T) {
	estate, dns := autodiscovered()
	front := *estate["mail.contoso.test"]
	front.Routes = append([]authinspecttest.Route{{Path: "/Microsoft-Server-ActiveSync", Method: "OPTIONS", Status: 200, Header: []string{"MS-ASProtocolVersions: 2.5,12.0,14.1"}},
		{Path: "/autodiscover/autodiscover.xml", Method: "POST", Status: 200, Header: []string{"Content-Type: text/xml"},
			Body: `<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response><Error Time="x"><ErrorCode>600</ErrorCode><Message>Invalid Request</Message></Error></Response></Autodiscover>`}}, front.Routes...)
	estate["mail.contoso.test"] = &front
	running := estate.Start()
	defer running.Close()
	in := &authinspect.Inspector{Dial: running.Dial, Roots: running.Roots(), Mailbox: "bob@contoso.test", Resolver: dns}
	o, err := in.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	a := o.Autodiscover
	require.NotNil(t, a)
	assert.Equal(t, crossprem.Yes, a.DNS)
	assert.Equal(t, []string{"srv.contoso.test:443", "elsewhere.test:443", "srv.contoso.test:8443"}, a.SRV)
	assert.Equal(t, []string{"contoso-test.mail.protection.outlook.com"}, a.MX)
	assert.Equal(t, crossprem.Yes, a.MailOnline)
	assert.Equal(t, authinspect.AutodiscoverAnswer{Asked: "http://autodiscover.contoso.test/autodiscover/autodiscover.xml", Status: 302, Shape: "redirect", Location: "https://ex.contoso.test/autodiscover/autodiscover.xml"}, a.Redirect)
	require.Len(t, a.Posts, 3)
	assert.Equal(t, authinspect.AutodiscoverAnswer{Asked: "https://mail.contoso.test/autodiscover/autodiscover.xml", Status: 200, Shape: "error", Code: "600"}, a.Posts[0])
	assert.Equal(t, "challenge", a.Posts[1].Shape)
	assert.NotEmpty(t, a.Posts[2].Error, "the domain itself does not exist")
	assert.Equal(t, []string{"2.5", "12.0", "14.1"}, o.ActiveSync)
	requests := running.Requests()
	assert.Contains(t, requests["ex.contoso.test"], "anonymous /autodiscover/autodiscover.xml")
	assert.Contains(t, requests["srv.contoso.test"], "anonymous /autodiscover/autodiscover.xml")
	assert.Empty(t, requests["elsewhere.test"], "%q", o.Warnings)
	assert.Contains(t, strings.Join(o.Warnings, "\n"), "elsewhere.test was not asked")
	require.Len(t, o.Clients, 4)
	known := map[string]crossprem.Answer{}
	for _, c := range o.Clients {
		known[c.Name] = c.Registered
	}
	assert.Equal(t, map[string]crossprem.Answer{"Microsoft Office": crossprem.Yes, "Outlook for iOS and Android": crossprem.No, "Apple Mail": crossprem.No, "Thunderbird": crossprem.No}, known)

	findings := authinspect.AssessOrganization(o, noon)
	findingtest.Check(t, "autodiscovered", authinspect.Rules(), findings)
	status := map[string]crossprem.Status{}
	for _, f := range findings {
		status[f.Rule+" "+f.Part] = f.Status
	}
	assert.Equal(t, crossprem.Failed, status["activesync-version-low "])
	assert.Equal(t, crossprem.Passed, status["autodiscover-lost "])
	assert.Equal(t, crossprem.Failed, status["adfs-client-unregistered sts.contoso.test 08162f7c-0fd2-4200-a84a-f25a4db0b584"])
	assert.Equal(t, crossprem.Passed, status["adfs-client-unregistered sts.contoso.test d3590ed6-52b3-4102-aeff-aad2292ab01c"])
	readBack(t, o)
}

// What is asked was planned, and asking the plan's own paths alone asks no more.
func TestPlan(t *testing.T) {
	estate, dns := autodiscovered()
	running := estate.Start()
	defer running.Close()
	in := authinspect.Inspector{Dial: running.Dial, Roots: running.Roots(), Mailbox: "bob@contoso.test", Resolver: dns}
	plan, err := in.Plan("contoso.test")
	require.NoError(t, err)
	assert.Empty(t, running.Requests())
	assert.Empty(t, dns.Asked())
	planned := map[string]bool{}
	for _, q := range plan {
		at := strings.TrimPrefix(strings.TrimPrefix(q.URL, "https://"), "http://")
		at, _, _ = strings.Cut(at, "?")
		for _, step := range q.Steps {
			method := q.Method + " "
			planned[strings.TrimPrefix(method, "GET ")+step.String()+" "+at] = true
		}
	}
	o, err := in.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	sent := 0
	for name, requests := range running.Requests() {
		name, _, _ = strings.Cut(name, ":")
		for _, r := range requests {
			sent++
			what, path, _ := strings.Cut(r, "/")
			assert.True(t, planned[what+name+"/"+path] || planned[what+"{host}/"+path], "%s at %s was not planned", r, name)
		}
	}
	assert.Greater(t, sent, 80)
	assert.GreaterOrEqual(t, o.Requests, sent, "those that found no host are counted too")
	t.Logf("%d requests for a domain, %d of them answered", o.Requests, sent)

	// Seven URLs: three steps each, and the NTLM message where it is offered.
	in.Hosts, in.Paths = []string{"mail.contoso.test"}, []string{"/EWS/Exchange.asmx", "/mapi/emsmdb/", "/Microsoft-Server-ActiveSync", "/OAB/", "/autodiscover/autodiscover.xml", "/api/", "/rpc/rpcproxy.dll"}
	plan, err = in.Plan("contoso.test")
	require.NoError(t, err)
	assert.Len(t, plan, 7)
	o, err = in.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Len(t, o.Endpoints, 7)
	assert.LessOrEqual(t, o.Requests, 7*3+6)
	t.Logf("%d requests for seven URLs", o.Requests)

	in.Hosts = []string{"https://mail.contoso.test"}
	_, err = in.Plan("contoso.test")
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)
	in.Hosts = []string{}
	_, err = in.Plan("contoso.test")
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)
}

// One headline for two sides: the organization's own servers decide it.
func TestOrganizationHeadline(t *testing.T) {
	estate := authinspecttest.Contoso()
	estate["mail.contoso.test"] = authinspecttest.Exchange2019().FrontEnd()
	estate["autodiscover.contoso.test"] = authinspecttest.Exchange2019().FrontEnd()
	running := estate.Start()
	defer running.Close()
	o, err := (&authinspect.Inspector{Dial: running.Dial, Roots: running.Roots(), Mailbox: "bob@contoso.test"}).InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Equal(t, authinspect.ModernOff, o.Modern())
	assert.Equal(t, authinspect.ModernOn, o.ModernOnline())

	// Exchange Online at a name of the organization is not a server of its own.
	estate = authinspecttest.Contoso()
	estate["mail.contoso.test"] = authinspecttest.ExchangeOnline()
	estate["autodiscover.contoso.test"] = authinspecttest.ExchangeOnline()
	running2 := estate.Start()
	defer running2.Close()
	o, err = (&authinspect.Inspector{Dial: running2.Dial, Roots: running2.Roots()}).InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Equal(t, authinspect.ModernOn, o.Modern())

	// And where no own server answers, Exchange Online says nothing of them.
	delete(estate, "mail.contoso.test")
	delete(estate, "autodiscover.contoso.test")
	running3 := estate.Start()
	defer running3.Close()
	o, err = (&authinspect.Inspector{Dial: running3.Dial, Roots: running3.Roots()}).InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	assert.Equal(t, authinspect.ModernUnknown, o.Modern())
	assert.Equal(t, authinspect.ModernOn, o.ModernOnline())
}
