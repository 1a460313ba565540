package clients

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/user-agents.json
var userAgentsJSON []byte

const (
	maxAgent = 2048 // bytes of an agent that are looked at; none that was seen is half as long

	// What is remembered of agents that were seen: logs repeat a few hundred.
	maxRemembered      = 4096
	maxRememberedAgent = 512 // bytes
)

type agentRule struct {
	client  Client
	pattern *regexp.Regexp
	version []*regexp.Regexp // tried in this order: the first group is the version
}

// plainVersion finds the number behind the words that a rule matched.
var plainVersion = regexp.MustCompile(`[/ -]v?(\d[0-9A-Za-z._]*)`)

var agentRules = sync.OnceValue(func() []agentRule {
	var raw struct {
		Clients map[string]Client
		Rules   []struct {
			Client, Pattern string
			Version         []string
		}
	}
	err := json.Unmarshal(userAgentsJSON, &raw)
	if err != nil {
		panic(fmt.Sprintf("clients: the embedded rules: %v", err)) // a test reads them
	}
	rules := make([]agentRule, 0, len(raw.Rules))
	for _, r := range raw.Rules {
		rule := agentRule{client: raw.Clients[r.Client], pattern: regexp.MustCompile(r.Pattern)}
		rule.client.ID = r.Client
		for _, v := range r.Version {
			rule.version = append(rule.version, regexp.MustCompile(v))
		}
		rules = append(rules, rule)
	}
	return rules
})

// remembered holds the agents that were recognized lately.
var remembered = struct {
	sync.RWMutex
	clients map[string]Client
}{clients: make(map[string]Client)}

// RecognizeUserAgent returns the client that ua, the content of a User-Agent
// field, claims to be. Rules are tried in their order, and the first that fits
// decides. An agent that no rule knows, an empty one among them, has the ID
// "unknown". Of a longer agent the first 2,048 bytes count.
//
// Agents are taken as HTTP carries them and as a W3C log has them, with plus
// signs for blanks. What is recognized is remembered for a bounded number of agents, so that
// logs, which repeat themselves, cost a look-up each.
//
// Source of the rules: agents in public collections and vendors' pages, as of
// [AsOf].
func RecognizeUserAgent(ua string) Client {
	if len(ua) <= maxRememberedAgent {
		remembered.RLock()
		c, ok := remembered.clients[ua]
		remembered.RUnlock()
		if ok {
			return c
		}
		ua = strings.Clone(ua) // the client's parts are kept, the caller's buffer is not
	}
	c := recognize(ua)
	if len(ua) <= maxRememberedAgent {
		remembered.Lock()
		if len(remembered.clients) >= maxRemembered {
			clear(remembered.clients)
		}
		remembered.clients[ua] = c
		remembered.Unlock()
	}
	return c
}

func recognize(ua string) Client {
	ua = strings.TrimSpace(ua)
	if len(ua) > maxAgent {
		ua = strings.Clone(ua[:maxAgent])
	}
	// In a W3C log plus signs stand for blanks. Where there are plus signs and no
	// blank, that is tried first; an agent that is none then may hold them itself.
	if strings.Contains(ua, "+") && !strings.Contains(ua, " ") {
		if c, ok := byRules(strings.TrimSpace(strings.ReplaceAll(ua, "+", " "))); ok {
			return c
		}
	}
	if c, ok := byRules(ua); ok {
		return c
	}
	return Client{ID: "unknown"}
}

// byRules returns what the first rule says that fits ua, and whether one does.
func byRules(ua string) (Client, bool) {
	for _, rule := range agentRules() {
		at := rule.pattern.FindStringIndex(ua)
		if at == nil {
			continue
		}
		c := rule.client
		c.Version = rule.versionIn(ua, at[0])
		c.refine(ua)
		return c, true
	}
	return Client{}, false
}

// versionIn returns the version in an agent whose words the rule found at an
// index, or "".
func (r *agentRule) versionIn(ua string, at int) string {
	if r.version == nil {
		if m := plainVersion.FindStringSubmatch(ua[at:]); m != nil {
			return strings.TrimRight(m[1], ".")
		}
	}
	for _, re := range r.version {
		if m := re.FindStringSubmatch(ua); m != nil {
			return strings.TrimRight(m[1], ".")
		}
	}
	return ""
}

// refine completes c by what a version tells.
func (c *Client) refine(ua string) {
	switch c.ID {
	case "ios-mail":
		if build, ok := decodeAppleBuild(ua); ok {
			c.Version, c.Device, c.System = build.text, build.device, build.iOS()
			c.Capability = BasicOnly
			if build.modern() {
				c.Capability = ModernCapable
			}
		}
	case "outlook-win-16":
		// The MSI edition of 2016 has builds from 4266 to below 6000; those of
		// Click-to-Run began at 6001 and have five digits since 10228. Source:
		// Microsoft, Update history for Microsoft 365 Apps; Outlook 2016 updates.
		if parts := strings.Split(c.Version, "."); len(parts) >= 3 && parts[0] == "16" {
			switch build, err := strconv.Atoi(parts[2]); {
			case err != nil || build < 4266:
			case build < 6000:
				c.Edition = "msi"
			default:
				c.Edition = "click-to-run"
			}
		}
	}
}

// number returns the number that a version begins with: 10 and 14 of "10.14.6".
func number(version string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	second, _, _ := strings.Cut(rest, ".")
	minor, _ = strconv.Atoi(second)
	return major, minor, err == nil
}
