package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	_ "image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/connectversiontest"
	"github.com/crossprem/crossprem/internal/peer"
)

// connect runs the command and returns its exit code and what it printed.
func connect(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestOneScreen(t *testing.T) {
	code, out, errs := connect("2.6.3.0", "-at", "2026-11-22")
	require.Equal(t, 0, code, errs)
	assert.Empty(t, errs)
	for _, want := range []string{"Entra Connect Sync 2.6.3.0 on 2026-11-22", "outdated, last day 2027-07-07 (printed)", "newest   2.6.92.0, as of 2026-09-28",
		"!  From 2027-04-07 (136 days left): Synchronisation stops", "2026-11-22 to 2027-09-28: run 2.6.92.0 (app-auth-key-rotation, security-fixes-missing)", "2027-09-29 to 2027-11-22: no release that is known on 2026-11-22 would surely do"} {
		assert.Contains(t, out, want)
	}
	_, worst, _ := connect("2.3.8.0", "-at", "2026-11-22")
	assert.LessOrEqual(t, strings.Count(worst, "\n"), 40, "one screen:\n%s", worst)
	lines := strings.Split(out, "\n")
	assert.LessOrEqual(t, len(lines), 34, "one screen")
	for _, line := range lines {
		assert.LessOrEqual(t, len([]rune(line)), width)
		assert.Equal(t, strings.TrimRight(line, " "), line)
	}
}

func TestTheQuestionOf2020(t *testing.T) {
	code, out, _ := connect("-at", "2020-07-01", "1.4.38.0")
	require.Equal(t, 0, code)
	assert.Contains(t, out, "newest   1.5.30.0\n")
	assert.Contains(t, out, "From 2021-07-20 (384 days left): The vendor deprecates the version for its age")
	assert.Contains(t, out, "2020-07-01 to 2021-06-08: 1.4.38.0 can stay.\n2021-06-09 to 2021-07-01: run 1.5.18.0 (connect-18-month-deprecation).\n")
	assert.NotContains(t, out, "!")
}

func TestJSON(t *testing.T) {
	code, out, _ := connect("-json", "-product", "cloud-sync", "1.1.2334.0", "-at=2026-11-22")
	require.Equal(t, 0, code)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, "cloud-sync", got["product"])
	assert.Equal(t, "outdated", got["support"])
	assert.Nil(t, got["supportUntil"])
	require.Len(t, got["plan"], 1)
	step := got["plan"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"from": "2026-11-22", "until": "2027-11-22", "version": "1.1.2334.0", "why": []any{}}, step)
}

func folder(t *testing.T) string {
	dir := t.TempDir()
	write := func(name string, b []byte) { require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644)) }
	write("AzureADConnect.exe", connectversiontest.Executable(connectversion.Version{Major: 2, Minor: 6, Build: 92}, ""))
	write("miiserver.exe", connectversiontest.Executable(connectversion.Version{Major: 2, Minor: 6, Build: 84}, ""))
	write("credential.json", []byte(`{"ConnectorIdentityType": "Application"}`))
	write("pp.json", []byte(`[{"ServerFQDN": "dc1.contoso.test", "SoftwareVersion": "1.2.125.0", "PasswordPolicyDateUTC": null}]`))
	write("server.reg", connectversiontest.Export(connectversion.Registry{
		`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName`: {"ComputerName": "SYNC01"},
		`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full`:         {"Release": uint32(528040)},
	}))
	return dir
}

func TestFolder(t *testing.T) {
	dir := folder(t)
	code, out, errs := connect(dir, "-at", "2026-11-22")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "Entra Connect Sync 2.6.84.0 on 2026-11-22, SYNC01\n")
	assert.Contains(t, out, "Entra Password Protection dc-agent 1.2.125.0 on 2026-11-22, dc1.contoso.test\n")
	assert.Contains(t, out, "evidence: The places that name the version do not agree.")
	assert.NotContains(t, out, "NET Framework 4.7.2", "it is known, and good")

	code, out, _ = connect(dir, "-json", "-at", "2026-11-22", "-product", "connect-sync")
	require.Equal(t, 0, code)
	var got struct {
		Installed []map[string]any
		Findings  []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Installed, 1)
	assert.Equal(t, []any{}, got.Installed[0]["upcoming"], "it signs in with an application")
	assert.Len(t, got.Findings, 1)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.reg"), []byte("x"), 0o644))
	code, _, errs = connect(dir)
	assert.Equal(t, 0, code)
	assert.Contains(t, errs, "not read: connectversion: broken.reg: ")
}

