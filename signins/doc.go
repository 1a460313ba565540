// Package signins tells who still signs in with legacy authentication, who is
// merely attacked, and what breaks when Microsoft switches it off.
//
//	log := signins.ReadFiles(ctx, os.DirFS("insights-logs-signinlogs"))
//	summary, err := signins.Summarize(signins.Dedupe(log, 0))
//	fmt.Println(summary.LegacyUsersWithSuccess())
//
// [Read] and [ReadFiles] take every format in which sign-in logs leave Entra
// ID, told from its bytes, and yield a [SignIn] for each record. [Classify]
// says what one of them means, [Summarize] what all of them do, password
// sprays included. [Retirements] and [Assess] judge a summary for a day.
// Nothing here asks a network.
//
// What a log proves: that Entra ID was asked, by which client, and how that
// ended. What it does not: that nobody tried. Exchange Online refuses basic
// authentication before it asks Entra ID wherever a policy or Microsoft
// switched it off, and then there is no record. Logs of interactive sign-ins
// alone miss most of what POP, IMAP and ActiveSync do day by day. And formats
// differ in what they can carry: pages of Microsoft Graph's v1.0 have no user
// agent, for one. Ask [SignIn.Knows] before trusting that a field is empty;
// verdicts do, and are unknown where the log cannot tell.
package signins
