package oauthcert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// keyProvInfoProperty is CERT_KEY_PROV_INFO_PROP_ID: which provider and
// container hold the private key. It is a note beside the certificate;
// reading it does not open the key.
const keyProvInfoProperty = 2

var procGetProperty = windows.NewLazySystemDLL("crypt32.dll").NewProc("CertGetCertificateContextProperty")

// Find opens the store for reading, looks the certificate up by its SHA-1
// hash, and tells whether the store names a private key for it.
func (s MachineStore) Find(ctx context.Context, t Thumbprint) (*Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := s.Name
	if name == "" {
		name = "My"
	}
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %w", name, err)
	}
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0,
		windows.CERT_SYSTEM_STORE_LOCAL_MACHINE|windows.CERT_STORE_READONLY_FLAG|windows.CERT_STORE_OPEN_EXISTING_FLAG,
		uintptr(unsafe.Pointer(wide)))
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %w", name, err)
	}
	defer windows.CertCloseStore(store, 0) // without pending contexts it cannot fail
	hash := windows.CryptHashBlob{Size: uint32(len(t)), Data: &t[0]}
	found, err := windows.CertFindCertificateInStore(store, windows.X509_ASN_ENCODING|windows.PKCS_7_ASN_ENCODING, 0,
		windows.CERT_FIND_SHA1_HASH, unsafe.Pointer(&hash), nil)
	if errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
		return nil, fmt.Errorf("%w: %s in LocalMachine\\%s", ErrNotInStore, t, name)
	}
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %w", name, err)
	}
	defer windows.CertFreeCertificateContext(found)
	der := slices.Clone(unsafe.Slice(found.EncodedCert, found.Length))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %s: %w", name, t, err)
	}
	key, err := keyInfo(found)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %s: %w", name, t, err)
	}
	return FromX509(cert).WithKey(key), nil
}

// keyInfo reads the note about the private key.
func keyInfo(cert *windows.CertContext) (Key, error) {
	var size uint32
	ok, _, err := procGetProperty.Call(uintptr(unsafe.Pointer(cert)), keyProvInfoProperty, 0, uintptr(unsafe.Pointer(&size)))
	if ok == 0 {
		if errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
			return Key{Presence: KeyAbsent}, nil
		}
		return Key{}, fmt.Errorf("CertGetCertificateContextProperty: %w", err)
	}
	// CRYPT_KEY_PROV_INFO, followed by what its pointers point to. Words are
	// allocated rather than bytes, so that the structure is aligned.
	type provInfo struct {
		container, provider *uint16
		provType, flags     uint32
		params              uint32
		param               uintptr
		keySpec             uint32
	}
	if uintptr(size) < unsafe.Sizeof(provInfo{}) {
		return Key{}, errors.New("CertGetCertificateContextProperty: a short answer")
	}
	buf := make([]uint64, (size+7)/8)
	ok, _, err = procGetProperty.Call(uintptr(unsafe.Pointer(cert)), keyProvInfoProperty, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)))
	if ok == 0 {
		return Key{}, fmt.Errorf("CertGetCertificateContextProperty: %w", err)
	}
	info := (*provInfo)(unsafe.Pointer(&buf[0]))
	key := Key{Presence: KeyPresent, ProviderType: int(info.provType)}
	if info.provider != nil {
		key.Provider = windows.UTF16PtrToString(info.provider)
	}
	return key, nil
}
