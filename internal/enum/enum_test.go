package enum_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem/internal/enum"
)

type color uint8

var colors = enum.Of[color]("paint: color", "unknown", "red", "blue").Also("rouge", 1)

func TestTexts(t *testing.T) {
	for v, text := range []string{"unknown", "red", "blue"} {
		assert.Equal(t, text, colors.String(color(v)))
		b, err := colors.Marshal(color(v))
		assert.NoError(t, err)
		var back color
		assert.NoError(t, colors.Unmarshal(&back, b))
		assert.Equal(t, color(v), back)
	}
	var c color
	assert.NoError(t, colors.Unmarshal(&c, []byte("rouge")))
	assert.Equal(t, color(1), c)
	assert.EqualError(t, colors.Unmarshal(&c, []byte("RED")), `paint: no such color: "RED"`)
	assert.Equal(t, color(1), c, "an unknown text changes nothing")
	assert.Equal(t, "color(9)", colors.String(9))
	_, err := colors.Marshal(9)
	assert.EqualError(t, err, "paint: no such color: 9")
	assert.Panics(t, func() { enum.Of[color]("color", "a") })
	assert.Panics(t, func() { enum.Of[color]("paint: color", "a", "a") })
}
