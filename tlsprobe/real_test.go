//go:build linux

package tlsprobe_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A site is a folder for the files of real servers, with certificates.
type site struct {
	*peer.Site
	roots *x509.CertPool
}

// newSite makes a site with certificates: cert.pem and key.pem (RSA, as most old suites want it),
// both.pem, ec.pem and ec-key.pem, and ca.pem.
func newSite(t *testing.T) *site {
	s := &site{Site: peer.NewSite(t)}
	ca := testca.New("")
	s.roots = ca.Pool()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	names := []string{"localhost", "127.0.0.1", "mail.contoso.test"}
	cert, private := testca.PEM(ca.Issue(testca.Leaf{Names: names, Key: key}))
	s.Write(t, "cert.pem", string(cert))
	s.Write(t, "key.pem", string(private))
	s.Write(t, "both.pem", string(cert)+string(private))
	cert, private = testca.PEM(ca.Issue(testca.Leaf{Names: names}))
	s.Write(t, "ec.pem", string(cert))
	s.Write(t, "ec-key.pem", string(private))
	cert, _ = testca.PEM(ca.Issue(testca.Leaf{}))
	s.Write(t, "ca.pem", string(cert))
	return s
}

// A want is what is true of a real server.
type want struct {
	accepted []tlsprobe.Version
	class    tlsprobe.Class  // if zero, TLS
	unknown  bool            // what is not accepted may be unknown; else it must be refused
	prober   tlsprobe.Prober // its roots are filled in
	distrust bool
}

func (s *site) check(t *testing.T, port string, w want) *tlsprobe.Result {
	t.Helper()
	w.prober.Roots = s.roots
	w.prober.Timeout = 20 * time.Second // a busy machine is not what is tested
	r, err := w.prober.Probe(t.Context(), "127.0.0.1:"+port)
	require.NoError(t, err)
	assert.Equal(t, w.accepted, offered(r))
	if w.class == tlsprobe.Unclassified {
		w.class = tlsprobe.TLS
	}
	assert.Equal(t, w.class.String(), r.Class.String(), r.Detail)
	for v, answer := range r.Versions {
		if !w.unknown {
			assert.NotEqual(t, tlsprobe.Unknown, answer.Support, "%s: %s", v, answer.Reason)
		}
	}
	if !w.distrust && len(w.accepted) > 0 {
		assert.True(t, r.Trusted, "%v, %d certificates", r.Distrust, len(r.Chain))
	}
	return r
}

const (
	ssl3 = tlsprobe.SSL30
	tls0 = tlsprobe.TLS10
	tls1 = tlsprobe.TLS11
	tls2 = tlsprobe.TLS12
	tls3 = tlsprobe.TLS13
)

func list(v ...tlsprobe.Version) []tlsprobe.Version { return v }

func TestRealOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := peer.Look(t, "openssl", "openssl")
	s := newSite(t)
	const all = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
	for _, c := range []struct {
		name string
		args []string
		want want
	}{
		{"as it comes", nil, want{accepted: list(tls2, tls3)}}, // and the alert 80 for 1.0 and 1.1
		{"1.0", []string{"-tls1", "-cipher", all}, want{accepted: list(tls0)}},
		{"1.1", []string{"-tls1_1", "-cipher", all}, want{accepted: list(tls1)}},
		{"1.2", []string{"-tls1_2"}, want{accepted: list(tls2)}},
		{"1.3", []string{"-tls1_3"}, want{accepted: list(tls3)}},
		{"1.0-1.3", []string{"-min_protocol", "TLSv1", "-cipher", all}, want{accepted: list(tls0, tls1, tls2, tls3)}},
		{"hole 1.0 1.2", []string{"-min_protocol", "TLSv1", "-no_tls1_1", "-no_tls1_3", "-cipher", all}, want{accepted: list(tls0, tls2)}},
		{"DHE", []string{"-tls1_2", "-cipher", "DHE:@SECLEVEL=0"}, want{accepted: list(tls2)}},
		{"RSA", []string{"-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"}, want{accepted: list(tls2)}},
		{"Camellia", []string{"-tls1_2", "-cipher", "CAMELLIA:@SECLEVEL=0"}, want{accepted: list(tls2)}},
		{"ARIA", []string{"-tls1_2", "-cipher", "ARIA:@SECLEVEL=0"}, want{accepted: list(tls2)}},
		{"CCM8", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", "-cert", "ec.pem", "-key", "ec-key.pem"}, want{accepted: list(tls2)}},
		{"NULL", []string{"-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"}, want{accepted: list(tls2)}},
		{"anonymous", []string{"-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", "-nocert"}, want{accepted: list(tls2), distrust: true}},
		{"anonymous NULL", []string{"-tls1_2", "-cipher", "AECDH-NULL-SHA:@SECLEVEL=0", "-nocert"}, want{accepted: list(tls2), distrust: true}},
		{"PSK", []string{"-tls1_2", "-cipher", "DHE-PSK-AES128-GCM-SHA256", "-psk", "1a2b", "-nocert"}, want{accepted: list(tls2), distrust: true}},
		{"sect571r1", []string{"-tls1_2", "-cipher", "ECDHE", "-groups", "sect571r1"}, want{accepted: list(tls2)}},
		{"brainpool", []string{"-tls1_2", "-cipher", "ECDHE", "-groups", "brainpoolP256r1"}, want{accepted: list(tls2)}},
		{"P-521", []string{"-tls1_3", "-groups", "P-521"}, want{accepted: list(tls3)}},
		{"X448", []string{"-tls1_3", "-groups", "X448"}, want{accepted: list(tls3), distrust: true}}, // no chain: crypto/tls has no X448
		{"CCM", []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}, want{accepted: list(tls3), distrust: true}},
		{"client certificate 1.2", []string{"-tls1_2", "-Verify", "1"}, want{accepted: list(tls2), class: tlsprobe.ClientCertificateAsked}},
		{"client certificate 1.3", []string{"-tls1_3", "-Verify", "1"}, want{accepted: list(tls3), class: tlsprobe.ClientCertificateAsked}},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := peer.FreePort(t)
			args := append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-quiet"}, c.args...)
			if !strings.Contains(strings.Join(c.args, " "), "cert") || strings.Contains(c.name, "client") {
				args = append(args, "-cert", "cert.pem", "-key", "key.pem")
			}
			s.Run(t, "", []string{port}, openssl, args...)
			s.check(t, port, c.want)
		})
	}
}

