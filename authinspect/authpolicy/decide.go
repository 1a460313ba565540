package authpolicy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A Verdict is what becomes of one method. In text and JSON it is one of
// "unknown", "allowed", "blocked" and "not-offered".
type Verdict uint8

const (
	VerdictUnknown Verdict = iota
	Allowed                // nothing that was looked at stops it; a wrong password still would
	Blocked
	NotOffered // there is no such method at this place
)

var verdictTexts = enum.Of[Verdict]("authpolicy: verdict", "unknown", "allowed", "blocked", "not-offered")

// String returns a text such as "blocked".
func (v Verdict) String() string { return verdictTexts.String(v) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (v Verdict) MarshalText() ([]byte, error) { return verdictTexts.Marshal(v) }

// UnmarshalText accepts what MarshalText gives.
func (v *Verdict) UnmarshalText(text []byte) error { return verdictTexts.Unmarshal(v, text) }

// The reasons of verdicts, and who decided by each.
const (
	ServiceRetired       = "service-retired"       // the service: what Microsoft has ended
	ProtocolDisabled     = "protocol-disabled"     // a switch of the mailbox or of the organization
	MethodNotOffered     = "not-offered"           // the server does not offer it
	AuthenticationPolicy = "authentication-policy" // the user's policy or the default
	SecurityDefaults     = "security-defaults"
	ConditionalAccess    = "conditional-access"
	AppNotAllowed        = "app-not-allowed" // the lists of applications for EWS
	UnknownHosting       = "hosting"         // it is not known where the mailbox is
)

// A Method is the decision on one method.
type Method struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // one of the constants above; "" if allowed
	Decider string  `json:"decider,omitempty"`
	Detail  string  `json:"detail,omitempty"` // a sentence

	// Change is what a person would run to change it, and WithinMinutes how long the
	// change takes to work at most; both are empty where nothing helps.
	Change        string `json:"change,omitempty"`
	WithinMinutes int    `json:"within,omitempty"`

	Sources []string `json:"sources,omitempty"`
}

// A Decision is the answer for one user, one protocol and one day.
type Decision struct {
	User     string    `json:"user,omitempty"`
	Protocol Protocol  `json:"protocol"`
	At       time.Time `json:"at"` // the day; in JSON such as "2026-11-26"

	Basic   Method `json:"basic"`
	Modern  Method `json:"modern"`
	Windows Method `json:"windows"` // NTLM, Kerberos and Digest

	// Notes are what changes beside the decision: milestones that change no
	// sign-in, and those still ahead.
	Notes []string `json:"notes,omitempty"`
}

type plainDecision Decision

