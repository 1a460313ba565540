//go:build linux

package tlsprobe_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/tlsprobe"
)

const rightName, wrongName = "mail.contoso.test", "other.contoso.test"

// A stack is a TLS server of some make that has a certificate for rightName.
type stack struct {
	accepted []tlsprobe.Version // under the right name; all else is refused
	// The classes under a wrong name and under none. TLS stands for servers that
	// show a certificate all the same.
	wrong, none tlsprobe.Class
}

// checkStack asks a server with the right, a wrong and no name. Whatever the
// name, no version that is there is called refused and none that is not there
// accepted, no finding is critical for versions, and a usual server sees at
// most ten connections.
func (s *site) checkStack(t *testing.T, port string, want stack) {
	t.Helper()
	for _, c := range []struct {
		what  string
		p     tlsprobe.Prober
		class tlsprobe.Class
	}{
		{"right name", tlsprobe.Prober{SNI: rightName}, tlsprobe.TLS},
		{"wrong name", tlsprobe.Prober{SNI: wrongName}, want.wrong},
		{"no name", tlsprobe.Prober{SNI: rightName, NoSNI: true}, want.none},
	} {
		for _, skip := range []bool{false, true} {
			c.p.Roots, c.p.Timeout, c.p.SkipChain = s.roots, 20*time.Second, skip
			r, err := c.p.Probe(t.Context(), "127.0.0.1:"+port)
			require.NoError(t, err)
			checkResult(t, c.what, r, r.At)
			assert.Equal(t, c.class.String(), r.Class.String(), "%s: %s", c.what, r.Detail)
			for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
				a := r.Versions[v]
				there := false
				for _, have := range want.accepted {
					there = there || v == have
				}
				switch {
				case c.class == tlsprobe.TLS && there:
					assert.Equal(t, tlsprobe.Accepted, a.Support, "%s: %s: %s", c.what, v, a.Reason)
				case c.class == tlsprobe.TLS:
					assert.Equal(t, tlsprobe.Refused, a.Support, "%s: %s: %s", c.what, v, a.Reason)
				case there:
					assert.Equal(t, tlsprobe.Unknown, a.Support, "%s: %s: %s", c.what, v, a.Reason)
				default:
					assert.NotEqual(t, tlsprobe.Accepted, a.Support, "%s: %s: %s", c.what, v, a.Reason)
				}
			}
			if c.class == tlsprobe.TLS {
				assert.LessOrEqual(t, r.Connections, 10, c.what)
			}
			if c.what == "right name" && !skip {
				assert.True(t, r.Trusted, "%v; %s", r.Distrust, r.ChainProblem)
			}
			if !skip {
				t.Logf("%s: %s, %d connections, %v; %s", c.what, r.Class, r.Connections, r.Took.Round(time.Millisecond), r.Detail)
			}
		}
	}
}

func TestStackGo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pair, err := tls.LoadX509KeyPair(s.Path("cert.pem"), s.Path("key.pem"))
	require.NoError(t, err)
	serve := func(config *tls.Config) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		t.Cleanup(func() { l.Close(); <-done })
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.SetDeadline(time.Now().Add(10 * time.Second))
					if server := tls.Server(conn, config); server.Handshake() == nil {
						io.Copy(io.Discard, server)
					}
				}()
			}
		}()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		return port
	}
	named := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == rightName {
			return &pair, nil
		}
		return nil, errors.New("no such name")
	}
	for name, c := range map[string]struct {
		config *tls.Config
		want   stack
	}{
		"1.2-1.3":    {&tls.Config{}, stack{accepted: list(tls2, tls3)}},
		"1.2":        {&tls.Config{MaxVersion: tls.VersionTLS12}, stack{accepted: list(tls2)}},
		"1.3":        {&tls.Config{MinVersion: tls.VersionTLS13}, stack{accepted: list(tls3)}},
		"1.0-1.3":    {&tls.Config{MinVersion: tls.VersionTLS10}, stack{accepted: list(tls0, tls1, tls2, tls3)}},
		"P-521 only": {&tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}}, stack{accepted: list(tls2, tls3)}},
		"ML-KEM":     {&tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, stack{accepted: list(tls3)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.wrong, c.want.none = tlsprobe.SNINeeded, tlsprobe.SNINeeded
			c.config.GetCertificate = named
			s.checkStack(t, serve(c.config), c.want)
			if name == "1.2-1.3" { // a fixed list of certificates is served to everybody
				s.checkStack(t, serve(&tls.Config{Certificates: []tls.Certificate{pair}}), stack{c.want.accepted, tlsprobe.TLS, tlsprobe.TLS})
			}
		})
	}
}

