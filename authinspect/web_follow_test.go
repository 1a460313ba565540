package authinspect_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// A dialled records every address that was dialled, and connects only to the
// hostile front end.
type dialled struct {
	mu    sync.Mutex
	addrs []string
	front func(ctx context.Context, network, addr string) (net.Conn, error)
	at    string
}

func (d *dialled) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	if !slices.Contains(d.addrs, addr) {
		d.addrs = append(d.addrs, addr)
	}
	d.mu.Unlock()
	if addr != d.at {
		return nil, errors.New("refused")
	}
	return d.front(ctx, network, addr)
}

// A hostile front end chooses neither a port nor a neighbour.
func TestHostileFrontEndChoosesNothing(t *testing.T) {
	dns := &authinspecttest.DNS{IP: map[string][]netip.Addr{
		"mail.contoso.test":   {netip.MustParseAddr("192.0.2.1")},
		"sts.contoso.test":    {netip.MustParseAddr("192.0.2.2")},
		"inside.contoso.test": {netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("10.0.0.3")},
		"link.contoso.test":   {netip.MustParseAddr("fe80::1")},
		"cgnat.contoso.test":  {netip.MustParseAddr("100.64.0.9")},
		"mapped.contoso.test": {netip.MustParseAddr("::ffff:127.0.0.1")},
		"local.contoso.test":  {netip.MustParseAddr("10.1.1.1")},
		"sts2.contoso.test":   {netip.MustParseAddr("10.1.1.2")},
	}}
	check := func(target, named string, also ...string) {
		t.Helper()
		header := []string{`WWW-Authenticate: Bearer authorization_uri="` + named + `", issuer_kind="ADFS"`}
		server := (&authinspecttest.FrontEnd{Name: "hostile", Routes: []authinspecttest.Route{{Path: "/*", Header: header}}}).Start()
		defer server.Close()
		host := strings.TrimPrefix(target, "https://")
		if !strings.Contains(host, ":") {
			host += ":443"
		}
		d := &dialled{front: server.Dial, at: host}
		o, err := (&authinspect.Inspector{Dial: d.dial, Roots: server.Roots(), Resolver: dns}).InspectOrganization(t.Context(), target)
		require.NoError(t, err)
		assert.ElementsMatch(t, append([]string{host}, also...), d.addrs, "%s names %s", target, named)
		if also == nil && !strings.HasPrefix(named, target+"/") {
			assert.NotEmpty(t, o.Warnings, named)
		}
	}
	check("https://mail.contoso.test", "https://db.contoso.test:5432/adfs/x")
	check("https://192.0.2.5", "https://192.0.2.5:22/adfs/x")
	check("https://192.0.2.5", "https://192.0.2.6/adfs/x")
	check("https://contoso.azurewebsites.net", "https://attacker.azurewebsites.net/adfs/x")
	check("https://azurewebsites.net", "https://attacker.azurewebsites.net/adfs/x")
	check("https://mail.contoso.co.uk", "https://sts.fabrikam.co.uk/adfs/x")
	check("https://mail.contoso.test", "https://10.0.0.1/adfs/x")
	check("https://mail.contoso.test", "https://169.254.169.254/adfs/x")
	check("https://mail.contoso.test", "https://[fe80::1]/adfs/x")
	check("https://mail.contoso.test", "http://sts.contoso.test/adfs/x")
	check("https://mail.contoso.test", "https://inside.contoso.test/adfs/x")
	check("https://mail.contoso.test", "https://link.contoso.test/adfs/x")
	check("https://mail.contoso.test", "https://cgnat.contoso.test/adfs/x")
	check("https://mail.contoso.test", "https://mapped.contoso.test/adfs/x")
	check("https://mail.contoso.test:8443", "https://sts.contoso.test:9443/adfs/x")
	// What may be followed.
	check("https://mail.contoso.test", "https://sts.contoso.test/adfs/x", "sts.contoso.test:443")
	check("https://mail.contoso.test:8443", "https://sts.contoso.test:8443/adfs/x", "sts.contoso.test:8443")
	check("https://mail.contoso.test:8443", "https://sts.contoso.test/adfs/x", "sts.contoso.test:443")
	check("https://local.contoso.test", "https://sts2.contoso.test/adfs/x", "sts2.contoso.test:443")
	check("https://10.0.0.9", "https://10.0.0.9/adfs/x")
}

// A name that was public when it was looked up, and is local when it is
// dialled, is not reached.
func TestReboundNameIsNotReached(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	reached := make(chan struct{}, 9)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			conn.Close()
		}
	}()
	err = authinspect.DialGuarded(t.Context(), listener.Addr().String())
	assert.ErrorContains(t, err, "not one of the Internet")
	assert.Empty(t, reached)
}

// The registered domain, by the public suffix list.
func TestDomainOf(t *testing.T) {
	for host, want := range map[string]string{
		"mail.contoso.test": "contoso.test", "Contoso.Test.": "contoso.test", "a.b.contoso.co.uk": "contoso.co.uk", "contoso.co.uk": "contoso.co.uk", "co.uk": "co.uk",
		"mail.contoso.ddns.net": "contoso.ddns.net", "x.contoso.azurewebsites.net": "contoso.azurewebsites.net", "contoso.cloudapp.net": "contoso.cloudapp.net",
		"mail.contoso.tokyo.jp": "contoso.tokyo.jp", "contoso.spb.ru": "contoso.spb.ru", "www.district.k12.ca.us": "district.k12.ca.us",
		"192.0.2.1": "192.0.2.1", "::1": "::1", "localhost": "localhost", "": "", "xn--mller-kva.test": "xn--mller-kva.test",
	} {
		assert.Equal(t, want, authinspect.DomainOf(host), host)
	}
}

// A name outside ASCII is converted once, and shown both ways.
func TestInspectInternationalName(t *testing.T) {
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Names = []string{"xn--mller-kva.test", "mail.xn--mller-kva.test"}
	server := front.Start()
	defer server.Close()
	var hosts sync.Map
	inspector := authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test", Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		hosts.Store(addr, true)
		return server.Dial(ctx, network, addr)
	}}
	for target, also := range map[string]string{
		"https://müller.test/EWS/Exchange.asmx":            "https://xn--mller-kva.test/EWS/Exchange.asmx",
		"https://xn--mller-kva.test:443/EWS/Exchange.asmx": "https://müller.test:443/EWS/Exchange.asmx",
	} {
		r, err := inspector.Inspect(t.Context(), target)
		require.NoError(t, err)
		assert.True(t, r.TLS.Trusted, "%v", r.TLS.Distrust)
		assert.Equal(t, target, r.Target)
		assert.Equal(t, also, r.Also)
		_, named := r.Answered(authinspect.StepMailbox)
		assert.True(t, named)
	}
	o, err := inspector.InspectOrganization(t.Context(), "Müller.test")
	require.NoError(t, err)
	assert.Equal(t, "Müller.test", o.Target)
	assert.Equal(t, "xn--mller-kva.test", o.Also)
	for addr := range hosts.Range {
		assert.Regexp(t, `^[ -~]+$`, addr)
	}
	_, err = inspector.Inspect(t.Context(), "https://\u0300a.test/")
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)
}
