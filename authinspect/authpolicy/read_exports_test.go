package authpolicy

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

// The default among the authorization servers counts, wherever it stands and
// however its type was written.
func TestAuthServers(t *testing.T) {
	const head = `[{"Name":"ACS","Type":1,"Enabled":true,"IsDefaultAuthorizationEndpoint":false},`
	for text, want := range map[string]AuthServer{
		head + `{"Name":"EvoSts","Type":4,"Enabled":true,"IsDefaultAuthorizationEndpoint":true},{"Name":"adfs","Type":5,"Enabled":true,"IsDefaultAuthorizationEndpoint":false}]`: Entra,
		head + `{"Name":"adfs","Type":"ADFS","Enabled":true,"IsDefaultAuthorizationEndpoint":true}]`:                                                                             ADFS,
		head + `{"Name":"new","Type":99,"Enabled":true,"IsDefaultAuthorizationEndpoint":true},{"Name":"b","Type":5,"Enabled":true,"IsDefaultAuthorizationEndpoint":false}]`:      AuthServerUnknown,
		head + `{"Name":"a","Type":4,"Enabled":true,"IsDefaultAuthorizationEndpoint":true},{"Name":"b","Type":5,"Enabled":true,"IsDefaultAuthorizationEndpoint":true}]`:          AuthServerUnknown,
		head + `{"Name":"a","Type":4,"Enabled":false,"IsDefaultAuthorizationEndpoint":true}]`:                                                                                    NoAuthServer,
	} {
		p := read(t, files("onprem/Get-AuthServer.json", text))
		assert.Equal(t, want, p.Facts("ann", EWS).AuthServer, text)
	}
	// A partner application has metadata too, and is none.
	p := read(t, files("onprem/a.json", `{"Name":"Exchange Online","AuthMetadataUrl":"https://a.test","Enabled":true}`))
	assert.NotEmpty(t, p.NotUnderstood)
}

// JSON holds identities and versions as objects.
func TestObjectsInJSON(t *testing.T) {
	const dn = `"DistinguishedName":"CN=No Basic,CN=Auth Policies,CN=Configuration,DC=contoso,DC=test","OriginatingServer":"dc1.contoso.test"`
	p := read(t, files("all.json", `{
		"Get-ExchangeServer":[{"Name":"EX1","ServerRole":"Mailbox","AdminDisplayVersion":{"Major":15,"Minor":2,"Build":2562,"Revision":17}},{"Name":"EDGE","ServerRole":"Edge","AdminDisplayVersion":{"Major":15,"Minor":1,"Build":1,"Revision":1}}],
		"Get-User":[{"UserPrincipalName":"ann@contoso.test","RecipientTypeDetails":"UserMailbox","AuthenticationPolicy":{`+dn+`,"Name":"No Basic"},`+strings.Replace(dn, "No Basic", "ann", 1)+`}],
		"Get-AuthenticationPolicy":[{"Name":"No Basic","Identity":{`+dn+`},"BlockLegacyAuthWebServices":true,`+dn+`}]}`))
	require.Empty(t, p.NotUnderstood)
	f := p.Facts("ann@contoso.test", EWS)
	assert.Equal(t, []any{OnPremises, ExchangeSE}, []any{f.Hosting, f.Server})
	require.NotNil(t, f.UserPolicy.Policy)
	assert.Equal(t, True, f.UserPolicy.Policy.get("BlockLegacyAuthWebServices"))
}

// One command, typed and printed in many ways.
func TestCommandsAsTyped(t *testing.T) {
	const out = "\n\nIdentity : Bob\nPrimarySmtpAddress : bob@contoso.test\nImapEnabled                       : False\nSmtpClientAuthenticationDisabled :\n\n"
	for _, typed := range []string{
		"Get-CASMailbox bob | fl", "[PS] C:\\>Get-CASMailbox -Identity bob|fl", "PS C:\\Users\\admin> get-casmailbox 'bob' | Format-List", "Get-Mailbox -ResultSize Unlimited | Get-CASMailbox | fl",
		"PS /home/a> Get-EXOCASMailbox -Identity bob -Properties ImapEnabled", "> PS> Get-CASMailbox bob | fl *enabled*,smtp*", "$x = Get-CASMailbox bob; $x | fl", "Get-User bob | where { $_.Name } | Get-CASMailbox | fl",
	} {
		p := read(t, files("cloud/a.txt", typed+out))
		f := p.Facts("bob@contoso.test", IMAP)
		assert.Equal(t, []any{ExchangeOnline, False}, []any{f.Hosting, f.MailboxSwitches["ImapEnabled"]}, "%s: %v", typed, p.NotUnderstood)
	}
	plan := read(t, files("cloud/a.txt", "Get-CASMailboxPlan | fl\n\nName : bob\nImapEnabled : False\n"))
	assert.Equal(t, SwitchUnknown, plan.Facts("bob", IMAP).MailboxSwitches["ImapEnabled"], "a plan is nobody's mailbox")
}

