package schannel_test

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

const (
	ssl2, ssl3, t10, t11, t12, t13 = tlsprobe.SSL20, tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13
)

type versions = []tlsprobe.Version

// bare is a machine on which no key is set.
func bare(build uint32, kind schannel.Kind) *schannel.Client {
	return &schannel.Client{Build: build, Kind: kind, Registry: schannel.Registry{`HKEY_LOCAL_MACHINE\SOFTWARE`: {}, `HKEY_LOCAL_MACHINE\SYSTEM`: {}}}
}

// server is a result of a server that accepts versions, with suite and group,
// and refuses the others.
func server(suite tlsprobe.Suite, group tlsprobe.Group, accepted ...tlsprobe.Version) *tlsprobe.Result {
	r := &tlsprobe.Result{Target: "server.contoso.test:443", Class: tlsprobe.TLS, Versions: tlsprobe.Versions{}}
	for _, v := range []tlsprobe.Version{ssl3, t10, t11, t12, t13} {
		r.Versions[v] = tlsprobe.Answer{Support: tlsprobe.Refused, Reason: tlsprobe.SentAlert}
	}
	for _, v := range accepted {
		a := tlsprobe.Answer{Support: tlsprobe.Accepted, Reason: tlsprobe.Chosen, Suite: suite, Group: group}
		if v == t13 {
			a.Suite = 0x1302
		}
		r.Versions[v] = a
	}
	return r
}

// The post that started it: PowerShell of Windows Server 2016 and the gallery.
func TestTheGallery(t *testing.T) {
	c := bare(14393, schannel.ServerSystem)
	o := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
	assert.Equal(t, versions{ssl3, t10}, o.Set())
	gallery := server(0xC030, 0x1D, t12, t13)
	n := schannel.Negotiate(o, gallery)
	assert.Equal(t, crossprem.No, n.Meets)
	assert.Equal(t, schannel.NoCommonVersion, n.Cause)
	assert.Equal(t, schannel.ClientSide, n.Mover)

	m := schannel.Mend(c, schannel.OfferTLS12)
	assert.Contains(t, m.Session, "-bor [Net.SecurityProtocolType]::Tls12")
	assert.Len(t, m.Changes, 4)

	// PowerShell 7 on the same machine meets it.
	n = schannel.Negotiate(c.Offers(schannel.App{Stack: schannel.PowerShell7}), gallery)
	assert.Equal(t, crossprem.Yes, n.Meets, n.Explanation)
	assert.Equal(t, t12, n.Version)
}

func TestWindows10AndTLS13Alone(t *testing.T) {
	n := schannel.Negotiate(bare(19045, schannel.ClientSystem).Offers(schannel.App{Stack: schannel.PowerShell7}), server(0, 0x1D, t13))
	assert.Equal(t, crossprem.No, n.Meets)
	assert.Equal(t, schannel.ServerSide, n.Mover)
	assert.Equal(t, crossprem.No, schannel.Mend(bare(19045, schannel.ClientSystem), schannel.OfferTLS13).Possible)
}

// Windows Server 2012 R2 has no ECDHE_RSA with GCM: TLS 1.2 on both sides is not
// enough, and the same server meets a newer Windows.
func TestServer2012R2AndGCMAlone(t *testing.T) {
	srv := (&tlsprobetest.Server{Versions: versions{t12}, Suites: []tlsprobe.Suite{0xC02F, 0xC030}, Key: rsaKey(t)}).Start()
	defer srv.Close()
	p := &tlsprobe.Prober{Roots: srv.Roots()}
	old := bare(9600, schannel.ServerSystem).Offers(schannel.App{Stack: schannel.PowerShell7})
	r, err := p.Probe(t.Context(), srv.Addr)
	require.NoError(t, err)
	n := schannel.Negotiate(old, r)
	assert.Equal(t, crossprem.AnswerUnknown, n.Meets, "the probe shows one suite, and other suites may be accepted")
	assert.Equal(t, t12, n.Version)

	n, _, err = schannel.Check(t.Context(), p, srv.Addr, old)
	require.NoError(t, err)
	assert.Equal(t, crossprem.No, n.Meets, n.Explanation)
	assert.Equal(t, schannel.NoCommonSuite, n.Cause)
	assert.Equal(t, schannel.ServerSide, n.Mover)

	n, _, err = schannel.Check(t.Context(), p, srv.Addr, bare(14393, schannel.ServerSystem).Offers(schannel.App{Stack: schannel.PowerShell7}))
	require.NoError(t, err)
	assert.Equal(t, crossprem.Yes, n.Meets, n.Explanation)

	// The same server with an older suite as well meets both.
	more := (&tlsprobetest.Server{Versions: versions{t12}, Suites: []tlsprobe.Suite{0xC02F, 0xC027}, Key: rsaKey(t)}).Start()
	defer more.Close()
	n, _, err = schannel.Check(t.Context(), p, more.Addr, old)
	require.NoError(t, err)
	assert.Equal(t, crossprem.Yes, n.Meets, n.Explanation)
	assert.Equal(t, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", n.Suite)
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}
