package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type labelled struct {
	UA      string
	Label   Client
	Version string
	Decoded *struct {
		Device, Build string
		IOSMajor      int
	}
}

func labelledAgents(t testing.TB) []labelled {
	b, err := os.ReadFile("testdata/user-agents.json")
	require.NoError(t, err)
	var all []labelled
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, 207)
	return all
}

func TestEveryLabelledAgentIsRecognized(t *testing.T) {
	right, versions := 0, 0
	for _, want := range labelledAgents(t) {
		c := RecognizeUserAgent(want.UA)
		got := Client{ID: c.ID, Family: c.Family, Vendor: c.Vendor, Platform: c.Platform, Capability: c.Capability}
		if assert.Equal(t, want.Label, got, want.UA) {
			right++
		}
		if want.Version == "" || c.Version == want.Version {
			versions++
		} else {
			t.Errorf("%s: version %q, want %q", want.UA, c.Version, want.Version)
		}
		if d := want.Decoded; d != nil {
			assert.Equal(t, []any{d.Device, d.Build, d.IOSMajor}, []any{c.Device, c.Version, c.System}, want.UA)
		}
	}
	t.Logf("%d of 207 clients and %d of 207 versions", right, versions)
}

func TestAgentsThatNoRuleKnows(t *testing.T) {
	for _, ua := range []string{"", " ", "x", "\x00\xff", "-", strings.Repeat("a", 1<<20), "OUTLOOK", "Apple-iPhone9C1/xx"} {
		c := RecognizeUserAgent(ua)
		assert.Equal(t, "unknown", c.ID, fmt.Sprintf("%.20q", ua))
		assert.Equal(t, CapabilityUnknown, c.Capability)
	}
	assert.Equal(t, Client{}.Capability, CapabilityUnknown)
}

// A W3C log has plus signs for blanks; what an agent stands for and its version
// are the same.
func TestPlusSigns(t *testing.T) {
	for _, a := range labelledAgents(t) {
		if strings.Contains(a.UA, "+") || !strings.Contains(strings.TrimSpace(a.UA), " ") {
			continue
		}
		assert.Equal(t, recognize(a.UA), recognize(strings.ReplaceAll(a.UA, " ", "+")), a.UA)
	}
	assert.Equal(t, "10.6.8", recognize("Mac+OS+X/10.6.8+(10K549);+ExchangeWebServices/1.3+(61);+Mail/4.6+(1085)").Version)
	assert.Equal(t, "browser", recognize("Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36").ID)
}

func TestOutlookEditions(t *testing.T) {
	for build, want := range map[string]string{"16.0.5254": "msi", "16.0.4266": "msi", "16.0.5561": "msi", "16.0.6326": "click-to-run", "16.0.17928": "click-to-run", "16.0.1": "", "16.0": ""} {
		assert.Equal(t, want, RecognizeUserAgent("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook "+build+"; Pro)").Edition, build)
	}
	assert.Empty(t, RecognizeUserAgent("Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4859; Pro)").Edition)
}

func TestAppleBuilds(t *testing.T) {
	for ua, want := range map[string]string{
		"Apple-iPhone9C1/1505.302":      "15E302",
		"Apple-iPod5C1/1102.55400001":   "11B554a",
		"Apple-iPhone13C2/2401.5390006": "",
		"Apple-iPad/2401.539000006":     "24A5390f",
		"Apple-iPhone/1500.1":           "",
		"Apple-iPhone/1527.1":           "",
	} {
		b, ok := decodeAppleBuild(ua)
		if ua == "Apple-iPhone13C2/2401.5390006" { // the last five digits are 90006, and no letter
			assert.False(t, ok)
			continue
		}
		assert.Equal(t, want != "", ok, ua)
		assert.Equal(t, want, b.text, ua)
	}
	// One build a line of Apple's release notes.
	for build, ios := range map[string]int{"7B67": 3, "11D201": 7, "15E302": 11, "18A373": 14, "20A362": 16, "22A3354": 18, "23A341": 26} {
		var b appleBuild
		_, err := fmt.Sscanf(build, "%d", &b.major)
		require.NoError(t, err)
		assert.Equal(t, ios, b.iOS(), build)
	}
}

func TestRepeatedAgentsAllocateNothing(t *testing.T) {
	agents := labelledAgents(t)
	for _, a := range agents {
		RecognizeUserAgent(a.UA)
	}
	i := 0
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		RecognizeUserAgent(agents[i%len(agents)].UA)
		i++
	}))
}

// What is remembered is bounded, and remembering changes no answer.
func TestRememberingIsBounded(t *testing.T) {
	for i := range 3 * maxRemembered {
		ua := fmt.Sprintf("curl/%d", i)
		require.Equal(t, RecognizeUserAgent(ua), recognize(ua))
	}
	remembered.RLock()
	defer remembered.RUnlock()
	assert.LessOrEqual(t, len(remembered.clients), maxRemembered)
}

func BenchmarkRecognizeUserAgent(b *testing.B) {
	agents := labelledAgents(b)
	b.Run("repeated", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			RecognizeUserAgent(agents[i%len(agents)].UA)
		}
	})
	b.Run("first", func(b *testing.B) {
		for i := range b.N {
			recognize(agents[i%len(agents)].UA)
		}
	})
}

func FuzzRecognizeUserAgent(f *testing.F) {
	for _, a := range labelledAgents(f) {
		f.Add(a.UA)
	}
	f.Fuzz(func(t *testing.T, ua string) {
		c := RecognizeUserAgent(ua)
		if c.ID == "" {
			t.Fatal("no ID")
		}
		if c != recognize(ua) {
			t.Fatal("what is remembered differs from what is recognized")
		}
		if len(c.Version) > 0 && !strings.Contains(ua, c.Version) && c.System == 0 {
			t.Fatalf("version %q is not in the agent", c.Version)
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Client
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
	})
}
