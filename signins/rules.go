package signins

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

var rules crossprem.Rules

var (
	attackRule = rules.Declare(crossprem.Rule{ID: "signins-attack", Severity: crossprem.Warning,
		Title: "Passwords are being guessed", PassedTitle: "No password attack above the thresholds was found",
		UnknownTitle: "It is not known whether passwords are being guessed",
		Remedy:       "Block legacy authentication and password grants with a Conditional Access policy, and require a second factor.",
		Sources:      []string{"Microsoft: Password spray investigation (learn.microsoft.com)", "Azure-Sentinel: SigninPasswordSpray", "Microsoft Entra: Protect user accounts from attacks with smart lockout"}})
	possibleRule = rules.Declare(crossprem.Rule{ID: "signins-attack-possible", Severity: crossprem.Info,
		Title: "Accounts were accepted where and when an attack was", PassedTitle: "No account was accepted beside an attack without belonging to it",
		UnknownTitle: "It is not known whether accounts were accepted beside an attack",
		Remedy:       "Ask each whether it was them.",
		Sources:      []string{"Microsoft: Password spray investigation (learn.microsoft.com)"}})
	attackSuccessRule = rules.Declare(crossprem.Rule{ID: "signins-attack-success", Severity: crossprem.Critical,
		Title: "An attack on passwords got in, or found a right password", PassedTitle: "No attack on passwords that was found got in",
		UnknownTitle: "It is not known whether an attack on passwords got in",
		Remedy:       "Reset these passwords and revoke the sessions (Revoke-MgUserSignInSession); look through what the accounts did since.",
		Sources:      []string{"Microsoft: Password spray investigation (learn.microsoft.com)", "Microsoft Entra authentication and authorization error codes"}})
	countryRule = rules.Declare(crossprem.Rule{ID: "signins-country", Severity: crossprem.Critical,
		Title: "Legacy sign-ins come from countries where nobody works", PassedTitle: "Legacy sign-ins come from expected countries alone",
		Remedy:  "Block legacy authentication with a Conditional Access policy.",
		Sources: []string{"Microsoft Graph: signInLocation resource type"}})
	deviceCodeRule = rules.Declare(crossprem.Rule{ID: "signins-device-code", Severity: crossprem.Warning,
		Title: "The device code flow is used", PassedTitle: "The device code flow is not used",
		Remedy:  "Block the device code flow with a Conditional Access policy where no device needs it: a stranger can begin it and have a user complete it.",
		Sources: []string{"RFC 8628 section 5.4", "Microsoft Entra: Block authentication flows with Conditional Access policy"}})
	evidenceRule = rules.Declare(crossprem.Rule{ID: "signins-evidence", Severity: crossprem.Info,
		Title: "The logs do not carry all that was asked of them", PassedTitle: "The logs carry all that was asked of them",
		UnknownTitle: "It is not known whether the logs carry all that was asked of them",
		Remedy:       "Export the logs with Azure Monitor diagnostic settings or the beta endpoint of Microsoft Graph, non-interactive sign-ins included.",
		Sources:      []string{"Microsoft Graph: signIn resource type"}})
	forgotRule = rules.Declare(crossprem.Rule{ID: "signins-forgotten-password", Severity: crossprem.Info,
		Title: "People tried a password many times", PassedTitle: "Nobody tried a password many times at the sign-in page",
		UnknownTitle: "It is not known whether people tried a password many times",
		Sources:      []string{"Microsoft Entra: Protect user accounts from attacks with smart lockout"}})
	legacyAttemptsRule = rules.Declare(crossprem.Rule{ID: "signins-legacy-attempts", Severity: crossprem.Info,
		Title: "Legacy sign-ins are tried and never succeed", PassedTitle: "No user has failed legacy sign-ins alone",
		Remedy: "Block legacy authentication with a Conditional Access policy; in Exchange Online, " +
			"Set-CASMailbox and authentication policies switch off the protocol before a password is tried.",
		Sources: []string{"Microsoft Entra: Block legacy authentication with Conditional Access"}})
	legacyUseRule = rules.Declare(crossprem.Rule{ID: "signins-legacy-use", Severity: crossprem.Warning,
		Title: "Users sign in with legacy authentication", PassedTitle: "Nobody signs in with legacy authentication",
		Sources: []string{"Microsoft Entra: Block legacy authentication with Conditional Access", "Microsoft Entra: Customize and filter identity activity logs"}})
	passwordRule = rules.Declare(crossprem.Rule{ID: "signins-password-known", Severity: crossprem.Warning,
		Title:       "A right password was sent over a legacy protocol and something else refused it",
		PassedTitle: "No right password was stopped on a legacy protocol",
		Remedy:      "Ask each whether it was them: if not, somebody knows the password, which then has to be reset.",
		Sources:     []string{"Microsoft Entra authentication and authorization error codes"}})
	retirementRule = rules.Declare(crossprem.Rule{ID: "signins-retirement", Severity: crossprem.Critical,
		Title: "Users depend on what Microsoft switches off", PassedTitle: "Nobody depends on what was announced to be switched off",
		Sources: []string{"Deprecation of Basic authentication in Exchange Online (learn.microsoft.com)", "Message center MC786329", "Message center MC1227454", "Message center MC1197103"}})
	ropcRule = rules.Declare(crossprem.Rule{ID: "signins-ropc", Severity: crossprem.Warning,
		Title: "The OAuth password grant is used", PassedTitle: "The OAuth password grant is not used",
		Remedy:  "Move the application to another flow: the password grant cannot ask for a second factor.",
		Sources: []string{"RFC 9700 section 2.4", "Microsoft identity platform and OAuth 2.0 Resource Owner Password Credentials"}})
	staleRule = rules.Declare(crossprem.Rule{ID: "signins-stale-password", Severity: crossprem.Info,
		Title: "Devices or programs keep sending a wrong password", PassedTitle: "No device or program keeps sending a wrong password",
		UnknownTitle: "It is not known whether devices or programs keep sending a wrong password",
		Remedy:       "Update the password that is stored there, or remove the account from it.",
		Sources:      []string{"Microsoft Entra: Protect user accounts from attacks with smart lockout"}})
	unlistedRule = rules.Declare(crossprem.Rule{ID: "signins-unlisted-client", Severity: crossprem.Info,
		Title: "A client app is not in any published list", PassedTitle: "Every client app is in a published list",
		UnknownTitle: "It is not known whether a client app is legacy, since no published list has it",
		Sources:      []string{"Microsoft Entra: Customize and filter identity activity logs"}})
)