// A person, a policy or a setting that was printed twice: what both say counts
// together, and what they do not agree on is not known.
func TestPrintedTwice(t *testing.T) {
	const user = "Get-User bob | fl\n\nUserPrincipalName    : bob@contoso.test\nRecipientTypeDetails : UserMailbox\nAuthenticationPolicy : %\n\n"
	const box = "Get-Mailbox bob | fl\n\nUserPrincipalName    : bob@contoso.test\nAlias                : bob\nRecipientTypeDetails : UserMailbox\n\n"
	with := func(policy string) string { return strings.Replace(user, "%", policy, 1) }
	p := read(t, files("cloud/a.txt", cloudPolicies, "cloud/u.txt", with("Block Basic")+box))
	f := p.Facts("bob@contoso.test", IMAP)
	assert.Equal(t, []any{crossprem.Yes, "Block Basic"}, []any{f.UserPolicy.Assigned, f.UserPolicy.Name})
	p = read(t, files("cloud/a.txt", cloudPolicies, "cloud/u.txt", with("Block Basic"), "cloud/v.txt", with(""), "cloud/w.txt", with("Block Basic")))
	assert.Equal(t, crossprem.AnswerUnknown, p.Facts("bob@contoso.test", IMAP).UserPolicy.Assigned)
	two := "Get-User x | fl\n\nUserPrincipalName : a@contoso.test\nDisplayName : Bob\n\nUserPrincipalName : b@contoso.test\nDisplayName : Bob\n"
	p = read(t, files("cloud/u.txt", two))
	assert.Equal(t, "", p.cloud.knows("Bob"), "two persons have the name")

	later := strings.Replace(cloudPolicies, "AllowBasicAuthImap                 : False", "AllowBasicAuthImap                 : True", 1)
	p = read(t, files("cloud/a.txt", cloudPolicies, "cloud/b.txt", later, "cloud/u.txt", with("Block Basic")))
	policy := p.Facts("bob@contoso.test", IMAP).UserPolicy.Policy
	require.NotNil(t, policy)
	assert.Equal(t, []Switch{SwitchUnknown, False}, []Switch{policy.get("AllowBasicAuthImap"), policy.get("AllowBasicAuthPop")})
	transport := "Get-TransportConfig | fl\n\nSmtpClientAuthenticationDisabled : "
	p = read(t, files("cloud/a.txt", transport+"True\n", "cloud/b.txt", transport+"False\n"))
	assert.Equal(t, SwitchUnknown, p.Facts("bob", SMTP).OrgSwitches["SmtpClientAuthenticationDisabled"])
}

// A table names a mailbox by its name alone; the user's export says whose it is.
// What is displayed links nobody.
func TestMailboxesByTheirNames(t *testing.T) {
	const table = "Hello,\n\nPS C:\\> Get-CASMailbox\n\nName ActiveSyncEnabled PopEnabled ImapEnabled SmtpClientAuthenticationDisabled\n---- ----------------- ---------- ----------- --------------------------------\nann  True              True       False\nbob  True              True       True        True\n\n"
	const users = "PS C:\\> Get-User | fl\n\nName                 : ann\nDisplayName          : bob\nUserPrincipalName    : ann@contoso.test\nRecipientTypeDetails : UserMailbox\nAuthenticationPolicy :\n"
	p := read(t, files("cloud/all.txt", table+users))
	assert.Empty(t, p.NotUnderstood)
	f := p.Facts("ann@contoso.test", IMAP)
	assert.Equal(t, []any{False, crossprem.No}, []any{f.MailboxSwitches["ImapEnabled"], f.UserPolicy.Assigned})
	two := read(t, files("cloud/all.txt", table+strings.Replace(table, "bob ", "ann ", 1)+users))
	assert.NotEqual(t, False, two.Facts("ann@contoso.test", IMAP).MailboxSwitches["ImapEnabled"], "two mailboxes have the name")
}

