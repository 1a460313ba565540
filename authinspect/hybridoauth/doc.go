// Package hybridoauth says what is wrong with a hybrid OAuth configuration:
// between the Exchange servers of an organization and Exchange Online. It
// works offline, on what an administrator can paste.
//
//	c, err := hybridoauth.ReadConfiguration(os.DirFS("capture"))
//	for _, f := range hybridoauth.Check(c, 0, time.Now()) {
//		fmt.Println(f.Status, f.Title, f.Subject, f.Detail, f.Remedy)
//	}
//	for _, s := range hybridoauth.Walkthrough(c, time.Now()) {
//		fmt.Println(s.State, s.Title, s.Command)
//	}
//
// [CollectScript] is the PowerShell that makes such a folder. [Check] puts a
// table of rules to the objects, each of which passed, failed, or is unknown:
// what was not captured is never fine and never wrong. [ExplainError],
// [ExplainConnectivityTest] and [ExplainToken] say what an error text, the
// output of Test-OAuthConnectivity and a captured token mean.
//
// Which rules apply depends on what the organization does, see [Situation].
// Nobody without rich coexistence is told to create a dedicated application.
//
// What the answers prove: that the objects were so when they were captured. A
// successful test proves the server alone on which it ran, and IsValid proves
// nothing. Nothing of a token is verified. Names, addresses and thumbprints
// are shown in findings; tokens, signatures and addresses of persons are not.
//
// The tables are data of the package, with a source for each row, as of
// [AsOf]. No packet is sent, and nothing is changed. All functions may be used
// by several goroutines, on different configurations or, as long as nobody
// writes, on one.
package hybridoauth
