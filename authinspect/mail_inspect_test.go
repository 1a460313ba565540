package authinspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

var november2026 = time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)

// A mailPicture is what is true of one server; fakes and real servers are held
// against the same pictures. A space stands between mechanisms.
type mailPicture struct {
	kind          string
	clear, secure string // mechanisms; clear is not looked at where TLS comes first
	clearLogin    authinspect.Strength
	secureLogin   authinspect.Strength
	starttls      authinspect.Strength
	modern        authinspect.Modern
	password      authinspect.Strength
	failed        string // the rules that fail on 22 November 2026, in order
}

func (want mailPicture) check(t *testing.T, r *authinspect.MailResult) {
	t.Helper()
	assert.Equal(t, want.kind, r.Server.Kind, "server")
	if r.StartTLS != authinspect.StrengthUnknown {
		if assert.NotNil(t, r.Clear) {
			assert.Equal(t, want.clear, strings.Join(r.Clear.Mechanisms, " "), "before TLS")
			assert.Equal(t, want.clearLogin, r.Clear.Login, "login command before TLS")
		}
	}
	if assert.NotNil(t, r.Secure, "%v", r.Warnings) {
		assert.Equal(t, want.secure, strings.Join(r.Secure.Mechanisms, " "), "over TLS")
		assert.Equal(t, want.secureLogin, r.Secure.Login, "login command over TLS")
		assert.False(t, r.Secure.StartTLS, "TLS inside TLS")
	}
	assert.Equal(t, want.starttls, r.StartTLS, "STARTTLS")
	assert.Equal(t, want.modern, r.Modern, r.ModernReason)
	assert.Equal(t, want.password, r.Password, r.PasswordReason)
	var failed []string
	for _, f := range authinspect.AssessMail(r, november2026) {
		assert.NotEqual(t, crossprem.Unknown, f.Status, "%s: %s", f.Rule, f.Detail)
		if f.Status == crossprem.Failed {
			failed = append(failed, f.Rule)
		}
	}
	assert.Equal(t, want.failed, strings.Join(failed, " "))
	assert.Empty(t, r.Warnings)
}

// tlsFirst is the picture of the same server on the port with TLS first.
func (want mailPicture) tlsFirst() mailPicture {
	want.starttls = authinspect.StrengthUnknown
	want.failed = strings.TrimPrefix(strings.TrimPrefix(want.failed, "mail-password-before-tls"), " ")
	return want
}

// The pictures that a real server and its fake share.
var (
	dovecotPlainIMAP = mailPicture{kind: authinspect.KindDovecot, secure: "PLAIN LOGIN", clearLogin: authinspect.Refused, secureLogin: authinspect.Advertised, starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Advertised, failed: "mail-password-offered mail-modern-missing"}
	dovecotTokensIMAP = mailPicture{kind: authinspect.KindDovecot, secure: "XOAUTH2 OAUTHBEARER", clearLogin: authinspect.Refused, secureLogin: authinspect.Refused, starttls: authinspect.Observed,
		modern: authinspect.ModernOn, password: authinspect.Refused}
	dovecotPlainPOP3 = mailPicture{kind: authinspect.KindDovecot, secure: "PLAIN LOGIN", secureLogin: authinspect.Advertised, starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Advertised, failed: "mail-password-offered mail-modern-missing"}
	// Over TLS the POP3 of Dovecot names USER whatever its mechanisms are.
	dovecotTokensPOP3 = mailPicture{kind: authinspect.KindDovecot, secure: "XOAUTH2 OAUTHBEARER", secureLogin: authinspect.Advertised, starttls: authinspect.Observed,
		modern: authinspect.ModernOn, password: authinspect.Advertised, failed: "mail-password-offered"}
	dovecotPlainSMTP = mailPicture{kind: authinspect.KindDovecot, secure: "PLAIN LOGIN", starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Advertised, failed: "mail-password-offered mail-modern-missing"}
	dovecotTokensSMTP = mailPicture{kind: authinspect.KindDovecot, secure: "XOAUTH2 OAUTHBEARER", starttls: authinspect.Observed,
		modern: authinspect.ModernOn, password: authinspect.Refused}
	postfixPlain = mailPicture{kind: authinspect.KindPostfix, secure: "PLAIN LOGIN", starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Advertised, failed: "mail-password-offered mail-modern-missing"}
	postfixTokens = mailPicture{kind: authinspect.KindPostfix, secure: "XOAUTH2 OAUTHBEARER", starttls: authinspect.Observed,
		modern: authinspect.ModernOn, password: authinspect.Refused}
	postfixRelay = mailPicture{kind: authinspect.KindPostfix, starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Refused}
)