// MarshalJSON writes the members that the struct names, with At as a day.
func (d Decision) MarshalJSON() ([]byte, error) {
	out := struct {
		*plainDecision
		At string `json:"at"`
	}{plainDecision: (*plainDecision)(&d)}
	if !d.At.IsZero() {
		out.At = d.At.Format(time.DateOnly)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Decision) UnmarshalJSON(text []byte) error {
	var read Decision
	in := struct {
		*plainDecision
		At string `json:"at"`
	}{plainDecision: (*plainDecision)(&read)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	if in.At != "" {
		var err error
		if read.At, err = time.Parse(time.DateOnly, in.At); err != nil {
			return fmt.Errorf("authpolicy: a decision is for %.40q, which is no day", in.At)
		}
	}
	*d = read
	return nil
}

const (
	cloudDelay = 24 * 60 // minutes
	fastDelay  = 30
)

const (
	pageBasicEnd = "Deprecation of Basic authentication in Exchange Online (learn.microsoft.com)"
	pagePolicies = "Authentication policies; Set-AuthenticationPolicy (learn.microsoft.com)"
	pageSMTP     = "Exchange team blog, 27 January 2026: Exchange Online SMTP AUTH Basic authentication, updated timeline"
	pageEWS      = "Exchange team blog: Retirement of Exchange Web Services in Exchange Online"
	pageEAS      = "Message center MC1197103"
	pageCAS      = "Set-CASMailbox (learn.microsoft.com)"
	pageOrg      = "Set-OrganizationConfig (learn.microsoft.com)"
	pageDefaults = "Security defaults in Microsoft Entra ID (learn.microsoft.com)"
	pageCA       = "Block legacy authentication with Conditional Access (learn.microsoft.com)"
	pageRPC      = "RPC over HTTP deprecated in Office 365 (support.microsoft.com, KB3201590)"
	pageHMA      = "Hybrid Modern Authentication; AD FS modern authentication (learn.microsoft.com)"
)

func on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// The days of the service, see [Milestones].
var (
	basicOffStart  = on(2022, time.October, 1)
	basicOff       = on(2023, time.January, 1)
	ewsBothFlags   = on(2025, time.April, 1)
	activeSync161  = on(2026, time.March, 1)
	ewsDefaultOff  = on(2026, time.October, 1)
	smtpDefaultOff = on(2026, time.December, 31)
	ewsRemoved     = on(2027, time.April, 1)
)

// steps collects, for one method, what every step says. The first step that
// blocks decides; a step that does not know counts only if none blocks.
type steps struct{ blocked, unknown []Method }

func (s *steps) block(m Method)    { m.Verdict = Blocked; s.blocked = append(s.blocked, m) }
func (s *steps) notKnown(m Method) { m.Verdict = VerdictUnknown; s.unknown = append(s.unknown, m) }

func (s *steps) result() Method {
	switch {
	case len(s.blocked) > 0:
		return s.blocked[0]
	case len(s.unknown) > 0:
		return s.unknown[0]
	}
	return Method{Verdict: Allowed, Detail: "Nothing that was looked at stops it."}
}

// Decide decides for one protocol on the day at, whose date counts in UTC.
func (f Facts) Decide(p Protocol, at time.Time) Decision {
	d := Decision{User: f.User, Protocol: p, At: on(at.UTC().Date())}
	e := evaluation{Facts: f, p: p, at: d.At}
	switch {
	case f.Hosting == ExchangeOnline && p.row().ID != ProtocolUnknown:
		d.Basic, d.Modern, d.Windows = e.online()
		d.Notes = e.notes()
	case f.Hosting == OnPremises && p.row().ID != ProtocolUnknown:
		d.Basic, d.Modern, d.Windows = e.onPremises()
	default:
		m := Method{Reason: UnknownHosting, Detail: "It is not known where the mailbox is."}
		if f.Hosting == ExchangeOnline || f.Hosting == OnPremises {
			m = Method{Reason: ProtocolDisabled, Detail: "It is not known which protocol is meant."}
		}
		d.Basic, d.Modern, d.Windows = m, m, m
	}
	return d
}

type evaluation struct {
	Facts
	p  Protocol
	at time.Time
}

func (e *evaluation) from(day time.Time) bool { return !e.at.Before(day) }

// user is the user for a command.
func (e *evaluation) user() string {
	if e.User == "" {
		return "USER"
	}
	return quote(e.User)
}

// quote returns s as a PowerShell text in single quotes where it needs them.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@.-_", r))
	}) < 0 {
		return s
	}
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	// PowerShell takes typographic quotation marks for straight ones.
	for _, mark := range []string{"'", "\u2018", "\u2019", "\u201a", "\u201b"} {
		clean = strings.ReplaceAll(clean, mark, mark+mark)
	}
	return "'" + clean + "'"
}

