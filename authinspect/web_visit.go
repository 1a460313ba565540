package authinspect

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// exchangePaths are the URLs of Exchange that are asked: the virtual
// directories of "Default settings for Exchange virtual directories"
// (learn.microsoft.com), Autodiscover, the migration endpoint and the OAuth
// metadata of the server.
var exchangePaths = []string{
	"/autodiscover/autodiscover.xml",
	"/autodiscover/autodiscover.svc",
	"/autodiscover/metadata/json/1",
	"/EWS/Exchange.asmx",
	"/EWS/mrsproxy.svc",
	"/mapi/emsmdb/",
	"/mapi/nspi/",
	"/rpc/rpcproxy.dll",
	"/Microsoft-Server-ActiveSync",
	"/OAB/",
	"/PowerShell/",
	"/PowerShell-LiveID/",
	"/api/",
	"/owa/",
	"/owa/auth/logon.aspx",
	"/ecp/",
}

// autodiscoverPaths are asked at the names that Autodiscover clients try.
var autodiscoverPaths = []string{
	"/autodiscover/autodiscover.xml",
	"/autodiscover/autodiscover.svc",
}

// adfsPaths are the URLs of AD FS that are asked.
var adfsPaths = []string{
	"/adfs/.well-known/openid-configuration",
	"/adfs/services/trust/mex",
	"/adfs/services/trust/2005/windowstransport",
	"/adfs/services/trust/13/windowstransport",
	"/adfs/ls/wia",
	"/adfs/oauth2/authorize",
	"/federationmetadata/2007-06/federationmetadata.xml",
}

// onlinePaths are asked at Exchange Online for a domain that Entra ID knows.
var onlinePaths = []string{
	"/autodiscover/autodiscover.xml",
	"/EWS/Exchange.asmx",
	"/mapi/emsmdb/",
	"/Microsoft-Server-ActiveSync",
	"/OAB/",
}

// InspectOrganization asks the endpoints of target with the settings of the
// zero [Inspector].
func InspectOrganization(ctx context.Context, target string) (*Organization, error) {
	return new(Inspector).InspectOrganization(ctx, target)
}

// InspectOrganization asks everything that an organization may offer.
//
// For a base URL such as "https://mail.contoso.test" these are the virtual
// directories of Exchange at that host and, if it names one, those of AD FS;
// a path in the URL is of no account.
//
// For a domain such as "contoso.test" these are the hosts mail.contoso.test
// and autodiscover.contoso.test and the domain itself, and what the sign-in
// service of Entra ID tells anonymously: its realm, with the AD FS behind a
// federated one, and its OpenID configuration. If Entra ID knows the domain,
// Exchange Online is asked too. No address is made up for that, and no
// question tells whether a mailbox exists; Autodiscover v2 is asked about
// the caller's Mailbox alone.
//
// What answers name, AD FS and the hosts of Autodiscover v2, is followed
// within the organization's own domain only. All requests run at the same
// time within Concurrency, so that an answer takes about as long as the
// slowest endpoint. If ctx ends before, the rest is in Unanswered. Errors are
// those of [Inspector.Inspect]; [*UnreachableError] means that nobody
// answered.
func (in *Inspector) InspectOrganization(ctx context.Context, target string) (*Organization, error) {
	hosts, domain, err := in.hosts(target)
	if err != nil {
		return nil, err
	}
	s := in.newSession()
	defer s.close()
	v := &visit{session: s, ctx: ctx, domain: domain, o: &Organization{Target: target, At: in.now()}, asked: make(map[string]place)}
	v.visit(rankExchange, hosts[0], exchangePaths)
	v.locate(hosts[0])
	for _, host := range hosts[1:] {
		v.visit(rankAutodiscover, host, autodiscoverPaths)
		v.locate(host)
	}
	if len(hosts) > 1 { // not for a base URL
		v.wg.Go(v.realm)
	}
	v.wg.Wait()
	return v.finish()
}