func TestVirtualDirectories(t *testing.T) {
	const eas = "[PS] C:\\>Get-ActiveSyncVirtualDirectory | fl\n\nIdentity                      : EX1\\Microsoft-Server-ActiveSync (Default Web Site)\nBasicAuthEnabled              : True\nWindowsAuthEnabled            : False\nInternalAuthenticationMethods : {}\n\n"
	const ews = "[PS] C:\\>Get-WebServicesVirtualDirectory -ShowMailboxVirtualDirectories | fl\n\nIdentity              : EX1\\EWS (Default Web Site)\nBasicAuthentication   : False\nWindowsAuthentication : True\nOAuthAuthentication   : True\n\nIdentity              : EX1\\EWS (Exchange Back End)\nBasicAuthentication   : True\nWindowsAuthentication : True\nOAuthAuthentication   : True\n\n"
	const rpc = "[PS] C:\\>Get-OutlookAnywhere | fl\n\nIdentity                 : EX1\\Rpc (Default Web Site)\nIISAuthenticationMethods : {Basic, Ntlm, Negotiate}\n"
	p := read(t, files("a.txt", eas+ews+rpc))
	require.Empty(t, p.NotUnderstood)
	for protocol, want := range map[Protocol][]crossprem.Answer{
		ActiveSync: {crossprem.Yes, crossprem.No, crossprem.AnswerUnknown},
		EWS:        {crossprem.No, crossprem.Yes, crossprem.Yes},
		RPC:        {crossprem.Yes, crossprem.Yes, crossprem.No},
	} {
		f := p.Facts("ann", protocol)
		assert.Equal(t, want, []crossprem.Answer{f.OffersBasic, f.OffersWindows, f.OffersOAuth}, protocol)
	}
}

func TestSideByTheDirectory(t *testing.T) {
	for text, want := range map[string]Hosting{
		"DistinguishedName : CN=a,OU=contoso.onmicrosoft.com,OU=Microsoft Exchange Hosted Organizations,DC=EURPR01A001,DC=PROD,DC=OUTLOOK,DC=COM\nOriginatingServer : DB1PR01A01DC001.EURPR01A001.PROD.OUTLOOK.COM": ExchangeOnline,
		"DistinguishedName : CN=a,CN=Users,DC=contoso,DC=test\nOriginatingServer : dc1.contoso.test":                                                                                                                OnPremises,
		"DistinguishedName : CN=a,CN=Users,DC=contoso,DC=test": HostingUnknown,
	} {
		p := read(t, files("a.txt", "Get-User a | fl\n\nUserPrincipalName : a@contoso.test\nRecipientTypeDetails : UserMailbox\n"+text+"\n"))
		assert.Equal(t, want, p.Facts("a@contoso.test", IMAP).Hosting, text)
	}
}

const (
	graphPolicy = `{"Id":"1","DisplayName":"Block legacy","State":"enabled","Conditions":{"ClientAppTypes":["exchangeActiveSync","other"],"Users":{"IncludeUsers":["All"],"ExcludeUsers":[],"IncludeGuestsOrExternalUsers":{"ExternalTenants":{"MembershipKind":null},"GuestOrExternalUserTypes":null}},"Applications":{"IncludeApplications":["All"],"ExcludeApplications":[],"ApplicationFilter":{"Mode":null,"Rule":null}},"Locations":{"IncludeLocations":[],"ExcludeLocations":[]},"Devices":{"DeviceFilter":{"Mode":null,"Rule":null}}},"GrantControls":{"Operator":"OR","BuiltInControls":["block"],"AuthenticationStrength":{"Id":null}}}`
	annsID      = "0f000000-0000-4000-8000-00000000000a"
	bobsID      = "0f000000-0000-4000-8000-00000000000b"
)

