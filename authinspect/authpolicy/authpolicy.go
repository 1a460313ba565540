// Package authpolicy answers whether a user may use a protocol with Basic,
// modern or Windows authentication on a day, and who decided it.
//
// [Facts] are what is known of one user and one protocol; [Facts.Decide]
// applies, in this order, what the service has ended by the day, the switches
// of mailbox and organization, what the server offers, the authentication
// policy, security defaults and Conditional Access. [Read] collects the facts
// of an organization from exports of PowerShell and Microsoft Graph, and
// [Policies.Effective] puts the two together.
//
// The defaults of the two worlds are opposite: an authentication policy of
// Exchange Online without any switch blocks Basic for every protocol, one of
// Exchange Server without any switch blocks nothing. A user's own policy takes
// the place of the organization's default; the two are not merged.
//
// What is not known is unknown, and not the default: an export that lacks a
// switch may have been made by somebody who may not see it. An answer is
// certain all the same where another step blocks whatever the switch says.
//
// Nothing here runs a command. Commands in answers are texts for a person.
package authpolicy

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// AsOf is the day on which the model was last compared with its sources.
const AsOf = "2026-11-25"

// A Protocol is a way to a mailbox. In text and JSON it is one of "unknown",
// "activesync", "autodiscover", "imap", "mapi", "oab", "outlookservice",
// "pop", "powershell", "reporting", "rpc", "smtp" and "ews".
type Protocol uint8

const (
	ProtocolUnknown Protocol = iota
	ActiveSync
	Autodiscover
	IMAP
	MAPI           // MAPI over HTTP
	OAB            // the offline address book
	OutlookService // of Windows Mail and Outlook for iOS and Android
	POP
	PowerShell
	Reporting // the Reporting web services
	RPC       // Outlook Anywhere
	SMTP      // authenticated client submission
	EWS
)

var protocolTexts = enum.Of[Protocol]("authpolicy: protocol", "unknown", "activesync", "autodiscover", "imap", "mapi", "oab", "outlookservice",
	"pop", "powershell", "reporting", "rpc", "smtp", "ews").Also("imap4", IMAP).Also("pop3", POP).Also("eas", ActiveSync)

// String returns a text such as "imap".
func (p Protocol) String() string { return protocolTexts.String(p) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (p Protocol) MarshalText() ([]byte, error) { return protocolTexts.Marshal(p) }

// UnmarshalText accepts what MarshalText gives.
func (p *Protocol) UnmarshalText(text []byte) error { return protocolTexts.Unmarshal(p, text) }

// Protocols returns the protocols of the model; the slice is the caller's.
func Protocols() []Protocol {
	all := make([]Protocol, 0, EWS)
	for p := ActiveSync; p <= EWS; p++ {
		all = append(all, p)
	}
	return all
}

// AllowBasic returns the parameter of an authentication policy of Exchange
// Online that lets Basic through for p, such as "AllowBasicAuthImap", and ""
// for an unknown protocol.
func (p Protocol) AllowBasic() string { return p.row().EXOParameter }

// BlockLegacy and BlockModern return the parameters of Exchange Server, and ""
// where there is none for p.
func (p Protocol) BlockLegacy() string { return p.row().OnPremLegacyParameter }

// BlockModern is described at BlockLegacy.
func (p Protocol) BlockModern() string { return p.row().OnPremModernParameter }

func (p Protocol) row() protocolJSON {
	for _, row := range model().Protocols {
		if row.ID == p {
			return row
		}
	}
	return protocolJSON{}
}

// A Milestone is a day on which Exchange Online changes what it takes.
type Milestone struct {
	ID         string     // such as "exo-basic-off"
	Day        time.Time  // midnight UTC
	Says       string     // what changes
	Decides    bool       // whether a verdict follows from it; others are only told beside
	Protocols  []Protocol // which it concerns; all if empty
	Sources    []string
	Confidence string // "high" or "medium"
}

// Milestones returns the days that Microsoft has announced, in their order.
// The slice is the caller's.
func Milestones() []Milestone {
	var all []Milestone
	for _, m := range model().Milestones {
		day, err := time.Parse(time.DateOnly, m.Day)
		if err != nil {
			panic(fmt.Sprintf("authpolicy: the embedded milestones: %v", err)) // a test reads them
		}
		all = append(all, Milestone{m.ID, day, m.Says, m.Decides, slices.Clone(m.Protocols), slices.Clone(m.Sources), m.Confidence})
	}
	return all
}

type protocolJSON struct {
	ID                    Protocol
	Name                  string
	EXOParameter          string
	OnPremLegacyParameter string
	OnPremModernParameter string
	MailboxSwitch         string
}

//go:embed data/model.json
var modelJSON []byte

var model = sync.OnceValue(func() *modelTable {
	t := new(modelTable)
	if err := json.Unmarshal(modelJSON, t); err != nil {
		panic(fmt.Sprintf("authpolicy: the embedded model: %v", err)) // a test reads it
	}
	return t
})

type modelTable struct {
	Protocols  []protocolJSON
	Milestones []struct {
		Day, ID, Says, Confidence string
		Decides                   bool
		Protocols                 []Protocol
		Sources                   []string
	}
}
