package tlsprobe_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// What is wrong depends on what the server is for, and on the day: this
// certificate is valid, and five months later it has expired.
func ExampleAssess() {
	server := (&tlsprobetest.Server{MaxVersion: tlsprobe.TLS12, NotAfter: time.Now().AddDate(0, 0, 100)}).Start()
	defer server.Close()
	p := tlsprobe.Prober{Roots: server.Roots()}
	r, err := p.Probe(context.Background(), server.Addr)
	if err != nil {
		log.Fatal(err)
	}
	for _, at := range []time.Time{r.At, r.At.AddDate(0, 5, 0)} {
		for _, f := range tlsprobe.Assess(r, tlsprobe.OnPremExchange, at) {
			if f.Rule == "tls-certificate-expired" {
				fmt.Println(f.Status, f.Title)
			}
		}
	}
	// Output:
	// passed The server's certificate is valid, and does not end soon
	// failed The server's certificate has expired, is not yet valid, or ends soon
}

// A mail server turns to TLS when it is asked to.
func ExampleProber_Probe_startTLS() {
	server := (&tlsprobetest.Server{StartTLS: tlsprobe.SMTP, MinVersion: tlsprobe.TLS12}).Start()
	defer server.Close()
	p := tlsprobe.Prober{StartTLS: tlsprobe.SMTP, SkipChain: true}
	r, err := p.Probe(context.Background(), server.Addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Class, r.Offers(tlsprobe.TLS11), r.Offers(tlsprobe.TLS12))
	// Output:
	// tls false true
}

// The hosts that Entra Connect must reach.
func ExampleEndpoints() {
	shown := 0
	for _, e := range tlsprobe.Endpoints(crossprem.Worldwide) {
		for _, target := range e.Targets() {
			if e.Need == "required" && e.StartTLS == "" && shown < 3 {
				shown++
				fmt.Println(target.Addr, "-", e.Status)
			}
		}
	}
	// Output:
	// login.microsoftonline.com:443 - active
	// login.windows.net:443 - active
	// login.microsoft.com:443 - active
}
