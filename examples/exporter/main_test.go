package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func scrape(t *testing.T, url string) map[string]string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	line := regexp.MustCompile(`^([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})?) (-?[0-9.e+]+)$`)
	samples := make(map[string]string)
	for l := range strings.Lines(string(text)) {
		l = strings.TrimRight(l, "\n")
		if strings.HasPrefix(l, "# HELP ") || strings.HasPrefix(l, "# TYPE ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		require.NotNil(t, m, "not the text format: %s", l)
		assert.NotContains(t, samples, m[1], "a sample twice")
		samples[m[1]] = m[2]
	}
	return samples
}

func TestScrape(t *testing.T) {
	server := (&tlsprobetest.Server{MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS12}).Start()
	defer server.Close()
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	v, err := connectversion.Parse("2.6.3.0")
	require.NoError(t, err)
	e := &exporter{probe: []string{server.Addr, "127.0.0.1:1x"}, certs: []string{"../report/estate/OAuthCert.cer", "nowhere.cer"}, connect: v, every: time.Hour, now: func() time.Time { return now }}
	web := httptest.NewServer(e)
	defer web.Close()

	got := scrape(t, web.URL+"/metrics")
	assert.Equal(t, "1", got[`crossprem_tls_version_accepted{target="`+server.Addr+`",version="TLS 1.0"}`], "%v", got)
	assert.Equal(t, "0", got[`crossprem_tls_version_accepted{target="`+server.Addr+`",version="TLS 1.3"}`])
	assert.Equal(t, "223", got[`crossprem_connect_support_days_left{version="2.6.3.0"}`])
	assert.Equal(t, "2", got["crossprem_failures"])
	days, dated := 0, 0
	for name := range got {
		if strings.HasPrefix(name, "crossprem_certificate_days_left") {
			days++
		}
		if strings.HasPrefix(name, "crossprem_finding_due_days") {
			dated++
		}
	}
	assert.Equal(t, 1, days)
	assert.Positive(t, dated)

	// Judged anew after an hour, not before.
	now = now.Add(time.Minute)
	assert.Equal(t, got, scrape(t, web.URL+"/metrics"))
	now = now.Add(time.Hour)
	assert.NotEqual(t, got["crossprem_judged_timestamp_seconds"], scrape(t, web.URL+"/metrics")["crossprem_judged_timestamp_seconds"])
}

func TestLabelsAreEscaped(t *testing.T) {
	var m metrics
	m.add("crossprem_failures", 1, "target", "a\"b\\c\nd\xff", "empty", "")
	assert.Contains(t, m.text(), `crossprem_failures{target="a\"b\\c\nd`+"\uFFFD"+`"} 1`)
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	assert.Equal(t, ran, run(ctx, []string{"-help"}, &out, &errs))
	assert.Equal(t, wrongUsage, run(ctx, []string{"x"}, &out, &errs))
	assert.Equal(t, wrongUsage, run(ctx, []string{"-probe", "a:b:c"}, &out, &errs))
	assert.Equal(t, couldNot, run(t.Context(), []string{"-listen", "nowhere:1x"}, &out, &errs))
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.Equal(t, ran, run(ctx, []string{"-listen", "127.0.0.1:0"}, &out, &errs), "Ctrl-C ends it")
}
