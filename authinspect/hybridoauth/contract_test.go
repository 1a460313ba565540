package hybridoauth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/authinspect/hybridoauth/hybridoauthtest"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// TestContract holds the promises of findings over nothing, one situation
// after the other, and zero times.
func TestContract(t *testing.T) {
	rules := hybridoauth.Rules()
	findingtest.CheckRules(t, rules)
	for _, s := range append(hybridoauth.Situations(), 0, hybridoauth.Situation(1<<15)) {
		for _, at := range []time.Time{{}, day, day.AddDate(20, 0, 0)} {
			for name, c := range map[string]hybridoauth.Configuration{"nothing": {}, "healthy": hybridoauthtest.Organization{}.Configuration(),
				"empty objects": {Objects: []hybridoauth.Object{{}, {Kind: "AuthServer", Side: hybridoauth.OnPremises}, {Kind: "Application", Side: hybridoauth.Entra}, {Kind: "Test-OAuthConnectivity"}}}} {
				findings := hybridoauth.Check(c, s, at)
				findingtest.Check(t, name+" "+s.String(), rules, findings)
				findingtest.Check(t, name+" errors", rules, hybridoauth.CheckErrors(c, at))
				if name == "nothing" {
					for _, f := range findings {
						assert.Equal(t, crossprem.Unknown, f.Status, f.Rule)
					}
				}
			}
		}
	}
	findingtest.Check(t, "no token", rules, hybridoauth.CheckToken(hybridoauth.Token{}, hybridoauth.Configuration{}, time.Time{}))
	for _, s := range hybridoauth.Walkthrough(hybridoauth.Configuration{}, day) {
		assert.Equal(t, hybridoauth.StepUnknown, s.State, s.ID)
		assert.NotEmpty(t, s.Why)
		assert.NotEmpty(t, s.Command)
	}
}

// TestReadBack holds that a configuration that was stored judges the same.
func TestReadBack(t *testing.T) {
	for name := range expectations(t) {
		c := readSample(t, name)
		c.Context = expectations(t)[name].Context
		b, err := json.Marshal(c)
		require.NoError(t, err)
		var back hybridoauth.Configuration
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, c, back, name)
		for _, s := range []hybridoauth.Situation{0, hybridoauth.Any, hybridoauth.DedicatedApp} {
			assert.Equal(t, hybridoauth.Check(c, s, day), hybridoauth.Check(back, s, day))
		}
		for _, v := range []any{hybridoauth.Walkthrough(c, day), c.Errors(), c.Tokens} {
			b, err := json.Marshal(v)
			require.NoError(t, err)
			assert.NotContains(t, string(b), "Situation(")
		}
	}
	c := hybridoauthtest.Organization{Situation: everything}.Configuration()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	var back hybridoauth.Configuration
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, c, back)
	for _, s := range append(hybridoauth.Situations(), 0, hybridoauth.DedicatedApp|hybridoauth.EWSRoute) {
		text, err := s.MarshalText()
		require.NoError(t, err)
		var read hybridoauth.Situation
		require.NoError(t, read.UnmarshalText(text))
		assert.Equal(t, s, read)
	}
	_, err = hybridoauth.ParseSituation("nonsense")
	assert.Error(t, err)
}

func TestSituationIsFoundOut(t *testing.T) {
	for _, s := range []hybridoauth.Situation{hybridoauth.DedicatedApp, hybridoauth.DedicatedApp | hybridoauth.GraphRoute, hybridoauth.DedicatedApp | hybridoauth.HMA, hybridoauth.DedicatedApp | hybridoauth.TeamsOnPrem,
		hybridoauth.DedicatedApp | hybridoauth.CrossTenant, hybridoauth.NoHybrid} {
		shown, ruledOut := hybridoauth.Detect(hybridoauthtest.Organization{Situation: s}.Configuration())
		assert.Equal(t, s, shown&s, "%v: %v", s, shown)
		assert.Zero(t, shown&ruledOut)
	}
	shown, ruledOut := hybridoauth.Detect(hybridoauth.Configuration{})
	assert.Zero(t, shown|ruledOut)
}

