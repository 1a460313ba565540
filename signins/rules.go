package signins

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

const (
	ruleAttackSuccess = "signins-attack-success"
	ruleAttack        = "signins-attack"
	ruleCountry       = "signins-country"
	ruleDeviceCode    = "signins-device-code"
	ruleEvidence      = "signins-evidence"
	ruleLegacyAttack  = "signins-legacy-attempts"
	ruleLegacyUse     = "signins-legacy-use"
	rulePassword      = "signins-password-known"
	ruleRetirement    = "signins-retirement"
	ruleROPC          = "signins-ropc"
	ruleUnlisted      = "signins-unlisted-client"
)

var rules = []crossprem.Rule{
	{ID: ruleAttack, Severity: crossprem.Warning, Title: "Somebody guesses at passwords",
		Sources: []string{"Microsoft: Password spray investigation (learn.microsoft.com)", "Azure-Sentinel: SigninPasswordSpray"}},
	{ID: ruleAttackSuccess, Severity: crossprem.Critical, Title: "An attack on passwords got in, or found a right password",
		Sources: []string{"Microsoft: Password spray investigation (learn.microsoft.com)"}},
	{ID: ruleCountry, Severity: crossprem.Critical, Title: "Legacy sign-ins come from countries where nobody works",
		Sources: []string{"Microsoft Graph: signInLocation resource type"}},
	{ID: ruleDeviceCode, Severity: crossprem.Warning, Title: "The device code flow is used",
		Sources: []string{"RFC 8628 section 5.4", "Microsoft Entra: Block authentication flows with Conditional Access policy"}},
	{ID: ruleEvidence, Severity: crossprem.Info, Title: "The logs do not tell all that was asked of them",
		Sources: []string{"Microsoft Graph: signIn resource type"}},
	{ID: ruleLegacyAttack, Severity: crossprem.Info, Title: "Legacy sign-ins are tried and never succeed",
		Sources: []string{"Microsoft Entra: Block legacy authentication with Conditional Access"}},
	{ID: ruleLegacyUse, Severity: crossprem.Warning, Title: "Users sign in with legacy authentication",
		Sources: []string{"Microsoft Entra: Block legacy authentication with Conditional Access", "Microsoft Entra: Customize and filter identity activity logs"}},
	{ID: rulePassword, Severity: crossprem.Warning, Title: "A right password was sent over a legacy protocol and something else refused it",
		Sources: []string{"Microsoft Entra authentication and authorization error codes"}},
	{ID: ruleRetirement, Severity: crossprem.Critical, Title: "Users depend on what Microsoft has announced to switch off",
		Sources: []string{"Deprecation of Basic authentication in Exchange Online (learn.microsoft.com)", "Message center MC786329", "Message center MC1227454", "Message center MC1197103"}},
	{ID: ruleROPC, Severity: crossprem.Warning, Title: "The OAuth password grant is used",
		Sources: []string{"RFC 9700 section 2.4", "Microsoft identity platform and OAuth 2.0 Resource Owner Password Credentials"}},
	{ID: ruleUnlisted, Severity: crossprem.Info, Title: "A client app is not in any published list",
		Sources: []string{"Microsoft Entra: Customize and filter identity activity logs"}},
}

// passedTitles say what it means that a rule has passed.
var passedTitles = map[string]string{
	ruleAttack:        "Nobody guesses at passwords",
	ruleAttackSuccess: "No attack on passwords got in",
	ruleCountry:       "Legacy sign-ins come from expected countries alone",
	ruleDeviceCode:    "The device code flow is not used",
	ruleEvidence:      "The logs tell all that was asked of them",
	ruleLegacyAttack:  "No user has failed legacy sign-ins alone",
	ruleLegacyUse:     "Nobody signs in with legacy authentication",
	rulePassword:      "No right password was stopped on a legacy protocol",
	ruleRetirement:    "Nobody depends on what was announced to be switched off",
	ruleROPC:          "The OAuth password grant is not used",
	ruleUnlisted:      "Every client app is in a published list",
}

// Rules returns the rules that findings of this package name, sorted by ID.
func Rules() []crossprem.Rule {
	all := slices.Clone(rules)
	for i := range all {
		all[i].Sources = slices.Clone(all[i].Sources)
	}
	return all
}

// finding returns a finding of the rule id, with its severity and sources.
func finding(id string, status crossprem.Status, subject string) crossprem.Finding {
	r := rule(id)
	return crossprem.Finding{Rule: id, Status: status, Severity: r.Severity, Subject: subject,
		Title: title(id, status), Sources: slices.Clone(r.Sources)}
}

