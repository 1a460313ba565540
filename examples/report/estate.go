package main

import (
	"context"
	"crypto/x509"
	"embed"
	"io/fs"
	"net"
	"time"

	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

//go:embed estate
var built embed.FS

// An estate is Contoso, an invented organization: its logs and its certificate
// are built in, its servers are fakes on loopback, under names that exist
// nowhere else.
type estate struct {
	files fs.FS
	web   *authinspecttest.RunningEstate
	tls   map[string]*tlsprobetest.Server // by host:port
	roots *x509.CertPool
}

func startEstate() *estate {
	files, err := fs.Sub(built, "estate")
	if err != nil {
		panic(err) // the folder is embedded
	}
	e := &estate{
		files: files,
		web: authinspecttest.Estate{
			"mail.contoso.test":      authinspecttest.Exchange{Modern: authinspecttest.HMA}.FrontEnd(),
			"owa.contoso.test":       authinspecttest.Exchange2019().FrontEnd(),
			"outlook.office365.test": authinspecttest.ExchangeOnline(),
		}.Start(),
		tls: map[string]*tlsprobetest.Server{
			"hub.contoso.test:443":     {MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS12},
			"scanner.contoso.test:443": {MinVersion: tlsprobe.SSL30, MaxVersion: tlsprobe.TLS10},
		},
	}
	e.roots = e.web.Roots()
	for addr, server := range e.tls {
		host, _, _ := net.SplitHostPort(addr)
		server.Names = []string{host}
		e.roots.AddCert(server.Start().Authority())
	}
	return e
}

// close stops the servers.
func (e *estate) close() {
	e.web.Close()
	for _, server := range e.tls {
		server.Close()
	}
}

// fill asks about everything in the estate.
func (e *estate) fill(q *questions) {
	q.signins = []string{"signins"}
	q.cert = "OAuthCert.cer"
	q.connect = connectversion.Version{Major: 2, Minor: 6, Build: 3}
	q.exchange = []string{
		"https://mail.contoso.test/EWS/Exchange.asmx",
		"https://mail.contoso.test/Microsoft-Server-ActiveSync",
		"https://owa.contoso.test/EWS/Exchange.asmx",
		"https://outlook.office365.test/EWS/Exchange.asmx",
	}
	q.probe = []string{"mail.contoso.test:443", "hub.contoso.test:443", "scanner.contoso.test:443"}
}

// asker asks within the estate alone.
func (e *estate) asker(at time.Time) *asker {
	return &asker{at: at, files: e.files, roots: e.roots, dial: e.dial}
}

func (e *estate) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if server, ok := e.tls[addr]; ok {
		return new(net.Dialer).DialContext(ctx, network, server.Addr)
	}
	return e.web.Dial(ctx, network, addr)
}
