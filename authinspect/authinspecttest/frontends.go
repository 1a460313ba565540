package authinspecttest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/authinspect"
)

// Identifiers that stand in many answers. The application IDs are Microsoft's
// public ones; the tenant is invented.
const (
	Tenant            = "6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e" // of contoso.test
	exchangeAppID     = "00000002-0000-0ff1-ce00-000000000000"
	entraAppID        = "00000001-0000-0000-c000-000000000000"
	acsAppID          = "00000004-0000-0ff1-ce00-000000000000"
	exchangeTokens    = `token_types="app_asserted_user_v1 service_asserted_app_v1"`
	loginWindowsNet   = `authorization_uri="https://login.windows.net/common/oauth2/authorize"`
	bearerUnavailable = `4000000;reason="Flighting is not enabled for domain '{host}'.";error_category="oauth_not_available"`
)

// A SignIn tells how modern authentication is set up at an Exchange server.
type SignIn uint8

// What an Exchange server may use for modern authentication.
const (
	NoModern SignIn = iota // OAuth between servers only
	HMA                    // hybrid modern authentication: Entra ID
	ADFSOnly               // Exchange 2019 CU13 and later with an own AD FS
)

// Exchange describes an Exchange server on premises.
type Exchange struct {
	Version string // such as "15.2.2562.17", which is SE; if empty, that one
	Modern  SignIn

	// HidesBearer tells that Bearer is kept from everybody who does not send
	// an empty one, and its sign-in service from everybody who names no
	// mailbox: 2019 CU13 and later, and SE. That was recorded for ActiveSync;
	// the fake does so for every virtual directory that takes Bearer.
	HidesBearer bool

	// Blocked are mailboxes whose policy blocks modern authentication.
	Blocked []string

	// BasicOff means that no virtual directory offers Basic.
	BasicOff bool

	// Directories are the virtual directories that differ from the rest, by
	// name without case: "EWS", "Autodiscover", "mapi", "rpc",
	// "Microsoft-Server-ActiveSync", "OAB", "api". "Basic on EWS, the rest
	// modern" is
	//
	//	Exchange{Modern: HMA, BasicOff: true, Directories: map[string]Directory{"EWS": {Schemes: []authinspect.Scheme{authinspect.Basic}}}}
	Directories map[string]Directory
}

// A Directory is how one virtual directory differs from the rest of its server.
type Directory struct {
	Schemes          []authinspect.Scheme // in the order in which they are named; nil: as by default
	NoModern         bool                 // OAuth between servers only, whatever the server does
	Version          string               // of another server behind the same name, shown as X-OWA-Version
	Preauthenticated bool                 // a proxy sends everybody to a sign-in page first
}

// ExchangeSE returns an Exchange SE server without modern authentication for
// clients.
func ExchangeSE() Exchange { return Exchange{HidesBearer: true} }

// Exchange2019 returns an Exchange 2019 server with CU12, which shows Bearer
// to everybody, without modern authentication for clients.
func Exchange2019() Exchange { return Exchange{Version: "15.2.1118.40"} }

// exchangePaths are the virtual directories that the fake serves.
var exchangePaths = []struct {
	path    string
	schemes string // as configured by default, in the order in which IIS names them
}{
	{"/EWS/Exchange.asmx", "bearer negotiate ntlm"},
	{"/EWS/mrsproxy.svc", "negotiate ntlm"},
	{"/Autodiscover/Autodiscover.xml", "bearer negotiate ntlm basic"},
	{"/Autodiscover/Autodiscover.svc", "bearer negotiate ntlm basic"},
	{"/mapi/emsmdb*", "bearer negotiate ntlm"},
	{"/mapi/nspi*", "bearer negotiate ntlm"},
	{"/rpc/rpcproxy.dll", "basic ntlm negotiate"},
	{"/Microsoft-Server-ActiveSync*", "bearer basic"},
	{"/OAB*", "bearer negotiate ntlm"},
	{"/api*", "bearer negotiate ntlm"},
}

