package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// report runs the program and returns what it printed.
func runReport(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs, false, pipeWidth)
	return code, out.String(), errs.String()
}

func runJSON(t *testing.T, args ...string) map[string]json.RawMessage {
	t.Helper()
	code, out, errs := runReport(t, append(args, "-json")...)
	require.Equal(t, exitRan, code, errs)
	var sections map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(out), &sections))
	return sections
}

func findings(t *testing.T, sections map[string]json.RawMessage) []crossprem.Finding {
	t.Helper()
	var list []crossprem.Finding
	require.NoError(t, json.Unmarshal(sections["findings"], &list))
	return list
}

const samples = "../../signins/testdata/samples"

func TestDemonstrationAsksEverything(t *testing.T) {
	code, out, errs := runReport(t, "-at", "2026-11-22")
	assert.Equal(t, exitRan, code)
	assert.Empty(t, errs)
	for _, part := range []string{"Contoso", "judged for 2026-11-22", "NEEDS ATTENTION", "SIGN-INS  98 records",
		"TLS  ", "EXCHANGE  ", "ENTRA CONNECT  ", "AUTH CERTIFICATE  ", "NOT KNOWN", "PASSED"} {
		assert.Contains(t, out, part)
	}
	for line := range strings.Lines(out) {
		assert.NotContains(t, line, "\x1b", "no colours unless asked for")
	}

	sections := runJSON(t, "-at", "2026-11-22")
	assert.JSONEq(t, `"2026-11-22"`, string(sections["asOf"]))
	for _, name := range []string{"asOf", "findings", "signins", "tls", "connect", "certificate", "endpoints"} {
		assert.Contains(t, sections, name)
	}
	packages := map[string]bool{}
	for _, f := range findings(t, sections) {
		assert.NotEmpty(t, f.Rule)
		assert.NotEmpty(t, f.Subject, f.Rule)
		assert.NotEmpty(t, f.Title, f.Rule)
		if f.Status != crossprem.Passed {
			assert.NotEmpty(t, f.Detail, f.Rule)
		}
		if f.Status == crossprem.Failed {
			assert.NotEmpty(t, f.Sources, f.Rule)
		}
		packages[strings.SplitN(f.Rule, "-", 2)[0]] = true
	}
	for _, prefix := range []string{"signins", "tls", "support", "auth"} {
		assert.True(t, packages[prefix], "findings of %s", prefix)
	}
}

func TestTheDayDecides(t *testing.T) {
	on := func(day string) string {
		_, out, _ := runReport(t, "-connect", "1.4.38.0", "-at", day)
		return out
	}
	assert.Contains(t, on("2020-07-01"), "support   outdated")
	assert.Contains(t, on("2026-11-22"), "support   retired")
}

func TestOnlyWhatWasAskedFor(t *testing.T) {
	sections := runJSON(t, "-connect", "2.5.79.0", "-at", "2026-11-22")
	assert.Contains(t, sections, "connect")
	for _, name := range []string{"signins", "tls", "certificate", "endpoints"} {
		assert.NotContains(t, sections, name)
	}
}

// The samples come with the counts that a reader has to arrive at.
func TestSamplesGiveTheirCounts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samples, "expected.json"))
	require.NoError(t, err)
	var expected struct {
		Samples map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(text, &expected))
	counts := []string{"records", "byClass", "byProtocol", "byOutcome", "legacyBasicAuth", "legacyUsers", "legacyUsersWithSuccess",
		"rawRecords", "duplicates", "malformed", "skippedOtherCategory", "classifiedByUserAgent", "ropc", "deviceCode"}
	compared := 0
	for name, want := range expected.Samples {
		dir := filepath.Join(samples, name)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue // a sample of a single file
		}
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(runJSON(t, "-signins", dir)["signins"], &got))
		for _, member := range counts {
			if value, ok := want[member]; ok {
				assert.JSONEq(t, string(value), string(got[member]), "%s: %s", name, member)
				compared++
			}
		}
	}
	assert.Greater(t, compared, 20)
}

