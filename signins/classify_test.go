package signins_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// everything is what a format can know that leaves nothing open.
const everything = ^signins.Fields(0)

// summary summarises sign-ins as they stand.
func summary(t *testing.T, events ...signins.SignIn) *signins.Summary {
	t.Helper()
	s, err := signins.Summarize(sequence(events))
	require.NoError(t, err)
	return s
}

func sequence(events []signins.SignIn) func(func(signins.SignIn, error) bool) {
	return func(yield func(signins.SignIn, error) bool) {
		for _, s := range events {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func TestClassByClientApp(t *testing.T) {
	check := func(client string, class signins.Class, protocol signins.Protocol, reason signins.Reason) {
		t.Helper()
		v := signins.Classify(&signins.SignIn{Known: everything, ClientAppUsed: client})
		assert.Equal(t, class, v.Class, client)
		assert.Equal(t, protocol, v.Protocol, client)
		assert.Equal(t, reason, v.Reason, client)
	}
	check("Browser", signins.Modern, signins.Browser, signins.ByClientApp)
	check("  browser\t", signins.Modern, signins.Browser, signins.ByClientApp)
	check("Mobile Apps and Desktop clients", signins.Modern, signins.MobileDesktop, signins.ByClientApp)
	check("IMAP4", signins.Legacy, signins.IMAP, signins.ByClientApp)
	check("Other clients; IMAP", signins.Legacy, signins.IMAP, signins.ByClientApp)
	check("other clients;  imap4", signins.Legacy, signins.IMAP, signins.ByClientApp)
	check("Other clients", signins.Legacy, signins.OtherLegacy, signins.ByClientApp)
	check("Other clients; Older Office clients", signins.Legacy, signins.OtherLegacy, signins.ByClientApp)
	check("Other clients; ", signins.Legacy, signins.OtherLegacy, signins.ByClientApp)
	check("AutoDiscover", signins.Legacy, signins.Autodiscover, signins.ByClientApp)
	check("Autodiscover", signins.Legacy, signins.Autodiscover, signins.ByClientApp)
	check("MAPI over HTTP", signins.Legacy, signins.MAPI, signins.ByClientApp)
	check("Exchange ActiveSync (unSupported)", signins.Legacy, signins.ExchangeActiveSync, signins.ByClientApp)
	check("MAPI", signins.UnknownClass, signins.MAPI, signins.AmbiguousClient)
	check("", signins.UnknownClass, signins.UnknownProtocol, signins.BlankClient)
	check("Unknown", signins.UnknownClass, signins.UnknownProtocol, signins.BlankClient)
	check("unknownFutureValue", signins.UnknownClass, signins.UnknownProtocol, signins.BlankClient)
	check("Some Future Client", signins.UnknownClass, signins.UnknownProtocol, signins.UnlistedClient)
	check("IMAP9", signins.UnknownClass, signins.UnknownProtocol, signins.UnlistedClient)
}

// Exchange Online's front end hides the protocol, and is then all there is.
func TestClassByUserAgent(t *testing.T) {
	check := func(client, agent string, class signins.Class, protocol signins.Protocol, reason signins.Reason) {
		t.Helper()
		v := signins.Classify(&signins.SignIn{Known: everything, ClientAppUsed: client, UserAgent: agent})
		assert.Equal(t, class, v.Class, agent)
		assert.Equal(t, protocol, v.Protocol, agent)
		assert.Equal(t, reason, v.Reason, agent)
	}
	check("", "BAV2ROPC", signins.Legacy, signins.OtherLegacy, signins.ByUserAgent)
	check("Unknown", "CBAinPROD", signins.Legacy, signins.OtherLegacy, signins.ByUserAgent)
	check("Mobile Apps and Desktop clients", "cbaintar", signins.Legacy, signins.OtherLegacy, signins.ByUserAgent)
	check("POP3", "CBAInPROD", signins.Legacy, signins.POP, signins.ByClientApp)
	check("Browser", "not BAV2ROPC", signins.Modern, signins.Browser, signins.ByClientApp)
	check("", "MSRPC", signins.UnknownClass, signins.UnknownProtocol, signins.BlankClient)
}

func TestWorkbookDefinition(t *testing.T) {
	check := func(s signins.SignIn, class signins.Class) {
		t.Helper()
		s.Known = everything
		assert.Equal(t, class, signins.WorkbookCompatible.Classify(&s).Class, s.ClientAppUsed)
	}
	check(signins.SignIn{ClientAppUsed: "Browser"}, signins.Modern)
	check(signins.SignIn{ClientAppUsed: "Mobile Apps and Desktop clients", UserAgent: "BAV2ROPC"}, signins.Modern)
	check(signins.SignIn{ClientAppUsed: ""}, signins.Legacy)
	check(signins.SignIn{ClientAppUsed: "Some Future Client"}, signins.Legacy)
	check(signins.SignIn{ClientAppUsed: "IMAP4", HomeTenantID: "a", ResourceTenantID: "b"}, signins.NotApplicable)
	check(signins.SignIn{ClientAppUsed: "IMAP4", HomeTenantID: "a", ResourceTenantID: "a"}, signins.Legacy)
	check(signins.SignIn{Category: signins.ManagedIdentity}, signins.NotApplicable)
	s := signins.SignIn{Known: everything &^ signins.FieldClientAppUsed}
	assert.Equal(t, signins.UnknownClass, signins.WorkbookCompatible.Classify(&s).Class)
}

func TestCredentialAndPassword(t *testing.T) {
	check := func(name string, s signins.SignIn, credential signins.Credential, basic, right crossprem.Answer) {
		t.Helper()
		s.Known |= signins.FieldErrorCode
		v := signins.Classify(&s)
		assert.Equal(t, credential, v.Credential, name)
		assert.Equal(t, basic, v.BasicAuth, name)
		assert.Equal(t, right, v.PasswordRight, name)
	}
	check("IMAP has nothing but passwords", signins.SignIn{ClientAppUsed: "IMAP4"}, signins.Password, crossprem.Yes, crossprem.Yes)
	check("ActiveSync leaves it open", signins.SignIn{ClientAppUsed: "Exchange ActiveSync"}, signins.UnknownCredential, crossprem.AnswerUnknown, crossprem.AnswerUnknown)
	check("a certificate", signins.SignIn{ClientAppUsed: "Exchange ActiveSync", Methods: signins.MethodCertificate}, signins.Certificate, crossprem.No, crossprem.AnswerUnknown)
	check("a password", signins.SignIn{ClientAppUsed: "Exchange ActiveSync", Methods: signins.MethodPassword}, signins.Password, crossprem.Yes, crossprem.Yes)
	check("a token", signins.SignIn{ClientAppUsed: "Browser", IncomingTokenType: "primaryRefreshToken"}, signins.Token, crossprem.AnswerUnknown, crossprem.AnswerUnknown)
	check("no token", signins.SignIn{ClientAppUsed: "Browser", IncomingTokenType: "none"}, signins.UnknownCredential, crossprem.AnswerUnknown, crossprem.AnswerUnknown)
	check("a password grant", signins.SignIn{ClientAppUsed: "Browser", AuthenticationProtocol: "oAuth2, ROPC"}, signins.Password, crossprem.AnswerUnknown, crossprem.Yes)
	check("a policy stops a right password", signins.SignIn{ClientAppUsed: "IMAP4", ErrorCode: 53003}, signins.Password, crossprem.Yes, crossprem.Yes)
	check("a policy stops a token", signins.SignIn{IncomingTokenType: "refreshToken", ErrorCode: 53003}, signins.Token, crossprem.AnswerUnknown, crossprem.AnswerUnknown)
	check("a wrong password", signins.SignIn{ClientAppUsed: "IMAP4", ErrorCode: 50126}, signins.Password, crossprem.Yes, crossprem.No)
	check("an unknown code", signins.SignIn{ClientAppUsed: "IMAP4", ErrorCode: 12345678}, signins.Password, crossprem.Yes, crossprem.AnswerUnknown)
}

func TestNotKnowable(t *testing.T) {
	v := signins.Classify(&signins.SignIn{ClientAppUsed: "IMAP4"})
	assert.Equal(t, crossprem.AnswerUnknown, v.ROPC)
	assert.Equal(t, crossprem.AnswerUnknown, v.DeviceCode)
	assert.Equal(t, signins.UnknownOutcome, v.Outcome)
	v = signins.Classify(new(signins.SignIn))
	assert.Equal(t, signins.UnknownClass, v.Class)
	assert.Equal(t, signins.NotKnowable, v.Reason)
	assert.Equal(t, signins.UnknownOutcome, v.Outcome)
	v = signins.Classify(&signins.SignIn{Known: everything, ClientAppUsed: "Browser"})
	assert.Equal(t, crossprem.No, v.ROPC)
	assert.Equal(t, crossprem.No, v.DeviceCode)
	assert.Equal(t, crossprem.No, v.NativeMail)
}

// Unified audit has no client app: the request type has to do.
func TestClassByRequestType(t *testing.T) {
	check := func(request, agent string, class signins.Class, protocol signins.Protocol) {
		t.Helper()
		v := signins.Classify(&signins.SignIn{Known: signins.FieldUserAgent | signins.FieldRequestType, RequestType: request, UserAgent: agent})
		assert.Equal(t, class, v.Class, request)
		assert.Equal(t, protocol, v.Protocol, request)
	}
	check("OrgIdWsTrust2:process", "Outlook-WindowsMail", signins.Legacy, signins.OtherLegacy)
	check("OAuth2:Token", "Teams/1.0", signins.Modern, signins.MobileDesktop)
	check("OAuth2:Token", "BAV2ROPC", signins.Legacy, signins.OtherLegacy)
	check("Login:login", "Mozilla/5.0 (Windows NT 10.0)", signins.Modern, signins.Browser)
	check("Login:login", "", signins.UnknownClass, signins.UnknownProtocol)
	check("Login:reprocess", "Mozilla/5.0 (Windows NT 10.0)", signins.Modern, signins.Browser)
	check("login:other", "Microsoft Office/16.0", signins.Modern, signins.MobileDesktop)
	check("SAS:BeginAuth", "Mozilla/5.0", signins.Modern, signins.Browser)
	check("SAS:ProcessAuth", "Mozilla/5.0", signins.Modern, signins.Browser)
	check("SAS:EndAuth", "Mozilla/5.0", signins.Modern, signins.Browser)
	check("OrgIdWsFederation:federation", "Mozilla/5.0 (Linux; Android 14)", signins.Modern, signins.Browser)
	check("OrgIdWsFederation:federation", "Outlook", signins.Modern, signins.MobileDesktop)
	check("bind:Bind", "Mozilla/5.0", signins.UnknownClass, signins.UnknownProtocol)
	check("Kmsi:kmsi", "Mozilla/5.0", signins.UnknownClass, signins.UnknownProtocol)
}

// Exchange Online replays a password at the token endpoint in the name of the
// client that sent it by basic authentication, with that client's user agent.
func TestExchangeOnlineAsTheClient(t *testing.T) {
	check := func(app, request, agent string, code int32, class signins.Class, protocol signins.Protocol, ropc crossprem.Answer) {
		t.Helper()
		v := signins.Classify(&signins.SignIn{Known: signins.FieldUserAgent | signins.FieldRequestType | signins.FieldErrorCode,
			AppID: app, RequestType: request, UserAgent: agent, ErrorCode: code})
		assert.Equal(t, class, v.Class, "%s %s", request, agent)
		assert.Equal(t, protocol, v.Protocol, "%s %s", request, agent)
		assert.Equal(t, ropc, v.ROPC, "%s %s %d", request, agent, code)
	}
	const exchange, teams = "00000002-0000-0FF1-CE00-000000000000", "1fec8e78-bce4-4aaf-ab1b-5451cc387264"
	check(exchange, "OAuth2:Token", "Mozilla/5.0 (Windows NT 10.0)", 0, signins.Legacy, signins.OtherLegacy, crossprem.AnswerUnknown)
	check(exchange, "oauth2:token", "Microsoft Office/16.0", 50126, signins.Legacy, signins.OtherLegacy, crossprem.Yes)
	check(exchange, "OAuth2:Token", "Microsoft WinRM Client", 0, signins.Legacy, signins.ExchangePowerShell, crossprem.AnswerUnknown)
	check(exchange, "OAuth2:Token", "", 0, signins.Legacy, signins.OtherLegacy, crossprem.AnswerUnknown)
	check(exchange, "OAuth2:Authorize", "Mozilla/5.0", 0, signins.Modern, signins.Browser, crossprem.AnswerUnknown)
	check(exchange, "Login:login", "Mozilla/5.0", 50126, signins.Modern, signins.Browser, crossprem.AnswerUnknown)
	check(teams, "OAuth2:Token", "Mozilla/5.0", 0, signins.Modern, signins.Browser, crossprem.AnswerUnknown)
	check(teams, "OAuth2:Token", "Mozilla/5.0", 50126, signins.Modern, signins.MobileDesktop, crossprem.Yes)
	check(teams, "OAuth2:Token", "Teams/1.0", 65001, signins.Modern, signins.MobileDesktop, crossprem.AnswerUnknown)
}

func TestNamesReadBack(t *testing.T) {
	for o := signins.UnknownOutcome; o <= signins.BlockedByAuthenticationPolicy; o++ {
		text, err := o.MarshalText()
		require.NoError(t, err)
		var back signins.Outcome
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, o, back)
	}
	_, err := signins.Outcome(99).MarshalText()
	require.Error(t, err)
	assert.Equal(t, "Class(9)", signins.Class(9).String())
	var p signins.Protocol
	assert.EqualError(t, p.UnmarshalText([]byte("imap9")), `signins: no such protocol: "imap9"`)
}
