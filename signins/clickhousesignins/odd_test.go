package clickhousesignins_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
)

// Records as strangers and other programs write them come to the summary that
// package signins makes of them.
func TestOddRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	n := 0
	record := func(outer, properties string) string {
		n++
		members := map[string]json.RawMessage{}
		for _, text := range []string{fmt.Sprintf(`{"id":"odd-%d","userPrincipalName":"user%d@contoso.com","clientAppUsed":"IMAP4"}`, n, n), "{" + strings.TrimPrefix(properties, ",") + "}"} {
			require.NoError(t, json.Unmarshal([]byte(text), &members), text)
		}
		inner, err := json.Marshal(members)
		require.NoError(t, err)
		return fmt.Sprintf(`{"category":"SignInLogs"%s,"properties":%s}`, outer, inner)
	}
	const at = `,"time":"2026-11-18T08:00:00.1234567Z"`
	long := strings.Repeat("ü", 700)
	odd := map[string]string{
		"as it should be":           record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","location":{"countryOrRegion":"DE"}`),
		"nulls":                     record(at, `,"status":null,"ipAddress":null,"userAgent":null,"authenticationDetails":null,"location":null,"appId":null,"isInteractive":null`),
		"code as a text":            record(at, `,"status":{"errorCode":"50126"},"ipAddress":"192.0.2.1"`),
		"code outside":              record(at+`,"resultType":"50126"`, `,"ipAddress":"192.0.2.1"`),
		"code outside as a number":  record(at+`,"resultType":50053`, `,"ipAddress":"192.0.2.1"`),
		"code beyond 32 bits":       record(at, `,"status":{"errorCode":99999999999},"ipAddress":"192.0.2.1"`),
		"negative code":             record(at, `,"status":{"errorCode":-1},"ipAddress":"192.0.2.1"`),
		"no code":                   record(at, `,"ipAddress":"192.0.2.1"`),
		"malicious":                 record(at, `,"status":{"errorCode":50053,"failureReason":"Sign-in was blocked because it came from an IP address with malicious activity"},"ipAddress":"192.0.2.1"`),
		"reason outside":            record(at+`,"resultDescription":"malicious"`, `,"status":{"errorCode":50053},"ipAddress":"192.0.2.1"`),
		"long agent":                record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","userAgent":"`+long+`"`),
		"agent of 129 bytes":        record(at, `,"status":{"errorCode":50126},"ipAddress":"192.0.2.1","userAgent":"`+strings.Repeat("a", 127)+`üb"`),
		"long name":                 record(at, `,"status":{"errorCode":50126},"ipAddress":"192.0.2.1","userDisplayName":"x","userPrincipalName":"`+long+`@contoso.com"`),
		"escapes":                   record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","appDisplayName":"\u0041\n\"\\ \ud83d\ude00","userAgent":"tab\there"`),
		"offset":                    record(`,"time":"2026-11-18T10:00:00+02:00"`, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"no time":                   record("", `,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"created before the time":   record(at, `,"createdDateTime":"2026-11-17T23:59:59.9999999Z","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"IPv6":                      record(at, `,"status":{"errorCode":50126},"ipAddress":"2001:db8::1"`),
		"IPv6 with a port":          record(at, `,"status":{"errorCode":50126},"ipAddress":"[2001:db8::1]:443"`),
		"address outside":           record(at+`,"callerIpAddress":"192.0.2.7:1234"`, `,"status":{"errorCode":50126}`),
		"no address":                record(at, `,"status":{"errorCode":50126}`),
		"address that is none":      record(at, `,"status":{"errorCode":50126},"ipAddress":"not an address"`),
		"network as a text":         record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","autonomousSystemNumber":"64500"`),
		"network too large":         record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","autonomousSystemNumber":4294967296`),
		"country outside":           record(at+`,"location":"NL"`, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"country of a service":      record(at+`,"location":"NL"`, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1","isInteractive":false`),
		"ActiveSync, certificate":   record(at, `,"clientAppUsed":"Exchange ActiveSync","status":{"errorCode":0},"ipAddress":"192.0.2.1","authenticationDetails":[{"authenticationMethod":"X.509 Certificate"}]`),
		"methods":                   record(at, `,"clientAppUsed":"Browser","status":{"errorCode":0},"ipAddress":"192.0.2.1","authenticationDetails":[{"authenticationMethod":"Previously satisfied"},{"authenticationMethod":null},{}]`),
		"object id only":            record(at, `,"userPrincipalName":"","userId":"5b2e0b96-3206-5734-b347-5f991042d20f","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"name without a domain":     record(at, `,"userPrincipalName":"EXTERNAL","userId":"5B2E0B96-3206-5734-B347-5F991042D20F","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"upper case and blanks":     record(at, `,"userPrincipalName":"\u00a0ALICE@Contoso.com ","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"Turkish":                   record(at, `,"userPrincipalName":"\u0130SMA\u0130L@contoso.com","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"Greek":                     record(at, `,"userPrincipalName":"ΟΔΥΣΣΕΥΣ@contoso.com","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"nobody":                    record(at, `,"userPrincipalName":"Not Available","userId":"","status":{"errorCode":50034},"ipAddress":"192.0.2.1"`),
		"blank client":              record(at, `,"clientAppUsed":"","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"a client nobody knows":     record(at, `,"clientAppUsed":"Carrier Pigeon","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"guest":                     record(at, `,"homeTenantId":"a","resourceTenantId":"b","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"password grant":            record(at, `,"clientAppUsed":"Mobile Apps and Desktop clients","authenticationProtocol":"ropc","appId":"x","status":{"errorCode":50126},"ipAddress":"192.0.2.1"`),
		"password grant of nothing": record(at, `,"clientAppUsed":"Browser","authenticationProtocol":"ROPC","appId":null,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"device code":               record(at, `,"clientAppUsed":"Browser","originalTransferMethod":"deviceCodeFlow","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"Exchange's own app":        record(at, `,"appId":"00000002-0000-0ff1-ce00-000000000000","appDisplayName":"Office 365 Exchange Online","userAgent":"BAV2ROPC","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"interactive as a text":     record(at, `,"isInteractive":"false","status":{"errorCode":0},"ipAddress":"192.0.2.1","location":{"countryOrRegion":"FR"}`),
		"unknown members":           record(at, `,"x":{"y":[1,{"z":null}]},"status":{"errorCode":0,"more":[]},"ipAddress":"192.0.2.1"`),
		"managed identity":          strings.Replace(record(at, `,"userPrincipalName":"","servicePrincipalId":"sp","status":{"errorCode":0},"ipAddress":"192.0.2.1"`), "SignInLogs", "ManagedIdentitySignInLogs", 1),
		"category in another case":  strings.Replace(record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`), "SignInLogs", "SIGNINLOGS", 1),
		"AD FS":                     strings.Replace(record(at, `,"status":{"errorCode":0},"ipAddress":"192.0.2.1"`), "SignInLogs", "ADFSSignInLogs", 1),
		"another log":               strings.Replace(record(at, ``), "SignInLogs", "AuditLogs", 1),
		"an empty id":               record(at, `,"id":"","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"another empty id":          record(at, `,"id":"","status":{"errorCode":0},"ipAddress":"192.0.2.1"`),
		"a copy":                    record(at, `,"id":"odd-1","status":{"errorCode":50126},"ipAddress":"192.0.2.99"`),
		"Graph's own":               `{"id":"g1","createdDateTime":"2026-11-18T08:00:00Z","userPrincipalName":"g@contoso.com","clientAppUsed":"POP3","status":{"errorCode":0},"ipAddress":"192.0.2.1","userAgent":"x"}`,
		"Graph's own, v1.0":         `{"id":"g2","createdDateTime":"2026-11-18T08:00:00Z","userPrincipalName":"g@contoso.com","clientAppUsed":"POP3","status":{"errorCode":0},"ipAddress":"192.0.2.1"}`,
		"Graph's service principal": `{"id":"g3","createdDateTime":"2026-11-18T08:00:00Z","servicePrincipalId":"s","signInEventTypes":["servicePrincipal"],"status":{"errorCode":0},"ipAddress":"192.0.2.1"}`,
		"Graph's non-interactive":   `{"id":"g4","createdDateTime":"2026-11-18T08:00:00Z","userPrincipalName":"g@contoso.com","signInEventTypes":["nonInteractiveUser"],"clientAppUsed":"IMAP4","status":{"errorCode":0},"ipAddress":"192.0.2.1","location":{"countryOrRegion":"DE"}}`,
		"not JSON":                  `{"time":`,
		"no sign-in":                `{"hello":"world"}`,
		"white space":               "   ",
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	var all []string
	table := 0
	same := func(name string, lines ...string) {
		table++
		at := clickhousesignins.Table{From: fmt.Sprint("odd_", table), Record: "record", Prepared: table%2 == 0}
		log := []byte(strings.Join(lines, "\n") + "\n")
		load(t, server, at, log)
		z := signins.Summarizer{}
		t.Run(name, func(t *testing.T) {
			got, err := (&clickhousesignins.Engine{Conn: conn, Table: at, Part: -1}).Summarize(t.Context())
			require.NoError(t, err)
			requireSame(t, summarized(t, &z, log), got)
		})
	}
	for name, line := range odd {
		if name != "a copy" {
			all = append(all, line)
		}
	}
	all = append(all, odd["a copy"])
	same("as records", all...)
	same("prepared", all...)
}
