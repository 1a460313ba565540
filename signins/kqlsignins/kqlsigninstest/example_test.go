package kqlsigninstest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
	"github.com/crossprem/crossprem/signins/kqlsignins/kqlsigninstest"
)

// A program's own test, without a workspace.
func ExampleWorkspace() {
	at := time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC)
	const known = signins.FieldClientAppUsed | signins.FieldErrorCode | signins.FieldTime | signins.FieldUserPrincipalName
	workspace := &kqlsigninstest.Workspace{Log: []signins.SignIn{
		{ID: "1", Time: at, UserPrincipalName: "scanner@contoso.com", ClientAppUsed: "Authenticated SMTP", IPAddress: "192.0.2.9", Category: signins.InteractiveUser, Known: known},
		{ID: "2", Time: at.Add(time.Minute), UserPrincipalName: "alice@contoso.com", ClientAppUsed: "Browser", IPAddress: "192.0.2.10", Category: signins.InteractiveUser, Known: known},
	}}
	summary, err := (&kqlsignins.Engine{Runner: workspace}).Summarize(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(summary.Records, summary.LegacyUsersWithSuccess(), len(workspace.Asked()) > 0)
	// Output: 2 [scanner@contoso.com] true
}
