package hybridoauth

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/crossprem/crossprem"
)

//go:embed data/rules.json
var rulesJSON []byte

//go:embed data/errors.json
var errorsJSON []byte

// AsOf is the day on which the tables were last compared with their sources.
const AsOf = "2026-11-25"

// A row is one rule about a configuration, as data.
type row struct {
	ID         string          `json:"id"`
	Group      string          `json:"object"` // see groups
	Side       Side            `json:"side"`
	Property   string          `json:"property"`
	Op         string          `json:"op"` // see tests and groupTests
	Value      json.RawMessage `json:"value"`
	When       []string        `json:"when"` // names of situations, of which one is enough
	Severity   string          `json:"severity"`
	Title      string          `json:"title"`
	Passed     string          `json:"passed"`
	Want       string          `json:"want"`
	Why        string          `json:"why"`
	Fix        string          `json:"fix"` // with {placeholders}
	Note       string          `json:"note"`
	Needs      string          `json:"needs"`      // what must be captured beside the object
	Never      string          `json:"never"`      // why no capture decides it
	HybridOnly bool            `json:"hybridOnly"` // not asked where there is no hybrid deployment
	Confidence string          `json:"confidence"`
	Sources    []string        `json:"sources"`

	situation Situation
	text      string            // Value, if it is a text
	texts     []string          // Value, if it is a list, or a text alone
	byCloud   map[string]any    // Value, if it is by cloud
	rule      crossprem.Rule    // as declared
	fields    map[string]string // Value, if it is an object of texts
}

var (
	rules    crossprem.Rules
	rows     = declareRows()
	errTable = declareErrors()
	_        = declareOwn()
)

// Rules returns all rules, sorted by ID: those about the configuration, the
// errors of the catalogue, and those about tokens.
func Rules() []crossprem.Rule { return rules.All() }

// RuleIDs returns the IDs of the rules about a configuration, without those of
// errors and tokens, in the order of the table.
func RuleIDs() []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

var severities = map[string]crossprem.Severity{
	"critical": crossprem.Critical, "error": crossprem.Critical, "warning": crossprem.Warning, "info": crossprem.Info,
}

func declareRows() []*row {
	var table struct {
		Rules []*row `json:"rules"`
	}
	must(json.Unmarshal(rulesJSON, &table))
	for _, r := range table.Rules {
		for _, name := range r.When {
			s, err := ParseSituation(name)
			must(err)
			r.situation |= s
		}
		r.readValue()
		severity, ok := severities[r.Severity]
		if !ok {
			panic("hybridoauth: rule " + r.ID + ": severity " + r.Severity)
		}
		r.rule = rules.Declare(crossprem.Rule{ID: r.ID, Severity: severity, Title: r.Title, PassedTitle: r.Passed,
			UnknownTitle: unknownTitle(r.Title), Remedy: general(r.Fix), Sources: r.Sources})
	}
	return table.Rules
}

// unknownTitle turns "No connector exists" into a sentence; for the other
// titles the rule makes one itself.
func unknownTitle(title string) string {
	if rest, ok := strings.CutPrefix(title, "No "); ok {
		return "It is not known whether there is no " + strings.TrimSuffix(strings.TrimSuffix(rest, " exists"), " exist")
	}
	return ""
}

func (r *row) readValue() {
	if r.Value == nil {
		return
	}
	var v any
	must(json.Unmarshal(r.Value, &v))
	switch v := v.(type) {
	case string:
		r.text, r.texts = v, []string{v}
	case bool:
		r.text = fmt.Sprint(v)
	case float64:
		r.text = fmt.Sprint(v)
	case []any:
		for _, e := range v {
			r.texts = append(r.texts, e.(string))
		}
	case map[string]any:
		if r.Op == "equals_cloud" || r.Op == "one_of_cloud" {
			r.byCloud = v
			return
		}
		r.fields = make(map[string]string, len(v))
		for name, e := range v {
			r.fields[name] = e.(string)
		}
	}
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("hybridoauth: embedded table: %v", err))
	}
}

// inCloud returns the values of a rule that are right in a cloud, and whether
// the rule knows the cloud.
func (r *row) inCloud(c crossprem.Cloud) ([]string, bool) {
	for name, v := range r.byCloud {
		var named crossprem.Cloud
		must(named.UnmarshalText([]byte(name)))
		if named == c {
			return textsOf(v), true
		}
	}
	return nil, false
}

// inAnyCloud returns the values that are right in some cloud.
func (r *row) inAnyCloud() (all []string) {
	for _, v := range r.byCloud {
		all = append(all, textsOf(v)...)
	}
	return all
}

func textsOf(v any) []string {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	var texts []string
	for _, e := range v.([]any) {
		texts = append(texts, e.(string))
	}
	return texts
}

// applies reports whether a rule is asked in a situation. The answer is
// unknown where the situation is one that is neither shown nor ruled out.
func (r *row) applies(asked, shown, ruledOut Situation) crossprem.Answer {
	switch {
	case r.situation&Any != 0:
		return crossprem.Yes
	case asked == 0:
		switch {
		case r.situation&shown != 0:
			return crossprem.Yes
		case r.situation&^ruledOut == 0:
			return crossprem.No
		}
		return crossprem.AnswerUnknown
	case r.situation&asked != 0:
		return crossprem.Yes
	case asked&Any != 0:
		return crossprem.AnswerUnknown
	}
	return crossprem.No
}

// general makes a remedy that names nothing of one organization.
func general(fix string) string { return fill(fix, nil) }
