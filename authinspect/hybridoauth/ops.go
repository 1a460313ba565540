package hybridoauth

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A valueTest judges one value of one object. The value is known, or a list
// that was cut.
type valueTest func(j *judge, r *row, v Value) outcome

// tests are the checks that look at one property.
var tests = map[string]valueTest{
	"is_true":      func(_ *judge, _ *row, v Value) outcome { return flag(v, crossprem.Yes) },
	"is_false":     func(_ *judge, _ *row, v Value) outcome { return flag(v, crossprem.No) },
	"empty":        func(_ *judge, _ *row, v Value) outcome { return decided(v, v.isEmpty()) },
	"not_empty":    func(_ *judge, _ *row, v Value) outcome { return decided(v, !v.isEmpty()) },
	"equals":       equals,
	"one_of":       func(_ *judge, r *row, v Value) outcome { return decided(v, holdsFold(r.texts, v.scalar())) },
	"not_in":       func(_ *judge, r *row, v Value) outcome { return decided(v, !holdsFold(r.texts, v.scalar())) },
	"matches":      matches,
	"guid":         func(_ *judge, _ *row, v Value) outcome { return decided(v, guidForm.MatchString(v.scalar())) },
	"contains":     contains,
	"contains_all": containsAll,
	"equals_cloud": inCloud,
	"one_of_cloud": inCloud,
	"gte":          atLeast,
	"days_left_gt": daysLeft,
	"not_in_future": func(j *judge, _ *row, v Value) outcome {
		t, ok := v.time()
		if !ok {
			return outcome{why: "the date cannot be read", found: v.Text()}
		}
		return outcome{answer: crossprem.AnswerOf(!t.After(j.at)), due: j.at}
	},
	"not_false": ewsStillOn,
	"any":       func(_ *judge, _ *row, v Value) outcome { return decided(v, true) },
}

// decided is Yes or No of a value that is known whole.
func decided(v Value, passed bool) outcome {
	if !v.IsKnown() {
		return outcome{}
	}
	return outcome{answer: crossprem.AnswerOf(passed)}
}

func flag(v Value, want crossprem.Answer) outcome {
	got := v.yes()
	switch {
	case v.isEmpty():
		return outcome{answer: crossprem.No} // null is no True, and no False either
	case got == crossprem.AnswerUnknown:
		return outcome{why: "the value is neither True nor False"}
	}
	return outcome{answer: crossprem.AnswerOf(got == want)}
}

func holdsFold(texts []string, text string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.EqualFold(t, text) })
}

func equals(j *judge, r *row, v Value) outcome {
	want, why := j.wanted(r.text)
	switch {
	case why != "" && v.isEmpty():
		return outcome{answer: crossprem.No} // whatever it should be, it is not empty
	case why != "":
		return outcome{why: why}
	}
	out := decided(v, strings.EqualFold(v.scalar(), want))
	out.wanted = want
	return out
}

var patterns sync.Map // of a rule to *regexp.Regexp

// pattern compiles an expression once. Addresses and names of Windows do not
// differ in letter case.
func pattern(expr string) *regexp.Regexp {
	if re, ok := patterns.Load(expr); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile("(?i)" + expr)
	patterns.Store(expr, re)
	return re
}

// anyIssuer is the form of an issuer in the clouds whose host is in no table.
var anyIssuer = regexp.MustCompile(`(?i)^https://[^/]+/[0-9a-f-]{36}/(v2\.0/?)?$`)

func matches(j *judge, r *row, v Value) outcome {
	out := decided(v, pattern(r.text).MatchString(v.scalar()))
	if out.answer != crossprem.No {
		return out
	}
	switch r.ID {
	case "ASRV-025": // the table has the host of the worldwide cloud alone
		if j.cloud != crossprem.Worldwide && anyIssuer.MatchString(v.scalar()) {
			return outcome{why: "the host of issuers in this cloud is not in the table"}
		}
	case "VDIR-EWS-006":
		if v.isEmpty() && (j.asked&HybridAgent != 0 || j.usesHybridAgent() == crossprem.Yes) {
			return outcome{answer: crossprem.Yes, note: "An empty address is right with the Hybrid Agent."}
		}
	}
	return out
}

func contains(j *judge, r *row, v Value) outcome {
	want, why := j.wanted(r.text)
	texts := v.Texts()
	switch {
	case why == "" && holdsFold(texts, want):
		return outcome{answer: crossprem.Yes, wanted: want}
	case !v.IsKnown():
		return outcome{wanted: want}
	case r.Property == "Subject": // a name within a name
		return outcome{answer: crossprem.AnswerOf(strings.Contains(strings.ToLower(v.Text()), strings.ToLower(want))), wanted: want}
	case why != "" && len(texts) > 0:
		return outcome{why: why}
	}
	return outcome{answer: crossprem.No, wanted: want}
}

func containsAll(_ *judge, r *row, v Value) outcome {
	texts := v.Texts()
	if n, err := strconv.Atoi(v.scalar()); err == nil && r.Property == "UserAccountControl" {
		texts = accountFlags(n)
	}
	for _, want := range r.texts {
		if !holdsFold(texts, want) {
			return decided(v, false)
		}
	}
	return outcome{answer: crossprem.Yes}
}

