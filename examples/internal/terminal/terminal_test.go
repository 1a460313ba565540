package terminal_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem/examples/internal/terminal"
)

func TestLineIsHarmless(t *testing.T) {
	assert.Equal(t, "Zoë 東京 a b", terminal.Line("Zoë 東京 a\tb"))
	assert.Equal(t, "a b", terminal.Line("a\nb"))
	assert.Equal(t, "\ufffd[31mred", terminal.Line("\x1b[31mred"))
	for r := range rune(0x3100) {
		for _, got := range terminal.Line(string(r)) {
			assert.True(t, unicode.IsPrint(got) || got == unicode.ReplacementChar, "%U", r)
		}
	}
}

func TestAfter(t *testing.T) {
	var b strings.Builder
	n, err := terminal.After(time.Now().Add(time.Hour), &b).Write([]byte("early"))
	assert.Equal(t, 5, n)
	assert.NoError(t, err)
	n, err = terminal.After(time.Now(), &b).Write([]byte("late"))
	assert.Equal(t, 4, n)
	assert.NoError(t, err)
	assert.Equal(t, "late", b.String())
}
