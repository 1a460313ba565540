//go:build linux

package authinspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/internal/peer"
)

// checkWindows lists what is true of every front end that offers Windows
// authentication as CONTOSO\EX01 beside Basic, real or fake.
func checkWindows(t *testing.T, r *authinspect.Result) {
	t.Helper()
	assert.ElementsMatch(t, []authinspect.Scheme{authinspect.Negotiate, authinspect.NTLM, authinspect.Basic}, r.Schemes)
	assert.Equal(t, authinspect.Observed, r.Strength(authinspect.NTLM))
	assert.Equal(t, authinspect.Advertised, r.Strength(authinspect.Negotiate))
	assert.Equal(t, authinspect.Advertised, r.Strength(authinspect.Basic))
	assert.Equal(t, authinspect.ModernOff, r.Modern)
	require.NotNil(t, r.NTLM)
	assert.Equal(t, "CONTOSO", r.NTLM.NetBIOSDomain)
	assert.Equal(t, "EX01", r.NTLM.NetBIOSComputer)
	assert.Empty(t, r.NTLM.Warnings)
	skew, ok := r.NTLM.Skew()
	assert.True(t, ok)
	assert.InDelta(t, 0, skew.Seconds(), 60)
	assert.Equal(t, crossprem.Failed, findingStatus(r, "basic-offered"))
	assert.Equal(t, crossprem.Failed, findingStatus(r, "ntlm-internal-names"))
	assert.Equal(t, crossprem.Passed, findingStatus(r, "ntlm-clock-skew"))
	require.NotNil(t, r.TLS)
	assert.True(t, r.TLS.Trusted, "%v", r.TLS.Distrust)
}

func TestWindowsAuthenticationOfFakes(t *testing.T) {
	front := authinspecttest.Exchange2019().FrontEnd()
	checkWindows(t, inspect(t, front, "/rpc/rpcproxy.dll", ""))
	checkWindows(t, inspect(t, front.Merged(), "/rpc/rpcproxy.dll", ""))
}

// apache runs Apache with mod_auth_gssapi, and NTLM from gss-ntlmssp.
func apache(t *testing.T) *realMail {
	path := peer.Look(t, "apache2", "apache2")
	const modules = "/usr/lib/apache2/modules/"
	if _, err := os.Stat(modules + "mod_auth_gssapi.so"); err != nil {
		peer.Missing(t, "mod_auth_gssapi", "libapache2-mod-auth-gssapi")
	}
	if found, _ := filepath.Glob("/usr/lib/*/gssntlmssp/gssntlmssp.so"); found == nil {
		peer.Missing(t, "gssntlmssp.so", "gss-ntlmssp")
	}
	m := newRealMail(t, authinspect.HTTP)
	var config strings.Builder
	for _, module := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "socache_shmcb", "ssl", "auth_gssapi"} {
		config.WriteString("LoadModule " + module + "_module " + modules + "mod_" + module + ".so\n")
	}
	m.Write(t, "apache.conf", config.String()+`
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog {dir}/log
ServerName localhost
Listen 127.0.0.1:`+m.ports[authinspect.HTTP]+`
User www-data
Group www-data
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
<Location /ews>
  AuthType GSSAPI
  AuthName mail.contoso.test
  GssapiAllowedMech ntlmssp
  GssapiConnectionBound On
  Require valid-user
  GssapiBasicAuth On
</Location>
<Location /negotiate>
  AuthType GSSAPI
  AuthName mail.contoso.test
  GssapiAllowedMech ntlmssp
  GssapiConnectionBound On
  Require valid-user
</Location>
`)
	m.run(t, "", "env", "NETBIOS_COMPUTER_NAME=EX01", "NETBIOS_DOMAIN_NAME=CONTOSO", "NTLM_USER_FILE="+m.Dir+"/users", path, "-f", m.Dir+"/apache.conf", "-DFOREGROUND")
	return m
}

func (m *realMail) inspect(t *testing.T, path string) *authinspect.Result {
	t.Helper()
	r, err := m.in.Inspect(t.Context(), "https://127.0.0.1:"+m.ports[authinspect.HTTP]+path)
	require.NoError(t, err)
	return r
}

func TestApache(t *testing.T) {
	m := apache(t)
	checkWindows(t, m.inspect(t, "/ews"))

	assert.Empty(t, m.inspect(t, "/").Schemes)
}