// accountFlags are the names of the bits of userAccountControl that rules ask
// for, [MS-ADTS] 2.2.16.
func accountFlags(n int) (names []string) {
	for _, f := range []struct {
		bit  int
		name string
	}{{0x2, "AccountDisabled"}, {0x20, "PasswordNotRequired"}, {0x200, "NormalAccount"}} {
		if n&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// inCloud judges a value that differs from cloud to cloud.
func inCloud(j *judge, r *row, v Value) outcome {
	same := func(want string) bool { return exchange.SameAddress(want, v.scalar()) }
	if !slices.ContainsFunc(r.inAnyCloud(), same) {
		if want, known := r.inCloud(j.cloud); known {
			return outcome{answer: crossprem.No, wanted: orList(want)}
		}
		if _, other := r.inCloud(crossprem.GCCHigh); j.cloud == crossprem.CloudUnknown || other {
			return outcome{answer: crossprem.No, note: "It is not right in any cloud."}
		}
	}
	if j.cloud == crossprem.CloudUnknown {
		if v.isEmpty() { // right in all
			return outcome{answer: crossprem.Yes}
		}
		return outcome{why: j.cloudWhy}
	}
	want, known := r.inCloud(j.cloud)
	if !known {
		return outcome{why: "the value for this cloud is not in the table"}
	}
	return outcome{answer: crossprem.AnswerOf(slices.ContainsFunc(want, same)), wanted: orList(want)}
}

func orList(texts []string) string {
	shown := make([]string, len(texts))
	for i, t := range texts {
		if shown[i] = t; t == "" {
			shown[i] = "nothing"
		}
	}
	return strings.Join(shown, " or ")
}

func atLeast(_ *judge, r *row, v Value) outcome {
	have, err := strconv.Atoi(v.scalar())
	want, _ := strconv.Atoi(r.text)
	if err != nil {
		return outcome{why: "the value is no number"}
	}
	return outcome{answer: crossprem.AnswerOf(have >= want)}
}

func daysLeft(j *judge, r *row, v Value) outcome {
	t, ok := v.time()
	if !ok {
		return outcome{why: "the date cannot be read"}
	}
	days, _ := strconv.Atoi(r.text)
	out := outcome{answer: crossprem.AnswerOf(t.Sub(j.at) > time.Duration(days)*24*time.Hour), due: t}
	if out.answer == crossprem.No && r.ID == "CERT-004" && j.successorIsReady(t) {
		out.mild, out.note = true, "A next certificate is staged on every server and becomes current before."
	}
	return out
}

// successorIsReady reports whether a next certificate is on every server and
// becomes current before the current one ends.
func (j *judge) successorIsReady(end time.Time) bool {
	with, without, unknown := j.holders(j.next)
	if j.next.text == "" || len(with) == 0 || len(without)+len(unknown) > 0 {
		return false
	}
	for _, o := range j.c.Objects {
		if o.Kind == exchange.AuthConfig {
			if t, ok := o.Get("NextCertificateEffectiveDate").time(); ok && t.Before(end) && t.After(j.at) {
				return true
			}
		}
	}
	return false
}

// The days on which Exchange Web Services in Exchange Online change.
var (
	allowListInForce = time.Date(2026, 10, 10, 0, 0, 0, 0, time.UTC)
	ewsEnds          = time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
)

func ewsStillOn(j *judge, _ *row, v Value) outcome {
	switch got := v.yes(); {
	case !j.at.Before(ewsEnds):
		return outcome{why: "Exchange Online switches EWS off for good on 2027-04-01, so the value no longer decides"}
	case got == crossprem.No:
		return outcome{answer: crossprem.No, due: j.at}
	case v.isEmpty():
		return outcome{answer: crossprem.Yes, due: ewsEnds, note: "Since October 2026 tenants in which the value is empty are switched to False in waves: capture it again, or set it."}
	case got == crossprem.AnswerUnknown:
		return outcome{why: "the value is neither True nor False"}
	}
	return outcome{answer: crossprem.Yes, due: ewsEnds}
}

// A groupTest is a check that looks at several objects or properties.
type groupTest func(j *judge, r *row) []outcome

// allGroupTests returns the checks that look at several objects or properties,
// by name. The name of a rule behind that of the check makes an exception of it.
func allGroupTests() map[string]groupTest {
	tests := map[string]groupTest{
		"exists":                      (*judge).exists,
		"is_true ASRV-101":            (*judge).cloudServer,
		"is_true CERT-010":            (*judge).selfSigned,
		"is_true CERT-002":            (*judge).hasKey,
		"contains CERT-011":           (*judge).published,
		"present_on_all":              (*judge).onEveryServer,
		"resolves_to":                 (*judge).resolves,
		"resolves_to_if_set":          (*judge).nextIsUsable,
		"date_vs":                     (*judge).effectiveDate,
		"not_past_if_next_set":        (*judge).rolledOver,
		"differs":                     (*judge).nextDiffers,
		"count_true_eq_at_most":       (*judge).oneDefault,
		"unique_by":                   (*judge).onePerTenant,
		"count_lte":                   (*judge).oneOverride,
		"count_lte KEY-004":           (*judge).oneKeyPerCertificate,
		"if_legacy_sfb_then_contains": (*judge).teamsPartners,
		"no_overlap":                  (*judge).noOverlap,
		"not_contains":                (*judge).notOnPremisesAlone,
		"equals_ref":                  (*judge).publishedDiscovery,
		"absent_unless":               (*judge).noAddressSpace,
		"not_blocking":                (*judge).notBlocking,
		"contains OCFG-102":           (*judge).allowList,
		"is_true OREL-003":            (*judge).sharesFreeBusy,
		"same_on_all":                 (*judge).sameOnAll,
		"contains VDIR-HMA-001":       (*judge).clientMethods,
		"matches OVR-003":             (*judge).overrideIsOn,
		"requires":                    (*judge).graphNeedsDedicated,
		"gte_build":                   (*judge).builds,
		"all_gte":                     (*judge).allBuilds,
		"not_in BLD-004":              (*judge).notTooOld,
		"contains_thumbprint":         (*judge).holdsCertificate,
		"contains_thumbprint_if":      (*judge).holdsNext,
		"none_expired":                (*judge).noExpiredKeys,
		"all_known":                   (*judge).noForeignKeys,
		"granted":                     (*judge).ewsGranted,
		"granted_all":                 (*judge).graphGranted,
		"no_more_than":                (*judge).noMoreGranted,
		"contains_all SP-004":         (*judge).hostsRegistered,
		"none_match":                  (*judge).namesAreHosts,
		"equals_all":                  (*judge).keyKinds,
		"lte KEY-002":                 (*judge).keyDates,
		"equals_or_null":              (*judge).keyIdentifiers,
		"equals ACCEPT-001":           (*judge).testResult,
		"equals ACCEPT-002":           (*judge).testApplication,
		"lte CERT-015":                (*judge).notHere,
	}
	for _, id := range []string{"AACC-101", "AACC-102", "AACC-103", "AACC-104", "AACC-105", "AACC-106", "AACC-107"} {
		tests["contains "+id] = (*judge).hasRole
	}
	return tests
}

// notHere is the outcome of a rule whose input this package does not read.
func (j *judge) notHere(r *row) []outcome {
	return []outcome{{why: "it takes " + r.Needs + ", which is not among what this package reads"}}
}

// exists asks whether there is an object with what the rule's property says.
func (j *judge) exists(r *row) []outcome {
	is := func(o Object) crossprem.Answer { return crossprem.Yes }
	switch {
	case strings.HasSuffix(r.Property, "and Enabled"):
		is = func(o Object) crossprem.Answer { return o.Get("Enabled").yes() }
	case strings.HasSuffix(r.Property, "Enabled=true"):
		is = func(o Object) crossprem.Answer { return switchedOn(o.Get("Parameters")) }
	}
	found, whole := j.find(r.Group, r.Side)
	if r.ID == "ASRV-001" {
		found = slices.DeleteFunc(slices.Clone(found), func(o Object) bool {
			return !slices.Contains([]string{"MicrosoftACS", "AzureAD", ""}, kindOfAuthServer(o))
		})
		is = func(o Object) crossprem.Answer {
			if kindOfAuthServer(o) == "" {
				return and(o.Get("Enabled").yes(), crossprem.AnswerUnknown)
			}
			return o.Get("Enabled").yes()
		}
	}
	result := crossprem.AnswerUnknown
	if whole {
		result = crossprem.No
	}
	for _, o := range found {
		if a := is(o); a == crossprem.Yes {
			out := outcome{answer: crossprem.Yes, subject: o.name(), found: "present"}
			return []outcome{out}
		} else if a == crossprem.AnswerUnknown {
			result = a
		}
	}
	if result == crossprem.No {
		return []outcome{{answer: crossprem.No, found: "not the case for any of the objects captured"}}
	}
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	return []outcome{{why: "the capture does not show it for every " + j.groups[r.Group].what + ", and may not hold them all"}}
}

var enabledTrue = regexp.MustCompile(`(?i)^\s*Enabled\s*=\s*true\s*$`)

func switchedOn(v Value) crossprem.Answer {
	if slices.ContainsFunc(v.Texts(), enabledTrue.MatchString) {
		return crossprem.Yes
	}
	if !v.IsKnown() {
		return crossprem.AnswerUnknown
	}
	return crossprem.No
}

func (j *judge) overrideIsOn(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		v := o.Get(r.Property)
		out := outcome{answer: switchedOn(v), found: shown(v)}
		if out.answer == crossprem.AnswerUnknown {
			out.why = v.missing(r.Property)
		}
		return out
	})
}

