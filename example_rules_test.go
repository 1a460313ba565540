package crossprem_test

import (
	"fmt"
	"os"
	"time"

	"github.com/crossprem/crossprem"
)

// A package declares its rules once, and they make its findings.
func ExampleRules() {
	var rules crossprem.Rules
	certificateExpired := rules.Declare(crossprem.Rule{
		ID:          "certificate-expired",
		Severity:    crossprem.Critical,
		Title:       "The certificate has expired or expires soon",
		PassedTitle: "The certificate does not expire soon",
		Remedy:      "Renew the certificate.",
		Sources:     []string{"RFC 5280 §4.1.2.5"},
	})

	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	notAfter := at.AddDate(0, 0, 100)
	f := certificateExpired.Failed("mail.contoso.test:443").
		Explain("Its last day is {notAfter}.", crossprem.Val("notAfter", notAfter)).
		DueOn(notAfter, at)
	fmt.Println(f.Severity, f.Title)
	fmt.Println(f.Detail)
	fmt.Println(f.Key())
	// Output:
	// warning The certificate has expired or expires soon
	// Its last day is 2027-03-06.
	// certificate-expired/mail.contoso.test:443/
}

// What is absent or unknown today is not fixed.
func ExampleCompare() {
	failed := func(subject string) crossprem.Finding {
		return crossprem.Finding{Rule: "certificate-expired", Status: crossprem.Failed, Subject: subject}
	}
	passed := failed("b:443")
	passed.Status = crossprem.Passed

	changes := crossprem.Compare(
		[]crossprem.Finding{failed("a:443"), failed("b:443")},
		[]crossprem.Finding{passed, failed("c:443")})
	fmt.Println("new:", changes.New[0].After.Subject)
	fmt.Println("fixed:", changes.Fixed[0].After.Subject)
	fmt.Println("not asked about:", changes.NotAsked[0].Before.Subject)
	// Output:
	// new: c:443
	// fixed: b:443
	// not asked about: a:443
}

func ExampleSeverityBy() {
	due := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	for _, days := range []int{900, 127, 30, 0} {
		fmt.Println(days, crossprem.SeverityBy(due, due.AddDate(0, 0, -days)))
	}
	// Output:
	// 900 info
	// 127 warning
	// 30 critical
	// 0 critical
}

func ExampleWriteMarkdown() {
	_ = crossprem.WriteMarkdown(os.Stdout, []crossprem.Finding{{
		Rule: "certificate-expired", Status: crossprem.Failed, Severity: crossprem.Critical, Subject: "mail_1:443",
		Title: "The certificate has expired", Remedy: "Renew it.", Sources: []string{"RFC 5280"},
	}}, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	// Output:
	// # Findings for 2026-11-26
	//
	// 1 failed, 0 not known, 0 passed.
	//
	// | severity | due | finding | subject |
	// |---|---|---|---|
	// | critical |  | The certificate has expired | mail\_1:443 |
	//
	// ## The certificate has expired: mail\_1:443
	//
	// ```
	// Renew it.
	// ```
	//
	// Rule certificate-expired. Sources: RFC 5280.
}
