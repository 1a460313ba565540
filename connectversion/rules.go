package connectversion

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// An Axis is one of the separate questions about an installed version. A
// version can be supported, and stop working next month all the same.
type Axis uint8

const (
	UnknownAxis     Axis = iota
	SupportAxis          // is the vendor's support there?
	CutoffAxis           // does, or will, the service refuse it?
	SecurityAxis         // which fixes does it lack?
	AutoUpgradeAxis      // does automation reach it, and is that enough?
	RecallAxis           // was it withdrawn, held back, or is it known to be faulty?
	FeatureAxis          // what does it need, and what can it not do?
	EvidenceAxis         // does what was seen agree?
)

var axisTexts = enum.Of[Axis]("connectversion: axis", "unknown", "support", "cut-off", "security", "auto-upgrade", "recall", "feature", "evidence")

// String returns a name such as "cut-off".
func (a Axis) String() string { return axisTexts.String(a) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (a Axis) MarshalText() ([]byte, error) { return axisTexts.Marshal(a) }

// UnmarshalText accepts what MarshalText gives.
func (a *Axis) UnmarshalText(text []byte) error { return axisTexts.Unmarshal(a, text) }

const (
	pageHistory      = "Microsoft Learn, reference-connect-version-history"
	pageArchive      = "Microsoft Learn, reference-connect-version-history-archive"
	pageHealth       = "Microsoft Learn, reference-connect-health-version-history"
	pageCloudSync    = "Microsoft Learn, cloud-sync/reference-version-history"
	pageConnector    = "Microsoft Learn, global-secure-access/reference-version-history"
	pagePassword     = "Microsoft Learn, howto-password-ban-bad-on-premises-agent-versions"
	pageProxy        = "Microsoft Learn, howto-password-ban-bad-on-premises-deploy"
	pagePassThrough  = "Microsoft Learn, reference-connect-pta-version-history"
	pageAutoUpgrade  = "Microsoft Learn, how-to-connect-install-automatic-upgrade"
	pageEndpointV2   = "Microsoft Learn, how-to-connect-sync-endpoint-api-v2"
	pageHalfUpgrade  = "Microsoft Learn, troubleshoot: automatic upgrade does not work (cannot-work-automatic-upgrade)"
	pageGraphSync    = "Microsoft Graph (beta), onPremisesDirectorySynchronization"
	pageGraphOrg     = "Microsoft Graph, organization"
	pageInstallation = "Microsoft Learn, how-to-connect-install-prerequisites"
)

// productPages are the pages that list the releases of a product.
var productPages = [products]string{
	UnknownProduct: pageHistory, ConnectSync: pageHistory, CloudSync: pageCloudSync, HealthAgent: pageHealth,
	PrivateNetworkConnector: pageConnector, PasswordProtection: pagePassword, PassThroughAgent: pagePassThrough,
}

// rules are this package's own; all others are policies of the catalogue.
var rules crossprem.Rules

var ownAxes = make(map[string]Axis)

func declare(axis Axis, r crossprem.Rule) crossprem.Rule {
	ownAxes[r.ID] = axis
	return rules.Declare(r)
}

var (
	ruleSupportUnknown = declare(SupportAxis, crossprem.Rule{ID: "support-unknown", Severity: crossprem.Info,
		Title: "The version was not supported on that day", PassedTitle: "The version was supported on that day",
		UnknownTitle: "It is not known whether the version is supported on that day", Sources: []string{pageHistory}})
	ruleRetired = declare(SupportAxis, crossprem.Rule{ID: "support-retired", Severity: crossprem.Warning,
		Title: "The version is out of support", PassedTitle: "The version is not out of support", Sources: []string{pageHistory}})
	ruleOutdated = declare(SupportAxis, crossprem.Rule{ID: "support-outdated", Severity: crossprem.Warning,
		Title: "A newer release exists", PassedTitle: "No newer release is known", Sources: []string{pageHistory}})
	ruleUnlisted = declare(SupportAxis, crossprem.Rule{ID: "support-unlisted", Severity: crossprem.Info,
		Title: "The version is none of the vendor's", PassedTitle: "The vendor lists this version",
		UnknownTitle: "The vendor does not list this version", Sources: []string{pageHistory}})
	ruleNewerThanData = declare(SupportAxis, crossprem.Rule{ID: "support-newer-than-data", Severity: crossprem.Info,
		Title: "The version is above every release of the vendor", PassedTitle: "The version is within the catalogue",
		UnknownTitle: "The version is newer than the catalogue", Sources: []string{pageHistory}})
	ruleStale = declare(SupportAxis, crossprem.Rule{ID: "catalogue-stale", Severity: crossprem.Info,
		Title: "The catalogue lacks what came out since", PassedTitle: "The catalogue is fresh enough for this day",
		UnknownTitle: "The catalogue is old for this day: what came out since is not known",
		Remedy:       "Take a newer release of this library, or load newer data.", Sources: []string{pageHistory}})
	ruleSecurity = declare(SecurityAxis, crossprem.Rule{ID: "security-fixes-missing", Severity: crossprem.Critical,
		Title: "Later releases fix weaknesses that this version has", PassedTitle: "No later release is known to fix a weakness",
		UnknownTitle: "Security fixes in builds newer than the catalogue are not known", Sources: []string{pageHistory}})
	ruleReach = declare(AutoUpgradeAxis, crossprem.Rule{ID: "auto-upgrade-reach", Severity: crossprem.Warning,
		Title: "Automatic upgrade does not get far enough", PassedTitle: "Automatic upgrade gets the server as far as it needs",
		UnknownTitle: "It is not known whether automatic upgrade gets the server far enough", Sources: []string{pageAutoUpgrade}})
	ruleDisabled = declare(AutoUpgradeAxis, crossprem.Rule{ID: "auto-upgrade-disabled", Severity: crossprem.Warning,
		Title: "Automatic upgrade is switched off", PassedTitle: "Automatic upgrade is not switched off",
		UnknownTitle: "It is not known whether automatic upgrade is switched off",
		Remedy:       "Set-ADSyncAutoUpgrade -AutoUpgradeState Enabled, or upgrade by hand.", Sources: []string{pageAutoUpgrade}})
	ruleSuspended = declare(AutoUpgradeAxis, crossprem.Rule{ID: "auto-upgrade-suspended", Severity: crossprem.Warning,
		Title: "Automatic upgrade is suspended", PassedTitle: "Automatic upgrade is not suspended",
		UnknownTitle: "It is not known whether automatic upgrade is suspended", Sources: []string{pageAutoUpgrade}})
	ruleScheduler = declare(AutoUpgradeAxis, crossprem.Rule{ID: "scheduler-suspended", Severity: crossprem.Critical,
		Title: "The scheduler is suspended: nothing is synchronised", PassedTitle: "The scheduler is not suspended",
		Remedy: "Start the wizard and let it finish the upgrade.", Sources: []string{pageHalfUpgrade}})
	ruleNeverReleased = declare(RecallAxis, crossprem.Rule{ID: "never-released", Severity: crossprem.Warning,
		Title: "The version was never released", PassedTitle: "The version was released", Sources: []string{pageHistory}})
	ruleRecalled = declare(RecallAxis, crossprem.Rule{ID: "release-recalled", Severity: crossprem.Critical,
		Title: "The release was withdrawn after it came out", PassedTitle: "The release was not withdrawn", Sources: []string{pageHistory}})
	ruleKnownIssues = declare(RecallAxis, crossprem.Rule{ID: "known-issues", Severity: crossprem.Info,
		Title: "The release has known issues", PassedTitle: "No issue of the release is known", Sources: []string{pageHistory}})
	ruleV2Endpoint = declare(FeatureAxis, crossprem.Rule{ID: "v2-endpoint-off", Severity: crossprem.Warning,
		Title: "The V2 endpoint of the sync service is not in use", PassedTitle: "The V2 endpoint of the sync service is in use", Sources: []string{pageEndpointV2}})

	ruleHalfUpgraded = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-half-upgraded", Severity: crossprem.Warning,
		Title: "The places that name the version do not agree", PassedTitle: "The places that name the version agree",
		Remedy:  "Start the wizard, or the installer of the higher version, and let it finish. Check SchedulerSuspended in Get-ADSyncScheduler.",
		Sources: []string{pageHalfUpgrade}})
	ruleStaleEvidence = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-stale", Severity: crossprem.Warning,
		Title: "The tenant's value is history", PassedTitle: "The tenant synchronised recently",
		UnknownTitle: "It is not known whether the tenant's value is history", Sources: []string{pageGraphSync, pageGraphOrg}})
	ruleOtherServer = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-other-server", Severity: crossprem.Info,
		Title: "The tenant names another server", PassedTitle: "The tenant names this server", Sources: []string{pageGraphSync}})
	ruleStagingUnseen = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-staging-unseen", Severity: crossprem.Info,
		Title: "The tenant cannot see this server, which is in staging mode", PassedTitle: "The server is not in staging mode", Sources: []string{pageGraphSync}})
	ruleTenantDiffers = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-tenant-differs", Severity: crossprem.Warning,
		Title: "The tenant names another version than the server", PassedTitle: "The tenant and the server name the same version",
		Remedy: "Wait for an export, or run Set-ADSyncDirSyncConfiguration on the server.", Sources: []string{pageGraphSync, pageHistory}})
	ruleEvidenceCut = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-unreadable", Severity: crossprem.Info,
		Title: "A version is written in a form that no release has", PassedTitle: "Every version was read",
		UnknownTitle: "A version could not be read", Sources: []string{pageHistory}})
	ruleTraceOnly = declare(EvidenceAxis, crossprem.Rule{ID: "evidence-trace-only", Severity: crossprem.Info,
		Title: "The version in a log of the wizard is no longer installed", PassedTitle: "More than a log of the wizard names the version",
		UnknownTitle: "Only a log of the wizard names the version", Sources: []string{pageInstallation}})
)

