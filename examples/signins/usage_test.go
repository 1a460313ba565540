package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUsageReports(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ews := write("ews.csv", "Application ID,SOAP Action,Call Volume,Last Activity date (UTC)\nquiet,GetItem,1,2026-10-25\nbusy\x1b[2J,FindItem,99,2026-10-26\n")
	code, out, notes := call(t, nil, "-usage", ews)
	require.Zero(t, code, notes)
	assert.Regexp(t, `(?s)busy.*99.*quiet.*100 calls in 2 rows`, out)
	assert.NotContains(t, out, "\x1b")

	smtp := write("smtp.csv", "Sender address,Domain,TLS 1.0,TLS 1.1,TLS 1.2,Messages sent\nscanner@contoso.com,contoso.com,12.5,,100,42\n")
	code, out, notes = call(t, nil, "-usage", smtp)
	require.Zero(t, code, notes)
	assert.Regexp(t, `scanner@contoso.com +42 +12.5 % +unknown +100 %`, out)
	code, out, _ = call(t, nil, "-json", "-usage", smtp)
	require.Zero(t, code)
	assert.True(t, json.Valid([]byte(out)))

	code, _, notes = call(t, nil, "-usage", write("log.csv", "Date,User\n"))
	assert.Equal(t, couldNot, code)
	assert.Contains(t, notes, "not a usage report")
	code, _, _ = call(t, nil, "-usage", smtp, ews)
	assert.Equal(t, wrongUsage, code)
}
