package authinspect

// Kinds of issuers and servers.
const (
	KindEntra          = "entra"           // issuer: Entra ID in any cloud
	KindADFS           = "adfs"            // issuer or server: Active Directory Federation Services
	KindOther          = "other"           // issuer: named, and none of the above
	KindExchange       = "exchange"        // server: Exchange on premises
	KindExchangeOnline = "exchange-online" // server: Exchange Online
	KindGromox         = "gromox"          // server: Gromox (grommunio), which passes for Exchange
)

// A Server is what an endpoint tells of its software. Every field may be
// empty, and every one may be a proxy's.
type Server struct {
	Kind     string `json:"kind,omitempty"`     // KindExchange, KindExchangeOnline or KindADFS; "" if not recognised
	Product  string `json:"product,omitempty"`  // such as "Exchange Server SE"
	Version  string `json:"version,omitempty"`  // such as "15.2.2562.17", without leading zeros
	Release  string `json:"release,omitempty"`  // of that version in the table of builds, such as "CU15 Dec25SU" or "at least CU15 Dec25SU"
	Software string `json:"software,omitempty"` // the Server field
	FrontEnd string `json:"frontEnd,omitempty"` // the X-FEServer field: an internal name
}

// setBuild fills in product, version and release of an Exchange server.
func (s *Server) setBuild(version string) {
	s.Kind, s.Product = KindExchange, "Exchange Server"
	if b, ok := LookUpExchangeBuild(version); ok {
		s.Product, s.Version, s.Release = b.Product, b.Build, b.Release
		if b.AtLeast && b.Release != "" {
			s.Release = "at least " + b.Release
		}
	}
}
