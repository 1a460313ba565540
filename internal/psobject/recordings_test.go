package psobject

import (
	"archive/tar"
	"compress/bzip2"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recording is what PowerShell 7 printed or exported of known objects.
type recording struct {
	File       string          `json:"file"`
	Truth      json.RawMessage `json:"truth"` // a name or several, of the files that hold the objects
	Form       string          `json:"form"`
	Command    string          `json:"command"`    // the one command that it holds
	Properties []string        `json:"properties"` // those asked for; all, if empty
	Bundle     bool            `json:"bundle"`     // a table of command and objects
	Commands   []string        `json:"commands"`   // typed in a transcript
	Delimiter  string          `json:"delimiter"`
	Width      int             `json:"width"`

	text []byte
	want []truth
}

// A truth is a command and the objects that it returned.
type truth struct {
	Command string      `json:"command"`
	Objects []trueValue `json:"objects"`
}

// A trueValue is a value as PowerShell held it.
type trueValue struct {
	Is         string               `json:"is"`
	Text       *string              `json:"text"`
	Number     string               `json:"number"`
	UTC        *string              `json:"utc"`
	Items      []trueValue          `json:"items"`
	Entries    map[string]trueValue `json:"entries"`
	Properties trueProperties       `json:"properties"`
	Type       string               `json:"type"`
}

// trueProperties keep their order.
type trueProperties struct {
	names  []string
	values map[string]trueValue
}

func (p *trueProperties) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &p.values); err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	depth := 0
	key := false
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch d, ok := token.(json.Delim); {
		case ok && (d == '{' || d == '['):
			depth++
			key = depth == 1
		case ok:
			depth--
			key = depth == 1
		case depth == 1 && key:
			p.names = append(p.names, token.(string))
			key = false
		case depth == 1:
			key = true
		}
	}
}

// recordings returns all recordings in testdata.
func recordings(t testing.TB) []recording {
	t.Helper()
	f, err := os.Open("testdata/recordings.tar.bz2")
	require.NoError(t, err)
	defer f.Close()
	archive := tar.NewReader(bzip2.NewReader(f))
	files := make(map[string][]byte)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		files[header.Name], err = io.ReadAll(archive)
		require.NoError(t, err)
	}
	read := func(name string) []byte {
		require.Contains(t, files, name)
		return files[name]
	}
	var all []recording
	require.NoError(t, json.Unmarshal(read("index.json"), &all))
	truths := make(map[string][]truth)
	for i := range all {
		r := &all[i]
		r.text = read(r.File)
		var names []string
		if json.Unmarshal(r.Truth, &names) != nil {
			names = make([]string, 1)
			require.NoError(t, json.Unmarshal(r.Truth, &names[0]))
		}
		for _, name := range names {
			if truths[name] == nil {
				var file struct{ Commands []truth }
				require.NoError(t, json.Unmarshal(read(name), &file))
				truths[name] = file.Commands
			}
			for _, c := range truths[name] {
				if r.Command == "" || c.Command == r.Command {
					r.want = append(r.want, c)
				}
			}
		}
	}
	return all
}

// A tally counts what became of the objects and values of recordings.
type tally struct {
	Objects, Lost, MadeUp, Values, Known, Unknown, Wrong int

	examples []string
}

func (a *tally) add(b tally) {
	a.Objects += b.Objects
	a.Lost += b.Lost
	a.MadeUp += b.MadeUp
	a.Values += b.Values
	a.Known += b.Known
	a.Unknown += b.Unknown
	a.Wrong += b.Wrong
	a.examples = append(a.examples, b.examples[:min(len(b.examples), 4)]...)
}

// judge compares what was read with what there was.
func (r recording) judge(outputs []Output) tally {
	var a tally
	if len(r.Commands) > 0 {
		r.judgeTranscript(&a, outputs)
		return a
	}
	if r.Bundle {
		seen := make(map[string]bool)
		for _, w := range r.want {
			var got []Object
			for _, out := range outputs {
				if out.Command == w.Command {
					got = append(got, out.Objects...)
				}
			}
			seen[w.Command] = true
			r.objects(&a, w.Objects, got)
		}
		for _, out := range outputs {
			if !seen[out.Command] {
				a.MadeUp += len(out.Objects)
				if len(out.Objects) > 0 {
					a.examples = append(a.examples, fmt.Sprintf("%s: made up %q %d", r.File, out.Command, len(out.Objects)))
				}
			}
		}
		return a
	}
	var want []trueValue
	for _, w := range r.want {
		want = append(want, w.Objects...)
	}
	r.objects(&a, want, Objects(outputs))
	return a
}