func rule(id string) crossprem.Rule {
	return rules[slices.IndexFunc(rules, func(r crossprem.Rule) bool { return r.ID == id })]
}

// title says what it means that a rule came out like this.
func title(id string, status crossprem.Status) string {
	failed := rule(id).Title
	switch status {
	case crossprem.Passed:
		return passedTitles[id]
	case crossprem.Unknown:
		return "Not known: " + strings.ToLower(failed[:1]) + failed[1:]
	}
	return failed
}

// An Assessor holds what judging needs to know of the tenant. The zero value
// is ready to use.
type Assessor struct {
	// Countries are those where people of the tenant work, in the two letters
	// that the log has, such as "NL". If empty, no country is judged.
	Countries []string
}

// Assess judges s with the settings of the zero [Assessor].
func Assess(s *Summary, at time.Time) []crossprem.Finding { return new(Assessor).Assess(s, at) }

// Assess judges s for the day at, worst first. There is a finding for every
// rule: passed if nothing speaks against it, and unknown if the log holds
// nothing to judge. Rules with several subjects, such as protocols or attacks,
// have a finding for each that failed.
func (a *Assessor) Assess(s *Summary, at time.Time) []crossprem.Finding {
	var found []crossprem.Finding
	for _, judge := range []func(*Summary, time.Time) []crossprem.Finding{
		a.legacy, a.attacks, a.passwords, a.countries, a.retirements, a.grants, a.evidence,
	} {
		found = append(found, judge(s, at)...)
	}
	slices.SortStableFunc(found, func(a, b crossprem.Finding) int {
		rank := func(f crossprem.Finding) int { // failed before unknown before passed
			return map[crossprem.Status]int{crossprem.Failed: 0, crossprem.Unknown: 1, crossprem.Passed: 2}[f.Status]
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), -cmp.Compare(a.Severity, b.Severity))
	})
	return found
}

const tenant = "tenant" // the subject of what concerns all of it

const noneSeen = "No such sign-in is in the log. Exchange Online refuses basic authentication before it asks Entra ID " +
	"wherever it is switched off, so that attempts may have been made all the same."

// all returns the finding of a rule that nothing speaks against: passed if
// the log holds sign-ins of users and can carry the fields that the rule
// needs, by their names in Microsoft Graph, and unknown if not.
func all(s *Summary, id, detail string, fields ...string) []crossprem.Finding {
	f := finding(id, crossprem.Passed, tenant)
	f.Detail = detail
	missing := func(what string, records int64) {
		f.Status = crossprem.Unknown
		f.Detail = fmt.Sprintf("%s %s.", count(records, "record"), what)
	}
	if s.Records == s.ByClass[NotApplicable] {
		f.Status, f.Detail = crossprem.Unknown, "The log holds no sign-in of a user."
	}
	if slices.Contains(fields, fieldClient) && s.ByClass[UnknownClass] > 0 {
		missing("cannot tell what kind of client signed in", s.ByClass[UnknownClass])
	}
	for _, name := range fields {
		if n := s.NotKnowable[name]; n > 0 {
			missing("cannot tell "+name, n)
		}
	}
	if users := s.Records - s.ByClass[NotApplicable]; slices.Contains(fields, unattended) && users > 0 && s.Interactive == users {
		f.Status = crossprem.Unknown
		f.Detail = "The log holds interactive sign-ins alone. Most of what POP, IMAP and ActiveSync do day by day is in the log of non-interactive ones."
	}
	if f.Status == crossprem.Passed && s.Malformed > 0 {
		f.Detail += fmt.Sprintf(" (%s could not be read.)", count(s.Malformed, "record"))
	}
	f.Title = title(id, f.Status)
	return []crossprem.Finding{f}
}

// The fields that rules need, by their names in Microsoft Graph.
const (
	fieldClient  = "clientAppUsed"
	fieldAgent   = "userAgent"
	fieldCode    = "status.errorCode"
	fieldTime    = "createdDateTime"
	fieldAddress = "ipAddress"

	unattended = "" // no field, but the log of non-interactive sign-ins
)

