package hybridoauth

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/catalogue"
	"github.com/crossprem/crossprem/internal/exchange"
)

// An Explanation is what the catalogue says about one error that a text
// reports.
type Explanation struct {
	ID    string   `json:"id"`   // such as "AADSTS700027", "HCW8064", "R-4002"
	Kind  string   `json:"kind"` // "aadsts", "hcw", "x-ms-diagnostics", "http", …
	Cause string   `json:"cause"`
	Fix   string   `json:"fix"`
	Note  string   `json:"note,omitempty"`
	Rules []string `json:"rules,omitempty"` // the rules to look at first; empty where no configuration rule is at fault

	// Taken is what was taken out of the text: a thumbprint, a host, an
	// address. It never holds a token.
	Taken []crossprem.Value `json:"taken,omitempty"`

	Sources []string `json:"sources"`
}

// An errorRow is one row of the catalogue, as data.
type errorRow struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Priority   int      `json:"priority"` // higher is more exact; up to 15 a bare status
	Match      string   `json:"match"`
	Example    string   `json:"example"`
	Cause      string   `json:"cause"`
	Fix        string   `json:"fix"`
	Note       string   `json:"note"`
	Rules      []string `json:"rules"`
	Extract    []string `json:"extract"` // names of the groups of Match
	Suppresses []string `json:"suppresses"`

	// Variants are readings of the same text that what stands beside it makes
	// more exact; the first that matches is taken.
	Variants []struct {
		Match string   `json:"match"`
		Cause string   `json:"cause"`
		Rules []string `json:"rules"`
	} `json:"variants"`
	Confidence string   `json:"confidence"`
	Sources    []string `json:"sources"`

	rule crossprem.Rule
}

type errorTable struct {
	Extractors map[string]string `json:"extractors"`
	Errors     []*errorRow       `json:"errors"`
}

func declareErrors() *errorTable {
	t := new(errorTable)
	must(json.Unmarshal(errorsJSON, t))
	t.Errors = append(t.Errors, otherEntra)
	for _, r := range t.Errors {
		severity := crossprem.Critical
		switch {
		case slices.Contains([]string{"O-SMTPNOBOX", "EV-48H", "EV-MISSINGPRIV"}, r.ID):
			severity = crossprem.Info
		case r.Priority <= 15, r == otherEntra, r.Kind == "hcw" && r.ID != "HCW8064" && r.ID != "HCW-AUTHCERT", r.Kind == "free-busy":
			severity = crossprem.Warning
		}
		name := "The error " + r.ID
		if r == otherEntra {
			name = "An error of Entra ID that the catalogue does not hold"
		}
		r.rule = rules.Declare(crossprem.Rule{ID: r.ID, Severity: severity, Title: name + " was reported",
			PassedTitle: name + " was not reported", Remedy: r.Fix, Sources: r.Sources})
	}
	return t
}

// otherEntra stands for the codes of Entra ID that the catalogue does not
// hold. It has no pattern: see [unknownCodes].
var otherEntra = &errorRow{
	ID: "AADSTS-OTHER", Kind: "aadsts", Priority: 20, Confidence: "low",
	Cause:   "Entra ID refused with a code that the catalogue does not hold, so the cause is not known here",
	Fix:     "Look up the code, without the letters AADSTS, at https://login.microsoftonline.com/error, or in the list of error codes at https://learn.microsoft.com/entra/identity-platform/reference-error-codes; the sentence behind the code and the sign-in log of the application say more",
	Sources: []string{"Microsoft Entra AADSTS error reference, https://learn.microsoft.com/entra/identity-platform/reference-error-codes"},
}

// matcher finds the rows that explain a text. It is compiled when first asked.
var matcher = sync.OnceValue(func() *catalogue.Table[*errorRow] {
	var t catalogue.Table[*errorRow]
	for _, r := range errTable.Errors {
		if r.Match == "" {
			continue
		}
		exact, squeezed := compile(r.Match), compile(withoutBlanks(r.Match))
		t.AddRow(catalogue.Row[*errorRow]{Value: r, Weight: r.Priority, Match: func(text string) bool {
			f := splitForms(text)
			return exact.match(f.raw, f.lowRaw) || exact.match(f.joined, f.lowJoined) || squeezed.match(f.dense, f.lowDense)
		}})
	}
	return &t
})

