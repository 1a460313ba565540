package authinspecttest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

func clientConfig(srv *authinspecttest.MailServer) *tls.Config {
	return &tls.Config{RootCAs: srv.Roots(), ServerName: "localhost"}
}

// explained is what the refusal means that a client library gives.
func explained(t *testing.T, protocol authinspect.Protocol, err error) string {
	t.Helper()
	require.Error(t, err)
	e, ok := authinspect.ExplainResponse(protocol, err.Error())
	require.True(t, ok, "%v", err)
	return e.ID
}

// The fakes are good enough for clients from other hands, and loud when these
// sign in. What the clients then report can be explained.
func TestMailServerWithIMAPClient(t *testing.T) {
	srv := authinspecttest.ExchangeOnlineMail(authinspect.IMAP).Start()
	defer srv.Close()
	client, err := imapclient.DialStartTLS(srv.Addr, &imapclient.Options{TLSConfig: clientConfig(srv)})
	require.NoError(t, err)
	defer client.Close()
	caps, err := client.Capability().Wait()
	require.NoError(t, err)
	assert.True(t, caps.Has(imap.CapLoginDisabled))
	assert.True(t, caps.Has(imap.AuthCap("XOAUTH2")))
	require.NoError(t, client.Noop().Wait())
	assert.Empty(t, srv.Violations())

	err = client.Authenticate(sasl.NewPlainClient("", "bob@contoso.test", "not a real password"))
	violations := srv.Violations()
	assert.Equal(t, "imap-basic-disabled", explained(t, authinspect.IMAP, err))
	require.Len(t, violations, 1)
	assert.NotContains(t, violations[0], "bob")
	assert.NotContains(t, strings.Join(srv.Commands(), "\n"), "BOB")
	assert.Contains(t, srv.Commands(), "AUTHENTICATE PLAIN")
}

func TestMailServerWithSMTPClient(t *testing.T) {
	check := func(host *authinspecttest.MailHost, auth sasl.Client, want string) {
		t.Helper()
		srv := host.Start()
		defer srv.Close()
		client, err := smtp.DialStartTLS(srv.Addr, clientConfig(srv))
		require.NoError(t, err)
		defer client.Close()
		ok, mechanisms := client.Extension("AUTH")
		assert.True(t, ok)
		assert.NotEmpty(t, mechanisms)
		err = client.Auth(auth)
		assert.Len(t, srv.Violations(), 1)
		assert.Equal(t, want, explained(t, authinspect.SMTP, err))
	}
	plain := sasl.NewPlainClient("", "bob", "x")
	check(authinspecttest.ExchangeOnlineMail(authinspect.SMTP), sasl.NewLoginClient("bob", "x"), "smtp-535-tenant")
	check(authinspecttest.ExchangeOnlineMail2024(authinspect.SMTP), sasl.NewLoginClient("bob", "x"), "smtp-535-creds")
	check(authinspecttest.ExchangeOnlineMail(authinspect.SMTP), plain, "smtp-504-574")
	check(authinspecttest.ExchangeServerMail(authinspect.SMTP), sasl.NewLoginClient("bob", "x"), "smtp-535-573")
	check(authinspecttest.PostfixMail(authinspect.SMTP, "PLAIN"), plain, "smtp-535-postfix")
	check(authinspecttest.DovecotMail(authinspect.SMTP, "OAUTHBEARER"), sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: "bob", Token: "x"}), "smtp-535-dovecot")
}

