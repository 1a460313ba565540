package oauthcert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Store finds certificates by their thumbprint. It never opens a private
// key. [MachineStore] is the one of Windows, [Folder] one of files, and
// oauthcerttest has one in memory.
type Store interface {
	// Find returns the certificate, or [ErrNotInStore].
	Find(ctx context.Context, t Thumbprint) (*Certificate, error)
}

var (
	// ErrNotInStore reports that a store holds no certificate with the
	// thumbprint.
	ErrNotInStore = errors.New("oauthcert: no such certificate in the store")

	// ErrStoreDenied reports that Windows does not let this user read a store,
	// or what it notes beside a certificate. Asking again does not help;
	// asking as somebody else does.
	ErrStoreDenied = errors.New("access is denied; everybody may read the machine's store unless this computer's permissions were tightened: " +
		"run this as an administrator, or have one export the certificate without its key (Export-Certificate) and give the file")

	// ErrNoStore reports that this system has no such store.
	ErrNoStore = errors.New("oauthcert: only Windows has a machine store; give a file or a folder")
)

// A Presence reports whether a store links a private key to a certificate.
type Presence uint8

const (
	KeyUnknown Presence = iota // not asked, or the store cannot tell
	KeyPresent                 // the store names a key; whether it works was not tried
	KeyAbsent                  // the store names no key
)

var presenceTexts = enum.Of[Presence]("oauthcert: presence of a key", "unknown", "present", "absent")

// String returns "unknown", "present" or "absent".
func (p Presence) String() string { return presenceTexts.String(p) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (p Presence) MarshalText() ([]byte, error) { return presenceTexts.Marshal(p) }

// UnmarshalText accepts what MarshalText gives.
func (p *Presence) UnmarshalText(text []byte) error { return presenceTexts.Unmarshal(p, text) }

// A Key is what a store tells of the private key of a certificate. The key
// itself is never opened.
type Key struct {
	Presence     Presence `json:"presence"`
	Provider     string   `json:"provider,omitempty"`     // such as "Microsoft RSA SChannel Cryptographic Provider"; "" if not told
	ProviderType int      `json:"providerType,omitempty"` // of CryptoAPI, such as 12; 0 is a CNG key storage provider. Valid with Provider only
}

// WithKey returns the certificate with what a store tells of its private key.
func (c *Certificate) WithKey(key Key) *Certificate {
	return &Certificate{cert: c.cert, key: key, irregular: c.irregular}
}

// A MachineStore is a certificate store of the Windows machine, opened for
// reading only, which needs no elevation: where an administrator has taken that
// right away, Find returns [ErrStoreDenied]. Where only the note about the
// private key may not be read, its presence is unknown. The zero value is the store "My" of
// the machine, where Exchange keeps its certificates (Cert:\LocalMachine\My).
// Elsewhere than on Windows, Find returns [ErrNoStore].
type MachineStore struct {
	Name string // such as "WebHosting"; if empty, "My"
}

// The errors of CryptoAPI and of the registry beneath it that people meet
// (winerror.h). The numbers are told where the text is not known.
const (
	winFileNotFound  = 2          // ERROR_FILE_NOT_FOUND
	winPathNotFound  = 3          // ERROR_PATH_NOT_FOUND
	winAccessDenied  = 5          // ERROR_ACCESS_DENIED
	winLogonRequired = 1314       // ERROR_PRIVILEGE_NOT_HELD
	winDenied        = 0x80070005 // E_ACCESSDENIED
	winNotFound      = 0x80092004 // CRYPT_E_NOT_FOUND
	winDamaged       = 0x80092003 // CRYPT_E_FILE_ERROR
	winNTEPerm       = 0x80090010 // NTE_PERM
)

// storeError explains what Windows answered to a call on a store, by its
// number.
func storeError(store, call string, code uint32, err error) error {
	where := "oauthcert: the store LocalMachine\\" + oneLine(store, 40)
	switch code {
	case winAccessDenied, winDenied, winLogonRequired, winNTEPerm:
		return fmt.Errorf("%s: %w (%s: %d)", where, ErrStoreDenied, call, code)
	case winFileNotFound, winPathNotFound:
		hint := "; the certificates of Exchange are in My"
		if strings.EqualFold(store, "My") {
			hint = ""
		}
		return fmt.Errorf("%s: there is no such store on this computer (%s: %d)%s", where, call, code, hint)
	case winDamaged:
		return fmt.Errorf("%s: its content could not be read (%s: 0x%08X)", where, call, code)
	}
	return fmt.Errorf("%s: %s: %w", where, call, err)
}

// A Folder is a store of files: those directly in a folder, or one file alone,
// in any of the formats that [Reader] recognises.
type Folder struct {
	Path   string
	Reader Reader // how files are read; the zero value is ready to use
}

// maxFiles bounds the files of a folder.
const maxFiles = 10_000

// Find reads the files in the order of their names until one holds the
// certificate. Files that hold none, or a private key, are passed over; if the
// certificate is not found, the error tells how many and names the first.
func (f Folder) Find(ctx context.Context, t Thumbprint) (*Certificate, error) {
	names, err := f.files()
	if err != nil {
		return nil, err
	}
	var skipped []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all, err := f.Reader.ReadFileAll(name)
		if err != nil {
			skipped = append(skipped, err)
			continue
		}
		if i := slices.IndexFunc(all, func(c *Certificate) bool { return c.SHA1() == t }); i >= 0 {
			return all[i], nil
		}
	}
	err = fmt.Errorf("%w: %s among %d files of %s", ErrNotInStore, t, len(names), f.Path)
	if len(skipped) > 0 {
		return nil, fmt.Errorf("%w; %d were passed over, first: %s", err, len(skipped), strings.TrimPrefix(skipped[0].Error(), "oauthcert: "))
	}
	return nil, err
}

func (f Folder) files() ([]string, error) {
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	if !info.IsDir() {
		return []string{f.Path}, nil
	}
	entries, err := os.ReadDir(f.Path)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(f.Path, e.Name())
		if e.Type()&os.ModeSymlink != 0 {
			if info, err = os.Stat(name); err != nil || !info.Mode().IsRegular() {
				continue // to open a pipe would be to wait for its writer
			}
		} else if !e.Type().IsRegular() {
			continue
		}
		names = append(names, name)
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("oauthcert: %s: %d files; at most %d are looked at", f.Path, len(names), maxFiles)
	}
	return names, nil
}