// TestNobodyIsToldToCreateAnApplication holds without rich coexistence:
// neither where it is ruled out nor where it is not known.
func TestNobodyIsToldToCreateAnApplication(t *testing.T) {
	clients := hybridoauthtest.Organization{Situation: hybridoauth.HMA}.Configuration()
	for _, kind := range []hybridoauth.Kind{"IntraOrganizationConnector", "OrganizationRelationship", "SettingOverride", "Application"} {
		hybridoauthtest.Remove(&clients, kind)
	}
	hybridoauthtest.Set(clients, "AuthServer", "ApplicationIdentifier", hybridoauth.String(""))
	clients.Context.DedicatedAppID = ""
	partial := clients
	hybridoauthtest.Forget(&partial, "IntraOrganizationConnector")
	hybridoauthtest.Forget(&partial, "OrganizationRelationship")
	for name, c := range map[string]hybridoauth.Configuration{"ruled out": clients, "not known": partial} {
		for _, f := range hybridoauth.Check(c, 0, day) {
			if f.Status == crossprem.Failed {
				for _, word := range []string{"APP-", "OVR-", "ASRV-02"} {
					assert.False(t, strings.HasPrefix(f.Rule, word) && f.Rule != "ASRV-027" && f.Rule != "ASRV-028", "%s: %s %s", name, f.Rule, f.Remedy)
				}
			}
		}
	}
	// With it, the same organization is.
	hybrid := hybridoauthtest.Organization{}.Configuration()
	hybridoauthtest.Remove(&hybrid, "Application")
	hybridoauthtest.Remove(&hybrid, "SettingOverride")
	failed := hybridoauth.Violated(hybridoauth.Check(hybrid, 0, day))
	assert.Contains(t, failed, "APP-001")
	assert.Contains(t, failed, "OVR-001")
}

func TestSideIsTold(t *testing.T) {
	connector := "TargetAddressDomains : {contoso.com}\r\nDiscoveryEndpoint    : https://autodiscover.contoso.com/autodiscover/autodiscover.svc\r\nEnabled              : False\r\nName                 : HybridIOC\r\n"
	for name, want := range map[string]string{"exo/Get-IntraOrganizationConnector.txt": "IOC-101", "Get-EXOIntraOrganizationConnector.txt": "IOC-101", "capture/onprem/Get-IntraOrganizationConnector.txt": "IOC-002", "x.txt": "IOC-002"} {
		c, err := hybridoauth.ReadConfiguration(fstest.MapFS{name: {Data: []byte(connector)}})
		require.NoError(t, err)
		assert.Contains(t, hybridoauth.Violated(hybridoauth.Check(c, hybridoauth.DedicatedApp, day)), want, name)
	}
	prompt, err := hybridoauth.Read(strings.NewReader("PS C:\\> Get-EXOIntraOrganizationConnector | fl\r\n\r\n" + connector))
	require.NoError(t, err)
	assert.Contains(t, hybridoauth.Violated(hybridoauth.Check(prompt, hybridoauth.DedicatedApp, day)), "IOC-101")
}

func TestEmptyListingsProveAbsence(t *testing.T) {
	for name, text := range map[string]string{"Get-SettingOverride.json": "[]", "x.json": `{"Get-SettingOverride": null}`, "y.json": `{"Get-SettingOverride": []}`, "z.txt": "[PS] C:\\>Get-SettingOverride | fl\r\n[PS] C:\\>Get-AuthConfig | fl\r\n"} {
		c, err := hybridoauth.ReadConfiguration(fstest.MapFS{name: {Data: []byte(text)}})
		require.NoError(t, err)
		assert.Contains(t, hybridoauth.Violated(hybridoauth.Check(c, hybridoauth.DedicatedApp, day)), "OVR-001", name)
	}
	c, err := hybridoauth.Read(strings.NewReader("SectionName   : Other\r\nComponentName : X\r\nParameters    : {a=b}\r\n"))
	require.NoError(t, err)
	assert.NotContains(t, hybridoauth.Violated(hybridoauth.Check(c, hybridoauth.DedicatedApp, day)), "OVR-001", "one object is no listing")
}

func TestBrokenFilesDoNotHideTheRest(t *testing.T) {
	c, err := hybridoauth.ReadConfiguration(fstest.MapFS{"a.json": {Data: []byte(`{"x":`)}, ".hidden": {Data: []byte(`{"x":`)}, "b.txt": {Data: []byte("HCW8064")}})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "a.json")
	assert.NotContains(t, err.Error(), "hidden")
	assert.Len(t, c.Texts, 1)
}

