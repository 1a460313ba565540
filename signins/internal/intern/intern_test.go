package intern_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem/signins/internal/intern"
)

func TestTextsAreNumbered(t *testing.T) {
	var texts intern.Texts
	assert.Zero(t, texts.Of(""))
	numbers := map[string]uint32{}
	for i := range 5000 {
		s := fmt.Sprint("text ", i%1700)
		n := texts.Of(s)
		if had, ok := numbers[s]; ok {
			assert.Equal(t, had, n)
		}
		numbers[s] = n
		assert.Equal(t, s, texts.At(n))
		assert.Equal(t, n, texts.OfHashed(s, intern.Hash(s)))
	}
	assert.Len(t, numbers, 1700)
	assert.Len(t, texts.Text, 1701)
	assert.Empty(t, texts.At(99999))
}

func TestCopiesAreTheirOwn(t *testing.T) {
	c := intern.Copier{Size: 64}
	text := []byte("one")
	got := c.Copy(text)
	text[0] = 'X'
	assert.Equal(t, "one", got)
	assert.Equal(t, "a text longer than half a piece, which is copied by itself", c.Copy([]byte("a text longer than half a piece, which is copied by itself")))
	assert.Equal(t, "one", got)
}
