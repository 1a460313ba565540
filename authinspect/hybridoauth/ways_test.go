package hybridoauth_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/authinspect/hybridoauth/hybridoauthtest"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// situations are those in which the rules are asked, joined where one
// organization can be in several.
var situations = []hybridoauth.Situation{
	hybridoauth.DedicatedApp | hybridoauth.EWSRoute | hybridoauth.ACSFlow,
	hybridoauth.DedicatedApp | hybridoauth.GraphRoute,
	hybridoauth.DedicatedApp | hybridoauth.HMA | hybridoauth.TeamsOnPrem,
	hybridoauth.DAuth | hybridoauth.Migration,
	hybridoauth.DedicatedApp | hybridoauth.Pre2013 | hybridoauth.HybridAgent,
	hybridoauth.DedicatedApp | hybridoauth.CrossTenant,
	hybridoauth.NoHybrid,
}

func TestHealthyOrganizations(t *testing.T) {
	for _, s := range situations {
		for _, cloud := range []crossprem.Cloud{crossprem.Worldwide, crossprem.GCCHigh, crossprem.DoD, crossprem.China21Vianet} {
			if s&hybridoauth.GraphRoute != 0 && cloud != crossprem.Worldwide {
				continue // the route is not there
			}
			c := hybridoauthtest.Organization{Situation: s, Cloud: cloud}.Configuration()
			findings := hybridoauth.Check(c, s, c.Context.Now)
			findingtest.Check(t, s.String(), hybridoauth.Rules(), findings)
			assert.Empty(t, hybridoauth.Violated(findings), "%v in %v", s, cloud)
			// Where nothing is told, the same is found out, or unknown.
			asked := c
			asked.Context = hybridoauth.Context{}
			if s&hybridoauth.Pre2013 != 0 {
				continue // that a server is left that old is not captured
			}
			found := hybridoauth.Check(asked, 0, c.Context.Now)
			findingtest.Check(t, s.String(), hybridoauth.Rules(), found)
			assert.Empty(t, hybridoauth.Violated(found), "%v in %v, found out", s, cloud)
		}
	}
}

// clone returns a copy whose objects and properties may be changed.
func clone(c hybridoauth.Configuration) hybridoauth.Configuration {
	c.Objects, c.Listed = slices.Clone(c.Objects), slices.Clone(c.Listed)
	for i, o := range c.Objects {
		c.Objects[i].Properties = maps.Clone(o.Properties)
	}
	return c
}

// A mutation breaks a healthy organization in one place.
type mutation struct {
	name  string // kind, property and how
	field string
	apply func(c *hybridoauth.Configuration)
}

