package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// Answer is what an engine that holds events, each once, answers to the
// question with the columns and the text of query, in the dialect d and with the
// tables and the definition of p. It reports false if the text is none of p's
// about the window w.
func (p *Plan) Answer(d Dialect, w Window, query string, events []signins.SignIn) (rows [][]Value, ok bool) {
	for i := range p.questions {
		if q := &p.questions[i]; d.Question(p, q, w) == query {
			return p.answer(q, w, events), true
		}
	}
	if query == d.Bounds {
		var first, last time.Time
		for i := range events {
			if at := events[i].Time; !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
			if events[i].Time.After(last) {
				last = events[i].Time
			}
		}
		if first.IsZero() {
			return [][]Value{{{nil}, {nil}}}, true
		}
		return [][]Value{{{first}, {last}}}, true
	}
	return nil, false
}

func (w Window) holds(at time.Time) bool {
	if at.IsZero() {
		return w.Untimed
	}
	return !at.Before(w.Since) && (w.Until.IsZero() || at.Before(w.Until))
}

// answer evaluates q.
func (p *Plan) answer(q *question, w Window, events []signins.SignIn) [][]Value {
	type counted struct {
		keys                       []Value
		records, successes, copies int64
		first, last                time.Time
	}
	var order []string
	groups := map[string]*counted{}
	steps, _ := q.needs(p.steps)
	for i := range events {
		s := &events[i]
		if !w.holds(s.Time) {
			continue
		}
		r := rowOf(s)
		for _, step := range steps {
			r[step.name] = step.is.eval(r)
		}
		if q.where.eval(r) != true {
			continue
		}
		keys, id := make([]Value, len(q.keys)), ""
		for k, key := range q.keys {
			keys[k].Any = key.is.eval(r)
			id += fmt.Sprintf("%T %v\x00", keys[k].Any, keys[k].Any)
		}
		g := groups[id]
		if g == nil {
			g = &counted{keys: keys}
			groups[id] = g
			order = append(order, id)
		}
		g.records++
		if r[colSuccess] == true {
			g.successes++
		}
		if !s.Time.IsZero() {
			if g.first.IsZero() || s.Time.Before(g.first) {
				g.first = s.Time
			}
			if s.Time.After(g.last) {
				g.last = s.Time
			}
		}
	}
	var rows [][]Value
	for _, id := range order {
		g := groups[id]
		row := append(slices.Clone(g.keys), Value{g.records}, Value{g.successes}, Value{timeOrNone(g.first)}, Value{timeOrNone(g.last)})
		if q.part == signins.PartTotals {
			row = append(row, Value{g.copies})
		}
		rows = append(rows, row)
	}
	return rows
}

