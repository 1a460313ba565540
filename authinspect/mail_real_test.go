//go:build linux

package authinspect_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/internal/testca"
)

// A realMail is a real server that runs for one test.
type realMail struct {
	*peer.Site
	ports map[authinspect.Protocol]string
	in    *authinspect.Inspector
}

// newRealMail makes a site with a certificate, and finds ports.
func newRealMail(t *testing.T, protocols ...authinspect.Protocol) *realMail {
	peer.Root(t, "the server")
	ca := testca.New("")
	cert, key := testca.PEM(ca.Issue(testca.Leaf{}))
	m := &realMail{Site: peer.NewSite(t), ports: map[authinspect.Protocol]string{}}
	m.Write(t, "cert.pem", string(cert))
	m.Write(t, "key.pem", string(key))
	for _, p := range protocols {
		m.ports[p] = peer.FreePort(t)
	}
	// Dovecot takes a connection from its own address for as safe as TLS, so
	// come from another one.
	local := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	m.in = &authinspect.Inspector{Roots: ca.Pool(), Dial: local.DialContext, Timeout: 10 * time.Second}
	return m
}

// run runs a server until the test ends, and waits until its ports answer.
func (m *realMail) run(t *testing.T, pidFile string, name string, args ...string) {
	t.Helper()
	m.Run(t, pidFile, slices.Collect(maps.Values(m.ports)), name, args...)
}

// check inspects one port and holds it against the picture of its fake.
func (m *realMail) check(t *testing.T, protocol authinspect.Protocol, want mailPicture) *authinspect.MailResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := m.in.InspectMail(ctx, "127.0.0.1:"+m.ports[protocol], protocol)
	require.NoError(t, err)
	want.check(t, r)
	require.NotNil(t, r.TLS)
	assert.True(t, r.TLS.Trusted, "%v", r.TLS.Distrust)
	return r
}

// startDovecot runs Dovecot with the given mechanisms; Postfix may ask its
// socket auth about passwords. It serves IMAP, POP3 and submission, with
// STARTTLS and with TLS first.
func startDovecot(t *testing.T, mechanisms ...string) *realMail {
	dovecot := peer.Look(t, "dovecot", "dovecot-core")
	peer.Look(t, "imap-login", "dovecot-imapd")
	peer.Look(t, "pop3-login", "dovecot-pop3d")
	peer.Look(t, "submission-login", "dovecot-submissiond")
	m := newRealMail(t, authinspect.IMAP, authinspect.IMAPS, authinspect.POP3, authinspect.POP3S, authinspect.SMTP, authinspect.SMTPS)
	m.Write(t, "users", "")
	m.Write(t, "oauth2.conf", "introspection_mode = auth\nintrospection_url = http://127.0.0.1:9/\n")
	passdb := "passdb {\n driver = passwd-file\n args = {dir}/users\n}\n"
	if mechanisms[0] == "xoauth2" {
		passdb = "passdb {\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = {dir}/oauth2.conf\n}\n"
	}
	m.Write(t, "dovecot.conf", `base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap pop3 submission
hostname = mail.contoso.test
submission_relay_host = 127.0.0.1
submission_relay_port = 9
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = `+strings.Join(mechanisms, " ")+"\n"+passdb+`userdb {
 driver = static
 args = uid=nobody gid=nogroup home={dir}/nobody
}
service auth {
 unix_listener {dir}/auth {
  mode = 0666
 }
}
`+fmt.Sprintf(`service imap-login {
 inet_listener imap {
  port = %s
 }
 inet_listener imaps {
  port = %s
  ssl = yes
 }
}
service pop3-login {
 inet_listener pop3 {
  port = %s
 }
 inet_listener pop3s {
  port = %s
  ssl = yes
 }
}
service submission-login {
 inet_listener submission {
  port = %s
 }
 inet_listener submissions {
  port = %s
  ssl = yes
 }
}
`, m.ports[authinspect.IMAP], m.ports[authinspect.IMAPS], m.ports[authinspect.POP3], m.ports[authinspect.POP3S], m.ports[authinspect.SMTP], m.ports[authinspect.SMTPS]))
	m.run(t, "", dovecot, "-F", "-c", m.Path("dovecot.conf"))
	return m
}