// mutations are all that break one field of one object, or take an object
// away, or double it.
func mutations(c hybridoauth.Configuration) (all []mutation) {
	seen := map[string]bool{}
	for i, o := range c.Objects {
		id := fmt.Sprintf("%s/%s/%s", o.Side, o.Kind, o.Get("ApplicationIdentifier").Text()+o.Get("appId").Text()+o.Get("Type").Text()+o.Get("SectionName").Text()+o.Get("Role").Text())
		all = append(all,
			mutation{id + " removed", id, func(c *hybridoauth.Configuration) { c.Objects = slices.Delete(c.Objects, i, i+1) }},
			mutation{id + " doubled", id, func(c *hybridoauth.Configuration) {
				double := hybridoauth.Object{Kind: o.Kind, Side: o.Side, Properties: maps.Clone(o.Properties)}
				double.Properties["Name"] = hybridoauth.String("another")
				c.Objects = append(c.Objects, double)
			}})
		if seen[id] {
			continue // the first of its sort stands for all
		}
		seen[id] = true
		for _, p := range slices.Sorted(maps.Keys(o.Properties)) {
			set := func(how string, v hybridoauth.Value) {
				all = append(all, mutation{id + " " + p + " " + how, id + " " + p, func(c *hybridoauth.Configuration) { c.Objects[i].Properties[p] = v }})
			}
			v := o.Properties[p]
			set("empty", hybridoauth.String(""))
			set("other", hybridoauth.String("http://wrong.invalid/other"))
			set("false", hybridoauth.Bool(false))
			set("true", hybridoauth.Bool(true))
			set("past", hybridoauth.Time(c.Context.Now.AddDate(0, 0, -1)))
			set("soon", hybridoauth.Time(c.Context.Now.AddDate(0, 0, 20)))
			set("future", hybridoauth.Time(c.Context.Now.AddDate(9, 0, 0)))
			set("guid", hybridoauth.String("99999999-1111-4222-8333-444455556666"))
			if p == "ApplicationIdentifier" {
				set("shared", hybridoauth.String("00000002-0000-0ff1-ce00-000000000000"))
			}
			if p == "ApplicationIdentifier" {
				set("skype", hybridoauth.String("00000004-0000-0ff1-ce00-000000000000"))
			}
			if p == "AdminDisplayVersion" {
				set("old", hybridoauth.String("Version 15.0 (Build 1497.2)"))
			}
			if p == "FreeBusyAccessLevel" {
				set("none at all", hybridoauth.String("None"))
			}
			if p == "PublicKeySize" {
				set("small", hybridoauth.String("1024"))
			}
			if p == "SignatureAlgorithm" {
				set("sha1", hybridoauth.String("sha1RSA"))
			}
			if p == "CurrentCertificateThumbprint" {
				set("thumbprint", hybridoauth.String(strings.Repeat("AB", 20)))
			}
			if p == "TargetAddressDomains" {
				set("domain", hybridoauth.Strings("contoso.com"))
			}
			if p == "servicePrincipalNames" {
				set("path", hybridoauth.Strings("https://mail.contoso.com/EWS/Exchange.asmx"))
			}
			if o.Get("passwordCredentials").IsKnown() && p == "passwordCredentials" {
				set("secret", hybridoauth.List(hybridoauth.Fields(map[string]hybridoauth.Value{"keyId": hybridoauth.String("1")})))
			}
			if p == "keyCredentials" {
				b, _ := json.Marshal(v)
				for _, r := range [][2]string{{`"Verify"`, `"Sign"`}, {`"customKeyIdentifier":"`, `"customKeyIdentifier":"00`}, {`"endDateTime":"20`, `"endDateTime":"21`}, {`"endDateTime":"20`, `"endDateTime":"19`}} {
					var changed hybridoauth.Value
					if json.Unmarshal([]byte(strings.ReplaceAll(string(b), r[0], r[1])), &changed) == nil {
						set("with "+r[1], changed)
					}
				}
				var entries []hybridoauth.Value
				if json.Unmarshal(b, &entries) == nil && len(entries) > 0 {
					set("twice", hybridoauth.List(append(entries, entries[0])...))
					set("one", hybridoauth.List(entries[0]))
					set("other one", hybridoauth.List(entries[len(entries)-1]))
				} else if keys, ok := c.Objects[slices.IndexFunc(c.Objects, func(o hybridoauth.Object) bool { return o.Kind == "Application" || true })].Properties["keyCredentials"]; ok {
					set("keys", keys)
				}
				set("a key", hybridoauth.List(hybridoauth.Fields(map[string]hybridoauth.Value{"keyId": hybridoauth.String("1"), "type": hybridoauth.String("AsymmetricX509Cert")})))
				set("none", hybridoauth.List())
			}
		}
	}
	return all
}

