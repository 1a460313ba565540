package authinspect

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Question is one URL that an inspection would ask.
type Question struct {
	Method string `json:"method"` // GET, POST or OPTIONS; for DNS it is empty

	// URL is what is asked; of DNS a URI such as
	// "dns:_autodiscover._tcp.contoso.test?type=SRV" (RFC 4501). Where a host
	// is known only from an answer, it is "{host}".
	URL   string `json:"url"`
	Steps []Step `json:"steps"` // the requests, one each

	// If says on which condition the question is asked; empty: always.
	// StepNTLM is sent only where an answer offers NTLM or Negotiate.
	If string `json:"if,omitempty"`
}

// Plan returns what InspectOrganization would ask about target, without asking
// anything. The error wraps [ErrBadTarget] or [ErrNotAllowed].
func (in *Inspector) Plan(target string) ([]Question, error) {
	hosts, domain, err := in.hosts(target)
	if err != nil {
		return nil, err
	}
	var plan []Question
	add := func(method, url, condition string, steps ...Step) {
		if steps == nil {
			steps = []Step{StepAnonymous}
		}
		q := Question{Method: method, URL: url, Steps: steps, If: condition}
		if !slices.ContainsFunc(plan, func(p Question) bool { return p.URL == url && p.Method == method && len(p.Steps) == len(steps) }) {
			plan = append(plan, q)
		}
	}
	visit := func(base, condition string, paths []string) {
		for _, path := range paths {
			add(http.MethodGet, base+path, condition, in.steps(strings.HasPrefix(base, "https:"))...)
		}
	}
	if in.Paths != nil {
		for _, host := range hosts {
			visit(host.String(), "", in.Paths)
		}
		return plan, nil
	}
	locate := func(host *url.URL) {
		for _, protocol := range locatedProtocols {
			if in.Mailbox != "" && host.Scheme == "https" {
				add(http.MethodGet, host.String()+"/autodiscover/autodiscover.json?Protocol="+protocol, "")
			}
		}
	}
	visit(hosts[0].String(), "", exchangePaths)
	locate(hosts[0])
	for _, host := range hosts[1:] {
		visit(host.String(), "", autodiscoverPaths)
		locate(host)
	}
	if !strings.Contains(target, "://") {
		add(http.MethodGet, "https://"+in.login()+"/getuserrealm.srf", "")
		add(http.MethodGet, "https://"+in.login()+"/"+domain+"/.well-known/openid-configuration", "")
		for _, host := range hosts {
			add(http.MethodPost, host.String()+autodiscoverPaths[0], "")
		}
		add(http.MethodOptions, hosts[0].String()+"/Microsoft-Server-ActiveSync", "")
		add(http.MethodGet, "http://autodiscover."+domain+autodiscoverPaths[0], "")
		if in.resolver() != nil {
			add("", "dns:_autodiscover._tcp."+domain+"?type=SRV", "")
			add("", "dns:"+domain+"?type=MX", "")
		}
		visit("https://"+in.outlook(), "Entra ID knows the domain", onlinePaths)
		visit("https://{host}", "the SRV record or the redirect on port 80 names a host in "+domainOf(domain)+" or of Exchange Online", autodiscoverPaths)
	}
	if in.Mailbox != "" {
		visit("https://{host}", "Autodiscover names a host in "+domainOf(domain), exchangePaths)
	}
	const adfs = "an answer names AD FS at a host in "
	visit("https://{host}", adfs+domainOf(domain), adfsPaths)
	for _, client := range mailClients {
		add(http.MethodGet, "https://{host}/adfs/oauth2/authorize?client_id="+client.id, adfs+domainOf(domain))
	}
	return plan, nil
}

// steps returns the steps by which a URL is asked.
func (in *Inspector) steps(secure bool) []Step {
	steps := []Step{StepAnonymous, StepEmptyBearer}
	if in.Mailbox != "" && secure {
		steps = append(steps, StepMailbox)
	}
	if !in.SkipNTLM {
		steps = append(steps, StepNTLM)
	}
	return steps
}