func (e *evaluation) online() (basic, modern, windows Method) {
	windows = Method{Verdict: NotOffered, Reason: MethodNotOffered, Decider: "service", Detail: "Exchange Online has no Windows authentication.", Sources: []string{pageBasicEnd}}
	var b, m steps
	both := func(f func(*steps)) { f(&b); f(&m) }

	// What the service has ended.
	switch {
	case e.p == SMTP && e.from(smtpDefaultOff):
		detail := Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageSMTP},
			Detail: "Since the end of December 2026 Basic for SMTP AUTH is off unless an administrator has switched it on again."}
		switch e.SMTPBasicReenabled {
		case crossprem.No:
			b.block(detail)
		case crossprem.AnswerUnknown:
			detail.Detail += " Whether somebody has is not known."
			b.notKnown(detail)
		}
	case e.p != SMTP && e.from(basicOff):
		b.block(Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageBasicEnd},
			Detail: "Exchange Online has taken no Basic for this protocol since 2023, whatever a policy says."})
	case e.p != SMTP && e.from(basicOffStart):
		b.notKnown(Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageBasicEnd},
			Detail: "From October to December 2022 Basic was switched off, one tenant after the other."})
	}
	if e.p == EWS && e.from(ewsRemoved) {
		both(func(s *steps) {
			s.block(Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageEWS}, Detail: "EWS ended in Exchange Online on 2027-04-01."})
		})
	}
	if e.p == ActiveSync && e.from(activeSync161) {
		old := Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageEAS}, Detail: "Exchange Online refuses ActiveSync below 16.1 since 2026-03-01."}
		switch e.ActiveSync16 {
		case crossprem.No:
			both(func(s *steps) { s.block(old) })
		case crossprem.AnswerUnknown:
			old.Detail += " Which version the device speaks is not known."
			both(func(s *steps) { s.notKnown(old) })
		}
	}

	// The switches of mailbox and organization.
	for _, s := range e.protocolSwitches() {
		both(func(to *steps) {
			if s.Verdict == Blocked {
				to.block(s)
			} else {
				to.notKnown(s)
			}
		})
	}
	if e.p == EWS {
		e.ewsAgent(&b, &m)
		e.ewsAppIDs(&m)
	}

	// What there is no sign-in for.
	switch e.p {
	case RPC:
		m.block(Method{Reason: MethodNotOffered, Decider: "service", Detail: "Outlook Anywhere has no modern authentication.", Sources: []string{pageRPC}})
	case MAPI:
		switch e.OrgSwitches["OAuth2ClientProfileEnabled"] {
		case False:
			m.block(Method{Reason: MethodNotOffered, Decider: "tenant", Detail: "OAuth2ClientProfileEnabled is False: Outlook for Windows gets no tokens.",
				Change: "Set-OrganizationConfig -OAuth2ClientProfileEnabled $true", WithinMinutes: cloudDelay, Sources: []string{pageOrg}})
		}
	}

	// The authentication policy: absent or false blocks.
	e.onlinePolicy(&b)

	// Security defaults and Conditional Access act on legacy clients.
	if m, stop := tri(e.SecurityDefaults, Method{Reason: SecurityDefaults, Decider: "security defaults", Sources: []string{pageDefaults},
		Detail: "Security defaults block legacy authentication.", Change: "Replace security defaults by Conditional Access policies, if the protocol has to stay open."},
		"Whether security defaults are on is not known."); stop {
		b.add(m)
	}
	if m, stop := tri(e.ConditionalAccessBlocks, Method{Reason: ConditionalAccess, Decider: "Conditional Access", Sources: []string{pageCA},
		Detail: "A Conditional Access policy stops legacy clients, after the password was checked.", Change: "Exclude the user from the policy, if the protocol has to stay open."},
		"Whether a Conditional Access policy stops legacy clients is not known."); stop {
		b.add(m)
	}
	modern = m.result()
	if len(m.blocked) > 0 && modern.Reason == MethodNotOffered {
		modern.Verdict = NotOffered
	}
	return b.result(), modern, windows
}

func (s *steps) add(m Method) {
	if m.Verdict == Blocked {
		s.block(m)
	} else {
		s.notKnown(m)
	}
}

