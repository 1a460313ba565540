package authpolicy

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
)

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func read(t *testing.T, fsys fs.FS) *Policies {
	t.Helper()
	p, err := Read(fsys, HostingUnknown)
	require.NoError(t, err)
	return p
}

func testdata(t *testing.T, name string) string {
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(b)
}

// A switch that was cut away is unknown; and from 2023 on the service decides,
// whatever the switch says.
func TestAPolicyThatWasCutByHand(t *testing.T) {
	p := read(t, files("policy.txt", testdata(t, "partial-policy.txt")))
	d := p.Effective("bob@contoso.test", IMAP, day("2023-01-01"))
	assert.Equal(t, Blocked, d.Basic.Verdict)
	assert.Equal(t, "service", d.Basic.Decider)
	require.Len(t, p.cloud.policies, 1)
	policy := p.cloud.policies[0].Policy
	assert.Equal(t, True, policy.get("AllowBasicAuthImap"))
	assert.Equal(t, False, policy.get("AllowBasicAuthPop"))
	assert.Equal(t, SwitchUnknown, policy.get("AllowBasicAuthSmtp"))
	assert.Equal(t, VerdictUnknown, p.Effective("bob@contoso.test", IMAP, day("2020-01-01")).Basic.Verdict, "whose policy it is, is not known")
}

// One property name for two objects, told apart by the command above each.
func TestTwoCommandsInOneFile(t *testing.T) {
	for name, text := range map[string]string{
		"as typed":     testdata(t, "two-commands.txt"),
		"with prompts": strings.ReplaceAll(testdata(t, "two-commands.txt"), "Get-", `PS C:\> Get-`),
		"quoted":       "> " + strings.ReplaceAll(testdata(t, "two-commands.txt"), "\n", "\n> "),
		"small letters": strings.ReplaceAll(strings.ReplaceAll(testdata(t, "two-commands.txt"), "Get-TransportConfig", "get-transportconfig"), "Get-CASMailbox",
			"get-casmailbox"),
	} {
		p := read(t, files("smtp.txt", text, "users.txt", "Get-User scanner@contoso.test | fl\n\nUserPrincipalName : scanner@contoso.test\nAuthenticationPolicy :\nRecipientTypeDetails : UserMailbox\n",
			"org.txt", "Get-OrganizationConfig | fl DefaultAuthenticationPolicy\n\nDefaultAuthenticationPolicy :\n",
			"defaults.json", `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#policies/identitySecurityDefaultsEnforcementPolicy/$entity","isEnabled":false,"displayName":"Security Defaults"}`,
			"ca.json", `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#conditionalAccess/policies","value":[]}`))
		d := p.Effective("Scanner@contoso.test", SMTP, day("2026-11-26"))
		assert.Equal(t, Allowed, d.Basic.Verdict, "%s: %+v %v", name, d.Basic, p.NotUnderstood)
		other := p.Effective("other@contoso.test", SMTP, day("2026-11-26"))
		assert.NotEqual(t, Allowed, other.Basic.Verdict, "%s: the mailbox's value is that mailbox's", name)
	}
}