func (a *Assessor) legacy(s *Summary, _ time.Time) []crossprem.Finding {
	type use struct{ with, untold, without []string }
	var uses [OtherLegacy + 1]use
	users := s.users()
	names := make([]string, 0, len(users))
	for name := range users {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, p := range users[name].Protocols {
			if int(p.Protocol) >= len(uses) {
				continue
			}
			switch u := &uses[p.Protocol]; {
			case p.Successes > 0:
				u.with = append(u.with, name)
			case users[name].untold():
				u.untold = append(u.untold, name)
			default:
				u.without = append(u.without, name)
			}
		}
	}
	compromised := make(map[string]bool)
	for _, k := range s.Attacks {
		for _, name := range k.Compromised {
			compromised[name] = true
		}
	}
	var using, tried []crossprem.Finding
	for p, u := range uses {
		if len(u.with) > 0 {
			f := finding(ruleLegacyUse, crossprem.Failed, Protocol(p).String())
			f.Detail = fmt.Sprintf("%s signed in with it successfully: %s.", count(len(u.with), "user"), list(u.with))
			attacked := slices.DeleteFunc(slices.Clone(u.with), func(name string) bool { return !compromised[name] })
			if len(attacked) > 0 {
				f.Detail += fmt.Sprintf(" An attack got in as %s.", list(attacked))
			}
			f.Remedy = remedyFor(Protocol(p))
			using = append(using, f)
		}
		if len(u.untold) > 0 {
			f := finding(ruleLegacyUse, crossprem.Unknown, Protocol(p).String())
			f.Detail = fmt.Sprintf("The log does not tell how every sign-in of %s ended: %s.", count(len(u.untold), "user"), list(u.untold))
			using = append(using, f)
		}
		if len(u.without) > 0 {
			f := finding(ruleLegacyAttack, crossprem.Failed, Protocol(p).String())
			f.Detail = fmt.Sprintf("Sign-ins as %s failed, and none succeeded: %s.", count(len(u.without), "user"), list(u.without))
			f.Remedy = "Block legacy authentication with a Conditional Access policy; in Exchange Online, " +
				"Set-CASMailbox and authentication policies switch off the protocol before a password is tried."
			tried = append(tried, f)
		}
	}
	if using == nil {
		using = all(s, ruleLegacyUse, noneSeen, fieldClient, fieldAgent, unattended)
	}
	if tried == nil {
		tried = all(s, ruleLegacyAttack, noneSeen, fieldClient, fieldAgent, unattended, fieldCode)
	}
	return append(using, tried...)
}

func remedyFor(p Protocol) string {
	switch p {
	case SMTPAuth:
		return "Move the device or application to OAuth, High Volume Email or a connector before Microsoft switches SMTP AUTH off."
	case ExchangeActiveSync:
		return "Use Outlook for iOS and Android, or a mail app that signs in with OAuth; for certificates, switch to certificate-based authentication of Entra ID."
	case ExchangeWebServices:
		return "Move the application to Microsoft Graph."
	case ExchangePowerShell:
		return "Use Connect-ExchangeOnline of the ExchangeOnlineManagement module."
	case IMAP, POP:
		return "Use a client that signs in with OAuth, or a service principal for an application."
	case MAPI, OutlookAnywhere, OfflineAddressBook, Autodiscover:
		return "Use an Outlook with modern authentication, and check that it is enabled: Get-OrganizationConfig | Format-List OAuth2ClientProfileEnabled"
	}
	return "Find the client by its user agent and address, and move it to OAuth."
}

