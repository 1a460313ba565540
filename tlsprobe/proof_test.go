package tlsprobe_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// keys are of all kinds that crypto/tls signs with.
func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	list := make(map[string]crypto.Signer)
	var err error
	list["RSA"], err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, list["Ed25519"], err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		list[curve.Params().Name], err = ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
	}
	return list
}

// Where the first flight of TLS 1.2 is signed, no handshake is needed, whatever
// the key, and whether TLS 1.3 is there or not.
func TestSignedFlight(t *testing.T) {
	for name, key := range keys(t) {
		for _, highest := range []tlsprobe.Version{tlsprobe.TLS12, tlsprobe.TLS13} {
			s := &tlsprobetest.Server{MinVersion: tlsprobe.TLS12, MaxVersion: highest, Key: key}
			r, err := (&tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots()}).Probe(t.Context(), "localhost:443")
			s.Close()
			require.NoError(t, err)
			assert.Equal(t, tlsprobe.FromSignedFlight, r.ChainFrom, name)
			assert.True(t, r.Trusted, "%s: %v", name, r.Distrust)
			assert.Equal(t, 5, s.Connections(), name)
		}
	}
	// Where it is not, or where the application protocol is to be seen, there is one.
	for name, s := range map[string]*tlsprobetest.Server{
		"TLS 1.3": {MinVersion: tlsprobe.TLS13},
		"TLS 1.1": {MaxVersion: tlsprobe.TLS11},
		"ALPN":    {ALPN: []string{"h2"}},
	} {
		p := tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots(), ALPN: s.ALPN}
		r, err := p.Probe(t.Context(), "localhost:443")
		s.Close()
		require.NoError(t, err)
		assert.Equal(t, tlsprobe.FromHandshake, r.ChainFrom, name)
		assert.True(t, r.Trusted, "%s: %v", name, r.Distrust)
	}
}

// Whoever shows somebody else's certificate, which is no secret, is not trusted.
func TestForeignKey(t *testing.T) {
	ca := testca.New("")
	others := keys(t)
	for name, key := range keys(t) {
		for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			if version == tls.VersionTLS11 && name == "Ed25519" {
				continue // they do not go together
			}
			foreign := ca.Issue(testca.Leaf{Key: key})
			foreign.PrivateKey = others[name]
			server := httptest.NewUnstartedServer(nil)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{foreign}, MinVersion: version, MaxVersion: version}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			r, err := (&tlsprobe.Prober{Roots: ca.Pool()}).Probe(t.Context(), server.Listener.Addr().String())
			server.Close()
			require.NoError(t, err)
			assert.Equal(t, tlsprobe.Version(version), r.Highest())
			assert.Equal(t, tlsprobe.FromPlainFlight, r.ChainFrom, "%s %x", name, version)
			assert.False(t, r.Trusted, "%s %x", name, version)
			assert.ErrorContains(t, r.Distrust, "signature", "%s %x", name, version)
			for _, f := range tlsprobe.Assess(r, tlsprobe.AnyServer, r.At) {
				if f.Rule == "tls-certificate-untrusted" {
					assert.Equal(t, crossprem.Failed, f.Status)
				}
			}
		}
	}
}

// A stranger's key must not keep us busy.
func TestLargeKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	modulus := new(big.Int).Lsh(big.NewInt(1), 200_000)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "large"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"},
	}
	large, err := x509.CreateCertificate(rand.Reader, template, template, &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537}, key)
	require.NoError(t, err)
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf, large}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	r, err := tlsprobe.Probe(t.Context(), server.Listener.Addr().String())
	require.NoError(t, err)
	assert.Len(t, r.Chain, 2)
	assert.ErrorContains(t, r.Distrust, "8192")
	assert.Less(t, r.Took, 5*time.Second)
}
