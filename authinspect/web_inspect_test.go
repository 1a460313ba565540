package authinspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

const (
	ews        = "/EWS/Exchange.asmx"
	activeSync = "/Microsoft-Server-ActiveSync"
)

// inspect starts front, asks one path of it and stops it.
func inspect(t *testing.T, front *authinspecttest.FrontEnd, path, mailbox string) *authinspect.Result {
	t.Helper()
	server := front.Start()
	defer server.Close()
	r, err := (&authinspect.Inspector{Roots: server.Roots(), Mailbox: mailbox, Timeout: 10 * time.Second}).Inspect(t.Context(), server.URL+path)
	require.NoError(t, err)
	return r
}

func TestInspectFrontEnds(t *testing.T) {
	const bob = "bob@contoso.test"
	se := func(modern authinspecttest.SignIn) *authinspecttest.FrontEnd {
		e := authinspecttest.ExchangeSE()
		e.Modern, e.Blocked = modern, []string{"blocked@contoso.test"}
		return e.FrontEnd()
	}
	old := func(modern authinspecttest.SignIn) *authinspecttest.FrontEnd {
		e := authinspecttest.Exchange2019()
		e.Modern = modern
		return e.FrontEnd()
	}
	const on, off, unknown = authinspect.ModernOn, authinspect.ModernOff, authinspect.ModernUnknown
	type schemes = []authinspect.Scheme
	all := schemes{authinspect.Negotiate, authinspect.NTLM, authinspect.Bearer}
	for name, test := range map[string]struct {
		front   *authinspecttest.FrontEnd
		path    string
		mailbox string
		schemes schemes
		modern  authinspect.Modern
		issuer  string
	}{
		"Exchange Online":             {authinspecttest.ExchangeOnline(), ews, "", schemes{authinspect.Bearer, authinspect.Basic}, on, authinspect.KindEntra},
		"Exchange Online, Basic only": {authinspecttest.ExchangeOnlineBlocked(), ews, "", schemes{authinspect.Basic}, unknown, ""},
		"SE, no mailbox":              {se(authinspecttest.HMA), activeSync, "", schemes{authinspect.Basic, authinspect.Bearer}, unknown, ""},
		"SE, mailbox":                 {se(authinspecttest.HMA), activeSync, bob, schemes{authinspect.Basic, authinspect.Bearer}, on, authinspect.KindEntra},
		"SE, AD FS":                   {se(authinspecttest.ADFSOnly), activeSync, bob, schemes{authinspect.Basic, authinspect.Bearer}, on, authinspect.KindADFS},
		"SE, blocked":                 {se(authinspecttest.HMA), activeSync, "Blocked@contoso.test", schemes{authinspect.Basic, authinspect.Bearer}, off, ""},
		"SE, no modern":               {se(authinspecttest.NoModern), ews, bob, all, off, ""},
		"SE, merged":                  {se(authinspecttest.HMA).Merged(), ews, bob, all, on, authinspect.KindEntra},
		"2019, HMA":                   {old(authinspecttest.HMA), ews, "", schemes{authinspect.Bearer, authinspect.Negotiate, authinspect.NTLM}, on, authinspect.KindEntra},
		"2019, no modern":             {old(authinspecttest.NoModern), ews, "", schemes{authinspect.Bearer, authinspect.Negotiate, authinspect.NTLM}, unknown, ""},
		"RPC never takes Bearer":      {old(authinspecttest.HMA), "/rpc/rpcproxy.dll", "", schemes{authinspect.Basic, authinspect.NTLM, authinspect.Negotiate}, off, ""},
		"forms":                       {se(authinspecttest.HMA), "/owa/", "", schemes{}, unknown, ""},
		"pre-authentication":          {authinspecttest.Preauthenticated(), ews, bob, schemes{}, unknown, ""},
		"AD FS":                       {authinspecttest.ADFS(), "/adfs/services/trust/13/windowstransport", "", schemes{authinspect.Negotiate, authinspect.NTLM}, off, ""},
		"nothing there":               {authinspecttest.ADFS(), "/nothing", "", schemes{}, unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := inspect(t, test.front, test.path, test.mailbox)
			assert.Equal(t, test.schemes, append(schemes{}, r.Schemes...))
			assert.Equal(t, test.modern, r.Modern, r.ModernReason)
			assert.NotEmpty(t, r.ModernReason)
			kind := ""
			if r.Issuer != nil {
				kind = r.Issuer.Kind
			}
			assert.Equal(t, test.issuer, kind)
			require.NotNil(t, r.TLS)
			assert.True(t, r.TLS.Trusted)
		})
	}
}