// Rules returns the rules that findings of this package name, sorted by ID.
func Rules() []crossprem.Rule { return rules.All() }

// An Assessor holds what judging needs to know of the tenant. The zero value
// is ready to use.
type Assessor struct {
	// Countries are those where people of the tenant work, in the two letters
	// that the log has, such as "NL". If empty, no country is judged.
	Countries []string

	// Tables hold the retirements, and the day that they are as of. If nil, the
	// embedded ones do.
	Tables *Tables
}

// Assess judges s with the settings of the zero [Assessor].
func Assess(s *Summary, at time.Time) []crossprem.Finding { return new(Assessor).Assess(s, at) }

// Assess judges s for the day at, worst first, in the order of
// [crossprem.WorstFirst]. There is a finding for every rule: passed if nothing
// speaks against it, with what was looked for in the detail, and unknown if
// the log holds nothing to judge. Rules with several subjects, such as
// protocols or attacks, have a finding for each that failed. A nil summary is
// an empty one.
func (a *Assessor) Assess(s *Summary, at time.Time) []crossprem.Finding {
	if s == nil {
		s = new(Summary)
	}
	if a == nil {
		a = new(Assessor)
	}
	var found []crossprem.Finding
	for _, judge := range []func(*Summary, time.Time) []crossprem.Finding{
		a.legacy, a.attacks, a.passwords, a.countries, a.retirements, a.grants, a.evidence,
	} {
		found = append(found, judge(s, at)...)
	}
	slices.SortStableFunc(found, crossprem.WorstFirst)
	return found
}