func (a *Assessor) attacks(s *Summary, _ time.Time) []crossprem.Finding {
	var found, got []crossprem.Finding
	for _, k := range s.Attacks {
		subject := cmp.Or(k.IP, k.Agent, k.target())
		if subject == "" && k.Network != 0 {
			subject = fmt.Sprintf("AS%d", k.Network)
		}
		subject = cmp.Or(subject, string(k.Kind))
		least := ""
		if k.AtLeast {
			least = "at least "
		}
		evidence := fmt.Sprintf("%s from %s to %s: %s%s at %s from %s", k.Kind, k.Start.Format(time.DateTime), k.End.Format(time.DateTime),
			least, count(k.Attempts, "guess"), count(k.DistinctAccounts, "account"), count(k.Addresses, "address"))
		if k.Country != "" {
			evidence += " in " + k.Country
		}
		evidence += fmt.Sprintf(" over %s.", k.Protocol)
		f := finding(ruleAttack, crossprem.Failed, subject)
		f.Detail = evidence
		f.Remedy = "Block legacy authentication and password grants with a Conditional Access policy, and require a second factor."
		found = append(found, f)
		if len(k.Compromised) == 0 && len(k.PasswordKnownButStopped) == 0 {
			continue
		}
		f = finding(ruleAttackSuccess, crossprem.Failed, subject)
		f.Detail = evidence
		if len(k.Compromised) > 0 {
			f.Detail += fmt.Sprintf(" It got in as %s.", list(k.Compromised))
		}
		if len(k.PasswordKnownButStopped) > 0 {
			f.Detail += fmt.Sprintf(" It knows the password of %s, and was stopped by something else.", list(k.PasswordKnownButStopped))
		}
		f.Remedy = "Reset these passwords and revoke the sessions (Revoke-MgUserSignInSession); look through what the accounts did since."
		got = append(got, f)
	}
	if s.Evicted > 0 {
		f := finding(ruleAttack, crossprem.Unknown, tenant)
		f.Detail = fmt.Sprintf("Attacks may have been missed: %s of evidence had to be given up to bound memory.", count(s.Evicted, "piece"))
		found = append(found, f)
	}
	if found == nil {
		found = all(s, ruleAttack, "No series of guesses was found.", fieldCode, fieldTime, fieldAddress)
	}
	if got == nil {
		got = all(s, ruleAttackSuccess, "No attack that was found got in.", fieldCode, fieldTime, fieldAddress)
		if s.Evicted > 0 {
			got[0] = finding(ruleAttackSuccess, crossprem.Unknown, tenant)
			got[0].Detail = "No attack that was found got in, but some evidence had to be given up."
		}
	}
	return append(got, found...)
}

func (a *Assessor) passwords(s *Summary, _ time.Time) []crossprem.Finding {
	users := s.PasswordRightButStopped()
	if len(users) == 0 {
		return all(s, rulePassword, noneSeen, fieldClient, fieldAgent, unattended, fieldCode)
	}
	f := finding(rulePassword, crossprem.Failed, tenant)
	f.Detail = fmt.Sprintf("The password of %s was right, and Conditional Access, a second factor, security defaults or its age stopped the sign-in: %s.",
		count(len(users), "user"), list(users))
	f.Remedy = "Ask each whether it was them: if not, somebody knows the password, which then has to be reset."
	return []crossprem.Finding{f}
}

func (a *Assessor) countries(s *Summary, _ time.Time) []crossprem.Finding {
	if len(a.Countries) == 0 {
		f := finding(ruleCountry, crossprem.Unknown, tenant)
		f.Detail = "It was not said in which countries people work."
		return []crossprem.Finding{f}
	}
	expected := func(country string) bool {
		return slices.ContainsFunc(a.Countries, func(c string) bool { return strings.EqualFold(strings.TrimSpace(c), country) })
	}
	usersIn := make(map[string][]string)
	for name, u := range s.users() {
		for _, c := range u.Countries {
			usersIn[c.Name] = append(usersIn[c.Name], name)
		}
	}
	var found []crossprem.Finding
	for _, c := range s.Countries {
		if expected(c.Name) {
			continue
		}
		tried := usersIn[c.Name]
		slices.Sort(tried)
		f := finding(ruleCountry, crossprem.Failed, c.Name)
		f.Detail = fmt.Sprintf("%s, of which %d succeeded, as %s: %s.", count(c.Records, "legacy sign-in"), c.Successes, count(len(tried), "user"), list(tried))
		f.Remedy = "Block legacy authentication with a Conditional Access policy."
		if c.Successes == 0 {
			f.Severity = crossprem.Warning
		} else {
			f.Remedy += " Find out whether those who succeeded were there; if not, reset their passwords and revoke their sessions."
		}
		found = append(found, f)
	}
	if found == nil {
		found = all(s, ruleCountry, "Every legacy sign-in with a known country came from "+strings.Join(a.Countries, ", ")+".", fieldClient, fieldAgent)
		if s.ByClass[Legacy] > 0 && (s.NotKnowable["location"] > 0 || len(s.Countries) == 0) {
			found[0] = finding(ruleCountry, crossprem.Unknown, tenant)
			found[0].Detail = "The logs do not tell the country of every legacy sign-in. Those of non-interactive ones are not counted: they are of where a token came from."
		}
	}
	return found
}

