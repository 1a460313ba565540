//go:build !windows

package oauthcert

import "context"

// Find returns [ErrNoStore]: this system has no machine store.
func (s MachineStore) Find(context.Context, Thumbprint) (*Certificate, error) {
	return nil, ErrNoStore
}
