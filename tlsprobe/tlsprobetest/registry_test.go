package tlsprobetest_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// What each Windows as it is installed offers through Windows PowerShell,
// PowerShell 7 and WinHTTP, read from an export of its registry.
func TestAllWindows(t *testing.T) {
	const s3, t0, t1, t2, t3 = tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13
	type set = []tlsprobe.Version
	old, upTo12, from10 := set{s3, t0}, set{t0, t1, t2}, set{t0, t1, t2, t3}
	want := map[string][3]set{
		"Windows 7":              {old, old, old},
		"Windows Server 2008 R2": {old, old, old},
		"Windows 8":              {old, {s3, t0, t1, t2}, old},
		"Windows Server 2012":    {old, {s3, t0, t1, t2}, old},
		"Windows 8.1":            {old, {s3, t0, t1, t2}, {s3, t0, t1, t2}},
		"Windows Server 2012 R2": {old, {s3, t0, t1, t2}, {s3, t0, t1, t2}},
		"Windows 10 1507":        {old, {s3, t0, t1, t2}, {s3, t0, t1, t2}},
		"Windows 10 1607":        {old, upTo12, upTo12},
		"Windows Server 2016":    {old, upTo12, upTo12},
		"Windows 10 1809":        {upTo12, upTo12, upTo12},
		"Windows Server 2019":    {upTo12, upTo12, upTo12},
		"Windows 10 21H2":        {upTo12, upTo12, upTo12},
		"Windows 10 22H2":        {upTo12, upTo12, upTo12},
		"Windows Server 2022":    {from10, from10, {t2, t3}},
		"Windows 11 21H2":        {from10, from10, {t2, t3}},
		"Windows 11 23H2":        {from10, from10, {t2, t3}},
		"Windows 11 24H2":        {{t2, t3}, {t2, t3}, {t2, t3}},
		"Windows Server 2025":    {{t2, t3}, {t2, t3}, {t2, t3}},
	}
	require.Len(t, tlsprobetest.AllWindows(), len(want))
	for _, w := range tlsprobetest.AllWindows() {
		c, err := schannel.Read(bytes.NewReader(tlsprobetest.Export(w.Registry())))
		require.NoError(t, err, w.Name)
		assert.Equal(t, "CLIENT01", c.Name)
		name, _ := c.System()
		assert.NotEmpty(t, name, w.Name)
		for i, app := range []schannel.App{{Stack: schannel.WindowsPowerShell}, {Stack: schannel.PowerShell7}, {Stack: schannel.WinHTTP}} {
			o := c.Offers(app)
			assert.Equal(t, want[w.Name][i], o.Set(), "%s, %s", w.Name, app.Label())
			assert.Empty(t, o.Assumed(), w.Name)
			assert.NotNil(t, o.Suites)
		}
	}
	assert.Panics(t, func() { tlsprobetest.Registry("Windows ME") })
}

func TestSet(t *testing.T) {
	before := tlsprobetest.Registry("Windows Server 2016")
	after := tlsprobetest.Set(before, `HKLM\software\Microsoft\.NETFramework\v4.0.30319`, "SchUseStrongCrypto", uint32(1))
	assert.Equal(t, tlsprobetest.Registry("Windows Server 2016"), before, "the original stays")
	assert.Len(t, after, len(before), "case does not matter")
	assert.Equal(t, before, tlsprobetest.Set(after, `HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319`, "schusestrongcrypto", nil))
	off := schannel.NewClient(tlsprobetest.Protocol(before, tlsprobe.TLS12, "Client", false))
	state, _ := off.Schannel(tlsprobe.TLS12, false)
	assert.Equal(t, schannel.Disabled, state)
	assert.Panics(t, func() { tlsprobetest.Protocol(before, tlsprobe.TLS12, "client", true) })
}

// Every kind of endpoint can be served, and a Windows of today meets all that
// speak TLS.
func TestForEndpoint(t *testing.T) {
	offer := schannel.NewClient(tlsprobetest.Registry("Windows Server 2022")).Offers(schannel.App{Stack: schannel.PowerShell7})
	seen := make(map[string]bool)
	for _, e := range tlsprobe.Endpoints(crossprem.Worldwide) {
		kind := e.Expected + "/" + string(e.StartTLS)
		if seen[kind] {
			continue
		}
		seen[kind] = true
		srv := tlsprobetest.ForEndpoint(e).Start()
		p := &tlsprobe.Prober{Roots: srv.Roots(), SNI: "localhost", StartTLS: e.StartTLS, Timeout: 5 * time.Second}
		n, r, err := schannel.Check(context.Background(), p, srv.Addr, offer)
		require.NoError(t, err, kind)
		assert.Equal(t, crossprem.AnswerOf(!e.NoTLS), n.Meets, "%s: %s", kind, n.Explanation)
		if !e.NoTLS {
			assert.True(t, r.Trusted, "%s: %v %v", kind, r.ChainFrom, r.Distrust)
		}
		srv.Close()
	}
	assert.Greater(t, len(seen), 3)
}