func TestRealDovecot(t *testing.T) {
	t.Parallel()
	t.Run("passwords", func(t *testing.T) {
		t.Parallel()
		m := startDovecot(t, "plain", "login")
		m.check(t, authinspect.IMAP, dovecotPlainIMAP)
		m.check(t, authinspect.IMAPS, dovecotPlainIMAP.tlsFirst())
		m.check(t, authinspect.POP3, dovecotPlainPOP3)
		m.check(t, authinspect.POP3S, dovecotPlainPOP3.tlsFirst())
		m.check(t, authinspect.SMTP, dovecotPlainSMTP)
		m.check(t, authinspect.SMTPS, dovecotPlainSMTP.tlsFirst())

		// From its own address Dovecot wants no TLS: plain text for a local
		// client, and a reason to look from where the clients are.
		near := &authinspect.Inspector{Roots: m.in.Roots}
		r, err := near.InspectMail(t.Context(), "127.0.0.1:"+m.ports[authinspect.IMAP], authinspect.IMAP)
		require.NoError(t, err)
		assert.Equal(t, "PLAIN LOGIN", strings.Join(r.Clear.Mechanisms, " "))

		untrusting := &authinspect.Inspector{Dial: m.in.Dial}
		r, err = untrusting.InspectMail(t.Context(), "127.0.0.1:"+m.ports[authinspect.IMAPS], authinspect.IMAPS)
		require.NoError(t, err)
		assert.False(t, r.TLS.Trusted)
		assert.Equal(t, authinspect.Advertised, r.Password, "the inspection goes on")
	})
	t.Run("tokens", func(t *testing.T) {
		t.Parallel()
		m := startDovecot(t, "xoauth2", "oauthbearer")
		m.check(t, authinspect.IMAP, dovecotTokensIMAP)
		m.check(t, authinspect.IMAPS, dovecotTokensIMAP.tlsFirst())
		m.check(t, authinspect.POP3, dovecotTokensPOP3)
		m.check(t, authinspect.POP3S, dovecotTokensPOP3.tlsFirst())
		m.check(t, authinspect.SMTP, dovecotTokensSMTP)
	})
}

// startPostfix runs Postfix, which asks Dovecot about passwords: submission
// on the port of SMTP, the same with TLS first on that of SMTPS, and a relay
// without SASL on port "relay".
func startPostfix(t *testing.T, dovecot *realMail) *realMail {
	postfix := peer.Look(t, "postfix", "postfix")
	m := newRealMail(t, authinspect.SMTP, authinspect.SMTPS, "relay")
	owner, err := user.Lookup("postfix")
	require.NoError(t, err)
	uid, err := strconv.Atoi(owner.Uid)
	require.NoError(t, err)
	for _, dir := range []string{"queue", "data"} {
		require.NoError(t, os.Mkdir(m.Path(dir), 0o755))
	}
	require.NoError(t, os.Chown(m.Path("data"), uid, -1))
	m.Write(t, "main.cf", `compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = mail.contoso.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_banner = $myhostname ESMTP $mail_name
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = `+dovecot.Dir+`/auth
broken_sasl_auth_clients = yes
`)
	m.Write(t, "master.cf", fmt.Sprintf(`127.0.0.1:%s inet n - n - - smtpd
127.0.0.1:%s inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:%s inet n - n - - smtpd -o smtpd_sasl_auth_enable=no
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`, m.ports[authinspect.SMTP], m.ports[authinspect.SMTPS], m.ports["relay"]))
	m.run(t, "queue/pid/master.pid", postfix, "-c", m.Dir, "start-fg")
	return m
}

func TestRealPostfix(t *testing.T) {
	t.Parallel()
	t.Run("passwords", func(t *testing.T) {
		t.Parallel()
		m := startPostfix(t, startDovecot(t, "plain", "login"))
		m.check(t, authinspect.SMTP, postfixPlain)
		r := m.check(t, authinspect.SMTPS, postfixPlain.tlsFirst())
		assert.Contains(t, r.Secure.Capabilities, "AUTH=PLAIN LOGIN", "the line for old clients")
		m.ports[authinspect.SMTP] = m.ports["relay"]
		m.check(t, authinspect.SMTP, postfixRelay)
	})
	t.Run("tokens", func(t *testing.T) {
		t.Parallel()
		m := startPostfix(t, startDovecot(t, "xoauth2", "oauthbearer"))
		m.check(t, authinspect.SMTP, postfixTokens)
		m.check(t, authinspect.SMTPS, postfixTokens.tlsFirst())
	})
}