const (
	cloudPolicies = "Get-AuthenticationPolicy | fl\n\nName                               : Block Basic\nAllowBasicAuthActiveSync           : False\nAllowBasicAuthAutodiscover         : False\nAllowBasicAuthImap                 : False\nAllowBasicAuthMapi                 : False\nAllowBasicAuthOfflineAddressBook   : False\nAllowBasicAuthOutlookService       : False\nAllowBasicAuthPop                  : False\nAllowBasicAuthPowershell           : False\nAllowBasicAuthReportingWebServices : False\nAllowBasicAuthRpc                  : False\nAllowBasicAuthSmtp                 : False\nAllowBasicAuthWebServices          : False\nDistinguishedName                  : CN=Block Basic,CN=Auth Policies,CN=Configuration,CN=contoso.onmicrosoft.com,DC=EUR,DC=PROD\n"
	cloudUser     = "Get-User bob | fl\n\nUserPrincipalName    : bob@contoso.test\nRecipientTypeDetails : UserMailbox\nAuthenticationPolicy : CN=Block Basic,CN=Auth Policies,CN=Configuration,CN=contoso.onmicrosoft.com,DC=EUR,DC=PROD\n"
	hereVdirs     = "Get-WebServicesVirtualDirectory | fl\n\nName                  : EWS (Default Web Site)\nBasicAuthentication   : False\nWindowsAuthentication : True\nOAuthAuthentication   : True\n"
	hereServer    = "Get-ExchangeServer | fl\n\nName                : EX1\nServerRole          : Mailbox\nAdminDisplayVersion : Version 15.2 (Build 2562.17)\n"
	hereAuth      = "Get-AuthServer | fl\n\nName                           : EvoSts\nType                           : AzureAD\nEnabled                        : True\nIsDefaultAuthorizationEndpoint : True\n"
	hereOrg       = "Get-OrganizationConfig | fl\n\nOAuth2ClientProfileEnabled  : True\nEwsEnabled                  :\nDefaultAuthenticationPolicy :\n"
	hereBox       = "Get-CASMailbox ann | fl\n\nName              : ann\nPrimarySmtpAddress : ann@contoso.test\nEwsEnabled        :\nActiveSyncEnabled : True\nImapEnabled       : True\n"
	hereUser      = "Get-User ann | fl\n\nName : ann\nUserPrincipalName    : ann@contoso.test\nRecipientTypeDetails : UserMailbox\nAuthenticationPolicy : Modern only\n"
	herePolicy    = "Get-AuthenticationPolicy | fl\n\nName : Modern only\nBlockLegacyAuthActiveSync : False\nBlockLegacyAuthWebServices : True\nBlockModernAuthWebServices : False\n"
)

func TestBothSides(t *testing.T) {
	p := read(t, files("cloud/policies.txt", cloudPolicies, "cloud/users.txt", cloudUser, "onprem/vdirs.txt", hereVdirs, "onprem/server.txt", hereServer,
		"onprem/auth.txt", hereAuth, "onprem/Get-OrganizationConfig.txt", hereOrg, "onprem/box.txt", hereBox, "onprem/user.txt", hereUser, "onprem/policy.txt", herePolicy))
	require.Empty(t, p.NotUnderstood)

	bob := p.Effective("bob@contoso.test", IMAP, day("2020-10-01"))
	assert.Equal(t, []any{Blocked, "policy of the user", 24 * 60}, []any{bob.Basic.Verdict, bob.Basic.Decider, bob.Basic.WithinMinutes})
	assert.Contains(t, bob.Basic.Change, "Set-User -Identity bob@contoso.test -STSRefreshTokensValidFrom")

	ann := p.Effective("ann", EWS, day("2026-11-26"))
	assert.Equal(t, []Verdict{NotOffered, Allowed, Blocked}, []Verdict{ann.Basic.Verdict, ann.Modern.Verdict, ann.Windows.Verdict}, "%+v", ann)
	assert.Equal(t, "policy of the user", ann.Windows.Decider)
	assert.Equal(t, VerdictUnknown, p.Effective("nobody@contoso.test", EWS, day("2026-11-26")).Basic.Verdict)
	assert.Equal(t, HostingUnknown, p.Facts("nobody@contoso.test", EWS).Hosting)
}

// Every export of the folder taken away, one by one: an answer becomes
// unknown, or stays what it was; it never turns.
func TestWhatIsMissingNeverTurnsAnAnswer(t *testing.T) {
	whole := files("cloud/policies.txt", cloudPolicies, "cloud/users.txt", cloudUser, "onprem/vdirs.txt", hereVdirs, "onprem/server.txt", hereServer,
		"onprem/auth.txt", hereAuth, "onprem/Get-OrganizationConfig.txt", hereOrg, "onprem/box.txt", hereBox, "onprem/user.txt", hereUser, "onprem/policy.txt", herePolicy)
	all := read(t, whole)
	compared := 0
	for gone := range whole {
		less := fstest.MapFS{}
		for name, file := range whole {
			if name != gone {
				less[name] = file
			}
		}
		p := read(t, less)
		for _, user := range []string{"bob@contoso.test", "ann@contoso.test"} {
			for _, protocol := range Protocols() {
				for _, at := range []string{"2020-10-01", "2026-11-26"} {
					a, b := all.Effective(user, protocol, day(at)), p.Effective(user, protocol, day(at))
					for i, pair := range [][2]Verdict{{a.Basic.Verdict, b.Basic.Verdict}, {a.Modern.Verdict, b.Modern.Verdict}, {a.Windows.Verdict, b.Windows.Verdict}} {
						if pair[1] != VerdictUnknown && pair[0] != VerdictUnknown {
							shut := func(v Verdict) bool { return v == Blocked || v == NotOffered }
							assert.Equal(t, shut(pair[0]), shut(pair[1]), "without %s: %s, %v, method %d", gone, user, protocol, i)
						}
						compared++
					}
				}
			}
		}
	}
	t.Logf("%d decisions compared", compared)
}

