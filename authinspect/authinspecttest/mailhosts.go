package authinspecttest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/authinspect"
)

// The tables below keep to recorded sessions; names and identifiers are
// invented. Each function returns a new MailHost, which is the caller's, and
// panics for a protocol that is none of mail.

// frontEndName is the front end of Exchange Online that all of them play.
const frontEndName = "AM0PR01CA0099.eurprd01.prod.outlook.com"

// bracket writes a name as the greetings of Exchange Online do: base64 of
// UTF-16, little endian.
func bracket(name string) string {
	var raw []byte
	for _, c := range []byte(name) {
		raw = append(raw, c, 0)
	}
	return "[" + base64.StdEncoding.EncodeToString(raw) + "]"
}

// ExchangeOnlineMail returns a front end of Exchange Online as of November
// 2026: IMAP names tokens alone, POP3 still names passwords and refuses them,
// SMTP names AUTH LOGIN whatever the tenant says.
func ExchangeOnlineMail(protocol authinspect.Protocol) *MailHost {
	switch wireName(protocol) {
	case "IMAP":
		return exchangeOnlineIMAP(protocol, "Exchange Online", "IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
			MailReply{Command: "LOGIN", Answer: []string{"{tag} NO Basic authentication is disabled.", imapBye}, Hangup: true},
			MailReply{Command: "AUTHENTICATE PLAIN", Answer: []string{"{tag} NO Basic authentication is disabled.", imapBye}, Hangup: true})
	case "POP3":
		return exchangeOnlinePOP3(protocol, "Exchange Online", "-ERR Basic authentication is disabled")
	}
	return exchangeOnlineSMTP(protocol, "Exchange Online", "SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.")
}

// ExchangeOnlineMail2024 returns a front end of Exchange Online as it was in
// 2024: passwords were off for IMAP and POP3 and named all the same, and a
// refusal did not tell a wrong password from a policy.
func ExchangeOnlineMail2024(protocol authinspect.Protocol) *MailHost {
	switch wireName(protocol) {
	case "IMAP":
		return exchangeOnlineIMAP(protocol, "Exchange Online of 2024", "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
			MailReply{Command: "LOGIN", Answer: []string{"{tag} NO LOGIN failed."}},
			MailReply{Command: "AUTHENTICATE PLAIN", Answer: []string{"{tag} NO AUTHENTICATE failed."}})
	case "POP3":
		return exchangeOnlinePOP3(protocol, "Exchange Online of 2024", "-ERR Logon failure: unknown user name or bad password.")
	}
	return exchangeOnlineSMTP(protocol, "Exchange Online of 2024", "the user credentials were incorrect.")
}

const imapBye = "* BYE Microsoft Exchange Server IMAP4 server signing off."

func exchangeOnlineIMAP(protocol authinspect.Protocol, name, secure string, refusals ...MailReply) *MailHost {
	return &MailHost{
		Name: name + " IMAP", Protocol: protocol,
		Greeting: []string{"* OK The Microsoft Exchange IMAP4 service is ready. " + bracket(frontEndName)},
		Clear: imapTable("IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+", imapBye,
			MailReply{Command: "STARTTLS", Answer: []string{"{tag} OK Begin TLS negotiation now."}, StartTLS: true}),
		Secure: imapTable(secure, imapBye, slices.Concat(refusals, []MailReply{
			{Command: "ID", Answer: []string{`* ID ("name" "Microsoft.Exchange.Imap4.Imap4Server" "version" "15.20")`, "{tag} OK ID completed."}},
			{Command: "AUTHENTICATE XOAUTH2", Answer: []string{"{tag} NO AUTHENTICATE failed."}},
		})...),
	}
}

func exchangeOnlinePOP3(protocol authinspect.Protocol, name, refusal string) *MailHost {
	const farewell = "+OK Microsoft Exchange Server POP3 server signing off."
	return &MailHost{
		Name: name + " POP3", Protocol: protocol,
		Greeting: []string{"+OK The Microsoft Exchange POP3 service is ready. " + bracket(frontEndName)},
		Clear: pop3Table(farewell, []string{"TOP", "UIDL", "STLS"},
			MailReply{Command: "STLS", Answer: []string{"+OK Begin TLS negotiation."}, StartTLS: true},
			MailReply{Command: "USER", Answer: []string{"-ERR Command is not valid in this state."}}),
		Secure: pop3Table(farewell, []string{"TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER"},
			MailReply{Command: "USER", Answer: []string{"+OK"}},
			MailReply{Command: "PASS", Answer: []string{refusal}},
			MailReply{Command: "AUTH PLAIN", Answer: []string{refusal}},
			MailReply{Command: "AUTH XOAUTH2", Answer: []string{"-ERR Authentication failure: unknown user name or bad password."}}),
	}
}

