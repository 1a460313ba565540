package clickhousesignins_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
	"github.com/crossprem/crossprem/signins/internal/plan"
	"github.com/crossprem/crossprem/signins/internal/plan/plantest"
)

// monitored returns events as diagnostic settings write them.
func monitored(t *testing.T, events []signins.SignIn) []byte {
	var b bytes.Buffer
	for i := range events {
		s := &events[i]
		details := []map[string]any{}
		for _, name := range plantest.MethodNames(s.Methods) {
			details = append(details, map[string]any{"authenticationMethod": name, "authenticationMethodDetail": nil})
		}
		text, err := json.Marshal(map[string]any{
			"time": s.Time, "category": "SignInLogs", "resultType": strconv.Itoa(int(s.ErrorCode)), "callerIpAddress": s.IPAddress, "location": "DE",
			"properties": map[string]any{
				"id": s.ID, "createdDateTime": s.Time, "userPrincipalName": s.UserPrincipalName, "userId": s.UserID, "appId": s.AppID, "appDisplayName": s.AppDisplayName,
				"clientAppUsed": s.ClientAppUsed, "userAgent": s.UserAgent, "authenticationProtocol": s.AuthenticationProtocol, "incomingTokenType": s.IncomingTokenType,
				"originalTransferMethod": s.OriginalTransferMethod, "authenticationDetails": details, "isInteractive": true, "ipAddress": s.IPAddress,
				"status": map[string]any{"errorCode": s.ErrorCode, "failureReason": s.FailureReason}, "homeTenantId": s.HomeTenantID, "resourceTenantId": s.ResourceTenantID,
			},
		})
		require.NoError(t, err)
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// ClickHouse classifies every spelling, user agent, protocol and code as
// Classify does.
func TestVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	log := monitored(t, plantest.SignIns())
	table := clickhousesignins.Table{From: "verdicts", Record: "record", Prepared: true}
	load(t, server, table, log)
	var events []signins.SignIn
	for s, err := range signins.Read(bytes.NewReader(log)) {
		require.NoError(t, err)
		events = append(events, s)
	}
	for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
		p := plan.New(&signins.Summarizer{Definition: definition})
		query, columns, group := p.Verdicts(plan.SQLDialect(plan.Table{From: "verdicts", Prepared: true, Delivered: "delivered"}))
		rows, err := conn.Query(t.Context(), query)
		require.NoError(t, err)
		got := map[string]signins.Group{}
		cells := make([]any, len(columns))
		for i, c := range rows.ColumnTypes() {
			cells[i] = reflect.New(c.ScanType()).Interface()
		}
		for rows.Next() {
			require.NoError(t, rows.Scan(cells...))
			values := make([]plan.Value, len(cells))
			for i, c := range cells {
				values[i], err = clickhousesignins.ValueOf(c)
				require.NoError(t, err)
			}
			g, err := group(values)
			require.NoError(t, err)
			name, _ := values[0].Any.(string)
			got[name] = g
		}
		require.NoError(t, rows.Err())
		plantest.Require(t, definition, events, got)
	}
	t.Logf("%d sign-ins", len(events))
}
