package kqlsignins_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// tablesOf reads an answer of Log Analytics, whose rows name their table, into
// an interpreter.
func tablesOf(t *testing.T, answers ...[]byte) *interpreter {
	t.Helper()
	in := &interpreter{tables: map[string][]record{}}
	for name := range schemas {
		in.tables[name] = nil
	}
	for _, data := range answers {
		var answer struct {
			Tables []struct {
				Columns []struct{ Name, Type string }
				Rows    [][]any
			}
		}
		require.NoError(t, json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &answer))
		for _, table := range answer.Tables {
			for _, cells := range table.Rows {
				row := record{}
				for i, c := range table.Columns {
					v := cells[i]
					switch text, isText := v.(string); {
					case isText && c.Type == "datetime":
						at, err := time.Parse(time.RFC3339Nano, text)
						require.NoError(t, err)
						v = at
					case isText && c.Type == "dynamic":
						var inner any
						require.NoError(t, json.Unmarshal([]byte(text), &inner))
						v = dynamic{inner}
					case v == nil && c.Type == "string":
						v = ""
					default:
						if number, ok := v.(float64); ok {
							v = int64(number)
						}
					}
					row[c.Name] = v
				}
				name, _ := row["Type"].(string)
				require.Contains(t, in.tables, name)
				for _, column := range []string{"ServicePrincipalId", "AuthenticationProtocol", "AutonomousSystemNumber", "HomeTenantId", "ResourceTenantId", "AuthenticationDetails", "UserId"} {
					if _, ok := row[column]; !ok {
						row[column] = "" // in the table's schema, and not asked for
					}
				}
				in.tables[name] = append(in.tables[name], row)
			}
		}
	}
	return in
}

// executed is a runner over in that knows the queries of the engines.
func executed(t *testing.T, in *interpreter, engines ...*kqlsignins.Engine) {
	t.Helper()
	var texts []string
	for _, e := range engines {
		for _, q := range e.Queries() {
			texts = append(texts, q.String())
		}
	}
	r := &runner{in, map[string]*node{}}
	for i, c := range check(t, schemas, true, texts...) {
		require.Empty(t, c.Diagnostics)
		r.trees[texts[i]] = c.Tree
	}
	for _, e := range engines {
		e.Runner = r
	}
}

func requireSame(t *testing.T, want, got *signins.Summary) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	if !bytes.Equal(a, b) {
		require.JSONEq(t, string(a), string(b))
	}
}

// The queries, executed over an export of the tables, come to the summary of
// the export.
func TestQueriesComeToTheSummary(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	logs := map[string][][]byte{}
	for _, name := range []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"} {
		data, err := os.ReadFile("../testdata/samples/loganalytics/" + name + ".query.json")
		require.NoError(t, err)
		logs["samples"] = append(logs["samples"], data)
	}
	var b bytes.Buffer
	tenant := &signinstest.Tenant{Seed: 8800, Users: 200, Events: 2000, Sprays: 1, BruteForces: 1, DistributedSprays: 1}
	require.NoError(t, tenant.Write(&b, signins.LogAnalytics))
	logs["tenant"] = [][]byte{b.Bytes()}
	for name, log := range logs {
		in := tablesOf(t, log...)
		documented := &kqlsignins.Engine{Part: -1}
		workbook := &kqlsignins.Engine{Part: -1, Summarizer: signins.Summarizer{Definition: signins.WorkbookCompatible}}
		executed(t, in, documented, workbook)
		for _, e := range []*kqlsignins.Engine{documented, workbook} {
			got, err := e.Summarize(t.Context())
			require.NoError(t, err, name)
			want, err := e.Summarizer.Summarize(signins.Dedupe(func(yield func(signins.SignIn, error) bool) {
				for _, data := range log {
					for s, err := range signins.Read(bytes.NewReader(data)) {
						if !yield(s, err) {
							return
						}
					}
				}
			}, 0))
			require.NoError(t, err)
			requireSame(t, want, got)
			t.Logf("%s, %s: %d records, %d legacy, %d attacks", name, e.Summarizer.Definition, got.Records, got.ByClass[signins.Legacy], len(got.Attacks))
		}
	}
}
