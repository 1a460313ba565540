//go:build !race

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// browser starts Debian's Chromium, without any network of its own.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CROSSPREM_REQUIRE_REAL") == "1" {
			t.Fatal("Debian's package chromium is missing")
		}
		t.Skip("needs Debian's package chromium")
	}
	profile, err := os.MkdirTemp("", "chromium")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) }) // it may still write while it ends
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// problems collects what the page writes to the console, and what it throws.
func problems(ctx context.Context) func() []string {
	var lock sync.Mutex
	var list []string
	chromedp.ListenTarget(ctx, func(event any) {
		lock.Lock()
		defer lock.Unlock()
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			list = append(list, fmt.Sprintf("console.%s", e.Type))
		case *runtime.EventExceptionThrown:
			list = append(list, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			list = append(list, e.Entry.Text)
		}
	})
	return func() []string {
		lock.Lock()
		defer lock.Unlock()
		return list
	}
}

// hostileReport is a report whose names try to leave their place.
func hostileReport(n int) *report {
	r := &report{AsOf: "2026-11-26", at: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
	names := []string{`<script>window.broken=1</script>`, `"><img src=x onerror="window.broken=1">`, "</script><script>window.broken=1</script>", "{{.Title}}", "a\u202eb\x1b[31m", `';window.broken=1;'`, "]]>", "&lt;b&gt;"}
	for i := range n {
		f := crossprem.Finding{Rule: fmt.Sprintf("rule-%d", i%40), Status: crossprem.Status(i % 3), Severity: crossprem.Severity(i / 3 % 3), Subject: fmt.Sprintf("host%05d.contoso.test:443 %s", i, names[i%len(names)]),
			Title: fmt.Sprintf("Something is wrong of the kind %d", i%40), Detail: fmt.Sprintf("Evidence number %d was seen on %d servers: %s", i, i*7%100, names[(i+3)%len(names)]), Sources: []string{"RFC 1"}}
		if f.Status == crossprem.Failed {
			f.Remedy = "Mend it: " + names[i%len(names)]
			f = f.DueOn(r.at.AddDate(0, 0, i%400), r.at)
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// artifacts is where pictures are kept for a person to look at.
func artifacts(t *testing.T) string {
	folder := os.Getenv("CROSSPREM_ARTIFACTS")
	if folder == "" {
		return t.TempDir()
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	return folder
}

func TestPageInARealBrowser(t *testing.T) {
	ctx := browser(t)
	found := problems(ctx)
	folder, keep := t.TempDir(), artifacts(t)
	file := filepath.Join(folder, "report.html")
	code, _, errs := runReport(t, "-at", "2026-11-26", "-html", file)
	require.Equal(t, exitRan, code, errs)
	address := (&url.URL{Scheme: "file", Path: file}).String()

	var title, count, all string
	var shown, everything int
	require.NoError(t, chromedp.Run(ctx,
		log.Enable(), runtime.Enable(),
		chromedp.EmulateViewport(1200, 1600),
		chromedp.Navigate(address),
		chromedp.WaitVisible(`body[data-ready=yes]`, chromedp.ByQuery),
		chromedp.Title(&title),
		chromedp.Text("#count", &all, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelectorAll("details.group:not([hidden])").length`, &everything),
		chromedp.SendKeys("#q", "scanner tls", chromedp.ByQuery),
		chromedp.Text("#count", &count, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelectorAll("details.group:not([hidden])").length`, &shown),
	))
	assert.Contains(t, title, "Contoso")
	assert.NotEqual(t, all, count)
	assert.Positive(t, shown)
	assert.Less(t, shown, everything, "the filter hides what does not match")

	// It looks right in both schemes, on a phone, and on paper.
	picture := func(name string, width, height int64, dark bool) {
		scheme := "light"
		if dark {
			scheme = "dark"
		}
		var png []byte
		require.NoError(t, chromedp.Run(ctx,
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.EmulateViewport(width, height), chromedp.Navigate(address), chromedp.WaitVisible(`body[data-ready=yes]`, chromedp.ByQuery),
			chromedp.FullScreenshot(&png, 100)))
		require.NoError(t, os.WriteFile(filepath.Join(keep, name+".png"), png, 0o644))
		assert.Greater(t, len(png), 10_000)
		var wide bool
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth`, &wide)))
		assert.False(t, wide, "%s: nothing is wider than the window", name)
	}
	picture("light", 1200, 1600, false)
	picture("dark", 1200, 1600, true)
	picture("phone", 390, 844, false)
	var pdf []byte
	require.NoError(t, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = cdp.PrintToPDF().Do(ctx)
		return err
	})))
	require.NoError(t, os.WriteFile(filepath.Join(keep, "print.pdf"), pdf, 0o644))
	assert.True(t, bytes.HasPrefix(pdf, []byte("%PDF")))

	checkAxe(t, ctx)
	assert.Empty(t, found(), "nothing on the console")
}

// The sections that only appear where they are asked for: what was collected,
// with names that try to leave their place, and what a Windows client meets.
func TestAskedSectionsInARealBrowser(t *testing.T) {
	both, only13 := (&tlsprobetest.Server{}).Start(), (&tlsprobetest.Server{MinVersion: tlsprobe.TLS13}).Start()
	defer both.Close()
	defer only13.Close()
	files := maps.Clone(collection)
	files["collection.json"] = `{"ended":"2026-11-26T10:00:00Z","missing":{"connect":"<img src=x onerror=window.broken=1>"}}`
	files["signins/signins.ndjson"] += strings.ReplaceAll(strings.ReplaceAll(files["signins/signins.ndjson"], "frank@contoso.test", `<script>window.broken=1</script>@contoso.test`), `"id":"1"`, `"id":"2"`)
	folder := collected(t, files)
	reg, file := filepath.Join(t.TempDir(), "client.reg"), filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(reg, tlsprobetest.Export(tlsprobetest.Registry("Windows Server 2016")), 0o600))
	code, _, errs := runReport(t, "-folder", folder, "-at", "2026-11-26", "-reg", reg, "-probe", both.Addr, "-probe", only13.Addr, "-html", file)
	require.Equal(t, exitRan, code, errs)

	ctx := browser(t)
	found := problems(ctx)
	var text string
	var broken, wide bool
	require.NoError(t, chromedp.Run(ctx,
		log.Enable(), runtime.Enable(),
		chromedp.EmulateViewport(390, 844),
		chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String()),
		chromedp.WaitVisible(`body[data-ready=yes]`, chromedp.ByQuery),
		chromedp.Text("body", &text, chromedp.ByQuery),
		chromedp.Evaluate(`window.broken === 1`, &broken),
		chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth`, &wide),
	))
	for _, want := range []string{"Hybrid configuration", "Whether who used legacy authentication may use it", "What this client could meet", "<script>window.broken=1</script>@contoso.test"} {
		assert.Contains(t, text, want)
	}
	assert.False(t, broken)
	assert.False(t, wide, "nothing is wider than a phone")
	checkAxe(t, ctx)
	assert.Empty(t, found(), "nothing on the console")
}

// checkAxe lets axe-core look for what a keyboard or a screen reader stumbles
// over.
func checkAxe(t *testing.T, ctx context.Context) {
	script, err := os.ReadFile(peer.NPM(t, "axe-core", "axe.min.js"))
	require.NoError(t, err)
	for _, scheme := range []string{"light", "dark"} {
		var result string
		require.NoError(t, chromedp.Run(ctx,
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.Evaluate(string(script)+";0", nil),
			chromedp.Evaluate(`axe.run().then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map(n => n.html)}))))`, &result,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })))
		var violations []struct {
			ID, Impact string
			Nodes      []string
		}
		require.NoError(t, json.Unmarshal([]byte(result), &violations))
		for _, v := range violations {
			if v.Impact == "serious" || v.Impact == "critical" {
				t.Errorf("%s: %s: %s: %s", scheme, v.Impact, v.ID, strings.Join(v.Nodes, " | "))
			} else {
				t.Logf("%s: %s: %s: %s", scheme, v.Impact, v.ID, strings.Join(v.Nodes, " | "))
			}
		}
	}
}

// Ten thousand findings with hostile names: the page stays small, nothing
// breaks out of its place, and the filter answers. The figures are told; what
// is asserted of time leaves room for a busy machine.
func TestPageWithTenThousandFindings(t *testing.T) {
	var b bytes.Buffer
	r := hostileReport(10_000)
	require.NoError(t, r.writeHTML(&b, "Ten thousand", r.at))
	assert.Less(t, b.Len(), 1_000_000, "bytes")
	ctx := browser(t)
	found := problems(ctx)
	// Over loopback, for a script could not be told apart from a file's.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(b.Bytes())
	}))
	defer server.Close()
	var broken bool
	var loaded, filtered float64
	require.NoError(t, chromedp.Run(ctx, log.Enable(), runtime.Enable(), chromedp.Navigate(server.URL), chromedp.WaitVisible(`body[data-ready=yes]`, chromedp.ByQuery),
		chromedp.Evaluate(`performance.now()`, &loaded),
		chromedp.Evaluate(`(() => { const q = document.getElementById("q"), t = performance.now(); q.value = "host01235"; q.dispatchEvent(new Event("input")); document.body.offsetHeight; return performance.now() - t })()`, &filtered),
		chromedp.Evaluate(`window.broken === 1`, &broken)))
	assert.False(t, broken, "a name ran as a script")
	var count string
	require.NoError(t, chromedp.Run(ctx, chromedp.Text("#count", &count, chromedp.ByQuery)))
	assert.Equal(t, "1 of 10000 findings", count)
	begin := time.Now()
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(server.URL), chromedp.WaitVisible(`body[data-ready=yes]`, chromedp.ByQuery), chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, err := cdp.PrintToPDF().Do(ctx)
		return err
	})))
	t.Logf("%d bytes, loaded after %.0f ms, filtered in %.0f ms, loaded and printed in %v", b.Len(), loaded, filtered, time.Since(begin).Round(10*time.Millisecond))
	assert.Empty(t, found(), "nothing on the console")
}
