package symptoms_test

import (
	"fmt"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func ExampleDiagnose() {
	d := symptoms.Diagnose(`WARNING: Unable to download from URI
'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''.`)
	for _, c := range d.Causes[:2] {
		fmt.Println(c.ID, c.Confidence)
	}
	// Output:
	// client-no-tls12 0.665
	// endpoint-moved 0.095
}

// The same sentence on a machine that offers TLS 1.2 means something else.
func ExampleDiagnose_evidence() {
	text := "WARNING: Unable to download from URI 'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''."
	client := schannel.NewClient(tlsprobetest.Registry("Windows 11 23H2"))
	d := symptoms.Diagnose(text, symptoms.Evidence{Client: client})
	fmt.Println(d.Causes[0].ID)
	fmt.Println(d.RuledOut[0].ID+":", d.RuledOut[0].Why)
	// Output:
	// endpoint-moved
	// client-no-tls12: Windows PowerShell (console) offers TLS 1.0, TLS 1.1, TLS 1.2, TLS 1.3.
}

func ExampleAssess() {
	d := symptoms.Diagnose("421 4.7.66 TLS 1.0 and 1.1 are not supported.")
	for _, f := range symptoms.Assess(d, "printer") {
		fmt.Println(f.Status, f.Rule)
	}
	// Output:
	// failed error-cause-client-no-tls12
	// passed error-text-unknown
}

func ExampleDiagnose_alert() {
	alert := tlsprobe.Alert(112)
	d := symptoms.Diagnose("", symptoms.Evidence{Alert: &alert})
	fmt.Println(d.Causes[0].ID, d.Causes[0].Check)
	// Output:
	// sni Was the connection made by IP address, by an alias, or without a server name? Probe the same address with the real name.
}
