package oauthcert_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

func ExampleRead() {
	// What Exchange exported; made afresh here.
	made := oauthcerttest.AuthCertificate{
		NotBefore: time.Date(2022, 1, 10, 0, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC),
	}.Make()

	cert, err := oauthcert.Read(bytes.NewReader(made.PEM()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cert.Subject())
	for _, f := range oauthcert.Assess(cert, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		if f.Status == crossprem.Failed {
			fmt.Printf("%v: %s: %s\n", f.Severity, f.Title, f.Detail)
		}
	}
	// Output:
	// CN=Microsoft Exchange Server Auth Certificate
	// warning: The auth certificate expires soon: The certificate is valid until 2027-01-10. That is 49 days after 2026-11-22.
}

func ExampleApply() {
	current, next := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	app := &oauthcert.Object{
		Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		Keys: []oauthcert.KeyCredential{current.KeyCredential()},
	}
	dir := oauthcerttest.New(1, app) // or graphoauthcert.New(credential, options)

	ctx := context.Background()
	shown, err := dir.Read(ctx, app.Target())
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := oauthcert.PlanKeys(shown, []*oauthcert.Certificate{current, next}, oauthcert.Policy{At: time.Now()})
	for _, step := range plan.Steps {
		fmt.Println(step.Action, step.Reason)
	}
	var backup bytes.Buffer // a file, in earnest
	applier := oauthcert.Applier{Interval: time.Millisecond, Steady: time.Millisecond}
	report, err := applier.Apply(ctx, dir, plan, &backup)
	fmt.Println(report.Shown, len(report.After.Keys), err)
	// Output:
	// kept wanted
	// added missing
	// true 2 <nil>
}

func ExampleParseThumbprint() {
	// As the certificate dialogue of Windows gives it, an invisible mark first.
	t, err := oauthcert.ParseThumbprint("\u200ea9 4f 2c 7b 18 d0 5e 63 f1 a2 b4 c6 d8 e0 f2 14 36 58 7a 9c")
	fmt.Println(t, err)
	// Output: A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C <nil>
}