func TestRemediesAreSafeToPaste(t *testing.T) {
	c := hybridoauthtest.Organization{}.Configuration()
	hybridoauthtest.Set(c, "IntraOrganizationConnector", "Enabled", hybridoauth.Bool(false))
	hybridoauthtest.Set(c, "IntraOrganizationConnector", "Name", hybridoauth.String("a'; Remove-Mailbox \u2019x\n{name}\x1b[2J"))
	for _, f := range hybridoauth.Check(c, hybridoauth.DedicatedApp, day) {
		for _, text := range []string{f.Remedy, f.Detail, f.Subject} {
			assert.False(t, strings.ContainsAny(text, "\n\x1b"), text)
		}
		if f.Rule == "IOC-002" {
			assert.Equal(t, "Set-IntraOrganizationConnector 'a''; Remove-Mailbox \u2019\u2019x {name} [2J' -Enabled $true", f.Remedy)
		}
	}
}

func TestCollectScript(t *testing.T) {
	script := hybridoauth.CollectScript()
	for _, verb := range []string{"Set-", "New-AuthServer", "Remove-", "Enable-", "Disable-", "Update-Mg"} {
		for line := range strings.Lines(script) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				assert.NotContains(t, line, verb, "the script only reads")
			}
		}
	}
	for _, name := range []string{"Get-AuthConfig", "Get-SettingOverride", "Get-EXOIntraOrganizationConnector", "appRoleAssignments", "keyCredentials"} {
		assert.Contains(t, script, name)
	}
}

func TestWalkthrough(t *testing.T) {
	healthy := hybridoauthtest.Organization{}.Configuration()
	states := map[string]hybridoauth.StepState{}
	for _, s := range hybridoauth.Walkthrough(healthy, day) {
		states[s.ID] = s.State
	}
	for _, id := range []string{"build", "auth-servers", "partner-application", "certificate", "dedicated-application", "upload", "switch-over", "shared-principal", "names", "connectors", "relationship", "address-spaces", "directories", "ews", "test-from-premises"} {
		assert.Equal(t, hybridoauth.StepDone, states[id], id)
	}
	assert.Equal(t, hybridoauth.StepUnknown, states["wizard"])
	assert.Equal(t, hybridoauth.StepUnknown, states["test-from-cloud"])
	hybridoauthtest.Set(healthy, "IntraOrganizationConnector", "Enabled", hybridoauth.Bool(false))
	for _, s := range hybridoauth.Walkthrough(healthy, day) {
		if s.ID == "connectors" {
			assert.Equal(t, hybridoauth.StepWrong, s.State)
			assert.Contains(t, s.Command, "-Enabled $true")
		}
	}
}

func FuzzAdd(f *testing.F) {
	for name := range map[string]bool{"01-good-dedicated-se.format-list.txt": true, "05-faulty-authcert.ps7.json": true, "09-test-oauth-401-key-not-found.txt": true, "14-graph-shared-sp.json": true, "16-actor-token-decoded.json": true} {
		b, err := os.ReadFile("testdata/samples/" + name)
		require.NoError(f, err)
		f.Add(name, b)
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		var c hybridoauth.Configuration
		if c.Add(name, b) != nil {
			return
		}
		for _, s := range []hybridoauth.Situation{0, hybridoauth.DedicatedApp | hybridoauth.GraphRoute} {
			if problems := findingtest.Problems(hybridoauth.Rules(), hybridoauth.Check(c, s, day)); len(problems) > 0 {
				t.Fatal(problems[0])
			}
		}
		if problems := findingtest.Problems(hybridoauth.Rules(), hybridoauth.CheckErrors(c, day)); len(problems) > 0 {
			t.Fatal(problems[0])
		}
		stored, err := json.Marshal(c)
		require.NoError(t, err)
		var back hybridoauth.Configuration
		require.NoError(t, json.Unmarshal(stored, &back))
		require.Equal(t, fmt.Sprint(hybridoauth.Check(c, 0, day)), fmt.Sprint(hybridoauth.Check(back, 0, day)))
	})
}

func FuzzToken(f *testing.F) {
	f.Add(serviceToService(day, func(outer, actor claims) {}))
	f.Add(`{"alg":"none"}.{"iss":"x"}.[Signature]`)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := hybridoauth.ExplainToken(text)
		if err != nil {
			return
		}
		if problems := findingtest.Problems(hybridoauth.Rules(), hybridoauth.CheckToken(token, hybridoauth.Configuration{}, day)); len(problems) > 0 {
			t.Fatal(problems[0])
		}
	})
}