var kindAxes = map[Kind]Axis{
	HardCutoff: CutoffAxis, RollingDeprecation: CutoffAxis,
	Retirement: SupportAxis, RollingRetirement: SupportAxis, Servicing: SupportAxis,
	Recall: RecallAxis, Hold: RecallAxis, Fault: RecallAxis,
	AutoUpgradePolicy: AutoUpgradeAxis,
	Prerequisite:      FeatureAxis, FeatureMinimum: FeatureAxis, FeatureChange: FeatureAxis,
	Recommendation: FeatureAxis, Distribution: FeatureAxis, Announcement: FeatureAxis,
}

// severity is the worst that a finding of p can have. What stops something is
// critical on its day; what hampers is a warning.
func (p *Policy) severity() crossprem.Severity {
	switch p.Kind {
	case HardCutoff:
		if p.stops() {
			return crossprem.Critical
		}
		return crossprem.Warning
	case Recall:
		return crossprem.Critical
	case RollingDeprecation, Hold, AutoUpgradePolicy, Prerequisite, Fault:
		return crossprem.Warning
	}
	return crossprem.Info
}

// stops reports whether p ends what the product is there for.
func (p *Policy) stops() bool { return p.Effect == SyncStops || p.Effect == DCAgentStops }

// judged reports whether findings name policies of this kind; the others only
// lend their dates and texts.
func (k Kind) judged() bool {
	return k != Retirement && k != RollingRetirement && k != Servicing && k != Distribution
}

