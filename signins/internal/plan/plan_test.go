package plan

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan/plantest"
)

// judged evaluates the steps of the plan for each event.
func judged(t *testing.T, z *signins.Summarizer, events []signins.SignIn) map[string]signins.Group {
	t.Helper()
	p, q := New(z), verdicts()
	got := map[string]signins.Group{}
	for _, row := range p.answer(&q, Window{}, events) {
		g, err := q.group(row)
		require.NoError(t, err)
		got[row[0].Any.(string)] = g
	}
	return got
}

// The steps judge every spelling, user agent, protocol and code as Classify
// does, by both definitions.
func TestStepsAreClassify(t *testing.T) {
	events := plantest.SignIns()
	for i := range events { // an address as a reader leaves it
		events[i].IPAddress = strings.TrimSuffix(events[i].IPAddress, ":443")
	}
	for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
		keep := events[:0:0]
		for _, s := range events {
			if !strings.ContainsAny(s.IPAddress, "[]xb") { // not as a reader leaves it
				keep = append(keep, s)
			}
		}
		plantest.Require(t, definition, keep, judged(t, &signins.Summarizer{Definition: definition}, keep))
	}
}

// Other tables make other queries.
func TestTablesReachTheQueries(t *testing.T) {
	tables, err := signins.LoadTables(fstest.MapFS{
		"client-apps.json": {Data: []byte(`{"asOf":"2026-12-01","extends":true,"values":[{"names":["Carrier Pigeon \"quoted\""],"protocol":"other-legacy","legacy":"yes"}],"userAgents":[{"name":"PIGEON"}]}`)},
		"error-codes.json": {Data: []byte(`{"asOf":"2026-12-01","extends":true,"codes":[{"code":777,"name":"Eaten","outcome":"bad-password","password":"no","guess":true}]}`)},
	})
	require.NoError(t, err)
	z := &signins.Summarizer{Tables: tables}
	for name, d := range map[string]struct {
		dialect Dialect
		client  string
	}{
		"KQL": {KQLDialect(), `"carrier pigeon \"quoted\""`},
		"SQL": {SQLDialect(Table{From: "t", Record: "r", Delivered: "d"}), `'carrier pigeon "quoted"'`},
	} {
		text := ""
		for _, q := range New(z).Queries(d.dialect, Window{}) {
			text += q.Text
		}
		assert.Contains(t, text, d.client, name)
		assert.Contains(t, strings.ToLower(text), "pigeon", name)
		assert.Contains(t, text, "777", name)
	}
}

// No step needs one that comes after it, and every column that is needed is
// there.
func TestStepsAreInOrder(t *testing.T) {
	for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
		p := New(&signins.Summarizer{Definition: definition})
		known := map[string]bool{}
		for _, name := range columnNames {
			known[name] = true
		}
		for _, s := range p.steps {
			s.is.columns(func(name string) { assert.True(t, known[name], "%s needs %s", s.name, name) })
			assert.False(t, known[s.name], "%s twice", s.name)
			known[s.name] = true
		}
		for _, q := range p.questions {
			for _, k := range q.keys {
				k.is.columns(func(name string) { assert.True(t, known[name], "%s needs %s", q.part, name) })
			}
		}
	}
}

// Quoted texts stay one text, whatever is in them.
func TestQuoting(t *testing.T) {
	for _, text := range []string{"", `"`, `'`, `\`, "a\nb", "x\ty", `\'; DROP TABLE signins; --`, `") | take 1 //`, "\u2028", "ü"} {
		kql := kqlText(text)
		assert.NotContains(t, kql, "\n")
		inner := kql[1 : len(kql)-1]
		assert.NotRegexp(t, `(^|[^\\])(\\\\)*"`, inner, text)
		sql := sqlText(text)
		assert.NotContains(t, sql, "\n")
		assert.NotRegexp(t, `(^|[^\\])(\\\\)*'`, sql[1:len(sql)-1], text)
	}
}

// FuzzQuoting holds that a quoted text is one literal, and is read back as it
// was by the rules of each language.
func FuzzQuoting(f *testing.F) {
	for _, text := range []string{"", `"`, `'`, `\`, `\\"`, "a\nb\r\t", `') OR 1=1 --`, "\x00", "\xff", "\u2028"} {
		f.Add(text)
	}
	unquoted := func(quoted string, mark byte) (string, bool) {
		if len(quoted) < 2 || quoted[0] != mark || quoted[len(quoted)-1] != mark {
			return "", false
		}
		var b []byte
		for i := 1; i < len(quoted)-1; i++ {
			c := quoted[i]
			switch {
			case c == mark || c == '\n' || c == '\r':
				return "", false
			case c == '\\' && i+1 < len(quoted)-1:
				i++
				c = quoted[i]
				if at := strings.IndexByte("nrt", c); at >= 0 {
					c = "\n\r\t"[at]
				}
			case c == '\\':
				return "", false
			}
			b = append(b, c)
		}
		return string(b), true
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?") // as readers and tables leave it
		for mark, quoted := range map[byte]string{'"': kqlText(text), '\'': sqlText(text)} {
			back, ok := unquoted(quoted, mark)
			if !ok || back != text {
				t.Fatalf("%q became %s, which is %q", text, quoted, back)
			}
		}
	})
}
