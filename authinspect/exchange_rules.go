package authinspect

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
)

const (
	sourceBuilds      = "Exchange Server build numbers and release dates (learn.microsoft.com)"
	sourceLifecycle   = "Exchange Server (Microsoft Lifecycle, learn.microsoft.com)"
	sourceEnforcement = "Throttling and Blocking Email from Persistently Vulnerable Exchange Servers to Exchange Online (Exchange team blog, 2023)"
)

// The rules on the build that an Exchange server shows. A lower build proves
// that something is missing; a higher one proves nothing about settings.
var (
	exchangeFeatureMissing = rules.Declare(crossprem.Rule{
		ID: "exchange-feature-missing", Severity: crossprem.Critical,
		Title: "The server's build of Exchange lacks a feature", PassedTitle: "The server's build of Exchange is new enough for the feature",
		UnknownTitle: "It is not known whether the server's build of Exchange has the feature",
		Remedy:       "Install the current update of Exchange Server SE on every server of the organization, or remove the server.",
		Sources:      []string{sourceBuilds},
	})
	exchangeMailThrottled = rules.Declare(crossprem.Rule{
		ID: "exchange-mail-throttled", Severity: crossprem.Critical,
		Title:        "Exchange Online throttles and then refuses the mail of servers with this build",
		PassedTitle:  "Exchange Online takes the mail of servers with this build",
		UnknownTitle: "It is not known whether Exchange Online takes the mail of servers with this build",
		Remedy:       "Update the server, or let no mail to Exchange Online leave by it. Get-OnPremServerReportInfo lists the servers that Exchange Online has counted, and an administrator can pause the enforcement for some days a year.",
		Sources:      []string{sourceEnforcement},
	})
	exchangeSupportEnds = rules.Declare(crossprem.Rule{
		ID: "exchange-support-ends", Severity: crossprem.Critical,
		Title:        "Support for the server's version of Exchange ends",
		PassedTitle:  "No end of support is set for the server's version of Exchange",
		UnknownTitle: "It is not known whether the server's version of Exchange is supported",
		Remedy:       "Move to Exchange Server SE or to Exchange Online.",
		Sources:      []string{sourceLifecycle},
	})
	exchangeUpdateMissing = rules.Declare(crossprem.Rule{
		ID: "exchange-update-missing", Severity: crossprem.Critical,
		Title:        "The server lacks an update of Exchange",
		PassedTitle:  "The server has the newest update of Exchange",
		UnknownTitle: "It is not known whether the server has the newest update of Exchange",
		Remedy:       "Install the current cumulative update and the newest security update on every server.",
		Sources:      []string{sourceBuilds},
	})
	exchangeVulnerable = rules.Declare(crossprem.Rule{
		ID: "exchange-vulnerable", Severity: crossprem.Critical,
		Title:        "The server's build of Exchange lacks the fix of a published vulnerability",
		PassedTitle:  "The server's build of Exchange has the fix of the vulnerability",
		UnknownTitle: "It is not known whether the server's build of Exchange has the fix of the vulnerability",
		Remedy:       "Install the update, and follow the vendor's advice on the vulnerability.",
		Sources:      []string{sourceBuilds},
	})
)

// serverFindings judges the build that a server shows, for the day at. Of a
// server that is not Exchange on premises there is nothing to say.
func serverFindings(subject string, s Server, at time.Time) []crossprem.Finding {
	if s.Kind != KindExchange {
		return nil
	}
	t := exchangeBuilds()
	j := buildJudgement{table: t, subject: subject, server: s, at: at}
	j.build, j.known = parseBuild(s.Version)
	j.known = j.known && j.build.product() != ""
	j.shown = []crossprem.Value{crossprem.Val("product", s.Product), crossprem.Val("build", cmp.Or(s.Version, "not shown")), crossprem.Val("release", cmp.Or(s.Release, "not listed"))}
	j.support()
	j.update()
	if !j.known {
		return j.findings
	}
	for _, row := range t.Vulnerabilities {
		j.vulnerability(row)
	}
	j.enforcement()
	for _, row := range t.Features {
		j.feature(row)
	}
	return j.findings
}

