//go:build linux

package oauthcert_test

import (
	"testing"

	"github.com/crossprem/crossprem/internal/wine"
)

func TestOnWindows(t *testing.T) { wine.Test(t, ".", "^TestWindows") }
