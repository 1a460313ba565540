package tlsprobe_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

const (
	accepted = tlsprobe.Accepted
	refused  = tlsprobe.Refused
)

var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// versions makes a Versions from a list of what is accepted; the rest of the
// five is refused.
func versions(list ...tlsprobe.Version) tlsprobe.Versions {
	alert := tlsprobe.Alert(70)
	m := make(tlsprobe.Versions)
	for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
		m[v] = tlsprobe.Answer{Support: refused, Reason: tlsprobe.SentAlert, Alert: &alert}
		if slices.Contains(list, v) {
			m[v] = tlsprobe.Answer{Support: accepted, Reason: tlsprobe.Chosen, Suite: 0xC02F}
		}
	}
	return m
}

// statuses returns the status of every rule in the findings.
func statuses(findings []crossprem.Finding) map[string]crossprem.Status {
	m := make(map[string]crossprem.Status)
	for _, f := range findings {
		m[f.Rule] = f.Status
	}
	return m
}

func TestAssessVersions(t *testing.T) {
	const passed, failed, unknown = crossprem.Passed, crossprem.Failed, crossprem.Unknown
	check := func(name string, v tlsprobe.Versions, want map[string]crossprem.Status) {
		t.Helper()
		got := statuses(tlsprobe.Assess(&tlsprobe.Result{Target: "a.test:443", Class: tlsprobe.TLS, Versions: v}, tlsprobe.OnPremExchange, today))
		for rule, status := range want {
			s, ok := got[rule]
			assert.True(t, ok, "%s: no finding %s", name, rule)
			assert.Equal(t, status, s, "%s: %s", name, rule)
		}
	}
	check("1.2", versions(tlsprobe.TLS12), map[string]crossprem.Status{
		"tls-1.2-refused": passed, "tls-1.0-offered": passed, "tls-ssl-3.0-offered": passed, "tls-only-weak-suites": passed,
		"tls-certificate-expired": unknown, "tls-certificate-untrusted": unknown})
	check("1.0 alone", versions(tlsprobe.TLS10), map[string]crossprem.Status{"tls-1.2-refused": failed, "tls-1.0-offered": failed, "tls-1.1-offered": passed})
	check("1.3 alone", versions(tlsprobe.TLS13), map[string]crossprem.Status{"tls-1.2-refused": passed, "tls-1.3-only": failed})
	check("SSL 3.0", versions(tlsprobe.SSL30, tlsprobe.TLS12), map[string]crossprem.Status{"tls-ssl-3.0-offered": failed, "tls-1.2-refused": passed})
	check("1.0, the rest unknown", tlsprobe.Versions{tlsprobe.TLS10: {Support: accepted}}, map[string]crossprem.Status{
		"tls-1.2-refused": unknown, "tls-1.1-offered": unknown})
	weak := versions(tlsprobe.TLS12)
	weak[tlsprobe.TLS12] = tlsprobe.Answer{Support: accepted, Suite: 0x000A, Strong: refused}
	check("3DES alone", weak, map[string]crossprem.Status{"tls-only-weak-suites": failed})

	for class, status := range map[tlsprobe.Class]crossprem.Status{
		tlsprobe.Silent: unknown, tlsprobe.ConnectionRefused: unknown, tlsprobe.Unclassified: unknown,
		tlsprobe.NotTLS: failed, tlsprobe.StartTLSRefused: failed,
	} {
		findings := tlsprobe.Assess(&tlsprobe.Result{Target: "a.test:443", Class: class}, tlsprobe.AnyServer, today)
		require.Len(t, findings, 1, class)
		assert.Equal(t, status, findings[0].Status, class)
	}
}