// InspectOrganizations inspects one target after the other, as many at a
// time as parallel says, and yields the results as they come, each with its
// target in Organization or in the error. Memory is bounded by parallel.
// Breaking off the loop or ending ctx ends the inspections that run. It
// returns when none runs any more.
func (in *Inspector) InspectOrganizations(ctx context.Context, targets iter.Seq[string], parallel int) iter.Seq2[*Organization, error] {
	return func(yield func(*Organization, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		type outcome struct {
			o   *Organization
			err error
		}
		outcomes, queue := make(chan outcome), make(chan string)
		var wg sync.WaitGroup
		for range max(parallel, 1) {
			wg.Go(func() {
				for target := range queue {
					o, err := in.InspectOrganization(ctx, target)
					select {
					case outcomes <- outcome{o, err}:
					case <-ctx.Done():
					}
				}
			})
		}
		go func() {
			defer close(outcomes)
			defer wg.Wait()
			defer close(queue)
			for target := range targets {
				select {
				case queue <- target:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range outcomes { // until all have ended
			}
		}()
		for out := range outcomes {
			if !yield(out.o, out.err) {
				return
			}
		}
	}
}

// hosts returns the base URLs to ask, the one of Exchange first, and the
// domain of the organization.
func (in *Inspector) hosts(target string) (hosts []*url.URL, domain string, err error) {
	if strings.Contains(target, "://") {
		u, err := in.check(target)
		if err != nil {
			return nil, "", err
		}
		return []*url.URL{{Scheme: u.Scheme, Host: u.Host}}, domainOf(u.Hostname()), nil
	}
	domain = strings.ToLower(strings.TrimSuffix(target, "."))
	if !isDomain(domain) {
		return nil, "", fmt.Errorf("%w: %s is neither a domain nor a URL", ErrBadTarget, quoteTarget(target))
	}
	for _, host := range []string{"mail." + domain, "autodiscover." + domain, domain} {
		hosts = append(hosts, &url.URL{Scheme: "https", Host: host})
	}
	return hosts, domain, nil
}

// sharedLabels are the second labels under which countries register names:
// what lies in co.uk belongs to many.
var sharedLabels = []string{"ac", "co", "com", "ed", "edu", "go", "gob", "gouv", "gov", "gv", "id", "info", "ltd", "me", "mil", "muni", "ne", "net", "nhs", "nom", "or", "org", "plc", "sch"}

// domainOf returns the domain that host belongs to, in lower case: that
// without its first label, or itself if too little would be left.
func domainOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, parent, _ := strings.Cut(host, ".")
	labels := strings.Split(parent, ".")
	if net.ParseIP(host) != nil || len(labels) < 2 || len(labels) == 2 && len(labels[1]) == 2 && slices.Contains(sharedLabels, labels[0]) {
		return host
	}
	return parent
}

// isDomain tells whether s, in lower case, is a domain name of at least two
// labels and no IP address.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 || net.ParseIP(s) != nil {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// A visit is one organization while it is being inspected.
type visit struct {
	*session
	ctx    context.Context
	domain string
	wg     sync.WaitGroup

	mu    sync.Mutex
	o     *Organization
	asked map[string]place // every URL
	sts   []string         // the hosts of AD FS that are asked
}

// maxADFS bounds the hosts of AD FS: an answer of one may name the next.
const maxADFS = 4

// A place is where an endpoint stands in the result, whoever answers first.
type place struct {
	rank int
	host string
	path int // its index
}

const (
	rankExchange = iota
	rankAutodiscover
	rankLocated
	rankADFS
	rankOnline
)

// visit asks all paths of a base URL that nobody has asked yet.
func (v *visit) visit(rank int, base *url.URL, paths []string) {
	for i, path := range paths {
		target := base.String() + path
		v.mu.Lock()
		_, again := v.asked[target]
		if !again {
			v.asked[target] = place{rank, base.Host, i}
		}
		v.mu.Unlock()
		if again {
			continue
		}
		v.wg.Go(func() {
			r, err := v.inspect(v.ctx, target)
			v.mu.Lock()
			defer v.mu.Unlock()
			if err != nil {
				if reached := (*UnreachableError)(nil); errors.As(err, &reached) {
					err = reached.Err // the target stands beside it
				}
				v.o.Unanswered = append(v.o.Unanswered, Unanswered{Target: target, Err: err})
				return
			}
			v.o.Endpoints = append(v.o.Endpoints, r)
			if r.Issuer != nil && r.Issuer.Kind == KindADFS {
				v.adfs(r.Issuer.AuthorizationURI)
			}
			if v.Progress != nil {
				v.Progress(r)
			}
		})
	}
}

// own tells whether host lies in the organization's domain.
func (v *visit) own(host string) bool {
	host = strings.ToLower(host)
	return host == v.domain || strings.HasSuffix(host, "."+v.domain)
}

// adfs asks the AD FS that an answer named, if it is the organization's own.
// The lock is held.
func (v *visit) adfs(address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || slices.Contains(v.sts, u.Host) {
		return
	}
	warning := ""
	switch {
	case !v.own(u.Hostname()):
		warning = "AD FS at " + shorten(u.Host) + " was not asked: it lies outside of " + v.domain
	case len(v.sts) == maxADFS:
		warning = "AD FS at " + shorten(u.Host) + " was not asked: others were named before"
	default:
		v.sts = append(v.sts, u.Host)
		v.wg.Go(func() { v.visit(rankADFS, &url.URL{Scheme: "https", Host: u.Host}, adfsPaths) })
	}
	if warning != "" && !slices.Contains(v.o.Warnings, warning) {
		v.o.Warnings = append(v.o.Warnings, warning)
	}
}

// read fetches one of the documents that are public for everybody, over
// trusted TLS: what they say decides whom to ask next.
func (v *visit) read(u *url.URL) (status int, body []byte, err error) {
	if v.Allow != nil {
		if err := v.Allow(u); err != nil {
			return 0, nil, fmt.Errorf("%w: %s: %w", ErrNotAllowed, u.Host, err)
		}
	}
	resp, body, err := v.get(v.ctx, v.strict, u, http.Header{}, maxBody)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, body, nil
}

// locate asks Autodiscover v2 about the caller's mailbox.
func (v *visit) locate(base *url.URL) {
	if v.Mailbox == "" || base.Scheme != "https" {
		return
	}
	for _, protocol := range []string{"EWS", "ActiveSync"} {
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
				if at, err := url.Parse(answer.URL); err == nil && at.Scheme == "https" && v.own(at.Hostname()) {
					v.visit(rankLocated, &url.URL{Scheme: "https", Host: at.Host}, exchangePaths)
				}
			}
			v.mu.Lock()
			v.o.Located = append(v.o.Located, found)
			v.mu.Unlock()
		})
	}
}

