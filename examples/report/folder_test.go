package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// collected writes a folder as examples/collect does.
func collected(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		name = filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	return folder
}

var collection = map[string]string{
	"collection.json": `{"ended":"2026-11-26T10:00:00Z","missing":{}}`,
	"signins/signins.ndjson": `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","userPrincipalName":"frank@contoso.test","userId":"u","clientAppUsed":"IMAP4","status":{"errorCode":0},"isInteractive":true}
`,
	"connect/organization.json":               `{"value":[{"id":"x","onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-26T09:00:00Z"}]}`,
	"connect/onPremisesSynchronization.json":  `{"value":[{"id":"x","configuration":{"synchronizationClientVersion":"2.5.79.0","currentExportData":{"clientMachineName":"SYNC01"}}}]}`,
	"policies/conditionalAccess.json":         `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#identity/conditionalAccess/policies","value":[]}`,
	"policies/securityDefaults.json":          `{"id":"00000000-0000-0000-0000-000000000005","displayName":"Security Defaults","isEnabled":true}`,
	"hybrid/application-x.json":               `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#applications/$entity","id":"i","appId":"a","displayName":"ExchangeServerApp-o","signInAudience":"AzureADMultipleOrgs","keyCredentials":[],"passwordCredentials":[]}`,
	"directory/applications.json":             `{"value":[]}`,
	"state/signins.checkpoint":                `{"query":"q"}`,
	"hybrid/servicePrincipal-of-nothing.json": `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#servicePrincipals/$entity","id":"p","appId":"00000002-0000-0ff1-ce00-000000000000","displayName":"Office 365 Exchange Online","keyCredentials":[],"passwordCredentials":[]}`,
}

func TestFolder(t *testing.T) {
	folder := collected(t, collection)
	got := runJSON(t, "-folder", folder, "-at", "2026-11-26")
	assert.NotContains(t, got, "missing")
	var findings []crossprem.Finding
	require.NoError(t, json.Unmarshal(got["findings"], &findings))
	status := map[string]crossprem.Status{}
	for _, f := range findings {
		status[f.Rule] = f.Status
	}
	assert.Equal(t, crossprem.Failed, status["signins-legacy-use"], "%v", status)
	var policy []struct {
		User, Protocol string
		Basic          struct{ Verdict, Decider string }
	}
	require.NoError(t, json.Unmarshal(got["policy"], &policy))
	require.Len(t, policy, 1)
	assert.Equal(t, "frank@contoso.test", policy[0].User)
	assert.Equal(t, "blocked", policy[0].Basic.Verdict, "Exchange Online ended Basic for IMAP")
	var hybrid struct{ Objects, Failed, Unknown int }
	require.NoError(t, json.Unmarshal(got["hybrid"], &hybrid))
	assert.Equal(t, 2, hybrid.Objects)
	assert.Positive(t, hybrid.Unknown, "the Exchange side was not captured")

	_, out, errs := runReport(t, "-folder", folder, "-at", "2026-11-26")
	assert.Empty(t, errs)
	for _, want := range []string{"HYBRID CONFIGURATION", "POLICY  Basic, for who used it: 1 blocked", "ENTRA CONNECT", "SIGN-INS  1 record"} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "NOT COLLECTED")
	page := filepath.Join(t.TempDir(), "page.html")
	code, _, errs := runReport(t, "-folder", folder, "-at", "2026-11-26", "-html", page, "-sarif", page+".sarif")
	require.Equal(t, exitRan, code, errs)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, want := range []string{"Hybrid configuration", "Whether who used legacy authentication may use it"} {
		assert.Contains(t, string(text), want)
	}
}

