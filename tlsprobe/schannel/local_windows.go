package schannel

import (
	"fmt"
	"os"

	"github.com/crossprem/crossprem/internal/registry"
)

// Local returns what is known of this machine, from its registry. Keys that
// cannot be read are named by the error, one line each, beside what the others
// gave.
func Local() (*Client, error) {
	var keys []string
	var first error
	for _, r := range readKeys {
		keys = append(keys, r.key)
	}
	// Below Protocols lie the versions and below them the roles; below the others
	// one level of algorithms.
	for _, r := range readKeys {
		if !r.within {
			continue
		}
		names, err := registry.LiveSubKeys(r.key)
		if err != nil && first == nil {
			first = err
		}
		for _, name := range names {
			below := r.key + `\` + name
			keys = append(keys, below)
			if r.key != keyProtocols {
				continue
			}
			roles, err := registry.LiveSubKeys(below)
			if err != nil && first == nil {
				first = err
			}
			for _, role := range roles {
				keys = append(keys, below+`\`+role)
			}
		}
	}
	reg, err := registry.Live(keys...)
	if err == nil {
		err = first
	}
	c := NewClient(Registry(reg))
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if err != nil {
		return c, fmt.Errorf("schannel: %w", err)
	}
	return c, nil
}
