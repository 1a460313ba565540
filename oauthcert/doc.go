// Package oauthcert judges whether the certificate with which Exchange signs
// its OAuth tokens is fit for that, and brings its public part to where Entra
// ID wants it, without ever losing a key of somebody else.
//
// Begin with a certificate, from a file in whatever format, from the machine
// store of Windows, or as what a captured Get-AuthConfig names:
//
//	cert, err := oauthcert.ReadFile("OAuthCert.cer")
//	findings := oauthcert.Assess(cert, time.Now())
//
// Then compare what the directory shows with what it should, look at the
// difference, and apply it:
//
//	app := oauthcert.Target{Kind: oauthcert.Application, AppID: id}
//	current, err := dir.Read(ctx, app)
//	plan := oauthcert.PlanKeys(current, []*oauthcert.Certificate{cert, next}, oauthcert.Policy{At: time.Now()})
//	for _, step := range plan.Steps {
//		fmt.Println(step) // what is kept, added, dropped or refused, and why
//	}
//	report, err := oauthcert.Apply(ctx, dir, plan, backupFile)
//
// Microsoft Graph replaces the whole collection of keys, or names, at each
// write and has no way to write on a condition. Whoever writes must therefore send
// back every entry that is not theirs, exactly as it was. A plan holds all of
// them; Apply reads the object again immediately before it writes, refuses if
// it changed, and asks the directory until it shows the plan. What is known of
// the write afterwards is an [Outcome], in the report and in the error alike:
// a look that is refused after a write was accepted is no refusal of the write.
//
// The certificate belongs on the dedicated hybrid application
// (ExchangeServerApp-…). On the shared principal of Exchange Online
// ([ExchangeOnline]) it gave every Exchange server power over the tenant
// (CVE-2025-53786) and has been of no use for EWS since 2025-10-31: additions
// there are refused unless asked for by name, and its clean-up is a plan with
// nothing wanted and Policy.DropUnused set. Its names are needed still. A
// [Fleet] asks many tenants whether theirs still holds keys, and [Coverage]
// says which servers' certificates are not among the keys of an object.
//
// Private keys are refused at the door: nothing of this package holds one, and
// the stores are read without opening one. Nothing here proves that Exchange
// can sign with a key, nor that Entra ID accepts what it signs.
//
// The package sends nothing by itself: all traffic is the [Directory]'s.
package oauthcert
