package authinspect

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/crossprem/crossprem"
)

// Autodiscover is by which ways clients find the servers of a domain, as far
// as that can be seen without signing in ("Autodiscover service in Exchange
// Server", learn.microsoft.com; [MS-OXDISCO] §3.1.5).
type Autodiscover struct {
	// SRV are the targets of _autodiscover._tcp, as host:port in the order in
	// which clients try them, and MX the mail servers of the domain. DNS says
	// whether the questions were answered, by a "no such name" too.
	DNS crossprem.Answer `json:"dns"`
	SRV []string         `json:"srv,omitempty"`
	MX  []string         `json:"mx,omitempty"`

	// MailOnline is whether mail for the domain goes to Exchange Online first,
	// by the names in MX. A gateway in front hides it.
	MailOnline crossprem.Answer `json:"mailOnline"`

	// Redirect is what the autodiscover host of the domain says on port 80,
	// where clients ask for nothing but an address.
	Redirect AutodiscoverAnswer `json:"redirect"`

	// Posts are the answers to the request of clients without credentials: it
	// names the caller's mailbox, if there is one and the TLS is trusted.
	Posts []AutodiscoverAnswer `json:"posts,omitempty"`
}

// An AutodiscoverAnswer is one answer of an Autodiscover server.
type AutodiscoverAnswer struct {
	Asked  string `json:"asked"`
	Status int    `json:"status,omitempty"` // 0 if there was no answer; Error then says why

	// Shape is what the answer is: "challenge" (401), "redirect" (3xx), "error"
	// (with Code, such as 600), "redirect-address", "redirect-url", "settings",
	// "html", or "other".
	Shape    string `json:"shape,omitempty"`
	Code     string `json:"code,omitempty"`
	Location string `json:"location,omitempty"` // where a redirect leads, without its query
	Error    string `json:"error,omitempty"`
}

// cloudMail is the end of the names of Exchange Online in MX records.
var cloudMail = regexp.MustCompile(`(?i)(?:\.mail\.protection\.outlook\.com|\.mx\.microsoft|\.mail\.protection\.partner\.outlook\.cn|\.mail\.protection\.office365\.us)\.?$`)

// autodiscover asks by which ways the domain is found.
func (v *visit) autodiscover() {
	a := &Autodiscover{}
	v.mu.Lock()
	v.o.Autodiscover = a
	v.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() { v.records(a) })
	all.Go(func() { v.redirect(a) })
	posts := make([]AutodiscoverAnswer, 0, len(v.bases))
	for _, base := range v.bases {
		if base.Scheme == "https" {
			posts = append(posts, AutodiscoverAnswer{Asked: base.String() + autodiscoverPaths[0]})
		}
	}
	for i := range posts {
		all.Go(func() { v.post(&posts[i]) })
	}
	all.Go(func() { v.options(v.bases[0]) })
	all.Wait()
	a.Posts = posts
}

// records asks DNS for the SRV record of Autodiscover and for mail servers.
func (v *visit) records(a *Autodiscover) {
	resolver := v.resolver()
	if resolver == nil {
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, v.timeout())
	defer cancel()
	_, srv, errSRV := resolver.LookupSRV(ctx, "autodiscover", "tcp", v.name)
	mx, errMX := resolver.LookupMX(ctx, v.name)
	failed := false
	for what, err := range map[string]error{"SRV": errSRV, "MX": errMX} {
		if none := (*net.DNSError)(nil); err != nil && !(errors.As(err, &none) && none.IsNotFound) {
			v.warn("the %s records of %s are not known: %v", what, v.name, err)
			failed = true
		}
	}
	a.DNS = crossprem.AnswerOf(!failed)
	for _, record := range srv[:min(len(srv), maxListed)] {
		host := strings.ToLower(strings.TrimSuffix(record.Target, "."))
		if host == "" { // RFC 2782: the service is decidedly not available
			continue
		}
		a.SRV = append(a.SRV, shorten(net.JoinHostPort(host, strconv.Itoa(int(record.Port)))))
		v.lead("the SRV record", &url.URL{Scheme: "https", Host: host})
	}
	for _, record := range mx[:min(len(mx), maxListed)] {
		a.MX = append(a.MX, shorten(strings.TrimSuffix(record.Host, ".")))
	}
	if len(mx) > 0 {
		a.MailOnline = crossprem.AnswerOf(cloudMail.MatchString(mx[0].Host))
	}
}

// redirect asks on port 80, as clients do last.
func (v *visit) redirect(a *Autodiscover) {
	u := &url.URL{Scheme: "http", Host: "autodiscover." + v.name, Path: autodiscoverPaths[0]}
	r := AutodiscoverAnswer{Asked: u.String()}
	resp, _, err := v.public(http.MethodGet, v.loose, u, nil, "")
	r.fill(resp, nil, err)
	a.Redirect = r
	if r.Location != "" {
		if to, err := url.Parse(r.Location); err == nil && to.Host != "" {
			v.lead("the redirect on port 80", to)
		}
	}
}