// inspectMail asks a fake, and fails the test if the fake was sent credentials.
func inspectMail(t *testing.T, host *authinspecttest.MailHost) *authinspect.MailResult {
	t.Helper()
	srv := host.Start()
	defer srv.Close()
	in := &authinspect.Inspector{Roots: srv.Roots(), Timeout: 5 * time.Second}
	r, err := in.InspectMail(t.Context(), srv.Addr, host.Protocol)
	require.NoError(t, err)
	assert.Empty(t, srv.Violations())
	return r
}

func TestInspectMailFakes(t *testing.T) {
	check := func(host *authinspecttest.MailHost, want mailPicture) {
		t.Helper()
		t.Run(host.Name+" "+string(host.Protocol), func(t *testing.T) { want.check(t, inspectMail(t, host)) })
	}
	online := mailPicture{kind: authinspect.KindExchangeOnline, secure: "XOAUTH2", clearLogin: authinspect.Refused, secureLogin: authinspect.Refused, starttls: authinspect.Observed, modern: authinspect.ModernOn, password: authinspect.Refused}
	check(authinspecttest.ExchangeOnlineMail(authinspect.IMAP), online)
	check(authinspecttest.ExchangeOnlineMail(authinspect.IMAPS), online.tlsFirst())

	// Named and refused are two things: passwords are named, the service takes none.
	named := mailPicture{kind: authinspect.KindExchangeOnline, secure: "PLAIN XOAUTH2", secureLogin: authinspect.Advertised, starttls: authinspect.Observed, modern: authinspect.ModernOn, password: authinspect.Advertised,
		failed: "mail-password-misleading"}
	check(authinspecttest.ExchangeOnlineMail(authinspect.POP3), named)
	check(authinspecttest.ExchangeOnlineMail(authinspect.POP3S), named.tlsFirst())
	named.clearLogin = authinspect.Refused
	check(authinspecttest.ExchangeOnlineMail2024(authinspect.IMAP), named)

	submission := mailPicture{kind: authinspect.KindExchangeOnline, secure: "LOGIN XOAUTH2", starttls: authinspect.Observed, modern: authinspect.ModernOn, password: authinspect.Advertised,
		failed: "mail-password-offered smtp-basic-retirement"}
	check(authinspecttest.ExchangeOnlineMail(authinspect.SMTP), submission)
	check(authinspecttest.ExchangeOnlineMail2024(authinspect.SMTP), submission)

	const onPremises = "mail-password-offered mail-modern-missing mail-windows-offered"
	check(authinspecttest.ExchangeServerMail(authinspect.IMAP), mailPicture{kind: authinspect.KindExchange, secure: "PLAIN NTLM GSSAPI", clearLogin: authinspect.Refused, secureLogin: authinspect.Advertised,
		starttls: authinspect.Observed, modern: authinspect.ModernOff, password: authinspect.Advertised, failed: onPremises})
	check(authinspecttest.ExchangeServerMail(authinspect.POP3), mailPicture{kind: authinspect.KindExchange, secure: "NTLM GSSAPI PLAIN", secureLogin: authinspect.Advertised,
		starttls: authinspect.Observed, modern: authinspect.ModernOff, password: authinspect.Advertised, failed: onPremises})
	check(authinspecttest.ExchangeServerMail(authinspect.SMTP), mailPicture{kind: authinspect.KindExchange, clear: "GSSAPI NTLM", secure: "GSSAPI NTLM LOGIN",
		starttls: authinspect.Observed, modern: authinspect.ModernOff, password: authinspect.Advertised, failed: onPremises})
	check(authinspecttest.ExchangeRelay(), mailPicture{kind: authinspect.KindExchange, clear: "NTLM", secure: "NTLM",
		starttls: authinspect.Observed, modern: authinspect.ModernOff, password: authinspect.Refused, failed: "mail-modern-missing mail-windows-offered"})

	for _, protocol := range []authinspect.Protocol{authinspect.IMAP, authinspect.IMAPS} {
		plain, tokens := dovecotPlainIMAP, dovecotTokensIMAP
		if protocol == authinspect.IMAPS {
			plain, tokens = plain.tlsFirst(), tokens.tlsFirst()
		}
		check(authinspecttest.DovecotMail(protocol, "PLAIN", "LOGIN"), plain)
		check(authinspecttest.DovecotMail(protocol, "XOAUTH2", "OAUTHBEARER"), tokens)
	}
	check(authinspecttest.DovecotMail(authinspect.POP3, "PLAIN", "LOGIN"), dovecotPlainPOP3)
	check(authinspecttest.DovecotMail(authinspect.POP3S, "XOAUTH2", "OAUTHBEARER"), dovecotTokensPOP3.tlsFirst())
	check(authinspecttest.DovecotMail(authinspect.SMTP, "PLAIN", "LOGIN"), dovecotPlainSMTP)
	check(authinspecttest.DovecotMail(authinspect.SMTPS, "XOAUTH2", "OAUTHBEARER"), dovecotTokensSMTP.tlsFirst())
	check(authinspecttest.PostfixMail(authinspect.SMTP, "PLAIN", "LOGIN"), postfixPlain)
	check(authinspecttest.PostfixMail(authinspect.SMTPS, "XOAUTH2", "OAUTHBEARER"), postfixTokens.tlsFirst())
	check(authinspecttest.PostfixMail(authinspect.SMTP), postfixRelay)
}

