package jsonshape_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/jsonshape"
)

type thing struct {
	Name  string           `json:"name"`
	Day   string           `json:"day,omitempty"`
	Seen  crossprem.Answer `json:"seen"`
	Users map[string]int   `json:"users"`
	Never *thing           `json:"never,omitempty"`
}

func TestSchema(t *testing.T) {
	s, err := jsonshape.Of([]string{"users"}, thing{Name: "a", Day: "2026-11-26", Users: map[string]int{"x": 1}}, thing{Name: "b"})
	require.NoError(t, err)
	text, err := s.Schema("thing", "A thing", 1)
	require.NoError(t, err)
	var schema struct {
		ID         string `json:"$id"`
		Required   []string
		Properties map[string]struct {
			Type                 any
			Format               string
			Enum                 []string
			AdditionalProperties map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &schema))
	assert.Equal(t, []string{"name", "seen", "users"}, schema.Required)
	assert.Equal(t, "date", schema.Properties["day"].Format)
	assert.Equal(t, []string{"unknown", "no", "yes"}, schema.Properties["seen"].Enum)
	assert.Equal(t, map[string]any{"type": "number"}, schema.Properties["users"].AdditionalProperties)
	assert.Equal(t, []any{"object", "null"}, schema.Properties["users"].Type)
	assert.Contains(t, schema.Properties, "never", "the type has it, though no value does")
	assert.Contains(t, schema.ID, "thing.v1.json")
}
