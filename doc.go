// Package crossprem is the map of a library that answers the authentication
// questions on the seam between on-premises Exchange and Microsoft 365. It
// holds the words that all its packages share: [Finding] and the [Rule] that
// makes it, [Cloud] and [Answer]; [Compare], which tells what is new and what
// is fixed since another day; and findings for other people's pipelines, such
// as [WriteSARIF].
//
// Each question has a package of its own, and none imports another:
//
// Which TLS versions does this server negotiate, and why do we think so?
//
//	r, err := tlsprobe.Probe(ctx, "mail.contoso.test:443")
//	old := err == nil && r.Offers(tlsprobe.TLS10, tlsprobe.TLS11)
//
// Who still signs in with legacy authentication, who is attacked, and
// what breaks when?
//
//	summary, err := signins.Summarize(signins.Read(file))
//	breaks := signins.Retirements(summary, time.Now())
//
// Is the Exchange auth certificate fit, and is it where Entra ID wants it?
//
//	cert, err := oauthcert.ReadFile("OAuthCert.cer")
//	findings := oauthcert.Assess(cert, time.Now())
//
// Which authentication do these Exchange, AD FS and mail endpoints really
// offer?
//
//	r, err := authinspect.Inspect(ctx, "https://mail.contoso.test/EWS/Exchange.asmx")
//	fmt.Println(r.Schemes, r.Modern)
//
// Would this Windows client manage that server, and what does its error mean?
//
//	c, err := schannel.Read(file)
//	offer := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
//	causes := symptoms.Diagnose(text, offer)
//
// What is wrong with this hybrid OAuth configuration? May this user use this
// protocol, and who decided? What stops when Basic goes?
//
//	findings := hybridoauth.Check(configuration, 0, time.Now())
//	decision := policies.Effective("bob@contoso.test", authpolicy.IMAP, time.Now())
//	effects := clients.Impact(agents, clients.ExchangeOnline, time.Now())
//
// Is this Entra Connect, or one of its agents, still good, and until when?
//
//	v, err := connectversion.Parse("2.5.79.0")
//	a := connectversion.Assess(connectversion.ConnectSync, v, time.Now(), connectversion.Facts{})
//	fmt.Println(a.Support, a.SupportUntil)
//
// Below each of them lies its fake, for examples and for the tests of programs
// that embed the package: tlsprobetest, signinstest, oauthcerttest,
// authinspecttest and connectversiontest. The packages named graph… speak to
// Microsoft Graph; they alone import the request adapter of Microsoft's SDK,
// and a program that does not import them neither compiles nor downloads it.
// signins/kqlsignins and signins/clickhousesignins ask Log Analytics, Data
// Explorer and ClickHouse, through their SDKs, where a log of sign-ins lies there.
//
// All packages have the same three layers. Facts are plain structs, filled by
// a parser or a probe, or written as literals. Verdicts are pure functions
// from facts, and the day to judge for, to findings; most are called Assess.
// Rules and tables are embedded data, with the day on which they were last
// compared with their sources (AsOf) and the function Rules.
//
// Unknown is a value, and the zero value, everywhere: what was not evaluated
// is never "fine".
package crossprem
