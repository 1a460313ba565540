package hybridoauth

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// Check judges a configuration in a situation for the day at, and returns the
// findings, worst first: one for each rule and object that it is about. A rule
// whose input is missing is unknown, never violated; a rule that does not
// apply in the situation gives no finding. Zero for the situation stands for
// the one that [Detect] finds.
//
// A finding names the object, the value found and the value wanted, and a
// failed one the command that mends it, with the names filled in that are
// known. Nothing is changed and no packet is sent.
func Check(c Configuration, situation Situation, at time.Time) []crossprem.Finding {
	j := newJudge(&c, situation, at)
	if situation == 0 {
		j.shown, j.ruledOut = Detect(c)
	}
	var findings []crossprem.Finding
	for _, r := range rows {
		applies := r.applies(situation, j.shown, j.ruledOut)
		if applies == crossprem.No {
			continue
		}
		findings = append(findings, j.findings(r, applies)...)
	}
	findings = unique(findings)
	slices.SortStableFunc(findings, crossprem.WorstFirst)
	return findings
}

// Violated returns the IDs of the rules about a configuration that failed,
// sorted and each once.
func Violated(findings []crossprem.Finding) []string {
	failed, _ := byRule(findings)
	return failed
}

// NotEvaluated returns the IDs of the rules about a configuration that were
// asked and could not be answered for one of their objects, without those that
// failed for another, sorted and each once.
func NotEvaluated(findings []crossprem.Finding) []string {
	_, unknown := byRule(findings)
	return unknown
}

func byRule(findings []crossprem.Finding) (failed, unknown []string) {
	worst := map[string]crossprem.Status{}
	for _, f := range findings {
		switch {
		case f.Status == crossprem.Failed:
			worst[f.Rule] = crossprem.Failed
		case f.Status == crossprem.Unknown && worst[f.Rule] != crossprem.Failed:
			worst[f.Rule] = crossprem.Unknown
		case f.Status == crossprem.Passed:
			if _, have := worst[f.Rule]; !have {
				worst[f.Rule] = crossprem.Passed
			}
		}
	}
	failed, unknown = []string{}, []string{}
	for _, id := range RuleIDs() {
		switch s, have := worst[id]; {
		case have && s == crossprem.Failed:
			failed = append(failed, id)
		case have && s == crossprem.Unknown:
			unknown = append(unknown, id)
		}
	}
	slices.Sort(failed)
	slices.Sort(unknown)
	return failed, unknown
}

// unique numbers the parts of findings that would have one key: two objects
// that the capture calls by one name.
func unique(findings []crossprem.Finding) []crossprem.Finding {
	seen := map[string]int{}
	for i, f := range findings {
		key := f.Key()
		if seen[key]++; seen[key] > 1 {
			findings[i] = f.WithPart(strings.TrimSpace(f.Part + " #" + strconv.Itoa(seen[key])))
		}
	}
	return findings
}

// An outcome is how a rule came out for one object.
type outcome struct {
	answer  crossprem.Answer // Yes passed, No failed
	subject string
	part    string
	why     string // of an unknown one: a sentence without its end
	found   string
	wanted  string // if it says more than the rule
	note    string // a sentence to add
	due     time.Time
	mild    bool              // at most a note, for what is prepared already
	names   map[string]string // for the remedy
}

// findings evaluates one rule.
func (j *judge) findings(r *row, applies crossprem.Answer) []crossprem.Finding {
	switch {
	case r.Never != "":
		return []crossprem.Finding{r.rule.Unknown(j.subject(r), "No capture decides this: "+r.Never+".")}
	case r.HybridOnly && (j.asked&NoHybrid != 0 || j.asked == 0 && j.shown&NoHybrid != 0):
		return []crossprem.Finding{r.rule.Unknown(j.subject(r), "There is no hybrid deployment, so this was not asked.")}
	}
	var outcomes []outcome
	if test, ok := j.groupTests[r.Op+" "+r.ID]; ok {
		outcomes = test(j, r)
	} else if test, ok := j.groupTests[r.Op]; ok {
		outcomes = test(j, r)
	} else if test, ok := tests[r.Op]; ok {
		outcomes = j.each(r, func(o Object) outcome { return j.property(r, o, test) })
	} else {
		panic("hybridoauth: rule " + r.ID + ": no such check: " + r.Op)
	}
	var findings []crossprem.Finding
	for _, o := range outcomes {
		if applies == crossprem.AnswerUnknown && o.answer != crossprem.AnswerUnknown {
			o.answer, o.why = crossprem.AnswerUnknown, "whether the organization is in the situation "+strings.Join(r.When, " or ")+" is not known"
		}
		if r.HybridOnly && r.Op == "exists" && j.asked == 0 && (j.shown|j.ruledOut)&NoHybrid == 0 && o.answer == crossprem.No {
			o.answer, o.why = crossprem.AnswerUnknown, "whether there is a hybrid deployment is not known"
		}
		findings = append(findings, j.finding(r, o))
	}
	return findings
}

