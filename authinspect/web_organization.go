package authinspect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
)

// A Realm is what Entra ID tells of a domain.
type Realm struct {
	NameSpaceType string `json:"nameSpaceType"`       // "Managed", "Federated" or "Unknown"
	Brand         string `json:"brand,omitempty"`     // FederationBrandName
	AuthURL       string `json:"authUrl,omitempty"`   // the identity provider of a federated domain
	Tenant        string `json:"tenant,omitempty"`    // tenant ID, from the OpenID configuration
	TokenIssuer   string `json:"issuer,omitempty"`    // of tokens, from the OpenID configuration
	Cloud         string `json:"cloud,omitempty"`     // cloud_instance_name, such as microsoftonline.com
	AuthorizeURL  string `json:"authorize,omitempty"` // authorization_endpoint
}

// A Located is the answer of Autodiscover v2: where one protocol of the
// caller's mailbox lives, not how it signs in.
type Located struct {
	Asked    string `json:"asked"` // the URL without its query
	Protocol string `json:"protocol"`
	URL      string `json:"url,omitempty"`
	Error    string `json:"error,omitempty"` // why there is no URL
}

// An Unanswered is an endpoint that gave no answer at all.
type Unanswered struct {
	Target string `json:"target"`
	Err    error  `json:"-"`
}

// An unansweredObject is an Unanswered in JSON.
type unansweredObject struct {
	Target string `json:"target"`
	Reason string `json:"reason"`
}

// MarshalJSON returns the target and the reason.
func (u Unanswered) MarshalJSON() ([]byte, error) {
	return json.Marshal(unansweredObject{u.Target, errorText(u.Err)})
}

// UnmarshalJSON reads what MarshalJSON writes; of the error only the text
// comes back.
func (u *Unanswered) UnmarshalJSON(b []byte) error {
	var o unansweredObject
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*u = Unanswered{o.Target, errorOf(o.Reason)}
	return nil
}

// An Organization is what the endpoints of one organization showed. It is a
// plain value; tests may write it as a literal.
type Organization struct {
	Target     string       // the domain or base URL, as given
	Also       string       // the same in ASCII or out of it, where a name has two forms
	At         time.Time    // when the inspection began
	Endpoints  []*Result    // every URL that answered, in the order of the questions
	Unanswered []Unanswered // every URL that did not
	Realm      *Realm       // nil if it was not asked for or gave no answer
	OnlineHost string       // the host at which Exchange Online was asked, or ""
	Located    []Located    // Autodiscover v2, asked only about the caller's mailbox
	Warnings   []string     // what was skipped

	Autodiscover *Autodiscover // the ways by which clients find the servers of a domain; nil if not asked
	Clients      []ADFSClient  // which mail clients the AD FS knows, if it was asked
	ActiveSync   []string      // the versions that ActiveSync names when asked for its options; nil if none
	Requests     int           // HTTP requests that were sent
}

// Schemes returns every scheme of the endpoints in the order given, each once.
func (o *Organization) Schemes() []Scheme {
	var schemes []Scheme
	for _, r := range o.Endpoints {
		for _, s := range r.Schemes {
			if !slices.Contains(schemes, s) {
				schemes = append(schemes, s)
			}
		}
	}
	return schemes
}

// Modern is the verdict on the organization's own servers: on if it is on at
// one of their URLs, off if every one of those that drew a challenge says so,
// and otherwise unknown. URLs that never take tokens, such as Outlook Anywhere
// or AD FS, do not count.
//
// Exchange Online takes tokens for every domain that Entra ID knows, whatever
// the organization's own servers do, and has [Organization.ModernOnline]. Only
// where Exchange Online answers at a name of the organization, and nothing
// else does, this is the verdict on that.
func (o *Organization) Modern() Modern {
	own, atOwnName, _ := o.sides()
	if len(own) == 0 {
		own = atOwnName
	}
	return modernOf(own)
}