// The front end of Exchange Online writes its name into the greeting, and its
// version into ID.
func TestInspectMailRecognises(t *testing.T) {
	r := inspectMail(t, authinspecttest.ExchangeOnlineMail(authinspect.IMAPS))
	assert.Equal(t, "AM0PR01CA0099.eurprd01.prod.outlook.com", r.Server.FrontEnd)
	assert.Equal(t, "15.20", r.Server.Version)
	assert.Equal(t, "Exchange Online", r.Server.Product)

	stranger := authinspecttest.DovecotMail(authinspect.IMAPS, "PLAIN")
	stranger.Greeting = []string{"* OK [TQBXAA==] ready"}
	stranger.Secure[0].Command = "NO ID" // no answer to ID either
	r = inspectMail(t, stranger)
	assert.Empty(t, r.Server.Kind, "not recognised is not a guess")
	assert.Equal(t, "* OK [TQBXAA==] ready", r.Server.Software)
}

// What an inspection says to a server, word for word.
func TestInspectMailSends(t *testing.T) {
	check := func(host *authinspecttest.MailHost, want ...string) {
		t.Helper()
		srv := host.Start()
		defer srv.Close()
		_, err := (&authinspect.Inspector{Roots: srv.Roots()}).InspectMail(t.Context(), srv.Addr, host.Protocol)
		require.NoError(t, err)
		assert.Equal(t, want, srv.Commands())
	}
	check(authinspecttest.ExchangeOnlineMail(authinspect.IMAP), "CAPABILITY", "STARTTLS", "CAPABILITY", "ID NIL", "LOGOUT")
	check(authinspecttest.ExchangeOnlineMail(authinspect.POP3S), "CAPA", "QUIT")
	check(authinspecttest.ExchangeOnlineMail(authinspect.SMTP), "EHLO [127.0.0.1]", "STARTTLS", "EHLO [127.0.0.1]", "QUIT")
}

func TestInspectMailUntrusted(t *testing.T) {
	host := authinspecttest.ExchangeServerMail(authinspect.IMAP)
	host.Untrusted = true
	r := inspectMail(t, host)
	require.NotNil(t, r.TLS)
	assert.False(t, r.TLS.Trusted)
	assert.ErrorContains(t, r.TLS.Distrust, "unknown authority")
	assert.Equal(t, []string{"PLAIN", "NTLM", "GSSAPI"}, r.Schemes(), "the inspection goes on")
	require.Len(t, r.Warnings, 1)
	assert.Contains(t, r.Warnings[0], "not trusted")
	f := mailFinding(t, authinspect.AssessMail(r, november2026), "mail-tls-untrusted")
	assert.Equal(t, crossprem.Failed, f.Status)

	wrongName := authinspecttest.ExchangeServerMail(authinspect.SMTP)
	wrongName.Names = []string{"other.contoso.test"}
	assert.False(t, inspectMail(t, wrongName).TLS.Trusted)
}

