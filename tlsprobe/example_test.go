package tlsprobe_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func Example() {
	// In life, this is a server such as mail.contoso.com:443.
	server := (&tlsprobetest.Server{MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS11}).Start()
	defer server.Close()

	r, err := tlsprobe.Probe(context.Background(), server.Addr)
	if err != nil {
		log.Fatal(err)
	}
	for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
		fmt.Println(v, r.Versions[v].Support)
	}
	for _, f := range tlsprobe.Assess(r, tlsprobe.OnPremExchange, r.At) {
		if f.Rule == "tls-1.2-refused" && f.Status == crossprem.Failed {
			fmt.Println(f.Title)
		}
	}
	// Output:
	// SSL 3.0 refused
	// TLS 1.0 accepted
	// TLS 1.1 accepted
	// TLS 1.2 refused
	// TLS 1.3 refused
	// TLS 1.2 is not accepted, and nothing newer is
}

func ExampleProber_ProbeAll() {
	web := (&tlsprobetest.Server{}).Start()
	defer web.Close()
	mail := (&tlsprobetest.Server{StartTLS: tlsprobe.SMTP, MaxVersion: tlsprobe.TLS12}).Start()
	defer mail.Close()
	names := map[string]string{web.Addr: "web", mail.Addr: "mail"}

	targets := slices.Values([]tlsprobe.Target{{Addr: web.Addr}, {Addr: mail.Addr, StartTLS: tlsprobe.SMTP}})
	p := tlsprobe.Prober{SkipChain: true}
	for r, err := range p.ProbeAll(context.Background(), targets) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(names[r.Target], r.Class, r.Highest())
	}
	// Unordered output:
	// web tls TLS 1.3
	// mail tls TLS 1.2
}