// cloudServer wants the ACS auth server of Exchange Online enabled; none is a
// violation where all auth servers were captured.
func (j *judge) cloudServer(r *row) []outcome {
	if found, whole := j.find(r.Group, r.Side); len(found) == 0 && whole {
		return []outcome{{answer: crossprem.No, found: "no auth server with the issuer of ACS"}}
	}
	return j.each(r, func(o Object) outcome { return j.property(r, o, tests["is_true"]) })
}

func (j *judge) selfSigned(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		subject, issuer := o.Get("Subject"), o.Get("Issuer")
		switch own := o.Get("IsSelfSigned"); {
		case subject.IsKnown() && issuer.IsKnown():
			return outcome{answer: crossprem.AnswerOf(strings.EqualFold(subject.scalar(), issuer.scalar())), found: issuer.scalar()}
		case own.yes() != crossprem.AnswerUnknown:
			return outcome{answer: own.yes(), found: own.scalar()}
		}
		return outcome{why: issuer.missing("Issuer")}
	})
}

func (j *judge) hasKey(r *row) []outcome {
	return j.each(r, func(o Object) outcome { return j.property(r, o, tests["is_true"]) })
}

func (j *judge) published(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		services, status := o.Get("Services"), o.Get("Status")
		found := "Services " + shown(services) + ", Status " + shown(status)
		smtp := crossprem.AnswerUnknown
		if services.IsKnown() {
			smtp = crossprem.AnswerOf(holdsFold(services.Texts(), "SMTP"))
		}
		valid := crossprem.AnswerUnknown
		if status.IsKnown() {
			valid = crossprem.AnswerOf(strings.EqualFold(status.scalar(), "Valid"))
		}
		if a := and(smtp, valid); a != crossprem.AnswerUnknown {
			return outcome{answer: a, found: found}
		}
		return outcome{why: "the capture does not show Services and Status"}
	})
}