func TestInspectTellsTheServer(t *testing.T) {
	front := authinspecttest.ExchangeSE()
	front.Modern = authinspecttest.HMA
	r := inspect(t, front.FrontEnd(), "/owa/", "")
	assert.Equal(t, authinspect.Server{Kind: "exchange", Product: "Exchange Server SE", Version: "15.2.2562.17", Release: "RTM", Software: "Microsoft-IIS/10.0", FrontEnd: "EX01"}, r.Server)
	r = inspect(t, authinspecttest.ExchangeOnline(), ews, "")
	assert.Equal(t, authinspect.KindExchangeOnline, r.Server.Kind)
	assert.Equal(t, "15.20.9115.10", r.Server.Version)
	r = inspect(t, authinspecttest.ADFS(), "/adfs/services/trust/mex", "")
	assert.Equal(t, authinspect.KindADFS, r.Server.Kind)
}

func TestInspectNTLM(t *testing.T) {
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.NTLM.Skew = time.Hour
	r := inspect(t, front, ews, "")
	require.NotNil(t, r.NTLM)
	assert.Equal(t, "ex01.corp.contoso.test", r.NTLM.DNSComputer)
	assert.Equal(t, "10.0.20348", r.NTLM.Version.String())
	skew, ok := r.NTLM.Skew()
	assert.True(t, ok)
	assert.InDelta(t, time.Hour.Seconds(), skew.Seconds(), 30)
	assert.Equal(t, authinspect.Observed, r.Strength(authinspect.NTLM))
	assert.Equal(t, authinspect.Advertised, r.Strength(authinspect.Negotiate))

	server := front.Start()
	defer server.Close()
	r, err := (&authinspect.Inspector{Roots: server.Roots(), SkipNTLM: true}).Inspect(t.Context(), server.URL+ews)
	require.NoError(t, err)
	assert.Nil(t, r.NTLM)
	assert.ElementsMatch(t, []string{"anonymous " + ews, "empty-bearer " + ews}, server.Requests())
}

// An untrusted chain is a finding; the mailbox is not named to whoever that is.
func TestInspectUntrusted(t *testing.T) {
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Untrusted = true
	server := front.Start()
	defer server.Close()
	r, err := (&authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test"}).Inspect(t.Context(), server.URL+activeSync)
	require.NoError(t, err)
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic, authinspect.Bearer}, r.Schemes)
	require.NotNil(t, r.TLS)
	assert.False(t, r.TLS.Trusted)
	assert.ErrorContains(t, r.TLS.Distrust, "unknown authority")
	_, ok := r.Answered(authinspect.StepMailbox)
	assert.False(t, ok)
	for _, request := range server.Requests() {
		assert.NotContains(t, request, "mailbox")
	}
	failed := findingStatus(r, "endpoint-tls-untrusted")
	assert.Equal(t, crossprem.Failed, failed)

	// A trusted chain for another day, or another name, is no better.
	ca := authinspecttest.ExchangeSE().FrontEnd().Start()
	defer ca.Close()
	late := authinspect.Inspector{Roots: ca.Roots(), Now: func() time.Time { return time.Now().AddDate(5, 0, 0) }}
	r, err = late.Inspect(t.Context(), ca.URL+ews)
	require.NoError(t, err)
	assert.False(t, r.TLS.Trusted)
	elsewhere := authinspect.Inspector{Roots: ca.Roots(), Dial: ca.Dial}
	r, err = elsewhere.Inspect(t.Context(), "https://mail.contoso.test"+ews)
	require.NoError(t, err)
	assert.False(t, r.TLS.Trusted)
}

func findingStatus(r *authinspect.Result, rule string) crossprem.Status {
	for _, f := range authinspect.Assess(r, time.Now()) {
		if f.Rule == rule {
			return f.Status
		}
	}
	return crossprem.Unknown
}

func TestInspectWithoutTLS(t *testing.T) {
	front := authinspecttest.Exchange2019().FrontEnd()
	front.Plain = true
	r := inspect(t, front, activeSync, "bob@contoso.test")
	assert.Nil(t, r.TLS)
	assert.Contains(t, r.Warnings, "the mailbox was not named: it is sent over TLS only")
	assert.Equal(t, crossprem.Failed, findingStatus(r, "basic-without-tls"))
}

