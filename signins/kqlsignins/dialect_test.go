package kqlsignins_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan"
	"github.com/crossprem/crossprem/signins/internal/plan/plantest"
)

// ClickHouse understands a part of KQL. The steps that it executes come to what
// they come to in Go; the others are named here, so that one that becomes
// executable, or stops being so, is noticed.
func TestStepsInClickHousesKQL(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	var events []signins.SignIn
	for _, s := range plantest.SignIns() {
		if !strings.ContainsFunc(s.ClientAppUsed+s.UserAgent, func(r rune) bool { return r > '~' }) { // its tolower knows ASCII alone
			events = append(events, s)
		}
	}
	steps := plan.New(&signins.Summarizer{}).StepTexts()
	rows := make([]map[string]any, len(events))
	columns := []string{}
	for i := range events {
		rows[i] = plan.Row(&events[i])
		for name := range rows[i] {
			if i == 0 {
				columns = append(columns, name)
			}
		}
		for _, s := range steps {
			rows[i][s.Name] = s.Result(rows[i])
		}
	}
	for _, s := range steps {
		columns = append(columns, s.Name)
	}
	slices.Sort(columns)
	columns = slices.Compact(columns)
	var types []string
	for _, c := range columns {
		kind := "String"
		for _, r := range rows {
			switch r[c].(type) {
			case bool:
				kind = "Bool"
			case int64:
				kind = "Nullable(Int64)"
			case time.Time:
				kind = "Nullable(DateTime64(7, 'UTC'))"
			}
		}
		types = append(types, c+" "+kind)
	}
	file := filepath.Join(t.TempDir(), "steps.ndjson")
	f, err := os.Create(file)
	require.NoError(t, err)
	out := json.NewEncoder(f)
	for i, r := range rows {
		r["n"] = i
		require.NoError(t, out.Encode(r))
	}
	require.NoError(t, f.Close())
	server.Exec(t, "CREATE TABLE steps (n Int64, "+strings.Join(types, ", ")+") ENGINE = MergeTree ORDER BY n")
	server.Exec(t, fmt.Sprintf("INSERT INTO steps SELECT * FROM file('%s', 'JSONEachRow', 'n Int64, %s') SETTINGS date_time_input_format = 'best_effort'",
		file, strings.ReplaceAll(strings.Join(types, ", "), "'", `\'`)))
	server.Exec(t, "SET allow_experimental_kusto_dialect = 1")
	var executed, not []string
	for _, s := range steps {
		if s.Name == "Hour" { // its bin of a column is wrong
			continue
		}
		server.Exec(t, "SET dialect = 'kusto'")
		answer, err := server.Query("steps | extend Result = " + s.KQL + " | project n, Result")
		server.Exec(t, "SET dialect = 'clickhouse'")
		if err != nil {
			not = append(not, s.Name)
			continue
		}
		executed = append(executed, s.Name)
		lines := strings.Split(strings.TrimSuffix(answer, "\n"), "\n")
		require.Len(t, lines, len(rows), s.Name)
		for _, line := range lines {
			number, result, _ := strings.Cut(line, "\t")
			var n int
			_, err := fmt.Sscan(number, &n)
			require.NoError(t, err)
			want := fmt.Sprint(rows[n][s.Name])
			if _, ok := rows[n][s.Name].(bool); ok && len(result) == 1 {
				result = map[string]string{"0": "false", "1": "true"}[result]
			}
			require.Equal(t, want, strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\'`, "'", `\\`, `\`).Replace(result), "%s of %+v", s.Name, events[n])
		}
	}
	assert.Equal(t, []string{"IsApplication", "NameClass", "NameProtocol", "FrontEnd", "ClientClass", "Protocol", "Class", "ByUserAgent", "NativeMail", "Credential",
		"BasicAuth", "Outcome", "Succeeded", "RightByCode", "Guess"}, executed)
	assert.Equal(t, []string{"IPAddress", "ClientShort", "ClientName", "Unlisted", "PasswordGrant", "DeviceCode", "PasswordRight", "Evidence"}, not)
}
