package signins

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// A pair is a member of an object as encoding/json reads it, in the order of
// the text and with duplicates.
type pair struct {
	key   string
	value any // nil, bool, string, json.Number, []pair or []any
}

// readTree reads one value with encoding/json alone.
func readTree(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		pairs := []pair{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readTree(d)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, pair{key.(string), v})
		}
		_, err := d.Token()
		return pairs, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readTree(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil
}

func writeTree(b []byte, v any) []byte {
	switch v := v.(type) {
	case []pair:
		b = append(b, '{')
		for i, p := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(writeTree(b, p.key), ':')
			b = writeTree(b, p.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = writeTree(b, e)
		}
		return append(b, ']')
	}
	text, _ := json.Marshal(v)
	return append(b, text...)
}

func treeOf(text []byte) (any, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readTree(d)
	return v, err == nil
}

// A reference reads records with encoding/json. It shares with the parser the
// meaning of members, and nothing of how they are found and read.
type reference struct{ *parser }

var errBadText = errors.New("bad JSON text in a string")

func (r reference) object(pairs []pair, members *members, root bool) error {
	for _, m := range pairs {
		w, ok := members.find(m.key)
		if !ok {
			continue
		}
		n := r.newNode(m.key, w)
		r.seen |= w.fields
		list, isList := m.value.([]any)
		object, isObject := m.value.([]pair)
		text, isText := m.value.(string)
		switch {
		case w.slot == slotContainer:
			if isList && root {
				return errContainer
			}
		case w.members != nil && isObject && !w.array:
			if err := r.object(object, w.members, false); err != nil {
				return err
			}
		case w.members != nil && isList && w.array:
			if err := r.list(list, w.members); err != nil {
				return err
			}
		case w.slot.isLate() && (w.members == nil || isText):
			var l late
			switch v := m.value.(type) {
			case string:
				l.text = []byte(v)
			case json.Number:
				l.text = []byte(v)
			}
			r.late[w.slot-firstLate] = l
		case w.members != nil && isText:
			open := "{"
			if w.array {
				open = "["
			}
			if !strings.HasPrefix(text, open) {
				if text != "" {
					r.lost |= n.fields
				}
				break
			}
			inner, ok := treeOf([]byte(text))
			if !ok {
				return errBadText
			}
			var err error
			if w.array {
				err = r.list(inner.([]any), w.members)
			} else {
				err = r.object(inner.([]pair), w.members, false)
			}
			if err != nil {
				return err
			}
		default:
			var err error
			switch v := m.value.(type) {
			case string:
				err = r.setText(n, []byte(v))
			case json.Number:
				r.setNumber(n, []byte(v))
			case bool:
				r.setWord(n, v)
			case []any, []pair:
				if n.slot.isRaw() {
					r.setRaw(n, writeTree(nil, v))
				} else {
					r.setOther(n, writeTree(nil, v))
				}
			case nil:
				r.nulls |= n.fields
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r reference) list(list []any, members *members) error {
	for _, e := range list {
		if object, ok := e.([]pair); ok {
			if err := r.object(object, members, false); err != nil {
				return err
			}
		} else {
			r.seen |= markCut
		}
	}
	return nil
}

// A reading is what came of one record.
type reading struct {
	SignIn SignIn
	Err    string
}

func readingOf(s SignIn, err error) reading {
	if err != nil {
		return reading{Err: err.Error()}
	}
	return reading{SignIn: s}
}

// readWhole reads text as one record by way of p.
func readWhole(p *parser, text []byte) (SignIn, error) {
	n, err := p.read(p.readRecord, text)
	if err == nil && scan.Space(text, n) != len(text) {
		err = errors.New("trailing text")
	}
	if err == nil {
		err = p.finish()
	}
	return p.rec.Clone(), err
}

// readReference reads text as one record with encoding/json. It reports false
// if the text is not valid JSON, or has invalid JSON text in a string.
func readReference(text []byte) (reading, bool) {
	tree, ok := treeOf(text)
	if !ok {
		return reading{}, false
	}
	p := newParser()
	p.reset()
	pairs, ok := tree.([]pair)
	if !ok {
		return reading{}, false
	}
	err := reference{p}.object(pairs, recordMembers, true)
	if err == errBadText {
		return reading{}, false
	}
	if err == nil {
		err = p.finish()
	}
	return readingOf(p.rec.Clone(), err), true
}

// checkParser checks that the records, read one after the other and twice,
// come out as encoding/json reads them, and that nothing depends on what was
// read before.
func checkParser(t *testing.T, records ...[]byte) {
	p := newParser()
	for range 2 {
		for _, text := range records {
			got := readingOf(readWhole(p, text))
			fresh := readingOf(readWhole(newParser(), text))
			require.Equal(t, fresh, got, "%q", text)
			if want, ok := readReference(text); ok {
				require.Equal(t, want, got, "%q", text)
			} else if tree, valid := treeOf(text); valid {
				if _, object := tree.([]pair); !object {
					require.NotEmpty(t, got.Err, "%q", text)
				}
			}
		}
	}
}

func sampleRecords(t testing.TB) (records [][]byte) {
	for _, file := range []string{
		"storage/insights-logs-signinlogs/tenantId=11111111-2222-4333-8444-555555555555/y=2026/m=11/d=18/h=09/m=00/PT1H.json",
		"storage/insights-logs-managedidentitysigninlogs/tenantId=11111111-2222-4333-8444-555555555555/y=2026/m=11/d=18/h=08/m=00/PT1H.json",
	} {
		text, err := os.ReadFile(filepath.Join(samples, file))
		require.NoError(t, err)
		records = append(records, bytes.Split(bytes.TrimSpace(text), []byte("\n"))...)
	}
	for _, file := range []string{"graph-beta/page-1.json", "graph-v1.0/page-1.json", "portal/InteractiveSignIns_2026-11-18_2026-11-18.json", "defender/EntraIdSignInEvents.json", "unifiedaudit/management-api.json"} {
		text, err := os.ReadFile(filepath.Join(samples, file))
		require.NoError(t, err)
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			var page struct{ Value, Results []json.RawMessage }
			require.NoError(t, json.Unmarshal(text, &page))
			list = append(page.Value, page.Results...)
		}
		for _, r := range list {
			records = append(records, r)
		}
	}
	return records
}

func TestParserAgainstEncodingJSON(t *testing.T) {
	checkParser(t, sampleRecords(t)...)
}

// FuzzParser compares the parser with encoding/json on two records, read
// alternately so that each is predicted from the other.
func FuzzParser(f *testing.F) {
	records := sampleRecords(f)
	for k := 0; k+1 < len(records); k += 7 {
		f.Add(records[k], records[k+1])
	}
	for _, pair := range [][2]string{
		{`{"id":"a","createdDateTime":"2026-11-18T09:17:00Z","status":{"errorCode":0},"x":[{"a":1,"b":2}]}`, `{"id":"b","status":{"errorCode":"50126"},"x":[{"a":1,"b":3},5,[]],"createdDateTime":"2026-11-18T09:17:00Z"}`},
		{`{"id":"\ud800\u0041","appId":"\xff","status":null,"location":"DE"}`, `{ "id" : 5 , "appId":true,"location":{"city":"\u00fc"},"status":"{\"errorCode\":1}" }`},
		{`{"Category":"SignInLogs","Status":"{\"errorCode\":0}","AuthenticationDetails":"[{\"authenticationMethod\":\"X.509 Certificate\"}]"}`, `{"category":"AuditLogs","properties":{}}`},
		{`{"authenticationDetails":[{"authenticationMethod":"Password","authenticationMethodDetail":"a"},1,{}],"signInEventTypes":["interactiveUser"],"isInteractive":true}`, `{"authenticationDetails":[],"signInEventTypes":"[\"servicePrincipal\"]","isInteractive":"False"}`},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) { checkParser(t, a, b) })
}

// readAll reads text with small limits and returns what comes.
func readAll(r io.Reader) (list []reading) {
	reader := &Reader{MaxRecord: 64 << 10, MaxErrors: 10}
	for s, err := range reader.Read(r) {
		list = append(list, readingOf(s.Clone(), err))
	}
	return list
}

// FuzzRead checks that reading whole files does not depend on how the bytes
// arrive, that offsets and numbers grow, and that lines which are valid JSON
// objects are read as if each were alone.
func FuzzRead(f *testing.F) {
	for _, want := range readExpected(f) {
		for _, file := range want.Files {
			text, err := os.ReadFile(filepath.Join(samples, file))
			require.NoError(f, err)
			f.Add(text[:min(len(text), 8000)])
			f.Add(text[max(0, len(text)-6000):])
		}
	}
	f.Add([]byte("{\"records\":[{\"category\":\"AuditLogs\"},{\"category\":\"SignInLogs\",\"properties\":{\"id\":\"a\"}}]}\n{\"id\":1,\n"))
	f.Add([]byte("\"\"\t,\t"))
	f.Add([]byte("[{\n\"id\":\"a\"},\n{\"id\":\"b\"}]{\"value\":[]}"))
	f.Add([]byte("{\"time\":1{\"time\":\"\",\"category\":\"SignInLogs\",\"properties\":{\"id\":\"a\"}}\n"))
	f.Add([]byte(bom + "#TYPE x\nUser,Username,Status,Request ID\na,b,c,d\n" + bom + "[{\n" + bom + "\tUser\tUsername\tStatus\tRequest ID\n1\ta\tb\tc\td\n{\"id\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := readAll(bytes.NewReader(text))
		require.Equal(t, whole, readAll(iotest.OneByteReader(bytes.NewReader(text))))
		last := RecordError{}
		n := int64(0)
		for _, err := range (&Reader{MaxErrors: 1 << 30}).Read(bytes.NewReader(text)) {
			n++
			var e *RecordError
			if errors.As(err, &e) {
				require.Equal(t, n, e.Record)
				require.GreaterOrEqual(t, e.Offset, last.Offset)
				require.LessOrEqual(t, e.Offset, int64(len(text)))
				last = *e
			}
		}
	})
}

// FuzzLines checks that a line with a valid record is read, whatever torn or
// broken line comes before it.
func FuzzLines(f *testing.F) {
	records := sampleRecords(f)
	f.Add(records[0], []byte(`{"time":"2026-11-18T09:02`), records[1])
	f.Add(records[0], []byte(`{"records":[{"a":[[{"b":"`), records[2])
	f.Add(records[0], []byte(`]}"`), records[3])
	f.Add(records[0], []byte(`{"records":[],`), records[3])
	f.Add(records[0], []byte(`["":"x", "y": `), records[3])
	f.Fuzz(func(t *testing.T, first, torn, second []byte) {
		for _, text := range [][]byte{first, second} {
			tree, ok := treeOf(text)
			if _, object := tree.([]pair); !ok || !object || bytes.ContainsAny(text, "\r\n") {
				t.Skip()
			}
		}
		want, _ := readReference(second)
		if want.Err == errContainer.Error() || bytes.IndexByte(torn, '\n') >= 0 || want.Err != "" {
			t.Skip()
		}
		if r, _ := readReference(first); r.Err != "" {
			t.Skip()
		}
		if bytes.Contains(torn, []byte("tables")) || bytes.Contains(torn, []byte("rows")) {
			t.Skip() // says that there are no records but rows
		}
		if text := bytes.TrimSpace(torn); len(text) > 0 && (text[0] == '[' || text[0] == '{') && scan.Space(text, 1) == len(text) {
			t.Skip() // says that it spans lines
		}
		list := readAll(bytes.NewReader(bytes.Join([][]byte{first, torn, second}, []byte("\n"))))
		want.SignIn.Format, want.SignIn.Known = 0, 0 // a torn line may have opened a page or batch
		found := slices.ContainsFunc(list, func(r reading) bool {
			r.SignIn.Format, r.SignIn.Known = 0, 0
			return r == want
		})
		require.True(t, found, "%+v", list)
	})
}

// FuzzCells compares the splitting of CSV with encoding/csv.
func FuzzCells(f *testing.F) {
	f.Add("a,b\r\n\"c\",\"d \"\"e\"\"\nf\"\n")
	f.Add("a,\n,\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		r := csv.NewReader(strings.NewReader(text))
		want, err := r.Read()
		if err != nil || strings.HasPrefix(text, "\n") || strings.HasPrefix(text, "\r\n") {
			t.Skip() // encoding/csv skips blank lines, and so does the caller of cells
		}
		var got []string
		var scratch []byte
		n, err := cells([]byte(text), ',', &scratch, func(_ int, cell []byte) error {
			// encoding/csv turns all line breaks into \n
			got = append(got, strings.ReplaceAll(string(cell), "\r\n", "\n"))
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, r.InputOffset(), int64(n))
	})
}

// strict matches the form of RFC 3339, which time.Parse is not strict about.
var strict = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// FuzzTime compares parseTime with time.Parse.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"2026-11-18T09:00:00.1282999+00:00", "2026-11-18T08:00:00", "2024-02-29t23:59:59z", "2026-11-18T08:00:00.5-07:30", "2/25/2025, 9:19:25.391 AM", "0001-01-01T00:00:00Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 11 && (text[10] == ' ' || text[10] == 't') {
			text = text[:10] + "T" + text[11:] // RFC 3339, section 5.6, leaves the choice
		}
		got, ok := parseTime([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, text)
		if err == nil && strict.MatchString(text) && want.Year() > 0 {
			require.True(t, ok, text)
			require.True(t, want.Equal(got), "%s: %v instead of %v", text, got, want)
		} else if ok && strings.HasSuffix(text, "Z") {
			require.Failf(t, "too lenient", "%q is %v", text, got)
		}
	})
}

// TestText checks that SignIn.text lists all strings, in order.
func TestText(t *testing.T) {
	var s SignIn
	want := []*string{}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.String {
			want = append(want, v.Field(i).Addr().Interface().(*string))
		}
	}
	got := s.text()
	require.Len(t, got, len(want))
	for i := range want {
		assert.Same(t, want[i], got[i])
	}
}
