package oauthcert

import (
	"context"
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

// A cryptAPI is what is called of crypt32.dll. Tests have one of their own,
// that answers as to people who may not.
type cryptAPI struct {
	open     func(provider uintptr, msgAndCertEncodingType uint32, cryptProv uintptr, flags uint32, para uintptr) (windows.Handle, error)
	find     func(store windows.Handle, certEncodingType, findFlags, findType uint32, findPara unsafe.Pointer, prev *windows.CertContext) (*windows.CertContext, error)
	property func(cert *windows.CertContext, id uint32, data unsafe.Pointer, size *uint32) error
}

var crypt32 = cryptAPI{windows.CertOpenStore, windows.CertFindCertificateInStore, func(cert *windows.CertContext, id uint32, data unsafe.Pointer, size *uint32) error {
	ok, _, err := procGetProperty.Call(uintptr(unsafe.Pointer(cert)), uintptr(id), uintptr(data), uintptr(unsafe.Pointer(size)))
	if ok == 0 {
		return err
	}
	return nil
}}

// code returns the number of an error of Windows, or 0.
func code(err error) uint32 {
	var number windows.Errno
	errors.As(err, &number)
	return uint32(number)
}

// Find opens the store for reading, looks the certificate up by its SHA-1
// hash, and reports whether the store names a private key for it.
func (s MachineStore) Find(ctx context.Context, t Thumbprint) (*Certificate, error) {
	return s.find(ctx, crypt32, t)
}

func (s MachineStore) find(ctx context.Context, api cryptAPI, t Thumbprint) (*Certificate, error) {
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
	store, err := api.open(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0,
		windows.CERT_SYSTEM_STORE_LOCAL_MACHINE|windows.CERT_STORE_READONLY_FLAG|windows.CERT_STORE_OPEN_EXISTING_FLAG,
		uintptr(unsafe.Pointer(wide)))
	if err != nil {
		return nil, storeError(name, "CertOpenStore", code(err), err)
	}
	defer windows.CertCloseStore(store, 0) // without pending contexts it cannot fail
	hash := windows.CryptHashBlob{Size: uint32(len(t)), Data: &t[0]}
	found, err := api.find(store, windows.X509_ASN_ENCODING|windows.PKCS_7_ASN_ENCODING, 0,
		windows.CERT_FIND_SHA1_HASH, unsafe.Pointer(&hash), nil)
	if code(err) == winNotFound {
		return nil, fmt.Errorf("%w: %s in LocalMachine\\%s", ErrNotInStore, t, name)
	}
	if err != nil {
		return nil, storeError(name, "CertFindCertificateInStore", code(err), err)
	}
	defer windows.CertFreeCertificateContext(found)
	cert, err := parseDER(slices.Clone(unsafe.Slice(found.EncodedCert, found.Length)))
	if err != nil {
		return nil, fmt.Errorf("oauthcert: store %.40q: %s: %w", name, t, err)
	}
	key, err := keyInfo(api, found)
	if err = unlessDenied(err); err != nil {
		return nil, storeError(name, "CertGetCertificateContextProperty", code(err), err)
	}
	return cert.WithKey(key), nil
}

// unlessDenied drops the error of one who may read the certificate and not the
// note about its key: the key is unknown then.
func unlessDenied(err error) error {
	if errors.Is(storeError("", "", code(err), err), ErrStoreDenied) {
		return nil
	}
	return err
}

// keyInfo reads the note about the private key.
func keyInfo(api cryptAPI, cert *windows.CertContext) (Key, error) {
	var size uint32
	if err := api.property(cert, keyProvInfoProperty, nil, &size); err != nil {
		if code(err) == winNotFound {
			return Key{Presence: KeyAbsent}, nil
		}
		return Key{}, err
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
		return Key{}, errors.New("a short answer")
	}
	buf := make([]uint64, (size+7)/8)
	if err := api.property(cert, keyProvInfoProperty, unsafe.Pointer(&buf[0]), &size); err != nil {
		return Key{}, err
	}
	info := (*provInfo)(unsafe.Pointer(&buf[0]))
	key := Key{Presence: KeyPresent, ProviderType: int(info.provType)}
	if info.provider != nil {
		key.Provider = windows.UTF16PtrToString(info.provider)
	}
	return key, nil
}