func TestConditionalAccess(t *testing.T) {
	policy := func(changes ...string) string {
		text := `{"value":[{"displayName":"Block legacy","state":"enabled","conditions":{"clientAppTypes":["exchangeActiveSync","other"],"users":{"includeUsers":["All"],"excludeUsers":[]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}]}`
		for i := 0; i < len(changes); i += 2 {
			text = strings.Replace(text, changes[i], changes[i+1], 1)
		}
		return text
	}
	for name, test := range map[string]struct {
		text string
		want crossprem.Answer
	}{
		"blocks":              {policy(), crossprem.Yes},
		"report only":         {policy(`"enabled"`, `"enabledForReportingButNotEnforced"`), crossprem.No},
		"disabled":            {policy(`"enabled"`, `"disabled"`), crossprem.No},
		"second factor":       {policy(`"block"`, `"mfa"`), crossprem.Yes},
		"other client types":  {policy(`["exchangeActiveSync","other"]`, `["browser"]`), crossprem.No},
		"all client types":    {policy(`["exchangeActiveSync","other"]`, `["all"]`), crossprem.Yes},
		"no client types":     {policy(`"clientAppTypes":["exchangeActiveSync","other"],`, ``), crossprem.AnswerUnknown},
		"another application": {policy(`"includeApplications":["All"]`, `"includeApplications":["00000003-0000-0000-c000-000000000000"]`), crossprem.No},
		"Exchange Online":     {policy(`"includeApplications":["All"]`, `"includeApplications":["00000002-0000-0ff1-ce00-000000000000"]`), crossprem.Yes},
		"Exchange excluded":   {policy(`"includeApplications":["All"]`, `"includeApplications":["All"],"excludeApplications":["00000002-0000-0ff1-ce00-000000000000"]`), crossprem.No},
		"somebody excluded":   {policy(`"excludeUsers":[]`, `"excludeUsers":["1b3c"]`), crossprem.AnswerUnknown},
		"a group":             {policy(`"includeUsers":["All"]`, `"includeUsers":[],"includeGroups":["77"]`), crossprem.AnswerUnknown},
		"others by id":        {policy(`"includeUsers":["All"]`, `"includeUsers":["77"]`), crossprem.AnswerUnknown},
		"nobody":              {policy(`"includeUsers":["All"]`, `"includeUsers":["None"]`), crossprem.No},
		"locations":           {policy(`"clientAppTypes"`, `"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]},"clientAppTypes"`), crossprem.AnswerUnknown},
		"session only":        {policy(`"builtInControls":["block"]`, `"builtInControls":[]`), crossprem.No},
		"in PowerShell's JSON": {strings.NewReplacer(`"displayName"`, `"DisplayName"`, `"state"`, `"State"`, `"conditions"`, `"Conditions"`, `"clientAppTypes"`, `"ClientAppTypes"`, `"users"`, `"Users"`, `"includeUsers"`, `"IncludeUsers"`,
			`"applications"`, `"Applications"`, `"includeApplications"`, `"IncludeApplications"`, `"grantControls"`, `"GrantControls"`, `"builtInControls"`, `"BuiltInControls"`).Replace(policy()), crossprem.Yes},
		"none at all": {`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#identity/conditionalAccess/policies","value":[]}`, crossprem.No},
	} {
		p := read(t, files("ca.json", test.text))
		assert.Equal(t, test.want, p.Facts("bob@contoso.test", IMAP).ConditionalAccessBlocks, name)
	}
	nothing := read(t, files("cloud/users.txt", cloudUser))
	assert.Equal(t, crossprem.AnswerUnknown, nothing.Facts("bob@contoso.test", IMAP).ConditionalAccessBlocks)
}

