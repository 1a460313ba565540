package authinspecttest

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/authinspect"
)

// An Estate is a set of front ends by host name, such as
// "mail.contoso.test", as if each were at port 443 of its own machine, or by
// host and port, such as "autodiscover.contoso.test:80". Names that it does
// not hold do not exist.
type Estate map[string]*FrontEnd

// A RunningEstate is an [Estate] on loopback.
type RunningEstate struct{ servers map[string]*Server }

// Start starts every front end, with a certificate for its name. It panics if
// it cannot.
func (e Estate) Start() *RunningEstate {
	r := &RunningEstate{servers: make(map[string]*Server)}
	for name, front := range e {
		named := *front
		if named.Names == nil {
			host, _, _ := strings.Cut(name, ":")
			named.Names = []string{host}
		}
		r.servers[name] = named.Start()
	}
	return r
}

// Dial connects to the server that has the name in addr; it serves as
// Inspector.Dial.
func (r *RunningEstate) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	server := r.servers[strings.ToLower(host)]
	if exact := r.servers[strings.ToLower(addr)]; exact != nil {
		return exact.Dial(ctx, network, addr)
	}
	switch {
	case server == nil:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case port != "443" && !server.front.Plain:
		return nil, fmt.Errorf("connection refused: %s", addr)
	}
	return server.Dial(ctx, network, addr)
}

// Roots returns a pool with the authorities of all servers but the untrusted.
func (r *RunningEstate) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, server := range r.servers {
		pool.AddCert(server.ca.Cert)
	}
	return pool
}

// Requests returns what was asked so far, by host, as [Server.Requests] does.
func (r *RunningEstate) Requests() map[string][]string {
	requests := make(map[string][]string)
	for name, server := range r.servers {
		if asked := server.Requests(); asked != nil {
			requests[name] = asked
		}
	}
	return requests
}

// Violations hands over those of all servers, see [Loopback.Violations].
func (r *RunningEstate) Violations() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.servers)) {
		all = append(all, r.servers[name].Violations()...)
	}
	return all
}

// Close stops all servers. It panics if credentials arrived anywhere and
// nobody has taken the violations.
func (r *RunningEstate) Close() {
	for _, name := range slices.Sorted(maps.Keys(r.servers)) {
		r.servers[name].Close()
	}
}

// EntraID returns the anonymous part of the sign-in service for one domain
// with the tenant [Tenant]: realm discovery and the OpenID configuration. The
// domain is federated with the identity provider at authURL, such as
// "https://sts.contoso.test/adfs/ls/", or managed if that is empty. Other
// domains are unknown.
func EntraID(domain, authURL string) *FrontEnd {
	kind, address := "Managed", ""
	if authURL != "" {
		kind, address = "Federated", "<AuthURL>"+authURL+"</AuthURL>"
	}
	xml, text := []string{"Content-Type: text/xml; charset=utf-8"}, []string{"Content-Type: application/json; charset=utf-8"}
	return &FrontEnd{Name: "Entra ID", Routes: []Route{
		{Path: "/getuserrealm.srf", Query: "login=realm@" + domain, Step: authinspect.StepAnonymous, Status: http.StatusOK, Header: xml,
			Body: `<RealmInfo Success="true"><State>3</State><UserState>2</UserState><NameSpaceType>` + kind + `</NameSpaceType><DomainName>` + domain +
				`</DomainName>` + address + `<FederationBrandName>Contoso</FederationBrandName></RealmInfo>`},
		{Path: "/getuserrealm.srf", Step: authinspect.StepAnonymous, Status: http.StatusOK, Header: xml,
			Body: `<RealmInfo Success="true"><State>4</State><UserState>1</UserState><NameSpaceType>Unknown</NameSpaceType></RealmInfo>`},
		{Path: "/" + domain + "/.well-known/openid-configuration", Step: authinspect.StepAnonymous, Status: http.StatusOK, Header: text,
			Body: `{"issuer":"https://sts.windows.net/` + Tenant + `/","authorization_endpoint":"https://{host}/` + Tenant + `/oauth2/authorize","cloud_instance_name":"microsoftonline.com"}`},
		{Path: "/*", Status: http.StatusBadRequest, Header: text, Body: `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}`},
	}}
}

// Contoso returns a hybrid organization with the domain contoso.test: an
// Exchange SE with hybrid modern authentication behind mail and autodiscover,
// a federated domain with AD FS, and Exchange Online.
func Contoso() Estate {
	exchange := ExchangeSE()
	exchange.Modern = HMA
	front := exchange.FrontEnd()
	return Estate{
		"mail.contoso.test":         front,
		"autodiscover.contoso.test": front.Merged(),
		"sts.contoso.test":          ADFS(),
		"login.microsoftonline.com": EntraID("contoso.test", "https://sts.contoso.test/adfs/ls/"),
		"outlook.office365.com":     ExchangeOnline(),
	}
}
