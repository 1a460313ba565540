package authinspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// InspectOrganization asks what an organization may offer; [Inspector.Plan]
// lists it without asking.
//
// For a base URL such as "https://mail.contoso.test" these are the virtual
// directories of Exchange at that host and, if it names one, those of AD FS;
// a path in the URL is of no account.
//
// For a domain such as "contoso.test" these are the hosts mail.contoso.test
// and autodiscover.contoso.test and the domain itself, or those in Hosts, the
// ways by which Autodiscover finds them ([Autodiscover]), and what the sign-in
// service of Entra ID tells anonymously: its realm, with the AD FS behind a
// federated one, and its OpenID configuration. If Entra ID knows the domain,
// Exchange Online is asked too. No address is made up for that, and no
// question reports whether a mailbox exists; Autodiscover is asked about the
// caller's Mailbox alone. A domain with letters outside ASCII is converted
// (RFC 5891).
//
// With Paths, these paths at these hosts are all that is asked.
//
// What answers name, AD FS and the hosts of Autodiscover, is followed within
// the registered domain of the organization only (by the public suffix list),
// on port 443 and the port that was asked, and to addresses that are not of
// the Internet only if the target has one: who stands in front chooses neither
// ports nor neighbours. All requests run at the same
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
	v := &visit{session: s, ctx: ctx, bases: hosts, name: domain, domain: domainOf(domain),
		o: &Organization{Target: target, Also: otherForm(target), At: in.now()}, asked: make(map[string]place)}
	if in.Paths != nil {
		for _, host := range hosts {
			v.visit(rankExchange, host, in.Paths)
		}
		v.wg.Wait()
		return v.finish()
	}
	v.visit(rankExchange, hosts[0], exchangePaths)
	v.locate(hosts[0])
	for _, host := range hosts[1:] {
		v.visit(rankAutodiscover, host, autodiscoverPaths)
		v.locate(host)
	}
	if !strings.Contains(target, "://") {
		v.wg.Go(v.realm)
		v.wg.Go(v.autodiscover)
	}
	v.wg.Wait()
	return v.finish()
}

// hosts returns the base URLs to ask, the one of Exchange first, and the name
// of the domain, or of the host in a base URL, in ASCII.
func (in *Inspector) hosts(target string) (hosts []*url.URL, domain string, err error) {
	if strings.Contains(target, "://") {
		u, err := in.check(target)
		if err != nil {
			return nil, "", err
		}
		return []*url.URL{{Scheme: u.Scheme, Host: u.Host}}, strings.ToLower(u.Hostname()), nil
	}
	domain, ok := asciiHost(strings.TrimSuffix(target, "."))
	if domain = strings.ToLower(domain); !ok || !isDomain(domain) {
		return nil, "", fmt.Errorf("%w: %s is neither a domain nor a URL", ErrBadTarget, quoteTarget(target))
	}
	names := in.Hosts
	if names == nil {
		names = []string{"mail." + domain, "autodiscover." + domain, domain}
	}
	for _, host := range names {
		u, err := in.check("https://" + host)
		if err != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, "", fmt.Errorf("%w: %s in Hosts is neither a host nor host:port", ErrBadTarget, quoteTarget(host))
		}
		hosts = append(hosts, u)
	}
	if hosts == nil {
		return nil, "", fmt.Errorf("%w: Hosts is empty", ErrBadTarget)
	}
	return hosts, domain, nil
}

// A visit is one organization while it is being inspected.
type visit struct {
	*session
	ctx    context.Context
	bases  []*url.URL // what the caller gave
	name   string     // the domain as given, or the host of the base URL, in ASCII
	domain string     // the registered domain of that
	wg     sync.WaitGroup

	locality sync.Once
	local    bool // one of bases has an address that is not of the Internet

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
			if r.Issuer != nil && v.Paths == nil {
				v.wg.Go(func() { v.adfs(r.Issuer.AuthorizationURI) })
			}
			if v.Progress != nil {
				v.Progress(r)
			}
		})
	}
}

// warn adds a warning, once.
func (v *visit) warn(format string, args ...any) {
	text := printable(fmt.Sprintf(format, args...))
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.o.Warnings) < maxListed && !slices.Contains(v.o.Warnings, text) {
		v.o.Warnings = append(v.o.Warnings, text)
	}
}

// adfs asks the AD FS that an answer named, if it is the organization's own.
func (v *visit) adfs(address string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !adfsPath.MatchString(u.Path) {
		return
	}
	v.mu.Lock()
	again, full := slices.Contains(v.sts, u.Host), len(v.sts) == maxADFS
	v.mu.Unlock()
	if again || !v.mayFollow("AD FS", u) {
		return
	}
	if full {
		v.warn("AD FS at %s was not asked: others were named before", shorten(u.Host))
		return
	}
	v.mu.Lock()
	if again = slices.Contains(v.sts, u.Host) || len(v.sts) == maxADFS; !again {
		v.sts = append(v.sts, u.Host)
	}
	v.mu.Unlock()
	if !again {
		base := &url.URL{Scheme: "https", Host: u.Host}
		v.visit(rankADFS, base, adfsPaths)
		v.clients(base)
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

// finish brings the answers into the order of the questions.
func (v *visit) finish() (*Organization, error) {
	o := v.o
	o.Requests = int(v.requests.Load())
	slices.SortFunc(o.Clients, func(a, b ADFSClient) int { return strings.Compare(a.Host+a.ClientID, b.Host+b.ClientID) })
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
