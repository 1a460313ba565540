package kqlsignins_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
)

// A day of a workspace, with the client of Azure's SDK.
func Example() {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := azlogs.NewClient(credential, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	yesterday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	engine := kqlsignins.Engine{
		Runner:     kqlsignins.LogAnalytics(client, "11111111-2222-4333-8444-555555555555"),
		Summarizer: signins.Summarizer{Since: yesterday, Until: yesterday.AddDate(0, 0, 1)},
	}
	summary, err := engine.Summarize(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range signins.Assess(summary, time.Now()) {
		fmt.Println(f.Severity, f.Title)
	}
}

// The queries, for a portal.
func ExampleEngine_Queries() {
	engine := kqlsignins.Engine{Summarizer: signins.Summarizer{Since: time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)}}
	for _, q := range engine.Queries() {
		title, _, _ := strings.Cut(q.String(), "\n")
		fmt.Printf("%-14s %s\n", q.Part, title)
	}
	// Output:
	// totals         // How many sign-ins there are of each kind.
	// applications   // Which applications and clients still use what has to go.
	// places         // Where legacy sign-ins come from.
	// times          // When legacy sign-ins come.
	// users          // Who uses legacy authentication, password grants, device codes and native mail apps.
	// user-countries // From which countries users sign in with legacy authentication.
	// user-clients   // With which clients users sign in with legacy authentication.
	// unlisted       // Which client apps no table knows.
	// evidence       // What attacks on passwords are judged from.
}
