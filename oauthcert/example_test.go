package oauthcert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

func ExampleCertificate_Base64() {
	cert := oauthcerttest.AuthCertificate{}.Make() // or oauthcert.ReadFile("OAuthCert.cer")

	// The value of a key credential is the DER encoding, as base64 on one line.
	back, err := oauthcert.Parse([]byte(cert.Base64()))
	fmt.Println(back.Equal(cert), err)
	// Output: true <nil>
}

func ExampleCertificate_KeyCredential() {
	cert := oauthcerttest.AuthCertificate{}.Make()

	key := cert.KeyCredential()
	fmt.Println(key.Type, key.Usage, key.DisplayName)
	fmt.Println("dates are left to Entra ID:", key.StartDateTime.IsZero() && key.EndDateTime.IsZero())
	// Output:
	// AsymmetricX509Cert Verify CN=Microsoft Exchange Server Auth Certificate
	// dates are left to Entra ID: true
}

func ExampleReader_ParseAll() {
	// What "Get-ChildItem Cert:\LocalMachine\My | Select-Object Thumbprint,
	// @{n='Value';e={[Convert]::ToBase64String($_.RawData)}} | ConvertTo-Json"
	// gives, for example.
	current, next := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	exported := fmt.Sprintf(`[{"Value":%q},{"Value":%q}]`, current.Base64(), next.Base64())

	all, err := new(oauthcert.Reader).ParseAll([]byte(exported))
	fmt.Println(len(all), err)

	_, err = oauthcert.Parse([]byte(exported)) // which of them?
	fmt.Println(errors.Is(err, oauthcert.ErrAmbiguous))
	// Output:
	// 2 <nil>
	// true
}

func ExampleFolder() {
	dir, err := os.MkdirTemp("", "certificates")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cert := oauthcerttest.AuthCertificate{}.Make()
	if err := os.WriteFile(filepath.Join(dir, "auth.cer"), cert.CER(), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	// On an Exchange server, MachineStore{} takes the place of the folder.
	var store oauthcert.Store = oauthcert.Folder{Path: dir}
	found, err := store.Find(context.Background(), cert.SHA1())
	fmt.Println(found.Equal(cert), err)
	_, err = store.Find(context.Background(), oauthcert.Thumbprint{1})
	fmt.Println(errors.Is(err, oauthcert.ErrNotInStore))
	// Output:
	// true <nil>
	// true
}

func ExampleReadAuthConfig() {
	config, err := oauthcert.ReadAuthConfig([]byte(`
CurrentCertificateThumbprint  : A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C
PreviousCertificateThumbprint :
NextCertificateThumbprint     : 1CFB7D19EC0C3CC6CED6C828C9AF7DA51DD8240E
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	current, err := config.Select(oauthcert.Current)
	fmt.Println(current, err)
	next, err := config.Select(oauthcert.Next)
	fmt.Println(next, err)
	// Output:
	// A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C <nil>
	// 1CFB7D19EC0C3CC6CED6C828C9AF7DA51DD8240E <nil>
}

func ExamplePlanNames() {
	shared := &oauthcert.Object{
		Kind: oauthcert.ServicePrincipal, ID: "0f1e2d3c-4b5a-4697-8877-665544332211", AppID: oauthcert.ExchangeOnline,
		Names: []string{oauthcert.ExchangeOnline, "https://mail.contoso.com/"},
	}
	plan := oauthcert.PlanNames(shared, []string{"mail.contoso.com", "autodiscover.contoso.com"}, oauthcert.Policy{})
	for _, step := range plan.Steps {
		fmt.Println(step.Action, step.Name)
	}
	// Output:
	// kept 00000002-0000-0ff1-ce00-000000000000
	// kept https://mail.contoso.com/
	// added https://autodiscover.contoso.com/
}

func ExamplePlanRestore() {
	ctx, cert := context.Background(), oauthcerttest.AuthCertificate{}.Make()
	app := &oauthcert.Object{
		Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		Keys: []oauthcert.KeyCredential{cert.KeyCredential()},
	}
	dir := oauthcerttest.New(1, app)
	applier := oauthcert.Applier{Interval: time.Millisecond, Steady: time.Millisecond}

	// Somebody drops every key. The backup has the state before.
	before, err := dir.Read(ctx, app.Target())
	if err != nil {
		fmt.Println(err)
		return
	}
	var saved bytes.Buffer
	if _, err := applier.Apply(ctx, dir, oauthcert.PlanKeys(before, nil, oauthcert.Policy{DropUnused: true, At: time.Now()}), &saved); err != nil {
		fmt.Println(err)
		return
	}

	backup, err := oauthcert.ReadBackup(&saved)
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := dir.Read(ctx, app.Target())
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := oauthcert.PlanRestore(now, backup, oauthcert.Policy{At: time.Now()})
	for _, step := range plan.Steps {
		fmt.Println(step.Action, step.Reason)
	}
	// Output: added from-backup
}
