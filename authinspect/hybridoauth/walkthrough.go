package hybridoauth

import (
	"slices"
	"strconv"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A StepState is how far one step of the procedure has come. In text and JSON
// it is one of "unknown", "done" and "wrong".
type StepState uint8

const (
	StepUnknown StepState = iota // the capture does not tell
	StepDone
	StepWrong // not done, or not as it should be
)

var stepStates = enum.Of[StepState]("hybridoauth: state of a step", "unknown", "done", "wrong")

// String returns the text of s.
func (s StepState) String() string { return stepStates.String(s) }

// MarshalText returns the text of s, and an error for no constant.
func (s StepState) MarshalText() ([]byte, error) { return stepStates.Marshal(s) }

// UnmarshalText reads what MarshalText writes.
func (s *StepState) UnmarshalText(text []byte) error { return stepStates.Unmarshal(s, text) }

// A Step is one step of the procedure that sets up OAuth between Exchange and
// Exchange Online.
type Step struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	State StepState `json:"state"`

	// Why is the evidence in one sentence: what is wrong first, or what is not
	// known.
	Why string `json:"why"`

	// Command is what to run next: what mends it, what captures what is
	// missing, or for a step that is done how to look again.
	Command string `json:"command,omitempty"`

	// Rules are the rules that decide it, of which Wrong failed and Unknown
	// could not be answered.
	Rules   []string `json:"rules"`
	Wrong   []string `json:"wrong,omitempty"`
	Unknown []string `json:"unknown,omitempty"`
}

// A stepRow is one step as data. Every rule of a step must have passed for it
// to be done.
type stepRow struct {
	id, title string
	situation Situation // in which it is asked; zero is always
	rules     []string
	look      string // the command that shows it
}

// steps are the procedure of Microsoft's page "Configure OAuth authentication
// between Exchange and Exchange Online organizations", as it stands since the
// dedicated hybrid application took the place of the shared principal.
var steps = []stepRow{
	{id: "wizard", title: "The Hybrid Configuration Wizard finished its OAuth part", rules: []string{"HCW8064"}, look: "Run the Hybrid Configuration Wizard, and read its log in %AppData%\\Microsoft\\Exchange Hybrid Configuration"},
	{id: "build", title: "Every Exchange server supports the dedicated hybrid application", situation: DedicatedApp, rules: []string{"BLD-001", "BLD-003"}, look: "Get-ExchangeServer | Format-List Name,ServerRole,AdminDisplayVersion"},
	{id: "auth-servers", title: "The auth servers for the cloud exist and are right", rules: []string{"ASRV-001", "ASRV-010", "ASRV-011", "ASRV-012", "ASRV-013", "ASRV-020", "ASRV-024", "ASRV-025", "ASRV-026", "ASRV-028"}, look: "Get-AuthServer | Format-List"},
	{id: "partner-application", title: "The partner application for Exchange Online is enabled", rules: []string{"PAPP-001", "PAPP-002", "PAPP-003", "PAPP-004", "PAPP-006"}, look: "Get-PartnerApplication | Format-List"},
	{id: "certificate", title: "The auth certificate is valid and on every server", rules: []string{"ACFG-001", "ACFG-002", "ACFG-003", "CERT-001", "CERT-002", "CERT-003", "CERT-012"}, look: "Get-AuthConfig | Format-List; Get-ExchangeCertificate -Server <server> | Format-List"},
	{id: "dedicated-application", title: "The dedicated hybrid application exists and may be used", situation: DedicatedApp, rules: []string{"APP-001", "APP-002", "APP-008", "APP-012"}, look: "Get-MgApplication -Filter \"startswith(displayName,'ExchangeServerApp-')\" | ConvertTo-Json -Depth 5"},
	{id: "upload", title: "The auth certificate is registered on the dedicated hybrid application", situation: DedicatedApp, rules: []string{"APP-004", "APP-005"}, look: "Invoke-MgGraphRequest GET 'v1.0/applications/<object id>?$select=id,appId,displayName,keyCredentials' | ConvertTo-Json -Depth 5"},
	{id: "switch-over", title: "Exchange uses the dedicated hybrid application", situation: DedicatedApp, rules: []string{"ASRV-021", "ASRV-022", "ASRV-023", "OVR-001", "OVR-002", "OVR-003", "OVR-005"}, look: "Get-AuthServer | Format-List; Get-SettingOverride | Format-List"},
	{id: "shared-principal", title: "The shared Exchange Online principal holds no certificates", situation: DedicatedApp | NoHybrid, rules: []string{"SP-001", "SP-003"}, look: "Invoke-MgGraphRequest GET \"v1.0/servicePrincipals(appId='00000002-0000-0ff1-ce00-000000000000')?`$select=id,appId,displayName,accountEnabled,keyCredentials,passwordCredentials,servicePrincipalNames\" | ConvertTo-Json -Depth 5"},
	{id: "names", title: "The published hosts are registered as service principal names", rules: []string{"SP-004", "SP-005", "SP-007"}, look: "(Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\").ServicePrincipalNames"},
	{id: "connectors", title: "The connectors of both sides are enabled and lead to the right place", rules: []string{"IOC-001", "IOC-002", "IOC-003", "IOC-004", "IOC-101", "IOC-102", "IOC-103"}, look: "Get-IntraOrganizationConnector | Format-List, on premises and in Exchange Online"},
	{id: "relationship", title: "The organization relationship shares free/busy data", rules: []string{"OREL-001", "OREL-002", "OREL-003", "OREL-004"}, look: "Get-OrganizationRelationship | Format-List"},
	{id: "address-spaces", title: "No availability address space is left over", rules: []string{"AVAS-001"}, look: "Get-AvailabilityAddressSpace | Format-List"},
	{id: "directories", title: "EWS and Autodiscover take OAuth", rules: []string{"VDIR-EWS-001", "VDIR-EWS-002", "VDIR-EWS-003", "VDIR-EWS-006", "VDIR-AD-001"}, look: "Get-WebServicesVirtualDirectory | Format-List; Get-AutodiscoverVirtualDirectory | Format-List"},
	{id: "ews", title: "Exchange Online still lets the application call EWS", situation: DedicatedApp, rules: []string{"OCFG-101", "OCFG-102"}, look: "In Exchange Online PowerShell: Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | Format-List Ews*"},
	{id: "test-from-premises", title: "The test from on premises to Exchange Online succeeds", rules: []string{"ACCEPT-001"}, look: "Test-OAuthConnectivity -Service EWS -TargetUri https://outlook.office365.com/ews/exchange.asmx -Mailbox <on-premises mailbox> -Verbose | Format-List"},
	{id: "test-from-cloud", title: "The test from Exchange Online to on premises succeeds", rules: []string{"ACCEPT-001"}, look: "In Exchange Online PowerShell: Test-OAuthConnectivity -Service EWS -TargetUri https://<published host>/metadata/json/1 -Mailbox <cloud mailbox> -Verbose | Format-List"},
}