func TestRealGnuTLS(t *testing.T) {
	t.Parallel()
	serv := peer.Look(t, "gnutls-serv", "gnutls-bin")
	s := newSite(t)
	for _, c := range []struct {
		priority string
		accepted []tlsprobe.Version
		mutual   bool
	}{
		{"NORMAL:-VERS-ALL:+VERS-TLS1.0", list(tls0), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", list(tls2), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", list(tls3), false},
		{"NORMAL:+VERS-TLS1.0:+VERS-TLS1.1", list(tls0, tls1, tls2, tls3), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", list(tls2), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC", list(tls2), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+ARCFOUR-128", list(tls0), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:%FORCE_ETM", list(tls2), false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", list(tls2, tls3), true},
	} {
		t.Run(c.priority, func(t *testing.T) {
			port := peer.FreePort(t)
			args := []string{"--quiet", "--port", port, "--priority", c.priority, "--x509certfile", "cert.pem", "--x509keyfile", "key.pem"}
			w := want{accepted: c.accepted}
			if c.mutual {
				args = append(args, "--require-client-cert")
				w.class = tlsprobe.ClientCertificateAsked
			} else {
				args = append(args, "--disable-client-cert")
			}
			s.Run(t, "", []string{port}, serv, args...)
			s.check(t, port, w)
		})
	}
}

// Servers that know their clients by keys agreed on before (RFC 8446, section
// 2.2; RFC 4279): in TLS 1.3 a hello without such a key is declined whatever
// else the server takes, so that 1.3 is unknown, and not refused.
func TestRealPSK(t *testing.T) {
	t.Parallel()
	openssl, serv := peer.Look(t, "openssl", "openssl"), peer.Look(t, "gnutls-serv", "gnutls-bin")
	s := newSite(t)
	s.Write(t, "psk.txt", "client:1a2b3c4d5e\n")
	for name, c := range map[string]struct {
		program  string
		args     []string
		accepted []tlsprobe.Version
		class    tlsprobe.Class
	}{
		"OpenSSL, 1.3 alone":   {openssl, []string{"s_server", "-quiet", "-nocert", "-psk", "1a2b3c4d", "-tls1_3"}, nil, tlsprobe.Declined},
		"OpenSSL, 1.2 and 1.3": {openssl, []string{"s_server", "-quiet", "-nocert", "-psk", "1a2b3c4d"}, list(tls2), tlsprobe.TLS},
		"GnuTLS, 1.2 and 1.3":  {serv, []string{"--quiet", "--pskpasswd", "psk.txt", "--priority", "NORMAL:-KX-ALL:+DHE-PSK:+PSK"}, list(tls2), tlsprobe.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			port := peer.FreePort(t)
			args := append(c.args, "-accept", "127.0.0.1:"+port)
			if c.program == serv {
				args = append(c.args, "--port", port)
			}
			s.Run(t, "", []string{port}, c.program, args...)
			r := s.check(t, port, want{accepted: c.accepted, class: c.class, unknown: true, distrust: true})
			assert.Equal(t, tlsprobe.Unknown, r.Versions[tls3].Support)
			for _, f := range tlsprobe.Assess(r, tlsprobe.OnPremExchange, time.Now()) {
				if f.Status == crossprem.Failed {
					assert.NotEqual(t, crossprem.Critical, f.Severity, "%s: %s", f.Rule, f.Detail)
				}
			}
		})
	}
}

func TestRealNginx(t *testing.T) {
	t.Parallel()
	nginx := peer.Look(t, "nginx", "nginx-light")
	s := newSite(t)
	ports := []string{peer.FreePort(t), peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)}
	s.Write(t, "nginx.conf", fmt.Sprintf(`daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr;
events {}
http {
 access_log off;
 client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
 uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
 ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
 ssl_ciphers ALL:@SECLEVEL=0;
 server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; }
 server { listen 127.0.0.1:%s; }
 server { listen 127.0.0.1:%s ssl default_server; ssl_reject_handshake on; ssl_protocols TLSv1.2 TLSv1.3; }
 server { listen 127.0.0.1:%s ssl; server_name mail.contoso.test; ssl_protocols TLSv1.2 TLSv1.3; }
 server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1.1 TLSv1.3; ssl_verify_client on; ssl_client_certificate {dir}/ca.pem; }
}
`, ports[0], ports[1], ports[2], ports[2], ports[3]))
	s.Run(t, "", ports, nginx, "-c", s.Path("nginx.conf"))
	s.check(t, ports[0], want{accepted: list(tls0, tls1, tls2, tls3)})
	r := s.check(t, ports[1], want{class: tlsprobe.NotTLS, unknown: true})
	assert.Equal(t, "http", r.Protocol)
	s.check(t, ports[2], want{class: tlsprobe.SNINeeded, unknown: true})
	s.check(t, ports[2], want{accepted: list(tls2, tls3), prober: tlsprobe.Prober{SNI: "mail.contoso.test"}})
	s.check(t, ports[3], want{accepted: list(tls1, tls3), class: tlsprobe.ClientCertificateAsked})
}