// HAProxy merges what Apache sends in three fields into one.
func TestHAProxyMerges(t *testing.T) {
	path := peer.Look(t, "haproxy", "haproxy")
	behind := apache(t)
	m := newRealMail(t, authinspect.HTTP)
	both := ""
	for _, name := range []string{"cert.pem", "key.pem"} {
		text, err := os.ReadFile(m.Path(name))
		require.NoError(t, err)
		both += string(text)
	}
	m.Write(t, "both.pem", both)
	m.Write(t, "haproxy.cfg", `
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  option prefer-last-server
frontend web
  bind 127.0.0.1:`+m.ports[authinspect.HTTP]+` ssl crt {dir}/both.pem alpn http/1.1
  # Apache's Negotiate and NTLM at /negotiate: only the former is let out.
  http-response set-header www-authenticate Negotiate if { res.fhdr_cnt(WWW-Authenticate) eq 2 }
  http-response set-header www-authenticate "%[res.fhdr(WWW-Authenticate,1)],%[res.fhdr(WWW-Authenticate,2)],%[res.fhdr(WWW-Authenticate,3)]" if { res.fhdr_cnt(WWW-Authenticate) eq 3 }
  default_backend exchange
backend exchange
  server apache 127.0.0.1:`+behind.ports[authinspect.HTTP]+` ssl verify none
`)
	m.run(t, "", path, "-db", "-f", m.Dir+"/haproxy.cfg")
	r := m.inspect(t, "/ews")
	checkWindows(t, r)
	answer, ok := r.Answered(authinspect.StepAnonymous)
	require.True(t, ok)
	assert.Equal(t, []string{`Negotiate,NTLM,Basic realm="mail.contoso.test"`}, answer.Header.Values("WWW-Authenticate"))

	// The NTLM message travels inside Negotiate where that is all there is.
	r = m.inspect(t, "/negotiate")
	assert.Equal(t, []authinspect.Scheme{authinspect.Negotiate}, r.Schemes)
	assert.Equal(t, authinspect.Observed, r.Strength(authinspect.Negotiate))
	require.NotNil(t, r.NTLM)
	assert.Equal(t, "EX01", r.NTLM.NetBIOSComputer)
}

func TestNginx(t *testing.T) {
	path := peer.Look(t, "nginx", "nginx-light")
	m := newRealMail(t, authinspect.HTTP)
	m.Write(t, "users", "")
	m.Write(t, "nginx.conf", `
daemon off;
user www-data;
pid {dir}/pid;
error_log {dir}/log;
events {}
http {
  log_format asked '$request "$http_authorization" "$http_x_user_identity"';
  access_log {dir}/access asked;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  server {
    listen 127.0.0.1:`+m.ports[authinspect.HTTP]+` ssl http2;
    ssl_certificate {dir}/cert.pem;
    ssl_certificate_key {dir}/key.pem;
    location / { return 404; }
    location /mail { auth_basic "mail \"and\" more"; auth_basic_user_file {dir}/users; }
    location /away { return 302 https://login.microsoftonline.com/common/oauth2/authorize?nonce=1; }
  }
}
`)
	m.run(t, "", path, "-e", m.Dir+"/log", "-c", m.Dir+"/nginx.conf")
	m.in.Mailbox = "bob@contoso.test"
	r := m.inspect(t, "/mail")
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic}, r.Schemes)
	assert.Equal(t, authinspect.ModernOff, r.Modern)
	assert.Contains(t, r.Server.Software, "nginx")
	assert.Empty(t, r.Server.Kind)
	// nginx sends quotes in a realm as they are.
	assert.Equal(t, `Basic realm="mail "`, r.Offers[0].Evidence)
	assert.Equal(t, crossprem.Failed, findingStatus(r, "challenge-malformed"))
	r = m.inspect(t, "/away")
	assert.Contains(t, r.Warnings, "anonymous: redirects to https://login.microsoftonline.com/common/oauth2/authorize; not followed")

	// What reached the server, in its own words. It writes its log when it
	// has sent the answer.
	want := []string{
		`GET /mail HTTP/1.1 "-" "-"`, `GET /mail HTTP/1.1 "Bearer" "-"`, `GET /mail HTTP/1.1 "Bearer" "bob@contoso.test"`,
		`GET /away HTTP/1.1 "-" "-"`, `GET /away HTTP/1.1 "Bearer" "-"`, `GET /away HTTP/1.1 "Bearer" "bob@contoso.test"`,
	}
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		log, err := os.ReadFile(m.Path("access"))
		assert.NoError(c, err)
		assert.ElementsMatch(c, want, strings.Split(strings.TrimSpace(string(log)), "\n"))
	}, 5*time.Second, 20*time.Millisecond)
}