// A buildJudgement collects findings about one server.
type buildJudgement struct {
	table    *buildTable
	subject  string
	server   Server
	at       time.Time
	build    build
	known    bool // the server shows a build
	shown    []crossprem.Value
	findings []crossprem.Finding
}

func (j *buildJudgement) add(f crossprem.Finding, sources []string) {
	for _, source := range j.table.cited(sources) {
		if !slices.Contains(f.Sources, source) {
			f.Sources = append(f.Sources, source)
		}
	}
	j.findings = append(j.findings, f)
}

// explain adds a sentence about what the server shows, and another one.
func (j *buildJudgement) explain(f crossprem.Finding, sentence string, values ...crossprem.Value) crossprem.Finding {
	return f.Explain("The server shows {product}, build {build} ({release}).", j.shown...).Explain(sentence, values...)
}

func (j *buildJudgement) support() {
	p := j.table.product(j.server.Product)
	switch {
	case p == nil:
		j.add(j.explain(exchangeSupportEnds.Unknown(j.subject, ""), "That does not name the product: a front end need not show its build, and two numbers do not tell 2019 from SE."), nil)
	case p.SupportEnd == "":
		j.add(j.explain(exchangeSupportEnds.Passed(j.subject), "Only its current cumulative update is supported; the product itself is not to end before {notBefore}.", crossprem.Val("notBefore", p.NotBefore)), p.Sources)
	default:
		end := day(p.SupportEnd)
		f := j.explain(exchangeSupportEnds.Failed(j.subject), "Support for everybody ends on {end}.", crossprem.Val("end", end)).DueOn(end, j.at)
		if p.LastFree != nil {
			f = f.Explain("The last updates for everybody are {lastFree}.", crossprem.Val("lastFree", p.LastFree))
		}
		if p.ESUEnd != "" {
			f = f.Explain("Members of the paid period of extended security updates get them until {esuEnd}.", crossprem.Val("esuEnd", p.ESUEnd))
		}
		j.add(f, p.Sources)
	}
}

func (j *buildJudgement) update() {
	asOf := crossprem.Val("asOf", j.table.AsOf)
	unknown := exchangeUpdateMissing.Unknown(j.subject, "")
	row, exact := j.table.match(j.build)
	switch {
	case !j.known:
		j.add(j.explain(unknown, "A front end need not show its build, and an administrator can take it away."), nil)
		return
	case j.build.parts < 4:
		j.add(j.explain(unknown, "That names no security update."), nil)
		return
	case row == nil:
		newest := j.table.newestOfProduct(j.build, j.at)
		if newest != nil && newest.build.compare(j.build) > 0 {
			j.missing(j.explain(exchangeUpdateMissing.Failed(j.subject), "Its branch is not listed; the newest listed build of the product is {newest} ({newestRelease}, {newestDay}).", newestValues(newest)...), newest)
			return
		}
		j.add(j.explain(unknown, "The table of {asOf} does not have its branch.", asOf), nil)
		return
	}
	newest, newestOfProduct := j.table.newest(j.build, j.at), j.table.newestOfProduct(j.build, j.at)
	switch {
	case newest != nil && newest.build.compare(j.build) > 0:
		j.missing(j.explain(exchangeUpdateMissing.Failed(j.subject), "The newest listed build of its branch is {newest} ({newestRelease}, {newestDay}).", newestValues(newest)...), newest)
	case newestOfProduct != nil && newestOfProduct.build.branch().compare(j.build.branch()) > 0 && newestOfProduct.day.After(row.day):
		j.missing(j.explain(exchangeUpdateMissing.Failed(j.subject), "Its branch gets no more updates; the newest listed build of the product is {newest} ({newestRelease}, {newestDay}).", newestValues(newestOfProduct)...), newestOfProduct)
	case j.at.After(nextPatchDay(day(j.table.AsOf))):
		j.add(j.explain(unknown, "The table of {asOf} has no newer one, and security updates have appeared since then or may have.", asOf), row.Sources)
	case !exact:
		j.add(j.explain(unknown, "The table of {asOf} does not have this build, and none above it.", asOf), row.Sources)
	default:
		j.add(j.explain(exchangeUpdateMissing.Passed(j.subject), "The table of {asOf} has no newer one for its branch.", asOf), row.Sources)
	}
}