// Not beside the others: a limit by the second is met here.
func TestRealHAProxy(t *testing.T) {
	haproxy := peer.Look(t, "haproxy", "haproxy")
	s := newSite(t)
	ports := []string{peer.FreePort(t), peer.FreePort(t), peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)}
	bind := "bind 127.0.0.1:%s ssl crt {dir}/both.pem ca-file {dir}/ca.pem verify required ciphers ALL:@SECLEVEL=0 "
	s.Write(t, "haproxy.cfg", fmt.Sprintf(`global
 stats timeout 5s
defaults
 mode http
 timeout connect 5s
 timeout client 5s
 timeout server 5s
frontend f
 `+bind+`ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2
 `+bind+`ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2
 `+bind+`ssl-min-ver TLSv1.2
frontend limited
 mode tcp
 bind 127.0.0.1:%s ssl crt {dir}/both.pem ssl-min-ver TLSv1.2
 stick-table type ip size 1k expire 10s store conn_rate(1s)
 tcp-request connection track-sc0 src
 tcp-request connection reject if { sc_conn_rate(0) gt 3 }
frontend named
 bind 127.0.0.1:%s ssl crt {dir}/both.pem strict-sni ssl-min-ver TLSv1.2
`, ports[0], ports[1], ports[2], ports[3], ports[4]))
	s.Run(t, "", ports, haproxy, "-db", "-f", s.Path("haproxy.cfg"))
	s.check(t, ports[0], want{accepted: list(tls0, tls1, tls2), class: tlsprobe.ClientCertificateAsked})
	s.check(t, ports[1], want{accepted: list(tls2), class: tlsprobe.ClientCertificateAsked})
	s.check(t, ports[2], want{accepted: list(tls2, tls3), class: tlsprobe.ClientCertificateAsked})
	s.check(t, ports[3], want{accepted: list(tls2, tls3), class: tlsprobe.RateLimited}) // what it cuts counts as well
	s.check(t, ports[4], want{class: tlsprobe.SNINeeded, unknown: true})
	s.check(t, ports[4], want{accepted: list(tls2, tls3), prober: tlsprobe.Prober{SNI: "mail.contoso.test"}})
}

// jsse serves each port with the protocols that follow it.
const jsse = `import java.io.FileInputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import javax.net.ssl.*;

public class Serve {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(new FileInputStream(args[0]), "secret".toCharArray());
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, "secret".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        for (int i = 1; i < args.length; i += 2) {
            SSLServerSocket socket = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(Integer.parseInt(args[i]), 50, InetAddress.getByName("127.0.0.1"));
            String[] protocols = args[i + 1].split(",");
            if (protocols[0].equals("mutual")) {
                socket.setNeedClientAuth(true);
                protocols = java.util.Arrays.copyOfRange(protocols, 1, protocols.length);
            }
            socket.setEnabledProtocols(protocols);
            socket.setEnabledCipherSuites(socket.getSupportedCipherSuites());
            new Thread(() -> {
                while (true) {
                    try {
                        SSLSocket client = (SSLSocket) socket.accept();
                        new Thread(() -> {
                            try (client) { client.startHandshake(); } catch (Exception e) { }
                        }).start();
                    } catch (Exception e) { return; }
                }
            }).start();
        }
    }
}
`

// JSSE is the one living implementation of SSL 3.0 in Debian.
func TestRealJSSE(t *testing.T) {
	t.Parallel()
	peer.Look(t, "javac", "openjdk-17-jdk-headless")
	java := peer.Look(t, "java", "openjdk-17-jdk-headless")
	openssl := peer.Look(t, "openssl", "openssl")
	s := newSite(t)
	out, err := exec.Command(openssl, "pkcs12", "-export", "-inkey", s.Path("key.pem"), "-in", s.Path("cert.pem"),
		"-out", s.Path("store.p12"), "-passout", "pass:secret").CombinedOutput()
	require.NoError(t, err, string(out))
	s.Write(t, "Serve.java", jsse)
	s.Write(t, "old.security", "jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n")
	ports := []string{peer.FreePort(t), peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)}
	s.Run(t, "", ports, java, "-Xmx64m", "-XX:TieredStopAtLevel=1", "-Djava.security.properties="+s.Path("old.security"), s.Path("Serve.java"),
		s.Path("store.p12"), ports[0], "SSLv3", ports[1], "SSLv3,TLSv1,TLSv1.1,TLSv1.2", ports[2], "TLSv1.2,TLSv1.3", ports[3], "mutual,TLSv1.2,TLSv1.3")
	s.check(t, ports[0], want{accepted: list(ssl3)})
	s.check(t, ports[1], want{accepted: list(ssl3, tls0, tls1, tls2)})
	s.check(t, ports[2], want{accepted: list(tls2, tls3)})
	s.check(t, ports[3], want{accepted: list(tls2, tls3), class: tlsprobe.ClientCertificateAsked})
}