func TestWhatWasNotUnderstoodIsListed(t *testing.T) {
	p := read(t, files("notes.txt", "Good morning.\n", "empty.txt", " \n", "side.txt", hereOrg, "odd.txt", "Get-Process | fl\n\nName : x\nId : 1\n", "a/cloud/users.txt", cloudUser, "b/onprem/v.txt", hereVdirs))
	var names []string
	for _, n := range p.NotUnderstood {
		names = append(names, n.File)
		assert.NotContains(t, n.Why, "\n")
	}
	assert.Equal(t, []string{"empty.txt", "notes.txt", "odd.txt", "side.txt"}, names, "%v", p.NotUnderstood)
	_, err := Read(fstest.MapFS{}, HostingUnknown)
	assert.Error(t, err)
	_, err = Read(os.DirFS("testdata/nowhere"), HostingUnknown)
	assert.True(t, errors.Is(err, fs.ErrNotExist))
	assert.Equal(t, VerdictUnknown, (*Policies)(nil).Effective("a", IMAP, day("2026-11-26")).Basic.Verdict)
}

func TestServers(t *testing.T) {
	for text, want := range map[string]Server{
		"Version 15.2 (Build 2562.17)": ExchangeSE, "Version 15.2 (Build 1258.12)": Exchange2019CU13, "Version 15.2 (Build 1118.40)": Exchange2019CU2,
		"15.02.0397.003": Exchange2019CU2, "Version 15.2 (Build 330.5)": Exchange2019, "Version 15.1 (Build 2507.6)": Exchange2016, "Version 15.0 (Build 1497.2)": Exchange2013,
		"Version 14.3 (Build 123.4)": Exchange2010, "": ServerUnknown, "new": ServerUnknown,
	} {
		assert.Equal(t, want, serverOf(text), text)
	}
}

func TestPlanBlock(t *testing.T) {
	at := day("2026-11-26")
	users := []Usage{
		{User: "bob@contoso.test"}, {User: "ann@contoso.test", LegacySuccesses: 5, LastLegacy: at.AddDate(0, 0, -3), Protocols: []string{"imap"}},
		{User: "old@contoso.test", LegacySuccesses: 5, LastLegacy: at.AddDate(0, 0, -90)}, {User: "", LegacySuccesses: 1},
		{User: "odd@contoso.test", LegacySuccesses: 1}, {User: "ANN@contoso.test", LegacySuccesses: 1, Protocols: []string{"pop", "imap"}}, {User: "o'hara@contoso.test"},
	}
	r := PlanBlock(users, at)
	var in []string
	for _, s := range r.Stages {
		in = append(in, s.Users...)
		assert.NotEmpty(t, s.Commands)
		assert.Len(t, s.Back, len(s.Commands))
	}
	assert.Equal(t, []string{"bob@contoso.test", "o'hara@contoso.test", "old@contoso.test"}, in)
	require.Len(t, r.LeftOut, 2)
	assert.Equal(t, "ann@contoso.test", r.LeftOut[0].User)
	assert.Equal(t, []string{"imap", "pop"}, r.LeftOut[0].Protocols)
	script := r.Script()
	assert.Contains(t, script, "New-AuthenticationPolicy -Name 'Block Basic Authentication'")
	assert.Contains(t, script, "Set-User -Identity 'o''hara@contoso.test' -AuthenticationPolicy 'Block Basic Authentication' -STSRefreshTokensValidFrom")
	assert.Contains(t, script, "Set-User -Identity bob@contoso.test -AuthenticationPolicy $null")
	assert.NotContains(t, script, "DefaultAuthenticationPolicy", "somebody was left out")
	assert.Contains(t, PlanBlock(users[:1], at).Script(), "Set-OrganizationConfig -DefaultAuthenticationPolicy")
	for _, line := range strings.Split(PlanBlock([]Usage{{User: "x\nRemove-Mailbox y"}, {User: "z\u2019; Remove-Mailbox y"}}, at).Script(), "\n") {
		assert.False(t, strings.HasPrefix(line, "Remove-Mailbox"), line)
	}
	assert.NotEmpty(t, PlanBlock(nil, time.Time{}).Script())
	many := make([]Usage, 1234)
	for i := range many {
		many[i].User = "user" + strings.Repeat("x", i+1)
	}
	sizes := []int{}
	for _, s := range (&Planner{Pilot: 20, Stage: 600}).PlanBlock(many, at).Stages {
		sizes = append(sizes, len(s.Users))
	}
	assert.Equal(t, []int{0, 20, 600, 600, 14, 0}, sizes)
	b, err := json.Marshal(r)
	require.NoError(t, err)
	var back Rollout
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, r.Stages, back.Stages)
}

