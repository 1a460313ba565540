package registry

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// maxSubKeys is far above what any machine has below the keys we look at.
const maxSubKeys = 100_000

// Live reads keys of this machine's registry, without those below them. A key
// that does not exist is there without values. A key that cannot be read is
// left out, and named by the error beside the others.
//
// Keys are those that a 64-bit program sees, whatever this one is.
func Live(keys ...string) (Registry, error) {
	r := make(Registry)
	var errs []error
	for _, key := range keys {
		values, err := readKey(key)
		if err != nil {
			errs = append(errs, err)
			continue // not looked at
		}
		r[key] = values
	}
	return r, errors.Join(errs...)
}

func open(key string, access uint32) (registry.Key, error) {
	hive, path, _ := strings.Cut(key, `\`)
	roots := map[string]registry.Key{"HKEY_LOCAL_MACHINE": registry.LOCAL_MACHINE, "HKEY_CURRENT_USER": registry.CURRENT_USER}
	root, ok := roots[strings.ToUpper(hive)]
	if !ok {
		return 0, fmt.Errorf("registry: %s: no such hive", key)
	}
	k, err := registry.OpenKey(root, path, access|registry.WOW64_64KEY)
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		err = fmt.Errorf("registry: %s: %w", key, err)
	}
	return k, err
}

// LiveSubKeys returns the names of the keys right below key in this machine's
// registry, none if it does not exist.
func LiveSubKeys(key string) ([]string, error) {
	k, err := open(key, registry.ENUMERATE_SUB_KEYS)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxSubKeys)
	if err != nil && !errors.Is(err, io.EOF) { // EOF: those were all
		return nil, fmt.Errorf("registry: %s: %w", key, err)
	}
	return names, nil
}

func readKey(key string) (map[string]any, error) {
	values := make(map[string]any)
	k, err := open(key, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return values, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadValueNames(0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("registry: %s: %w", key, err)
	}
	for _, name := range names {
		v, err := readValue(k, name)
		if errors.Is(err, registry.ErrNotExist) {
			continue // deleted in between
		}
		if err != nil {
			return nil, fmt.Errorf("registry: %s: %w", key, err)
		}
		values[name] = v
	}
	return values, nil
}

func readValue(k registry.Key, name string) (any, error) {
	_, kind, err := k.GetValue(name, nil)
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
		return nil, err
	}
	switch kind {
	case registry.SZ, registry.EXPAND_SZ:
		s, _, err := k.GetStringValue(name)
		return s, err
	case registry.MULTI_SZ:
		list, _, err := k.GetStringsValue(name)
		return list, err
	case registry.DWORD, registry.QWORD:
		n, kind, err := k.GetIntegerValue(name)
		if err == nil {
			if kind == registry.DWORD {
				return uint32(n), nil
			}
			return n, nil
		}
	}
	return readBinary(k, name)
}

// maxBinary bounds a value of any other type.
const maxBinary = 1 << 20

func readBinary(k registry.Key, name string) ([]byte, error) {
	size, _, err := k.GetValue(name, nil)
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
		return nil, err
	}
	raw := make([]byte, min(size, maxBinary))
	n, _, err := k.GetValue(name, raw)
	if errors.Is(err, registry.ErrShortBuffer) {
		return raw, nil // cut at the bound
	}
	return raw[:min(n, len(raw))], err
}
