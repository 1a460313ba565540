package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func TestRun(t *testing.T) {
	modern := (&tlsprobetest.Server{}).Start()
	defer modern.Close()
	old := (&tlsprobetest.Server{MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS10, StartTLS: tlsprobe.SMTP}).Start()
	defer old.Close()
	in := fmt.Sprintf("# two servers\n%s localhost\n\n%s - smtp\n", modern.Addr, old.Addr)

	var out, notes strings.Builder
	require.Equal(t, ran, run(t.Context(), []string{"-json"}, strings.NewReader(in), &out, &notes), notes.String())
	versions := make(map[string]map[string]string)
	for line := range strings.Lines(out.String()) {
		var r struct {
			Target   string
			Versions map[string]string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		versions[r.Target] = r.Versions
	}
	assert.Equal(t, "accepted", versions[modern.Addr]["tls13"])
	assert.Equal(t, "accepted", versions[old.Addr]["tls10"])
	assert.Equal(t, "refused", versions[old.Addr]["tls12"])

	out.Reset()
	require.Equal(t, ran, run(t.Context(), []string{old.Addr, "-starttls", "smtp"}, nil, &out, &notes))
	assert.Contains(t, out.String(), "TLS 1.2 is not accepted, and nothing newer is [critical]")

	for _, args := range [][]string{{"-starttls", "gopher", "a:1"}, {"-only12", "-modern", "a:1"}, {"-nonsense"}, {"a:1", "-timeout", "0s"}} {
		assert.Equal(t, wrongUsage, run(t.Context(), args, nil, &out, &notes), args)
	}
	notes.Reset()
	assert.Equal(t, couldNot, run(t.Context(), nil, strings.NewReader("a b c d\n"), &out, &notes))
	assert.Contains(t, notes.String(), "line 1")
	notes.Reset()
	assert.Equal(t, couldNot, run(t.Context(), nil, strings.NewReader("\n"+strings.Repeat("a", 1<<17)), &out, &notes))
	assert.Contains(t, notes.String(), "line 2")

	out.Reset()
	assert.Equal(t, couldNot, run(t.Context(), []string{"a:b:c", "-json"}, nil, &out, &notes))
	assert.Contains(t, out.String(), `"class":"unclassified","detail":"tlsprobe: target`, "each target has its object")
	out.Reset()
	assert.Equal(t, ran, run(t.Context(), nil, strings.NewReader("\ufeff"+modern.Addr), &out, &notes), "a mark at the beginning")
}

func TestMail(t *testing.T) {
	secured := (&tlsprobetest.Server{StartTLS: tlsprobe.SMTP, Names: []string{"mx.contoso.test"}}).Start()
	defer secured.Close()
	_, port, err := net.SplitHostPort(secured.Addr)
	require.NoError(t, err)
	dns := (&tlsprobetest.Resolver{
		MX: map[string][]*net.MX{
			"contoso.test": {{Host: "mx.contoso.test.", Pref: 10}},
			"online.test":  {{Host: "online-test.mail.protection.outlook.com.", Pref: 0}},
		},
		Hosts: map[string][]netip.Addr{"mx.contoso.test": {netip.MustParseAddr("127.0.0.1")}},
		Fail:  []string{"broken.test"},
	}).Start()
	defer dns.Close()
	var out, notes strings.Builder
	require.Equal(t, ran, run(t.Context(), []string{"mail", "contoso.test", "online.test", "-dns", dns.Addr, "-port", port, "-timeout", "20s"}, nil, &out, &notes), notes.String())
	assert.Contains(t, out.String(), "+ Mail from Exchange Online to this host can be secured")
	assert.Contains(t, out.String(), "is Exchange Online itself")

	out.Reset()
	require.Equal(t, ran, run(t.Context(), []string{"mail", "-json", "contoso.test", "-dns", dns.Addr, "-port", port}, nil, &out, &notes), notes.String())
	var back struct {
		tlsprobe.MailResult
		Findings []crossprem.Finding
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &back))
	require.Len(t, back.Hosts, 1)
	assert.Equal(t, tlsprobe.TLS13, back.Hosts[0].Result.Highest())
	assert.NotEmpty(t, back.Findings)

	assert.Equal(t, couldNot, run(t.Context(), []string{"mail", "broken.test", "-dns", dns.Addr, "-timeout", "20s"}, nil, &out, &notes))
	for _, args := range [][]string{{"mail"}, {"mail", "a@b"}, {"mail", "a.test", "-port", "0"}, {"a:1", "-samples", "0"}, {"a:1", "-dns", "x"}, {"a:1", "-at", "x"}} {
		assert.Equal(t, wrongUsage, run(t.Context(), args, nil, &out, &notes), args)
	}
}

func TestNoSNIAndSamples(t *testing.T) {
	named := (&tlsprobetest.Server{ServerName: "localhost"}).Start()
	defer named.Close()
	target := strings.Replace(named.Addr, "127.0.0.1", "localhost", 1)
	dns := (&tlsprobetest.Resolver{Hosts: map[string][]netip.Addr{"localhost": {netip.MustParseAddr("127.0.0.1")}}}).Start()
	defer dns.Close()
	ask := func(args ...string) (r tlsprobe.Result) {
		var out, notes strings.Builder
		require.Equal(t, ran, run(t.Context(), append(args, "-json", "-dns", dns.Addr, "-timeout", "20s"), nil, &out, &notes), notes.String())
		require.NoError(t, json.Unmarshal([]byte(out.String()), &r))
		return r
	}
	r := ask(target)
	assert.Equal(t, tlsprobe.TLS, r.Class)
	r = ask(target, "-no-sni")
	assert.Equal(t, tlsprobe.SNINeeded, r.Class)
	assert.Empty(t, r.SNI)
	r = ask(target, "-samples", "3")
	assert.GreaterOrEqual(t, r.Versions[tlsprobe.TLS12].Asked, 3)
}

func TestFailOn(t *testing.T) {
	old := (&tlsprobetest.Server{MaxVersion: tlsprobe.TLS11}).Start()
	defer old.Close()
	var out, notes strings.Builder
	assert.Equal(t, 3, run(t.Context(), []string{old.Addr, "-fail-on", "critical"}, nil, &out, &notes), notes.String())
	assert.Equal(t, 3, run(t.Context(), []string{old.Addr, "-json", "-fail-on", "warning"}, nil, &out, &notes))
	assert.Equal(t, ran, run(t.Context(), []string{old.Addr}, nil, &out, &notes))
}
