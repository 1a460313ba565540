package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// start runs the program in a new folder and returns its exit code and what it
// wrote.
func start(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestShow(t *testing.T) {
	t.Chdir(t.TempDir())
	cert, next := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	require.NoError(t, os.Mkdir("store", 0o700))
	require.NoError(t, os.WriteFile("store/auth.pem", append(cert.PEM(), next.PEM()...), 0o600))
	require.NoError(t, os.WriteFile("auth.txt", []byte(cert.Base64()), 0o600))
	require.NoError(t, os.WriteFile("config.txt", []byte("CurrentCertificateThumbprint : "+cert.SHA1().String()+"\nNextCertificateThumbprint : "+next.SHA1().String()+"\n"), 0o600))

	code, out, stderr := start(t, "show", "auth.txt", "-json")
	require.Zero(t, code, stderr)
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	for _, name := range []string{"subject", "sha1", "sha256", "notBefore", "notAfter", "base64", "keyCredential"} {
		assert.Contains(t, shown, name)
	}
	assert.Len(t, shown, 7)
	assert.Equal(t, cert.SHA1().String(), shown["sha1"])

	code, again, _ := start(t, "-json", "show", "auth.txt")
	assert.Zero(t, code)
	assert.Equal(t, out, again)

	code, out, stderr = start(t, "show", "-thumbprint", "\u200e"+strings.ToLower(cert.SHA1().String()), "-store", "store", "-o", "OAuthCert.cer")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "Nothing to complain of.")
	data, err := os.ReadFile("OAuthCert.cer")
	require.NoError(t, err)
	assert.Equal(t, cert.CER(), data)
	code, _, stderr = start(t, "show", "auth.txt", "-o", "OAuthCert.cer")
	assert.Equal(t, 1, code, "nothing is overwritten")
	assert.Contains(t, stderr, "exists")

	// Of a file with several all are shown; where one is needed, that is none.
	code, out, stderr = start(t, "show", "store/auth.pem", "-json")
	require.Zero(t, code, stderr)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], cert.SHA1().String())
	assert.Contains(t, lines[1], next.SHA1().String())
	code, out, stderr = start(t, "show", "store/auth.pem")
	require.Zero(t, code, stderr)
	assert.Equal(t, 2, strings.Count(out, "Nothing to complain of."))
	code, out, stderr = start(t, "show", "store/auth.pem", "-o", "one.cer")
	assert.Equal(t, 1, code)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "several certificates in store/auth.pem")
	code, _, stderr = start(t, "plan", "-cert", "store/auth.pem")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "several certificates")
	for _, args := range [][]string{{"show", "config.txt"}, {"show", "config.txt", "-json"}} {
		code, out, stderr = start(t, args...)
		assert.Equal(t, 1, code)
		assert.Empty(t, out)
		assert.Contains(t, stderr, "does not hold it")
	}

	code, out, _ = start(t, "show", "-config", "config.txt", "-role", "next", "-store", "store", "-json")
	require.Zero(t, code)
	assert.Contains(t, out, next.SHA1().String())
}