// FrontEnd returns the table of the server.
func (e Exchange) FrontEnd() *FrontEnd {
	if e.Version == "" {
		e.Version = "15.2.2562.17"
	}
	f := &FrontEnd{
		Name:   "Exchange " + e.Version,
		Always: []string{"Server: Microsoft-IIS/10.0", "request-id: {id}", "X-FEServer: EX01", "X-Powered-By: ASP.NET"},
		NTLM: NTLM{
			NetBIOSComputer: "EX01", NetBIOSDomain: "CONTOSO", DNSComputer: "ex01.corp.contoso.test", DNSDomain: "corp.contoso.test", DNSForest: "contoso.test",
			Major: 10, Build: 20348,
		},
	}
	version := "X-OWA-Version: " + e.Version
	f.Routes = append(f.Routes,
		Route{Path: "/owa/auth/logon.aspx", Status: http.StatusOK, Header: []string{version, "Content-Type: text/html; charset=utf-8"}, Body: "<html><head><title>Outlook</title></head></html>"},
		Route{Path: "/owa*", Status: http.StatusFound, Header: []string{version, "Location: https://{host}/owa/auth/logon.aspx?url=https%3a%2f%2f{host}%2fowa%2f&reason=0"}},
		Route{Path: "/ecp*", Status: http.StatusFound, Header: []string{version, "Location: https://{host}/owa/auth/logon.aspx?url=https%3a%2f%2f{host}%2fecp%2f&reason=0"}},
		Route{Path: "/autodiscover/metadata/json/1", Status: http.StatusOK, Header: []string{"Content-Type: application/json"}, Body: `{"realm":"contoso.test","issuer":"` + exchangeAppID + `"}`},
		// Kerberos lies inside PowerShell's own protocol; IIS does not challenge.
		Route{Path: "/PowerShell*", Status: http.StatusForbidden},
	)
	f.Routes = append(f.Routes, autodiscoverV2("https://mail.contoso.test")...)
	for _, p := range exchangePaths {
		f.Routes = append(f.Routes, e.directory(p.path, strings.Fields(p.schemes))...)
	}
	return f
}

// directory returns the routes of one path of a virtual directory.
func (e Exchange) directory(path string, schemes []string) []Route {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for other, d := range e.Directories {
		if !strings.EqualFold(other, strings.TrimSuffix(name, "*")) {
			continue
		}
		if d.Preauthenticated {
			proxy := Preauthenticated().Routes[0]
			proxy.Path = path
			return []Route{proxy}
		}
		if d.NoModern {
			e.Modern = NoModern
		}
		if d.Schemes != nil {
			schemes, e.BasicOff = nil, false
			for _, scheme := range d.Schemes {
				schemes = append(schemes, string(scheme))
			}
		}
		routes := e.routes(path, schemes)
		for i := range routes {
			if d.Version != "" {
				routes[i].Header = append(routes[i].Header, "X-OWA-Version: "+d.Version)
			}
		}
		return routes
	}
	return e.routes(path, schemes)
}

func (e Exchange) routes(path string, schemes []string) []Route {
	bearer := slices.Contains(schemes, "bearer")
	asp := "X-AspNet-Version: 4.0.30319"
	lines := func(bearer string, extra ...string) []string {
		header := []string{asp}
		for _, scheme := range schemes {
			switch {
			case scheme == "bearer" && bearer != "":
				header = append(header, "WWW-Authenticate: "+bearer)
			case scheme == "basic" && !e.BasicOff:
				header = append(header, `WWW-Authenticate: Basic realm="{host}"`)
			case scheme == "negotiate":
				header = append(header, "WWW-Authenticate: Negotiate")
			case scheme == "ntlm":
				header = append(header, "WWW-Authenticate: NTLM")
			}
		}
		return append(header, extra...)
	}
	var routes []Route
	if slices.Contains(schemes, "ntlm") {
		routes = append(routes, Route{Path: path, Step: authinspect.StepNTLM, Header: []string{asp, "WWW-Authenticate: NTLM {ntlm}"}})
	} else {
		routes = append(routes, Route{Path: path, Step: authinspect.StepNTLM, Header: lines("")})
	}
	if !bearer {
		return append(routes, Route{Path: path, Header: lines("")})
	}
	// What the server says once it admits Bearer, without and with the
	// sign-in service.
	bare := `Bearer client_id="` + exchangeAppID + `", ` + exchangeTokens + `, error="invalid_token"`
	full := bare
	switch e.Modern {
	case HMA:
		full = `Bearer client_id="` + exchangeAppID + `", trusted_issuers="` + entraAppID + `@` + Tenant + `,` + acsAppID + `@contoso.test", ` + exchangeTokens + `, ` + loginWindowsNet
		if e.HidesBearer {
			full += `, issuer_kind="AzureAD"`
		}
		full += `, error="invalid_token"`
	case ADFSOnly:
		full = `Bearer client_id="` + exchangeAppID + `", ` + exchangeTokens + `, authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize", issuer_kind="ADFS", error="invalid_token"`
	}
	diagnostics := "x-ms-diagnostics: " + bearerUnavailable
	for _, mailbox := range e.Blocked {
		routes = append(routes, Route{Path: path, Step: authinspect.StepMailbox, Mailbox: mailbox,
			Header: lines(bare, "x-ms-diagnostics: "+strings.ReplaceAll(bearerUnavailable, "{host}", mailbox))})
	}
	if !e.HidesBearer {
		anonymous := strings.TrimSuffix(full, `, error="invalid_token"`)
		routes = append(routes, Route{Path: path, Step: authinspect.StepAnonymous, Header: lines(anonymous)})
		return append(routes, Route{Path: path, Header: lines(full)})
	}
	if e.Modern == NoModern {
		full = bare
	}
	mailbox := Route{Path: path, Step: authinspect.StepMailbox, Header: lines(full)}
	if e.Modern == NoModern {
		mailbox.Header = lines(full, diagnostics)
	}
	return append(routes,
		Route{Path: path, Step: authinspect.StepAnonymous, Header: lines("")},
		Route{Path: path, Step: authinspect.StepEmptyBearer, Header: lines(bare, diagnostics)},
		mailbox,
	)
}