// withoutBlanks makes of an expression one for a text of which all white space
// was taken out: a console cuts lines within words.
func withoutBlanks(expr string) string {
	return strings.NewReplacer(` ?`, ``, ` `, ``, `\s*`, ``, `\s+`, ``, `\s?`, ``).Replace(expr)
}

// An expression is a pattern with texts in small letters of which every match
// holds one: most rows are ruled out by them, without running the pattern.
type expression struct {
	re       *regexp.Regexp
	literals []string
}

func compile(expr string) expression {
	tree, err := syntax.Parse(expr, syntax.Perl)
	must(err)
	return expression{regexp.MustCompile(expr), literalsOf(tree)}
}

// match reports whether the pattern matches text, of which low is the same in
// small letters.
func (e expression) match(text, low string) bool {
	if e.literals != nil && !slices.ContainsFunc(e.literals, func(l string) bool { return strings.Contains(low, l) }) {
		return false
	}
	return e.re.MatchString(text)
}

// literalsOf returns texts of which every match holds at least one, and nil if
// there are none such.
func literalsOf(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return literalsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literalsOf(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if l := literalsOf(sub); l != nil && shortest(l) > shortest(best) {
				best = l
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			l := literalsOf(sub)
			if l == nil {
				return nil
			}
			all = append(all, l...)
		}
		return all
	}
	return nil
}

func shortest(texts []string) int {
	n := 0
	for i, t := range texts {
		if i == 0 || len(t) < n {
			n = len(t)
		}
	}
	return n
}

// formed is a text as it is, with lines joined by one blank, and without any
// white space; each also in small letters.
type formed struct{ raw, joined, dense, lowRaw, lowJoined, lowDense string }

const formMark = "\x00"

// forms returns the forms of a text in one string, for [splitForms].
func forms(text string) string {
	text = strings.ReplaceAll(text, formMark, " ")
	all := []string{text, catalogue.Squeeze(text), strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)}
	for _, form := range all {
		all = append(all, strings.ToLower(form))
	}
	return strings.Join(all, formMark)
}

func splitForms(text string) (f formed) {
	for _, to := range []*string{&f.raw, &f.joined, &f.dense, &f.lowRaw, &f.lowJoined} {
		*to, text, _ = strings.Cut(text, formMark)
	}
	f.lowDense = text
	return f
}

// errorCodes are the forms in which Entra ID's codes are written without the
// letters AADSTS: in sign-in logs, and in the body of a refused token request.
var (
	errorCodes = regexp.MustCompile(`(?i)"?\b(?:sign-?in )?error[_ ]?codes?"?\s*[:=]\s*\[?\s*"?((?:\d{5,7}\s*,?\s*)+)`)
	aadsts     = regexp.MustCompile(`(?i)\bAADSTS ?(\d{5,7})\b`)
	aadstsCut  = regexp.MustCompile(`(?i)\b(AADSTS ?\d{1,6})[ \t]*\r?\n[ \t>]*(\d{1,6}:)`) // by a console, within the number
	entraText  = regexp.MustCompile(`(?i)failureReason|failure reason|sign-?in|correlation[_ ]?id|trace[_ ]?id|error_description`)
	digits     = regexp.MustCompile(`\d{5,7}`)
	hcwCode    = regexp.MustCompile(`(?i)\bHCW[ -]?([89]\d{3})\b`)
)

// MaxText is the size in bytes of a text that [ExplainError] reads; what is
// beyond is left out.
const MaxText = 1 << 20

