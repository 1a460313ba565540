package oauthcerttest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/crossprem/crossprem/oauthcert"
)

// An AuthCertificate tells what a throwaway auth certificate shall be like.
// The zero value is like those that Exchange makes: the well-known subject,
// self-signed, RSA with 2048 bits, five years from now on.
type AuthCertificate struct {
	CommonName string    // if empty, "Microsoft Exchange Server Auth Certificate"; "-" for no subject at all
	NotBefore  time.Time // if zero, a minute ago
	NotAfter   time.Time // if zero, five years after NotBefore
	Bits       int       // of the RSA key; if zero, 2048
	ECDSA      bool      // a P-256 key in place of the RSA one
}

// Make makes the certificate. The private key is shared by all certificates of
// the same size in this process, since making one is slow, and is thrown away
// with it. Make panics if the key cannot be made.
func (a AuthCertificate) Make() *oauthcert.Certificate {
	cert, _ := a.MakeWithKey()
	return cert
}

// MakeWithKey makes the certificate and returns the private key too, for
// tests that need a PFX file or a signature.
func (a AuthCertificate) MakeWithKey() (*oauthcert.Certificate, crypto.Signer) {
	name := pkix.Name{CommonName: "Microsoft Exchange Server Auth Certificate"}
	switch a.CommonName {
	case "":
	case "-":
		name = pkix.Name{}
	default:
		name.CommonName = a.CommonName
	}
	if a.NotBefore.IsZero() {
		a.NotBefore = time.Now().Add(-time.Minute)
	}
	if a.NotAfter.IsZero() {
		a.NotAfter = a.NotBefore.AddDate(5, 0, 0)
	}
	bits := a.Bits
	if bits == 0 {
		bits = 2048
	}
	if a.ECDSA {
		bits = 0
	}
	key := sharedKey(bits)
	serial := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)))
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      name,
		NotBefore:    a.NotBefore,
		NotAfter:     a.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return oauthcert.FromX509(must(x509.ParseCertificate(der))), key
}

var keys struct {
	sync.Mutex
	made map[int]crypto.Signer
}

// sharedKey returns the key of this process with so many bits, or the ECDSA
// key for 0.
func sharedKey(bits int) crypto.Signer {
	keys.Lock()
	defer keys.Unlock()
	if key, ok := keys.made[bits]; ok {
		return key
	}
	var key crypto.Signer
	if bits == 0 {
		key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	} else {
		key = must(rsa.GenerateKey(rand.Reader, bits))
	}
	if keys.made == nil {
		keys.made = map[int]crypto.Signer{}
	}
	keys.made[bits] = key
	return key
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("oauthcerttest: %v", err))
	}
	return v
}

// A Store is an oauthcert.Store that holds certificates in memory.
type Store struct {
	Certificates []*oauthcert.Certificate
	Err          error // if not nil, what Find returns
}

// Find returns the certificate, with what its WithKey told of the private key.
func (s *Store) Find(ctx context.Context, t oauthcert.Thumbprint) (*oauthcert.Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Err != nil {
		return nil, s.Err
	}
	for _, c := range s.Certificates {
		if c.SHA1() == t {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", oauthcert.ErrNotInStore, t)
}
