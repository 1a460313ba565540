package authinspect

import (
	"strconv"
	"strings"
)

// Kinds of issuers and servers.
const (
	KindEntra          = "entra"           // issuer: Entra ID in any cloud
	KindADFS           = "adfs"            // issuer or server: Active Directory Federation Services
	KindOther          = "other"           // issuer: named, and none of the above
	KindExchange       = "exchange"        // server: Exchange on premises
	KindExchangeOnline = "exchange-online" // server: Exchange Online
)

// A Server is what an endpoint tells of its software. Every field may be
// empty, and every one may be a proxy's.
type Server struct {
	Kind     string `json:"kind,omitempty"`     // KindExchange, KindExchangeOnline or KindADFS; "" if not recognised
	Product  string `json:"product,omitempty"`  // such as "Exchange Server SE"
	Version  string `json:"version,omitempty"`  // such as "15.2.2562.17"
	Software string `json:"software,omitempty"` // the Server field
	FrontEnd string `json:"frontEnd,omitempty"` // the X-FEServer field: an internal name
}

// exchangeProduct names the product of a build ("Exchange Server build
// numbers and release dates", learn.microsoft.com). SE began with 15.2.2562.
func exchangeProduct(version string) string {
	parts := strings.Split(version, ".")
	if len(parts) != 4 {
		return "Exchange Server"
	}
	build, _ := strconv.Atoi(parts[2])
	switch {
	case parts[1] == "0":
		return "Exchange Server 2013"
	case parts[1] == "1":
		return "Exchange Server 2016"
	case parts[1] == "2" && build < 2562:
		return "Exchange Server 2019"
	case parts[1] == "2":
		return "Exchange Server SE"
	}
	return "Exchange Server"
}