// ExplainError returns what the catalogue says about the errors that a text
// reports: codes of the Hybrid Configuration Wizard, x-ms-diagnostics and
// their reasons, AADSTS codes with and without those letters, events, and
// messages of .NET and Microsoft Graph. The most exact comes first, a bare
// HTTP status last; where several causes remain, all are there. A code of
// Entra ID that the catalogue does not hold is AADSTS-OTHER, once for each
// code, with the code taken out. It is empty where no error is reported.
func ExplainError(text string) []Explanation {
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText], "")
	}
	text = aadstsCut.ReplaceAllString(text, "$1$2")
	text = hcwCode.ReplaceAllString(aadsts.ReplaceAllString(text, "AADSTS$1"), "HCW$1") // as they are typed
	found := matcher().Find(forms(text))
	ids := map[string]bool{}
	for _, row := range found {
		ids[row.Value.ID] = true
	}
	for _, code := range codesIn(text) { // a number alone stands for its entry
		id := "AADSTS" + code
		if i := slices.IndexFunc(errTable.Errors, func(r *errorRow) bool { return r.ID == id }); i >= 0 && !ids[id] {
			ids[id] = true
			found = append(found, &catalogue.Row[*errorRow]{Value: errTable.Errors[i], Weight: errTable.Errors[i].Priority})
		}
	}
	others := unknownCodes(text)
	if len(others) > 0 {
		found = append(found, &catalogue.Row[*errorRow]{Value: otherEntra, Weight: otherEntra.Priority})
	}
	catalogue.Sort(found)
	suppressed := map[string]bool{}
	for _, row := range found {
		for _, id := range row.Value.Suppresses {
			suppressed[id] = true
		}
	}
	explained := []Explanation{}
	for _, row := range found {
		switch r := row.Value; {
		case suppressed[r.ID]:
		case r == otherEntra:
			for _, code := range others {
				e := r.explain("", crossprem.Val("code", "AADSTS"+code))
				e.Fix = strings.Replace(e.Fix, "login.microsoftonline.com/error,", "login.microsoftonline.com/error?code="+code+",", 1)
				explained = append(explained, e)
			}
		case r.ID == otherWizard:
			for _, code := range unknownWizardCodes(text, ids) {
				explained = append(explained, r.explain("", crossprem.Val("code", "HCW"+code)))
			}
		default:
			explained = append(explained, r.explain(text))
		}
	}
	return explained
}

// unknownCodes returns the numbers of Entra ID's errors in a text that the
// catalogue does not hold. A number without the letters AADSTS may be one of
// Windows, so that it counts only beside what Entra ID writes.
func unknownCodes(text string) (codes []string) {
	found := allCodes(text, aadsts)
	if entraText.MatchString(text) {
		found = append(found, allCodes(text, errorCodes)...)
	}
	for _, code := range found {
		isKnown := slices.ContainsFunc(errTable.Errors, func(r *errorRow) bool { return r.ID == "AADSTS"+code })
		if !isKnown && !slices.Contains(codes, code) && len(codes) < maxUnknown {
			codes = append(codes, code)
		}
	}
	return codes
}

// maxUnknown bounds the unknown codes of one text.
const maxUnknown = 50

// allCodes returns the numbers in what matches re.
func allCodes(text string, re *regexp.Regexp) (codes []string) {
	for _, m := range re.FindAllStringSubmatch(text, 1000) {
		codes = append(codes, digits.FindAllString(m[1], 100)...)
	}
	return codes
}