// What a folder holds is a stranger's: it does not reach the terminal as it is.
func TestNamesAreHarmless(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pp.json"), []byte(`[{"ServerFQDN": "dc1\u001b[2J\u202e", "SoftwareVersion": "1.2.125.0"}, {"ServerFQDN": "dc2", "SoftwareVersion": "\u001b[2J"}]`), 0o644))
	_, out, errs := connect(dir, "-at", "2026-11-22")
	assert.Contains(t, out, "dc1 [2J")
	assert.NotContains(t, out+errs, "\x1b")
	assert.NotContains(t, out+errs, "\u202e")
}

// The cmdlet's own words are taken as well.
func TestAuth(t *testing.T) {
	for auth, stops := range map[string]bool{"application": false, "Application": false, "service-account": true, "ServiceAccount": true} {
		_, out, errs := connect("2.6.92.0", "-at", "2026-11-22", "-auth", auth)
		assert.Empty(t, errs)
		assert.Equal(t, stops, strings.Contains(out, "From 2027-04-07"), auth)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{}, {"1.2.3.4", "5.6.7.8"}, {"-product", "dirsync", "1.2.3.4"}, {"-at", "tomorrow", "1.2.3.4"},
		{"-cloud", "nine", "1.2.3.4"}, {"-auth", "x", "1.2.3.4"}, {"-nonsense"}} {
		code, out, errs := connect(args...)
		assert.Equal(t, 2, code, args)
		assert.Empty(t, out)
		assert.NotEmpty(t, errs)
	}
	code, _, errs := connect("2.x")
	assert.Equal(t, 1, code)
	assert.Equal(t, "connect: \"2.x\" is neither a version such as 2.6.3.0 nor a folder\n", errs)
	code, _, errs = connect("local")
	if runtime.GOOS != "windows" {
		assert.Equal(t, 1, code)
		assert.Contains(t, errs, "only a Windows machine")
	}
	code, _, errs = connect(t.TempDir())
	assert.Equal(t, 1, code)
	assert.Equal(t, 1, strings.Count(errs, "\n"))
	code, _, errs = connect("2.6.3", "-at", "2026-11-22")
	assert.Equal(t, 0, code)
	assert.Contains(t, errs, "2.6.3 is taken for 2.6.3.0")
	code, _, _ = connect("-h")
	assert.Equal(t, 0, code)
}

func assess(v connectversion.Version, at string) connectversion.Assessment {
	day, err := time.Parse(time.DateOnly, at)
	if err != nil {
		panic(err)
	}
	return connectversion.Assess(connectversion.ConnectSync, v, day, connectversion.Facts{})
}

// pictures are one of each kind: supported, stopped, long ago, far from data.
var pictures = map[string]connectversion.Assessment{
	"outdated":   assess(connectversion.Version{Major: 2, Minor: 6, Build: 3}, "2026-11-22"),
	"newest":     assess(connectversion.Version{Major: 2, Minor: 6, Build: 92}, "2026-11-22"),
	"old":        assess(connectversion.Version{Major: 1, Minor: 4, Build: 38}, "2020-07-01"),
	"stopped":    assess(connectversion.Version{Major: 2, Minor: 4, Build: 131}, "2026-11-22"),
	"unlisted":   assess(connectversion.Version{Major: 2, Minor: 5, Build: 80}, "2026-11-22"),
	"newer":      assess(connectversion.Version{Major: 3}, "2026-11-22"),
	"far future": assess(connectversion.Version{Major: 2, Minor: 6, Build: 3}, "2222-02-22"),
	"end":        assess(connectversion.Version{Major: 2, Minor: 6, Build: 3}, "9999-12-31"),
	"beginning":  assess(connectversion.Version{Major: 2, Minor: 6, Build: 3}, "0001-01-01"),
}

func TestTimelineIsWellFormed(t *testing.T) {
	for name, a := range pictures {
		svg := timeline(a)
		dec := xml.NewDecoder(bytes.NewReader(svg))
		elements := 0
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
			if e, ok := token.(xml.StartElement); ok {
				elements++
				assert.NotEqual(t, "script", e.Name.Local)
				for _, attr := range e.Attr {
					assert.NotContains(t, attr.Value, "NaN", name)
					assert.NotContains(t, attr.Value, "Inf", name)
					assert.False(t, attr.Name.Local == "width" && strings.HasPrefix(attr.Value, "-"), "%s: a negative width", name)
				}
			}
		}
		assert.Greater(t, elements, 10, name)
		assert.Less(t, elements, 200, "%s: labels that nobody can read", name)
		assert.Contains(t, string(svg), a.Version.String())
		assert.Contains(t, string(svg), a.At.Format(time.DateOnly))
	}
	assert.Contains(t, string(timeline(pictures["outdated"])), "2027-04-07  synchronisation stops")

	d := drawing{from: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), to: time.Date(4000, 1, 1, 0, 0, 0, 0, time.UTC)}
	assert.InDelta(t, (plotLeft+plotRight)/2, d.x(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)), 1, "half-way, however far it is")
}