func TestStackCaddy(t *testing.T) {
	t.Parallel()
	caddy := peer.Look(t, "caddy", "caddy")
	s := newSite(t)
	port, other := peer.FreePort(t), peer.FreePort(t)
	s.Write(t, "caddy.json", fmt.Sprintf(`{"admin": {"disabled": true, "config": {"persist": false}}, "storage": {"module": "file_system", "root": "{dir}/data"},
"apps": {"tls": {"certificates": {"load_files": [{"certificate": "{dir}/cert.pem", "key": "{dir}/key.pem"}]}},
"http": {"servers": {
"named": {"listen": ["127.0.0.1:%s"], "automatic_https": {"disable": true}, "tls_connection_policies": [{}], "routes": [{"handle": [{"handler": "static_response"}]}]},
"fallback": {"listen": ["127.0.0.1:%s"], "automatic_https": {"disable": true}, "tls_connection_policies": [{"default_sni": "mail.contoso.test"}], "routes": [{"handle": [{"handler": "static_response"}]}]}
}}}}`, port, other))
	s.Run(t, "", []string{port, other}, caddy, "run", "--config", s.Path("caddy.json"))
	s.checkStack(t, port, stack{list(tls2, tls3), tlsprobe.SNINeeded, tlsprobe.TLS}) // the certificate has the address, too
	s.checkStack(t, other, stack{list(tls2, tls3), tlsprobe.SNINeeded, tlsprobe.TLS})
}

func TestStackNode(t *testing.T) {
	t.Parallel()
	node := peer.Look(t, "node", "nodejs")
	s := newSite(t)
	s.Write(t, "serve.js", `const tls = require("tls"), fs = require("fs");
const context = tls.createSecureContext({ key: fs.readFileSync("{dir}/key.pem"), cert: fs.readFileSync("{dir}/cert.pem") });
const named = { SNICallback: (name, done) => name === "mail.contoso.test" ? done(null, context) : done(new Error("no such name")) };
for (const [port, options] of [[process.argv[2], {}], [process.argv[3], { maxVersion: "TLSv1.2" }]]) {
  const server = tls.createServer({ ...named, ...options }, socket => socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  server.listen(port, "127.0.0.1");
}
`)
	ports := []string{peer.FreePort(t), peer.FreePort(t)}
	s.Run(t, "", ports, node, s.Path("serve.js"), ports[0], ports[1])
	s.checkStack(t, ports[0], stack{list(tls2, tls3), tlsprobe.SNINeeded, tlsprobe.Declined}) // without a name: no certificate, alert 40
	s.checkStack(t, ports[1], stack{list(tls2), tlsprobe.SNINeeded, tlsprobe.Declined})
}

// Deno's TLS is rustls.
func TestStackRustls(t *testing.T) {
	t.Parallel()
	deno := peer.NPM(t, "@deno/linux-x64-glibc", "deno")
	s := newSite(t)
	s.Write(t, "serve.js", `Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]), cert: Deno.readTextFileSync("{dir}/cert.pem"), key: Deno.readTextFileSync("{dir}/key.pem") }, () => new Response("ok"));
`)
	port := peer.FreePort(t)
	s.Run(t, "", []string{port}, deno, "run", "--no-config", "--no-remote", "--no-npm", "--allow-net=127.0.0.1", "--allow-read="+s.Dir, s.Path("serve.js"), port)
	s.checkStack(t, port, stack{list(tls2, tls3), tlsprobe.TLS, tlsprobe.TLS})
}

// Bun's TLS is BoringSSL.
func TestStackBoringSSL(t *testing.T) {
	t.Parallel()
	bun := peer.NPM(t, "@oven/bun-linux-x64", "bun")
	s := newSite(t)
	s.Write(t, "serve.js", `Bun.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), tls: { cert: Bun.file("{dir}/cert.pem"), key: Bun.file("{dir}/key.pem") }, fetch: () => new Response("ok") });
`)
	port := peer.FreePort(t)
	s.Run(t, "", []string{port}, bun, "run", s.Path("serve.js"), port)
	s.checkStack(t, port, stack{list(tls2, tls3), tlsprobe.TLS, tlsprobe.TLS})
}