func TestExitCodes(t *testing.T) {
	check := func(want int, args ...string) {
		t.Helper()
		code, out, errs := runReport(t, args...)
		assert.Equal(t, want, code, "%q: %s", args, errs)
		if want == exitCouldNot || want == exitUsage {
			assert.Empty(t, out, "%q", args)
			assert.Equal(t, 1, strings.Count(errs, "\n"), "%q: one line on stderr, not %q", args, errs)
			assert.True(t, strings.HasSuffix(errs, "\n"))
		} else {
			assert.Empty(t, errs)
		}
	}
	torn := filepath.Join(t.TempDir(), "PT1H.json")
	require.NoError(t, os.WriteFile(torn, []byte("{\"category\":\"SignInLogs\",\"properties\":{\"id\":\"a\"}}\r\n{\"categ"), 0o600))
	image := filepath.Join(t.TempDir(), "photo.png")
	require.NoError(t, os.WriteFile(image, []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), 0o600))

	check(exitRan, "-connect", "2.6.92.0", "-at", "2026-09-28", "-fail-on", "critical")
	check(exitRan, "-signins", torn)
	check(exitFindings, "-connect", "1.4.38.0", "-at", "2026-11-22", "-fail-on", "critical")
	check(exitFindings, "-connect", "1.4.38.0", "-at", "2026-11-22", "-fail-on", "warning", "-json")
	check(exitRan, "-connect", "1.4.38.0", "-at", "2026-11-22")
	check(exitUsage, "-connect", "banana")
	check(exitUsage, "-connect", "0.0.0.0") // not the demonstration
	check(exitUsage, "-cert", "")
	check(exitUsage, "-signins", "")
	check(exitUsage, "-at", "22.11.2026")
	check(exitUsage, "-at", "2026-02-30")
	check(exitUsage, "-fail-on", "info")
	check(exitUsage, "-nonsense")
	check(exitUsage, "stray")
	check(exitUsage, "-probe", "")
	check(exitUsage, "-probe", ":443")
	check(exitUsage, "-probe", "mail.contoso.test:0")
	check(exitUsage, "-probe", "mail.contoso.test:99999")
	check(exitUsage, "-probe", "https://mail.contoso.test")
	check(exitUsage, "-exchange", "mail.contoso.test")
	check(exitUsage, "-exchange", "https://bob:secret@mail.contoso.test/")
	_, _, errs := runReport(t, "-exchange", "https://bob:secret@mail.contoso.test/")
	assert.NotContains(t, errs, "secret")
	_, _, errs = runReport(t, "-cert", "\x1b[2J")
	assert.NotContains(t, errs, "\x1b")
	check(exitCouldNot, "-signins", filepath.Join(t.TempDir(), "missing.json"))
	check(exitCouldNot, "-signins", image)
	check(exitCouldNot, "-cert", image)
	missing := filepath.Join(t.TempDir(), "missing")
	check(exitCouldNot, "-signins", missing, "-signins", image, "-signins", torn, "-cert", missing+".cer", "-connect", "2.6.92.0")
	_, _, errs = runReport(t, "-signins", missing, "-signins", image, "-signins", torn, "-cert", missing+".cer")
	for _, name := range []string{missing + ":", image, missing + ".cer"} {
		assert.Contains(t, errs, name, "every bad file is named")
	}
	assert.NotContains(t, errs, torn)
	check(exitCouldNot, "-cert", filepath.Join(t.TempDir(), "missing.cer"))
}

// A torn last line is kept in the counts, with its place.
func TestTornLineIsTold(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "PT1H.json"),
		[]byte("{\"category\":\"SignInLogs\",\"properties\":{\"id\":\"a\"}}\r\n{\"categ"), 0o600))
	var got struct {
		Records, Malformed int
		Errors             []string
	}
	require.NoError(t, json.Unmarshal(runJSON(t, "-signins", dir)["signins"], &got))
	assert.Equal(t, 1, got.Records)
	assert.Equal(t, 1, got.Malformed)
	require.Len(t, got.Errors, 1)
	assert.Contains(t, got.Errors[0], filepath.Join(dir, "PT1H.json")+": record 2 at byte 51")

	bad := filepath.Join(dir, "note.txt")
	require.NoError(t, os.WriteFile(bad, []byte("hello\n"), 0o600))
	_, _, errs := runReport(t, "-signins", bad)
	assert.Contains(t, errs, "report: signins: "+bad+": ", "the file is named as it was given")
}

// What could not be asked is unknown, and the rest of the report is there.
func TestUnreachableIsUnknown(t *testing.T) {
	server := httptest.NewServer(nil)
	addr := server.Listener.Addr().String()
	server.Close()
	sections := runJSON(t, "-probe", addr, "-exchange", "https://"+addr+"/EWS/Exchange.asmx", "-connect", "2.6.92.0")
	assert.Contains(t, sections, "connect")
	for _, f := range findings(t, sections) {
		if strings.Contains(f.Subject, addr) {
			assert.NotEqual(t, crossprem.Passed, f.Status, f.Rule)
		}
	}
	var endpoints []struct{ Modern string }
	require.NoError(t, json.Unmarshal(sections["endpoints"], &endpoints))
	require.Len(t, endpoints, 1)
	assert.Equal(t, "unknown", endpoints[0].Modern)
}

// An empty log says nothing of anybody.
func TestEmptyLog(t *testing.T) {
	code, out, _ := runReport(t, "-signins", t.TempDir())
	assert.Equal(t, exitRan, code)
	assert.Contains(t, out, "no sign-in is in these logs")
	assert.NotContains(t, out, "nobody signed in")
}