// servers are the names of the servers that must hold the certificates: all
// but Edge.
func (j *judge) servers() (names []string, whole bool) {
	found, whole := j.find("ExchangeServer", OnPremises)
	for _, o := range found {
		names = append(names, o.name())
	}
	return names, whole && len(names) > 0
}

func sameServer(a, b string) bool {
	short := func(s string) string { name, _, _ := strings.Cut(s, "."); return name }
	return strings.EqualFold(a, b) || strings.EqualFold(short(a), short(b))
}

// holders tells of every server whether it holds a certificate with its key:
// unknown for one of which no certificates were captured.
func (j *judge) holders(of fact) (with, without, unknown []string) {
	names, _ := j.servers()
	var certificates []Object
	for _, o := range j.c.Objects {
		if o.Kind == exchange.Certificate {
			certificates = append(certificates, o)
			if s := o.server(); s != "" && !slices.ContainsFunc(names, func(n string) bool { return sameServer(n, s) }) && len(names) == 0 {
				names = append(names, s)
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		listed, holds, key := false, false, crossprem.AnswerUnknown
		whole := slices.Contains(j.c.Listed, Listing{exchange.Certificate, OnPremises}) // and not a paste that breaks off
		for _, o := range certificates {
			if sameServer(o.server(), name) {
				listed = true
				if v := o.Get("Thumbprint"); !v.IsKnown() || hexOnly.MatchString(v.scalar()) && len(v.scalar()) < 40 {
					whole = false // which one that is was not captured
				}
				if j.isCertificate(o, of) {
					holds, key = true, o.Get("HasPrivateKey").yes()
				}
			}
		}
		switch {
		case holds && key == crossprem.Yes:
			with = append(with, name)
		case holds && key == crossprem.No, listed && whole && !holds:
			without = append(without, name)
		default:
			unknown = append(unknown, name)
		}
	}
	return with, without, unknown
}

func (j *judge) onEveryServer(r *row) []outcome {
	out := outcome{subject: string(j.current.text)}
	if j.current.text == "" {
		return []outcome{j.none(r, false)}
	}
	with, without, unknown := j.holders(j.current)
	_, whole := j.servers()
	switch {
	case len(without) > 0:
		out.answer, out.found = crossprem.No, "missing, or without its key, on "+strings.Join(without, ", ")
	case len(unknown) > 0:
		out.why = "no certificates were captured of " + strings.Join(unknown, ", ") + " (Get-ExchangeCertificate)"
	case len(with) == 0:
		out.why = "no certificates were captured together with their servers (Get-ExchangeCertificate)"
	case !whole:
		out.why = "the servers of the organization were not captured (Get-ExchangeServer)"
	default:
		out.answer, out.found = crossprem.Yes, "present with its key on "+strings.Join(with, ", ")
	}
	return []outcome{out}
}

// resolves asks whether the current certificate is on one of the servers.
func (j *judge) resolves(r *row) []outcome {
	if j.current.text == "" {
		return []outcome{j.none(r, false)}
	}
	out := outcome{subject: string(j.current.text)}
	if found, _ := j.find("AuthCertificate", OnPremises); len(found) > 0 {
		out.answer, out.found = crossprem.Yes, "in the store of "+firstText(found[0].server(), "a server")
		return []outcome{out}
	}
	listed := slices.Contains(j.c.Listed, Listing{exchange.Certificate, OnPremises})
	if !listed {
		out.why = "the certificates of the servers were not captured (Get-ExchangeCertificate)"
		return []outcome{out}
	}
	out.answer, out.found = crossprem.No, "not among the certificates captured"
	return []outcome{out}
}

// authConfig asks test about the one auth configuration.
func (j *judge) authConfig(r *row, test func(o Object) outcome) []outcome {
	return j.each(r, test)
}

func (j *judge) nextIsUsable(r *row) []outcome {
	return j.authConfig(r, func(o Object) outcome {
		v := o.Get("NextCertificateThumbprint")
		switch {
		case v.isEmpty():
			return outcome{answer: crossprem.Yes, found: "empty"}
		case !v.IsKnown() || j.next.text == "":
			return outcome{why: v.missing(r.Property)}
		}
		with, without, unknown := j.holders(j.next)
		found, _ := j.find("NextCertificate", OnPremises)
		for _, certificate := range found {
			if end, ok := certificate.Get("NotAfter").time(); ok && !end.After(j.at) {
				return outcome{answer: crossprem.No, found: v.Text() + ", which has expired"}
			}
		}
		switch {
		case len(without) > 0:
			return outcome{answer: crossprem.No, found: v.Text() + ", which is missing, or without its key, on " + strings.Join(without, ", "), due: j.effective(o)}
		case len(with) > 0 && len(unknown) == 0:
			return outcome{answer: crossprem.Yes, found: v.Text() + ", with its key on " + strings.Join(with, ", ")}
		case len(found) == 0 && len(with)+len(unknown) == 0 && slices.Contains(j.c.Listed, Listing{exchange.Certificate, OnPremises}):
			return outcome{answer: crossprem.No, found: v.Text() + ", which is not among the certificates captured", due: j.effective(o)}
		}
		return outcome{why: "the certificates of the servers were not captured (Get-ExchangeCertificate)"}
	})
}

// effective is the day on which the next certificate becomes current, or the
// day of the verdict if that is not told.
func (j *judge) effective(o Object) time.Time {
	if t, ok := o.Get("NextCertificateEffectiveDate").time(); ok {
		return t
	}
	return j.at
}

func (j *judge) effectiveDate(r *row) []outcome {
	return j.authConfig(r, func(o Object) outcome {
		next, date := o.Get("NextCertificateThumbprint"), o.Get("NextCertificateEffectiveDate")
		switch {
		case next.isEmpty():
			return outcome{answer: crossprem.Yes, found: "no next certificate"}
		case !next.IsKnown():
			return outcome{why: next.missing("NextCertificateThumbprint")}
		case date.isEmpty():
			return outcome{answer: crossprem.No, found: "empty, beside a next certificate"}
		}
		t, ok := date.time()
		if !ok {
			return outcome{why: date.missing(r.Property)}
		}
		found, _ := j.find("AuthCertificate", OnPremises)
		for _, certificate := range found {
			if end, ok := certificate.Get("NotAfter").time(); ok {
				if t.After(end) && end.After(j.at) {
					return outcome{answer: crossprem.No, found: shown(date), note: "The current certificate ends before, on " + end.Format(time.DateOnly) + ".", due: end}
				}
				return outcome{answer: crossprem.Yes, found: shown(date), note: "Whether it was at least 48 hours ahead when it was set is in no output."}
			}
		}
		return outcome{why: "when the current certificate ends was not captured (Get-ExchangeCertificate)"}
	})
}

func (j *judge) rolledOver(r *row) []outcome {
	return j.authConfig(r, func(o Object) outcome {
		next, date := o.Get("NextCertificateThumbprint"), o.Get("NextCertificateEffectiveDate")
		switch {
		case next.isEmpty():
			return outcome{answer: crossprem.Yes, found: "no next certificate"}
		case !next.IsKnown():
			return outcome{why: next.missing("NextCertificateThumbprint")}
		}
		t, ok := date.time()
		if !ok {
			return outcome{why: date.missing(r.Property)}
		}
		return outcome{answer: crossprem.AnswerOf(t.After(j.at)), found: shown(date)}
	})
}

func (j *judge) nextDiffers(r *row) []outcome {
	return j.authConfig(r, func(Object) outcome {
		switch {
		case !j.next.known || !j.current.known:
			return outcome{why: "the capture does not show both thumbprints"}
		case j.next.text == "":
			return outcome{answer: crossprem.Yes, found: "no next certificate"}
		}
		return outcome{answer: crossprem.AnswerOf(j.next.text != j.current.text), found: string(j.next.text)}
	})
}

func (j *judge) oneDefault(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	var defaults []string
	unknown := !whole
	for _, o := range found {
		switch o.Get(r.Property).yes() {
		case crossprem.Yes:
			defaults = append(defaults, o.name())
		case crossprem.AnswerUnknown:
			unknown = true
		}
	}
	switch {
	case len(found) == 0:
		return []outcome{j.none(r, whole)}
	case len(defaults) > 1:
		return []outcome{{answer: crossprem.No, found: "True for " + strings.Join(defaults, " and "), names: map[string]string{"name": defaults[1]}}}
	case unknown:
		return []outcome{{why: "the capture does not show " + r.Property + " of every auth server"}}
	}
	return []outcome{{answer: crossprem.Yes, found: firstText(strings.Join(defaults, ""), "False for all")}}
}

func (j *judge) onePerTenant(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	names := map[string][]string{}
	unknown := !whole
	for _, o := range found {
		realm := o.Get("Realm")
		switch enabled := o.Get("Enabled").yes(); {
		case enabled == crossprem.No:
		case enabled == crossprem.AnswerUnknown || !realm.IsKnown():
			unknown = true
		default:
			names[strings.ToLower(realm.scalar())] = append(names[strings.ToLower(realm.scalar())], o.name())
		}
	}
	var outcomes []outcome
	for realm, list := range names {
		if len(list) > 1 {
			outcomes = append(outcomes, outcome{answer: crossprem.No, part: clean(realm), found: strings.Join(list, " and ") + " for one realm", names: map[string]string{"name": list[1]}})
		}
	}
	switch {
	case len(outcomes) > 0:
		return outcomes
	case unknown:
		return []outcome{{why: "the capture does not show Realm and Enabled of every Entra ID auth server"}}
	}
	return []outcome{{answer: crossprem.Yes, found: strconv.Itoa(len(found)) + " object(s)"}}
}

func (j *judge) oneOverride(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	var names []string
	for _, o := range found {
		names = append(names, o.name())
	}
	switch {
	case len(found) > 1:
		return []outcome{{answer: crossprem.No, found: strings.Join(names, " and "), names: map[string]string{"name": names[1]}}}
	case !whole:
		return []outcome{j.none(r, whole)}
	}
	return []outcome{{answer: crossprem.Yes, found: strconv.Itoa(len(found))}}
}

func (j *judge) teamsPartners(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 && !whole {
		return []outcome{j.none(r, whole)}
	}
	has := func(id string) bool {
		return slices.ContainsFunc(found, func(o Object) bool { return hasApp("ApplicationIdentifier", id)(j, o) })
	}
	var missing []string
	for _, id := range r.texts {
		if !has(id) {
			missing = append(missing, id)
		}
	}
	switch legacy := has(legacySkype); {
	case !legacy && !whole:
		return []outcome{{why: "the capture may not hold every partner application"}}
	case !legacy:
		return []outcome{{answer: crossprem.Yes, found: "no partner application of Skype for Business"}}
	case len(missing) == 0:
		return []outcome{{answer: crossprem.Yes, found: "both"}}
	case !whole:
		return []outcome{{why: "the capture may not hold every partner application"}}
	}
	return []outcome{{answer: crossprem.No, found: "no " + strings.Join(missing, ", ")}}
}

func (j *judge) hasRole(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	out := outcome{subject: applicationAccount, wanted: r.text}
	unreadable := false
	for _, o := range found {
		role := o.Get("Role")
		unreadable = unreadable || !role.IsKnown()
		if role.IsKnown() && strings.EqualFold(role.scalar(), r.text) {
			out.answer, out.found = crossprem.Yes, r.text
			return []outcome{out}
		}
	}
	if !whole || unreadable {
		out.why = "the role assignments of " + applicationAccount + " were not captured whole (Get-ManagementRoleAssignment)"
		return []outcome{out}
	}
	out.answer, out.found = crossprem.No, "no such assignment"
	return []outcome{out}
}

func (j *judge) noOverlap(r *row) []outcome {
	found, whole := j.allOn(exchange.Connector, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	claimed := map[string]string{}
	unknown := !whole
	var outcomes []outcome
	for _, o := range found {
		domains := o.Get(r.Property)
		switch enabled := o.Get("Enabled").yes(); {
		case enabled == crossprem.No:
			continue
		case enabled == crossprem.AnswerUnknown, !domains.IsKnown():
			unknown = true
		}
		for _, d := range domains.Texts() {
			d = strings.ToLower(d)
			if other, taken := claimed[d]; taken && other != o.name() {
				outcomes = append(outcomes, outcome{answer: crossprem.No, subject: o.name(), part: clean(d), found: d + ", which " + other + " has too"})
			}
			claimed[d] = o.name()
		}
	}
	switch {
	case len(outcomes) > 0:
		return outcomes
	case unknown:
		return []outcome{{why: "the capture does not show the domains of every enabled connector"}}
	}
	return []outcome{{answer: crossprem.Yes, found: "no domain twice"}}
}

func (j *judge) allOn(kind Kind, side Side) (found []Object, whole bool) {
	for _, o := range j.c.Objects {
		if o.Kind == kind && o.Side == side {
			found = append(found, o)
		}
	}
	return found, slices.Contains(j.c.Listed, Listing{kind, side})
}

func (j *judge) notOnPremisesAlone(r *row) []outcome {
	accepted, _ := j.find("AcceptedDomain", OnPremises)
	var own []string
	for _, o := range accepted {
		if d := o.Get("DomainName").scalar(); !exchange.IsTenantDomain(d) {
			own = append(own, d)
		}
	}
	return j.each(r, func(o Object) outcome {
		v := o.Get(r.Property)
		switch foreign := slices.ContainsFunc(v.Texts(), func(d string) bool { return exchange.IsTenantDomain(d) }); {
		case !v.IsKnown():
			return outcome{why: v.missing(r.Property)}
		case foreign:
			return outcome{answer: crossprem.Yes, found: shown(v)}
		case len(own) == 0:
			return outcome{why: "the accepted domains of the Exchange servers were not captured (Get-AcceptedDomain)"}
		case len(v.Texts()) == 0:
			return outcome{answer: crossprem.Yes, found: "empty"}
		}
		for _, d := range v.Texts() {
			if !holdsFold(own, d) {
				return outcome{answer: crossprem.Yes, found: shown(v)}
			}
		}
		return outcome{answer: crossprem.No, found: shown(v)}
	})
}

var hybridAgentAddress = regexp.MustCompile(`(?i)^https://[^/]+\.resource\.mailboxmigration\.his\.msappproxy\.net(/|$)`)

func (j *judge) publishedDiscovery(r *row) []outcome {
	published := Value{}
	for _, o := range j.c.Objects {
		if o.Kind == exchange.IntraOrganizationConfig && o.Side == ExchangeOnline {
			published = o.Get("OnPremiseDiscoveryEndpoint")
		}
	}
	return j.each(r, func(o Object) outcome {
		v := o.Get(r.Property)
		switch {
		case !v.IsKnown():
			return outcome{why: v.missing(r.Property)}
		case hybridAgentAddress.MatchString(v.scalar()):
			return outcome{answer: crossprem.Yes, found: shown(v)}
		case !published.IsKnown() || published.isEmpty():
			return outcome{why: "the discovery address that the organization published was not captured (Get-IntraOrganizationConfiguration in Exchange Online)"}
		}
		return outcome{answer: crossprem.AnswerOf(exchange.SameAddress(v.scalar(), published.scalar())), found: shown(v), wanted: published.scalar()}
	})
}

// noAddressSpace wants no address space for the cloud, unless a server is left
// that needs one.
func (j *judge) noAddressSpace(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		if whole {
			return []outcome{{answer: crossprem.Yes, found: "none"}}
		}
		return []outcome{j.none(r, whole)}
	}
	old := j.anyOf("ExchangeServer", func(o Object) crossprem.Answer {
		b, ok := j.build(o)
		if !ok {
			return crossprem.AnswerUnknown
		}
		return crossprem.AnswerOf(b[0] < 15)
	})
	if j.asked&Pre2013 != 0 {
		old = crossprem.Yes
	}
	return j.each(r, func(o Object) outcome {
		switch old {
		case crossprem.Yes:
			return outcome{answer: crossprem.Yes, found: "present", note: "A server older than Exchange 2013 needs it."}
		case crossprem.AnswerUnknown:
			return outcome{why: "whether a server older than Exchange 2013 is left was not captured (Get-ExchangeServer)"}
		}
		return outcome{answer: crossprem.No, found: "present, and no server is older than Exchange 2013"}
	})
}

// exchangeAgents are the user agents of Exchange itself, on the lists of EWS.
func allowsExchange(list Value) bool {
	return slices.ContainsFunc(list.Texts(), func(t string) bool {
		t = strings.ToLower(strings.Trim(t, `"' `))
		return t == "*" || strings.HasPrefix("asproxy/", strings.TrimSuffix(t, "*")) && strings.HasSuffix(t, "*") || strings.HasPrefix(t, "asproxy")
	})
}

func (j *judge) notBlocking(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		enabled, policy, allow, block := o.Get("EwsEnabled"), o.Get("EwsApplicationAccessPolicy"), o.Get("EwsAllowList"), o.Get("EwsBlockList")
		switch {
		case enabled.yes() == crossprem.No:
			return outcome{answer: crossprem.No, found: "EwsEnabled False"}
		case !enabled.IsKnown() || !policy.IsKnown():
			return outcome{why: "the capture does not show EwsEnabled and EwsApplicationAccessPolicy"}
		case strings.EqualFold(policy.scalar(), "EnforceAllowList"):
			if !allowsExchange(allow) {
				if !allow.IsKnown() {
					return outcome{why: allow.missing("EwsAllowList")}
				}
				return outcome{answer: crossprem.No, found: "EwsAllowList " + shown(allow)}
			}
		case strings.EqualFold(policy.scalar(), "EnforceBlockList"):
			if allowsExchange(block) {
				return outcome{answer: crossprem.No, found: "EwsBlockList " + shown(block)}
			}
			if !block.IsKnown() {
				return outcome{why: block.missing("EwsBlockList")}
			}
		}
		return outcome{answer: crossprem.Yes, found: "EwsEnabled " + shown(enabled) + ", EwsApplicationAccessPolicy " + shown(policy)}
	})
}