func TestStackErlang(t *testing.T) {
	t.Parallel()
	erl := peer.Look(t, "erl", "erlang-base erlang-ssl")
	if exec.Command(erl, "-noshell", "-eval", "case application:load(ssl) of ok -> halt(0); _ -> halt(1) end").Run() != nil {
		peer.Missing(t, "the application ssl of Erlang", "erlang-ssl")
	}
	s := newSite(t)
	s.Write(t, "serve.erl", `-module(serve).
-export([main/1]).
main([Port]) ->
  logger:set_primary_config(level, none),
  {ok, _} = application:ensure_all_started(ssl),
  Files = [{certfile, "{dir}/cert.pem"}, {keyfile, "{dir}/key.pem"}],
  {ok, L} = ssl:listen(list_to_integer(atom_to_list(Port)), [{ip, {127,0,0,1}}, {reuseaddr, true}, {versions, ['tlsv1.2', 'tlsv1.3']},
    {sni_fun, fun("mail.contoso.test") -> Files; (_) -> error(no_such_name) end}]),
  accept(L).
accept(L) ->
  {ok, S} = ssl:transport_accept(L),
  P = spawn(fun() -> receive go -> case ssl:handshake(S, 5000) of {ok, T} -> timer:sleep(1000), ssl:close(T); _ -> ok end end end),
  ssl:controlling_process(S, P), P ! go,
  accept(L).
`)
	cmd := exec.Command("erlc", "serve.erl")
	cmd.Dir = s.Dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	port := peer.FreePort(t)
	s.Run(t, "", []string{port}, erl, "-noshell", "-noinput", "-pa", s.Dir, "-s", "serve", "main", port)
	s.checkStack(t, port, stack{list(tls2, tls3), tlsprobe.SNINeeded, tlsprobe.SNINeeded})
}

func TestStackGnuTLS(t *testing.T) {
	t.Parallel()
	serv := peer.Look(t, "gnutls-serv", "gnutls-bin")
	s := newSite(t)
	for _, c := range []struct {
		priority string
		accepted []tlsprobe.Version
	}{
		{"NORMAL", list(tls0, tls1, tls2, tls3)},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", list(tls2, tls3)},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", list(tls2)},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", list(tls3)},
	} {
		t.Run(c.priority, func(t *testing.T) {
			port := peer.FreePort(t)
			s.Run(t, "", []string{port}, serv, "--quiet", "--port", port, "--priority", c.priority, "--disable-client-cert",
				"--x509certfile", "cert.pem", "--x509keyfile", "key.pem", "--sni-hostname", rightName, "--sni-hostname-fatal")
			s.checkStack(t, port, stack{c.accepted, tlsprobe.SNINeeded, tlsprobe.TLS})
		})
	}
}

func TestStackNSS(t *testing.T) {
	t.Parallel()
	selfserv := peer.Look(t, "selfserv", "libnss3-tools")
	certutil, pk12util, openssl := peer.Look(t, "certutil", "libnss3-tools"), peer.Look(t, "pk12util", "libnss3-tools"), peer.Look(t, "openssl", "openssl")
	s := newSite(t)
	require.NoError(t, os.Mkdir(s.Path("db"), 0o755))
	for _, args := range [][]string{
		{openssl, "pkcs12", "-export", "-inkey", s.Path("key.pem"), "-in", s.Path("cert.pem"), "-name", "server", "-out", s.Path("store.p12"), "-passout", "pass:secret"},
		{certutil, "-N", "-d", s.Path("db"), "--empty-password"},
		{pk12util, "-i", s.Path("store.p12"), "-d", s.Path("db"), "-W", "secret"},
	} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	for _, c := range []struct {
		name string
		args []string
		want stack
	}{
		{"1.2-1.3", []string{"-V", "tls1.2:tls1.3"}, stack{list(tls2, tls3), tlsprobe.TLS, tlsprobe.TLS}},
		{"1.0-1.2", []string{"-V", "tls1.0:tls1.2"}, stack{list(tls0, tls1, tls2), tlsprobe.TLS, tlsprobe.TLS}},
		{"1.3", []string{"-V", "tls1.3:tls1.3"}, stack{list(tls3), tlsprobe.TLS, tlsprobe.TLS}},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := peer.FreePort(t)
			args := append([]string{"-n", "server", "-p", port, "-d", "sql:" + s.Path("db"), "-t", "4"}, c.args...)
			s.Run(t, "", []string{port}, selfserv, args...)
			s.checkStack(t, port, c.want)
		})
	}
}