func TestAssessCertificate(t *testing.T) {
	day := 24 * time.Hour
	probe := func(s *tlsprobetest.Server, target string) *tlsprobe.Result {
		defer s.Close()
		p := tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots()}
		r, err := p.Probe(t.Context(), target)
		require.NoError(t, err)
		require.NotEmpty(t, r.Chain)
		return r
	}
	good := probe(&tlsprobetest.Server{NotAfter: time.Now().Add(90 * day)}, "localhost:443")
	assert.True(t, good.Trusted, "%v", good.Distrust)
	assert.Equal(t, tlsprobe.FromSignedFlight, good.ChainFrom)
	now := time.Now()
	find := func(r *tlsprobe.Result, role tlsprobe.Role, at time.Time, rule string) crossprem.Finding {
		for _, f := range tlsprobe.Assess(r, role, at) {
			if f.Rule == rule {
				return f
			}
		}
		t.Fatalf("no finding %s", rule)
		return crossprem.Finding{}
	}
	const expired = "tls-certificate-expired"
	assert.Equal(t, crossprem.Passed, find(good, tlsprobe.AnyServer, now, expired).Status)
	soon := find(good, tlsprobe.AnyServer, now.Add(80*day), expired)
	assert.Equal(t, crossprem.Failed, soon.Status)
	assert.Equal(t, crossprem.Critical, soon.Severity, "ten days before the end")
	assert.Equal(t, good.Chain[0].NotAfter.UTC().Truncate(day), soon.Due)
	assert.Equal(t, crossprem.Critical, find(good, tlsprobe.AnyServer, now.Add(91*day), expired).Severity)

	other := probe(&tlsprobetest.Server{Names: []string{"mail.contoso.test"}}, "localhost:443")
	assert.False(t, other.Trusted)
	assert.Equal(t, crossprem.Failed, find(other, tlsprobe.AnyServer, now, "tls-certificate-name").Status)
	assert.Equal(t, crossprem.Passed, find(other, tlsprobe.AnyServer, now, "tls-certificate-untrusted").Status)

	late := probe(&tlsprobetest.Server{NotAfter: now.Add(-day)}, "localhost:443")
	assert.False(t, late.Trusted)
	assert.Equal(t, crossprem.Failed, find(late, tlsprobe.AnyServer, now, expired).Status)

	dhe := probe(&tlsprobetest.Server{MaxVersion: tlsprobe.TLS12, Suites: []tlsprobe.Suite{0x009E}}, "localhost:443")
	assert.Equal(t, tlsprobe.FromPlainFlight, dhe.ChainFrom)
	assert.True(t, dhe.Trusted)

	// A host of Microsoft's, answered by somebody else.
	fake := &tlsprobetest.Server{Names: []string{"autoupdate.msappproxy.net"}, Issuer: "Contoso Inspection CA"}
	inspected := probe(fake, "autoupdate.msappproxy.net:443")
	assert.Equal(t, tlsprobe.MicrosoftEndpoint, tlsprobe.RoleOf(inspected.Target))
	f := find(inspected, tlsprobe.MicrosoftEndpoint, now, "tls-inspected")
	assert.Equal(t, crossprem.Failed, f.Status)
	assert.Equal(t, crossprem.Critical, f.Severity, "the agent does not work through inspection")
	assert.Equal(t, crossprem.Failed, find(probe(&tlsprobetest.Server{}, "pop-legacy.office365.com:995"), tlsprobe.MicrosoftEndpoint, today, "tls-endpoint-retiring").Status)
}

func TestEndpoints(t *testing.T) {
	count := 0
	lists := map[string][]tlsprobe.Endpoint{"Azure Government": tlsprobe.AzureGovernment(), "on premises": tlsprobe.OnPremises()}
	for _, cloud := range crossprem.Clouds() {
		lists[cloud.String()] = tlsprobe.Endpoints(cloud)
	}
	assert.Equal(t, lists["worldwide"], tlsprobe.Endpoints(crossprem.CloudUnknown))
	for name, list := range lists {
		assert.NotEmpty(t, list, name)
		count += len(list)
		for _, e := range list {
			assert.NotEmpty(t, e.Host)
			assert.NotEmpty(t, e.Purpose, e.Host)
			assert.NotEmpty(t, e.Ports, e.Host)
			assert.NotEmpty(t, e.Sources, e.Host)
			assert.NotContains(t, e.Sources, "", e.Host)
			assert.Contains(t, []string{"required", "optional", "legacy", "none"}, e.Need, e.Host)
			assert.Contains(t, []string{"active", "legacy", "retiring", "retired", "retired-api"}, e.Status, e.Host)
			if e.StartTLS != "" {
				assert.Contains(t, tlsprobe.Protocols(), e.StartTLS, e.Host)
			}
			for _, target := range e.Targets() {
				_, err := netip.ParseAddrPort(target.Addr)
				assert.Error(t, err)
				assert.NotContains(t, target.Addr, "*")
				assert.NotContains(t, target.Addr, "<")
			}
		}
	}
	assert.Equal(t, 104, count)
	_, err := time.Parse(time.DateOnly, tlsprobe.AsOf)
	assert.NoError(t, err)
	var last time.Time
	for _, m := range tlsprobe.Timeline() {
		if m.Date == "open" {
			assert.Zero(t, m.From)
			continue
		}
		assert.False(t, m.From.IsZero() || m.Until.IsZero(), m.Date)
		assert.False(t, m.Until.Before(m.From), m.Date)
		assert.False(t, m.From.Before(last), "%s is out of order", m.Date)
		last = m.From
	}
}

