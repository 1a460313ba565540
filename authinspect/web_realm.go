package authinspect

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// login returns the host of the sign-in service.
func (in *Inspector) login() string { return cmp.Or(in.Login, "login.microsoftonline.com") }

// outlook returns the host of Exchange Online.
func (in *Inspector) outlook() string { return cmp.Or(in.Outlook, "outlook.office365.com") }

// realm asks Entra ID about the domain.
func (v *visit) realm() {
	login, outlook := v.login(), v.outlook()
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
		query := url.Values{"login": {"realm@" + v.name}, "xml": {"1"}}
		status, body, err := v.read(&url.URL{Scheme: "https", Host: login, Path: "/getuserrealm.srf", RawQuery: query.Encode()})
		switch {
		case err != nil:
			v.warn("realm discovery: %v", err)
		case xml.Unmarshal(body, &answer) != nil || answer.NameSpaceType == "":
			v.warn("realm discovery: status %d without a realm", status)
		default:
			known = true
		}
	})
	both.Go(func() {
		status, body, err := v.read(&url.URL{Scheme: "https", Host: login, Path: "/" + v.name + "/.well-known/openid-configuration"})
		switch {
		case err != nil:
			v.warn("OpenID configuration: %v", err)
		case status == http.StatusBadRequest: // the domain is not in Entra ID
		case status != http.StatusOK || json.Unmarshal(body, &configuration) != nil:
			v.warn("OpenID configuration: status %d without a configuration", status)
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
	v.mu.Unlock()
	v.adfs(answer.AuthURL)
	if realm.Tenant != "" || strings.EqualFold(realm.NameSpaceType, "Managed") || strings.EqualFold(realm.NameSpaceType, "Federated") {
		v.mu.Lock()
		v.o.OnlineHost = outlook
		v.mu.Unlock()
		v.visit(rankOnline, &url.URL{Scheme: "https", Host: outlook}, onlinePaths)
	}
}
