package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFleet(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"contoso/SYNC1/settings.txt":  "Microsoft.Synchronize.ServerConfigurationVersion : 2.6.3.0\n",
		"contoso/SYNC2/settings.txt":  "Microsoft.Synchronize.ServerConfigurationVersion : 2.4.131.0\n",
		"fabrikam/AADC/settings.txt":  "Microsoft.Synchronize.ServerConfigurationVersion : 2.6.92.0\n",
		"fabrikam/AADC/remarks.docx":  "x",
		"fabrikam/AADC2/settings.txt": "Microsoft.Synchronize.ServerConfigurationVersion : 2.6.92.0\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	code, out, errs := connect("-fleet", dir, "-at", "2026-11-26")
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `(?s)TENANT.*!!\s+contoso\s+SYNC2\s+connect-sync\s+2\.4\.131\.0\s+retired 2026-05-26\s+0\s+run 2\.6\.92\.0 from 2026-11-26 on.*!\s+contoso\s+SYNC1.*fabrikam\s+AADC\s+connect-sync\s+2\.6\.92\.0\s+supported\s+307`, out)
	assert.Contains(t, out, "not understood: fabrikam/AADC/remarks.docx: not a kind of file that is read\n")

	code, out, _ = connect(dir, "-fleet", "-json", "-at", "2026-11-26")
	require.Equal(t, 0, code)
	var got struct {
		Installed []struct {
			Tenant, Server string
			Assessment     map[string]any
			Plan           map[string]any
		}
		NotUnderstood []map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Installed, 4)
	assert.Equal(t, "SYNC2", got.Installed[0].Server)
	assert.Equal(t, "retired", got.Installed[0].Assessment["support"])
	assert.Len(t, got.NotUnderstood, 1)

	code, _, _ = connect("-fleet", filepath.Join(dir, "nowhere"))
	assert.Equal(t, 1, code)
	code, _, _ = connect("-fleet", dir, "-product", "cloud-sync")
	assert.Equal(t, 2, code)
}
