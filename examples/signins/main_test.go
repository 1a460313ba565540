package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/examples/internal/terminal"
)

const samples = "../../signins/testdata/samples"

// call runs the program as a user would.
func call(t *testing.T, in io.Reader, args ...string) (code int, out, notes string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, in, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// Every count that expected.json names comes out under the same name.
func TestJSONCountsAsExpected(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samples, "expected.json"))
	require.NoError(t, err)
	var all struct{ Samples map[string]map[string]any }
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.Samples, 12)
	for name, want := range all.Samples {
		t.Run(name, func(t *testing.T) {
			args := []string{"-json", "-at", "2026-11-22"}
			for _, f := range want["files"].([]any) {
				args = append(args, filepath.Join(samples, f.(string)))
			}
			code, out, notes := call(t, nil, args...)
			require.Equal(t, 0, code, notes)
			assert.Empty(t, notes)
			var got map[string]any
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			for key, value := range want {
				switch key {
				case "files", "format", "notes", "bytes":
				case "attacks":
					require.Len(t, got[key], len(value.([]any)))
					for i, attack := range value.([]any) {
						for k, v := range attack.(map[string]any) {
							if k != "note" {
								assert.Equal(t, v, got[key].([]any)[i].(map[string]any)[k], "%s of attack %d", k, i)
							}
						}
					}
				default:
					assert.Equal(t, value, got[key], key)
				}
			}
			for _, key := range []string{"retirements", "findings", "activeSync", "users", "asOf"} {
				assert.Contains(t, got, key)
			}
		})
	}
}

func TestPeriodAndDefinition(t *testing.T) {
	counts := func(args ...string) (records, outside, legacy float64) {
		code, out, notes := call(t, nil, append(append([]string{"-json"}, args...), filepath.Join(samples, "graph-beta"))...)
		require.Equal(t, 0, code, notes)
		var got struct {
			Records, OutsidePeriod float64
			ByClass                map[string]float64
		}
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		return got.Records, got.OutsidePeriod, got.ByClass["legacy"]
	}
	check := func(records, outside, legacy float64, args ...string) {
		t.Helper()
		r, o, l := counts(args...)
		assert.Equal(t, []float64{records, outside, legacy}, []float64{r, o, l}, args)
	}
	check(78, 0, 51)
	check(78, 0, 51, "-since", "2026-11-18", "-until", "2026-11-19")
	check(0, 78, 0, "-since", "2026-11-19")
	check(0, 78, 0, "-until", "2026-11-18")
	code, out, notes := call(t, nil, "-since", "2026-11-19", filepath.Join(samples, "storage")) // of which a line is torn
	require.Equal(t, 0, code, notes)
	assert.Contains(t, out, "0 sign-ins")
	// Five more that are blank or unknown, one less that its user agent alone tells.
	check(78, 0, 55, "-definition", "workbook")
}

func TestFailOn(t *testing.T) {
	for _, severity := range []string{"warning", "critical"} {
		code, out, _ := call(t, nil, "-fail-on", severity, filepath.Join(samples, "graph-beta"))
		assert.Equal(t, 3, code)
		assert.NotEmpty(t, out)
	}
	code, _, _ := call(t, strings.NewReader(""), "-fail-on", "info")
	assert.Equal(t, 2, code)
}

func TestUsersAsCSV(t *testing.T) {
	code, out, _ := call(t, nil, "-csv", "-", filepath.Join(samples, "graph-beta"))
	require.Equal(t, 0, code)
	file := filepath.Join(t.TempDir(), "users.csv")
	code, text, notes := call(t, nil, "-csv", file, filepath.Join(samples, "graph-beta"))
	require.Equal(t, 0, code, notes)
	assert.Contains(t, text, "USE LEGACY AUTHENTICATION", "the summary is printed beside it")
	saved, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, out, string(saved))
	code, _, notes = call(t, nil, "-csv", filepath.Join(file, "below"), filepath.Join(samples, "graph-beta"))
	assert.Equal(t, 1, code)
	assert.Equal(t, 1, strings.Count(notes, "\n"))
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 22)
	assert.Equal(t, []string{"alice@contoso.com", "1", "0", "imap", "RU", "CBAInPROD", "2026-11-18T08:40:00Z", "2026-11-18T08:40:00Z", ""}, rows[1])
	assert.Equal(t, "'=cmd@contoso.com", inert("=cmd@contoso.com"))
}

func TestTable(t *testing.T) {
	in, err := os.Open(filepath.Join(samples, "eventhub/messages.ndjson"))
	require.NoError(t, err)
	defer in.Close()
	code, out, notes := call(t, in, "-countries", "US,DE", "-at", "2026-11-22")
	require.Equal(t, 0, code, notes)
	assert.Contains(t, out, "84 sign-ins from 2026-11-18 08:00:00")
	assert.Contains(t, out, "It got in as niaj@contoso.com.")
	assert.Contains(t, out, "CRITICAL RU: Legacy sign-ins come from countries where nobody works")
	assert.Less(t, strings.Index(out, "scanner@contoso.com"), strings.Index(out, "ONLY ATTACKED OR STOPPED"))
}

func TestTableOfUntoldOutcomes(t *testing.T) {
	in := strings.NewReader("Date (UTC),Request ID,Username,Client app\n2026-11-18T08:00:00Z,1,ann@contoso.com,IMAP4\n")
	code, out, notes := call(t, in)
	require.Equal(t, 0, code, notes)
	assert.Regexp(t, `(?s)HOW IT ENDED IS UNKNOWN.*ann@contoso.com`, out)
	assert.NotContains(t, out, "ATTACKED")
}

