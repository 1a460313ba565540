package connectversion

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/crossprem/crossprem/internal/registry"
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

// localRegistry reads the keys that Registry's methods look at.
func localRegistry() (Registry, error) {
	var errs []error
	keys := []string{keyDotNet, keyWindows, keyTLS12 + `\Client`, keyTLS12 + `\Server`, keySoftware + keyDotNetCrypto, keySoftware32 + keyDotNetCrypto, keyComputerName}
	for _, software := range []string{keySoftware, keySoftware32} {
		names, err := registry.LiveSubKeys(software + keyUninstall)
		errs = append(errs, err)
		for _, name := range names {
			keys = append(keys, software+keyUninstall+`\`+name)
		}
	}
	reg, err := registry.Live(keys...)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return Registry(reg), fmt.Errorf("connectversion: %w", err)
	}
	return Registry(reg), nil
}
