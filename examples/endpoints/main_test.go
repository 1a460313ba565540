package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// start runs the program and returns its exit code and what it wrote.
func start(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs, false)
	return code, out.String(), errs.String()
}

func TestDemo(t *testing.T) {
	code, out, stderr := start(t, "", "-demo", "-at", "2026-11-22")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "contoso.test  modern authentication: on")
	assert.Regexp(t, `/rpc/rpcproxy.dll +advertised +observed +advertised +- +off`, out)
	assert.Contains(t, out, "warning: The URL asks for passwords with Basic  [basic-offered]\n      https://mail.contoso.test/autodiscover/autodiscover.xml")
	assert.NotContains(t, out, "\x1b")

	code, out, _ = start(t, "", "-demo", "-json")
	require.Zero(t, code)
	assert.Equal(t, 1, strings.Count(out, "\n"))
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &object))
	for _, key := range []string{"target", "schemes", "modern", "issuer", "diagnostics", "warnings", "endpoints"} {
		assert.Contains(t, object, key)
	}
	assert.Equal(t, "on", object["modern"])
}

func TestDemoTellsHowClientsFindTheServers(t *testing.T) {
	_, out, _ := start(t, "", "-demo", "-at", "2026-11-22")
	for _, want := range []string{
		"Exchange Online at outlook.office365.com: modern authentication: on",
		"_autodiscover._tcp leads to mail.contoso.test:443; mail goes to contoso-test.mail.protection.outlook.com (Exchange Online first: yes)",
		"Autodiscover at https://mail.contoso.test/autodiscover/autodiscover.xml: challenge",
		"AD FS at sts.contoso.test knows Apple Mail: no",
	} {
		assert.Contains(t, out, want)
	}
}

func TestPlanAsksNobody(t *testing.T) {
	// Nobody listens at the address: a question would be an error.
	const closed = "https://127.0.0.1:1"
	code, out, stderr := start(t, "", "-plan", closed)
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "GET     "+closed+"/EWS/Exchange.asmx\n          anonymous, empty-bearer, ntlm")

	code, out, _ = start(t, "", "-plan", "-mailbox", "bob@contoso.test", closed+"/EWS/Exchange.asmx")
	require.Zero(t, code)
	assert.Contains(t, out, "questions: 1, requests: 4 at most")

	code, out, _ = start(t, "", "-plan", "-json", "-domain", "-hosts", "a.contoso.test,b.contoso.test", "-paths", "/EWS/Exchange.asmx", "contoso.test")
	require.Zero(t, code)
	var questions []struct {
		URL   string
		Steps []string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &questions))
	require.Len(t, questions, 2)
	assert.Equal(t, "https://b.contoso.test/EWS/Exchange.asmx", questions[1].URL)
	assert.NotEmpty(t, questions[1].Steps)

	code, _, stderr = start(t, "", "-plan", "imaps://mail.contoso.test")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "-plan is for web endpoints")
}

func TestURLs(t *testing.T) {
	front := authinspecttest.ExchangeSE()
	front.Modern = authinspecttest.HMA
	server := front.FrontEnd().Start()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Authority().Raw}), 0o600))

	code, out, stderr := start(t, "", "-json", "-ca", ca, "-mailbox", "bob@contoso.test", server.URL+"/EWS/Exchange.asmx", server.URL+"/Microsoft-Server-ActiveSync", server.URL)
	require.Zero(t, code, stderr)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], `"schemes":["negotiate","ntlm","bearer"],"modern":"on"`)
	assert.Contains(t, lines[1], `"schemes":["basic","bearer"],"modern":"on"`)
	assert.Contains(t, lines[2], `"endpoints":[`)

	code, out, _ = start(t, "", "-ca", ca, server.URL+"/EWS/Exchange.asmx")
	assert.Zero(t, code)
	assert.Contains(t, out, "NTLM:   CONTOSO, EX01, ex01.corp.contoso.test, corp.contoso.test, contoso.test, version 10.0.20348")

	code, _, stderr = start(t, "", "http://127.0.0.1:1/x", "ftp://x/y")
	assert.Equal(t, exitError, code)
	assert.Equal(t, 2, strings.Count(stderr, "\n"), stderr)

	// One object for each target that can be asked, also with the flag behind it.
	code, out, stderr = start(t, "", "http://127.0.0.1:1/x", "ftp://x/y", "-json")
	assert.Equal(t, exitError, code)
	assert.Equal(t, 2, strings.Count(stderr, "\n"), stderr)
	assert.Equal(t, 1, strings.Count(out, "\n"), out)
	assert.Regexp(t, `^\{"target":"http://127.0.0.1:1/x","schemes":\[\],"modern":"unknown","issuer":null,"diagnostics":\[\],"warnings":\["authinspect: http://127.0.0.1:1/x gave no answer: `, out)
}

func TestHeaders(t *testing.T) {
	const pasted = "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer client_id=\"x\", error=\"invalid_token\",Basic Realm=\"\"\n" +
		"x-ms-diagnostics: 2000003;reason=\"The audience claim value is invalid.\";error_category=\"invalid_resource\"\n"
	code, out, stderr := start(t, pasted, "-headers", "-")
	require.Zero(t, code, stderr)
	assert.Regexp(t, `\(pasted\) +advertised +advertised +unknown`, out)
	assert.Contains(t, out, "  2000003;reason=")
	assert.Contains(t, out, "Audience is wrong")

	code, _, stderr = start(t, "nothing", "-headers", "-")
	assert.Equal(t, exitError, code)
	assert.Equal(t, "endpoints: -: authinspect: no header field found\n", stderr)
	code, _, _ = start(t, "", "-headers", filepath.Join(t.TempDir(), "missing"))
	assert.Equal(t, exitError, code)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-nonsense"}, {"-at", "yesterday", "x"}, {"-demo", "x"}, {"-headers", "x", "y"}, {"-ca", "missing", "x"}} {
		code, out, stderr := start(t, "", args...)
		assert.Equal(t, exitUsage, code, "%q", args)
		assert.Empty(t, out)
		assert.NotEmpty(t, stderr)
	}
	code, _, _ := start(t, "", "-h")
	assert.Zero(t, code)
}

func TestFailOn(t *testing.T) {
	code, out, _ := start(t, "", "-demo", "-fail-on", "warning")
	assert.Equal(t, 3, code)
	assert.NotEmpty(t, out)
	code, _, _ = start(t, "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Negotiate\n\n", "-headers", "-", "-fail-on", "critical")
	assert.Equal(t, 0, code)
}
