package connectversion

import (
	"errors"

	"github.com/crossprem/crossprem"
)

// ErrNotWindows reports that Local was called on another system.
var ErrNotWindows = errors.New("connectversion: only a Windows machine can be asked for its own evidence")

// A Machine is what one machine, or a folder of evidence from it, shows.
type Machine struct {
	Evidence []Evidence `json:"evidence"`
	Facts    Facts      `json:"facts"`

	// NotUnderstood lists the files of a folder from which nothing was taken,
	// or not everything, sorted by name.
	NotUnderstood []Unread `json:"notUnderstood,omitempty"`
}

// Unread is a file of which something was not understood.
type Unread struct {
	File string `json:"file"`
	Why  string `json:"why"` // one line
}

// FactsOf returns what m tells of one installation. Of a server other than the
// machine itself, such as a domain controller that is registered in the
// directory, it tells no more than the name and the cloud.
func (m Machine) FactsOf(i Installed) Facts {
	f := m.Facts
	if i.Server != "" && !sameServer(i.Server, m.Facts.Server) {
		f = Facts{Server: i.Server, Cloud: m.Facts.Cloud, ProxyAutoUpgrade: m.Facts.ProxyAutoUpgrade}
	}
	if i.Product != ConnectSync { // what its cmdlets said is not about the others
		f.AutoUpgrade, f.AutoUpgradeDetail, f.SchedulerStopped, f.EditedConfig = UnknownAutoUpgrade, "", crossprem.AnswerUnknown, crossprem.AnswerUnknown
		f.Authentication, f.Staging, f.ImportAPI, f.ExportAPI = UnknownAuthentication, crossprem.AnswerUnknown, 0, 0
	}
	switch i.Product {
	case HealthAgent:
		f.HealthRole = i.Component
	case PasswordProtection:
		f.Component = i.Component
		if i.Component == "proxy" {
			f.AutoUpgrade = map[crossprem.Answer]AutoUpgradeState{crossprem.Yes: AutoUpgradeEnabled, crossprem.No: AutoUpgradeDisabled}[f.ProxyAutoUpgrade]
		}
	}
	return f
}

// Local reads the evidence of the Windows machine it runs on: uninstall keys,
// the version resources of the programs under Program Files, .NET, Windows and
// the TLS settings. It changes nothing, and needs no rights beyond reading.
//
// What cannot be read is told by the error, beside the rest. On another system
// the error is [ErrNotWindows].
func Local() (Machine, error) { return local() }
