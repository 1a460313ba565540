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

	"github.com/crossprem/crossprem/internal/wintext"
)

var now = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

func do(in string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(args, strings.NewReader(in), &stdout, &stderr, now)
	return code, stdout.String(), stderr.String()
}

func TestJSON(t *testing.T) {
	const agents = "Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.5128; Pro)\r\n\nApple-iPhone17C3/2209.90\nnever <seen>\nApple-iPhone17C3/2209.90"
	code, out, errs := do(agents, "-json")
	require.Equal(t, 0, code, errs)
	var got []string
	for line := range strings.Lines(out) {
		var o struct{ UserAgent, Client, Capability, Outcome string }
		require.NoError(t, json.Unmarshal([]byte(line), &o))
		got = append(got, o.UserAgent+" | "+o.Client+" | "+o.Capability+" | "+o.Outcome)
	}
	assert.Equal(t, []string{
		"Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.5128; Pro) | outlook-win-2010 | basic-only | stops",
		"Apple-iPhone17C3/2209.90 | ios-mail | modern-capable | continues-modern",
		"never <seen> | unknown | unknown | unknown",
	}, got)

	// Flags may follow files, and -hosting and -at choose.
	file := filepath.Join(t.TempDir(), "agents.txt")
	require.NoError(t, os.WriteFile(file, []byte("\xef\xbb\xbf"+agents), 0o600))
	for _, test := range [][]string{
		{"continues", "-at", "2020-04-22"},
		{"stops", "-hosting", "exo-policy-2020"},
		{"unknown", "-at", "2018-01-01", "-hosting", "exo-policy-2020"},
		{"stops", "-hosting", "onprem-hma-blocked"},
		{"continues", "-hosting", "onprem-basic-off"},
	} {
		code, out, errs := do("", append([]string{file, "-json"}, test[1:]...)...)
		require.Equal(t, 0, code, errs)
		first, _, _ := strings.Cut(out, "\n")
		assert.Contains(t, first, `"outcome":"`+test[0]+`"`, test)
	}
}

func TestTable(t *testing.T) {
	code, out, errs := do(`{"clients":[{"name":"BAV2ROPC","records":7},{"name":"TouchDown(MSRPC)/7.1.0005","records":2}]}`)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "2  touchdown    stops")
	assert.Contains(t, out, "unknown: 7")
	assert.Less(t, strings.Index(out, "touchdown"), strings.Index(out, "marker-ropc"), "the worst first")
	// Windows PowerShell writes UTF-16, and a summary may stand behind blanks.
	code, out, errs = do("\xff\xfe" + string(wintext.EncodeUTF16("\r\n {\"clients\":[{\"name\":\"BAV2ROPC\",\"records\":7}]}")))
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "unknown: 7")
	code, out, errs = do("\xff\xfe"+string(wintext.EncodeUTF16("Thunderbird/45.0\r\nBAV2ROPC\r\n")), "-json")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, `{"userAgent":"Thunderbird/45.0","client":"thunderbird"`)
	code, out, _ = do("")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "No user agent was given.")
	_, out, _ = do("x\x1b[31m\u202e\n")
	assert.NotContains(t, out, "\x1b")
}

func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		in   string
		args []string
		code int
	}{
		{"", []string{"nowhere.txt"}, couldNot},
		{"{}", nil, couldNot},
		{"{", nil, couldNot},
		{strings.Repeat("x", maxLine+1), nil, couldNot},
		{"", []string{"-at", "yesterday"}, wrongUsage},
		{"", []string{"-hosting", "moon"}, wrongUsage},
		{"", []string{"-x"}, wrongUsage},
		{"", []string{"-help"}, ran},
	} {
		code, out, errs := do(test.in, test.args...)
		assert.Equal(t, test.code, code, test.args)
		assert.Empty(t, out)
		if code != ran {
			assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
		}
	}
	assert.Equal(t, couldNot, run(nil, strings.NewReader("x"), full{}, &bytes.Buffer{}, now), "a full disk")
	assert.Equal(t, couldNot, run([]string{"-json"}, strings.NewReader("x"), full{}, &bytes.Buffer{}, now), "a full disk")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