func mailFinding(t *testing.T, findings []crossprem.Finding, rule string) crossprem.Finding {
	t.Helper()
	for _, f := range findings {
		if f.Rule == rule {
			return f
		}
	}
	require.Fail(t, "no finding "+rule)
	return crossprem.Finding{}
}

// A server without TLS, and passwords on the clear line.
func TestInspectMailPlainText(t *testing.T) {
	host := authinspecttest.PostfixMail(authinspect.SMTP, "PLAIN", "LOGIN")
	host.Clear = host.Secure // AUTH at once, and no STARTTLS
	r := inspectMail(t, host)
	assert.Nil(t, r.Secure)
	assert.Nil(t, r.TLS)
	assert.Equal(t, authinspect.Refused, r.StartTLS)
	assert.Equal(t, []string{"PLAIN", "LOGIN"}, r.Schemes())
	findings := authinspect.AssessMail(r, november2026)
	for _, rule := range []string{"mail-password-before-tls", "mail-tls-missing", "mail-password-offered", "mail-modern-missing"} {
		f := mailFinding(t, findings, rule)
		assert.Equal(t, crossprem.Failed, f.Status, rule)
		assert.NotEmpty(t, f.Remedy, rule)
	}

	imap := authinspecttest.ExchangeServerMail(authinspect.IMAP)
	imap.Clear[1].Answer[0] = "* CAPABILITY IMAP4rev1 STARTTLS" // LOGIN is allowed unless forbidden
	f := mailFinding(t, authinspect.AssessMail(inspectMail(t, imap), november2026), "mail-password-before-tls")
	assert.Equal(t, crossprem.Failed, f.Status)
	assert.Contains(t, f.Detail, "LOGIN command")
}