func (j *judge) allowList(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		list, enabled := o.Get(r.Property), o.Get("EwsEnabled")
		switch {
		case list.isEmpty():
			return outcome{why: "an empty list is what is shown without -RetrieveEwsOperationAccessPolicy as well, so it proves nothing"}
		case !list.IsKnown() && list.list == nil:
			return outcome{why: list.missing(r.Property)}
		case j.appID == "":
			return outcome{why: "the id of the dedicated hybrid application is not told"}
		case holdsFold(list.Texts(), j.appID):
			return outcome{answer: crossprem.Yes, found: shown(list), wanted: j.appID}
		case !list.IsKnown():
			return outcome{why: list.missing(r.Property)}
		case enabled.yes() == crossprem.No:
			return outcome{why: "EwsEnabled is False, so nothing passes whatever the list says"}
		case enabled.yes() != crossprem.Yes:
			return outcome{why: "the list is in force where EwsEnabled is True, and the capture does not show that"}
		}
		return outcome{answer: crossprem.No, found: shown(list), wanted: j.appID, due: allowListInForce}
	})
}

// sharesFreeBusy wants sharing on, and a level that shows something.
func (j *judge) sharesFreeBusy(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		out := j.property(r, o, tests["is_true"])
		if level := o.Get("FreeBusyAccessLevel"); out.answer == crossprem.Yes && level.IsKnown() && strings.EqualFold(level.scalar(), "None") {
			out.answer, out.found = crossprem.No, "FreeBusyAccessEnabled True, FreeBusyAccessLevel None"
		}
		return out
	})
}