// lead asks the Autodiscover of a host that DNS or port 80 named, on port 443
// alone: one of the organization, or of Exchange Online.
func (v *visit) lead(what string, u *url.URL) {
	if u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") && exchangeCloud.MatchString(u.Hostname()) {
		v.guard(u.Hostname(), v.targetLocal())
	} else if !v.mayFollow(what, u) {
		return
	}
	v.visit(rankLocated, &url.URL{Scheme: "https", Host: u.Hostname()}, autodiscoverPaths)
}

// post sends the request of clients.
func (v *visit) post(a *AutodiscoverAnswer) {
	u, err := url.Parse(a.Asked)
	if err != nil {
		a.Error = "no URL"
		return
	}
	content := ""
	if v.Mailbox != "" {
		var address strings.Builder
		_ = xml.EscapeText(&address, []byte(v.Mailbox)) // a Builder takes everything
		content = `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>` +
			address.String() + `</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>`
	}
	resp, body, err := v.public(http.MethodPost, v.strict, u, http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, content)
	a.fill(resp, body, err)
}

// options asks the ActiveSync of a host which versions it speaks, which few
// servers say before a sign-in.
func (v *visit) options(base *url.URL) {
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/Microsoft-Server-ActiveSync"}
	resp, _, err := v.public(http.MethodOptions, v.loose, u, nil, "")
	if err != nil {
		return // the same URL was asked with GET, and its silence is told
	}
	r := Conclude(u.String(), "", Answer{Status: resp.StatusCode, Header: resp.Header})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.ActiveSync = r.ActiveSync
}

// public sends a request without credentials, if the caller allows it.
func (v *visit) public(method string, transport *http.Transport, u *url.URL, header http.Header, content string) (*http.Response, []byte, error) {
	if v.Allow != nil {
		if err := v.Allow(u); err != nil {
			return nil, nil, fmt.Errorf("%w: %s: %w", ErrNotAllowed, u.Host, err)
		}
	}
	if header == nil {
		header = http.Header{}
	}
	return v.send(v.ctx, transport, method, u, header, content, maxBody)
}

// fill reads an answer.
func (a *AutodiscoverAnswer) fill(resp *http.Response, body []byte, err error) {
	if err != nil {
		a.Error = printable(err.Error())
		return
	}
	a.Status, a.Location = resp.StatusCode, Answer{Status: resp.StatusCode, Header: resp.Header}.location()
	var answer struct {
		Response struct {
			Error struct {
				Code string `xml:"ErrorCode"`
			}
			Account struct{ Action, AccountType string }
		}
	}
	isXML := xml.Unmarshal(body, &answer) == nil
	switch action := answer.Response.Account.Action; {
	case a.Status == http.StatusUnauthorized:
		a.Shape = "challenge"
	case a.Location != "":
		a.Shape = "redirect"
	case isXML && answer.Response.Error.Code != "":
		a.Shape, a.Code = "error", shorten(answer.Response.Error.Code)
	case isXML && strings.EqualFold(action, "redirectAddr"):
		a.Shape = "redirect-address"
	case isXML && strings.EqualFold(action, "redirectUrl"):
		a.Shape = "redirect-url"
	case isXML && answer.Response.Account.AccountType != "":
		a.Shape = "settings"
	case strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "html"):
		a.Shape = "html"
	default:
		a.Shape = "other"
	}
}

// locatedProtocols are those about which Autodiscover v2 is asked.
var locatedProtocols = []string{"EWS", "ActiveSync"}

// locate asks Autodiscover v2 about the caller's mailbox.
func (v *visit) locate(base *url.URL) {
	if v.Mailbox == "" || base.Scheme != "https" {
		return
	}
	for _, protocol := range locatedProtocols {
		v.wg.Go(func() {
			u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/autodiscover/autodiscover.json"}
			found := Located{Asked: u.String(), Protocol: protocol}
			u.RawQuery = url.Values{"Email": {v.Mailbox}, "Protocol": {protocol}, "RedirectCount": {"1"}}.Encode()
			status, body, err := v.read(u)
			var answer struct{ URL, ErrorCode string }
			switch {
			case err != nil:
				found.Error = printable(err.Error())
			case json.Unmarshal(body, &answer) != nil || answer.URL == "" && answer.ErrorCode == "":
				found.Error = fmt.Sprintf("status %d without an answer of Autodiscover", status)
			case answer.URL == "":
				found.Error = shorten(answer.ErrorCode)
			default:
				found.URL = shorten(answer.URL)
				if at, err := url.Parse(answer.URL); err == nil && at.Host != "" && v.mayFollow("Autodiscover's "+protocol, at) {
					v.visit(rankLocated, &url.URL{Scheme: "https", Host: at.Host}, exchangePaths)
				}
			}
			v.mu.Lock()
			v.o.Located = append(v.o.Located, found)
			v.mu.Unlock()
		})
	}
}