func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		code int
		want string
		args string
	}{
		{2, "a command is missing", ""},
		{2, "a command is missing", "-json"},
		{2, "no such command: upload", "upload"},
		{2, "no such command: c.pem", "c.pem -json"},
		{2, "needs a file", "show"},
		{2, "exclude each other", "plan -shared -app c0ffee12-7a3b-4d5e-8f90-1234567890ab"},
		{2, "not for the dedicated application", "cleanup -app c0ffee12-7a3b-4d5e-8f90-1234567890ab"},
		{2, "needs -app", "plan -tenant contoso.com -cert x"},
		{2, "changes nothing", "plan -write"},
		{2, "-cloud", "plan -tenant contoso.com -shared -cloud mars"},
		{2, "not a day", "plan -at tomorrow"},
		{2, "needs -backup", "restore"},
		{2, "judged by today", "apply -drop-expired -at 2035-01-01 -write"},
		{2, "name keys with apply -drop", "cleanup -principal c0ffee12-7a3b-4d5e-8f90-1234567890ab"},
		{2, "is not a GUID", "plan -app x"},
		{2, "AZURE_TENANT_ID", "plan -tenant contoso.com -shared -signin environment"},
		{1, "no such file", "show none.cer"},
		{1, "not a thumbprint", "show -thumbprint 12"},
	} {
		code, _, stderr := start(t, strings.Fields(c.args)...)
		assert.Equal(t, c.code, code, c.args)
		assert.Contains(t, stderr, c.want, c.args)
	}
	_, _, stderr := start(t)
	for _, old := range []string{"ExportAuthCert.ps1", "New-MsolServicePrincipalCredential", "Set-MsolServicePrincipal", "Get-MsolServicePrincipal"} {
		assert.Contains(t, stderr, old, "the help says what each step of old has become")
	}
}

func TestDemonstration(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, stderr := start(t, "plan", "-drop-expired")
	require.Zero(t, code, stderr)
	assert.Regexp(t, `(?m)dropped [0-9A-F]{40}: expired`, out)
	assert.Regexp(t, `(?m)kept    [0-9A-F]{40} by reference: wanted`, out)
	assert.Regexp(t, `(?m)added   [0-9A-F]{40}: wanted`, out)
	assert.Contains(t, out, "Nothing was changed;")
	files, err := filepath.Glob("*")
	require.NoError(t, err)
	assert.Empty(t, files)

	code, out, stderr = start(t, "apply", "-drop-expired", "-write", "-backup", "before.json")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "Done, and shown by the directory. The state before is in before.json.")
	assert.FileExists(t, "before.json")

	code, out, stderr = start(t, "cleanup", "-drop", "mail.fabrikam.com", "-write", "-json", "-backup", "clean.json")
	require.Zero(t, code, stderr)
	assert.Equal(t, 2, strings.Count(out, `"shown":true`), "keys and names")
	assert.FileExists(t, "clean.json")
	assert.FileExists(t, "clean-servicePrincipalNames.json")

	code, out, _ = start(t, "verify")
	assert.Equal(t, 3, code, "nobody has uploaded the next one")
	assert.Contains(t, out, "added")
	assert.Contains(t, out, "[entra-key-expired]", "what else is to be seen")

	// A certificate for the shared principal is refused, and says why.
	cert := oauthcerttest.AuthCertificate{}.Make()
	require.NoError(t, os.WriteFile("auth.cer", cert.CER(), 0o600))
	code, _, stderr = start(t, "apply", "-shared", "-cert", "auth.cer", "-write")
	assert.Equal(t, 3, code)
	assert.Contains(t, stderr, "CVE-2025-53786")
	code, _, stderr = start(t, "apply", "-shared", "-cert", "auth.cer", "-allow-keys-on", oauthcert.ExchangeOnline, "-write", "-backup", "shared.json")
	assert.Zero(t, code, stderr)
}

