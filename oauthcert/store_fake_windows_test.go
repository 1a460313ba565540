package oauthcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// A certificate store that answers as to people who are no administrators.
func TestWindowsStoreIsDenied(t *testing.T) {
	denied := windows.Errno(windows.ERROR_ACCESS_DENIED)
	api := crypt32
	api.open = func(uintptr, uint32, uintptr, uint32, uintptr) (windows.Handle, error) { return 0, denied }
	_, err := MachineStore{}.find(t.Context(), api, Thumbprint{1})
	assert.ErrorIs(t, err, ErrStoreDenied)
	assert.ErrorContains(t, err, `LocalMachine\My`)

	api.open = func(uintptr, uint32, uintptr, uint32, uintptr) (windows.Handle, error) {
		return windows.CertOpenStore(windows.CERT_STORE_PROV_MEMORY, 0, 0, 0, 0)
	}
	api.find = func(windows.Handle, uint32, uint32, uint32, unsafe.Pointer, *windows.CertContext) (*windows.CertContext, error) {
		return nil, windows.Errno(0x80070005)
	}
	_, err = MachineStore{}.find(t.Context(), api, Thumbprint{1})
	assert.ErrorIs(t, err, ErrStoreDenied)

	// The certificate may be read, and the note about its key may not.
	der := someCertificate(t)
	api.find = func(windows.Handle, uint32, uint32, uint32, unsafe.Pointer, *windows.CertContext) (*windows.CertContext, error) {
		return windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &der[0], uint32(len(der)))
	}
	for _, refusal := range []error{denied, windows.Errno(0x80090010)} {
		api.property = func(*windows.CertContext, uint32, unsafe.Pointer, *uint32) error { return refusal }
		cert, err := MachineStore{}.find(t.Context(), api, Thumbprint{1})
		require.NoError(t, err)
		assert.Equal(t, der, cert.DER())
		assert.Equal(t, KeyUnknown, cert.Key().Presence)
	}
	api.property = func(*windows.CertContext, uint32, unsafe.Pointer, *uint32) error {
		return windows.Errno(windows.ERROR_INVALID_PARAMETER)
	}
	_, err = MachineStore{}.find(t.Context(), api, Thumbprint{1})
	assert.ErrorContains(t, err, "CertGetCertificateContextProperty")

	_, err = MachineStore{Name: "no such store"}.Find(t.Context(), Thumbprint{1})
	assert.ErrorContains(t, err, "there is no such store on this computer")
}

func someCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}
