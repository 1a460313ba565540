package signins

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Parse says of a record what Read says, wrapped or not, whatever came before.
func TestParse(t *testing.T) {
	for _, record := range sampleRecords(t) {
		if len(bytes.TrimSpace(record)) == 0 {
			continue
		}
		want, wantErr := SignIn{}, error(nil)
		for s, err := range Read(bytes.NewReader(record)) {
			want, wantErr = s, err
		}
		for _, in := range []string{string(record), `{"a":{"message":` + text(string(record)) + `}}`} {
			got, err := Parse([]byte(in))
			if wantErr != nil {
				assert.Error(t, err)
				continue
			}
			require.NoError(t, err, in)
			require.Equal(t, want, got)
		}
	}
}

func TestParseFails(t *testing.T) {
	check := func(record, want string) {
		t.Helper()
		s, err := Parse([]byte(record))
		assert.EqualError(t, err, want)
		assert.Zero(t, s)
	}
	good := graph(`"userAgent":"x"`)
	check("", "signins: not a sign-in record")
	check("hello", "signins: not a sign-in record")
	check(`{"id":1}`, "signins: not a sign-in record")
	check(`{"id":"a`, "signins: unexpected end of the record")
	check(`{"records":[]}`, "signins: not a sign-in record")
	check(`{"records":[`+good+`,`+good+`]}`, "signins: more than one record, which Read can read")
	check(good+good, "signins: more than one record, which Read can read")
	check(`{"category":"AuditLogs","properties":{"id":"1"}}`, "signins: not a sign-in log's record")
	_, err := Parse([]byte(`{"category":"AuditLogs","properties":{"id":"1"}}`))
	assert.ErrorIs(t, err, ErrOtherCategory)
	s, err := Parse([]byte(`{"records":[` + good + `]}`))
	assert.NoError(t, err)
	assert.Equal(t, "1", s.ID)
	s, err = Parse([]byte(bom + good + "\r\n"))
	assert.NoError(t, err)
	assert.Equal(t, "x", s.UserAgent)
}

// Nothing of the record, or of what was parsed before, is in the result.
func TestParseKeepsNothing(t *testing.T) {
	record := sampleRecords(t)[0]
	want, err := Parse(record)
	require.NoError(t, err)
	want = want.Clone()
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for range 200 {
				mine := bytes.Clone(record)
				got, err := Parse(mine)
				assert.NoError(t, err)
				for i := range mine {
					mine[i] = 'x'
				}
				assert.Equal(t, want, got)
			}
		})
	}
	running.Wait()
}

func BenchmarkParse(b *testing.B) {
	record := sampleRecords(b)[0]
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseWrapped(b *testing.B) {
	record := []byte(`{"@timestamp":"2026-11-18T00:02:00Z","event":{"original":` + text(string(sampleRecords(b)[0])) + `}}`)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(record); err != nil {
			b.Fatal(err)
		}
	}
}

func TestReadPage(t *testing.T) {
	page := func(file string) *Page {
		text, err := os.ReadFile(filepath.Join(samples, file))
		require.NoError(t, err)
		p, err := ReadPage(bytes.NewReader(text))
		require.NoError(t, err)
		slow, err := ReadPage(iotest.OneByteReader(bytes.NewReader(text)))
		require.NoError(t, err)
		assert.Equal(t, p, slow)
		var want struct {
			Value []json.RawMessage
			Next  string `json:"@odata.nextLink"`
		}
		require.NoError(t, json.Unmarshal(text, &want))
		assert.Len(t, p.SignIns, len(want.Value))
		assert.Equal(t, want.Next, p.NextLink)
		assert.Empty(t, p.Errors)
		for n := range len(bytes.TrimRight(text, " \r\n")) - 1 { // cut off anywhere, it is none
			if n%997 == 0 || n < 50 {
				_, err := ReadPage(bytes.NewReader(text[:n]))
				require.ErrorIs(t, err, ErrNotPage, "%d", n)
			}
		}
		return p
	}
	assert.NotEmpty(t, page("graph-beta/page-1.json").NextLink)
	assert.Empty(t, page("graph-beta/page-2.json").NextLink)
	assert.Equal(t, GraphV1, page("graph-v1.0/page-1.json").SignIns[0].Format)
	page("graph-v1.0/page-3-empty.json")

	good := graph(`"userAgent":"x"`)
	p, err := ReadPage(strings.NewReader(`{"@odata.nextLink":"https://graph.microsoft.com/beta/x?a=\u0026","value":[` + good + `,{"id":1},` + good + `]}`))
	require.NoError(t, err)
	assert.Equal(t, "https://graph.microsoft.com/beta/x?a=&", p.NextLink, "before the records too")
	assert.Len(t, p.SignIns, 2)
	require.Len(t, p.Errors, 1)
	assert.Equal(t, int64(2), p.Errors[0].Record)
}

func TestReadPageFails(t *testing.T) {
	check := func(body, want string) {
		t.Helper()
		p, err := ReadPage(strings.NewReader(body))
		assert.EqualError(t, err, want)
		assert.Nil(t, p)
	}
	check("", `signins: not a whole page of sign-ins: it begins with ""`)
	check("[]", `signins: not a whole page of sign-ins: it begins with "[]"`)
	check("{}", `signins: not a whole page of sign-ins: it begins with "{}"`)
	check("<html>busy</html>", `signins: not a whole page of sign-ins: it begins with "<html>busy</html>"`)
	check(`{"value":null}`, `signins: not a whole page of sign-ins: it begins with "{\"value\":null}"`)
	check(`{"value":[]}{"value":[]}`, `signins: not a whole page of sign-ins: something follows it`)
	check(`{"value":[],"@odata.nextLink":5}`, `signins: not a whole page of sign-ins: its @odata.nextLink is no text`)
	check(`{"value":[],"@odata.nextLink":null}`, `signins: not a whole page of sign-ins: its @odata.nextLink is null or empty`)
	check(`{"value":[],"@odata.nextLink":""}`, `signins: not a whole page of sign-ins: its @odata.nextLink is null or empty`)
	check(`{"error":{"code":"UnknownError","message":"Too many\nrequests"}}`, `signins: Microsoft Graph: "UnknownError": "Too many\nrequests"`)
	_, err := ReadPage(io.MultiReader(strings.NewReader(`{"value":[`), iotest.ErrReader(errors.New("reset by peer"))))
	assert.EqualError(t, err, "signins: reset by peer")
	var graphError *GraphError
	_, err = ReadPage(strings.NewReader(`{"error":{"code":"x"}}`))
	require.ErrorAs(t, err, &graphError)
	assert.Equal(t, "x", graphError.Code)
}
