package oauthcert_test

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// openMy opens Cert:\LocalMachine\My for writing. Wine writes to the registry
// only when the store is closed.
func openMy(t *testing.T) windows.Handle {
	t.Helper()
	name, err := windows.UTF16PtrFromString("My")
	require.NoError(t, err)
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, windows.CERT_SYSTEM_STORE_LOCAL_MACHINE, uintptr(unsafe.Pointer(name)))
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Skip("writing to the machine store needs elevation")
	}
	require.NoError(t, err)
	return store
}

// install puts a certificate into the store for the time of the test, with a
// note about its key if there is a provider.
func install(t *testing.T, cert *oauthcert.Certificate, provider string, provType uint32) {
	t.Helper()
	store := openMy(t)
	der := cert.DER()
	ctx, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &der[0], uint32(len(der)))
	require.NoError(t, err)
	if provider != "" {
		container, err := windows.UTF16PtrFromString("crossprem-test")
		require.NoError(t, err)
		prov, err := windows.UTF16PtrFromString(provider)
		require.NoError(t, err)
		info := struct {
			container, provider *uint16
			provType, flags     uint32
			params              uint32
			param               uintptr
			keySpec             uint32
		}{container: container, provider: prov, provType: provType, keySpec: 1}
		set := windows.NewLazySystemDLL("crypt32.dll").NewProc("CertSetCertificateContextProperty")
		ok, _, err := set.Call(uintptr(unsafe.Pointer(ctx)), 2, 0, uintptr(unsafe.Pointer(&info)))
		require.NotZero(t, ok, "%v", err)
	}
	require.NoError(t, windows.CertAddCertificateContextToStore(store, ctx, windows.CERT_STORE_ADD_NEW, nil))
	require.NoError(t, windows.CertFreeCertificateContext(ctx))
	require.NoError(t, windows.CertCloseStore(store, 0))
	t.Cleanup(func() {
		store := openMy(t)
		hash := cert.SHA1()
		blob := windows.CryptHashBlob{Size: uint32(len(hash)), Data: &hash[0]}
		found, err := windows.CertFindCertificateInStore(store, windows.X509_ASN_ENCODING, 0, windows.CERT_FIND_SHA1_HASH, unsafe.Pointer(&blob), nil)
		if assert.NoError(t, err) {
			assert.NoError(t, windows.CertDeleteCertificateFromStore(found))
		}
		assert.NoError(t, windows.CertCloseStore(store, 0))
	})
}

func TestWindowsMachineStore(t *testing.T) {
	bare := oauthcerttest.AuthCertificate{}.Make()
	csp := oauthcerttest.AuthCertificate{}.Make()
	cng := oauthcerttest.AuthCertificate{}.Make()
	install(t, bare, "", 0)
	install(t, csp, "Microsoft RSA SChannel Cryptographic Provider", 12)
	install(t, cng, "Microsoft Software Key Storage Provider", 0)
	check := func(cert *oauthcert.Certificate, want oauthcert.Key) {
		t.Helper()
		got, err := oauthcert.MachineStore{}.Find(t.Context(), cert.SHA1())
		require.NoError(t, err)
		assert.True(t, got.Equal(cert))
		assert.Equal(t, want, got.Key())
	}
	check(bare, oauthcert.Key{Presence: oauthcert.KeyAbsent})
	check(csp, oauthcert.Key{Presence: oauthcert.KeyPresent, Provider: "Microsoft RSA SChannel Cryptographic Provider", ProviderType: 12})
	check(cng, oauthcert.Key{Presence: oauthcert.KeyPresent, Provider: "Microsoft Software Key Storage Provider"})

	_, err := oauthcert.MachineStore{}.Find(t.Context(), oauthcerttest.AuthCertificate{}.Make().SHA1())
	assert.ErrorIs(t, err, oauthcert.ErrNotInStore)
	_, err = oauthcert.MachineStore{Name: "no such store"}.Find(t.Context(), bare.SHA1())
	assert.ErrorContains(t, err, `LocalMachine\no such store: there is no such store on this computer`)
}