func timeOrNone(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// rowOf returns the columns of the plan for s.
func rowOf(s *signins.SignIn) map[string]any {
	missing := ""
	for _, f := range []signins.Fields{signins.FieldClientAppUsed, signins.FieldUserAgent, signins.FieldAuthenticationProtocol, signins.FieldMethods,
		signins.FieldErrorCode, signins.FieldLocation, signins.FieldTime, signins.FieldIPAddress} {
		if !s.Knows(f) {
			name, _ := f.MarshalText() // of a constant it can be
			missing += string(name) + ","
		}
	}
	category := map[signins.Category]string{signins.InteractiveUser: "signinlogs", signins.NonInteractiveUser: "noninteractiveusersigninlogs",
		signins.ServicePrincipal: "serviceprincipalsigninlogs", signins.ManagedIdentity: "managedidentitysigninlogs",
		signins.MicrosoftServicePrincipal: "microsoftserviceprincipalsigninlogs", signins.ADFS: "adfssigninlogs"}[s.Category]
	methods := ""
	for _, m := range []struct {
		of   signins.Methods
		name string
	}{{signins.MethodPassword, "password"}, {signins.MethodCertificate, "x.509 certificate"}, {signins.MethodPrevious, "previously satisfied"}, {signins.MethodOther, "other"}} {
		if s.Methods.Has(m.of) {
			methods += "\n" + m.name
		}
	}
	if methods != "" {
		methods += "\n"
	}
	var code any
	if s.Knows(signins.FieldErrorCode) || s.ErrorCode != 0 {
		code = int64(s.ErrorCode)
	}
	return map[string]any{
		colTime: timeOrNone(s.Time), colCategory: category, colInteractive: s.Interactive.String(), colMissing: missing, colUserID: s.UserID, colUPN: s.UserPrincipalName,
		colSPID: s.ServicePrincipalID, colAppID: s.AppID, colApp: s.AppDisplayName, colClientApp: s.ClientAppUsed, colAgent: s.UserAgent,
		colAuthProtocol: s.AuthenticationProtocol, colIncomingToken: s.IncomingTokenType, colTransfer: s.OriginalTransferMethod, colMethods: methods,
		colAddress: s.IPAddress, colNetwork: int64(s.AutonomousSystemNumber), colCountry: s.CountryOrRegion, colCode: code, colReason: s.FailureReason,
		colHomeTenant: s.HomeTenantID, colResourceTenant: s.ResourceTenantID,
	}
}

// eval is what e comes to in a row: a string, a bool, an int64, a time or nil.
func (e expr) eval(r map[string]any) any {
	arg := func(i int) any { return e.args[i].eval(r) }
	words := func(i int) string { t, _ := arg(i).(string); return t }
	switch e.op {
	case opColumn:
		return r[e.text]
	case opText:
		return e.text
	case opYes:
		return true
	case opNo:
		return false
	case opNoTime:
		return nil
	case opAnd, opOr:
		for i := range e.args {
			if (arg(i) == true) == (e.op == opOr) {
				return e.op == opOr
			}
		}
		return e.op == opAnd
	case opNot:
		return arg(0) != true
	case opEqual:
		return words(0) == words(1)
	case opIn:
		return slices.Contains(e.list, words(0))
	case opInFold:
		return slices.ContainsFunc(e.list, func(t string) bool { return asciiLower(t) == asciiLower(words(0)) })
	case opPrefix:
		return strings.HasPrefix(words(0), e.text)
	case opHas:
		return strings.Contains(words(0), e.text)
	case opMatch:
		return compiled(e.text).MatchString(words(0))
	case opFold:
		return strings.ToLower(strings.NewReplacer("\u0130", "i", "\u212a", "k").Replace(words(0)))
	case opTrim:
		return strings.TrimSpace(words(0))
	case opSingle:
		return strings.Join(strings.Fields(words(0)), " ")
	case opExtract:
		if found := compiled(e.text).FindStringSubmatch(words(0)); found != nil {
			return found[1]
		}
		return ""
	case opReplace:
		return compiled(e.text).ReplaceAllString(words(0), "")
	case opCases:
		for i := 0; i+1 < len(e.args); i += 2 {
			if arg(i) == true {
				return arg(i + 1)
			}
		}
		return arg(len(e.args) - 1)
	case opPick, opPickInt:
		key := words(0)
		if n, ok := arg(0).(int64); ok {
			key = strconv.FormatInt(n, 10)
		}
		for _, c := range e.cases {
			if slices.Contains(c.of, key) {
				return c.value
			}
		}
		return arg(1)
	case opIsNull:
		return arg(0) == nil
	case opHour:
		if at, ok := arg(0).(time.Time); ok {
			return at.UTC().Truncate(time.Hour)
		}
		return nil
	case opZero:
		return arg(0) == int64(0)
	}
	panic("plan: no such operation")
}

var regexps sync.Map // of compiled regular expressions, by their text

func compiled(text string) *regexp.Regexp {
	if have, ok := regexps.Load(text); ok {
		return have.(*regexp.Regexp)
	}
	made := regexp.MustCompile(text) // of the plan, none of a stranger
	regexps.Store(text, made)
	return made
}

// A StepText is one step of a plan, for tests that execute steps one by one.
type StepText struct {
	Name   string
	KQL    string
	Inputs []string // columns that it looks at
	Result func(row map[string]any) any
}

// StepTexts returns the steps in their order.
func (p *Plan) StepTexts() []StepText {
	var all []StepText
	for _, s := range p.steps {
		text := StepText{Name: s.name, KQL: s.is.kql(), Result: s.is.eval}
		s.is.columns(func(name string) {
			if !slices.Contains(text.Inputs, name) {
				text.Inputs = append(text.Inputs, name)
			}
		})
		all = append(all, text)
	}
	return all
}

// Row returns what StepTexts look at, for one event.
func Row(s *signins.SignIn) map[string]any { return rowOf(s) }
