package hybridoauth

import _ "embed"

//go:embed data/collect.ps1
var collectScript string

// CollectScript returns a PowerShell script that captures everything that the
// rules look at into a folder, for [ReadConfiguration]. It runs cmdlets that
// read, and none that write. It needs the Exchange Management Shell for the
// Exchange servers, Connect-ExchangeOnline for Exchange Online and
// Connect-MgGraph for Entra ID, and captures those of the three that are there.
// Its first lines say what it leaves out so that nothing secret is captured.
func CollectScript() string { return collectScript }