// tri turns an answer into a step: Yes blocks, unknown is not known.
func tri(a crossprem.Answer, m Method, unknown string) (Method, bool) {
	switch a {
	case crossprem.Yes:
		m.Verdict = Blocked
		return m, true
	case crossprem.AnswerUnknown:
		return Method{Reason: m.Reason, Decider: m.Decider, Detail: unknown, Sources: m.Sources}, true
	}
	return Method{}, false
}

// onlinePolicy adds what the authentication policy says of Basic.
func (e *evaluation) onlinePolicy(b *steps) {
	policy, whose, known := e.policy()
	name := e.p.AllowBasic()
	m := Method{Reason: AuthenticationPolicy, Decider: whose, Sources: []string{pagePolicies}, WithinMinutes: cloudDelay}
	switch {
	case !known:
		m.WithinMinutes, m.Detail = 0, "Which authentication policy applies is not known."
		b.notKnown(m)
	case policy == nil: // none, and none blocks nothing
	case policy.get(name) == SwitchUnknown:
		m.WithinMinutes, m.Detail = 0, fmt.Sprintf("%s of the policy %s was not seen.", name, cmp.Or(policy.Name, "that applies"))
		b.notKnown(m)
	case policy.get(name) != True:
		m.Detail = fmt.Sprintf("The authentication policy %s does not set %s.", cmp.Or(policy.Name, "that applies"), name)
		m.Change = fmt.Sprintf("Set-AuthenticationPolicy -Identity %s -%s:$true\nSet-User -Identity %s -STSRefreshTokensValidFrom $([System.DateTime]::UtcNow) # about 30 minutes instead of up to 24 hours", quote(cmp.Or(policy.Name, "POLICY")), name, e.user())
		b.block(m)
	}
}

// policy returns the policy that applies and whose it is; nil if there is
// none. It is not known if the user's own is not known, or the user has none
// and the default is not known; or if the content of the policy was not seen.
func (e *evaluation) policy() (p *Policy, whose string, known bool) {
	switch e.UserPolicy.Assigned {
	case crossprem.Yes:
		return e.UserPolicy.Policy, "policy of the user", e.UserPolicy.Policy != nil
	case crossprem.AnswerUnknown:
		// Without policies it makes no difference which applies.
		return nil, "policy", false
	}
	switch e.DefaultPolicy.Assigned {
	case crossprem.Yes:
		return e.DefaultPolicy.Policy, "default policy of the organization", e.DefaultPolicy.Policy != nil
	case crossprem.AnswerUnknown:
		return nil, "policy", false
	}
	return nil, "", true
}

// mailboxSwitches are the switches of Set-CASMailbox and Set-User that end a
// protocol for one mailbox. Their default is True.
var mailboxSwitches = map[Protocol][]string{
	ActiveSync: {"ActiveSyncEnabled"}, IMAP: {"ImapEnabled"}, POP: {"PopEnabled"}, MAPI: {"MAPIEnabled"}, RPC: {"MAPIEnabled"}, EWS: {"EwsEnabled"},
	PowerShell: {"EXOModuleEnabled", "RemotePowerShellEnabled"},
}