func newestValues(row *buildRow) []crossprem.Value {
	return []crossprem.Value{crossprem.Val("newest", row.Build), crossprem.Val("newestRelease", row.Release), crossprem.Val("newestDay", row.day)}
}

// missing completes the finding that updates up to newest are missing. It
// hurts from the day of the first one that closes a hole.
func (j *buildJudgement) missing(f crossprem.Finding, newest *buildRow) {
	var first *buildRow
	for i := range j.table.Builds {
		r := &j.table.Builds[i]
		if r.build.product() == j.build.product() && r.build.compare(j.build) > 0 && !r.day.After(j.at) && (r.Kind == "su" || r.Kind == "ru") && (first == nil || r.day.Before(first.day)) &&
			(r.build.branch() == j.build.branch() || r.build.branch() == newest.build.branch()) {
			first = r
		}
	}
	if first == nil {
		j.add(f.Explain("None of the updates in between is listed as one for security.").AtMost(crossprem.Warning), newest.Sources)
		return
	}
	f = f.Explain("The first security update that it lacks is {missing} of {missingDay}.", crossprem.Val("missing", first.Release), crossprem.Val("missingDay", first.day))
	if first.ESU > 0 {
		f = f.Explain("Only members of the paid period {esu} of extended security updates can install it.", crossprem.Val("esu", first.ESU)).
			WithRemedy("Move to Exchange Server SE, or take part in the extended security updates while they last.")
	}
	j.add(f.DueOn(first.day, j.at), newest.Sources)
}

func (j *buildJudgement) vulnerability(v vulnerabilityRow) {
	published := day(v.Published)
	if published.After(j.at) {
		return
	}
	id := crossprem.Val("vulnerability", v.ID)
	keyed := slices.ContainsFunc(v.Fixed, func(s string) bool { m, _ := parseBuild(s); return m.product() == j.build.product() })
	switch has := reaches(j.build, v.Fixed); {
	case !keyed && !v.Older && j.build.parts > 2:
		j.add(j.explain(exchangeVulnerable.Unknown(j.subject, "").WithPart(v.ID), "Whether this product has the flaw {vulnerability} is not published; there is no fix for it.", id), v.Sources)
	case has == crossprem.AnswerUnknown:
		j.add(j.explain(exchangeVulnerable.Unknown(j.subject, "").WithPart(v.ID), "That does not name the security update, which decides about {vulnerability}.", id), v.Sources)
	case has == crossprem.No:
		f := j.explain(exchangeVulnerable.Failed(j.subject).WithPart(v.ID), "The builds with the fix of {vulnerability} begin with {fixed}.", id, crossprem.Val("fixed", v.Fixed)).Explain(v.What)
		if !keyed {
			f = f.Explain("There is no fix for this product.").WithRemedy("Remove the server, or move it to Exchange Server SE.")
		}
		j.add(f.DueOn(published, j.at), v.Sources)
	case v.Settings:
		j.add(j.explain(exchangeVulnerable.Unknown(j.subject, "").WithPart(v.ID), "The build has the fix of {vulnerability}, but settings decide as well: the dedicated hybrid application has to be in use, and the old keys of the shared principal have to be gone.", id), v.Sources)
	default:
		j.add(j.explain(exchangeVulnerable.Passed(j.subject).WithPart(v.ID), "It is not below the builds with the fix of {vulnerability}, which begin with {fixed}.", id, crossprem.Val("fixed", v.Fixed)), v.Sources)
	}
}

// The stages by which Exchange Online turns against a server, in days after
// the first report.
const (
	throttledAfter = 30 // more and more minutes of each hour
	refusedAfter   = 60 // some minutes of each hour
	blockedAfter   = 90
)