func TestConditionalAccessOfPowerShell(t *testing.T) {
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(graphPolicy) }
	user := files("cloud/u.txt", "Get-User ann | fl\n\nUserPrincipalName         : ann@contoso.test\nRecipientTypeDetails      : UserMailbox\nExternalDirectoryObjectId : "+annsID+"\n")
	for name, test := range map[string]struct {
		text string
		want crossprem.Answer
	}{
		"as printed":              {graphPolicy, crossprem.Yes},
		"below its command":       {"PS C:\\> Get-MgIdentityConditionalAccessPolicy | ConvertTo-Json -Depth 9\n" + graphPolicy + "\nPS C:\\>\n", crossprem.Yes},
		"depth 1":                 {change(`{"ClientAppTypes":["exchangeActiveSync","other"],"Users":{"IncludeUsers":["All"],"ExcludeUsers":[],"IncludeGuestsOrExternalUsers":{"ExternalTenants":{"MembershipKind":null},"GuestOrExternalUserTypes":null}},"Applications":{"IncludeApplications":["All"],"ExcludeApplications":[],"ApplicationFilter":{"Mode":null,"Rule":null}},"Locations":{"IncludeLocations":[],"ExcludeLocations":[]},"Devices":{"DeviceFilter":{"Mode":null,"Rule":null}}}`, `"Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessConditionSet"`), crossprem.AnswerUnknown},
		"depth 2":                 {change(`{"IncludeApplications":["All"],"ExcludeApplications":[],"ApplicationFilter":{"Mode":null,"Rule":null}}`, `"Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessApplications"`), crossprem.AnswerUnknown},
		"a list":                  {"Get-MgIdentityConditionalAccessPolicy | fl\n\nConditions    : Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessConditionSet\nDisplayName   : Block legacy\nGrantControls : Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessGrantControls\nState         : enabled\n", crossprem.AnswerUnknown},
		"a list, disabled":        {"Get-MgIdentityConditionalAccessPolicy | fl\n\nConditions    : Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessConditionSet\nDisplayName   : Block legacy\nGrantControls : Microsoft.Graph.PowerShell.Models.MicrosoftGraphConditionalAccessGrantControls\nState         : disabled\n", crossprem.No},
		"another one excluded":    {change(`"ExcludeUsers":[]`, `"ExcludeUsers":["`+bobsID+`"]`), crossprem.Yes},
		"she is excluded":         {change(`"ExcludeUsers":[]`, `"ExcludeUsers":["`+strings.ToUpper(annsID)+`"]`), crossprem.No},
		"a group excluded":        {change(`"ExcludeUsers":[]`, `"ExcludeGroups":["`+bobsID+`"]`), crossprem.AnswerUnknown},
		"guests excluded":         {change(`"ExcludeUsers":[]`, `"ExcludeUsers":["GuestsOrExternalUsers"]`), crossprem.AnswerUnknown},
		"another one alone":       {change(`["All"],"ExcludeUsers"`, `["`+bobsID+`"],"ExcludeUsers"`), crossprem.No},
		"she alone":               {change(`["All"],"ExcludeUsers"`, `["`+annsID+`"],"ExcludeUsers"`), crossprem.Yes},
		"every place":             {change(`"IncludeLocations":[]`, `"IncludeLocations":["All"]`), crossprem.Yes},
		"trusted places not":      {change(`"IncludeLocations":[],"ExcludeLocations":[]`, `"IncludeLocations":["All"],"ExcludeLocations":["AllTrusted"]`), crossprem.AnswerUnknown},
		"a filter of devices":     {change(`{"DeviceFilter":{"Mode":null,"Rule":null}}`, `{"DeviceFilter":{"Mode":"exclude","Rule":"device.x"}}`), crossprem.AnswerUnknown},
		"a state that is new":     {change(`"enabled"`, `"paused"`), crossprem.AnswerUnknown},
		"authentication strength": {change(`["block"],"AuthenticationStrength":{"Id":null}`, `[],"AuthenticationStrength":{"Id":"2"}`), crossprem.Yes},
	} {
		all := fstest.MapFS{"ca/policies.txt": {Data: []byte(test.text)}, "cloud/u.txt": user["cloud/u.txt"]}
		p := read(t, all)
		assert.Equal(t, test.want, p.Facts("ann@contoso.test", IMAP).ConditionalAccessBlocks, "%s: %v", name, p.NotUnderstood)
	}
	// What stands beside a policy in the same file is taken too.
	p := read(t, files("all.json", `{"Get-MgIdentityConditionalAccessPolicy":[`+graphPolicy+`],"Get-EXOCASMailbox":[{"PrimarySmtpAddress":"ann@contoso.test","ImapEnabled":false}]}`))
	f := p.Facts("ann@contoso.test", IMAP)
	assert.Equal(t, []any{crossprem.Yes, False}, []any{f.ConditionalAccessBlocks, f.MailboxSwitches["ImapEnabled"]}, "%v", p.NotUnderstood)
	p = read(t, files("sd.txt", "Get-MgPolicyIdentitySecurityDefaultEnforcementPolicy | fl\n\nDescription : x\nDisplayName : Security Defaults\nId          : 00000000-0000-0000-0000-000000000005\nIsEnabled   : True\n"))
	assert.Equal(t, crossprem.Yes, p.Facts("ann", IMAP).SecurityDefaults)
}