var (
	policyID = regexp.MustCompile(`^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$`)

	// varies finds what a title must not hold: a day, or a number of days.
	varies = regexp.MustCompile(`(?i)\d{4}-\d{2}(-\d{2})?|\b\d+ ?(hours?|days?|weeks?|months?|minutes?|%|percent|bits?)\b|\bwithin \d`)

	// dayInID is a day or a month within an ID, with the hyphen before it.
	dayInID = regexp.MustCompile(`-?\b\d{4}-\d{2}(-\d{2})?\b`)
)

// entitle gives the policies their rules. Those without titles get some that
// are made of their kind and ID.
func (c *Catalogue) entitle() error {
	taken := make(map[string]string)
	for _, r := range rules.All() {
		for _, title := range []string{r.Title, r.PassedTitle, r.UnknownTitle} {
			taken[title] = r.ID
		}
	}
	c.byProduct = [products][]Policy{}
	for i := range c.policies {
		p := &c.policies[i]
		if p.Kind.judged() {
			if p.Title == "" {
				p.Title, p.PassedTitle = p.defaultTitles(taken)
			}
			for _, title := range []string{p.Title, p.PassedTitle} {
				if varies.MatchString(title) {
					return fmt.Errorf("connectversion: policies.json: %.60q: a title holds a day or a number of days: %.80q", p.ID, title)
				}
			}
			if p.Title == p.PassedTitle {
				return fmt.Errorf("connectversion: policies.json: %.60q: both outcomes have the same title", p.ID)
			}
			if slices.Contains(p.Sources, "") {
				return fmt.Errorf("connectversion: policies.json: %.60q: a source without a name", p.ID)
			}
			rule := crossprem.Rule{ID: p.ID, Severity: p.severity(), Title: p.Title, PassedTitle: p.PassedTitle, Sources: p.Sources}
			if first, rest, _ := strings.Cut(p.Title, " "); slices.Contains([]string{"Synchronisation", "Signing", "Custom", "Automatic"}, first) {
				rule.UnknownTitle = "It is not known whether " + strings.ToLower(first) + " " + rest
			}
			if p.Kind == Announcement {
				rule.UnknownTitle = p.Title + ", on a day that is not known here"
			}
			p.rule = new(crossprem.Rules).Declare(rule) // completes it
			for _, title := range []string{p.rule.Title, p.rule.PassedTitle, p.rule.UnknownTitle} {
				if other := taken[title]; other != "" {
					return fmt.Errorf("connectversion: policies.json: %.60q: has a title of %.60q: %.80q", p.ID, other, title)
				}
				taken[title] = p.ID
			}
		}
		c.byProduct[p.Product] = append(c.byProduct[p.Product], *p)
	}
	return nil
}

