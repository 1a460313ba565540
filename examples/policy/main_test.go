package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

func do(in string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(args, strings.NewReader(in), &stdout, &stderr, now)
	return code, stdout.String(), stderr.String()
}

func TestFacts(t *testing.T) {
	const facts = `{"hosting":"exo","date":"2026-11-22","org":{"SmtpClientAuthenticationDisabled":false},"orgDefaultPolicy":{},"protocol":"smtp"}`
	code, out, errs := do(facts, "-facts", "-", "-json")
	require.Equal(t, 0, code, errs)
	var got struct {
		Basic, Modern, Windows string
		Why                    map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, []string{"blocked", "allowed", "not-offered"}, []string{got.Basic, got.Modern, got.Windows})
	assert.Equal(t, map[string]string{"basic": "authentication-policy", "windows": "not-offered"}, got.Why)

	code, out, _ = do(facts, "-at", "2027-01-15", "-facts", "-")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "On 2027-01-15 The user may not use smtp with Basic; the service decides.")
	code, out, _ = do(facts, "bob@contoso.test", "IMAP", "-facts", "-")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "bob@contoso.test may not use imap with Basic; the service decides.")
}

func TestFolder(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("smtp.txt", "Get-TransportConfig | Format-List SmtpClientAuthenticationDisabled\n\nSmtpClientAuthenticationDisabled : True\n\nGet-CASMailbox -Identity scanner@contoso.test | Format-List SmtpClientAuthenticationDisabled\n\nSmtpClientAuthenticationDisabled : True\n")
	write("notes.txt", "remember the milk\n")
	code, out, errs := do("", "scanner@contoso.test", "smtp", "-at", "2026-11-26", folder)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "On 2026-11-26 scanner@contoso.test may not use smtp with Basic; the mailbox decides.")
	assert.Contains(t, out, "Set-CASMailbox -Identity scanner@contoso.test -SmtpClientAuthenticationDisabled $false")
	assert.Contains(t, errs, "notes.txt was not used")
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"bob"}, {"bob", "telnet", "."}, {"bob", "imap"}, {"-at", "soon", "bob", "imap", "."}, {"-x"}, {"bob", "-facts", "-"}} {
		code, out, errs := do("{}", args...)
		assert.Equal(t, wrongUsage, code, args)
		assert.Empty(t, out)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	for _, args := range [][]string{{"bob", "imap", "nowhere"}, {"-facts", "nowhere"}, {"-facts", "-"}, {"bob", "imap", "main.go"}} {
		code, out, errs := do("{", args...)
		assert.Equal(t, couldNot, code, args)
		assert.Empty(t, out)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	code, _, _ := do("", "-help")
	assert.Equal(t, ran, code)
	assert.Equal(t, couldNot, run([]string{"-facts", "-"}, strings.NewReader(`{"hosting":"exo","protocol":"imap"}`), full{}, &bytes.Buffer{}, now))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFailOn(t *testing.T) {
	const facts = `{"hosting":"exo","date":"2026-11-22","org":{"SmtpClientAuthenticationDisabled":false},"orgDefaultPolicy":{"AllowBasicAuthSmtp":true},"protocol":"smtp"}`
	code, out, errs := do(facts, "-facts", "-", "-fail-on", "warning")
	assert.Equal(t, 3, code, out+errs)
	assert.Contains(t, out, "may use smtp with Basic")
	code, _, _ = do(facts, "-facts", "-")
	assert.Equal(t, 0, code)
	code, _, _ = do(facts, "-facts", "-", "-fail-on", "info")
	assert.Equal(t, 2, code)
}
