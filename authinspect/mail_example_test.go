package authinspect_test

import (
	"context"
	"fmt"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

func ExampleInspectMail() {
	server := authinspecttest.ExchangeOnlineMail(authinspect.POP3).Start()
	defer server.Close()

	inspector := authinspect.Inspector{Roots: server.Roots()}
	r, err := inspector.InspectMail(context.Background(), server.Addr, authinspect.POP3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Server.Product, r.Schemes(), "modern", r.Modern)
	for _, f := range authinspect.AssessMail(r, time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)) {
		if f.Status == crossprem.Failed {
			fmt.Println(f.Severity, f.Rule)
		}
	}
	// Output:
	// Exchange Online [PLAIN XOAUTH2] modern on
	// info mail-password-misleading
}

func ExampleExplainResponse() {
	e, ok := authinspect.ExplainResponse(authinspect.SMTP,
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.")
	fmt.Println(ok, e.Meaning)
	fmt.Println(e.Cause)
	fmt.Println(e.Remedy)
	// Output:
	// true smtp-auth-disabled-mailbox
	// SMTP AUTH is off for this mailbox. The switch covers OAuth too.
	// If SMTP AUTH is wanted for this mailbox: Set-CASMailbox USER -SmtpClientAuthenticationDisabled $false. OAuth needs the same switch.
}
