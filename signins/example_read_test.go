package signins_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/crossprem/crossprem/signins"
)

func ExampleRead() {
	log := strings.NewReader(`{"category":"SignInLogs","properties":{"id":"1","createdDateTime":"2026-11-18T08:02:00Z","userPrincipalName":"bob@contoso.com","clientAppUsed":"IMAP4","status":{"errorCode":0}}}
{"category":"AuditLogs","properties":{}}
{"category":"SignInLogs","properties":{"id":"2","createdDa`)

	for s, err := range signins.Read(log) {
		var bad *signins.RecordError
		switch {
		case errors.Is(err, signins.ErrOtherCategory):
			fmt.Println("skipped:", err)
		case errors.As(err, &bad):
			fmt.Println("unreadable:", err)
		case err != nil:
			fmt.Println("the log itself failed:", err)
		default:
			fmt.Println(s.Format, s.Time.Format("15:04"), s.UserPrincipalName, s.ClientAppUsed)
		}
	}
	// Output:
	// azure-monitor 08:02 bob@contoso.com IMAP4
	// skipped: signins: input: record 2 at byte 178: not a sign-in log's record
	// unreadable: signins: input: record 3 at byte 219: unexpected end of the record
}

func ExampleReadFiles() {
	n := 0
	for _, err := range signins.Dedupe(signins.ReadFiles(context.Background(), os.DirFS("testdata/samples/storage")), 0) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		n++
	}
	fmt.Println(n, "sign-ins")
	// Output:
	// signins: input: another copy of the same event: ee01ca11-0184-5415-a515-78ccc159e300
	// signins: insights-logs-signinlogs/tenantId=11111111-2222-4333-8444-555555555555/y=2026/m=11/d=18/h=09/m=00/PT1H.json: record 19 at byte 68592: unexpected end of the record
	// 98 sign-ins
}

func ExampleSignIn_Knows() {
	page := strings.NewReader(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":[
{"id":"1","createdDateTime":"2026-11-18T08:02:00Z","clientAppUsed":"","status":{"errorCode":0}}]}`)
	for s, err := range signins.Read(page) {
		fmt.Println(err, s.Knows(signins.FieldClientAppUsed), s.Knows(signins.FieldUserAgent))
	}
	// Output: <nil> true false
}
