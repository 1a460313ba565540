package authinspect_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"io"
	"log"
	"net"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/internal/testca"
)

// Servers from other hands that run everywhere. Neither is a product that is
// recognised, so their pictures have no kind.

func TestInspectMailGoIMAP(t *testing.T) {
	ca := testca.New("")
	memory := imapmemserver.New()
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps:      imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{ca.Issue(testca.Leaf{})}},
		Logger:    log.New(io.Discard, "", 0),
	})
	addr := serve(t, srv.Serve, srv.Close)
	r, err := (&authinspect.Inspector{Roots: ca.Pool()}).InspectMail(t.Context(), addr, authinspect.IMAP)
	require.NoError(t, err)
	mailPicture{secure: "PLAIN", clearLogin: authinspect.Refused, secureLogin: authinspect.Advertised, starttls: authinspect.Observed,
		modern: authinspect.ModernOff, password: authinspect.Advertised, failed: "mail-password-offered mail-modern-missing"}.check(t, r)
}

// A smtpSession offers tokens alone. It must never be asked for anything.
type smtpSession struct {
	smtp.Session
	t *testing.T
}

func (s smtpSession) AuthMechanisms() []string { return []string{sasl.OAuthBearer} }
func (s smtpSession) Auth(string) (sasl.Server, error) {
	s.t.Error("a sign-in was begun")
	return nil, smtp.ErrAuthFailed
}
func (s smtpSession) Logout() error { return nil }

func TestInspectMailGoSMTP(t *testing.T) {
	ca := testca.New("")
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return smtpSession{t: t}, nil }))
	srv.Domain = "mail.contoso.test"
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Issue(testca.Leaf{})}}
	srv.ErrorLog = log.New(io.Discard, "", 0)
	addr := serve(t, srv.Serve, srv.Close)
	r, err := (&authinspect.Inspector{Roots: ca.Pool()}).InspectMail(t.Context(), addr, authinspect.SMTP)
	require.NoError(t, err)
	mailPicture{secure: "OAUTHBEARER", starttls: authinspect.Observed, modern: authinspect.ModernOn, password: authinspect.Refused}.check(t, r)
	assert.Contains(t, r.Server.Software, "mail.contoso.test")
}

// An old server, which crypto/tls would not talk to on its own: TLS 1.0 with
// the exchange of keys by RSA.
func TestInspectMailOldTLS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ca := testca.New("")
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return smtpSession{t: t}, nil }))
	srv.Domain = "mail.contoso.test"
	srv.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Key: key})},
		MinVersion:   tls.VersionTLS10,
		MaxVersion:   tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
	addr := serve(t, srv.Serve, srv.Close)
	r, err := (&authinspect.Inspector{Roots: ca.Pool()}).InspectMail(t.Context(), addr, authinspect.SMTP)
	require.NoError(t, err)
	require.NotNil(t, r.TLS, "%v", r.Warnings)
	assert.Equal(t, uint16(tls.VersionTLS10), r.TLS.Version)
	assert.True(t, r.TLS.Trusted)
}

// serve runs a server on loopback until the test ends.
func serve(t *testing.T, serve func(net.Listener) error, stop func() error) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(listener)
	}()
	t.Cleanup(func() {
		assert.NoError(t, stop())
		<-done
	})
	return listener.Addr().String()
}