// Walkthrough says of every step of the procedure how far it has come on the
// day at, in the order in which they are taken, with the next command. The
// situation is found out, as with [Check] and zero.
func Walkthrough(c Configuration, at time.Time) []Step { return WalkthroughIn(c, 0, at) }

// WalkthroughIn is [Walkthrough] in a situation that is known. Steps that are
// not taken in it are left out.
func WalkthroughIn(c Configuration, situation Situation, at time.Time) []Step {
	findings := append(Check(c, situation, at), CheckErrors(c, at)...)
	_, ruledOut := Detect(c)
	all := []Step{}
	for _, row := range steps {
		switch {
		case row.situation == 0:
		case situation == 0 && row.situation&^ruledOut == 0, situation != 0 && situation&(row.situation|Any) == 0:
			continue
		}
		all = append(all, row.step(c, findings))
	}
	return all
}

func (row stepRow) step(c Configuration, findings []crossprem.Finding) Step {
	s := Step{ID: row.id, Title: row.title, Rules: slices.Clone(row.rules), Command: row.look}
	passed := false
	side, isTest := map[string]bool{"test-from-premises": false, "test-from-cloud": true}[row.id]
	var worst crossprem.Finding
	for _, f := range findings { // worst first
		if !slices.Contains(row.rules, f.Rule) || isTest && c.testIsFromCloud(f) != side {
			continue
		}
		switch f.Status {
		case crossprem.Failed:
			if worst.Status != crossprem.Failed {
				worst = f
			}
			add(&s.Wrong, f.Rule)
		case crossprem.Unknown:
			if worst.Rule == "" {
				worst = f
			}
			add(&s.Unknown, f.Rule)
		case crossprem.Passed:
			passed = true
		}
	}
	switch {
	case len(s.Wrong) > 0:
		s.State, s.Why, s.Command = StepWrong, worst.Title+": "+worst.Subject+".", firstText(worst.Remedy, row.look)
	case len(s.Unknown) > 0:
		s.Why = worst.Detail
	case passed:
		s.State, s.Why = StepDone, "Every rule of this step that applies passed."
	case row.id == "wizard":
		s.Why = "No message of the wizard was captured; that it finished is not told by its silence."
	default:
		s.Why = "Nothing of it was captured."
	}
	return s
}

func add(list *[]string, id string) {
	if !slices.Contains(*list, id) {
		*list = append(*list, id)
	}
}

// testIsFromCloud reports whether a finding is about a test that ran from
// Exchange Online.
func (c Configuration) testIsFromCloud(f crossprem.Finding) bool {
	n := 0
	for _, o := range c.Objects {
		if o.Kind != "Test-OAuthConnectivity" || o.name() != f.Subject {
			continue
		}
		if n++; f.Part == "" && n == 1 || f.Part == "#"+strconv.Itoa(n) {
			return o.Side == ExchangeOnline || explainTest(o).FromCloud()
		}
	}
	return false
}