func (j *judge) sameOnAll(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	unknown := false
	for _, p := range r.texts {
		values := map[string]string{}
		for _, o := range found {
			v := o.Get(p)
			if !v.IsKnown() {
				unknown = true
				continue
			}
			values[strings.ToLower(strings.TrimSuffix(v.scalar(), "/"))] = o.name()
		}
		if len(values) > 1 {
			var each []string
			for v, name := range values {
				each = append(each, firstText(v, "empty")+" on "+name)
			}
			slices.Sort(each)
			return []outcome{{answer: crossprem.No, found: p + " " + strings.Join(each, ", ")}}
		}
	}
	if unknown || !whole && len(found) < 2 {
		return []outcome{{why: "the capture does not show " + strings.Join(r.texts, " and ") + " of every server"}}
	}
	return []outcome{{answer: crossprem.Yes, found: "alike"}}
}

func (j *judge) clientMethods(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		internal, external := o.Get("InternalAuthenticationMethods"), o.Get("ExternalAuthenticationMethods")
		has := func(v Value) crossprem.Answer {
			if holdsFold(v.Texts(), r.text) {
				return crossprem.Yes
			}
			if !v.IsKnown() {
				return crossprem.AnswerUnknown
			}
			return crossprem.No
		}
		if a := and(has(internal), has(external)); a != crossprem.AnswerUnknown {
			return outcome{answer: a, found: "internal " + shown(internal) + ", external " + shown(external)}
		}
		return outcome{why: "the capture does not show the authentication methods"}
	})
}