func (a *Assessor) retirements(s *Summary, at time.Time) []crossprem.Finding {
	var found []crossprem.Finding
	for _, r := range Retirements(s, at) {
		f := finding(ruleRetirement, crossprem.Failed, r.ID)
		f.Title, f.Detail, f.Remedy, f.Sources, f.Due = r.Title, r.Effect, r.Remedy, r.Sources, r.Date
		switch {
		case !r.Certain:
			f.Severity = crossprem.Warning
			f.Detail += fmt.Sprintf(" It may hit %s: %s.", count(len(r.Users), "user"), list(r.Users))
		case r.Past:
			f.Severity = crossprem.Warning
			f.Detail += fmt.Sprintf(" The day has passed, and %s succeeded: %s.", count(len(r.Users), "user"), list(r.Users))
		default:
			f.Detail += fmt.Sprintf(" It hits %s: %s.", count(len(r.Users), "user"), list(r.Users))
		}
		if r.Past && len(r.SucceededSince) > 0 {
			f.Detail += fmt.Sprintf(" Since then, %s.", list(r.SucceededSince))
		}
		found = append(found, f)
	}
	if found == nil {
		found = all(s, ruleRetirement, fmt.Sprintf("Nobody in the log uses what was announced by %s to be switched off, as far as a sign-in log shows.", AsOf), fieldClient, fieldAgent, unattended, fieldCode)
	}
	return found
}

// grants judges the two OAuth flows that attackers like.
func (a *Assessor) grants(s *Summary, _ time.Time) []crossprem.Finding {
	var found []crossprem.Finding
	for _, g := range []struct {
		rule   string
		n      int64
		use    func(*User) Use
		remedy string
	}{
		{ruleROPC, s.ROPC, func(u *User) Use { return u.ROPC },
			"Move the application to another flow: the password grant cannot ask for a second factor."},
		{ruleDeviceCode, s.DeviceCode, func(u *User) Use { return u.DeviceCode },
			"Block the device code flow with a Conditional Access policy where no device needs it: a stranger can begin it and have a user complete it."},
	} {
		switch {
		case g.n > 0:
			with := s.usersWith(func(u *User) bool { return g.use(u).Successes > 0 })
			without := s.usersWith(func(u *User) bool { return g.use(u).Records > 0 && g.use(u).Successes == 0 })
			f := finding(g.rule, crossprem.Failed, tenant)
			f.Detail = fmt.Sprintf("%s. Succeeded: %s. Tried only: %s.", count(g.n, "sign-in"), list(with), list(without))
			f.Remedy = g.remedy
			if len(with) == 0 {
				f.Severity = crossprem.Info
			}
			found = append(found, f)
		case s.NotKnowable["authenticationProtocol"] > 0:
			f := finding(g.rule, crossprem.Unknown, tenant)
			f.Detail = fmt.Sprintf("%s cannot tell the authentication protocol.", count(s.NotKnowable["authenticationProtocol"], "record"))
			found = append(found, f)
		default:
			found = append(found, all(s, g.rule, "No such sign-in is in the log.")...)
		}
	}
	return found
}

// evidence judges the log itself.
func (a *Assessor) evidence(s *Summary, _ time.Time) []crossprem.Finding {
	var missing []string
	if s.Malformed > 0 {
		missing = append(missing, fmt.Sprintf("%s could not be read, such as: %s.", count(s.Malformed, "record"), strings.Join(s.Errors[:min(len(s.Errors), 3)], "; ")))
	}
	for _, n := range needed {
		if records := s.NotKnowable[n.name]; records > 0 {
			missing = append(missing, fmt.Sprintf("%s cannot tell %s.", count(records, "record"), n.name))
		}
	}
	found := all(s, ruleEvidence, "Every record could be read, and carried what judging needs.")
	if len(missing) > 0 {
		found[0] = finding(ruleEvidence, crossprem.Failed, tenant)
		found[0].Detail = strings.Join(missing, " ")
		found[0].Remedy = "Export the logs with Azure Monitor diagnostic settings or the beta endpoint of Microsoft Graph, non-interactive sign-ins included."
	}
	if len(s.Unlisted) == 0 {
		return append(found, all(s, ruleUnlisted, "Every client app is in a published list.")...)
	}
	for _, t := range s.Unlisted {
		f := finding(ruleUnlisted, crossprem.Unknown, t.Name)
		f.Title = rule(ruleUnlisted).Title // which says no more than what is unknown
		f.Detail = fmt.Sprintf("%s, of which %d succeeded. Whether it is legacy is not known as of %s.", count(t.Records, "sign-in"), t.Successes, AsOf)
		found = append(found, f)
	}
	return found
}

// count says how many there are of something.
func count[N int | int64](n N, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list names up to 20 of names.
func list(names []string) string {
	const most = 20
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