func exchangeOnlineSMTP(protocol authinspect.Protocol, name, sentence string) *MailHost {
	const site = "AM0PR01CA0099.outlook.office365.com"
	mark := " [" + frontEndName + " 2026-11-22T10:00:00.000Z 08DE29A0C0FFEE00]"
	return &MailHost{
		Name: name + " SMTP", Protocol: protocol,
		Greeting: []string{"220 " + site + " Microsoft ESMTP MAIL Service ready at {date} [08DE29A0C0FFEE00]"},
		Clear: smtpTable(site+" Hello {client}", []string{"SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8"},
			MailReply{Command: "STARTTLS", Answer: []string{"220 2.0.0 SMTP server ready"}, StartTLS: true},
			MailReply{Command: "MAIL", Answer: []string{"451 5.7.3 STARTTLS is required to send mail" + mark}}),
		Secure: smtpTable(site+" Hello {client}", []string{"SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH LOGIN XOAUTH2", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8"},
			MailReply{Command: "AUTH LOGIN", Answer: []string{"535 5.7.139 Authentication unsuccessful, " + sentence + mark}},
			MailReply{Command: "AUTH XOAUTH2", Answer: []string{"535 5.7.3 Authentication unsuccessful" + mark}},
			MailReply{Command: "AUTH", Answer: []string{"504 5.7.4 Unrecognized authentication type" + mark}},
			MailReply{Command: "MAIL", Answer: []string{"530 5.7.57 Client not authenticated to send mail." + mark}}),
	}
}

// ExchangeServerMail returns Exchange Server on premises with its defaults:
// secure login for IMAP and POP3, and for SMTP the client front end of port
// 587.
func ExchangeServerMail(protocol authinspect.Protocol) *MailHost {
	switch wireName(protocol) {
	case "IMAP":
		return &MailHost{
			Name: "Exchange Server IMAP", Protocol: protocol,
			Greeting: []string{"* OK The Microsoft Exchange IMAP4 service is ready."},
			Clear: imapTable("IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+", imapBye,
				MailReply{Command: "STARTTLS", Answer: []string{"{tag} OK Begin TLS negotiation now."}, StartTLS: true}),
			Secure: imapTable("IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM AUTH=GSSAPI UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+", imapBye,
				MailReply{Command: "LOGIN", Answer: []string{"{tag} NO LOGIN failed."}},
				MailReply{Command: "AUTHENTICATE", Answer: []string{"{tag} NO AUTHENTICATE failed."}}),
		}
	case "POP3":
		const farewell = "+OK Microsoft Exchange Server POP3 server signing off."
		return &MailHost{
			Name: "Exchange Server POP3", Protocol: protocol,
			Greeting: []string{"+OK The Microsoft Exchange POP3 service is ready."},
			Clear: pop3Table(farewell, []string{"TOP", "UIDL", "STLS"},
				MailReply{Command: "STLS", Answer: []string{"+OK Begin TLS negotiation."}, StartTLS: true},
				MailReply{Command: "USER", Answer: []string{"-ERR Command is not valid in this state."}}),
			Secure: pop3Table(farewell, []string{"TOP", "UIDL", "SASL NTLM GSSAPI PLAIN", "USER"},
				MailReply{Command: "USER", Answer: []string{"+OK"}},
				MailReply{Command: "PASS", Answer: []string{"-ERR Logon failure: unknown user name or bad password."}},
				MailReply{Command: "AUTH", Answer: []string{"-ERR Logon failure: unknown user name or bad password."}}),
		}
	}
	const name = "EX01.contoso.test"
	return &MailHost{
		Name: "Exchange Server SMTP", Protocol: protocol,
		Greeting: []string{"220 " + name + " Microsoft ESMTP MAIL Service ready at {date}"},
		Clear: smtpTable(name+" Hello {client}", []string{"SIZE 36700160", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH GSSAPI NTLM", "8BITMIME", "BINARYMIME", "CHUNKING"},
			MailReply{Command: "STARTTLS", Answer: []string{"220 2.0.0 SMTP server ready"}, StartTLS: true},
			MailReply{Command: "AUTH LOGIN", Answer: []string{"504 5.7.4 Unrecognized authentication type"}}),
		Secure: smtpTable(name+" Hello {client}", []string{"SIZE 36700160", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH GSSAPI NTLM LOGIN", "8BITMIME", "BINARYMIME", "CHUNKING"},
			MailReply{Command: "AUTH", Answer: []string{"535 5.7.3 Authentication unsuccessful"}}),
	}
}

// ExchangeRelay returns the receive connector of Exchange Server on port 25,
// where servers hand mail to each other.
func ExchangeRelay() *MailHost {
	const name = "EX01.contoso.test"
	words := []string{"SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "X-ANONYMOUSTLS", "AUTH NTLM", "X-EXPS GSSAPI NTLM", "8BITMIME", "BINARYMIME", "CHUNKING", "XRDST"}
	refused := MailReply{Command: "AUTH", Answer: []string{"535 5.7.3 Authentication unsuccessful"}}
	return &MailHost{
		Name: "Exchange Server relay", Protocol: authinspect.SMTP,
		Greeting: []string{"220 " + name + " Microsoft ESMTP MAIL Service ready at {date}"},
		Clear: smtpTable(name+" Hello {client}", words, refused,
			MailReply{Command: "STARTTLS", Answer: []string{"220 2.0.0 SMTP server ready"}, StartTLS: true}),
		Secure: smtpTable(name+" Hello {client}", slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "STARTTLS" || w == "X-ANONYMOUSTLS" }), refused),
	}
}

// DovecotMail returns Dovecot 2.3 with the given SASL mechanisms. Without
// PLAIN and LOGIN, as with "XOAUTH2", "OAUTHBEARER", it says LOGINDISABLED
// over TLS too, as Exchange Online does; its POP3 names USER all the same. For
// SMTP it is its submission service.
func DovecotMail(protocol authinspect.Protocol, mechanisms ...string) *MailHost {
	password := slices.Contains(mechanisms, "PLAIN") || slices.Contains(mechanisms, "LOGIN")
	switch wireName(protocol) {
	case "IMAP":
		const base = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+"
		secure := base
		if !password {
			secure += " LOGINDISABLED"
		}
		for _, m := range mechanisms {
			secure += " AUTH=" + m
		}
		greeting := "* OK [CAPABILITY " + base + " STARTTLS LOGINDISABLED] Dovecot (Debian) ready."
		if protocol == authinspect.IMAPS {
			greeting = "* OK [CAPABILITY " + secure + "] Dovecot (Debian) ready."
		}
		id := MailReply{Command: "ID", Answer: []string{`* ID ("name" "Dovecot")`, "{tag} OK ID completed."}}
		return &MailHost{
			Name: "Dovecot IMAP", Protocol: protocol, Greeting: []string{greeting},
			Clear: imapTable(base+" STARTTLS LOGINDISABLED", "* BYE Logging out", id,
				MailReply{Command: "STARTTLS", Answer: []string{"{tag} OK Begin TLS negotiation now."}, StartTLS: true},
				MailReply{Command: "LOGIN", Answer: []string{
					"* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. If anyone was listening, the password was exposed.",
					"{tag} NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."}}),
			Secure: imapTable(secure, "* BYE Logging out", id,
				MailReply{Command: "LOGIN", Answer: []string{"{tag} NO [AUTHENTICATIONFAILED] Authentication failed."}},
				MailReply{Command: "AUTHENTICATE", Answer: []string{"{tag} NO [AUTHENTICATIONFAILED] Authentication failed."}}),
		}
	case "POP3":
		base := []string{"CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"}
		secure := append(slices.Clone(base), "USER", "SASL "+strings.Join(mechanisms, " "))
		const failed = "-ERR [AUTH] Authentication failed."
		return &MailHost{
			Name: "Dovecot POP3", Protocol: protocol, Greeting: []string{"+OK Dovecot (Debian) ready."},
			Clear: pop3Table("+OK Logging out", append(base, "STLS", "SASL"),
				MailReply{Command: "STLS", Answer: []string{"+OK Begin TLS negotiation now."}, StartTLS: true},
				MailReply{Command: "USER", Answer: []string{"-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."}}),
			Secure: pop3Table("+OK Logging out", secure,
				MailReply{Command: "USER", Answer: []string{"+OK"}},
				MailReply{Command: "PASS", Answer: []string{failed}},
				MailReply{Command: "AUTH", Answer: []string{failed}}),
		}
	}
	const name = "mail.contoso.test"
	words := func(auth string, more ...string) []string {
		return slices.Concat([]string{"8BITMIME", auth, "BURL imap", "CHUNKING", "ENHANCEDSTATUSCODES", "SIZE"}, more, []string{"PIPELINING"})
	}
	return &MailHost{
		Name: "Dovecot submission", Protocol: protocol, Greeting: []string{"220 " + name + " Dovecot (Debian) ready."},
		Clear: smtpTable(name, words("AUTH ", "STARTTLS"), // with nothing behind it
			MailReply{Command: "STARTTLS", Answer: []string{"220 2.0.0 Begin TLS negotiation now."}, StartTLS: true},
			MailReply{Command: "AUTH", Answer: []string{"523 5.7.10 Plaintext authentication disallowed on non-secure (SSL/TLS) connections."}}),
		Secure: smtpTable(name, words("AUTH "+strings.Join(mechanisms, " ")),
			MailReply{Command: "AUTH", Answer: []string{"535 5.7.8 Authentication failed."}}),
	}
}

// PostfixMail returns Postfix 3.7 as a submission service that shows AUTH
// over TLS only (smtpd_tls_auth_only), with the second line for old clients
// (broken_sasl_auth_clients). Without mechanisms it has no SASL, as on port
// 25.
func PostfixMail(protocol authinspect.Protocol, mechanisms ...string) *MailHost {
	if wireName(protocol) != "SMTP" {
		panic(fmt.Sprintf("authinspecttest: Postfix does not speak %q", protocol))
	}
	const name = "mail.contoso.test"
	before, after := []string{"PIPELINING", "SIZE 10240000", "VRFY", "ETRN"}, []string{"ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"}
	secure := slices.Clone(before)
	refusal := "503 5.5.1 Error: authentication not enabled"
	if len(mechanisms) > 0 {
		all := strings.Join(mechanisms, " ")
		secure = append(secure, "AUTH "+all, "AUTH="+all)
		refusal = "535 5.7.8 Error: authentication failed: authentication failure"
	}
	return &MailHost{
		Name: "Postfix", Protocol: protocol, Greeting: []string{"220 " + name + " ESMTP Postfix (Debian/GNU)"},
		Clear: smtpTable(name, slices.Concat(before, []string{"STARTTLS"}, after),
			MailReply{Command: "STARTTLS", Answer: []string{"220 2.0.0 Ready to start TLS"}, StartTLS: true},
			MailReply{Command: "AUTH", Answer: []string{"503 5.5.1 Error: authentication not enabled"}}),
		Secure: smtpTable(name, append(secure, after...), MailReply{Command: "AUTH", Answer: []string{refusal}}),
	}
}

// wireName returns the protocol without its TLS, in upper case, and panics if
// it is none of mail.
func wireName(protocol authinspect.Protocol) string {
	switch name := strings.ToUpper(strings.TrimSuffix(string(protocol), "s")); name {
	case "IMAP", "POP3", "SMTP":
		return name
	}
	panic(fmt.Sprintf("authinspecttest: %q is no mail protocol", protocol))
}

func imapTable(capabilities, bye string, more ...MailReply) []MailReply {
	return append(more,
		MailReply{Command: "CAPABILITY", Answer: []string{"* CAPABILITY " + capabilities, "{tag} OK CAPABILITY completed."}},
		MailReply{Command: "NOOP", Answer: []string{"{tag} OK NOOP completed."}},
		MailReply{Command: "LOGOUT", Answer: []string{bye, "{tag} OK LOGOUT completed."}, Hangup: true})
}

func pop3Table(farewell string, capabilities []string, more ...MailReply) []MailReply {
	return append(more,
		MailReply{Command: "CAPA", Answer: slices.Concat([]string{"+OK"}, capabilities, []string{"."})},
		MailReply{Command: "QUIT", Answer: []string{farewell}, Hangup: true})
}

func smtpTable(hello string, words []string, more ...MailReply) []MailReply {
	lines := []string{"250-" + hello}
	for _, word := range words {
		lines = append(lines, "250-"+word)
	}
	lines[len(lines)-1] = "250 " + words[len(words)-1]
	return append(more,
		MailReply{Command: "EHLO", Answer: lines},
		MailReply{Command: "NOOP", Answer: []string{"250 2.0.0 OK"}},
		MailReply{Command: "QUIT", Answer: []string{"221 2.0.0 Service closing transmission channel"}, Hangup: true})
}
