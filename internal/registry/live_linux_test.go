package registry_test

import (
	"testing"

	"github.com/crossprem/crossprem/internal/wine"
)

// The machine's own registry, for real.
func TestUnderWine(t *testing.T) {
	t.Setenv("CROSSPREM_REGISTRY_WINE", "1")
	wine.Test(t, ".", "^TestWindows")
}
