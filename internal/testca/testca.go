// Package testca makes throwaway certificate authorities and certificates for
// fakes and tests. Nothing it makes is ever stored.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// A CA is a certificate authority that lives as long as the process. It may
// serve many goroutines.
type CA struct {
	Cert *x509.Certificate // its own certificate, read-only
	key  crypto.Signer
}

// A Leaf tells what a certificate shall say. The zero value is good for a
// server on loopback: valid from an hour ago for 90 days, with a P-256 key.
type Leaf struct {
	CommonName string        // if empty, the first of Names, or "localhost"
	Names      []string      // host names and IP addresses; if nil: localhost, 127.0.0.1, ::1
	NotBefore  time.Time     // if zero, 90 days ago: judgements for a day in the past are tried too
	NotAfter   time.Time     // if zero, 90 days from now: long enough not to be found expiring
	Key        crypto.Signer // if nil, a new P-256 key
	Client     bool          // for client authentication in place of server authentication
}

// New makes an authority with the given common name, or "crossprem test CA"
// if it is empty. It panics if the system has no randomness.
func New(commonName string) *CA {
	if commonName == "" {
		commonName = "crossprem test CA"
	}
	key := newKey()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"crossprem"}},
		NotBefore:             now.AddDate(-5, 0, 0),
		NotAfter:              now.Add(10 * 365 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &CA{Cert: must(x509.ParseCertificate(der)), key: key}
}

// Pool returns a new pool that holds the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// Issue makes a certificate signed by ca. Its chain ends with the leaf: the
// authority itself is not sent, as is usual. It panics on a key that x509
// cannot sign for.
func (ca *CA) Issue(leaf Leaf) tls.Certificate {
	if leaf.Names == nil {
		leaf.Names = []string{"localhost", "127.0.0.1", "::1"}
	}
	if leaf.CommonName == "" {
		leaf.CommonName = "localhost"
		if len(leaf.Names) > 0 {
			leaf.CommonName = leaf.Names[0]
		}
	}
	now := time.Now()
	if leaf.NotAfter.IsZero() {
		leaf.NotAfter = now.Add(90 * 24 * time.Hour)
	}
	if leaf.NotBefore.IsZero() {
		leaf.NotBefore = now.AddDate(0, 0, -90)
		if !leaf.NotBefore.Before(leaf.NotAfter) {
			leaf.NotBefore = leaf.NotAfter.Add(-time.Hour)
		}
	}
	if leaf.Key == nil {
		leaf.Key = newKey()
	}
	usage := x509.ExtKeyUsageServerAuth
	if leaf.Client {
		usage = x509.ExtKeyUsageClientAuth
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: leaf.CommonName},
		NotBefore:             leaf.NotBefore,
		NotAfter:              leaf.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{usage},
		BasicConstraintsValid: true,
	}
	for _, name := range leaf.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, ca.Cert, leaf.Key.Public(), ca.key))
	return tls.Certificate{
		Certificate: [][]byte{der},
		PrivateKey:  leaf.Key,
		Leaf:        must(x509.ParseCertificate(der)),
	}
}

// PEM returns the certificates of cert and its private key as PEM, the form
// in which real servers read them.
func PEM(cert tls.Certificate) (certificates, key []byte) {
	for _, der := range cert.Certificate {
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der := must(x509.MarshalPKCS8PrivateKey(cert.PrivateKey))
	return certificates, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func serial() *big.Int { return must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("testca: %v", err))
	}
	return v
}