func (j *buildJudgement) enforcement() {
	sources := j.table.Enforcement.Sources
	for _, row := range j.table.Enforcement.Rows {
		if !slices.Contains(row.Products, j.server.Product) {
			continue
		}
		from, first := day(row.From), crossprem.Val("minimum", row.MinBuilds)
		has := crossprem.No
		if row.MinBuilds != nil {
			has = reaches(j.build, row.MinBuilds)
		}
		throttled := from.AddDate(0, 0, throttledAfter)
		open := slices.ContainsFunc(row.Open, func(s string) bool {
			m, _ := parseBuild(s)
			return m.branch() == j.build.branch() && (j.build.parts < 4 || j.build.compare(m) >= 0)
		})
		unknown := exchangeMailThrottled.Unknown(j.subject, "")
		switch {
		case open:
			j.add(j.explain(unknown, "The announcement names the builds {minimum}, and says nothing about this branch.", first), sources)
		case has == crossprem.AnswerUnknown:
			j.add(j.explain(unknown, "That names no security update, and the builds from {minimum} on are let through.", first), sources)
		case has == crossprem.Yes:
			j.add(j.explain(exchangeMailThrottled.Passed(j.subject), "The builds from {minimum} on are let through; a higher minimum is announced, without a day.", first), sources)
		default:
			f := j.explain(exchangeMailThrottled.Failed(j.subject), "Where it hands mail to Exchange Online over an inbound connector of type OnPremises, that mail is counted from {from} on, throttled (450 4.7.230) from {throttled}, refused in part (550 5.7.230) from {refused} and blocked from {blocked}, at the earliest.",
				crossprem.Val("from", from), crossprem.Val("throttled", throttled), crossprem.Val("refused", from.AddDate(0, 0, refusedAfter)), crossprem.Val("blocked", from.AddDate(0, 0, blockedAfter)))
			if row.MinBuilds != nil {
				f = f.Explain("The builds from {minimum} on are let through.", first)
			}
			j.add(f.DueOn(throttled, j.at), sources)
		}
		return
	}
	if j.build.parts > 2 && j.server.Product == "Exchange Server SE" {
		j.add(j.explain(exchangeMailThrottled.Passed(j.subject), "No minimum build is announced for this product."), sources)
	}
}

func (j *buildJudgement) feature(row featureRow) {
	id := []crossprem.Value{crossprem.Val("feature", row.ID), crossprem.Val("first", row.MinBuilds)}
	const says = "The feature {feature} begins with the builds {first}: "
	switch reaches(j.build, row.MinBuilds) {
	case crossprem.Yes:
		j.add(j.explain(exchangeFeatureMissing.Passed(j.subject).WithPart(row.ID), says+row.What+" Whether it is set up cannot be seen from a build.", id...), row.Sources)
	case crossprem.AnswerUnknown:
		j.add(j.explain(exchangeFeatureMissing.Unknown(j.subject, "").WithPart(row.ID), says+row.What+" What is shown does not name the update.", id...), row.Sources)
	default:
		f := j.explain(exchangeFeatureMissing.Failed(j.subject).WithPart(row.ID), says+row.What, id...).AtMost(row.Severity)
		if row.Due != "" {
			f = f.DueOn(day(row.Due), j.at).AtMost(row.Severity)
		}
		j.add(f, row.Sources)
	}
}

// day reads a day of the table, which a test has read before.
func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(fmt.Sprintf("authinspect: data/exchange-builds.json: %q is no day", s))
	}
	return t
}

// nextPatchDay returns the first second Tuesday of a month after t: the day on
// which security updates appear.
func nextPatchDay(t time.Time) time.Time {
	for month := 0; ; month++ {
		first := time.Date(t.Year(), t.Month()+time.Month(month), 1, 0, 0, 0, 0, time.UTC)
		tuesday := 1 + (int(time.Tuesday)-int(first.Weekday())+7)%7
		if patch := first.AddDate(0, 0, tuesday+6); patch.After(t) {
			return patch
		}
	}
}