// ExchangeOnline returns the front end of Exchange Online: everything in one
// field, and Basic with an empty realm, named although it is not taken.
func ExchangeOnline() *FrontEnd {
	bearer := `Bearer client_id="` + exchangeAppID + `", trusted_issuers="` + entraAppID + `@*", ` + exchangeTokens + `, authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`
	f := exchangeOnline()
	for _, path := range exchangeOnlinePaths {
		f.Routes = append(f.Routes,
			Route{Path: path, Step: authinspect.StepAnonymous, Header: []string{"WWW-Authenticate: " + bearer + `,Basic Realm=""`}},
			Route{Path: path, Step: authinspect.StepEmptyBearer, Header: []string{
				"WWW-Authenticate: " + bearer + `, error="invalid_token",Basic Realm=""`,
				`x-ms-diagnostics: 2000001;reason="The token cannot be read.";error_category="invalid_token"`}},
			Route{Path: path, Step: authinspect.StepMailbox, Header: []string{"WWW-Authenticate: " + bearer + `, error="invalid_token",Basic Realm=""`}},
		)
	}
	return f
}

// ExchangeOnlineBlocked returns the front end of Exchange Online as it looks
// to a mailbox whose policy blocks Basic: Basic alone, twice, no body and no
// reason ("Disable Basic authentication in Exchange Online",
// learn.microsoft.com).
func ExchangeOnlineBlocked() *FrontEnd {
	f := exchangeOnline()
	f.Name = "Exchange Online with a blocking policy"
	for _, path := range exchangeOnlinePaths {
		f.Routes = append(f.Routes, Route{Path: path, Header: []string{
			"X-BackEndHttpStatus: 401", "Set-Cookie: MapiRouting=fake; path=/mapi/; secure; HttpOnly", `WWW-Authenticate: Basic Realm="",Basic Realm=""`}})
	}
	return f
}

var exchangeOnlinePaths = []string{
	"/EWS/Exchange.asmx", "/Autodiscover/Autodiscover.xml", "/Autodiscover/Autodiscover.svc", "/mapi/emsmdb*", "/mapi/nspi*",
	"/Microsoft-Server-ActiveSync*", "/OAB*", "/api*", "/PowerShell-LiveID*",
}

func exchangeOnline() *FrontEnd {
	f := &FrontEnd{
		Name: "Exchange Online",
		Always: []string{"Server: Microsoft-IIS/10.0", "request-id: {id}", "X-CalculatedBETarget: AM6PR01MB0001.eurprd01.prod.exchangelabs.outlook.com",
			"X-ServerApplication: Exchange/15.20.9115.010", "X-FEServer: AM6PR01CA0050", "X-OAuth-Enabled: True", "X-Powered-By: ASP.NET"},
		Routes: []Route{
			{Path: "/owa*", Status: http.StatusFound, Header: []string{"Location: https://login.microsoftonline.com/common/oauth2/authorize?client_id=" + exchangeAppID + "&response_mode=form_post"}},
		},
	}
	f.Routes = append(f.Routes, autodiscoverV2("https://outlook.office365.com")...)
	return f
}