func (j *judge) graphNeedsDedicated(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	base, whole := j.find("DedicatedOverride", r.Side)
	result := crossprem.AnswerUnknown
	if whole {
		result = crossprem.No
	}
	for _, o := range base {
		result = or(result, switchedOn(o.Get("Parameters")))
	}
	out := outcome{answer: result, subject: found[0].name(), found: "present", why: "the capture may not hold every override (Get-SettingOverride)"}
	return []outcome{out}
}

// buildOf judges the build of a server by a table of lines.
func (j *judge) buildOf(r *row, o Object) outcome {
	b, ok := j.build(o)
	if !ok {
		return outcome{why: "the capture does not show a build of " + o.name()}
	}
	out := outcome{found: b.String()}
	minima := map[string]string{}
	must(json.Unmarshal(r.Value, &minima))
	newest, sameLine := true, false
	for line, text := range minima {
		minimum, _ := exchange.ParseBuild(text)
		if line == strconv.Itoa(b[0])+"."+strconv.Itoa(b[1])+"."+strconv.Itoa(b[2]) {
			out.answer, out.wanted = crossprem.AnswerOf(b.Compare(minimum) >= 0), text+" or later"
			return out
		}
		if minimum[0] == b[0] && minimum[1] == b[1] {
			sameLine = true
			newest = newest && b.Compare(minimum) > 0
		} else if minimum[0] > b[0] || minimum[0] == b[0] && minimum[1] > b[1] {
			newest = false
		}
	}
	switch {
	case newest && !sameLine:
		out.why = "no build of this version is in the table"
	default:
		out.answer = crossprem.AnswerOf(newest)
	}
	return out
}

