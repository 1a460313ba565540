package authinspect

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// An Issuer is the sign-in service that a Bearer challenge names.
type Issuer struct {
	Kind             string   `json:"kind,omitempty"`             // KindEntra, KindADFS or KindOther; "" if not known
	AuthorizationURI string   `json:"authorizationUri,omitempty"` // where a client sends its user
	Tenant           string   `json:"tenant,omitempty"`           // Entra tenant ID; "" if none or any
	TrustedIssuers   []string `json:"trustedIssuers,omitempty"`   // application@tenant, as listed
	ClientID         string   `json:"clientId,omitempty"`         // the server's own application ID
}

// namesSignIn reports whether a Bearer challenge says where tokens come from:
// by address, by kind, or by the star that stands for any tenant of Exchange
// Online.
func namesSignIn(ch Challenge) bool {
	uri, _ := ch.Param("authorization_uri")
	kind, _ := ch.Param("issuer_kind")
	trusted, _ := ch.Param("trusted_issuers")
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && u.Host != "" || kind != "" || strings.HasSuffix(trusted, "@*")
}

var (
	guid      = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	entraHost = regexp.MustCompile(`(?i)^(?:login\.windows\.net|login\.microsoftonline\.(?:com|us|de)|login\.partner\.microsoftonline\.cn|login\.chinacloudapi\.cn|sts\.windows\.net)$`)
	adfsPath  = regexp.MustCompile(`(?i)^/adfs/`)
)

// Entra ID's own application in trusted_issuers, worldwide and in China.
const (
	entraIssuer      = "00000001-0000-0000-c000-000000000000"
	entraIssuerChina = "00000001-0002-0000-c000-000000000000"
)

// readIssuer reads what one Bearer challenge tells of the sign-in service.
// One that tells nothing leaves no issuer.
func (c *conclusion) readIssuer(step Step, ch Challenge) {
	issuer := c.Issuer
	if issuer == nil {
		issuer = &Issuer{}
		defer func() {
			if issuer.Kind+issuer.AuthorizationURI+issuer.Tenant+issuer.ClientID != "" || issuer.TrustedIssuers != nil {
				c.Issuer = issuer
			}
		}()
	}
	set := func(field *string, value string) {
		value = shorten(value)
		switch {
		case value == "" || *field == value:
		case *field == "":
			*field = value
		default:
			c.warn(step, "Bearer names %s where another answer named %s", value, *field)
		}
	}
	param := func(name string) string { v, _ := ch.Param(name); return v }
	set(&issuer.ClientID, param("client_id"))
	if uri := param("authorization_uri"); uri != "" {
		set(&issuer.AuthorizationURI, uri)
		u, err := url.Parse(uri)
		switch {
		case err != nil || u.Host == "":
			c.warn(step, "authorization_uri is no address: %s", shorten(uri))
		case u.Scheme != "https":
			c.warn(step, "authorization_uri is not https: %s", shorten(uri))
		case entraHost.MatchString(u.Hostname()):
			set(&issuer.Kind, KindEntra)
			if tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/"); guid.MatchString(tenant) {
				set(&issuer.Tenant, tenant)
			}
		case adfsPath.MatchString(u.Path) && (strings.EqualFold(param("issuer_kind"), "ADFS") || domainOf(u.Hostname()) == c.domain()):
			// A path alone proves nothing.
			set(&issuer.Kind, KindADFS)
		default:
			set(&issuer.Kind, KindOther)
		}
	}
	switch kind := param("issuer_kind"); {
	case kind == "":
	case strings.EqualFold(kind, "ADFS"):
		set(&issuer.Kind, KindADFS)
	case strings.EqualFold(kind, "AzureAD"):
		set(&issuer.Kind, KindEntra)
	default:
		set(&issuer.Kind, KindOther)
		c.warn(step, "issuer_kind is not known: %s", shorten(kind))
	}
	for trusted := range strings.SplitSeq(param("trusted_issuers"), ",") {
		trusted = strings.TrimSpace(trusted)
		if trusted == "" || slices.Contains(issuer.TrustedIssuers, shorten(trusted)) {
			continue
		}
		if len(issuer.TrustedIssuers) == maxListed {
			c.warn(step, "more than %d trusted issuers; the rest is left out", maxListed)
			break
		}
		issuer.TrustedIssuers = append(issuer.TrustedIssuers, shorten(trusted))
		application, tenant, _ := strings.Cut(trusted, "@")
		if application == entraIssuer || application == entraIssuerChina {
			if issuer.Kind == "" && (tenant == "*" || namesSignIn(ch)) {
				issuer.Kind = KindEntra
			}
			if guid.MatchString(tenant) {
				set(&issuer.Tenant, tenant)
			}
		}
	}
}

// domain returns the domain of the organization whose server answered: that
// of the target, or else of a host that the server calls itself, or "".
func (c *conclusion) domain() string {
	if u, err := url.Parse(c.Target); err == nil && u.Host != "" {
		return domainOf(u.Hostname())
	}
	return domainOf(c.signs.ownName)
}