// realm asks Entra ID about the domain.
func (v *visit) realm() {
	login, outlook := v.Login, v.Outlook
	if login == "" {
		login = "login.microsoftonline.com"
	}
	if outlook == "" {
		outlook = "outlook.office365.com"
	}
	warn := func(format string, args ...any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.o.Warnings = append(v.o.Warnings, printable(fmt.Sprintf(format, args...)))
	}
	var answer struct {
		NameSpaceType       string
		AuthURL             string
		FederationBrandName string
		CloudInstanceName   string
	}
	var configuration struct {
		Issuer        string `json:"issuer"`
		Authorization string `json:"authorization_endpoint"`
		Cloud         string `json:"cloud_instance_name"`
	}
	var known, configured bool
	var both sync.WaitGroup
	both.Go(func() {
		// The part before the @ is of no account: the realm is that of the domain.
		query := url.Values{"login": {"realm@" + v.domain}, "xml": {"1"}}
		status, body, err := v.read(&url.URL{Scheme: "https", Host: login, Path: "/getuserrealm.srf", RawQuery: query.Encode()})
		switch {
		case err != nil:
			warn("realm discovery: %v", err)
		case xml.Unmarshal(body, &answer) != nil || answer.NameSpaceType == "":
			warn("realm discovery: status %d without a realm", status)
		default:
			known = true
		}
	})
	both.Go(func() {
		status, body, err := v.read(&url.URL{Scheme: "https", Host: login, Path: "/" + v.domain + "/.well-known/openid-configuration"})
		switch {
		case err != nil:
			warn("OpenID configuration: %v", err)
		case status == http.StatusBadRequest: // the domain is not in Entra ID
		case status != http.StatusOK || json.Unmarshal(body, &configuration) != nil:
			warn("OpenID configuration: status %d without a configuration", status)
		default:
			configured = true
		}
	})
	both.Wait()
	if !known && !configured {
		return
	}
	realm := &Realm{
		NameSpaceType: shorten(answer.NameSpaceType), Brand: shorten(answer.FederationBrandName), AuthURL: shorten(answer.AuthURL),
		TokenIssuer: shorten(configuration.Issuer), AuthorizeURL: shorten(configuration.Authorization), Cloud: shorten(configuration.Cloud),
	}
	if u, err := url.Parse(configuration.Issuer); err == nil {
		if tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/"); guid.MatchString(tenant) {
			realm.Tenant = tenant
		}
	}
	v.mu.Lock()
	v.o.Realm = realm
	if u, err := url.Parse(answer.AuthURL); err == nil && adfsPath.MatchString(u.Path) {
		v.adfs(answer.AuthURL)
	}
	v.mu.Unlock()
	if realm.Tenant != "" || strings.EqualFold(realm.NameSpaceType, "Managed") || strings.EqualFold(realm.NameSpaceType, "Federated") {
		v.visit(rankOnline, &url.URL{Scheme: "https", Host: outlook}, onlinePaths)
	}
}

// finish brings the answers into the order of the questions.
func (v *visit) finish() (*Organization, error) {
	o := v.o
	order := func(a, b string) int {
		x, y := v.asked[a], v.asked[b]
		return cmp.Or(x.rank-y.rank, strings.Compare(x.host, y.host), x.path-y.path)
	}
	slices.SortFunc(o.Endpoints, func(a, b *Result) int { return order(a.Target, b.Target) })
	slices.SortFunc(o.Unanswered, func(a, b Unanswered) int { return order(a.Target, b.Target) })
	slices.SortFunc(o.Located, func(a, b Located) int {
		return strings.Compare(a.Asked+" "+a.Protocol, b.Asked+" "+b.Protocol)
	})
	slices.Sort(o.Warnings)
	if len(o.Endpoints) > 0 || o.Realm != nil {
		return o, nil
	}
	if err := v.ctx.Err(); err != nil {
		return nil, &UnreachableError{Target: o.Target, Err: err}
	}
	err := errors.New("no endpoint answered")
	if len(o.Unanswered) > 0 {
		err = o.Unanswered[0].Err
	}
	return nil, &UnreachableError{Target: o.Target, Err: err}
}
