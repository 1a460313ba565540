package schannel_test

import (
	"testing"

	"github.com/crossprem/crossprem/internal/wine"
)

// The machine's own registry, for real, in both views.
func TestUnderWine(t *testing.T) {
	t.Setenv("CROSSPREM_SCHANNEL_WINE", "1")
	wine.Test(t, ".", "^TestWindows")
}