// protocolSwitches returns what the switches of mailbox and organization stop,
// or may stop.
func (e *evaluation) protocolSwitches() (found []Method) {
	online := e.Hosting == ExchangeOnline
	within := fastDelay
	if online {
		within = cloudDelay
	}
	off := func(decider, detail, change, source string) {
		found = append(found, Method{Verdict: Blocked, Reason: ProtocolDisabled, Decider: decider, Detail: detail, Change: change, WithinMinutes: within, Sources: []string{source}})
	}
	unknown := func(decider, detail, source string) {
		found = append(found, Method{Reason: ProtocolDisabled, Decider: decider, Detail: detail, Sources: []string{source}})
	}
	if e.p == EWS {
		return e.ewsSwitches(within)
	}
	for _, name := range mailboxSwitches[e.p] {
		cmdlet := "Set-CASMailbox"
		if e.p == PowerShell {
			cmdlet = "Set-User"
		}
		switch e.MailboxSwitches[name] {
		case False:
			off("mailbox", fmt.Sprintf("%s of the mailbox is False.", name), fmt.Sprintf("%s -Identity %s -%s $true", cmdlet, e.user(), name), pageCAS)
		case SwitchUnknown:
			if e.p != PowerShell { // two names of one switch; an export has one of them
				unknown("mailbox", fmt.Sprintf("%s of the mailbox is not known.", name), pageCAS)
			}
		}
	}
	if e.p == PowerShell && e.MailboxSwitches["EXOModuleEnabled"] == SwitchUnknown && e.MailboxSwitches["RemotePowerShellEnabled"] == SwitchUnknown {
		unknown("mailbox", "Whether the user may use remote PowerShell is not known.", pageCAS)
	}
	switch {
	case e.p == SMTP && online:
		mailbox, org := e.MailboxSwitches["SmtpClientAuthenticationDisabled"], e.OrgSwitches["SmtpClientAuthenticationDisabled"]
		change := fmt.Sprintf("Set-CASMailbox -Identity %s -SmtpClientAuthenticationDisabled $false", e.user())
		switch {
		case mailbox == True:
			off("mailbox", "SmtpClientAuthenticationDisabled of the mailbox is True: SMTP AUTH is off, for tokens too.", change, pageCAS)
		case mailbox == False:
		case mailbox == SwitchUnknown:
			unknown("mailbox", "SmtpClientAuthenticationDisabled of the mailbox is not known, and it beats the organization's.", pageCAS)
		case org == True:
			off("tenant", "SmtpClientAuthenticationDisabled of the organization is True, and the mailbox does not say otherwise: SMTP AUTH is off, for tokens too.", change, pageCAS)
		case org == SwitchUnknown || org == NotSet:
			unknown("tenant", "SmtpClientAuthenticationDisabled of the organization is not known.", pageCAS)
		}
	case e.p == RPC && !online && e.MailboxSwitches["MAPIBlockOutlookRpcHttp"] == True:
		off("mailbox", "MAPIBlockOutlookRpcHttp of the mailbox is True.", fmt.Sprintf("Set-CASMailbox -Identity %s -MAPIBlockOutlookRpcHttp $false", e.user()), pageCAS)
	case e.p == MAPI && !online:
		mailbox, org := e.MailboxSwitches["MapiHttpEnabled"], e.OrgSwitches["MapiHttpEnabled"]
		switch {
		case mailbox == False:
			off("mailbox", "MapiHttpEnabled of the mailbox is False: Outlook falls to Outlook Anywhere.", fmt.Sprintf("Set-CASMailbox -Identity %s -MapiHttpEnabled $true", e.user()), pageCAS)
		case mailbox != True && org == False:
			off("tenant", "MapiHttpEnabled of the organization is False: Outlook falls to Outlook Anywhere.", "Set-OrganizationConfig -MapiHttpEnabled $true", pageOrg)
		}
	}
	return found
}

