package connectversion

import (
	"errors"
)

// ErrNotWindows reports that Local was called on another system.
var ErrNotWindows = errors.New("connectversion: only a Windows machine can be asked for its own evidence")

// A Machine is what one machine, or a folder of evidence from it, shows.
type Machine struct {
	Evidence []Evidence
	Facts    Facts
}

// Local reads the evidence of the Windows machine it runs on: uninstall keys,
// the version resources of the programs under Program Files, .NET, Windows and
// the TLS settings. It changes nothing, and needs no rights beyond reading.
//
// What cannot be read is told by the error, beside the rest. On another system
// the error is [ErrNotWindows].
func Local() (Machine, error) { return local() }
