package testca_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/testca"
)

func TestIssuedCertificateVerifies(t *testing.T) {
	ca := testca.New("")
	cert := ca.Issue(testca.Leaf{Names: []string{"mail.contoso.test", "127.0.0.1"}})
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "mail.contoso.test"})
	assert.NoError(t, err)
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "127.0.0.1"})
	assert.NoError(t, err)
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: testca.New("").Pool()})
	assert.Error(t, err, "another authority must not vouch for it")
}

func TestExpiredLeaf(t *testing.T) {
	ca := testca.New("Old CA")
	past := time.Now().Add(-48 * time.Hour)
	cert := ca.Issue(testca.Leaf{NotAfter: past})
	assert.True(t, cert.Leaf.NotBefore.Before(cert.Leaf.NotAfter))
	var invalid x509.CertificateInvalidError
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool()})
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, x509.Expired, invalid.Reason)
}

func TestPEMServes(t *testing.T) {
	ca := testca.New("")
	certificates, key := testca.PEM(ca.Issue(testca.Leaf{}))
	pair, err := tls.X509KeyPair(certificates, key)
	require.NoError(t, err)

	server, client := net.Pipe()
	defer client.Close()
	go func() {
		defer server.Close()
		_ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
	}()
	assert.NoError(t, tls.Client(client, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}).Handshake())
}