// Once greeted, everything that goes wrong is told, and is unknown, not off.
func TestInspectMailHalfway(t *testing.T) {
	unknown := func(host *authinspecttest.MailHost, warning string) *authinspect.MailResult {
		t.Helper()
		r := inspectMail(t, host)
		assert.Equal(t, authinspect.ModernUnknown, r.Modern)
		assert.Equal(t, authinspect.StrengthUnknown, r.Password)
		assert.Contains(t, strings.Join(r.Warnings, "\n"), warning)
		for _, rule := range []string{"mail-modern-missing", "mail-password-offered"} {
			f := mailFinding(t, authinspect.AssessMail(r, november2026), rule)
			assert.Equal(t, crossprem.Unknown, f.Status, rule)
			assert.NotEmpty(t, f.Detail, rule)
		}
		return r
	}

	closes := authinspecttest.ExchangeOnlineMail(authinspect.IMAP)
	closes.Clear[0] = authinspecttest.MailReply{Command: "STARTTLS", Answer: []string{"{tag} OK go"}, Hangup: true}
	r := unknown(closes, "TLS cannot be set up")
	assert.Equal(t, authinspect.Advertised, r.StartTLS)
	assert.True(t, r.Clear.Known)

	busy := authinspecttest.PostfixMail(authinspect.SMTP)
	busy.Greeting = []string{"421 4.3.2 Service not available"}
	r = unknown(busy, "does not want this connection")
	require.Len(t, r.Refusals, 1)
	assert.Equal(t, "temp-failure", r.Refusals[0].Meaning)

	deaf := authinspecttest.PostfixMail(authinspect.SMTP)
	deaf.Clear = nil
	unknown(deaf, "EHLO is declined: 500 5.3.3")

	old := authinspecttest.ExchangeServerMail(authinspect.POP3)
	old.Clear = []authinspecttest.MailReply{{Command: "QUIT", Answer: []string{"+OK"}}}
	unknown(old, "CAPA is declined")

	// A list without an end is none, and what it does not name may follow.
	cut := authinspecttest.ExchangeServerMail(authinspect.POP3)
	cut.Clear = []authinspecttest.MailReply{{Command: "CAPA", Answer: []string{"+OK", "TOP"}, Hangup: true}}
	assert.Equal(t, authinspect.StrengthUnknown, unknown(cut, "CAPA: EOF").StartTLS)
	cut = authinspecttest.ExchangeServerMail(authinspect.SMTP)
	cut.Clear = []authinspecttest.MailReply{{Command: "EHLO", Answer: []string{"250-mail", "250-SIZE"}, Hangup: true}}
	assert.Equal(t, authinspect.StrengthUnknown, unknown(cut, "EHLO: EOF").StartTLS)

	cut.Clear[0].Answer = []string{"250-mail", "250-AUTH LOGIN NTLM"}
	r = unknown(cut, "EHLO: EOF")
	for _, rule := range []string{"mail-password-before-tls", "mail-windows-offered"} {
		assert.Equal(t, crossprem.Failed, mailFinding(t, authinspect.AssessMail(r, november2026), rule).Status, "%s: what was named was named", rule)
	}

	// The reason is told wherever it stands.
	many := authinspecttest.PostfixMail(authinspect.SMTP)
	many.Clear = []authinspecttest.MailReply{{Command: "EHLO", Answer: []string{"421-4.7.0 Too many of you", "421 4.3.2 come back later"}, Hangup: true}}
	unknown(many, "EHLO is declined: 421-4.7.0 Too many of you 421 4.3.2 come back later")
	bye := authinspecttest.ExchangeOnlineMail(authinspect.IMAP)
	bye.Clear = []authinspecttest.MailReply{{Command: "CAPABILITY", Answer: []string{"* BYE Connection is closed. 13"}, Hangup: true}}
	r = unknown(bye, "the server ends the connection: * BYE Connection is closed. 13")
	require.Len(t, r.Refusals, 1)
	assert.Equal(t, "throttled", r.Refusals[0].Meaning)

	// TLS was reached, and nothing behind it.
	mute := authinspecttest.PostfixMail(authinspect.SMTP, "PLAIN")
	mute.Secure = []authinspecttest.MailReply{{Command: "EHLO", Answer: []string{"503 5.5.1 bad sequence"}}}
	assert.Equal(t, "no list of capabilities could be read", unknown(mute, "EHLO is declined").ModernReason)

	endless := authinspecttest.DovecotMail(authinspect.IMAPS, "PLAIN")
	for i := range endless.Secure {
		if endless.Secure[i].Command == "CAPABILITY" {
			endless.Secure[i].Answer = []string{strings.Repeat("* 1 EXISTS\r\n", 400)}
		}
	}
	r = inspectMail(t, endless)
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "more than 200 lines")

	long := authinspecttest.DovecotMail(authinspect.POP3S, "PLAIN")
	long.Secure = []authinspecttest.MailReply{{Command: "CAPA", Answer: []string{"+OK", strings.Repeat("A", 9000), "."}}}
	r = inspectMail(t, long)
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "line of more than 8192 bytes")
}

// STARTTLS that is offered and declined is no TLS, and told with its reason.
func TestInspectMailDeclinesTLS(t *testing.T) {
	host := authinspecttest.PostfixMail(authinspect.SMTP)
	for i := range host.Clear {
		if host.Clear[i].Command == "STARTTLS" {
			host.Clear[i] = authinspecttest.MailReply{Command: "STARTTLS", Answer: []string{"454 4.7.0 TLS not available due to local problem"}}
		}
	}
	r := inspectMail(t, host)
	assert.Equal(t, authinspect.Refused, r.StartTLS)
	assert.Nil(t, r.Secure)
	require.Len(t, r.Refusals, 1)
	assert.Equal(t, "temp-failure", r.Refusals[0].Meaning)
	missing := mailFinding(t, authinspect.AssessMail(r, november2026), "mail-tls-missing")
	assert.Equal(t, crossprem.Failed, missing.Status)
	assert.Contains(t, missing.Detail, "454 4.7.0")
	// Postfix names AUTH over TLS only: that none is seen before it proves nothing.
	assert.Equal(t, authinspect.ModernUnknown, r.Modern)
	assert.Equal(t, authinspect.StrengthUnknown, r.Password)
}

// A connection that the server takes for signed in cannot start TLS.
func TestInspectMailPreauthenticated(t *testing.T) {
	host := authinspecttest.DovecotMail(authinspect.IMAP, "PLAIN")
	host.Greeting = []string{"* PREAUTH IMAP4rev1 server logged in as bob"}
	r := inspectMail(t, host)
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "PREAUTH")
	assert.Nil(t, r.Secure)
	assert.Equal(t, authinspect.StrengthUnknown, r.Password, "nobody is asked for one")
	for _, f := range authinspect.AssessMail(r, november2026) {
		assert.Equal(t, crossprem.Unknown, f.Status, f.Rule)
	}
}

