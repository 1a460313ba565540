//go:build !windows

package registry

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNotWindows(t *testing.T) {
	_, err := Live(Software)
	assert.ErrorIs(t, err, ErrNotWindows)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = LiveSubKeys(Software)
	assert.ErrorIs(t, err, ErrNotWindows)
}
