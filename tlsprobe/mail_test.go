package tlsprobe_test

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// Mail servers that falter are asked again, and nothing is critical about them.
func TestFalteringMailServers(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		if !strings.HasPrefix(c.Name, "smtp-4") && !strings.HasPrefix(c.Name, "smtp-e") && !strings.HasPrefix(c.Name, "smtp-l") {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			defer c.Server.Close()
			r, err := (&tlsprobe.Prober{Dial: c.Server.Dial, Roots: c.Server.Roots(), StartTLS: c.Asks}).Probe(t.Context(), "localhost:25")
			require.NoError(t, err)
			for _, f := range tlsprobe.Assess(r, tlsprobe.OnPremExchange, r.At) {
				if f.Status == crossprem.Failed {
					assert.Less(t, f.Severity, crossprem.Critical, "%s: %s: %s", c.Name, f.Title, f.Detail)
				}
			}
			assert.LessOrEqual(t, r.Connections, 24, c.Name)
			if c.Name == "smtp-ehlo-refused" {
				assert.Contains(t, r.Detail, "the name in EHLO is refused")
				assert.Contains(t, r.Detail, "550 5.7.1")
			}
			assert.Equal(t, c.Name == "smtp-every-second", r.StartTLSVaries, c.Name)
			t.Logf("%s: %s, %d connections, %v", c.Name, r.Class, r.Connections, r.Took)
		})
	}
}

func TestProbeMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*tlsprobetest.Server{
			"mx1.contoso.test:25": {StartTLS: tlsprobe.SMTP, Names: []string{"mx1.contoso.test"}},
			"mx2.contoso.test:25": {StartTLS: tlsprobe.SMTP, HideStartTLS: true},
			"mx3.contoso.test:25": {StartTLS: tlsprobe.SMTP, MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS11},
			"mx4.contoso.test:25": {StartTLS: tlsprobe.SMTP, Greeting: "421 4.3.2 too busy"},
			"mx5.contoso.test:25": {StartTLS: tlsprobe.SMTP, HideEveryNth: 2},
			"fabrikam.test:25":    {StartTLS: tlsprobe.SMTP},
		}
		for _, s := range servers {
			defer s.Close()
		}
		resolver := &tlsprobetest.Resolver{
			MX: map[string][]*net.MX{
				"contoso.test": {{Host: "MX2.contoso.test.", Pref: 20}, {Host: "mx1.contoso.test.", Pref: 10}, {Host: "mx3.contoso.test.", Pref: 30}, {Host: "mx4.contoso.test.", Pref: 30}, {Host: "mx5.contoso.test.", Pref: 30}},
				"online.test":  {{Host: "online-test.mail.protection.outlook.com."}},
				"null.test":    {{Host: "."}},
			},
			Fail: []string{"broken.test"},
		}
		p := tlsprobe.Prober{ResolveMX: resolver.LookupMX, Roots: servers["mx1.contoso.test:25"].Roots(),
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return servers[addr].Dial(ctx, network, addr)
			}}
		statuses := func(domain string) map[string]crossprem.Status {
			m, err := p.ProbeMail(t.Context(), domain)
			require.NoError(t, err, domain)
			raw, err := json.Marshal(m)
			require.NoError(t, err)
			var back tlsprobe.MailResult
			require.NoError(t, json.Unmarshal(raw, &back))
			assert.Equal(t, *m, back)
			findings := tlsprobe.AssessMail(m, today)
			findingtest.Check(t, domain, tlsprobe.Rules(), findings)
			assert.Equal(t, findings, tlsprobe.AssessMail(&back, today))
			found := make(map[string]crossprem.Status)
			for _, f := range findings {
				found[strings.TrimPrefix(f.Rule, "tls-mail-")+" "+f.Part] = f.Status
			}
			return found
		}
		const passed, failed, unknown = crossprem.Passed, crossprem.Failed, crossprem.Unknown
		assert.Equal(t, map[string]crossprem.Status{
			"unsecured mx1.contoso.test": passed, "certificate mx1.contoso.test": passed,
			"unsecured mx2.contoso.test": failed, "certificate mx2.contoso.test": unknown,
			"unsecured mx3.contoso.test": failed, "certificate mx3.contoso.test": failed,
			"unsecured mx4.contoso.test": unknown, "certificate mx4.contoso.test": unknown,
			"unsecured mx5.contoso.test": unknown, "certificate mx5.contoso.test": failed,
		}, statuses("contoso.test"))
		assert.Equal(t, map[string]crossprem.Status{"unsecured online-test.mail.protection.outlook.com": passed}, statuses("online.test"))
		assert.Equal(t, map[string]crossprem.Status{"unsecured ": unknown}, statuses("null.test"))
		assert.Equal(t, map[string]crossprem.Status{"unsecured fabrikam.test": passed, "certificate fabrikam.test": failed}, statuses("fabrikam.test"), "without MX the domain itself")
		_, err := p.ProbeMail(t.Context(), "broken.test")
		var unreachable *tlsprobe.UnreachableError
		assert.ErrorAs(t, err, &unreachable)
		for _, domain := range []string{"", "a@b", "mail:25", "192.0.2.1", "münchen.test"} {
			_, err := p.ProbeMail(t.Context(), domain)
			assert.ErrorIs(t, err, tlsprobe.ErrBadTarget, domain)
		}
		findingtest.Check(t, "nil", tlsprobe.Rules(), tlsprobe.AssessMail(nil, today))
	})
	assert.True(t, tlsprobe.IsExchangeOnline("contoso-com.mail.protection.OUTLOOK.com."))
	assert.True(t, tlsprobe.IsExchangeOnline("contoso-com.n-v1.mx.microsoft"))
	assert.False(t, tlsprobe.IsExchangeOnline("mail.protection.outlook.com.contoso.test"))
}

// The fake resolver says the same through its methods and over the network.
func TestResolver(t *testing.T) {
	r := (&tlsprobetest.Resolver{
		MX:    map[string][]*net.MX{"contoso.test": {{Host: "mx.contoso.test.", Pref: 10}}, "null.test": {{Host: ".", Pref: 0}}},
		Hosts: map[string][]netip.Addr{"mx.contoso.test": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
		Fail:  []string{"broken.test"},
	}).Start()
	defer r.Close()
	for _, network := range []string{"udp", "tcp"} {
		wire := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.Addr)
		}}
		for _, domain := range []string{"contoso.test", "null.test"} {
			want, err := r.LookupMX(t.Context(), domain)
			require.NoError(t, err)
			got, err := wire.LookupMX(t.Context(), domain)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		got, err := wire.LookupNetIP(t.Context(), "ip", "mx.contoso.test")
		require.NoError(t, err)
		want, err := r.LookupHost(t.Context(), "mx.contoso.test")
		require.NoError(t, err)
		assert.ElementsMatch(t, want, got)
		var dns *net.DNSError
		_, err = wire.LookupMX(t.Context(), "other.test")
		require.ErrorAs(t, err, &dns)
		assert.True(t, dns.IsNotFound)
	}
	_, err := r.LookupMX(t.Context(), "broken.test")
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	assert.False(t, dns.IsNotFound)
}