// autodiscoverV2 answers where two protocols live: at base.
func autodiscoverV2(base string) []Route {
	const path = "/autodiscover/autodiscover.json*"
	text := []string{"Content-Type: application/json; charset=utf-8"}
	return []Route{
		{Path: path, Query: "Protocol=EWS", Status: http.StatusOK, Header: text, Body: `{"Protocol":"EWS","Url":"` + base + `/EWS/Exchange.asmx"}`},
		{Path: path, Query: "Protocol=ActiveSync", Status: http.StatusOK, Header: text, Body: `{"Protocol":"ActiveSync","Url":"` + base + `/Microsoft-Server-ActiveSync"}`},
		{Path: path, Status: http.StatusBadRequest, Header: append([]string{"jsonerror: true"}, text...),
			Body: `{"ErrorCode":"ProtocolNotSupported","ErrorMessage":"The given protocol value is invalid. Supported values are 'ActiveSync','EWS'."}`},
	}
}

// ADFS returns an AD FS server with the Windows endpoints of WS-Trust open,
// as they are by default inside the network.
func ADFS() *FrontEnd {
	windows := []string{"WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM"}
	f := &FrontEnd{
		Name:   "AD FS",
		Always: []string{"Server: Microsoft-HTTPAPI/2.0"},
		NTLM: NTLM{
			NetBIOSComputer: "ADFS01", NetBIOSDomain: "CONTOSO", DNSComputer: "adfs01.corp.contoso.test", DNSDomain: "corp.contoso.test", DNSForest: "contoso.test",
			Major: 10, Build: 17763,
		},
		Routes: []Route{
			{Path: "/adfs/.well-known/openid-configuration", Status: http.StatusOK, Header: []string{"Content-Type: application/json;charset=UTF-8"},
				Body: `{"issuer":"https://{host}/adfs","authorization_endpoint":"https://{host}/adfs/oauth2/authorize/","token_endpoint":"https://{host}/adfs/oauth2/token/"}`},
			{Path: "/adfs/services/trust/mex", Status: http.StatusOK, Header: []string{"Content-Type: text/xml"}, Body: "<definitions/>"},
			{Path: "/federationmetadata/2007-06/federationmetadata.xml", Status: http.StatusOK, Header: []string{"Content-Type: text/xml"}, Body: "<EntityDescriptor/>"},
			{Path: "/adfs/ls*", Status: http.StatusOK, Header: []string{"Content-Type: text/html"}, Body: "<html><title>Sign In</title></html>"},
			{Path: "/adfs/oauth2/authorize*", Query: "client_id=d3590ed6-52b3-4102-aeff-aad2292ab01c", Status: http.StatusOK, Header: []string{"Content-Type: text/html"},
				Body: `<html><title>Sign In</title><form id="loginForm"><input id="userNameInput"></form></html>`},
			{Path: "/adfs/oauth2/authorize*", Status: http.StatusBadRequest, Header: []string{"Content-Type: text/html"}, Body: "MSIS9223: the client is not registered."},
		},
	}
	for _, path := range []string{"/adfs/services/trust/2005/windowstransport", "/adfs/services/trust/13/windowstransport"} {
		f.Routes = append(f.Routes, Route{Path: path, Step: authinspect.StepNTLM, Header: []string{"WWW-Authenticate: NTLM {ntlm}"}}, Route{Path: path, Header: windows})
	}
	return f
}

// Merged returns the front end behind a reverse proxy that merges all
// challenges into one field, as RFC 9110 §5.3 allows, and writes the names of
// fields in lower case.
func (f *FrontEnd) Merged() *FrontEnd {
	merged := *f
	merged.Name += " behind a merging proxy"
	merged.Routes = slices.Clone(f.Routes)
	for i, route := range merged.Routes {
		var header, challenges []string
		for _, line := range route.Header {
			name, value, _ := strings.Cut(line, ":")
			name = strings.ToLower(name)
			if name == "www-authenticate" {
				challenges = append(challenges, strings.TrimSpace(value))
			} else {
				header = append(header, name+":"+value)
			}
		}
		if challenges != nil {
			header = append(header, "www-authenticate: "+strings.Join(challenges, ","))
		}
		merged.Routes[i].Header = header
	}
	return &merged
}

// Preauthenticated returns a proxy that sends everybody to the sign-in page
// of Entra ID before it lets anything through to Exchange.
func Preauthenticated() *FrontEnd {
	return &FrontEnd{Name: "pre-authentication", Routes: []Route{{Path: "/*", Status: http.StatusFound, Header: []string{
		"Location: https://login.microsoftonline.com/" + Tenant + "/oauth2/authorize?response_type=code&nonce=fake",
		"Set-Cookie: AzureAppProxyPreauthSessionCookie=fake; path=/; secure; HttpOnly"}}}}
}