// judgeTranscript goes through the commands typed and what each printed.
func (r recording) judgeTranscript(a *tally, outputs []Output) {
	at := 0
	for _, line := range r.Commands {
		var want []trueValue
		command := ""
		for _, w := range r.want {
			if i := strings.Index(strings.ToLower(line), strings.ToLower(w.Command)); i >= 0 && !strings.Contains(line, ").") && !strings.Contains(line, ")[") {
				want, command = w.Objects, w.Command
			}
		}
		if command == "" {
			continue
		}
		for at < len(outputs) && !strings.EqualFold(outputs[at].Command, command) {
			if outputs[at].Command != "" && len(outputs[at].Objects) > 0 {
				a.MadeUp += len(outputs[at].Objects)
				a.examples = append(a.examples, fmt.Sprintf("%s: made up %q %d", r.File, outputs[at].Command, len(outputs[at].Objects)))
			}
			at++
		}
		if at == len(outputs) {
			r.objects(a, want, nil)
			at = 0
			continue
		}
		r.objects(a, want, outputs[at].Objects)
		at++
	}
	for ; at < len(outputs); at++ {
		if outputs[at].Command != "" {
			a.MadeUp += len(outputs[at].Objects)
		}
	}
}

func (r recording) objects(a *tally, want []trueValue, got []Object) {
	a.Objects += len(want)
	a.Lost += max(0, len(want)-len(got))
	a.MadeUp += max(0, len(got)-len(want))
	if len(want) != len(got) {
		a.examples = append(a.examples, fmt.Sprintf("%s: %d objects for %d", r.File, len(got), len(want)))
	}
	for i := range min(len(want), len(got)) {
		for _, p := range got[i].Properties {
			known := false
			for _, name := range want[i].Properties.names {
				known = known || strings.EqualFold(name, p.Name)
			}
			blank := p.Value.State == Blank || p.Value.State == Cut || p.Value.Text == "" && len(p.Value.List) == 0 // of other kinds of objects in a table
			if !known && !blank && p.Name != "PSComputerName" && p.Name != "RunspaceId" && p.Name != "PSShowComputerName" {
				a.Wrong++
				a.examples = append(a.examples, fmt.Sprintf("%s: %d has no property %q = %.200q", r.File, i, p.Name, p.Value.Text))
			}
		}
		for _, name := range want[i].Properties.names {
			if len(r.Properties) > 0 && !slices.Contains(r.Properties, name) {
				continue
			}
			w := want[i].Properties.values[name]
			g := got[i].Get(name)
			if g.State == Absent {
				continue
			}
			a.Values++
			switch compareValue(w, g) {
			case right:
				a.Known++
			case unknown:
				a.Unknown++
			default:
				a.Wrong++
				b, _ := json.Marshal(w)
				a.examples = append(a.examples, fmt.Sprintf("%s: %d %s\n\twant %s\n\tgot  %v %.300q %d\n\tthere %s", r.File, i, name, short(b), g.State, g.Text, len(g.List), differs(w, g)))
			}
		}
	}
}

type outcome int

const (
	wrong outcome = iota
	unknown
	right
)

func judged(equal bool, state State) outcome {
	switch {
	case state == Cut || state == Unreadable || state == Absent:
		return unknown
	case equal:
		return right
	}
	return wrong
}

