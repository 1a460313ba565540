package inputs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSize(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "a"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a", "x"), make([]byte, 5), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "y"), make([]byte, 7), 0o600))
	assert.EqualValues(t, 12, Size([]string{folder}))
	assert.EqualValues(t, 19, Size([]string{folder, filepath.Join(folder, "y")}))
	assert.EqualValues(t, -1, Size([]string{folder, "-"}))
	assert.Zero(t, Size(nil))
}