// What cannot be read to its end is named, and gives no half answer.
func TestTruncated(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samples, "graph-beta/page-1.json"))
	require.NoError(t, err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	name := filepath.Join(t.TempDir(), "page.json.gz")
	require.NoError(t, os.WriteFile(name, b.Bytes()[:b.Len()/2], 0o600))
	code, out, notes := call(t, nil, name)
	assert.Equal(t, 1, code)
	assert.Empty(t, out)
	assert.Regexp(t, `^signins: .*page\.json\.gz: at byte \d+: unexpected EOF\n$`, notes)
}

func TestWrongUse(t *testing.T) {
	check := func(want int, note string, args ...string) {
		t.Helper()
		code, out, notes := call(t, strings.NewReader("this is no log\n"), args...)
		assert.Equal(t, want, code)
		assert.Empty(t, out)
		assert.Contains(t, notes, note)
	}
	check(2, "definition", "-definition", "mine")
	check(2, "since", "-since", "yesterday")
	check(2, "exclude each other", "-json", "-csv", "-")
	check(1, "no such file", "nosuch")
	check(1, "stat -json: no such file", "-", "-json")
	check(2, "-until has to be after -since", "-since", "2026-11-18", "-until", "2026-11-18")
	check(1, "not a sign-in log")
	assert.Equal(t, "a\ufffd[31mb", terminal.Line("a\x1b[31mb"))
}

// A file of which nothing can be read is named, and the others are still summarised.
func TestUnreadableFilesAreNamed(t *testing.T) {
	folder := t.TempDir()
	page, err := os.ReadFile(filepath.Join(samples, "graph-beta/page-1.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a-page.json"), page, 0o600))
	bad := strings.Repeat(`{"host":"a","message":"CEF:0|Microsoft|Entra|1.0|1|Sign-in|3|suser=a@contoso.test src=192.0.2.1 outcome=success"}`+"\n", 101)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "b-wrapped.ndjson"), []byte(bad), 0o600))
	for _, args := range [][]string{{folder}, {filepath.Join(folder, "b-wrapped.ndjson"), filepath.Join(folder, "a-page.json")}} {
		code, out, notes := call(t, nil, append([]string{"-json"}, args...)...)
		assert.Equal(t, 1, code)
		assert.Contains(t, out, `"records": 4`)
		assert.Contains(t, notes, "b-wrapped.ndjson: not read: ")
		assert.Contains(t, notes, `the text of "message"`)
		assert.NotContains(t, notes, "a-page")
	}
}

// Many users are listed in part, and counted in full; JSON is indented as it is
// written.
func TestManyUsers(t *testing.T) {
	var in strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&in, "{\"id\":\"%d\",\"createdDateTime\":\"2026-11-18T08:00:00Z\",\"userPrincipalName\":\"user%04d@contoso.com\",\"clientAppUsed\":\"IMAP4\",\"status\":{\"errorCode\":0}}\n", i, i)
	}
	code, out, notes := call(t, strings.NewReader(in.String()), "-at", "2026-11-22")
	require.Equal(t, 0, code, notes)
	assert.Contains(t, out, "and 700 more, which -csv lists\n")
	assert.Less(t, len(out), 60_000)
	code, out, notes = call(t, strings.NewReader(in.String()), "-json", "-at", "2026-11-22")
	require.Equal(t, 0, code, notes)
	var again bytes.Buffer
	require.NoError(t, json.Indent(&again, []byte(out), "", "  "))
	assert.Equal(t, again.String(), out)
	assert.Equal(t, 1, strings.Count(out, "\n    \"user0007@contoso.com\": {\n"))
}

// Files are read together, in any packing, and a pipe after them.
func TestSeveralFiles(t *testing.T) {
	folder := t.TempDir()
	var names []string
	for i, page := range []string{"page-1.json", "page-2.json"} {
		text, err := os.ReadFile(filepath.Join(samples, "graph-beta", page))
		require.NoError(t, err)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err = z.Write(text)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		names = append(names, filepath.Join(folder, fmt.Sprintf("%d.gz", 2-i))) // not in lexical order
		require.NoError(t, os.WriteFile(names[i], b.Bytes(), 0o600))
	}
	_, want, _ := call(t, nil, "-json", "-at", "2026-11-22", filepath.Join(samples, "graph-beta/page-1.json"), filepath.Join(samples, "graph-beta/page-2.json"))
	code, got, notes := call(t, nil, append([]string{"-json", "-at", "2026-11-22"}, names...)...)
	require.Equal(t, 0, code, notes)
	assert.Equal(t, want, got)
	text, err := os.ReadFile(filepath.Join(samples, "graph-beta/page-1.json"))
	require.NoError(t, err)
	code, got, notes = call(t, bytes.NewReader(text), "-json", "-at", "2026-11-22", names[1], "-")
	require.Equal(t, 0, code, notes)
	assert.Equal(t, want, got)
}

func TestOwnTables(t *testing.T) {
	folder := t.TempDir()
	code, _, notes := call(t, strings.NewReader(""), "-tables", folder)
	assert.Equal(t, 2, code)
	assert.Contains(t, notes, "no table client-apps.json")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "retirements.json"), []byte(`{"asOf":"2027-01-01","retirements":[
		{"id":"pigeons","date":"2027-06-01","protocols":["smtp-auth"],"title":"Pigeons end","sources":["RFC 1149"]}]}`), 0o600))
	code, out, notes := call(t, nil, "-tables", folder, "-json", filepath.Join(samples, "graph-beta"))
	require.Equal(t, 0, code, notes)
	assert.Contains(t, out, `"pigeons"`)
	assert.NotContains(t, out, "smtp-auth-default-off")
}
