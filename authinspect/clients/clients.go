// Package clients answers which client a user agent stands for, how an Outlook
// signed in, and what becomes of each client when Basic authentication goes.
//
// [RecognizeUserAgent] reads a User-Agent field, [ParseConnectionStatus] what
// Outlook's dialog shows, [ReadOutlookSettings] the registry values that
// decide how an Outlook signs in, and [SignInWindow] a description of the
// window that asks for the password. [Impact] then says for a place of the
// mailbox and a day what goes on, goes over to tokens, falls back, has to be
// set up again or stops, and [Compare] holds that against what somebody tried.
// [SignInPath] lists who authenticates whom, and on which side a password is
// seen.
//
// A user agent is what the client claims. It can be forged, and attack tools
// and gateways do so; and apart from three markers that Entra ID writes itself
// (BAV2ROPC, CBAInPROD and CBAInTAR) it never says which authentication was
// used. What it stands for is therefore a label, and [Capability] what that
// client could do, not what it did.
//
// Nothing here does any I/O but [LiveOutlookSettings]. All functions may be
// called by several goroutines.
package clients

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// AsOf is the day on which the tables were last compared with their sources.
const AsOf = "2026-11-25"

// A Client is what a user agent stands for. The zero value stands for nothing:
// no agent was looked at.
type Client struct {
	// ID names the client, such as "outlook-win-16" or "ios-mail". It is
	// "unknown" if no rule knows the agent, and "" in the zero value.
	ID       string `json:"client"`
	Family   string `json:"family,omitempty"`   // such as "outlook-windows"; several clients share one
	Vendor   string `json:"vendor,omitempty"`   // such as "Microsoft", or "various"
	Platform string `json:"platform,omitempty"` // such as "windows", "ios", "server" or "any"

	// Capability is what the client can do. Where the agent shows a version
	// that settles it, it is that version's.
	Capability Capability `json:"capability"`

	Version string `json:"version,omitempty"` // as the agent names it; of Apple's ActiveSync agents the decoded build
	Device  string `json:"device,omitempty"`  // of Apple's ActiveSync agents, such as "iPhone9,1"
	System  int    `json:"system,omitempty"`  // the major version of iOS that Apple's build belongs to, or 0

	// Edition is "msi" for Outlook 2016 as volume licences have it, and
	// "click-to-run" for the others of version 16, where the build tells.
	Edition string `json:"edition,omitempty"`
}

// A Capability is how a client can sign in. In text and JSON it is one of
// "unknown", "basic-only", "modern-capable", "modern-if-configured",
// "modern-only", "by-version", "by-setting", "app-decides",
// "server-to-server", "marker-legacy", "browser" and "not-exchange".
type Capability uint8

const (
	CapabilityUnknown  Capability = iota
	BasicOnly                     // never tokens
	ModernCapable                 // tokens, and passwords too
	ModernIfConfigured            // tokens only where a setting says so
	ModernOnly                    // tokens alone
	ByVersion                     // it depends on a version that the agent does not settle
	BySetting                     // it depends on a setting of the device
	AppDecides                    // a library or tool: the application decides
	ServerToServer                // no user signs in
	MarkerLegacy                  // written by Entra ID for legacy authentication
	Browser                       // a web browser, or what looks like one
	NotExchange                   // speaks another protocol
)

var capabilityTexts = enum.Of[Capability]("clients: capability", "unknown", "basic-only", "modern-capable", "modern-if-configured",
	"modern-only", "by-version", "by-setting", "app-decides", "server-to-server", "marker-legacy", "browser", "not-exchange")

// String returns a text such as "basic-only".
func (c Capability) String() string { return capabilityTexts.String(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Capability) MarshalText() ([]byte, error) { return capabilityTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *Capability) UnmarshalText(text []byte) error { return capabilityTexts.Unmarshal(c, text) }

//go:embed data/clients.json
var clientsJSON []byte

// day is a day in the tables.
type day struct{ time.Time }

func (d *day) UnmarshalJSON(text []byte) (err error) {
	d.Time, err = time.Parse(`"`+time.DateOnly+`"`, string(text))
	return err
}

var table = sync.OnceValue(func() *clientTable {
	t := new(clientTable)
	if err := json.Unmarshal(clientsJSON, t); err != nil {
		panic(fmt.Sprintf("clients: the embedded table: %v", err)) // a test reads it
	}
	return t
})

type clientTable struct {
	Sources    map[string]string
	Rows       []rowJSON
	Tested2020 []testedJSON
}

type rowJSON struct {
	ID, Name, Platform string
	Protocols          []string
	ExchangeOnline     []stepJSON
	Scenarios          map[string]stepJSON
	Remedy, Notes      string
	Evidence           string
	Confidence         string
	Sources            []string
	UserAgents         []string
}

type stepJSON struct {
	From    day
	Outcome Outcome
	Why     string
}

type testedJSON struct {
	Client, Row, Reason string
	Hosting             Hosting
	Day                 day
	Outcome             Outcome
}

// sources returns the documents behind keys of the table.
func (t *clientTable) sources(keys []string) []string {
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		names = append(names, t.Sources[key])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
