package connectversion

import (
	"cmp"
	"slices"

	"github.com/crossprem/crossprem"
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

var axisNames = [...]string{"unknown", "support", "cut-off", "security", "auto-upgrade", "recall", "feature", "evidence"}

// String returns a name such as "cut-off".
func (a Axis) String() string {
	if int(a) < len(axisNames) {
		return axisNames[a]
	}
	return axisNames[UnknownAxis]
}

// The rules of this package's own; all others are policies of the catalogue.
const (
	ruleSupportUnknown = "support-unknown"
	ruleRetired        = "support-retired"
	ruleOutdated       = "support-outdated"
	ruleUnlisted       = "support-unlisted"
	ruleNewerThanData  = "support-newer-than-data"
	ruleStale          = "catalogue-stale"
	ruleSecurity       = "security-fixes-missing"
	ruleReach          = "auto-upgrade-reach"
	ruleDisabled       = "auto-upgrade-disabled"
	ruleSuspended      = "auto-upgrade-suspended"
	ruleScheduler      = "scheduler-suspended"
	ruleNeverReleased  = "never-released"
	ruleKnownIssues    = "known-issues"
	ruleV2Endpoint     = "v2-endpoint-off"

	ruleHalfUpgraded  = "evidence-half-upgraded"
	ruleStaleEvidence = "evidence-stale"
	ruleOtherServer   = "evidence-other-server"
	ruleStagingUnseen = "evidence-staging-unseen"
	ruleTenantDiffers = "evidence-tenant-differs"
	ruleEvidenceCut   = "evidence-unreadable"
	ruleTraceOnly     = "evidence-trace-only"
)

const (
	pageHistory     = "Microsoft Learn, reference-connect-version-history"
	pageAutoUpgrade = "Microsoft Learn, how-to-connect-install-automatic-upgrade"
	pageEndpointV2  = "Microsoft Learn, how-to-connect-sync-endpoint-api-v2"
	pageHalfUpgrade = "Microsoft Learn, troubleshoot: automatic upgrade does not work (cannot-work-automatic-upgrade)"
	pageGraphSync   = "Microsoft Graph (beta), onPremisesDirectorySynchronization"
	pageGraphOrg    = "Microsoft Graph, organization"
)

type ownRule struct {
	Axis     Axis
	Severity crossprem.Severity // the worst
	Title    string
	Sources  []string
}

var ownRules = map[string]ownRule{
	ruleSupportUnknown: {SupportAxis, crossprem.Info, "Whether it is supported is not known", nil},
	ruleRetired:        {SupportAxis, crossprem.Warning, "The version is out of support", nil},
	ruleOutdated:       {SupportAxis, crossprem.Warning, "A newer release exists", nil},
	ruleUnlisted:       {SupportAxis, crossprem.Info, "The vendor does not list this version", nil},
	ruleNewerThanData:  {SupportAxis, crossprem.Info, "The version is newer than the catalogue", nil},
	ruleStale:          {SupportAxis, crossprem.Info, "The catalogue is old for this day", nil},
	ruleSecurity:       {SecurityAxis, crossprem.Critical, "Later releases fix weaknesses", nil},
	ruleReach:          {AutoUpgradeAxis, crossprem.Warning, "Automatic upgrade does not get far enough", nil},
	ruleDisabled:       {AutoUpgradeAxis, crossprem.Warning, "Automatic upgrade is switched off", []string{pageAutoUpgrade}},
	ruleSuspended:      {AutoUpgradeAxis, crossprem.Warning, "Automatic upgrade is suspended", []string{pageAutoUpgrade}},
	ruleScheduler:      {AutoUpgradeAxis, crossprem.Critical, "The scheduler is suspended: nothing is synchronised", []string{pageHalfUpgrade}},
	ruleNeverReleased:  {RecallAxis, crossprem.Warning, "The version was never released", nil},
	ruleKnownIssues:    {RecallAxis, crossprem.Info, "The release has known issues", nil},
	ruleV2Endpoint:     {FeatureAxis, crossprem.Warning, "The sync service V2 endpoint is not in use", []string{pageEndpointV2}},

	ruleHalfUpgraded:  {EvidenceAxis, crossprem.Warning, "An upgrade was not finished", []string{pageHalfUpgrade}},
	ruleStaleEvidence: {EvidenceAxis, crossprem.Warning, "The tenant's value is history", []string{pageGraphSync, pageGraphOrg}},
	ruleOtherServer:   {EvidenceAxis, crossprem.Info, "The tenant speaks of another server", []string{pageGraphSync}},
	ruleStagingUnseen: {EvidenceAxis, crossprem.Info, "The tenant cannot see a staging server", []string{pageGraphSync}},
	ruleTenantDiffers: {EvidenceAxis, crossprem.Warning, "The tenant names another version than the server", []string{pageGraphSync, pageHistory}},
	ruleEvidenceCut:   {EvidenceAxis, crossprem.Info, "A value could not be read whole", nil},
	ruleTraceOnly:     {EvidenceAxis, crossprem.Info, "Only a log of the wizard names the version", nil},
}

var kindAxes = map[Kind]Axis{
	HardCutoff: CutoffAxis, RollingDeprecation: CutoffAxis,
	Retirement: SupportAxis, RollingRetirement: SupportAxis, Servicing: SupportAxis,
	Recall: RecallAxis, Hold: RecallAxis,
	AutoUpgradePolicy: AutoUpgradeAxis,
	Prerequisite:      FeatureAxis, FeatureMinimum: FeatureAxis, FeatureChange: FeatureAxis,
	Recommendation: FeatureAxis, Distribution: FeatureAxis,
}

var kindSeverities = map[Kind]crossprem.Severity{
	HardCutoff: crossprem.Critical, RollingDeprecation: crossprem.Warning,
	Recall: crossprem.Critical, Hold: crossprem.Warning,
	AutoUpgradePolicy: crossprem.Warning, Prerequisite: crossprem.Warning,
}

// judged tells whether findings name policies of this kind; the others only
// lend their dates and texts.
func (k Kind) judged() bool {
	return k != Retirement && k != RollingRetirement && k != Servicing && k != Distribution
}

// AxisOf tells the axis of a rule of this package or of the embedded
// catalogue, and UnknownAxis of any other.
func AxisOf(rule string) Axis { return Embedded().AxisOf(rule) }

// AxisOf tells the axis of a rule of this package or of c.
func (c *Catalogue) AxisOf(rule string) Axis {
	if own, ok := ownRules[rule]; ok {
		return own.Axis
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
	var all []crossprem.Rule
	for id, r := range ownRules {
		all = append(all, crossprem.Rule{ID: id, Severity: r.Severity, Title: r.Title, Sources: slices.Clone(r.Sources)})
	}
	for _, p := range c.policies {
		if p.Kind.judged() {
			all = append(all, crossprem.Rule{ID: p.ID, Severity: kindSeverities[p.Kind], Title: p.Text, Sources: slices.Clone(p.Sources)})
		}
	}
	slices.SortFunc(all, func(a, b crossprem.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