// What was not collected is told, and never looks as if nothing were wrong.
func TestFolderThatIsNotWhole(t *testing.T) {
	folder := collected(t, map[string]string{"collection.json": `{"ended":"2026-11-26T10:00:00Z","missing":{"signins":"a permission is missing\u001b[2J","connect":"x"}}`})
	code, out, errs := runReport(t, "-folder", folder)
	assert.Equal(t, exitRan, code, errs)
	assert.Contains(t, out, "NOT COLLECTED signins: a permission is missing")
	assert.NotContains(t, out, "\x1b")
	assert.NotContains(t, out, "Contoso", "it is not the demonstration")
	assert.Contains(t, runJSON(t, "-folder", folder), "missing")

	killed := collected(t, map[string]string{"collection.json": `{"missing":{}}`, "policies/securityDefaults.json": collection["policies/securityDefaults.json"]})
	_, out, _ = runReport(t, "-folder", killed)
	assert.Contains(t, out, "NOT COLLECTED the end")

	for name, files := range map[string]map[string]string{
		"nothing": {"x/y": "z"}, "no manifest": {"collection.json": `{`}, "nothing hybrid": {"hybrid/x.json": `{"a":1}`},
		"no sign-ins": {"signins/photo.png": "\x89PNG"},
	} {
		code, out, errs := runReport(t, "-folder", collected(t, files))
		if name == "no sign-ins" { // a folder may hold other files; they are told
			continue
		}
		assert.Equal(t, exitCouldNot, code, name)
		assert.Empty(t, out, name)
		assert.Equal(t, 1, strings.Count(errs, "\n"), name)
	}
	code, _, _ = runReport(t, "-folder", filepath.Join(folder, "not-there"))
	assert.Equal(t, exitCouldNot, code)
	code, _, _ = runReport(t, "-reg", "x.reg")
	assert.Equal(t, exitUsage, code)
}

// What a Windows client could meet, of the servers that are asked.
func TestClientMeets(t *testing.T) {
	both, only13 := (&tlsprobetest.Server{}).Start(), (&tlsprobetest.Server{MinVersion: tlsprobe.TLS13}).Start()
	defer both.Close()
	defer only13.Close()
	reg := filepath.Join(t.TempDir(), "client.reg")
	require.NoError(t, os.WriteFile(reg, tlsprobetest.Export(tlsprobetest.Registry("Windows Server 2016")), 0o600))
	got := runJSON(t, "-reg", reg, "-probe", both.Addr, "-probe", only13.Addr, "-timeout", "5s")
	var client []*schannel.Negotiation
	require.NoError(t, json.Unmarshal(got["client"], &client))
	require.Len(t, client, 2*len(programs()))
	meets := map[string]map[crossprem.Answer]int{}
	for _, n := range client {
		if meets[n.Target] == nil {
			meets[n.Target] = map[crossprem.Answer]int{}
		}
		meets[n.Target][n.Meets]++
	}
	assert.Positive(t, meets[both.Addr][crossprem.Yes], "%v", meets)
	assert.Positive(t, meets[both.Addr][crossprem.No], "Windows PowerShell does not offer TLS 1.2 there by itself: %v", meets)
	assert.Equal(t, len(programs()), meets[only13.Addr][crossprem.No], "Windows Server 2016 has no TLS 1.3: %v", meets)
	page := filepath.Join(t.TempDir(), "page.html")
	code, out, errs := runReport(t, "-reg", reg, "-probe", both.Addr, "-probe", only13.Addr, "-html", page, "-fail-on", "warning")
	assert.Equal(t, exitFindings, code, errs)
	assert.Contains(t, out, "WHAT THIS CLIENT COULD MEET  2 servers")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(text), "What this client could meet")

	junk := filepath.Join(t.TempDir(), "junk.reg")
	require.NoError(t, os.WriteFile(junk, []byte("\x00\x01"), 0o600))
	code, out, errs = runReport(t, "-reg", junk, "-probe", both.Addr)
	assert.Equal(t, exitCouldNot, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, "junk.reg")
}

// The bar counts on where one file ends and the next begins.
func TestReadingBar(t *testing.T) {
	var drawn []int64
	read := readingBar(func(n int64) error { drawn = append(drawn, n); return nil })
	for _, n := range []int64{20, 30, 5, 15} {
		read(n)
	}
	assert.Equal(t, []int64{20, 30, 35, 45}, drawn)
}