// What a server sends is bounded in every direction.
func TestInspectMailBounds(t *testing.T) {
	flood := authinspecttest.ExchangeServerMail(authinspect.SMTPS)
	flood.Secure = []authinspecttest.MailReply{{Command: "EHLO", Answer: []string{strings.TrimSuffix(strings.Repeat("250-"+strings.Repeat("X", 4000)+"\r\n", 40), "\r\n")}}}
	assert.Contains(t, strings.Join(inspectMail(t, flood).Warnings, "\n"), "more than 65536 bytes")

	var words []string
	for i := range 2000 {
		words = append(words, fmt.Sprintf("AUTH=X%d", i))
	}
	s := authinspect.ParseMailState(authinspect.IMAP, []string{"* CAPABILITY " + strings.Join(words, " ")})
	assert.Len(t, s.Capabilities, 500)
	assert.Len(t, s.Mechanisms, 500)
}

// EHLO names the address of this end, whatever its family is.
func TestInspectMailAddressLiteral(t *testing.T) {
	check := func(local net.Addr, want string) {
		t.Helper()
		client, server := net.Pipe()
		in := &authinspect.Inspector{Dial: func(context.Context, string, string) (net.Conn, error) { return localConn{client, local}, nil }}
		heard := make(chan string)
		go func() {
			_, _ = io.WriteString(server, "220 mail\r\n")
			line := make([]byte, 100)
			n, _ := server.Read(line)
			server.Close()
			heard <- string(line[:n])
		}()
		_, err := in.InspectMail(t.Context(), "mail.contoso.test:25", authinspect.SMTP)
		assert.NoError(t, err)
		assert.Equal(t, want, <-heard)
	}
	check(&net.TCPAddr{IP: net.ParseIP("2001:db8::1")}, "EHLO [IPv6:2001:db8::1]\r\n")
	check(&net.TCPAddr{IP: net.ParseIP("192.0.2.1")}, "EHLO [192.0.2.1]\r\n")
	check(&net.UnixAddr{}, "EHLO [127.0.0.1]\r\n")
}

type localConn struct {
	net.Conn
	local net.Addr
}

func (c localConn) LocalAddr() net.Addr { return c.local }

// Text behind the answer to STARTTLS is not taken for an answer over TLS.
func TestInspectMailInjection(t *testing.T) {
	host := authinspecttest.ExchangeServerMail(authinspect.IMAP)
	host.Clear[0].Answer = []string{"{tag} OK Begin TLS negotiation now.", "* CAPABILITY IMAP4rev1 AUTH=PLAIN", "x3 OK injected"}
	srv := host.Start()
	defer srv.Close()
	// The fake writes in two pieces; whether the rest is there in time to be
	// told is up to the network, but it never counts.
	r, err := (&authinspect.Inspector{Roots: srv.Roots()}).InspectMail(t.Context(), srv.Addr, authinspect.IMAP)
	require.NoError(t, err)
	if r.Secure != nil {
		assert.Equal(t, []string{"PLAIN", "NTLM", "GSSAPI"}, r.Secure.Mechanisms)
	} else {
		assert.NotEmpty(t, r.Warnings)
	}
}

// Capabilities compare without case (RFC 2449 §3).
func TestParseMailStateAnyCase(t *testing.T) {
	s := authinspect.ParseMailState(authinspect.POP3, []string{"+OK", "user", "sasl plain xoauth2", "stls", "."})
	assert.Equal(t, []string{"PLAIN", "USER"}, s.Passwords())
	assert.Equal(t, []string{"XOAUTH2"}, s.Tokens())
	assert.True(t, s.StartTLS)
}

func TestInspectMailFirewall(t *testing.T) {
	host := authinspecttest.PostfixMail(authinspect.SMTP, "PLAIN")
	for i, reply := range host.Clear {
		if reply.Command == "EHLO" {
			host.Clear[i].Answer = []string{"250-mail.contoso.test", "250-SIZE", "250 XXXXXXXA"}
		}
	}
	r := inspectMail(t, host)
	assert.Equal(t, authinspect.Refused, r.StartTLS)
	assert.Contains(t, mailFinding(t, authinspect.AssessMail(r, november2026), "mail-tls-missing").Detail, "overwritten")
	assert.Equal(t, authinspect.ModernUnknown, r.Modern, "what is behind TLS is hidden with it")
}