func TestInspectRefuses(t *testing.T) {
	server := authinspecttest.ExchangeSE().FrontEnd().Start()
	defer server.Close()
	for _, bad := range []string{"", "mail.contoso.test", "ftp://mail.contoso.test", "https://", "https://bob:secret@mail.contoso.test/", "http://[::1", "https://a b/", "https://:443/",
		"ftp://bob:secret@mail.contoso.test/", "https://bob:secret%zz@mail.contoso.test/", "bob:secret@mail.contoso.test"} {
		_, err := authinspect.Inspect(t.Context(), bad)
		assert.ErrorIs(t, err, authinspect.ErrBadTarget, bad)
		assert.NotContains(t, err.Error(), "secret")
		assert.NotContains(t, err.Error(), "\n")
	}
	for _, bad := range []string{"bob:secret@contoso.test", "ftp://bob:secret@contoso.test"} {
		_, err := authinspect.InspectOrganization(t.Context(), bad)
		assert.ErrorIs(t, err, authinspect.ErrBadTarget, bad)
		assert.NotContains(t, err.Error(), "secret")
	}
	_, err := authinspect.InspectMail(t.Context(), "bob:secret@mail.contoso.test:143", authinspect.IMAP)
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)
	assert.NotContains(t, err.Error(), "secret")
	picky := authinspect.Inspector{Roots: server.Roots(), Allow: func(u *url.URL) error {
		return errors.New("not in the list: " + u.Hostname())
	}}
	_, err = picky.Inspect(t.Context(), server.URL)
	assert.ErrorIs(t, err, authinspect.ErrNotAllowed)
	_, err = picky.InspectOrganization(t.Context(), server.URL)
	assert.ErrorIs(t, err, authinspect.ErrNotAllowed)
	assert.Empty(t, server.Requests())
	// Addresses with line breaks do not reach the wire.
	_, err = (&authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test\r\nAuthorization: Basic x"}).Inspect(t.Context(), server.URL)
	require.NoError(t, err)
	for _, request := range server.Requests() {
		assert.NotContains(t, request, "mailbox")
	}
}

func TestInspectUnreachable(t *testing.T) {
	server := authinspecttest.ExchangeSE().FrontEnd().Start()
	server.Close()
	_, err := authinspect.Inspect(t.Context(), server.URL)
	var unreachable *authinspect.UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.Equal(t, server.URL, unreachable.Target)

	slow := authinspecttest.ExchangeSE().FrontEnd()
	slow.Delay = time.Minute
	server = slow.Start()
	defer server.Close()
	_, err = (&authinspect.Inspector{Timeout: 50 * time.Millisecond}).Inspect(t.Context(), server.URL)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = authinspect.Inspect(ctx, server.URL)
	assert.ErrorIs(t, err, context.Canceled)
}

// What a hostile server sends is bounded, and is no reason to forget the rest.
func TestInspectHostile(t *testing.T) {
	huge := &authinspecttest.FrontEnd{Name: "hostile", Routes: []authinspecttest.Route{
		{Path: "/header", Step: authinspect.StepEmptyBearer, Header: []string{"WWW-Authenticate: Basic realm=\"" + strings.Repeat("x", 1<<20) + "\""}},
		{Path: "/header", Header: []string{`WWW-Authenticate: Basic realm="x"`}},
		{Path: "/body", Header: []string{`WWW-Authenticate: NTLM`}, Body: strings.Repeat("x", 8<<20)},
		{Path: "/escape", Header: []string{"WWW-Authenticate: Basic realm=\"\xff\u202e\u009b2J\"", "X-FEServer: \u009b31mEX01"}},
		{Path: "/redirect", Status: 302, Header: []string{"Location: https://169.254.169.254/latest#access_token=1?secret=1"}},
	}}
	r := inspect(t, huge, "/header", "")
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic}, r.Schemes)
	assert.Equal(t, authinspect.ModernUnknown, r.Modern)
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "empty-bearer: no answer")
	r = inspect(t, huge, "/body", "")
	assert.Equal(t, []authinspect.Scheme{authinspect.NTLM}, r.Schemes)
	r = inspect(t, huge, "/escape", "")
	for _, f := range authinspect.Assess(r, time.Now()) {
		assert.NotContains(t, f.Detail, "\u009b")
		assert.NotContains(t, f.Detail, "\u202e")
	}
	r = inspect(t, huge, "/redirect", "")
	assert.Contains(t, r.Warnings, "anonymous: redirects to https://169.254.169.254/latest; not followed")
}