// A real browser shows the picture: the bars are there, in their colours and
// where their days are.
func TestTimelineInChromium(t *testing.T) {
	chromium := peer.Look(t, "chromium", "chromium")
	dir := t.TempDir()
	code, _, errs := connect("2.6.3.0", "-at", "2026-11-22", "-svg", filepath.Join(dir, "timeline.svg"))
	require.Equal(t, 0, code, errs)
	shot := filepath.Join(dir, "shot.png")
	cmd := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--disable-background-networking", "--user-data-dir="+filepath.Join(dir, "profile"), "--window-size=1000,300",
		"--screenshot="+shot, "file://"+filepath.Join(dir, "timeline.svg"))
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Cancel() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))

	f, err := os.Open(shot)
	require.NoError(t, err)
	defer f.Close()
	picture, _, err := image.Decode(f)
	require.NoError(t, err)
	support := columns(picture, color.RGBA{0x2e, 0x7d, 0x32, 0xff})
	stops := columns(picture, color.RGBA{0xc6, 0x28, 0x28, 0xff})
	fixes := columns(picture, color.RGBA{0x15, 0x65, 0xc0, 0xff})
	today := columns(picture, color.RGBA{0, 0, 0, 0xff})
	require.NotEmpty(t, support)
	require.NotEmpty(t, stops)
	require.NotEmpty(t, fixes)
	require.NotEmpty(t, today)
	first, last := support[0], support[len(support)-1]
	assert.GreaterOrEqual(t, first, plotLeft)
	assert.Less(t, first, stops[0], "support began before the cut-off")
	assert.Less(t, stops[0], last, "which comes before support ends")
	assert.Less(t, first, fixes[0])
	assert.Less(t, fixes[len(fixes)-1], stops[0], "the fixes are out")
	assert.InDelta(t, plotRight, stops[len(stops)-1], 5, "the cut-off stays")
}

// columns returns the columns that hold a pixel of a colour, from the left.
func columns(picture image.Image, want color.RGBA) []int {
	var found []int
	for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
		for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
			if color.RGBAModel.Convert(picture.At(x, y)) == want {
				found = append(found, x)
				break
			}
		}
	}
	return found
}

func TestFailOn(t *testing.T) {
	for want, args := range map[int][]string{
		3: {"1.4.38.0", "-at", "2026-11-22", "-fail-on", "critical"},
		0: {"1.4.38.0", "-at", "2026-11-22"},
		2: {"1.4.38.0", "-fail-on", "info"},
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, want, run(t.Context(), args, &out, &errs), errs.String())
	}
}