// compareValue reports whether v is the value w, or unknown. Where the print
// cannot tell, both are right: null and an empty text, {a, b} of a list and of
// a text, a date without an offset.
func compareValue(w trueValue, v Value) outcome {
	if v.State == Cut || v.State == Unreadable || v.State == Absent {
		return unknown
	}
	text := ""
	if w.Text != nil {
		text = *w.Text
	}
	empty := v.State == Blank || v.State == Present && v.List != nil && len(v.List) == 0 || v.Object != nil && len(v.Object.Properties) == 0
	switch w.Is {
	case "null":
		return judged(empty, v.State)
	case "text":
		if v.List != nil && v.Text != "" {
			return judged(sameText(text, v.Text), Present)
		}
		s, state := v.AsString()
		return judged(sameText(text, s), state)
	case "boolean":
		b, state := v.AsBool()
		return judged(state == Present && fmt.Sprint(b) == text, state)
	case "number":
		s, state := v.AsString()
		return judged(s == text || v.Number == text || sameNumber(text, s), state) // 1,5 where the culture has it so
	case "enumeration":
		s, state := v.AsString()
		if state == Present && (s == text || v.Number == w.Number) {
			return right
		}
		return judged(strings.ReplaceAll(s, " ", "") == strings.ReplaceAll(text, " ", "") && s != "", state)
	case "time":
		at, state := v.AsTime()
		if state == Blank {
			return wrong
		}
		same := false
		for _, s := range []*string{w.Text, w.UTC} {
			if s == nil {
				continue
			}
			for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999"} {
				if t, err := time.Parse(layout, *s); err == nil {
					same = same || t.UTC().Truncate(time.Second).Equal(at.Truncate(time.Second))
				}
			}
		}
		if len(text) >= 19 { // the clock of a zone whose offset was not printed
			if t, err := time.Parse("2006-01-02T15:04:05", text[:19]); err == nil {
				same = same || t.Equal(at.Truncate(time.Second))
			}
		}
		return judged(same, state)
	case "duration":
		s, state := v.AsString()
		return judged(s == text, state)
	case "bytes":
		raw, _ := hex.DecodeString(text)
		if v.List == nil {
			s, state := v.AsString()
			joined := strings.Trim(fmt.Sprint([]byte(raw)), "[]")
			if v.joined == joinedByBlanks && s == joined {
				return unknown
			}
			return judged(s == base64.StdEncoding.EncodeToString(raw) || strings.EqualFold(s, text) || s == "" && len(raw) == 0, state)
		}
		if len(v.List) != len(raw) {
			return wrong
		}
		for i, e := range v.List {
			if e.Text != strconv.Itoa(int(raw[i])) {
				return wrong
			}
		}
		return right
	case "list":
		if v.List == nil {
			list, state := v.AsStrings()
			if state != Present {
				return judged(false, state)
			}
			if len(w.Items) == 0 {
				return judged(len(list) == 0, state)
			}
			if len(w.Items) == 1 {
				return compareValue(w.Items[0], v)
			}
			return wrong
		}
		if v.Text != "" { // as a console shows it
			named := make([]string, len(w.Items)) // Format-List shows the names of objects
			for i, item := range w.Items {
				named[i] = shownOne(item)
				if name, ok := item.Properties.values["Name"]; ok {
					named[i] = shownOne(name)
				}
			}
			return judged(sameText("{"+strings.Join(shown(w.Items), ", ")+"}", v.Text) || sameText("{"+strings.Join(named, ", ")+"}", v.Text) || sameText("{"+strings.ReplaceAll(strings.Join(named, ", "), ".", ",")+"}", v.Text), Present)
		}
		if len(v.List) != len(w.Items) {
			return wrong
		}
		worst := right
		for i, e := range v.List {
			worst = min(worst, compareValue(w.Items[i], e))
		}
		return worst
	case "table":
		if v.List != nil && v.Text != "" || v.List != nil && len(v.List) == 0 {
			var all []string
			for k, e := range w.Entries {
				all = append(all, "["+k+", "+shownOne(e)+"]")
			}
			slices.Sort(all)
			list, _ := v.AsStrings()
			list = slices.Clone(list)
			joined := strings.Join(list, ", ")
			for _, e := range all {
				if e = strings.Replace(e, "$null]", "]", 1); !strings.Contains(joined, e) && !strings.Contains(joined, strings.Replace(e, "1 2]", "System.Object[]]", 1)) {
					return wrong
				}
			}
			return right
		}
		if v.Object == nil {
			return judged(false, v.State)
		}
		worst := right
		for k, e := range w.Entries {
			worst = min(worst, compareValue(e, v.Object.Get(k)))
		}
		if len(v.Object.Properties) != len(w.Entries) {
			return wrong
		}
		return worst
	case "object":
		if v.Object == nil {
			s, state := v.AsString()
			if v.List != nil && v.Text != "" {
				s, state = v.Text, Present
			}
			if w.Text == nil {
				return judged(sameText(s, w.shownObject()) || empty && len(w.Properties.names) == 0, state)
			}
			return judged(sameText(text, s), state)
		}
		worst := right
		for _, name := range w.Properties.names {
			g := v.Object.Get(name)
			if g.State == Absent {
				continue
			}
			worst = min(worst, compareValue(w.Properties.values[name], g))
		}
		for _, p := range v.Object.Properties {
			if !slices.ContainsFunc(w.Properties.names, func(n string) bool { return strings.EqualFold(n, p.Name) }) {
				return wrong
			}
		}
		return worst
	}
	panic(w.Is)
}

func (w trueValue) shownObject() string {
	var parts []string
	for _, name := range w.Properties.names {
		if inner := w.Properties.values[name]; inner.Is == "null" || inner.Is == "object" && inner.Text == nil {
			parts = append(parts, name+"=")
		} else {
			parts = append(parts, name+"="+shownOne(inner))
		}
	}
	return "@{" + strings.Join(parts, "; ") + "}"
}

