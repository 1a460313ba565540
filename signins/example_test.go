package signins_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

func ExampleClassify() {
	v := signins.Classify(&signins.SignIn{
		Known:         signins.FieldClientAppUsed | signins.FieldErrorCode,
		ClientAppUsed: "Other clients; IMAP",
		ErrorCode:     53003,
	})
	fmt.Println(v.Class, v.Protocol, v.Credential, v.Outcome)
	fmt.Println("the password is right:", v.PasswordRight)
	// Output:
	// legacy imap password blocked-by-conditional-access
	// the password is right: yes
}

// The log of the examples is one hour of a made-up tenant, as Azure Monitor
// puts it into a storage account.
func exampleSummary() *signins.Summary {
	log := signins.ReadFiles(context.Background(), os.DirFS("testdata/samples/storage"))
	s, err := signins.Summarize(signins.Dedupe(log, 0))
	if err != nil {
		panic(err)
	}
	return s
}

// All of it: Client app, with everything but Browser and Mobile Apps and
// Desktop clients ticked.
func ExampleSummarize() {
	s := exampleSummary()
	fmt.Println(s.Records, "sign-ins,", s.ByClass[signins.Legacy], "of them legacy")
	fmt.Println("using it:", s.LegacyUsersWithSuccess())
	// Output:
	// 98 sign-ins, 51 of them legacy
	// using it: [backup@contoso.com frank@contoso.com judy@contoso.com niaj@contoso.com olivia@contoso.com rupert@contoso.com scanner@contoso.com sybil@contoso.com trent@contoso.com victor@contoso.com walter@contoso.com]
}

// Failures only: Status, Failure.
func ExampleSummary_LegacyUserList_failures() {
	for _, u := range exampleSummary().LegacyUserList() {
		if u.Records-u.Successes >= 3 {
			fmt.Println(u.Name, u.Records-u.Successes, "failures, the last on", u.Last.Format(time.DateTime))
		}
	}
	// Output:
	// grace@contoso.com 3 failures, the last on 2026-11-18 08:46:42
	// mallory@contoso.com 10 failures, the last on 2026-11-18 09:03:00
}

// Attempts from countries where we do not have offices.
func ExampleAssessor_Assess_countries() {
	offices := signins.Assessor{Countries: []string{"US", "DE"}}
	for _, f := range offices.Assess(exampleSummary(), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		if f.Rule == "signins-country" && f.Status == crossprem.Failed {
			fmt.Println(f.Severity, f.Subject)
		}
	}
	// Output:
	// critical RU
	// warning BR
}

// Mobile users with basic authentication: Client app, Exchange ActiveSync.
func ExampleSummary_ActiveSync() {
	phones := exampleSummary().ActiveSync()
	fmt.Println("stop working without basic authentication:", phones.Password)
	fmt.Println("legacy by name alone:", phones.Certificate)
	fmt.Println("moved on already:", phones.OAuth)
	// Output:
	// stop working without basic authentication: [rupert@contoso.com]
	// legacy by name alone: [sybil@contoso.com]
	// moved on already: [bob@contoso.com]
}

// By user agent: scripts and Exchange's own front end stand out.
func ExampleSummary_clients() {
	for _, c := range exampleSummary().Clients {
		if c.Successes == 0 || c.Records >= 10 {
			fmt.Println(c.Name, c.Records, c.Successes)
		}
	}
	// Output:
	// Android-Mail 1 0
	// BAV2ROPC 14 4
	// CBAInPROD 20 7
	// MSRPC 1 0
	// Microsoft BITS 1 0
	// Microsoft WinRM Client 1 0
}

func ExampleRetirements() {
	today := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, r := range signins.Retirements(exampleSummary(), today) {
		if !r.Past {
			fmt.Println(r.Date.Format(time.DateOnly), r.Title, r.Users)
		}
	}
	// Output:
	// 2026-12-31 SMTP AUTH with a password is switched off by default [scanner@contoso.com]
	// 2027-04-01 EWS ends in Exchange Online [backup@contoso.com]
}

// Attacks on passwords, and whether they got in.
func ExampleSummary_attacks() {
	for _, a := range exampleSummary().Attacks {
		fmt.Println(a.Kind, a.IP, a.DistinctAccounts, "accounts; got in as", a.Compromised, "and was stopped as", a.PasswordKnownButStopped)
	}
	// Output:
	// password-spray 203.0.113.77 12 accounts; got in as [niaj@contoso.com] and was stopped as [peggy@contoso.com]
	// brute-force 198.51.100.23 1 accounts; got in as [] and was stopped as []
}

// A summary can be stored and merged with the next day's.
func ExampleSummary_Merge() {
	monday := exampleSummary()
	stored, err := json.Marshal(monday)
	if err != nil {
		panic(err)
	}

	var week signins.Summary
	if err := json.Unmarshal(stored, &week); err != nil {
		panic(err)
	}
	tuesday, err := signins.Summarize(func(yield func(signins.SignIn, error) bool) {
		yield(signins.SignIn{Known: signins.FieldClientAppUsed, ClientAppUsed: "POP3", UserPrincipalName: "zoe@contoso.com"}, nil)
	})
	if err != nil {
		panic(err)
	}
	if err := week.Merge(tuesday); err != nil {
		panic(err)
	}
	fmt.Println(week.Records, "sign-ins,", len(week.LegacyUsers()), "users")
	// Output: 99 sign-ins, 22 users
}
