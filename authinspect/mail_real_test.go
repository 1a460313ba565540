//go:build linux

package authinspect_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
	dir   string
	ports map[authinspect.Protocol]string
	in    *authinspect.Inspector
}

// newRealMail makes a folder with a certificate, which other users may enter:
// the servers drop their privileges.
func newRealMail(t *testing.T, protocols ...authinspect.Protocol) *realMail {
	if os.Geteuid() != 0 {
		if os.Getenv(peer.RequireEnv) == "1" {
			t.Fatal("mail servers start as root")
		}
		t.Skip("mail servers start as root")
	}
	// Not t.TempDir: the path of a Unix socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "mail")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	ca := testca.New("")
	cert, key := testca.PEM(ca.Issue(testca.Leaf{}))
	m := &realMail{dir: dir, ports: map[authinspect.Protocol]string{}}
	m.write(t, "cert.pem", string(cert))
	m.write(t, "key.pem", string(key))
	for _, p := range protocols {
		m.ports[p] = freePort(t)
	}
	// Dovecot takes a connection from its own address for as safe as TLS, so
	// come from another one.
	local := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	m.in = &authinspect.Inspector{Roots: ca.Pool(), Dial: local.DialContext, Timeout: 10 * time.Second}
	return m
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func (m *realMail) write(t *testing.T, name, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, name), []byte(strings.ReplaceAll(text, "{dir}", m.dir)), 0o644))
}

// run runs a server until the test ends, and waits until its ports answer.
// The pidFile, if there is one, names the process that is the server.
func (m *realMail) run(t *testing.T, pidFile string, name string, args ...string) {
	cmd := exec.Command(name, args...)
	output, err := os.Create(filepath.Join(m.dir, "output")) // no pipe, which children would hold open
	require.NoError(t, err)
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		// Both servers end their children when they are told to end.
		server := cmd.Process.Pid
		if text, err := os.ReadFile(filepath.Join(m.dir, pidFile)); pidFile != "" && err == nil {
			server, err = strconv.Atoi(strings.TrimSpace(string(text)))
			assert.NoError(t, err)
		}
		assert.NoError(t, syscall.Kill(server, syscall.SIGTERM))
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			assert.Fail(t, "the server does not end")
			_ = syscall.Kill(server, syscall.SIGKILL)
			<-exited
		}
		if t.Failed() {
			said, _ := os.ReadFile(output.Name())
			logged, _ := os.ReadFile(filepath.Join(m.dir, "log"))
			t.Logf("%s said:\n%s%s", filepath.Base(name), said, logged)
		}
	})
	deadline := time.Now().Add(20 * time.Second)
	for _, port := range m.ports {
		for {
			conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case err := <-exited:
				exited <- err
				require.FailNow(t, "the server ended", "%v", err)
			case <-time.After(50 * time.Millisecond):
				require.True(t, time.Now().Before(deadline), "port %s does not open: %v", port, err)
			}
		}
	}
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
	m.write(t, "users", "")
	m.write(t, "oauth2.conf", "introspection_mode = auth\nintrospection_url = http://127.0.0.1:9/\n")
	passdb := "passdb {\n driver = passwd-file\n args = {dir}/users\n}\n"
	if mechanisms[0] == "xoauth2" {
		passdb = "passdb {\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = {dir}/oauth2.conf\n}\n"
	}
	m.write(t, "dovecot.conf", `base_dir = {dir}/run
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
	m.run(t, "", dovecot, "-F", "-c", filepath.Join(m.dir, "dovecot.conf"))
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
		require.NoError(t, os.Mkdir(filepath.Join(m.dir, dir), 0o755))
	}
	require.NoError(t, os.Chown(filepath.Join(m.dir, "data"), uid, -1))
	m.write(t, "main.cf", `compatibility_level = 3.6
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
smtpd_sasl_path = `+dovecot.dir+`/auth
broken_sasl_auth_clients = yes
`)
	m.write(t, "master.cf", fmt.Sprintf(`127.0.0.1:%s inet n - n - - smtpd
127.0.0.1:%s inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:%s inet n - n - - smtpd -o smtpd_sasl_auth_enable=no
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`, m.ports[authinspect.SMTP], m.ports[authinspect.SMTPS], m.ports["relay"]))
	m.run(t, "queue/pid/master.pid", postfix, "-c", m.dir, "start-fg")
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