// ModernOnline is the verdict on Exchange Online, by the rules of
// [Organization.Modern]: unknown if it was not asked or gave no answer.
func (o *Organization) ModernOnline() Modern {
	_, atOwnName, online := o.sides()
	return modernOf(slices.Concat(atOwnName, online))
}

// sides parts the endpoints that drew a challenge and may take tokens: those
// of the organization's own servers, those of Exchange Online at a name of the
// organization, and those of Exchange Online at its own.
func (o *Organization) sides() (own, atOwnName, online []*Result) {
	for _, r := range o.Endpoints {
		if r == nil || len(r.Schemes) == 0 || !hasModern(r.Target) {
			continue
		}
		u, err := url.Parse(r.Target)
		switch {
		case err == nil && (u.Host == o.OnlineHost && o.OnlineHost != "" || exchangeCloud.MatchString(u.Hostname())):
			online = append(online, r)
		case r.Server.Kind == KindExchangeOnline:
			atOwnName = append(atOwnName, r)
		default:
			own = append(own, r)
		}
	}
	return own, atOwnName, online
}

func modernOf(results []*Result) Modern {
	verdict := ModernUnknown
	for i, r := range results {
		switch {
		case r.Modern == ModernOn:
			return ModernOn
		case i == 0:
			verdict = r.Modern
		case r.Modern != verdict:
			verdict = ModernUnknown
		}
	}
	return verdict
}

// issuerOf returns the first issuer that is known best.
func issuerOf(results []*Result) (issuer *Issuer) {
	for _, r := range results {
		if r.Issuer != nil && (issuer == nil || issuer.Kind == "" && r.Issuer.Kind != "") {
			issuer = r.Issuer
		}
	}
	return issuer
}

// A Row is one line of the matrix path × scheme.
type Row struct {
	Target string     // the URL
	Cells  []Strength // one for each scheme of the matrix
	Modern Modern
}

// Matrix returns, for the given schemes or, if there are none, for those that
// were seen, how strongly each URL offers them.
func (o *Organization) Matrix(schemes ...Scheme) []Row {
	if schemes == nil {
		schemes = o.Schemes()
	}
	rows := make([]Row, 0, len(o.Endpoints))
	for _, r := range o.Endpoints {
		row := Row{Target: r.Target, Modern: r.Modern, Cells: make([]Strength, len(schemes))}
		for i, s := range schemes {
			row.Cells[i] = r.Strength(s)
		}
		rows = append(rows, row)
	}
	return rows
}

// An onlineSide is what stands in JSON about Exchange Online.
type onlineSide struct {
	Host   string  `json:"host,omitempty"`
	Modern Modern  `json:"modern"`
	Issuer *Issuer `json:"issuer"`
}

// MarshalJSON returns an object with the same first fields as a [Result],
// taken over all endpoints; "modern" and "issuer" are about the organization's
// own servers, and those of "online" about Exchange Online. Then come the realm, what Autodiscover located and the
// endpoints themselves.
func (o Organization) MarshalJSON() ([]byte, error) {
	own, atOwnName, online := o.sides()
	if len(own) == 0 {
		own = atOwnName
	}
	diagnostics, warnings := []Diagnostic{}, notNil(slices.Clone(o.Warnings))
	for _, r := range o.Endpoints {
		if r == nil {
			continue
		}
		for _, d := range r.Diagnostics {
			if !slices.Contains(diagnostics, d) {
				diagnostics = append(diagnostics, d)
			}
		}
		for _, w := range r.Warnings {
			warnings = append(warnings, r.Target+": "+w)
		}
	}
	return json.Marshal(organizationObject{o.Target, o.Also, o.At, notNil(o.Schemes()), o.Modern(), issuerOf(own),
		onlineSide{o.OnlineHost, o.ModernOnline(), issuerOf(slices.Concat(online, atOwnName))}, diagnostics, warnings, o.Realm, o.Located, o.Autodiscover, o.Clients,
		o.ActiveSync, o.Requests, notNil(o.Endpoints), o.Unanswered})
}