// Exchange Online without STARTTLS is not what Exchange Online sent.
func TestInspectMailStripped(t *testing.T) {
	host := authinspecttest.ExchangeOnlineMail(authinspect.SMTP)
	for i, reply := range host.Clear {
		if reply.Command == "EHLO" {
			host.Clear[i].Answer = slices.DeleteFunc(reply.Answer, func(line string) bool { return strings.Contains(line, "STARTTLS") })
		}
	}
	missing := mailFinding(t, authinspect.AssessMail(inspectMail(t, host), november2026), "mail-tls-missing")
	assert.Equal(t, crossprem.Failed, missing.Status)
	assert.Contains(t, missing.Detail, "something on the path")
}

func TestInspectMailErrors(t *testing.T) {
	ctx := t.Context()
	_, err := authinspect.InspectMail(ctx, "mail.contoso.test", authinspect.IMAP)
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)
	_, err = authinspect.InspectMail(ctx, "mail.contoso.test:143", authinspect.HTTP)
	assert.ErrorIs(t, err, authinspect.ErrBadTarget)

	denied := &authinspect.Inspector{Allow: func(u *url.URL) error { return errors.New("not " + u.String()) }}
	_, err = denied.InspectMail(ctx, "mail.contoso.test:143", authinspect.IMAP)
	assert.ErrorIs(t, err, authinspect.ErrNotAllowed)
	assert.ErrorContains(t, err, "not imap://mail.contoso.test:143")

	var unreachable *authinspect.UnreachableError
	offline := &authinspect.Inspector{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrClosedPipe }}
	_, err = offline.InspectMail(ctx, "mail.contoso.test:143", authinspect.IMAP)
	assert.ErrorAs(t, err, &unreachable)
	assert.ErrorIs(t, err, io.ErrClosedPipe)

	smtp := authinspecttest.PostfixMail(authinspect.SMTP).Start()
	defer smtp.Close()
	_, err = authinspect.InspectMail(ctx, smtp.Addr, authinspect.IMAP)
	assert.ErrorIs(t, err, authinspect.ErrNotMail)
	_, err = authinspect.InspectMail(ctx, smtp.Addr, authinspect.IMAPS)
	assert.ErrorAs(t, err, &unreachable, "no TLS there")

	// A server that says nothing, and a caller that loses patience.
	silent := authinspecttest.PostfixMail(authinspect.SMTP)
	silent.Delay = time.Hour
	srv := silent.Start()
	defer srv.Close()
	_, err = (&authinspect.Inspector{Timeout: 50 * time.Millisecond}).InspectMail(ctx, srv.Addr, authinspect.SMTP)
	assert.ErrorAs(t, err, &unreachable)
	brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = authinspect.InspectMail(brief, srv.Addr, authinspect.SMTP)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestParseMailURL(t *testing.T) {
	check := func(raw, wantAddr string, wantProtocol authinspect.Protocol) {
		t.Helper()
		addr, protocol, ok, err := authinspect.ParseMailURL(raw)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, wantAddr, addr)
		assert.Equal(t, wantProtocol, protocol)
	}
	check("imap://mail.contoso.test", "mail.contoso.test:143", authinspect.IMAP)
	check("IMAPS://mail.contoso.test/", "mail.contoso.test:993", authinspect.IMAPS)
	check("pop://127.0.0.1:1110", "127.0.0.1:1110", authinspect.POP3)
	check("pop3s://[::1]", "[::1]:995", authinspect.POP3S)
	check("smtp://mail.contoso.test", "mail.contoso.test:25", authinspect.SMTP)
	check("submission://mail.contoso.test", "mail.contoso.test:587", authinspect.SMTP)
	check("submissions://mail.contoso.test", "mail.contoso.test:465", authinspect.SMTPS)

	for _, other := range []string{"https://mail.contoso.test", "mail.contoso.test", "", "imap:mail"} {
		_, _, ok, err := authinspect.ParseMailURL(other)
		assert.False(t, ok, other)
		assert.NoError(t, err, other)
	}
	for _, bad := range []string{"imap://", "imap://bob:secret@mail.contoso.test", "smtp://mail.contoso.test/inbox", "imap://%zz", "pop://host:port"} {
		_, _, ok, err := authinspect.ParseMailURL(bad)
		assert.True(t, ok, bad)
		assert.ErrorIs(t, err, authinspect.ErrBadTarget, bad)
		assert.NotContains(t, err.Error(), "secret")
	}
}