func (j *judge) finding(r *row, o outcome) crossprem.Finding {
	if o.subject == "" {
		o.subject = j.subject(r)
	}
	values := []crossprem.Value{crossprem.Val("property", r.Property)}
	if o.found != "" {
		values = append(values, crossprem.Val("found", clean(o.found)))
	}
	wanted := r.Want
	if o.wanted != "" {
		wanted = o.wanted
		values = append(values, crossprem.Val("wanted", clean(o.wanted)))
	}
	found := ""
	if o.found != "" {
		found = "Found: " + clean(o.found) + ". "
		if !strings.Contains(r.Property, " ") && !strings.HasPrefix(o.found, r.Property) {
			found = "Found: " + r.Property + " is " + clean(o.found) + ". "
		}
	}
	note := ""
	if o.note != "" {
		note = " " + o.note
	}
	switch o.answer {
	case crossprem.No:
		f := r.rule.Failed(o.subject).WithPart(o.part).Explain(found + "Wanted: " + strings.TrimSuffix(wanted, ".") + ". " + strings.TrimSuffix(r.Why, ".") + "." + note)
		f.Values = values
		if r.Fix != "" {
			f = f.WithRemedy(fill(r.Fix, j.names(o)))
		}
		if !o.due.IsZero() {
			f = f.DueOn(o.due, j.at)
		}
		if o.mild {
			f = f.AtMost(crossprem.Info)
		}
		return f
	case crossprem.Yes:
		f := r.rule.Passed(o.subject).WithPart(o.part).Explain(found + "Looked for: " + strings.TrimSuffix(wanted, ".") + "." + note)
		f.Values = values
		f.Due = f.DueOn(o.due, j.at).Due
		return f
	}
	why := o.why
	if why == "" {
		why = "the capture does not tell"
	}
	f := r.rule.Unknown(o.subject, strings.ToUpper(why[:1])+why[1:]+"."+note).WithPart(o.part)
	f.Values = values[:1]
	return f
}

// subject is what a finding is about that is about no single object.
func (j *judge) subject(r *row) string {
	if g, ok := j.groups[r.Group]; ok {
		return string(g.kinds[0])
	}
	return r.Group
}

// each asks test about every object of the rule's group. Where there is none,
// the outcome is unknown: that an object is missing is what other rules say.
func (j *judge) each(r *row, test func(Object) outcome) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	outcomes := make([]outcome, 0, len(found))
	for _, o := range found {
		out := test(o)
		out.subject = firstText(out.subject, o.name())
		if o.Kind == exchange.Certificate {
			out.part = firstText(out.part, clean(o.server()))
		}
		out.names = with(out.names, o)
		outcomes = append(outcomes, out)
	}
	return outcomes
}

// none is the outcome of a rule about objects that are not there.
func (j *judge) none(r *row, whole bool) outcome {
	g := j.groups[r.Group]
	if (r.Group == "AuthCertificate") && j.current.text == "" {
		return outcome{why: "which certificate is the current one was not captured (Get-AuthConfig)"}
	}
	if whole {
		return outcome{why: "the capture is whole and holds no " + g.what}
	}
	why := "the capture holds no " + g.what + " (" + g.ask() + ")"
	if r.Needs != "" {
		why += "; it takes " + r.Needs
	}
	if r.Side == ExchangeOnline {
		why += ", of Exchange Online"
	}
	return outcome{why: why}
}