const tenant = "tenant" // the subject of what concerns all of it

const noneSeen = "No such sign-in is in the log. Exchange Online refuses basic authentication before it asks Entra ID " +
	"wherever it is switched off, so that attempts may have been made all the same."

// all returns the finding of a rule that nothing speaks against: passed if
// the log holds sign-ins of users and can carry the fields that the rule
// needs, by their names in Microsoft Graph, and unknown if not.
func all(s *Summary, rule crossprem.Rule, lookedFor string, values []crossprem.Value, fields ...string) []crossprem.Finding {
	why, whyValues := "", []crossprem.Value(nil)
	users := s.Records - s.ByClass[NotApplicable]
	missing := func(what string, records int64) {
		why, whyValues = "{records} cannot tell "+what+".", []crossprem.Value{crossprem.Val("records", count(records, "record"))}
	}
	if users <= 0 {
		why = "The log holds no sign-in of a user."
	}
	if slices.Contains(fields, fieldClient) && s.ByClass[UnknownClass] > 0 {
		missing("what kind of client signed in", s.ByClass[UnknownClass])
	}
	for _, name := range fields {
		if n := s.NotKnowable[name]; n > 0 {
			missing(name, n)
		}
	}
	if slices.Contains(fields, unattended) && users > 0 && s.Interactive == users {
		why, whyValues = "The log holds interactive sign-ins alone. Most of what POP, IMAP and ActiveSync do day by day is in the log of non-interactive ones.", nil
	}
	if why != "" {
		return []crossprem.Finding{rule.Unknown(tenant, "").Explain(why, whyValues...)}
	}
	f := rule.Passed(tenant).Explain(lookedFor, values...)
	if s.Malformed > 0 {
		f = f.Explain("{unreadable} could not be read.", crossprem.Val("unreadable", count(s.Malformed, "record")))
	}
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
	compromised := make(map[string]bool)
	for _, k := range s.Attacks {
		for _, name := range k.Compromised {
			compromised[name] = true
		}
	}
	type use struct{ with, attacked, untold, without someNames }
	var uses [OtherLegacy + 1]use
	for name, user := range s.people().each() {
		for _, p := range user.Protocols {
			if int(p.Protocol) >= len(uses) {
				continue
			}
			switch u := &uses[p.Protocol]; {
			case p.Successes > 0:
				u.with.add(name)
				if compromised[name] {
					u.attacked.add(name)
				}
			case user.untold():
				u.untold.add(name)
			default:
				u.without.add(name)
			}
		}
	}
	var using, tried []crossprem.Finding
	for p, u := range uses {
		protocol := Protocol(p).String()
		if u.with.n > 0 {
			f := legacyUseRule.Failed(protocol).Explain("{n} signed in with it successfully: {users}.",
				crossprem.Val("n", count(u.with.n, "user")), crossprem.Val("users", u.with.list()))
			if u.attacked.n > 0 {
				f = f.Explain("An attack got in as {attacked}.", crossprem.Val("attacked", u.attacked.list()))
			}
			using = append(using, f.WithRemedy(remedyFor(Protocol(p))))
		}
		if u.untold.n > 0 { // the part tells it from those who succeeded
			part := ""
			if u.with.n > 0 {
				part = "unknown outcome"
			}
			using = append(using, legacyUseRule.Unknown(protocol, "").WithPart(part).Explain("The log does not tell how every sign-in of {n} ended: {users}.",
				crossprem.Val("n", count(u.untold.n, "user")), crossprem.Val("users", u.untold.list())))
		}
		if u.without.n > 0 {
			tried = append(tried, legacyAttemptsRule.Failed(protocol).Explain("Sign-ins as {n} failed, and none succeeded: {users}.",
				crossprem.Val("n", count(u.without.n, "user")), crossprem.Val("users", u.without.list())))
		}
	}
	if using == nil {
		using = all(s, legacyUseRule, noneSeen, nil, fieldClient, fieldAgent, unattended)
	}
	if tried == nil {
		tried = all(s, legacyAttemptsRule, noneSeen, nil, fieldClient, fieldAgent, unattended, fieldCode)
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

// signWords say in a sentence what each sign means.
var signWords = [...]string{
	UnknownSign:      "",
	NeverAcceptedYet: "accounts were tried that are never accepted there",
	StrangePlace:     "nobody else is accepted there",
	MachineSpeed:     "it was faster than people type",
	EvenGaps:         "the gaps were even",
	RareClient:       "nobody gets in with the client elsewhere",
	ProgramClient:    "programs tried, not browsers",
	NamesUnknown:     "names that do not exist were among those tried",
	Lockouts:         "smart lockout refused some of it, so the passwords differed",
	BlockedByAddress: "Entra ID knows the address as malicious",
	ManyPlaces:       "it came from many places",
	ClientInCommon:   "the places have the user agent in common",
	NetworkInCommon:  "the places have the network in common",
	SlowAndLong:      "it went on for hours",
}

func (a *Assessor) attacks(s *Summary, _ time.Time) []crossprem.Finding {
	var found, got []crossprem.Finding
	keys := make(map[string]int)
	for _, k := range s.Attacks {
		subject := cmp.Or(k.IP, k.Agent, k.target())
		if subject == "" && k.Network != 0 {
			subject = fmt.Sprintf("AS%d", k.Network)
		}
		subject = cmp.Or(subject, tenant)
		part := k.Kind.String()
		if t := k.target(); t != "" && t != subject {
			part += " on " + t
		}
		if keys[subject+"\x00"+part]++; keys[subject+"\x00"+part] > 1 { // one that came again
			part += " from " + k.Start.UTC().Format(time.RFC3339)
			if keys[subject+"\x00"+part]++; keys[subject+"\x00"+part] > 1 {
				part += fmt.Sprintf(" (%d)", keys[subject+"\x00"+part])
			}
		}
		fell := len(union(k.Compromised, k.PasswordKnownButStopped))
		template := "{kind}, {technique}, confidence {confidence}, from {start} to {end}: {attempts} at {accounts} from {addresses}{country} over {protocol}."
		if k.AtLeast {
			template = strings.Replace(template, "{attempts}", "at least {attempts}", 1)
		}
		country := ""
		if k.Country != "" {
			country = " in " + k.Country
		}
		values := []crossprem.Value{crossprem.Val("kind", k.Kind), crossprem.Val("technique", k.Technique), crossprem.Val("confidence", k.Confidence),
			crossprem.Val("start", k.Start.Format(time.DateTime)), crossprem.Val("end", k.End.Format(time.DateTime)),
			crossprem.Val("attempts", count(k.Attempts, "guess")), crossprem.Val("accounts", count(guessedAt(&k), "account")),
			crossprem.Val("addresses", count(k.Addresses, "address")), crossprem.Val("country", country), crossprem.Val("protocol", k.Protocol)}
		var signs, words []string
		for _, sg := range k.Evidence.Decided {
			if sg != UnknownSign && int(sg) < len(signWords) {
				signs, words = append(signs, sg.String()), append(words, signWords[sg])
			}
		}
		if len(words) > 0 {
			template += " This decided: {because}."
			values = append(values, crossprem.Val("because", strings.Join(words, "; ")), crossprem.Val("decided", signs))
		}
		found = append(found, attackRule.Failed(subject).WithPart(part).Explain(template, values...))
		if fell == 0 {
			continue
		}
		f := attackSuccessRule.Failed(subject).WithPart(part).Explain(template, values...)
		if len(k.Compromised) > 0 {
			f = f.Explain("It got in as {compromised}.", crossprem.Val("compromised", list(k.Compromised)))
		}
		if len(k.PasswordKnownButStopped) > 0 {
			f = f.Explain("It knows the password of {known}, and was stopped by something else.", crossprem.Val("known", list(k.PasswordKnownButStopped)))
		}
		got = append(got, f)
	}
	p := s.evidence.settings.orDefault()
	lookedFor := "No place was found from which {accounts} or more were tried that are never accepted there, no account at which {attempts} or more were made " +
		"within ten minutes from a place that is not its own, and no {distributed} or more tried from {places} or more with a client or a network in common."
	values := []crossprem.Value{crossprem.Val("accounts", count(p.Accounts, "account")), crossprem.Val("attempts", count(p.Attempts, "guess")),
		crossprem.Val("distributed", count(p.DistributedAccounts, "account")), crossprem.Val("places", count(p.DistributedAddresses, "place"))}
	doubt, doubtValues := "", []crossprem.Value(nil)
	switch {
	case s.Evicted > 0:
		doubt = "Attacks may have been missed: {rows} of evidence had to be given up to bound memory."
		doubtValues = []crossprem.Value{crossprem.Val("rows", count(s.Evicted, "row"))}
	case s.Unexplained > 0:
		doubt = "There are guesses at {unexplained} that are too few, or too much like something else, to be called an attack."
		doubtValues = []crossprem.Value{crossprem.Val("unexplained", count(s.Unexplained, "account"))}
	}
	needed := []string{fieldCode, fieldTime, fieldAddress}
	switch {
	case found == nil && doubt == "":
		found = all(s, attackRule, lookedFor, values, needed...)
	case doubt != "":
		found = append(found, attackRule.Unknown(tenant, "").Explain(doubt, doubtValues...))
	}
	switch {
	case got != nil:
	case doubt != "":
		got = append(got, attackSuccessRule.Unknown(tenant, "").Explain("No attack that was found got in. "+doubt, doubtValues...))
	default:
		got = all(s, attackSuccessRule, "Nobody was accepted with the client and at the place of an attack that was found.", nil, needed...)
	}
	found = append(found, notes(s, staleRule, &s.StaleDevices, "{n} at a device or program failed again and again: {accounts}.",
		"No program or device sent wrong passwords ten times or more, or three times or more at its owner's place.", needed...)...)
	found = append(found, notes(s, forgotRule, &s.Forgot, "{n} failed five times or more, or until the account was locked, and no attack was seen: {accounts}.",
		"Nobody failed five times or more at the sign-in page.", needed...)...)
	found = append(found, notes(s, possibleRule, &s.Possible, "{n} at a place of an attack may have been the owner's: {accounts}.",
		"Nobody else was accepted with the client and at the place of an attack that was found.", needed...)...)
	return append(got, found...)
}

// guessedAt is how many accounts the guesses of k were made at; those that
// fell without a wrong guess are not among them.
func guessedAt(k *Attack) int {
	if k.FailedAccounts == 0 {
		return k.DistinctAccounts
	}
	return k.FailedAccounts
}

// notes returns the finding of a rule about one of the lists of a judgement.
func notes(s *Summary, rule crossprem.Rule, n *Notes, template, lookedFor string, fields ...string) []crossprem.Finding {
	if n.Count == 0 {
		return all(s, rule, lookedFor, nil, fields...)
	}
	var names []string
	for _, note := range n.List {
		names = append(names, note.Account)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	text := list(names)
	if more := n.Count - len(n.List); more > 0 {
		text += fmt.Sprintf(", and %d more that are not listed", more)
	}
	return []crossprem.Finding{rule.Failed(tenant).Explain(template, crossprem.Val("n", count(n.Count, "series of sign-ins")), crossprem.Val("accounts", text))}
}

func (a *Assessor) passwords(s *Summary, _ time.Time) []crossprem.Finding {
	users := s.PasswordRightButStopped()
	if len(users) == 0 {
		return all(s, passwordRule, noneSeen, nil, fieldClient, fieldAgent, unattended, fieldCode)
	}
	return []crossprem.Finding{passwordRule.Failed(tenant).Explain(
		"The password of {n} was right, and Conditional Access, a second factor, security defaults or its age stopped the sign-in: {users}.",
		crossprem.Val("n", count(len(users), "user")), crossprem.Val("users", list(users)))}
}

func (a *Assessor) countries(s *Summary, _ time.Time) []crossprem.Finding {
	if len(a.Countries) == 0 {
		return []crossprem.Finding{countryRule.Unknown(tenant, "It was not said in which countries people work.")}
	}
	expected := func(country string) bool {
		return slices.ContainsFunc(a.Countries, func(c string) bool { return strings.EqualFold(strings.TrimSpace(c), country) })
	}
	usersIn := make(map[string]*someNames)
	for _, c := range s.Countries {
		if !expected(c.Name) && c.Name != "" {
			usersIn[c.Name] = new(someNames)
		}
	}
	for name, u := range s.people().each() {
		for _, c := range u.Countries {
			if users := usersIn[c.Name]; users != nil {
				users.add(name)
			}
		}
	}
	var found []crossprem.Finding
	for _, c := range s.Countries {
		if expected(c.Name) || c.Name == "" {
			continue
		}
		tried := usersIn[c.Name]
		f := countryRule.Failed(c.Name).Explain("{records} came from there, of which {successes} succeeded, as {n}: {users}.",
			crossprem.Val("records", count(c.Records, "legacy sign-in")), crossprem.Val("successes", c.Successes),
			crossprem.Val("n", count(tried.n, "user")), crossprem.Val("users", tried.list()))
		if c.Successes == 0 {
			f = f.AtMost(crossprem.Warning)
		} else {
			f = f.WithRemedy(f.Remedy + " Find out whether those who succeeded were there; if not, reset their passwords and revoke their sessions.")
		}
		found = append(found, f)
	}
	if found != nil {
		return found
	}
	if s.ByClass[Legacy] > 0 && (s.NotKnowable["location"] > 0 || len(s.Countries) == 0) {
		return []crossprem.Finding{countryRule.Unknown(tenant, "The logs do not tell the country of every legacy sign-in. "+
			"Those of non-interactive ones are not counted: they are of where a token came from.")}
	}
	return all(s, countryRule, "Every legacy sign-in with a known country came from {countries}.",
		[]crossprem.Value{crossprem.Val("countries", a.Countries)}, fieldClient, fieldAgent)
}

func (a *Assessor) retirements(s *Summary, at time.Time) []crossprem.Finding {
	var found []crossprem.Finding
	for _, r := range a.Tables.retired(s, at, false) {
		template := "{what}: {effect} It hits {n}: {users}."
		switch {
		case !r.Certain:
			template = "{what}: {effect} It may hit {n}: {users}."
		case r.Past:
			template = "{what}: {effect} The day has passed, and {n} had succeeded: {users}."
		}
		f := retirementRule.Failed(r.ID).Explain(template, crossprem.Val("what", r.Title), crossprem.Val("effect", r.Effect),
			crossprem.Val("n", count(r.users.n, "user")), crossprem.Val("users", r.users.list()))
		if r.Past && r.since.n > 0 {
			f = f.Explain("Signed in after that day: {since}.", crossprem.Val("since", r.since.list()))
		}
		f = f.DueOn(r.Date, at).WithRemedy(r.Remedy)
		if !r.Certain { // it depends on what the log does not tell
			f = f.AtMost(crossprem.Warning)
		}
		f.Sources = slices.Clone(r.Sources)
		found = append(found, f)
	}
	if found == nil {
		found = all(s, retirementRule, "Nobody in the log uses what was announced by {asOf} to be switched off, as far as a sign-in log shows.",
			[]crossprem.Value{crossprem.Val("asOf", a.Tables.orEmbedded().asOf[retirementsFile])}, fieldClient, fieldAgent, unattended, fieldCode)
	}
	return found
}

// grants judges the two OAuth flows that attackers like.
func (a *Assessor) grants(s *Summary, _ time.Time) []crossprem.Finding {
	var found []crossprem.Finding
	for _, g := range []struct {
		rule crossprem.Rule
		n    int64
		use  func(*User) Use
	}{
		{ropcRule, s.ROPC, func(u *User) Use { return u.ROPC }},
		{deviceCodeRule, s.DeviceCode, func(u *User) Use { return u.DeviceCode }},
	} {
		if g.n == 0 {
			found = append(found, all(s, g.rule, "No such sign-in is in the log.", nil, "authenticationProtocol")...)
			continue
		}
		var with, without someNames
		for name, u := range s.people().each() {
			switch use := g.use(u); {
			case use.Successes > 0:
				with.add(name)
			case use.Records > 0:
				without.add(name)
			}
		}
		f := g.rule.Failed(tenant).Explain("It was used in {n}. It succeeded for {succeeded}, and was only tried for {tried}.",
			crossprem.Val("n", count(g.n, "sign-in")), crossprem.Val("succeeded", with.list()), crossprem.Val("tried", without.list()))
		if with.n == 0 {
			f = f.AtMost(crossprem.Info)
		}
		found = append(found, f)
	}
	return found
}

// evidence judges the log itself.
func (a *Assessor) evidence(s *Summary, _ time.Time) []crossprem.Finding {
	f := evidenceRule.Failed(tenant)
	if s.Malformed > 0 {
		f = f.Explain("{unreadable} could not be read, such as: {errors}.", crossprem.Val("unreadable", count(s.Malformed, "record")),
			crossprem.Val("errors", strings.Join(s.Errors[:min(len(s.Errors), 3)], "; ")))
	}
	for _, n := range needed {
		if records := s.NotKnowable[n.name]; records > 0 {
			f = f.Explain("{"+n.name+"} cannot tell "+n.name+".", crossprem.Val(n.name, count(records, "record")))
		}
	}
	found := []crossprem.Finding{f}
	if f.Detail == "" {
		found = all(s, evidenceRule, "Every record could be read, and carried what judging needs.", nil)
	}
	if len(s.Unlisted) == 0 {
		return append(found, all(s, unlistedRule, "Every client app is in a published list.", nil)...)
	}
	for _, t := range s.Unlisted {
		found = append(found, unlistedRule.Unknown(cmp.Or(t.Name, "(empty)"), "").Explain(
			"{n} came with it, of which {successes} succeeded. Whether it is legacy is not known as of {asOf}.",
			crossprem.Val("n", count(t.Records, "sign-in")), crossprem.Val("successes", t.Successes), crossprem.Val("asOf", a.Tables.orEmbedded().asOf[clientAppsFile])))
	}
	return found
}

// count says how many there are of something.
func count[N int | int64](n N, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasPrefix(what, "series"):
		return fmt.Sprintf("%d %s", n, what)
	case strings.HasSuffix(what, "s"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// mostListed is how many names a finding lists.
const mostListed = 20

// list names up to 20 of names.
func list(names []string) string {
	return someNames{len(names), names[:min(len(names), mostListed)]}.list()
}

// someNames count names, and hold the first 20 of them in lexical order.
type someNames struct {
	n     int
	first []string
}

func (s *someNames) add(name string) {
	s.n++
	if len(s.first) == mostListed && name > s.first[mostListed-1] {
		return
	}
	i, _ := slices.BinarySearch(s.first, name)
	s.first = slices.Insert(s.first, i, name)
	s.first = s.first[:min(len(s.first), mostListed)]
}

func (s someNames) list() string {
	if s.n == 0 {
		return "nobody"
	}
	text := strings.Join(s.first, ", ")
	if more := s.n - len(s.first); more > 0 {
		return fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}
