package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOffline(t *testing.T) {
	object := func(stdin string, args ...string) map[string]any {
		t.Helper()
		code, out, stderr := start(t, stdin, append(args, "-json", "-at", "2026-11-26")...)
		require.Zero(t, code, stderr)
		var o map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &o), out)
		return o
	}
	o := object("401 {\n  'www-authenticate': 'Negotiate, NTLM',\n  'x-feserver': 'EX02'\n}\n", "-headers", "-")
	assert.Equal(t, []any{"negotiate", "ntlm"}, o["schemes"])
	assert.Equal(t, "unknown", o["modern"])
	assert.NotEmpty(t, o["findings"])
	assert.Contains(t, o, "warnings")
	assert.Equal(t, 401.0, o["answers"].([]any)[0].(map[string]any)["status"])

	o = object("220 EX01.contoso.local Microsoft ESMTP MAIL Service ready at Wed, 25 Nov 2026 10:00:00 +0000\n250-EX01 Hello\n250-STARTTLS\n250 AUTH NTLM\n", "-lines", "-", "-protocol", "smtp")
	assert.Equal(t, []any{"NTLM"}, o["beforeTLS"])
	assert.Nil(t, o["afterTLS"])
	assert.Contains(t, o, "afterTLS")
	assert.Equal(t, true, o["startTLS"])
	assert.Equal(t, "exchange", o["server"].(map[string]any)["kind"])
	assert.NotEmpty(t, o["findings"])
	assert.Equal(t, []any{}, o["warnings"])

	o = object("", "-explain", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "-protocol", "smtp")
	assert.Equal(t, "smtp-535-basic-disabled", o["id"])
	assert.NotEmpty(t, o["meaning"])
	assert.NotEmpty(t, o["remedy"])
	o = object("", "-explain", "50126", "-protocol", "aadsts")
	assert.Contains(t, o["id"], "50126")

	code, out, _ := start(t, "+OK\nUSER\nSTLS\n.\n", "-lines", "-", "-protocol", "pop3")
	assert.Zero(t, code)
	assert.Contains(t, out, "STARTTLS: offered")
	code, _, stderr := start(t, "", "-explain", "no such words", "-protocol", "imap")
	assert.Equal(t, exitError, code)
	assert.Equal(t, "endpoints: the text is not known\n", stderr)
	for _, args := range [][]string{{"-lines", "x"}, {"-lines", "x", "-protocol", "http"}, {"-explain", "x", "-protocol", "gopher"}, {"-lines", "x", "-headers", "y", "-protocol", "smtp"}} {
		code, _, _ := start(t, "", args...)
		assert.Equal(t, exitUsage, code, "%q", args)
	}
}
