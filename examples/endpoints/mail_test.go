package main

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

func TestMail(t *testing.T) {
	server := authinspecttest.ExchangeOnlineMail(authinspect.SMTP).Start()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Authority().Raw}), 0o600))

	code, out, stderr := start(t, "", "-ca", ca, "-at", "2026-11-22", server.URL())
	require.Zero(t, code, stderr)
	assert.Contains(t, out, server.URL()+"  Exchange Online AM0PR01CA0099.outlook.office365.com\n  before TLS  STARTTLS\n  over TLS    XOAUTH2  LOGIN\n")
	assert.Contains(t, out, "[smtp-basic-retirement]")

	code, out, stderr = start(t, "", "-json", "-ca", ca, server.URL())
	require.Zero(t, code, stderr)
	assert.Equal(t, 1, strings.Count(out, "\n"))
	assert.Contains(t, out, `"schemes":["LOGIN","XOAUTH2"],"modern":"on"`)
	assert.Contains(t, out, `"issuer":null,"diagnostics":[],"warnings":[]`)

	code, _, stderr = start(t, "", "smtp://bob:secret@mail.contoso.test")
	assert.Equal(t, exitError, code)
	assert.Equal(t, 1, strings.Count(stderr, "\n"))
	assert.NotContains(t, stderr, "secret")
}