func TestRealPostfix(t *testing.T) {
	t.Parallel()
	postfix := peer.Look(t, "postfix", "postfix")
	peer.Root(t, "the mail server")
	s := newSite(t)
	owner, err := user.Lookup("postfix")
	require.NoError(t, err)
	uid, err := strconv.Atoi(owner.Uid)
	require.NoError(t, err)
	for _, dir := range []string{"queue", "data"} {
		require.NoError(t, os.Mkdir(s.Path(dir), 0o755))
	}
	require.NoError(t, os.Chown(s.Path("data"), uid, -1))
	with, without := peer.FreePort(t), peer.FreePort(t)
	s.Write(t, "main.cf", `compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = mail.contoso.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_security_level = may
smtpd_tls_protocols = >=TLSv1
smtpd_tls_ciphers = low
tls_low_cipherlist = ALL:@SECLEVEL=0
`)
	s.Write(t, "master.cf", fmt.Sprintf(`127.0.0.1:%s inet n - n - - smtpd
127.0.0.1:%s inet n - n - - smtpd -o smtpd_tls_security_level=none
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`, with, without))
	s.Run(t, "queue/pid/master.pid", []string{with, without}, postfix, "-c", s.Dir, "start-fg")
	smtp := tlsprobe.Prober{StartTLS: tlsprobe.SMTP}
	s.check(t, with, want{accepted: list(tls0, tls1, tls2, tls3), prober: smtp})
	s.check(t, without, want{class: tlsprobe.StartTLSRefused, prober: smtp, unknown: true})
	r := s.check(t, with, want{class: tlsprobe.NeedsStartTLS, unknown: true})
	assert.Equal(t, "smtp", r.Protocol)
}

func TestRealDovecot(t *testing.T) {
	t.Parallel()
	dovecot := peer.Look(t, "dovecot", "dovecot-core")
	peer.Look(t, "imap-login", "dovecot-imapd")
	peer.Look(t, "pop3-login", "dovecot-pop3d")
	peer.Root(t, "the mail server")
	s := newSite(t)
	imap, pop3, imaps := peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)
	s.Write(t, "dovecot.conf", fmt.Sprintf(`base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_min_protocol = TLSv1.2
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
passdb {
 driver = passwd-file
 args = {dir}/users
}
userdb {
 driver = static
 args = uid=nobody gid=nogroup home={dir}/nobody
}
service imap-login {
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
  port = 0
 }
}
`, imap, imaps, pop3))
	s.Write(t, "users", "")
	s.Run(t, "", []string{imap, imaps, pop3}, dovecot, "-F", "-c", s.Path("dovecot.conf"))
	s.check(t, imap, want{accepted: list(tls2, tls3), prober: tlsprobe.Prober{StartTLS: tlsprobe.IMAP}})
	s.check(t, pop3, want{accepted: list(tls2, tls3), prober: tlsprobe.Prober{StartTLS: tlsprobe.POP3}})
	s.check(t, imaps, want{accepted: list(tls2, tls3)})
	s.check(t, imap, want{class: tlsprobe.NeedsStartTLS, unknown: true})
	s.check(t, pop3, want{class: tlsprobe.NeedsStartTLS, unknown: true})
}
