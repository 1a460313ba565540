package connectversion

import (
	"fmt"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Product is one of the six that the catalogue knows. Version numbers
// collide between them (1.5.402.0 is a pass-through agent and a connector),
// so a version means nothing without its product.
type Product uint8

const (
	UnknownProduct          Product = iota
	ConnectSync                     // Microsoft Entra Connect Sync, once Azure AD Connect
	CloudSync                       // Microsoft Entra provisioning agent, used by Cloud Sync
	HealthAgent                     // Microsoft Entra Connect Health agent, for AD FS, AD DS or Sync
	PrivateNetworkConnector         // Microsoft Entra private network connector, once application proxy connector
	PasswordProtection              // Microsoft Entra Password Protection: DC agent and proxy share a number
	PassThroughAgent                // Microsoft Entra pass-through authentication agent

	products // how many
)

var productTexts = enum.Of[Product]("connectversion: product", "unknown", "connect-sync", "cloud-sync", "health-agent",
	"private-network-connector", "password-protection", "pass-through-agent")

var productTitles = [products]string{
	UnknownProduct:          "unknown product",
	ConnectSync:             "Entra Connect Sync",
	CloudSync:               "Entra provisioning agent (Cloud Sync)",
	HealthAgent:             "Entra Connect Health agent",
	PrivateNetworkConnector: "Entra private network connector",
	PasswordProtection:      "Entra Password Protection",
	PassThroughAgent:        "Entra pass-through authentication agent",
}

// Products returns the six known products.
func Products() []Product {
	var all []Product
	for p := UnknownProduct + 1; p < products; p++ {
		all = append(all, p)
	}
	return all
}

// String returns the name that ParseProduct reads, such as "connect-sync".
func (p Product) String() string { return productTexts.String(p) }

// Title returns a name for people, such as "Entra Connect Sync".
func (p Product) Title() string {
	if p < products {
		return productTitles[p]
	}
	return p.String()
}

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (p Product) MarshalText() ([]byte, error) { return productTexts.Marshal(p) }

// UnmarshalText accepts what MarshalText gives.
func (p *Product) UnmarshalText(text []byte) error { return productTexts.Unmarshal(p, text) }

// ParseProduct reads one of the names that Products have, such as "connect-sync".
func ParseProduct(name string) (Product, error) {
	var p Product
	if err := p.UnmarshalText([]byte(name)); err != nil || p == UnknownProduct {
		return UnknownProduct, fmt.Errorf("connectversion: no such product: %.40q", name)
	}
	return p, nil
}