func TestRealServer(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NotContains(t, r.Header.Get("Authorization"), "Bearer ", "no token")
		w.Header().Add("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused hellos are what this is about
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	sections := runJSON(t, "-probe", server.Listener.Addr().String(), "-exchange", server.URL+"/EWS/Exchange.asmx")
	var servers []struct {
		Class    string
		Versions map[string]string
		Trusted  *bool
	}
	require.NoError(t, json.Unmarshal(sections["tls"], &servers))
	require.Len(t, servers, 1)
	assert.Equal(t, map[string]string{"ssl30": "refused", "tls10": "refused", "tls11": "refused", "tls12": "accepted", "tls13": "refused"}, servers[0].Versions)
	require.NotNil(t, servers[0].Trusted)
	assert.False(t, *servers[0].Trusted)
	var endpoints []struct{ Schemes []string }
	require.NoError(t, json.Unmarshal(sections["endpoints"], &endpoints))
	require.Len(t, endpoints, 1)
	assert.Equal(t, []string{"basic"}, endpoints[0].Schemes)
}

func TestTextIsPrintable(t *testing.T) {
	p := &page{textForm: textForm{width: pipeWidth, colour: true}}
	p.wrapped("", "", "evil \x1b[2J\u202e text", "")
	assert.Equal(t, "evil \ufffd[2J\ufffd text\n", p.String())
	assert.Equal(t, "\x1b[1mx\x1b[0m", p.paint(bold, "x"))
}

func TestWrapping(t *testing.T) {
	p := &page{textForm: textForm{width: pipeWidth}}
	p.wrapped("-> ", "   ", strings.Repeat("word ", 60), "")
	for line := range strings.Lines(p.String()) {
		assert.LessOrEqual(t, len(strings.TrimRight(line, "\n")), pipeWidth)
	}
	assert.True(t, strings.HasPrefix(p.String(), "-> word"))
	assert.Equal(t, 60, strings.Count(p.String(), "word"), "nothing is lost")
}

func TestDefaultDayIsToday(t *testing.T) {
	q, err := parse(nil, time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC), new(bytes.Buffer))
	require.NoError(t, err)
	assert.Equal(t, "2031-02-03", q.at.Format(time.DateOnly))
	assert.False(t, q.any())
}

// The demonstration fits a few screens, and says first what to do.
func TestDemonstrationIsShort(t *testing.T) {
	_, out, _ := runReport(t, "-at", "2026-11-26")
	assert.LessOrEqual(t, strings.Count(out, "\n"), 150, "lines")
	assert.Less(t, strings.Index(out, "TO DO"), strings.Index(out, "NEEDS ATTENTION"))
	todo, _, _ := strings.Cut(out[strings.Index(out, "TO DO"):], "NEEDS ATTENTION")
	assert.Contains(t, todo, " 1. ")
	assert.NotContains(t, todo, " 8. ")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), pipeWidth+10, line)
	}
	_, all, _ := runReport(t, "-at", "2026-11-26", "-all")
	assert.Greater(t, len(all), 2*len(out), "-all tells everything")
}

// A day in the past is judged by that day: no certificate of the demonstration
// is called not valid yet.
func TestDemonstrationOfAnEarlierDay(t *testing.T) {
	count := func(day string) (n int) {
		for _, f := range findings(t, runJSON(t, "-at", day)) {
			if f.Status == crossprem.Failed && f.Severity == crossprem.Critical {
				n++
			}
		}
		return n
	}
	assert.LessOrEqual(t, count("2026-11-22"), count("2026-11-26"))
}

func TestFilesAndComparison(t *testing.T) {
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	code, out, errs := runReport(t, "-at", "2026-11-25", "-json")
	require.Equal(t, exitRan, code, errs)
	require.NoError(t, os.WriteFile(file("before.json"), []byte(out), 0o600))
	code, out, errs = runReport(t, "-at", "2026-11-26", "-before", file("before.json"), "-html", file("a.html"), "-markdown", file("a.md"), "-sarif", file("a.sarif"), "-ocsf", file("a.ocsf"), "-csv", file("a.csv"))
	require.Equal(t, exitRan, code, errs)
	assert.Contains(t, out, "SINCE 2026-11-25")
	assert.Contains(t, out, "0 new, 0 fixed")
	for name, part := range map[string]string{"a.html": "<!DOCTYPE html>", "a.md": "# Findings for 2026-11-26", "a.sarif": `"version": "2.1.0"`, "a.ocsf": `"class_uid":2003`, "a.csv": "key,status,severity"} {
		text, err := os.ReadFile(file(name))
		require.NoError(t, err)
		assert.Contains(t, string(text), part, name)
	}
	for _, args := range [][]string{{"-html", file("no/where.html")}, {"-before", file("nowhere.json")}, {"-before", file("a.md")}} {
		code, _, errs := runReport(t, args...)
		assert.Equal(t, exitCouldNot, code, args)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}