// An organizationObject is an Organization in JSON.
type organizationObject struct {
	Target       string        `json:"target"`
	Also         string        `json:"also,omitempty"`
	At           time.Time     `json:"at,omitzero"`
	Schemes      []Scheme      `json:"schemes"`
	Modern       Modern        `json:"modern"`
	Issuer       *Issuer       `json:"issuer"`
	Online       onlineSide    `json:"online,omitzero"`
	Diagnostics  []Diagnostic  `json:"diagnostics"`
	Warnings     []string      `json:"warnings"` // those of the organization first, then those of the endpoints
	Realm        *Realm        `json:"realm,omitempty"`
	Located      []Located     `json:"located,omitempty"`
	Autodiscover *Autodiscover `json:"autodiscover,omitempty"`
	Clients      []ADFSClient  `json:"clients,omitempty"`
	ActiveSync   []string      `json:"activeSync,omitempty"`
	Requests     int           `json:"requests,omitempty"`
	Endpoints    []*Result     `json:"endpoints"`
	Unanswered   []Unanswered  `json:"unanswered,omitempty"`
}

// UnmarshalJSON reads what MarshalJSON writes: what is about all endpoints
// follows from them.
func (o *Organization) UnmarshalJSON(b []byte) error {
	var read organizationObject
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	theirs := 0
	for _, r := range read.Endpoints {
		if r != nil {
			theirs += len(r.Warnings)
		}
	}
	*o = Organization{Target: read.Target, Also: read.Also, At: read.At, Endpoints: orNil(read.Endpoints), Unanswered: read.Unanswered, Realm: read.Realm,
		OnlineHost: read.Online.Host, Located: read.Located, Autodiscover: read.Autodiscover, Clients: read.Clients, ActiveSync: read.ActiveSync, Requests: read.Requests,
		Warnings: orNil(read.Warnings[:max(0, len(read.Warnings)-theirs)])}
	return nil
}

// AssessOrganization judges every endpoint of an organization for the day at,
// as [Assess] does, in the order of the endpoints; what follows from the build
// of a server is said once for each host, with its address for a subject. An
// endpoint that gave no answer is Unknown.
func AssessOrganization(o *Organization, at time.Time) []crossprem.Finding {
	if o == nil {
		return Assess(nil, at)
	}
	var findings []crossprem.Finding
	var hosts []string
	servers := make(map[string]Server)
	for _, r := range o.Endpoints {
		if r == nil {
			r = &Result{}
		}
		findings = append(findings, assessURL(r, at)...)
		host := hostOf(r.Target)
		known, again := servers[host]
		if !again {
			hosts = append(hosts, host)
		}
		servers[host] = weaker(known, r.Server)
	}
	for _, host := range hosts {
		findings = append(findings, serverFindings(host, servers[host], at)...)
	}
	findings = append(findings, assessWays(o)...)
	for _, u := range o.Unanswered {
		findings = append(findings, basicOffered.Unknown(subjectOf(u.Target), "").
			Explain("The URL gave no answer: {reason}.", crossprem.Val("reason", printable(fmt.Sprint(u.Err)))))
	}
	return findings
}

// hostOf returns a URL without its path.
func hostOf(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return subjectOf(target)
}

// weaker returns the one of two descriptions of one host that shows the lower
// build, or else the one that shows more: several servers may answer there.
func weaker(a, b Server) Server {
	switch {
	case b.Kind != KindExchange:
		if a.Kind == "" {
			return b
		}
		return a
	case a.Kind != KindExchange:
		return b
	}
	x, okX := parseBuild(a.Version)
	y, okY := parseBuild(b.Version)
	if okY && (!okX || x.parts < y.parts || x.parts == y.parts && y.compare(x) < 0) {
		return b
	}
	return a
}
