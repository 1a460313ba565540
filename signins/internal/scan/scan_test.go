package scan_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// FuzzSkip holds Skip and Unquote against encoding/json: of what that takes,
// they find the same end and the same text.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2,"\"]"]}`, `"x\u00e9\ud83d\ude00\\"`, `-1.5e3`, `true`, `[[[]]]`, `"`, `{`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		end, _ := scan.Skip(value, 0)
		require.LessOrEqual(t, end, len(value))
		if !json.Valid(value) || len(value) == 0 || scan.Space(value, 0) > 0 {
			return
		}
		end, err := scan.Skip(append(value[:len(value):len(value)], ','), 0)
		require.NoError(t, err)
		assert.Equal(t, len(value), scan.Space(value, min(end, len(value))))
		var text string
		if json.Unmarshal(value, &text) == nil && value[0] == '"' {
			got, end, err := scan.Unquote(nil, value, 1)
			require.NoError(t, err)
			assert.Equal(t, text, string(got))
			assert.Equal(t, len(value), scan.Space(value, end))
		}
		var number json.Number
		if json.Unmarshal(value, &number) == nil && value[0] != '"' && value[0] != 'n' && scan.Space(value, end) == len(value) && end == len(value) {
			assert.True(t, scan.IsNumber(value), "%s", value)
		}
	})
}
