package oauthcert

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Each answer of Windows is explained by what can be done about it.
func TestStoreErrors(t *testing.T) {
	plain := errors.New("the text of Windows")
	for _, code := range []uint32{5, 0x80070005, 1314, 0x80090010} {
		err := storeError("My", "CertOpenStore", code, plain)
		assert.ErrorIs(t, err, ErrStoreDenied)
		assert.ErrorContains(t, err, "administrator")
		assert.ErrorContains(t, err, "CertOpenStore")
	}
	for _, code := range []uint32{2, 3} {
		err := storeError("a\nb", "CertOpenStore", code, plain)
		assert.ErrorContains(t, err, `LocalMachine\a b: there is no such store`)
		assert.NotErrorIs(t, err, ErrStoreDenied)
	}
	assert.ErrorContains(t, storeError("My", "CertOpenStore", 0x80092003, plain), "could not be read")
	assert.ErrorIs(t, storeError("My", "CertOpenStore", 87, plain), plain)
}
