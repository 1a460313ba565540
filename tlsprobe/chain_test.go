package tlsprobe_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A certTree makes certificates of any shape, with one key for each name.
type certTree struct {
	t    *testing.T
	keys map[string]*ecdsa.PrivateKey
	last int64
}

func newCertTree(t *testing.T) *certTree {
	return &certTree{t: t, keys: make(map[string]*ecdsa.PrivateKey)}
}

func (c *certTree) key(name string) *ecdsa.PrivateKey {
	if c.keys[name] == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(c.t, err)
		c.keys[name] = key
	}
	return c.keys[name]
}

// issue makes a certificate valid from and to so many days from now.
func (c *certTree) issue(name, issuer string, from, to int, change func(*x509.Certificate)) *x509.Certificate {
	c.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(c.last), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(0, 0, from), NotAfter: time.Now().AddDate(0, 0, to),
		BasicConstraintsValid: true, IsCA: name != "leaf", KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if name == "leaf" {
		template.DNSNames, template.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: issuer}}, c.key(name).Public(), crypto.Signer(c.key(issuer)))
	require.NoError(c.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(c.t, err)
	return cert
}

// probe serves the chain with a TLS of at most the given version.
func (c *certTree) probe(version uint16, root *x509.Certificate, chain ...*x509.Certificate) *tlsprobe.Result {
	var raw [][]byte
	for _, cert := range chain {
		raw = append(raw, cert.Raw)
	}
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: raw, PrivateKey: c.key("leaf")}}, MinVersion: version}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	if root != nil {
		roots.AddCert(root)
	}
	r, err := (&tlsprobe.Prober{Roots: roots, SNI: "localhost", Timeout: 20 * time.Second}).Probe(c.t.Context(), server.Listener.Addr().String())
	require.NoError(c.t, err)
	return r
}

// failed returns the failed findings about the chain, by rule.
func (c *certTree) failed(r *tlsprobe.Result, at time.Time) map[string]crossprem.Finding {
	checkResult(c.t, "chain", r, at)
	found := make(map[string]crossprem.Finding)
	for _, f := range tlsprobe.Assess(r, tlsprobe.AnyServer, at) {
		if f.Status == crossprem.Failed && f.Rule != "tls-1.3-only" {
			found[f.Rule] = f
		}
	}
	return found
}

func rulesOf(found map[string]crossprem.Finding) []string {
	var list []string
	for rule := range found {
		list = append(list, rule)
	}
	slices.Sort(list)
	return list
}