func (j *judge) builds(r *row) []outcome {
	return j.each(r, func(o Object) outcome { return j.buildOf(r, o) })
}

func (j *judge) allBuilds(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	base := rows[slices.IndexFunc(rows, func(other *row) bool { return other.ID == r.text })]
	var old, unknown []string
	for _, o := range found {
		switch out := j.buildOf(base, o); out.answer {
		case crossprem.No:
			old = append(old, o.name()+" ("+out.found+")")
		case crossprem.AnswerUnknown:
			unknown = append(unknown, o.name())
		}
	}
	switch {
	case len(old) > 0:
		return []outcome{{answer: crossprem.No, found: strings.Join(old, ", ")}}
	case len(unknown) > 0:
		return []outcome{{why: "the capture does not show a build of " + strings.Join(unknown, ", ")}}
	case !whole:
		return []outcome{{why: "the capture may not hold every server (Get-ExchangeServer)"}}
	}
	return []outcome{{answer: crossprem.Yes, found: "recent enough on all " + strconv.Itoa(len(found))}}
}

func (j *judge) notTooOld(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		b, ok := j.build(o)
		if !ok {
			return outcome{why: "the capture does not show a build of " + o.name()}
		}
		return outcome{answer: crossprem.AnswerOf(b.Compare(exchange.Build{15, 1}) >= 0), found: b.String()}
	})
}

func (j *judge) testResult(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		v := o.Get(r.Property)
		switch {
		case !v.IsKnown():
			return outcome{why: v.missing(r.Property)}
		case strings.EqualFold(v.scalar(), "Success"):
			return outcome{answer: crossprem.Yes, found: v.scalar(), note: "It proves the server alone on which the test ran."}
		case strings.EqualFold(v.scalar(), "Error"), strings.EqualFold(v.scalar(), "Warning"), strings.EqualFold(v.scalar(), "Failure"):
			return outcome{answer: crossprem.No, found: v.scalar()}
		}
		return outcome{why: "ResultType is neither Success nor Error"}
	})
}

func (j *judge) testApplication(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		detail := o.Get("Detail")
		test := explainTest(o)
		switch {
		case !detail.IsKnown():
			return outcome{why: detail.missing("Detail") + "; run it with -Verbose | Format-List"}
		case test.FromCloud():
			return outcome{why: "the test ran from Exchange Online, which does not use the dedicated hybrid application"}
		case test.ApplicationID == "":
			return outcome{why: "Detail names no application; run it with -Verbose"}
		case j.appID == "":
			return outcome{why: "the id of the dedicated hybrid application is not told"}
		}
		return outcome{answer: crossprem.AnswerOf(strings.EqualFold(test.ApplicationID, j.appID)), found: test.ApplicationID, wanted: j.appID}
	})
}
