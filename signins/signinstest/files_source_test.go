package signinstest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A folder is a Source of which each page is a file. It is what an embedder
// writes in a few lines.
type folder struct{ fs.FS }

func (f folder) Page(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, "", err
	}
	names, err := fs.Glob(f, "*")
	if err != nil || len(names) == 0 {
		return nil, "", err
	}
	i := 0
	if cursor != "" {
		if i = slices.Index(names, cursor); i < 0 {
			return nil, "", fmt.Errorf("there is no file %.60q", cursor)
		}
	}
	file, err := f.Open(names[i])
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	var page []signins.SignIn
	for s, err := range signins.Read(file) {
		if err != nil {
			return nil, "", err
		}
		page = append(page, s)
	}
	next := ""
	if i+1 < len(names) {
		next = names[i+1]
	}
	return page, next, nil
}

// The pages that a Graph serves, kept as files, conform as well.
func TestFilesConform(t *testing.T) {
	require.NoError(t, signinstest.TestSource(conformanceStart, func(events []signins.SignIn) signins.Source {
		g := signinstest.NewGraph(slices.Values(events))
		g.Now = func() time.Time { return conformanceStart }
		files := fstest.MapFS{}
		for next := "https://graph.microsoft.com/beta/auditLogs/signIns?$top=100"; next != ""; {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
			require.NoError(t, err)
			request.Header.Set("Prefer", "include-unknown-enum-members")
			response, err := g.RoundTrip(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			page, err := signins.ReadPage(bytes.NewReader(body))
			require.NoError(t, err)
			files[fmt.Sprintf("%04d.json", len(files))] = &fstest.MapFile{Data: body}
			next = page.NextLink
		}
		return folder{files}
	}))
}

// What a Graph does not model, it refuses.
func TestGraphIsStrict(t *testing.T) {
	g := signinstest.GraphOf(&signinstest.Tenant{Users: 20, Events: 50})
	g.Now = func() time.Time { return conformanceStart.AddDate(0, 0, 2) }
	status := func(method, path, query string) int {
		request := &http.Request{Method: method, URL: &url.URL{Scheme: "https", Host: "graph.microsoft.com", Path: path, RawQuery: query}, Header: http.Header{}}
		response, err := g.RoundTrip(request.WithContext(t.Context()))
		require.NoError(t, err)
		return response.StatusCode
	}
	const beta, v1 = "/beta/auditLogs/signIns", "/v1.0/auditLogs/signIns"
	for _, good := range []string{"", "$top=1", "$orderby=createdDateTime", "$orderby=createdDateTime%20desc",
		"$filter=" + url.QueryEscape("createdDateTime ge 2026-11-01T00:00:00Z and (clientAppUsed eq 'O''Brien' or clientAppUsed eq 'a) and (b')"),
		"$filter=" + url.QueryEscape("startsWith(userPrincipalName, 'user')"), "$filter=" + url.QueryEscape("status/errorCode eq 0"),
		"$filter=" + url.QueryEscape("signInEventTypes/any(t: t eq 'managedIdentity')")} {
		assert.Equal(t, 200, status("GET", beta, good), good)
	}
	for _, bad := range []string{"$top=0", "$top=1001", "$top=x", "$skip=1", "$select=id", "$count=true", "$orderby=id", "$orderby=createdDateTime%20up",
		"$filter=", "$filter=x", "$filter=" + url.QueryEscape("isInteractive eq true"), "$filter=" + url.QueryEscape("clientAppUsed ne 'x'"),
		"$filter=" + url.QueryEscape("clientAppUsed eq x"), "$filter=" + url.QueryEscape("createdDateTime ge '2026-11-01T00:00:00Z'"),
		"$filter=" + url.QueryEscape("createdDateTime ge 2026-01-01T00:00:00Z"), "$filter=" + url.QueryEscape("signInEventTypes/any(t: t eq 'robot')"),
		"$filter=" + url.QueryEscape("(clientAppUsed eq 'x'"), "$skiptoken=", "$skiptoken=invented", "$top=1&$top=2"} {
		assert.Equal(t, 400, status("GET", beta, bad), bad)
	}
	assert.Equal(t, 400, status("GET", v1, "$filter="+url.QueryEscape("signInEventTypes/any(t: t eq 'interactiveUser')")))
	assert.Equal(t, 405, status("POST", beta, ""))
	assert.Equal(t, 404, status("GET", "/v1.0/users", ""))
	g.Handle("/v1.0/users", http.RedirectHandler("/elsewhere", http.StatusFound))
	assert.Equal(t, 302, status("GET", "/v1.0/users", ""))
}
