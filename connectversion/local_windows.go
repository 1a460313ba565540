package connectversion

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows/registry"
)

func local() (Machine, error) {
	reg, err := localRegistry()
	m := Machine{Facts: reg.Facts(), Evidence: reg.Evidence()}
	if host, herr := os.Hostname(); herr == nil && m.Facts.Server == "" {
		m.Facts.Server = host
	}
	errs := []error{err}
	base := cmp.Or(os.Getenv("ProgramW6432"), os.Getenv("ProgramFiles"))
	for _, p := range programs {
		path := filepath.Join(base, p.folder, p.name)
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		e, err := FileEvidence(p.name, path, f)
		errs = append(errs, err, f.Close())
		e.Server = m.Facts.Server
		m.Evidence = append(m.Evidence, e)
	}
	return m, errors.Join(errs...)
}

// localRegistry reads the keys that Registry's methods look at, as a 64-bit
// program sees them.
func localRegistry() (Registry, error) {
	reg := make(Registry)
	var errs []error
	keys := []string{keyDotNet, keyWindows, keyTLS12 + `\Client`, keyTLS12 + `\Server`, keySoftware + keyDotNetCrypto, keySoftware32 + keyDotNetCrypto, keyComputerName}
	for _, software := range []string{keySoftware, keySoftware32} {
		names, err := subKeys(software + keyUninstall)
		errs = append(errs, err)
		for _, name := range names {
			keys = append(keys, software+keyUninstall+`\`+name)
		}
	}
	for _, key := range keys {
		values, err := readKey(key)
		if err != nil {
			errs = append(errs, err)
			continue // not looked at
		}
		reg[key] = values
	}
	return reg, errors.Join(errs...)
}

func openKey(key string, access uint32) (registry.Key, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, strings.TrimPrefix(key, `HKEY_LOCAL_MACHINE\`), access|registry.WOW64_64KEY)
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		err = fmt.Errorf("connectversion: %s: %w", key, err)
	}
	return k, err
}

// maxSubKeys is far above what any machine has installed.
const maxSubKeys = 100_000

func subKeys(key string) ([]string, error) {
	k, err := openKey(key, registry.ENUMERATE_SUB_KEYS)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxSubKeys)
	if err != nil && !errors.Is(err, io.EOF) { // EOF: those were all
		return nil, fmt.Errorf("connectversion: %s: %w", key, err)
	}
	return names, nil
}

// readKey returns the texts and numbers of a key, none if it does not exist.
func readKey(key string) (map[string]any, error) {
	values := make(map[string]any)
	k, err := openKey(key, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return values, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadValueNames(0)
	if err != nil {
		return nil, fmt.Errorf("connectversion: %s: %w", key, err)
	}
	for _, name := range names {
		if s, _, err := k.GetStringValue(name); err == nil {
			values[name] = s
		} else if n, kind, err := k.GetIntegerValue(name); err == nil && kind == registry.DWORD {
			values[name] = uint32(n)
		}
	}
	return values, nil
}