// ewsSwitches applies EwsEnabled of organization and mailbox. Online, since
// April 2025, neither may be False (before that a mailbox with True beat an
// organization with False); from October 2026 on an empty value of the
// organization counts as False, one tenant after the other.
func (e *evaluation) ewsSwitches(within int) (found []Method) {
	online := e.Hosting == ExchangeOnline
	mailbox, org := e.MailboxSwitches["EwsEnabled"], e.OrgSwitches["EwsEnabled"]
	changeMailbox := fmt.Sprintf("Set-CASMailbox -Identity %s -EwsEnabled $true", e.user())
	const changeOrg = "Set-OrganizationConfig -EwsEnabled $true"
	beaten := online && !e.from(ewsBothFlags) // a mailbox with True beats the organization
	switch {
	case mailbox == False:
		found = append(found, Method{Verdict: Blocked, Reason: ProtocolDisabled, Decider: "mailbox", Detail: "EwsEnabled of the mailbox is False.", Change: changeMailbox, WithinMinutes: within, Sources: []string{pageCAS}})
	case mailbox == SwitchUnknown:
		found = append(found, Method{Reason: ProtocolDisabled, Decider: "mailbox", Detail: "EwsEnabled of the mailbox is not known.", Sources: []string{pageCAS}})
	}
	switch {
	case beaten && mailbox == True:
	case org == False && beaten && mailbox == SwitchUnknown:
		found = append(found, Method{Reason: ProtocolDisabled, Decider: "tenant", Detail: "EwsEnabled of the organization is False; a mailbox with True would beat it.", Sources: []string{pageOrg}})
	case org == False:
		found = append(found, Method{Verdict: Blocked, Reason: ProtocolDisabled, Decider: "tenant", Detail: "EwsEnabled of the organization is False.", Change: changeOrg, WithinMinutes: within, Sources: []string{pageOrg}})
	case org == SwitchUnknown:
		found = append(found, Method{Reason: ProtocolDisabled, Decider: "tenant", Detail: "EwsEnabled of the organization is not known.", Sources: []string{pageOrg}})
	case org == NotSet && online && e.from(ewsDefaultOff) && !e.from(ewsRemoved):
		found = append(found, Method{Reason: ServiceRetired, Decider: "service", Sources: []string{pageEWS},
			Detail: "EwsEnabled of the organization is empty: since October 2026 that counts as False, one tenant after the other.", Change: changeOrg, WithinMinutes: within})
	}
	return found
}

// ewsAgentSwitches are the switches for Microsoft's own clients, which come
// before the lists of agents, with what their agents hold in lower case. Source:
// Set-OrganizationConfig (learn.microsoft.com).
var ewsAgentSwitches = []struct {
	name   string
	agents []string
}{
	{"EwsAllowMacOutlook", []string{"macoutlook"}},
	{"EwsAllowEntourage", []string{"entourage"}},
	{"EwsAllowOutlook", []string{"microsoft outlook", "microsoft office/"}},
}

// ewsAgent applies the switches for Microsoft's own clients, and to others, or
// where such a switch is empty, the list of agents.
func (e *evaluation) ewsAgent(to ...*steps) {
	add := func(m Method) {
		m.Reason, m.Decider, m.Sources = AppNotAllowed, "tenant", []string{pageOrg}
		for _, s := range to {
			s.add(m)
		}
	}
	agent := strings.ToLower(e.UserAgent)
	for _, own := range ewsAgentSwitches {
		if !slices.ContainsFunc(own.agents, func(a string) bool { return strings.Contains(agent, a) }) {
			continue
		}
		switch e.OrgSwitches[own.name] {
		case NotSet:
			continue
		case False:
			add(Method{Verdict: Blocked, Detail: own.name + " of the organization is False.", Change: "Set-OrganizationConfig -" + own.name + " $true", WithinMinutes: cloudDelay})
		case SwitchUnknown:
			add(Method{Detail: own.name + " of the organization is not known."})
		}
		return
	}
	access := e.EWSAccess
	if access == "" {
		return
	}
	listed := slices.ContainsFunc(e.EWSAgents, func(pattern string) bool { return e.UserAgent != "" && matches(pattern, e.UserAgent) })
	allow, block := strings.EqualFold(access, "EnforceAllowList"), strings.EqualFold(access, "EnforceBlockList")
	switch {
	case e.UserAgent == "":
		add(Method{Detail: "EwsApplicationAccessPolicy is " + access + ", and the agent of the application is not known."})
	case !listed && e.EWSAgentsKnown != crossprem.Yes:
		add(Method{Detail: "EwsApplicationAccessPolicy is " + access + ", and the list was not seen whole."})
	case allow && !listed:
		add(Method{Verdict: Blocked, Detail: "EwsApplicationAccessPolicy is " + access + ", and EwsAllowList does not hold the agent of the application.",
			Change: "Set-OrganizationConfig -EwsAllowList @{Add='AGENT*'}", WithinMinutes: cloudDelay})
	case block && listed:
		add(Method{Verdict: Blocked, Detail: "EwsApplicationAccessPolicy is " + access + ", and EwsBlockList holds the agent of the application.",
			Change: "Set-OrganizationConfig -EwsBlockList @{Remove='AGENT*'}", WithinMinutes: cloudDelay})
	case !allow && !block:
		add(Method{Detail: "EwsApplicationAccessPolicy has a value that is not known."})
	}
}