func TestChains(t *testing.T) {
	const expired, untrusted = "tls-chain-expired", "tls-certificate-untrusted"
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := newCertTree(t)
		now := time.Now()
		root := c.issue("root", "root", -1000, 1000, nil)
		mid := c.issue("mid", "root", -100, 500, nil)
		leaf := c.issue("leaf", "mid", -10, 300, nil)

		r := c.probe(version, root, leaf, mid)
		assert.True(t, r.Trusted, "%v", r.Distrust)
		assert.Empty(t, rulesOf(c.failed(r, now)))
		assert.Equal(t, []*x509.Certificate{leaf, mid, root}, r.Path)

		// What ends above the leaf counts, on any day that is judged.
		found := c.failed(r, now.AddDate(0, 0, 280))
		assert.Equal(t, []string{"tls-certificate-expired"}, rulesOf(found))
		soon := c.probe(version, root, c.issue("leaf", "mid", -10, 900, nil), mid)
		found = c.failed(soon, now.AddDate(0, 0, 400))
		require.Equal(t, []string{expired}, rulesOf(found))
		assert.Equal(t, crossprem.Warning, found[expired].Severity)
		assert.Equal(t, mid.NotAfter.UTC().Truncate(24*time.Hour), found[expired].Due)
		assert.Contains(t, found[expired].Detail, "CN=mid")

		// An expired intermediate, with and without a day on which all were valid.
		for _, from := range []int{-100, -5} {
			old := c.issue("mid", "root", -500, -20, nil)
			r = c.probe(version, root, c.issue("leaf", "mid", from, 300, nil), old)
			assert.False(t, r.Trusted)
			found = c.failed(r, now)
			assert.Equal(t, []string{expired}, rulesOf(found), "%v", r.Distrust)
			assert.Equal(t, crossprem.Critical, found[expired].Severity)
			assert.Contains(t, found[expired].Detail, "CN=mid")
			assert.Contains(t, found[expired].Detail, old.NotAfter.UTC().Format(time.DateOnly))
		}
		r = c.probe(version, root, leaf, c.issue("mid", "root", 20, 500, nil))
		assert.Equal(t, []string{expired}, rulesOf(c.failed(r, now)), "not yet valid: %v", r.Distrust)
		// One that is not needed does no harm.
		r = c.probe(version, root, leaf, c.issue("mid", "root", -500, -20, nil), mid)
		assert.True(t, r.Trusted, "%v", r.Distrust)
		assert.Empty(t, rulesOf(c.failed(r, now)))
		// An expired root.
		oldRoot := c.issue("root", "root", -1000, -3, nil)
		r = c.probe(version, oldRoot, leaf, mid)
		found = c.failed(r, now)
		assert.Equal(t, []string{expired}, rulesOf(found), "%v", r.Distrust)
		assert.Contains(t, found[expired].Detail, "The root CN=root has expired")

		// Each cause has a finding of its own.
		self := c.issue("leaf", "leaf", -10, 300, nil)
		assert.Equal(t, []string{"tls-certificate-self-signed", untrusted}, rulesOf(c.failed(c.probe(version, root, self), now)))
		other := c.issue("other", "other", -10, 1000, nil)
		assert.Equal(t, []string{"tls-certificate-private-ca", untrusted}, rulesOf(c.failed(c.probe(version, other, leaf, mid, root), now)))
		aia := c.issue("leaf", "mid", -10, 300, func(cert *x509.Certificate) {
			cert.IssuingCertificateURL = []string{"http://aia.contoso.test/mid.crt"}
		})
		found = c.failed(c.probe(version, root, aia), now)
		assert.Equal(t, []string{untrusted, "tls-chain-incomplete"}, rulesOf(found))
		assert.Contains(t, found["tls-chain-incomplete"].Detail, "http://aia.contoso.test/mid.crt")
		client := c.issue("leaf", "mid", -10, 300, func(cert *x509.Certificate) { cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		assert.Equal(t, []string{"tls-certificate-purpose"}, rulesOf(c.failed(c.probe(version, root, client, mid), now)))
		named := c.issue("leaf", "mid", -10, 300, func(cert *x509.Certificate) { cert.DNSNames = []string{"mail.contoso.test"} })
		assert.Equal(t, []string{"tls-certificate-name"}, rulesOf(c.failed(c.probe(version, root, named, mid), now)))

		// All that is sent counts: the one that matters is the last of forty.
		long := []*x509.Certificate{leaf}
		for range 38 {
			long = append(long, other)
		}
		r = c.probe(version, root, append(long, mid)...)
		assert.True(t, r.Trusted, "%v", r.Distrust)
		assert.Len(t, r.Chain, 40)
		assert.Empty(t, r.ChainProblem)
	}
}

// A chain beyond the limit is told, and so is a handshake that fails.
func TestChainProblems(t *testing.T) {
	c := newCertTree(t)
	root := c.issue("root", "root", -1000, 1000, nil)
	leaf := c.issue("leaf", "root", -10, 300, nil)
	big := c.issue("big", "root", -10, 300, func(cert *x509.Certificate) {
		cert.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, 50<<10)}}
	})
	r := c.probe(tls.VersionTLS12, root, leaf, big, big, big, big, big, big, big)
	assert.Contains(t, r.ChainProblem, "the rest was not read")
	assert.NotEmpty(t, r.Chain)

	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{{0x30, 0x00}}, Leaf: leaf, PrivateKey: c.key("leaf")}}})
	require.NoError(t, err)
	done := make(chan struct{})
	defer func() { listener.Close(); <-done }()
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); conn.(*tls.Conn).Handshake() }()
		}
	}()
	r, err = tlsprobe.Probe(t.Context(), listener.Addr().String())
	require.NoError(t, err)
	assert.Nil(t, r.Chain)
	assert.NotEmpty(t, r.ChainProblem)
	checkResult(t, "unreadable", r, today)
}