// compile compiles a server in C, or skips the test.
func (s *site) compile(t *testing.T, source, header, pkg string, libs ...string) string {
	gcc := peer.Look(t, "gcc", "gcc")
	if _, err := os.Stat("/usr/include/" + header); err != nil {
		peer.Missing(t, header, pkg)
	}
	s.Write(t, "server.c", source)
	args := append([]string{"-O1", "-w", "-o", s.Path("server"), s.Path("server.c")}, libs...)
	out, err := exec.Command(gcc, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return s.Path("server")
}

const listenC = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/socket.h>
static int listen_on(int port) {
  int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {0};
  a.sin_family = AF_INET; a.sin_port = htons(port); a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(l, (void *)&a, sizeof a) || listen(l, 64)) exit(3);
  signal(SIGCHLD, SIG_IGN);
  return l;
}
/* serve forks a process for each connection, which ends after five seconds. */
static int next(int l) {
  for (;;) {
    int c = accept(l, 0, 0);
    if (c < 0) exit(4);
    if (fork() == 0) { close(l); alarm(5); return c; }
    close(c);
  }
}
`

func TestStackWolfSSL(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.compile(t, `#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
`+listenC+`
int main(int argc, char **argv) {
  wolfSSL_Init();
  WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());
  if (wolfSSL_CTX_use_certificate_chain_file(ctx, "cert.pem") != SSL_SUCCESS || wolfSSL_CTX_use_PrivateKey_file(ctx, "key.pem", SSL_FILETYPE_PEM) != SSL_SUCCESS) return 2;
  if (argc > 2) { /* names count */
    wolfSSL_CTX_UseSNI(ctx, WOLFSSL_SNI_HOST_NAME, argv[2], strlen(argv[2]));
    wolfSSL_CTX_SNI_SetOptions(ctx, WOLFSSL_SNI_HOST_NAME, WOLFSSL_SNI_ABORT_ON_ABSENCE);
  }
  int c = next(listen_on(atoi(argv[1])));
  WOLFSSL *ssl = wolfSSL_new(ctx);
  wolfSSL_set_fd(ssl, c);
  char b[64];
  if (wolfSSL_accept(ssl) == SSL_SUCCESS) wolfSSL_read(ssl, b, sizeof b);
  close(c);
  return 0;
}
`, "wolfssl/ssl.h", "libwolfssl-dev", "-lwolfssl")
	open, named := peer.FreePort(t), peer.FreePort(t)
	s.Run(t, "", []string{open}, server, open)
	s.Run(t, "", []string{named}, server, named, rightName)
	s.checkStack(t, open, stack{list(tls1, tls2, tls3), tlsprobe.TLS, tlsprobe.TLS})
	s.checkStack(t, named, stack{list(tls1, tls2, tls3), tlsprobe.SNINeeded, tlsprobe.Declined}) // without a name: alert 40
}

func TestStackMbedTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.compile(t, `#include <mbedtls/ssl.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ctr_drbg.h>
`+listenC+`
static const char *name;
static int sni(void *p, mbedtls_ssl_context *ssl, const unsigned char *n, size_t len) {
  return name && (strlen(name) != len || memcmp(n, name, len)) ? -1 : 0;
}
int main(int argc, char **argv) {
  mbedtls_ssl_config conf; mbedtls_ssl_context ssl; mbedtls_x509_crt crt; mbedtls_pk_context key;
  mbedtls_entropy_context entropy; mbedtls_ctr_drbg_context drbg; mbedtls_net_context net;
  mbedtls_ssl_config_init(&conf); mbedtls_ssl_init(&ssl); mbedtls_x509_crt_init(&crt); mbedtls_pk_init(&key);
  mbedtls_entropy_init(&entropy); mbedtls_ctr_drbg_init(&drbg);
  if (mbedtls_x509_crt_parse_file(&crt, "cert.pem") || mbedtls_pk_parse_keyfile(&key, "key.pem", 0)) return 2;
  if (argc > 2) name = argv[2];
  net.fd = next(listen_on(atoi(argv[1])));
  mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, 0, 0);
  mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
  mbedtls_ssl_conf_own_cert(&conf, &crt, &key);
  mbedtls_ssl_conf_sni(&conf, sni, 0);
  mbedtls_ssl_conf_min_version(&conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  if (mbedtls_ssl_setup(&ssl, &conf)) return 3;
  mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, 0);
  unsigned char b[64];
  int r;
  while ((r = mbedtls_ssl_handshake(&ssl)) == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE);
  if (r == 0) mbedtls_ssl_read(&ssl, b, sizeof b);
  close(net.fd);
  return 0;
}
`, "mbedtls/ssl.h", "libmbedtls-dev", "-lmbedtls", "-lmbedx509", "-lmbedcrypto")
	open, named := peer.FreePort(t), peer.FreePort(t)
	s.Run(t, "", []string{open}, server, open)
	s.Run(t, "", []string{named}, server, named, rightName)
	s.checkStack(t, open, stack{list(tls2), tlsprobe.TLS, tlsprobe.TLS})
	s.checkStack(t, named, stack{list(tls2), tlsprobe.SNINeeded, tlsprobe.TLS})
}