// ewsAppIDs applies EwsAllowedAppIDs, which concerns tokens alone.
func (e *evaluation) ewsAppIDs(m *steps) {
	if e.Hosting != ExchangeOnline || e.OrgSwitches["EwsEnabled"] != True {
		return // the list has no effect
	}
	step := Method{Reason: AppNotAllowed, Decider: "tenant", Sources: []string{pageOrg}}
	switch {
	case e.EWSAppIDsKnown == crossprem.AnswerUnknown:
		step.Detail = "EwsAllowedAppIDs is not known; Get-OrganizationConfig shows it with -RetrieveEwsOperationAccessPolicy alone."
		m.notKnown(step)
	case len(e.EWSAppIDs) == 0:
	case e.AppID == "":
		step.Detail = "EwsAllowedAppIDs names applications, and which one asks is not known."
		m.notKnown(step)
	case !slices.ContainsFunc(e.EWSAppIDs, func(id string) bool { return strings.EqualFold(strings.TrimSpace(id), e.AppID) }):
		step.Detail = "EwsAllowedAppIDs does not name the application."
		step.Change, step.WithinMinutes = "Set-OrganizationConfig -EwsAllowedAppIDs 'IDS, "+strings.ReplaceAll(e.AppID, "'", "")+"'", cloudDelay
		m.block(step)
	}
}