// codesIn returns the numbers of Entra ID's errors in a text, in either form.
func codesIn(text string) (codes []string) {
	for _, code := range append(allCodes(text, aadsts), allCodes(text, errorCodes)...) {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// otherWizard stands for the codes of the wizard that have no entry.
const otherWizard = "HCW-OTHER"

// unknownWizardCodes returns the numbers of the wizard's codes in a text that
// have no entry of their own among those found.
func unknownWizardCodes(text string, found map[string]bool) (codes []string) {
	for _, m := range hcwCode.FindAllStringSubmatch(text, 1000) {
		isKnown := slices.ContainsFunc(errTable.Errors, func(r *errorRow) bool {
			return r.Kind == "hcw" && r.ID != otherWizard && found[r.ID] && regexp.MustCompile(r.Match).MatchString("HCW"+m[1])
		})
		if !isKnown && !slices.Contains(codes, m[1]) && len(codes) < maxUnknown {
			codes = append(codes, m[1])
		}
	}
	return codes
}

// extras are the extractors that add to an entry what its own pattern does not
// hold.
var extras = map[string][]string{
	"AADSTS50012": {"key_thumbprint"}, "AADSTS700027": {"key_thumbprint"}, "AADSTS50013": {"key_thumbprint"}, "AADSTS500011": {"resource_principal"},
	"EV-2004": {"certificate_thumbprint"}, "EV-RPC": {"certificate_thumbprint"}, "HCW-AUTHCERT": {"certificate_thumbprint"}, "R-4002": {"audience_host"},
	"H-403PROXY": {"proxy"}, "H-403PROXYSET": {"proxy"}, "HCW8034": {"autodiscover_url"}, "HCW8057": {"autodiscover_url"}, "O-TOKENFAIL": {"auth_server"},
	"AADSTS70002": {"auth_server", "resource"},
}

// takenNames are the names of what extractors and patterns take, in the order
// of their groups.
var takenNames = map[string][]string{
	"key_thumbprint": {"thumbprint"}, "certificate_thumbprint": {"thumbprint"}, "resource_principal": {"resource", "tenant"}, "audience_host": {"audience"},
	"proxy": {"proxy"}, "autodiscover_url": {"address"}, "auth_server": {"authServer"}, "resource": {"resource"},
	"R-2005": {"claim"}, "R-2008": {"issuer"}, "R-2010": {"audience"}, "R-2017": {"expected", "actual"}, "R-4003": {"audience", "endpoint"}, "R-5001": {"form", "tenant"},
	"R-7001": {"application"}, "R-10001": {"key", "server"}, "O-TOKENFAIL": {"code", "description"}, "O-NOCLIENTID": {"address"}, "O-BADCHALLENGE": {"address"},
	"O-SAMEREALM": {"realm"}, "O-EMPTYREALM": {"authServer"}, "O-TRUSTNOT": {"authServer"}, "H-DNS": {"host"}, "FB-NOCONFIG": {"domain"}, "EV-2004": {"thumbprint"}, "EV-RPC": {"thumbprint"},
	"ASRV-METADATA": {"address"}, "G-KEYNOTUPD": {"keyId"}, "R-2024": {"application"}, "R-2015": {"issuer", "nameid"}, "R-2007": {"form", "issuer"},
}

func (r *errorRow) explain(text string, taken ...crossprem.Value) Explanation {
	e := Explanation{ID: r.ID, Kind: r.Kind, Cause: r.Cause, Fix: r.Fix, Note: r.Note, Rules: slices.Clone(r.Rules), Taken: taken, Sources: slices.Clone(r.Sources)}
	if r == otherEntra || r.ID == otherWizard {
		return e
	}
	for _, v := range r.Variants {
		if regexp.MustCompile(v.Match).MatchString(catalogue.Squeeze(text)) {
			e.Cause, e.Rules = v.Cause, slices.Clone(v.Rules)
			break
		}
	}
	take := func(name, value string) {
		value = strings.TrimRight(clean(strings.TrimSpace(value)), ".,")
		if value == "" || slices.ContainsFunc(e.Taken, func(v crossprem.Value) bool { return v.Name == name }) {
			return
		}
		e.Taken = append(e.Taken, crossprem.Val(name, value))
	}
	groups := func(expr string, names []string) {
		re := regexp.MustCompile(expr)
		for _, form := range []string{text, catalogue.Squeeze(text)} {
			m := re.FindStringSubmatch(form)
			for i := 1; i < len(m); i++ {
				name := "value" + strconv.Itoa(i)
				if i <= len(names) {
					name = names[i-1]
				}
				if name != "form" {
					take(name, m[i])
				}
			}
		}
	}
	names := r.Extract
	if own, ok := takenNames[r.ID]; ok {
		names = own
	}
	groups(r.Match, names)
	for _, x := range extras[r.ID] {
		groups(errTable.Extractors[x], takenNames[x])
	}
	return e
}

// Errors explains every error in the texts and tests of a configuration, the
// most exact first, each ID once.
func (c Configuration) Errors() []Explanation {
	var all []Explanation
	priority := map[string]int{}
	for _, r := range errTable.Errors {
		priority[r.ID] = r.Priority
	}
	seen := map[string]bool{}
	for _, t := range c.errorTexts() {
		for _, e := range ExplainError(t.Text) {
			if !seen[e.ID] {
				seen[e.ID] = true
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Explanation) int { return priority[b.ID] - priority[a.ID] })
	return all
}

// errorTexts are the texts that can report errors: what is no object, and the
// details of tests.
func (c Configuration) errorTexts() []Text {
	texts := slices.Clone(c.Texts)
	for _, o := range c.Objects {
		if o.Kind == exchange.ConnectivityTest {
			if detail := o.Get("Detail"); detail.text != "" {
				texts = append(texts, Text{Name: string(exchange.ConnectivityTest), Text: detail.text})
			}
		}
	}
	return texts
}

// CheckErrors returns a finding for every error that the texts and tests of a
// configuration report, worst first: its cause and fix, the rules to look at
// first, and what was taken out of the text. Thumbprints are matched with
// those of the auth configuration.
func CheckErrors(c Configuration, at time.Time) []crossprem.Finding {
	j := newJudge(&c, 0, at)
	var findings []crossprem.Finding
	for _, t := range c.errorTexts() {
		for _, e := range ExplainError(t.Text) {
			findings = append(findings, j.errorFinding(t, e))
		}
	}
	findings = unique(findings)
	slices.SortStableFunc(findings, crossprem.WorstFirst)
	return findings
}

func (j *judge) errorFinding(t Text, e Explanation) crossprem.Finding {
	row := errTable.Errors[slices.IndexFunc(errTable.Errors, func(r *errorRow) bool { return r.ID == e.ID })]
	subject := firstText(clean(t.Name), "pasted text")
	f := row.rule.Failed(subject)
	if row == otherEntra || row.ID == otherWizard {
		f = f.WithPart(e.Taken[0].Text)
	}
	var b strings.Builder
	b.WriteString("Cause: " + strings.TrimSuffix(e.Cause, ".") + ".")
	values := slices.Clone(e.Taken)
	for _, v := range e.Taken {
		b.WriteString(" The text names " + v.Name + " " + v.Text + ".")
		if v.Name == "thumbprint" {
			role := j.roleOf(v.Text)
			b.WriteString(" " + roleSentences[role])
			values = append(values, crossprem.Val("certificate", role))
		}
		if v.Name == "resource" && e.ID == "AADSTS500011" {
			b.WriteString(" " + j.registered(v.Text))
		}
	}
	if len(e.Rules) > 0 {
		b.WriteString(" Rules to look at first: " + strings.Join(e.Rules, ", ") + ".")
		values = append(values, crossprem.Val("rules", e.Rules))
	}
	f.Detail, f.Values = b.String(), values
	return f.WithRemedy(e.Fix)
}

var roleSentences = map[string]string{
	"current":  "That is the current auth certificate: it is the one to be registered on the dedicated hybrid application.",
	"next":     "That is the next auth certificate: it signs already, or is about to, and must be registered on the dedicated hybrid application, not on the shared principal.",
	"previous": "That is the previous auth certificate: a server still signs with it; restart MSExchangeServiceHost there.",
	"other":    "It is none of the three certificates of the auth configuration.",
	"unknown":  "Which certificate of the auth configuration that is was not captured.",
}

// roleOf says which certificate of the auth configuration a thumbprint is.
func (j *judge) roleOf(text string) string {
	t, err := exchange.ParseThumbprint(text)
	switch {
	case err != nil:
		return "unknown"
	case j.current.text == t:
		return "current"
	case j.next.text == t:
		return "next"
	case j.previous.text == t:
		return "previous"
	case j.current.known && j.next.known && j.previous.known:
		return "other"
	}
	return "unknown"
}

// registered says whether a name is among those of the shared principal.
func (j *judge) registered(resource string) string {
	found, _ := j.find("SharedPrincipal", Entra)
	for _, o := range found {
		names := o.Get("servicePrincipalNames")
		if slices.ContainsFunc(names.Texts(), func(n string) bool { return exchange.SameAddress(n, resource) }) {
			return "It is among the names of the Exchange Online principal that was captured, so the wrong tenant was asked."
		}
		if names.IsKnown() {
			return "It is not among the names of the Exchange Online principal that was captured."
		}
	}
	return "Whether it is among the names of the Exchange Online principal was not captured."
}
