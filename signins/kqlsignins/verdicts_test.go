package kqlsignins_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan"
	"github.com/crossprem/crossprem/signins/internal/plan/plantest"
)

// exported returns events as an answer of Log Analytics.
func exported(t *testing.T, events []signins.SignIn) []byte {
	names := []string{"TimeGenerated", "CreatedDateTime", "Id", "Category", "IsInteractive", "UserId", "UserPrincipalName", "ServicePrincipalId", "AppId", "AppDisplayName",
		"ClientAppUsed", "UserAgent", "AuthenticationProtocol", "IncomingTokenType", "OriginalTransferMethod", "AuthenticationDetails", "IPAddress", "AutonomousSystemNumber",
		"Location", "LocationDetails", "ResultType", "ResultDescription", "Status", "HomeTenantId", "ResourceTenantId", "Type"}
	types := map[string]string{"TimeGenerated": "datetime", "CreatedDateTime": "datetime", "IsInteractive": "bool", "LocationDetails": "dynamic", "Status": "dynamic"}
	var columns []map[string]string
	for _, n := range names {
		kind := types[n]
		if kind == "" {
			kind = "string"
		}
		columns = append(columns, map[string]string{"name": n, "type": kind})
	}
	var rows [][]any
	for i := range events {
		s := &events[i]
		details := []map[string]any{}
		for _, name := range plantest.MethodNames(s.Methods) {
			details = append(details, map[string]any{"authenticationMethod": name, "authenticationMethodDetail": nil})
		}
		list, err := json.Marshal(details)
		require.NoError(t, err)
		status, err := json.Marshal(map[string]any{"errorCode": s.ErrorCode, "failureReason": s.FailureReason})
		require.NoError(t, err)
		at := s.Time.Format(time.RFC3339Nano)
		rows = append(rows, []any{at, at, s.ID, "SignInLogs", true, s.UserID, s.UserPrincipalName, "", s.AppID, s.AppDisplayName,
			s.ClientAppUsed, s.UserAgent, s.AuthenticationProtocol, s.IncomingTokenType, s.OriginalTransferMethod, string(list), s.IPAddress, "",
			"DE", "{}", strconv.Itoa(int(s.ErrorCode)), s.FailureReason, string(status), s.HomeTenantID, s.ResourceTenantID, "SigninLogs"})
	}
	data, err := json.Marshal(map[string]any{"tables": []any{map[string]any{"name": "PrimaryResult", "columns": columns, "rows": rows}}})
	require.NoError(t, err)
	return data
}

// The queries classify every spelling, user agent, protocol and code as
// Classify does.
func TestVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	data := exported(t, plantest.SignIns())
	var events []signins.SignIn
	for s, err := range signins.Read(bytes.NewReader(data)) {
		require.NoError(t, err)
		events = append(events, s)
	}
	in := tablesOf(t, data)
	for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
		query, columns, group := plan.New(&signins.Summarizer{Definition: definition}).Verdicts(plan.KQLDialect())
		answer := check(t, schemas, true, query)[0]
		require.Empty(t, answer.Diagnostics)
		got := map[string]signins.Group{}
		require.NoError(t, (&runner{in, map[string]*node{query: answer.Tree}}).Run(t.Context(), query, columns, func(cells []any) error {
			values := make([]plan.Value, len(cells))
			for i, c := range cells {
				values[i] = plan.Value{Any: c}
			}
			g, err := group(values)
			name, _ := cells[0].(string)
			got[name] = g
			return err
		}))
		plantest.Require(t, definition, events, got)
	}
	t.Logf("%d sign-ins", len(events))
}