// matches reports whether an agent fits a pattern of the lists, in which "*"
// stands for anything. Letter case does not count.
func matches(pattern, agent string) bool {
	clean := strings.NewReplacer("/", "\x01", `\`, "\x02", "[", "\x03", "?", "\x04")
	ok, err := path.Match(clean.Replace(strings.ToLower(pattern)), clean.Replace(strings.ToLower(agent)))
	return err == nil && ok
}

func (e *evaluation) onPremises() (basic, modern, windows Method) {
	var b, m, w steps
	all := []*steps{&b, &m, &w}
	for _, s := range e.protocolSwitches() {
		for _, to := range all {
			to.add(s)
		}
	}
	if e.p == EWS {
		e.ewsAgent(all...)
	}
	e.offered(&b, e.OffersBasic, "Basic")
	e.offered(&w, e.OffersWindows, "Windows authentication")
	e.offersTokens(&m)
	e.onPremisesPolicy(&b, &w, &m)
	result := func(s *steps) Method {
		r := s.result()
		if r.Verdict == Blocked && r.Reason == MethodNotOffered {
			r.Verdict = NotOffered
		}
		return r
	}
	return result(&b), result(&m), result(&w)
}

func (e *evaluation) offered(to *steps, offers crossprem.Answer, what string) {
	step := Method{Reason: MethodNotOffered, Decider: "server", Sources: []string{pageHMA}}
	switch offers {
	case crossprem.No:
		step.Detail = fmt.Sprintf("The server does not offer %s for this protocol.", what)
		to.block(step)
	case crossprem.AnswerUnknown:
		step.Detail = fmt.Sprintf("Whether the server offers %s for this protocol is not known.", what)
		to.notKnown(step)
	}
}

// offersTokens applies what modern authentication on premises needs: a
// protocol that has it, OAuth on the virtual directory, an authorization server
// and OAuth2ClientProfileEnabled, and a server that is new enough.
func (e *evaluation) offersTokens(m *steps) {
	no := func(detail, change string) {
		m.block(Method{Reason: MethodNotOffered, Decider: "server", Detail: detail, Change: change, Sources: []string{pageHMA}})
	}
	unknown := func(detail string) {
		m.notKnown(Method{Reason: MethodNotOffered, Decider: "server", Detail: detail, Sources: []string{pageHMA}})
	}
	switch e.p {
	case MAPI, ActiveSync, EWS, OAB, Autodiscover:
	default:
		no("This protocol has no modern authentication on premises.", "")
		return
	}
	e.offered(m, e.OffersOAuth, "tokens (OAuthAuthentication)")
	switch {
	case e.AuthServer == NoAuthServer:
		no("There is no authorization server for clients.", "")
	case e.AuthServer == AuthServerUnknown:
		unknown("Whether there is an authorization server for clients is not known.")
	case e.Server == Exchange2010:
		no("This version of Exchange Server takes no tokens.", "")
	case e.AuthServer == ADFS && e.Server != ServerUnknown && e.Server < Exchange2019CU13:
		no("This version of Exchange Server takes no tokens of AD FS; 2019 CU13 is the first.", "")
	case e.AuthServer == ADFS && e.Server == ServerUnknown:
		unknown("Whether the server takes tokens of AD FS depends on its version, which is not known.")
	}
	switch e.OrgSwitches["OAuth2ClientProfileEnabled"] {
	case False:
		no("OAuth2ClientProfileEnabled is False.", "Set-OrganizationConfig -OAuth2ClientProfileEnabled $true")
	case NotSet:
		no("OAuth2ClientProfileEnabled is not set, which is False on premises.", "Set-OrganizationConfig -OAuth2ClientProfileEnabled $true")
	case SwitchUnknown:
		unknown("OAuth2ClientProfileEnabled is not known.")
	}
}

// onPremisesPolicy applies the Block switches. A server that has no policies
// ignores them; one of unknown version may.
func (e *evaluation) onPremisesPolicy(b, w, m *steps) {
	apply := func(name string, first Server, to ...*steps) {
		if name == "" || e.Server != ServerUnknown && e.Server < first {
			return
		}
		policy, whose, known := e.policy()
		step := Method{Reason: AuthenticationPolicy, Decider: whose, Sources: []string{pagePolicies}}
		switch {
		case !known:
			step.Detail = "Which authentication policy applies is not known."
		case policy == nil:
			return
		default:
			switch policy.get(name) {
			case True:
				step.Detail = fmt.Sprintf("The authentication policy %s sets %s.", cmp.Or(policy.Name, "that applies"), name)
				if e.Server != ServerUnknown {
					step.Verdict, step.WithinMinutes = Blocked, fastDelay
					step.Change = fmt.Sprintf("Set-AuthenticationPolicy -Identity %s -%s:$false", quote(cmp.Or(policy.Name, "POLICY")), name)
				} else {
					step.Detail += " Whether the server obeys depends on its version, which is not known."
				}
			case SwitchUnknown:
				step.Detail = fmt.Sprintf("%s of the policy %s was not seen.", name, cmp.Or(policy.Name, "that applies"))
			default:
				return
			}
		}
		for _, s := range to {
			s.add(step)
		}
	}
	apply(e.p.BlockLegacy(), Exchange2019CU2, b, w)
	apply(e.p.BlockModern(), Exchange2019CU13, m)
}

// notes are the milestones beside a decision for Exchange Online: those that
// change no sign-in and have come, and all that are still ahead.
func (e *evaluation) notes() (notes []string) {
	for _, m := range Milestones() {
		if len(m.Protocols) > 0 && !slices.Contains(m.Protocols, e.p) {
			continue
		}
		switch {
		case e.at.Before(m.Day):
			notes = append(notes, fmt.Sprintf("From %s: %s", m.Day.Format(time.DateOnly), m.Says))
		case !m.Decides && len(m.Protocols) > 0:
			notes = append(notes, fmt.Sprintf("Since %s: %s", m.Day.Format(time.DateOnly), m.Says))
		}
	}
	return notes
}