func TestInspectThroughProxy(t *testing.T) {
	server := authinspecttest.ExchangeSE().FrontEnd().Start()
	defer server.Close()
	asked, finished := make(chan string, 10), make(chan struct{}, 10)
	var closed atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() { finished <- struct{}{} }()
		asked <- req.Method + " " + req.Host
		if closed.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", req.Host)
		if !assert.NoError(t, err) {
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		var up sync.WaitGroup
		up.Go(func() { _, _ = io.Copy(there, here); there.Close() })
		_, _ = io.Copy(here, there)
		here.Close()
		up.Wait()
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	inspector := authinspect.Inspector{Roots: server.Roots(), Proxy: http.ProxyURL(address), SkipNTLM: true}
	r, err := inspector.Inspect(t.Context(), server.URL+activeSync)
	require.NoError(t, err)
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic, authinspect.Bearer}, r.Schemes)
	assert.True(t, r.TLS.Trusted)
	assert.Equal(t, "CONNECT "+strings.TrimPrefix(server.URL, "https://"), <-asked)
	assert.Len(t, server.Requests(), 2)
	<-finished // the proxy serves a connection until both sides have hung up

	closed.Store(true)
	_, err = inspector.Inspect(t.Context(), server.URL+ews)
	assert.ErrorContains(t, err, "Forbidden")
	assert.Len(t, server.Requests(), 2)
}

func TestResultJSON(t *testing.T) {
	data, err := json.Marshal(authinspect.Result{Target: "https://x/"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"target":"https://x/","schemes":[],"modern":"unknown","issuer":null,"diagnostics":[],"warnings":[]}`, string(data))

	front := authinspecttest.ExchangeSE()
	front.Modern = authinspecttest.HMA
	data, err = json.Marshal(inspect(t, front.FrontEnd(), activeSync, "bob@contoso.test"))
	require.NoError(t, err)
	var got struct {
		Schemes     []string
		Modern      string
		Issuer      struct{ Kind, Tenant, AuthorizationURI string }
		Diagnostics []struct {
			Code    int
			Meaning string
		}
		TLS     struct{ Trusted bool }
		Answers []struct {
			Step   string
			Status int
		}
	}
	require.NoError(t, json.Unmarshal(data, &got))
	assert.Equal(t, []string{"basic", "bearer"}, got.Schemes)
	assert.Equal(t, "on", got.Modern)
	assert.Equal(t, "entra", got.Issuer.Kind)
	assert.Equal(t, authinspecttest.Tenant, got.Issuer.Tenant)
	require.Len(t, got.Diagnostics, 1)
	assert.Equal(t, 4000000, got.Diagnostics[0].Code)
	assert.NotEmpty(t, got.Diagnostics[0].Meaning)
	assert.True(t, got.TLS.Trusted)
	assert.Len(t, got.Answers, 3)
}

// A certificate may hold anything, and errors repeat it.
func TestCertificateNamesAreHarmless(t *testing.T) {
	const name = "evil\x1b[2J\n.test"
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Names = []string{name}
	server := front.Start()
	defer server.Close()
	in := &authinspect.Inspector{Roots: server.Roots(), Dial: server.Dial, Mailbox: "bob@contoso.test"}
	o, err := in.InspectOrganization(t.Context(), "https://mail.contoso.test")
	require.NoError(t, err)
	host := authinspecttest.PostfixMail(authinspect.SMTPS)
	host.Names = front.Names
	mail := host.Start()
	defer mail.Close()
	m, err := (&authinspect.Inspector{Roots: mail.Roots(), Dial: mail.Dial}).InspectMail(t.Context(), "mail.contoso.test:465", authinspect.SMTPS)
	require.NoError(t, err)

	findings := append(authinspect.AssessOrganization(o, time.Now()), authinspect.AssessMail(m, time.Now())...)
	texts := slices.Concat(o.Warnings, o.Endpoints[0].Warnings, m.Warnings)
	for _, l := range o.Located {
		texts = append(texts, l.Error)
	}
	for _, f := range findings {
		texts = append(texts, f.Detail)
	}
	assert.Contains(t, strings.Join(texts, "\n"), "valid for evil\uFFFD[2J")
	for _, text := range texts {
		assert.NotContains(t, text, "\x1b")
		assert.NotContains(t, text, "\n")
	}
}

// A host that is an IP address is compared with the certificate as well, and
// the mailbox is not named to a stranger.
func TestInspectOtherAddress(t *testing.T) {
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Names = []string{"other.contoso.test", "192.0.2.7"}
	server := front.Start()
	defer server.Close()
	r, err := (&authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test"}).Inspect(t.Context(), server.URL+activeSync)
	require.NoError(t, err)
	require.NotNil(t, r.TLS)
	assert.False(t, r.TLS.Trusted)
	for _, request := range server.Requests() {
		assert.NotContains(t, request, "mailbox")
	}
}