func shown(items []trueValue) []string {
	var all []string
	for _, w := range items {
		all = append(all, shownOne(w))
	}
	return all
}

func shownOne(w trueValue) string {
	switch {
	case w.Is == "null":
		return "$null"
	case w.Is == "list":
		return strings.Join(shown(w.Items), " ")
	case w.Is == "object" && w.Text == nil:
		return w.shownObject()
	case w.Is == "boolean":
		return strings.ToUpper((*w.Text)[:1]) + (*w.Text)[1:]
	case w.Text == nil:
		return ""
	}
	return *w.Text
}

// nested are values that an object's text shows in another way than a list.
var nested = regexp.MustCompile(`=[^;}]*`)

func sameText(want, got string) bool {
	if strings.HasPrefix(strings.TrimPrefix(want, "{"), "@{") {
		return len(want) > 0 && nested.ReplaceAllString(want, "") == nested.ReplaceAllString(got, "")
	}
	clean := func(s string) string {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		lines := strings.Split(s, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " \t")
		}
		return strings.TrimRight(strings.Join(lines, "\n"), "\n")
	}
	return clean(want) == clean(got)
}

func sameNumber(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(strings.ReplaceAll(b, ",", "."), 64)
	return err1 == nil && err2 == nil && x == y
}

// atLeast is how many values of each form are known at least.
var atLeast = map[string]int{
	"Format-List *":                            8500,
	"Format-List * of deserialized objects":    1070,
	"ConvertTo-Json":                           3167,
	"ConvertTo-Json -Compress -EnumsAsStrings": 1087,
	"ConvertTo-Json -EscapeHandling EscapeNonAscii of deserialized objects": 1088,
	"ConvertTo-Json of a table command → objects":                           1089,
	"Export-Clixml":                        3297,
	"Export-Clixml -InputObject of a list": 1099,
	"Export-Clixml -InputObject of an ordered table command → objects": 1099,
	"Export-Clixml -InputObject of a hashtable command → objects":      206,
	"Export-Clixml of deserialized objects":                            1099,
	"Export-Csv":                                                       2860,
	"Format-Table":                                                     235,
	"Format-Table -Wrap -AutoSize":                                     115,
	"Format-List of some properties":                                   185,
	"Format-List * redirected by Windows PowerShell":                   113,
	"Out-File -Encoding bigendianunicode":                              113,
	"Out-File -Encoding utf8BOM":                                       113,
	"Format-List * with colours":                                       113,
	"transcript of an interactive session":                             150,
}

// Of all recordings no object is lost, none made up, and no value is other
// than it was; run with -v, the test tells the counts.
func TestRecordings(t *testing.T) {
	forms := make(map[string]*tally)
	var order []string
	var all tally
	for _, r := range recordings(t) {
		outputs, err := Parse(r.text)
		var a tally
		if assert.NoError(t, err, r.File) {
			a = r.judge(outputs)
		}
		if forms[r.Form] == nil {
			forms[r.Form] = new(tally)
			order = append(order, r.Form)
		}
		forms[r.Form].add(a)
		all.add(a)
	}
	for _, form := range order {
		t.Logf("%-70s %v", form, forms[form])
		assert.GreaterOrEqual(t, forms[form].Known, atLeast[form], form)
	}
	t.Logf("%-70s %v", "all", &all)
	all.check(t)
}

// String returns the counts.
func (a *tally) String() string {
	return fmt.Sprintf("objects %4d lost %3d made up %3d, values %5d known %5d unknown %4d wrong %3d", a.Objects, a.Lost, a.MadeUp, a.Values, a.Known, a.Unknown, a.Wrong)
}

// check fails if anything was lost, made up or wrong.
func (a *tally) check(t *testing.T) {
	t.Helper()
	assert.Zero(t, a.Lost)
	assert.Zero(t, a.MadeUp)
	assert.Zero(t, a.Wrong)
	for _, e := range a.examples[:min(len(a.examples), 20)] {
		t.Log(e)
	}
}

func short(b []byte) string {
	s := strings.NewReplacer(`,"number":""`, "", `,"utc":null`, "", `,"items":null`, "", `,"entries":null`, "", `,"properties":{}`, "", `,"type":""`, "", `,"text":null`, "").Replace(string(b))
	return s[:min(len(s), 300)]
}

// differs returns where the text is other than it should be.
func differs(w trueValue, v Value) string {
	if w.Text == nil {
		return ""
	}
	a, b := strings.ReplaceAll(*w.Text, "\r\n", "\n"), v.Text
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("%q, not %q", a[max(0, i-30):min(len(a), i+20)], b[max(0, i-30):min(len(b), i+20)])
}