// SMTP AUTH with passwords: the day decides.
func TestAssessMailSMTPDates(t *testing.T) {
	r := inspectMail(t, authinspecttest.ExchangeOnlineMail(authinspect.SMTP))
	on := func(day string) crossprem.Finding {
		at, err := time.Parse(time.DateOnly, day)
		require.NoError(t, err)
		return mailFinding(t, authinspect.AssessMail(r, at), "smtp-basic-retirement")
	}
	assert.Equal(t, crossprem.Info, on("2026-01-30").Severity)
	assert.Equal(t, crossprem.Warning, on("2026-11-30").Severity)
	before := on("2026-12-01")
	assert.Equal(t, crossprem.Critical, before.Severity)
	assert.Equal(t, "2026-12-31", before.Due.Format(time.DateOnly))
	assert.Contains(t, before.Detail, "March to April 2026, are void")

	after := on("2027-01-01")
	assert.Equal(t, crossprem.Critical, after.Severity)
	assert.Contains(t, after.Detail, "off by default since")
	assert.NotContains(t, after.Detail, "second half of 2027")
	assert.Contains(t, on("2027-09-01").Detail, "second half of 2027")

	// No date hangs over a server of one's own.
	for _, f := range authinspect.AssessMail(inspectMail(t, authinspecttest.ExchangeServerMail(authinspect.SMTP)), november2026) {
		assert.NotEqual(t, "smtp-basic-retirement", f.Rule)
	}
}

// The same list of capabilities, before and after passwords went away.
func TestAssessMailIMAPDates(t *testing.T) {
	r := inspectMail(t, authinspecttest.ExchangeOnlineMail2024(authinspect.IMAPS))
	in2021 := mailFinding(t, authinspect.AssessMail(r, time.Date(2021, time.May, 1, 0, 0, 0, 0, time.UTC)), "mail-password-offered")
	assert.Equal(t, crossprem.Failed, in2021.Status)
	assert.Equal(t, "2022-10-01", in2021.Due.Format(time.DateOnly))
	in2024 := mailFinding(t, authinspect.AssessMail(r, time.Date(2024, time.May, 1, 0, 0, 0, 0, time.UTC)), "mail-password-offered")
	assert.Equal(t, crossprem.Passed, in2024.Status)
	assert.Contains(t, in2024.Detail, "refuses it for every tenant")
}

func TestAssessMailNothingSeen(t *testing.T) {
	for _, f := range authinspect.AssessMail(&authinspect.MailResult{Target: "mail.contoso.test:143", Protocol: authinspect.IMAP}, november2026) {
		assert.Equal(t, crossprem.Unknown, f.Status, f.Rule)
	}
}

func TestMailResultJSON(t *testing.T) {
	data, err := json.Marshal(inspectMail(t, authinspecttest.ExchangeOnlineMail(authinspect.POP3)))
	require.NoError(t, err)
	var object map[string]any
	require.NoError(t, json.Unmarshal(data, &object))
	assert.Equal(t, []any{"PLAIN", "XOAUTH2"}, object["schemes"])
	assert.Equal(t, "on", object["modern"])
	assert.Equal(t, "advertised", object["password"])
	assert.Equal(t, []any{}, object["diagnostics"])
	assert.Equal(t, []any{}, object["warnings"])
	assert.Contains(t, object, "issuer")
	assert.Nil(t, object["issuer"])
}

// One IMAP server with STARTTLS: a TCP connection, a handshake, five commands.
func BenchmarkInspectMail(b *testing.B) {
	srv := authinspecttest.ExchangeOnlineMail(authinspect.IMAP).Start()
	defer srv.Close()
	in := &authinspect.Inspector{Roots: srv.Roots()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.InspectMail(b.Context(), srv.Addr, authinspect.IMAP); err != nil {
			b.Fatal(err)
		}
	}
}