// A dialog by hand: POP3, and every way in which a credential can come.
func TestMailServerViolations(t *testing.T) {
	check := func(host *authinspecttest.MailHost, violations int, dialog ...string) {
		t.Helper()
		srv := host.Start()
		defer srv.Close()
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp", srv.Addr, clientConfig(srv))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		lines := bufio.NewReader(conn)
		_, err = lines.ReadString('\n') // the greeting
		require.NoError(t, err)
		for i := 0; i < len(dialog); i += 2 {
			_, err := io.WriteString(conn, dialog[i]+"\r\n")
			require.NoError(t, err)
			line, err := lines.ReadString('\n')
			if dialog[i+1] == "" {
				assert.Error(t, err, "the server ends the conversation")
				break
			}
			require.NoError(t, err, dialog[i])
			assert.Equal(t, dialog[i+1], strings.TrimRight(line, "\r\n"), dialog[i])
		}
		got := srv.Violations()
		assert.Len(t, got, violations)
		assert.NotContains(t, strings.Join(got, " "), "secret")
	}
	const disabled = "-ERR Basic authentication is disabled"
	online := authinspecttest.ExchangeOnlineMail(authinspect.POP3S)
	check(online, 2, "USER bob", "+OK", "PASS secret", disabled)
	check(online, 1, "AUTH PLAIN AGJvYgBzZWNyZXQ=", disabled)
	check(online, 1, "AUTH XOAUTH2", "+ ", "dXNlcj1ib2I=", "-ERR Authentication failure: unknown user name or bad password.")
	check(online, 0, "AUTH PLAIN", "+ ", "*", "-ERR Authentication cancelled.")
	check(online, 0, "AUTH CRAM-MD5", "-ERR Protocol error. 12")
	check(online, 1, "AUTH OAUTHBEARER c2VjcmV0", "-ERR Protocol error. 12") // no row knows it; a token it is
	check(online, 0, "HELLO", "-ERR Protocol error. 12")
	// A line that is no command may hold one all the same.
	check(online, 1, "PASS secret ", "-ERR Protocol error. 10")
	check(online, 1, " PASS secret", "-ERR Protocol error. 10")
	check(online, 1, "PASS secret\nQUIT", "")
	check(online, 1, "AUTH XOAUTH2 "+strings.Repeat("c2VjcmV0", 2000), "")
	check(online, 1, "AUTH XOAUTH2", "+ ", strings.Repeat("c2VjcmV0", 2000), "")

	imaps := authinspecttest.ExchangeServerMail(authinspect.IMAPS)
	check(imaps, 1, "a LOGIN bob secret", "a NO LOGIN failed.")
	check(imaps, 0, "a LOGIN", "a NO LOGIN failed.")
	check(imaps, 0, "LOGOUT", "* BAD Command Error. 10")
	check(imaps, 0, "a  NOOP", "* BAD Command Error. 10", "a FETCH 1 BODY", "a BAD Command received in invalid state.")

	// A first NTLM message that names nobody is no credential; the next one is.
	const type1 = "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw=="
	_, err := base64.StdEncoding.DecodeString(type1)
	require.NoError(t, err)
	check(imaps, 0, "a AUTHENTICATE NTLM", "+ ", type1, "a NO AUTHENTICATE failed.")
	check(imaps, 1, "a AUTHENTICATE NTLM "+strings.Replace(type1, "AAB", "AAD", 1), "a NO AUTHENTICATE failed.")

	smtps := authinspecttest.PostfixMail(authinspect.SMTPS, "PLAIN")
	check(smtps, 0, "EHLO", "501 5.5.4 Invalid domain name", "STARTTLS", "500 5.3.3 Unrecognized command", "AUTH", "535 5.7.8 Error: authentication failed: authentication failure")
}

func TestMailServerClosePanics(t *testing.T) {
	srv := authinspecttest.ExchangeOnlineMail(authinspect.POP3).Start()
	conn, err := net.Dial("tcp", srv.Addr)
	require.NoError(t, err)
	defer conn.Close()
	lines := bufio.NewReader(conn)
	_, err = lines.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(conn, "PASS secret\r\n")
	require.NoError(t, err)
	_, err = lines.ReadString('\n')
	require.NoError(t, err)
	assert.PanicsWithValue(t, "authinspecttest: Exchange Online POP3 was sent credentials: PASS with 1 arguments", srv.Close)
}

func TestMailHostRefusesOtherProtocols(t *testing.T) {
	assert.Panics(t, func() { authinspecttest.ExchangeOnlineMail(authinspect.HTTP) })
	assert.Panics(t, func() { authinspecttest.PostfixMail(authinspect.IMAP) })
	assert.Panics(t, func() { (&authinspecttest.MailHost{Protocol: "gopher"}).Start() })
}