func TestFindings(t *testing.T) {
	findingtest.CheckRules(t, Rules())
	var decisions []Decision
	for _, v := range vectors(t) {
		q, err := ParseQuestion(v.Input)
		require.NoError(t, err)
		q.Facts.User = v.Name
		d := q.Facts.Decide(q.Protocol, q.At)
		decisions = append(decisions, d)
		for _, value := range []any{d, &d} {
			b, err := json.Marshal(value)
			require.NoError(t, err)
			var back Decision
			require.NoError(t, json.Unmarshal(b, &back))
			assert.Equal(t, d, back)
		}
		b, err := json.Marshal(q.Facts)
		require.NoError(t, err)
		var facts Facts
		require.NoError(t, json.Unmarshal(b, &facts))
		assert.Equal(t, d, facts.Decide(q.Protocol, q.At), "facts through JSON decide alike")
	}
	for _, p := range append(Protocols(), 0, 99) {
		for _, h := range []Hosting{0, 1, 2, 99} {
			decisions = append(decisions, Facts{Hosting: h, User: h.String() + p.String()}.Decide(p, day("2026-11-26")))
		}
	}
	findings := Assess(decisions)
	findingtest.Check(t, "vectors", Rules(), findings)
	assert.True(t, slices.IsSortedFunc(findings, crossprem.WorstFirst))
	findingtest.Check(t, "nothing", Rules(), Assess(nil))
	findingtest.Check(t, "zero", Rules(), Assess([]Decision{{}}))
}

func TestMilestones(t *testing.T) {
	all := Milestones()
	require.Len(t, all, 13)
	assert.True(t, slices.IsSortedFunc(all, func(a, b Milestone) int { return a.Day.Compare(b.Day) }))
	var raw struct{ AsOf string }
	require.NoError(t, json.Unmarshal(modelJSON, &raw))
	assert.Equal(t, AsOf, raw.AsOf)
	for _, m := range all {
		assert.NotEmpty(t, m.Sources, m.ID)
	}
	// The two that change no sign-in are told beside the verdict.
	f := Facts{Hosting: ExchangeOnline}
	assert.Contains(t, strings.Join(f.Decide(IMAP, day("2026-11-26")).Notes, "\n"), "TLS 1.0 and 1.1")
	assert.Contains(t, strings.Join(f.Decide(PowerShell, day("2026-11-26")).Notes, "\n"), "-Credential")
}

func TestParseQuestionRefuses(t *testing.T) {
	for _, bad := range []string{"", "{", "[]", `{"hosting":"moon"}`, `{"protocol":"telnet"}`, `{"date":"soon"}`, `{"org":{"EwsEnabled":"maybe"}}`, `{"vdir":{"Digest":true}}`, `{"x":1}`, `{} {}`,
		`{"easVersion":"new"}`, strings.Repeat(" ", maxQuestion+1)} {
		_, err := ParseQuestion([]byte(bad))
		require.Error(t, err, "%.40q", bad)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func FuzzParseQuestion(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Input))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := ParseQuestion(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatal("more than one line")
			}
			return
		}
		d := q.Facts.Decide(q.Protocol, q.At)
		for _, m := range []Method{d.Basic, d.Modern, d.Windows} {
			if (m.Verdict == Allowed) != (m.Reason == "") {
				t.Fatalf("a verdict without its reason: %+v", m)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{cloudPolicies, cloudUser, hereVdirs, hereBox, `{"value":[{"state":"enabled","conditions":{"users":{"includeUsers":["All"]}}}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(fstest.MapFS{"a.txt": &fstest.MapFile{Data: text}}, ExchangeOnline)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range p.NotUnderstood {
			if strings.Contains(n.Why, "\n") {
				t.Fatal("more than one line")
			}
		}
		for _, protocol := range Protocols() {
			p.Effective("bob@contoso.test", protocol, day("2026-11-26"))
		}
	})
}
