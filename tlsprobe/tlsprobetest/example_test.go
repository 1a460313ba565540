package tlsprobetest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func ExampleServer() {
	// A server that asks for a client certificate and cannot do more than
	// TLS 1.2, in memory.
	server := &tlsprobetest.Server{MaxVersion: tlsprobe.TLS12, ClientCertificate: true}
	defer server.Close()

	p := tlsprobe.Prober{Dial: server.Dial, Roots: server.Roots()}
	r, err := p.Probe(context.Background(), "localhost:443")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Class, r.Highest(), r.Trusted)
	// Output: client-certificate-asked TLS 1.2 true
}
