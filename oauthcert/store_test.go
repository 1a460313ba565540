package oauthcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

// Each answer of Windows is explained by what can be done about it.
func TestStoreErrors(t *testing.T) {
	plain := errors.New("the text of Windows")
	for _, code := range []uint32{5, 0x80070005, 1314, 0x80090010} {
		err := storeError("My", "CertOpenStore", code, plain)
		assert.ErrorIs(t, err, ErrStoreDenied)
		assert.ErrorContains(t, err, "administrator")
		assert.ErrorContains(t, err, "CertOpenStore")
	}
	for _, code := range []uint32{2, 3} {
		err := storeError("a\nb", "CertOpenStore", code, plain)
		assert.ErrorContains(t, err, `LocalMachine\a b: there is no such store`)
		assert.NotErrorIs(t, err, ErrStoreDenied)
	}
	assert.ErrorContains(t, storeError("My", "CertOpenStore", 0x80092003, plain), "could not be read")
	assert.ErrorIs(t, storeError("My", "CertOpenStore", 87, plain), plain)
}
