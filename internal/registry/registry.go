// Package registry is a small read-only view on parts of a Windows registry.
//
// A [Registry] is a plain value. It comes from the machine itself ([Live]), from
// an export ([ReadExport]), from JSON, or is written as a literal. Both views
// of a 64-bit Windows are explicit: what 32-bit programs see as
// HKEY_LOCAL_MACHINE\SOFTWARE is the key HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node,
// whichever program reads it.
package registry

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/regfile"
)

// A Registry holds values by key and name. Keys are written in full, as in an
// export: HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft. The default value has the name
// "". A value is a
//
//	string    REG_SZ and REG_EXPAND_SZ, not expanded
//	uint32    REG_DWORD
//	uint64    REG_QWORD
//	[]string  REG_MULTI_SZ
//	[]byte    any other type
//
// A key that was looked for and does not exist is there without values, so
// that absent settings can be told from settings that were not looked at. Case
// does not matter. The zero value holds nothing, and nothing was looked at.
type Registry map[string]map[string]any

// The beginnings of keys in both views.
const (
	Machine    = `HKEY_LOCAL_MACHINE\`
	Software   = Machine + `SOFTWARE\`
	Software32 = Software + `WOW6432Node\`
)

// ErrNotWindows reports that [Live] was called on another system.
var ErrNotWindows = fmt.Errorf("registry: only Windows has one: %w", errors.ErrUnsupported)

// ReadExport reads a .reg file of regedit or "reg export", in UTF-16 or UTF-8,
// of version 5.00 or REGEDIT4, and keeps the keys for which keep returns true,
// all if it is nil. At most 64 MiB are read. An error is one line, names the
// line of the file and never quotes it.
func ReadExport(r io.Reader, keep func(key string) bool) (Registry, error) {
	if keep == nil {
		keep = func(string) bool { return true }
	}
	keys, err := regfile.ParseOnly(r, keep)
	return Registry(keys), err
}

// Canonical returns key with the name of its hive in full, where it is written
// as PowerShell and reg.exe do: HKLM\…, HKLM:\…, HKCU\…. Others are returned as
// they are.
func Canonical(key string) string {
	hive, rest, found := strings.Cut(key, `\`)
	full, short := hives[strings.ToUpper(strings.TrimSuffix(hive, ":"))]
	switch {
	case !short:
		return key
	case !found:
		return full
	}
	return full + `\` + rest
}

var hives = map[string]string{"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS", "HKCC": "HKEY_CURRENT_CONFIG"}

// Get returns a value, and whether there is one.
func (r Registry) Get(key, name string) (any, bool) { return regfile.Keys(r).Get(key, name) }

// Text returns a value of type REG_SZ, and whether there is one.
func (r Registry) Text(key, name string) (string, bool) {
	v, _ := r.Get(key, name)
	s, ok := v.(string)
	return s, ok
}

// Number returns a value of type REG_DWORD, and whether there is one.
func (r Registry) Number(key, name string) (uint32, bool) {
	v, _ := r.Get(key, name)
	n, ok := v.(uint32)
	return n, ok
}

// Has reports whether key is there, with values or without. A key that was
// looked for and does not exist counts.
func (r Registry) Has(key string) bool {
	_, ok := r[key]
	for other := range r {
		ok = ok || strings.EqualFold(other, key)
	}
	return ok
}

// Looked reports whether key, or one above it, is part of r: then a value that
// is not there is absent. An export holds everything below its key.
func (r Registry) Looked(key string) bool {
	for other := range r {
		if Holds(other, key) {
			return true
		}
	}
	return false
}

// Holds reports whether above is key or one above it.
func Holds(above, key string) bool {
	return strings.EqualFold(above, key) || len(above) < len(key) && key[len(above)] == '\\' && strings.EqualFold(above, key[:len(above)])
}

// SubKeys returns the names of the keys right below key, as they are first
// written, sorted.
func (r Registry) SubKeys(key string) []string {
	names := make(map[string]string)
	for _, other := range slices.Sorted(maps.Keys(r)) {
		if len(other) > len(key)+1 && Holds(key, other) {
			name, _, _ := strings.Cut(other[len(key)+1:], `\`)
			if fold := strings.ToLower(name); names[fold] == "" {
				names[fold] = name
			}
		}
	}
	return slices.Sorted(maps.Values(names))
}