// Where the answer cannot be written, nothing is done, and it is no success.
func TestNobodyReads(t *testing.T) {
	t.Chdir(t.TempDir())
	cert := oauthcerttest.AuthCertificate{CommonName: "a\x1b[2J\nb"}.Make()
	require.NoError(t, os.WriteFile("auth.cer", cert.CER(), 0o600))
	for _, args := range [][]string{{"show", "auth.cer"}, {"show", "auth.cer", "-json"}, {"plan"}, {"apply", "-write"}, {"verify"}} {
		var errs bytes.Buffer
		assert.Equal(t, 1, run(t.Context(), args, brokenPipe{}, &errs), args)
		assert.Contains(t, errs.String(), "broken pipe")
	}
	files, err := filepath.Glob("authcert-*")
	require.NoError(t, err)
	assert.Empty(t, files, "no backup, for nothing was written")

	code, out, _ := start(t, "show", "auth.cer")
	assert.Zero(t, code)
	assert.Contains(t, out, "CN=a [2J b", "what a stranger wrote does not steer the terminal")
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestCoverageAndShared(t *testing.T) {
	t.Chdir(t.TempDir())
	cert, next := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	key := cert.KeyCredential()
	key.KeyID, key.EndDateTime = "cccc3333-0000-4000-8000-000000000001", cert.NotAfter()
	data, err := json.Marshal(oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9",
		AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab", Keys: []oauthcert.KeyCredential{key}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("app.json", data, 0o600))
	require.NoError(t, os.WriteFile("servers.json", []byte(`[{"Server":"EX01","Thumbprint":"`+cert.SHA1().String()+`","HasPrivateKey":true},`+
		`{"Server":"EX02","Thumbprint":"`+next.SHA1().String()+`","HasPrivateKey":true}]`), 0o600))
	code, out, stderr := start(t, "coverage", "-snapshot", "app.json", "-servers", "servers.json")
	require.Zero(t, code, stderr)
	assert.Regexp(t, `EX01 +[0-9A-F]{40} +yes +yes until `, out)
	assert.Regexp(t, `EX02 +[0-9A-F]{40} +yes +NO`, out)
	code, out, stderr = start(t, "coverage", "-snapshot", "app.json", "-servers", "servers.json", "-json")
	require.Zero(t, code, stderr)
	var cover oauthcert.Cover
	require.NoError(t, json.NewDecoder(strings.NewReader(out)).Decode(&cover))
	assert.Equal(t, cert.SHA1(), cover.Certificate)
	code, _, _ = start(t, "coverage", "-snapshot", "app.json")
	assert.Equal(t, 2, code)

	code, out, stderr = start(t, "shared")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "contoso.example: 2 keys, 1 of them valid, the oldest from ")
	require.NoError(t, os.WriteFile("tenants.txt", []byte("a.example\n"), 0o600))
	require.NoError(t, os.WriteFile("earlier.json", []byte(`{"tenant":"a.example","at":"2026-11-01T00:00:00Z","holds":"no","keys":0,"valid":0}`+"\n{\"ten"), 0o600))
	code, out, stderr = start(t, "shared", "-tenants", "tenants.txt", "-earlier", "earlier.json")
	require.Zero(t, code, stderr)
	assert.Equal(t, "a.example: no key\n", out, "it is not asked again")
	code, _, _ = start(t, "shared", "-write")
	assert.Equal(t, 2, code)
}

func TestSnapshot(t *testing.T) {
	t.Chdir(t.TempDir())
	cert := oauthcerttest.AuthCertificate{}.Make()
	object := oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		Keys: []oauthcert.KeyCredential{}}
	save := func() {
		data, err := json.Marshal(object)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("app.json", data, 0o600))
	}
	save()
	require.NoError(t, os.WriteFile("auth.cer", cert.CER(), 0o600))
	code, out, stderr := start(t, "plan", "-snapshot", "app.json", "-cert", "auth.cer", "-json")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, `"action":"added","reason":"missing"`)
	code, _, stderr = start(t, "verify", "-snapshot", "app.json", "-cert", "auth.cer")
	assert.Equal(t, 3, code)
	assert.Contains(t, stderr, cert.SHA1().String())
	code, _, stderr = start(t, "apply", "-snapshot", "app.json", "-cert", "auth.cer", "-write")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "a snapshot cannot be changed")

	code, _, stderr = start(t, "plan", "-snapshot", "app.json", "-shared", "-host", "mail.contoso.com")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "the snapshot holds applications(appId='c0ffee12-")

	key := cert.KeyCredential()
	key.KeyID = "cccc3333-0000-4000-8000-000000000001"
	object.Keys = append(object.Keys, key)
	save()
	code, out, stderr = start(t, "verify", "-snapshot", "app.json", "-cert", "auth.cer")
	assert.Zero(t, code, stderr)
	assert.Contains(t, out, "The directory shows it.")
}