// server is the server on which a certificate was listed.
func (o Object) server() string {
	if s := o.Get("Server").scalar(); s != "" {
		return s
	}
	if server, _, ok := strings.Cut(o.Get("Identity").scalar(), `\`); ok { // EX01\thumbprint
		return server
	}
	return firstText(o.Get("PSComputerName").scalar(), o.Get("ServerName").scalar())
}

// with adds what an object is called to the names for the remedy.
func with(names map[string]string, o Object) map[string]string {
	all := map[string]string{"name": o.Get("Name").scalar(), "identity": o.Get("Identity").scalar(), "objectId": o.Get("id").scalar(), "noun": string(o.Kind)}
	if all["name"] == "" {
		all["name"] = o.Get("displayName").scalar()
	}
	if all["identity"] == "" {
		all["identity"] = all["name"]
	}
	for k, v := range names {
		all[k] = v
	}
	return all
}

// property asks test about the rule's property of an object.
func (j *judge) property(r *row, o Object, test valueTest) outcome {
	v := o.Get(r.Property)
	if r.Property == "PublicKey.KeySize" { // as Get-ExchangeCertificate prints it
		v = o.Get("PublicKeySize")
	}
	if strings.HasPrefix(v.text, "System.Security.Cryptography.") { // the name of a type, in place of a value
		v = Unreadable("")
	}
	if !v.IsKnown() && v.list == nil {
		return outcome{why: v.missing(r.Property)}
	}
	out := test(j, r, v)
	if out.answer == crossprem.AnswerUnknown && out.why == "" && !v.IsKnown() {
		out.why = v.missing(r.Property)
	}
	if out.found == "" {
		out.found = shown(v)
	}
	return out
}

// shown is a value as it is quoted.
func shown(v Value) string {
	switch {
	case v.isEmpty():
		return "empty"
	case v.Text() == strings.Repeat(", ", max(len(v.list)-1, 0)): // of objects
		return strconv.Itoa(max(len(v.list), 1)) + " entries"
	}
	return v.Text()
}

// names are the names that a remedy can hold.
func (j *judge) names(o outcome) map[string]string {
	host := ""
	if len(j.hosts) > 0 {
		host = j.hosts[0]
	}
	all := map[string]string{
		"tenantId": j.tenantID, "serviceDomain": j.serviceDomain, "onPremDomain": j.onPremDomain, "dedicatedAppId": j.appID,
		"currentThumbprint": string(j.current.text), "nextThumbprint": string(j.next.text), "host": host, "exoHost": j.exchangeOnlineHost(), "wanted": o.wanted,
	}
	for k, v := range o.names {
		all[k] = v
	}
	return all
}

// exchangeOnlineHost is the host of Exchange Online in the tenant's cloud.
func (j *judge) exchangeOnlineHost() string {
	switch j.cloud {
	case crossprem.GCCHigh:
		return "outlook.office365.us"
	case crossprem.DoD:
		return "outlook-dod.office365.us"
	case crossprem.China21Vianet:
		return "partner.outlook.cn"
	case crossprem.BleuFrance:
		return "outlook.sovcloud.fr"
	case crossprem.DelosGermany:
		return "outlook.sovcloud.de"
	}
	return "outlook.office365.com"
}

// placeholders are the names in a remedy, and what stands there where the name
// is not known.
var placeholders = map[string]string{
	"name": "<name>", "identity": "<identity>", "objectId": "<object id>", "noun": "MapiVirtualDirectory", "tenantId": "<tenant id>", "serviceDomain": "<tenant>.mail.onmicrosoft.com",
	"onPremDomain": "<your domain>", "dedicatedAppId": "<application id>", "currentThumbprint": "<current thumbprint>", "nextThumbprint": "<next thumbprint>",
	"host": "<published host>", "exoHost": "outlook.office365.com", "wanted": "<value>",
}

var (
	placeholder = regexp.MustCompile(`\{([A-Za-z]+)\}`)
	plainWord   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`)
)

// fill puts names into a remedy. A name that is no plain word is quoted, so
// that PowerShell takes it for one value, whatever it holds.
func fill(fix string, names map[string]string) string {
	return placeholder.ReplaceAllStringFunc(fix, func(p string) string {
		key := p[1 : len(p)-1]
		unknown, ok := placeholders[key]
		if !ok {
			return p
		}
		name := clean(names[key])
		switch {
		case name == "":
			return unknown
		case plainWord.MatchString(name):
			return name
		}
		return quote(name)
	})
}

// quote returns text as a string of PowerShell in single quotes, of which it
// knows five.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range text {
		if strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}

// wanted returns the text that a rule wants, with the placeholder in it
// replaced, and why it is not known.
func (j *judge) wanted(text string) (want, why string) {
	m := placeholder.FindStringSubmatch(text)
	if m == nil {
		return text, ""
	}
	for _, w := range []struct{ name, value, why string }{
		{"tenantId", j.tenantID, "the id of the tenant is not told"},
		{"serviceDomain", j.serviceDomain, "the service domain (contoso.mail.onmicrosoft.com) is not told"},
		{"onPremDomain", j.onPremDomain, "the on-premises domain is not told"},
		{"dedicatedAppId", j.appID, "the id of the dedicated hybrid application is not told"},
	} {
		if w.name == m[1] {
			if w.value == "" {
				return "", w.why
			}
			return w.value, ""
		}
	}
	return "", fmt.Sprintf("%s is not told", m[1])
}