// defaultTitles are those of a policy whose file gives it none. Days within
// the ID are left out, and a letter keeps two apart that are then the same.
func (p *Policy) defaultTitles(taken map[string]string) (title, passed string) {
	name := strings.Trim(dayInID.ReplaceAllString(p.ID, ""), "-.")
	for letter := 'a'; ; letter++ {
		label := strings.TrimSpace(string(p.Kind) + " " + name)
		if letter > 'a' {
			label += fmt.Sprintf(" (%c)", letter-1)
		}
		title, passed = "The policy "+label+" hits", "The policy "+label+" does not hit"
		if effect := effectTexts[p.Effect]; effect != "" {
			title += ": " + effect
		}
		if _, used := taken[title]; !used && taken[passed] == "" {
			return title, passed
		}
	}
}

// AxisOf returns the axis of a rule of this package or of the embedded
// catalogue, and UnknownAxis of any other.
func AxisOf(rule string) Axis { return Embedded().AxisOf(rule) }

// AxisOf returns the axis of a rule of this package or of c.
func (c *Catalogue) AxisOf(rule string) Axis {
	if axis, ok := ownAxes[rule]; ok {
		return axis
	}
	if p := c.policy(rule); p != nil {
		return kindAxes[p.Kind]
	}
	return UnknownAxis
}

// Rules returns the rules that findings made with the embedded catalogue can
// name, sorted by ID. The slice is the caller's.
func Rules() []crossprem.Rule { return Embedded().Rules() }

// Rules returns the rules that findings made with c can name, sorted by ID:
// this package's own, and c's policies. The slice is the caller's.
func (c *Catalogue) Rules() []crossprem.Rule {
	all := rules.All()
	for _, p := range c.policies {
		if p.Kind.judged() {
			r := p.rule
			r.Sources = slices.Clone(r.Sources)
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}