func TestJSON(t *testing.T) {
	s := (&tlsprobetest.Server{}).Start()
	defer s.Close()
	r, err := (&tlsprobe.Prober{Roots: s.Roots()}).Probe(t.Context(), s.Addr)
	require.NoError(t, err)
	var out struct {
		Target   string
		Class    string
		Versions map[string]string
		Evidence map[string]map[string]any
		Chain    []map[string]any
		Trusted  *bool
	}
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &out))
	assert.Equal(t, s.Addr, out.Target)
	assert.Equal(t, "tls", out.Class)
	assert.Equal(t, map[string]string{"ssl30": "refused", "tls10": "refused", "tls11": "refused", "tls12": "accepted", "tls13": "accepted"}, out.Versions)
	assert.Equal(t, "chosen", out.Evidence["tls12"]["reason"])
	assert.EqualValues(t, 70, out.Evidence["tls11"]["alert"])
	assert.Len(t, out.Chain, 1)
	assert.True(t, *out.Trusted)

	raw, err = json.Marshal(&tlsprobe.Result{Target: "a.test:443"})
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"chain":null`)
	assert.Contains(t, string(raw), `"trusted":null`)
	assert.Contains(t, string(raw), `"tls12":"unknown"`)
}

func TestErrors(t *testing.T) {
	for _, target := range []string{"", "mail", "mail:", ":443", "mail:0", "mail:65536", "mail:https", "a b:443", "mail/x:443"} {
		_, err := tlsprobe.Probe(t.Context(), target)
		assert.ErrorContains(t, err, "no host:port", target)
	}
	proxy, err := url.Parse("http://user:secret@proxy.test:8080")
	require.NoError(t, err)
	_, err = (&tlsprobe.Prober{Proxy: proxy}).Probe(t.Context(), "mail.test:443")
	require.ErrorContains(t, err, "credentials")
	assert.NotContains(t, err.Error(), "secret")
	_, err = (&tlsprobe.Prober{StartTLS: "gopher"}).Probe(t.Context(), "mail.test:443")
	assert.ErrorContains(t, err, "gopher")

	notFound := &net.DNSError{Err: "no such host", Name: "mail.test", IsNotFound: true}
	p := tlsprobe.Prober{Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, notFound }}
	_, err = p.Probe(t.Context(), "mail.test:443")
	var dns *net.DNSError
	assert.ErrorAs(t, err, &dns)

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	_, err = tlsprobe.Probe(ctx, "127.0.0.1:1")
	assert.ErrorIs(t, err, why)
}

// What was not seen is not called by the name of a failure.
func TestUnknownFindingsSaySo(t *testing.T) {
	r := &tlsprobe.Result{Target: "mail.contoso.test:443", Class: tlsprobe.TLS,
		Versions: tlsprobe.Versions{tlsprobe.TLS12: {Support: tlsprobe.Accepted, Reason: tlsprobe.Chosen}}}
	failures := make(map[string]string)
	for _, rule := range tlsprobe.Rules() {
		failures[rule.ID] = rule.Title
	}
	unknown := 0
	for _, f := range tlsprobe.Assess(r, tlsprobe.AnyServer, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		if f.Status == crossprem.Unknown {
			assert.NotEqual(t, failures[f.Rule], f.Title, f.Rule)
			unknown++
		}
	}
	assert.Greater(t, unknown, 3)
}