// TestEveryRuleComesOutEachWay proves of every rule that it can pass, fail and
// be unknown: over healthy organizations, their mutations, and nothing. Rules
// that no capture decides are unknown alone.
func TestEveryRuleComesOutEachWay(t *testing.T) {
	ways := map[string]map[crossprem.Status]string{}
	note := func(name string, findings []crossprem.Finding) {
		for _, f := range findings {
			if ways[f.Rule] == nil {
				ways[f.Rule] = map[crossprem.Status]string{}
			}
			if ways[f.Rule][f.Status] == "" {
				ways[f.Rule][f.Status] = name
			}
		}
	}
	watched := map[string]map[string]bool{} // rules by field
	for _, s := range []hybridoauth.Situation{everything, hybridoauth.NoHybrid} {
		healthy := hybridoauthtest.Organization{Situation: s, Servers: []string{"EX01"}}.Configuration()
		note("healthy", hybridoauth.Check(healthy, s, healthy.Context.Now))
		note("nothing", hybridoauth.Check(hybridoauth.Configuration{}, s, healthy.Context.Now))
		for _, m := range mutations(healthy) {
			c := clone(healthy)
			m.apply(&c)
			findings := hybridoauth.Check(c, s, c.Context.Now)
			if problems := findingtest.Problems(hybridoauth.Rules(), findings); len(problems) > 0 {
				t.Errorf("%s: %s", m.name, problems[0])
			}
			note(m.name, findings)
			if watched[m.field] == nil {
				watched[m.field] = map[string]bool{}
			}
			for _, id := range hybridoauth.Violated(findings) {
				watched[m.field][id] = true
			}
		}
	}
	for name, broken := range byHand() {
		findings := hybridoauth.Check(broken, hybridoauth.DedicatedApp|hybridoauth.GraphRoute, broken.Context.Now)
		findingtest.Check(t, name, hybridoauth.Rules(), findings)
		note(name, findings)
	}
	for _, id := range hybridoauth.RuleIDs() {
		want := []crossprem.Status{crossprem.Passed, crossprem.Failed, crossprem.Unknown}
		if slices.Contains(undecided, id) {
			want = want[2:]
			assert.Len(t, ways[id], 1, "%s is in the list of those that no capture decides", id)
		}
		for _, s := range want {
			assert.NotEmpty(t, ways[id][s], "%s never came out as %v", id, s)
		}
	}
	var lines []string
	for field, ids := range watched {
		line := field + ": no rule"
		if len(ids) > 0 {
			line = field + ": " + strings.Join(slices.Sorted(maps.Keys(ids)), " ")
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/mutations.txt" // which rule says so when a field is broken
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// everything is every situation that can be beside the others.
const everything = hybridoauth.DedicatedApp | hybridoauth.EWSRoute | hybridoauth.GraphRoute | hybridoauth.ACSFlow | hybridoauth.HMA | hybridoauth.TeamsOnPrem | hybridoauth.DAuth |
	hybridoauth.Migration | hybridoauth.CrossTenant | hybridoauth.Pre2013

// undecided are the rules that no capture decides.
var undecided = []string{"ACFG-008", "ASRV-030", "NET-001", "NET-002", "NET-003", "NET-004", "CERT-008", "OREL-008", "APP-013", "SP-002", "SP-006", "CERT-015"}

// byHand are organizations that are broken, or captured, in a way that no
// mutation of one field is.
func byHand() map[string]hybridoauth.Configuration {
	all := map[string]hybridoauth.Configuration{}
	organization := func(name string, change func(c *hybridoauth.Configuration)) {
		c := hybridoauthtest.Organization{Situation: hybridoauth.DedicatedApp | hybridoauth.GraphRoute, Servers: []string{"EX01", "EX02"}}.Configuration()
		change(&c)
		all[name] = c
	}
	object := func(kind hybridoauth.Kind, side hybridoauth.Side, properties map[string]hybridoauth.Value) hybridoauth.Object {
		return hybridoauth.Object{Kind: kind, Side: side, Properties: properties}
	}
	organization("the next certificate is the current one", func(c *hybridoauth.Configuration) {
		hybridoauthtest.Set(*c, "AuthConfig", "NextCertificateThumbprint", c.Objects[0].Get("CurrentCertificateThumbprint"))
	})
	organization("no auth server", func(c *hybridoauth.Configuration) { hybridoauthtest.Remove(c, "AuthServer") })
	organization("a left-over address space", func(c *hybridoauth.Configuration) {
		c.Objects = append(c.Objects, object("AvailabilityAddressSpace", hybridoauth.OnPremises, map[string]hybridoauth.Value{"ForestName": hybridoauth.String("contoso.mail.onmicrosoft.com"), "AccessMethod": hybridoauth.String("InternalProxy")}))
	})
	organization("a failed test", func(c *hybridoauth.Configuration) {
		hybridoauthtest.Set(*c, "Test-OAuthConnectivity", "ResultType", hybridoauth.String("Error"))
	})
	organization("a test as another application", func(c *hybridoauth.Configuration) {
		hybridoauthtest.Set(*c, "Test-OAuthConnectivity", "Detail", hybridoauth.String("token: L:00000002-0000-0ff1-ce00-000000000000-AS:"))
	})
	organization("servers that differ", func(c *hybridoauth.Configuration) {
		i := slices.IndexFunc(c.Objects, func(o hybridoauth.Object) bool { return o.Kind == "WebServicesVirtualDirectory" })
		c.Objects[i].Properties["ExternalUrl"] = hybridoauth.String("https://other.contoso.com/EWS/Exchange.asmx")
	})
	organization("a file with a key", func(c *hybridoauth.Configuration) { c.AddFile("OAuthCert.pfx", true) })
	organization("a file without", func(c *hybridoauth.Configuration) { c.AddFile("OAuthCert.cer", false) })
	return all
}

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