// The switches for Microsoft's own clients beat the lists of agents; a list
// that was cut proves only who is on it.
func TestEWSAgents(t *testing.T) {
	const mac, win, other = "MacOutlook/16.90.24", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)", "Other/1.0"
	decide := func(agent, org string) Verdict {
		q, err := ParseQuestion([]byte(`{"hosting":"exo","date":"2026-05-01","protocol":"ews","userAgent":"` + agent + `","org":{` + org + `}}`))
		require.NoError(t, err)
		return q.Facts.Decide(q.Protocol, q.At).Modern.Verdict
	}
	const allow, block = `"EwsEnabled":true,"EwsApplicationAccessPolicy":"EnforceAllowList","EwsAllowList":["Some*"]`, `"EwsEnabled":true,"EwsApplicationAccessPolicy":"EnforceBlockList","EwsBlockList":["*"]`
	for _, c := range []struct {
		agent, org string
		want       Verdict
	}{
		{mac, allow, Blocked}, {win, block, Blocked}, {mac, allow + `,"EwsAllowMacOutlook":true`, Allowed}, {win, block + `,"EwsAllowOutlook":true`, Allowed},
		{win, block + `,"EwsAllowMacOutlook":true`, Blocked}, {other, allow, Blocked}, {other, block, Blocked}, {"Something/2", allow, Allowed}, {"", allow, VerdictUnknown},
		{mac, `"EwsAllowMacOutlook":false`, Blocked}, {mac, `"EwsAllowOutlook":false`, Allowed}, {win, `"ewsallowoutlook":false`, Blocked}, {other, `"EwsAllowOutlook":false`, Allowed},
	} {
		assert.Equal(t, c.want, decide(c.agent, c.org), "%s %s", c.agent, c.org)
	}
	f := Facts{Hosting: ExchangeOnline, UserAgent: other, EWSAccess: "EnforceAllowList", EWSAgents: []string{"Some*"}, EWSAppIDsKnown: crossprem.Yes,
		MailboxSwitches: map[string]Switch{"EwsEnabled": NotSet}, OrgSwitches: map[string]Switch{"EwsEnabled": True}}
	assert.Equal(t, VerdictUnknown, f.Decide(EWS, day("2026-05-01")).Modern.Verdict)
	p := read(t, files("cloud/o.txt", "Get-OrganizationConfig | fl\n\nEwsApplicationAccessPolicy : EnforceAllowList\nEwsAllowList               : {a*, b*...}\nOAuth2ClientProfileEnabled : True\n"))
	assert.Equal(t, crossprem.AnswerUnknown, p.Facts("a", EWS).EWSAgentsKnown)
}

// Settings are known in any letter case, and a name that is none is an error.
func TestNamesOfSettings(t *testing.T) {
	q, err := ParseQuestion([]byte(`{"hosting":"exo","date":"2020-10-01","protocol":"imap","userPolicy":{"allowbasicauthimap":true},"mailbox":{"IMAPENABLED":null}}`))
	require.NoError(t, err)
	assert.Equal(t, Allowed, q.Facts.Decide(q.Protocol, q.At).Basic.Verdict)
	for _, bad := range []string{`{"userPolicy":{"AllowBasicImap":true}}`, `{"org":{"EwsEnable":false}}`, `{"mailbox":{"":true}}`, `{"mailbox":{"AllowBasicAuthImap":true}}`} {
		_, err := ParseQuestion([]byte(bad))
		assert.Error(t, err, bad)
	}
	q, err = ParseQuestion([]byte(`{"hosting":"onprem","protocol":"ews","server":"se","vdir":{"Basic":true}}`))
	require.NoError(t, err)
	assert.Equal(t, NotOffered, q.Facts.Decide(q.Protocol, day("2026-11-26")).Windows.Verdict, "a directory that was described without a method does not offer it")
}
