package kqlsignins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A service answers queries on loopback, as Log Analytics and Data Explorer
// do, from an interpreter.
type service struct {
	t       *testing.T
	in      *interpreter
	refuse  func(n int, query string) *refusal // of the nth query, counted from 0
	maxRows int                                // of an answer; it is cut beyond them

	mutex sync.Mutex
	asked []string
	trees map[string]*node
}

// A refusal is an answer that is none, or not the whole.
type refusal struct {
	status     int
	retryAfter string
	body       string // of an answer of its own; of Log Analytics if status is 200, with a part of the rows
}

// timeIn finds a time in a query.
var timeIn = regexp.MustCompile(`datetime\([0-9TZ:.-]+\)`)

// tree is that of query. Queries that differ in their times alone are parsed
// once.
func (s *service) tree(query string) (*node, error) {
	times := timeIn.FindAllString(query, -1)
	same := timeIn.ReplaceAllString(query, "datetime(2026-01-01T00:00:00.0000000Z)")
	if s.trees[same] == nil {
		c := check(s.t, schemas, true, same)[0]
		if len(c.Diagnostics) > 0 {
			return nil, fmt.Errorf("%v", c.Diagnostics)
		}
		s.trees[same] = c.Tree
	}
	var with func(n *node) *node
	with = func(n *node) *node {
		copied := *n
		if n.is("DateTimeLiteralToken") && n.Text != "datetime(null)" {
			copied.Text, times = times[0], times[1:]
		}
		copied.Nodes, copied.inner = nil, nil
		for _, c := range n.Nodes {
			copied.Nodes = append(copied.Nodes, with(c))
		}
		return &copied
	}
	return with(s.trees[same]), nil
}

func (s *service) answer(query string) (columns []struct{ Name, Type string }, rows []record, err error) {
	tree, err := s.tree(query)
	if err != nil {
		return nil, nil, err
	}
	at := map[string]string{"Records": "long", "Successes": "long", "Copies": "long", "Network": "long", "First": "datetime", "Last": "datetime", "Hour": "datetime",
		"PasswordGrant": "bool", "DeviceCode": "bool", "NativeMail": "bool", "ByUserAgent": "bool"}
	if rows, err = s.in.query(tree); err != nil {
		return nil, nil, err
	}
	for _, name := range columnsOf(tree) {
		kind := at[name]
		if kind == "" {
			kind = "string"
		}
		columns = append(columns, struct{ Name, Type string }{name, kind})
	}
	return columns, rows, nil
}

// columnsOf are those of the last operator of a query.
func columnsOf(tree *node) (names []string) {
	var last *node
	var walk func(n *node)
	walk = func(n *node) {
		if n.is("ProjectOperator", "SummarizeOperator") {
			last = n
		}
		for _, c := range n.Nodes {
			walk(c)
		}
	}
	walk(tree)
	for _, p := range last.parts() {
		name, _ := named(p)
		names = append(names, name)
	}
	return names
}

func (s *service) cells(columns []struct{ Name, Type string }, rows []record) [][]any {
	all := make([][]any, len(rows))
	for i, r := range rows {
		for _, c := range columns {
			v := r[c.Name]
			if at, ok := v.(time.Time); ok {
				v = at.Format("2006-01-02T15:04:05.9999999Z")
			}
			all[i] = append(all[i], v)
		}
	}
	return all
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if r.URL.Path == "/v1/rest/auth/metadata" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var body struct{ Query, CSL, DB string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	assert.Equal(s.t, "Bearer secret", r.Header.Get("Authorization"))
	query, kusto := body.Query, false
	switch r.URL.Path {
	case "/v1/workspaces/11111111-2222-4333-8444-555555555555/query":
		assert.Equal(s.t, "wait=600", r.Header.Get("Prefer"))
	case "/v2/rest/query":
		query, kusto = body.CSL, true
		assert.Equal(s.t, "logs", body.DB)
	default:
		http.NotFound(w, r)
		return
	}
	var no *refusal
	if s.refuse != nil {
		no = s.refuse(len(s.asked), query)
	}
	s.asked = append(s.asked, query)
	if no != nil && no.status != http.StatusOK {
		if no.retryAfter != "" {
			w.Header().Set("Retry-After", no.retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(no.status)
		_, _ = io.WriteString(w, no.body)
		return
	}
	columns, rows, err := s.answer(query)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"code":"BadArgumentError","message":%q}}`, err.Error())
		return
	}
	cut := no != nil || s.maxRows > 0 && len(rows) > s.maxRows
	if cut {
		rows = rows[:min(len(rows)/2, max(s.maxRows, 1))]
	}
	w.Header().Set("Content-Type", "application/json")
	const limits = `{"code":"LimitsExceeded","message":"Request is invalid and cannot be executed.","@type":"Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException",` +
		`"@message":"Query execution has exceeded the allowed limits (80DA0003): The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).","@permanent":false}`
	if !kusto {
		table := map[string]any{"name": "PrimaryResult", "rows": s.cells(columns, rows)}
		var list []map[string]string
		for _, c := range columns {
			list = append(list, map[string]string{"name": c.Name, "type": c.Type})
		}
		table["columns"] = list
		answer := map[string]any{"tables": []any{table}}
		if cut {
			answer["error"] = map[string]any{"code": "PartialError", "message": "There were some errors when processing your query.",
				"details": []any{map[string]any{"code": "EngineError", "message": "Something went wrong processing your query on the server.",
					"innererror": map[string]any{"code": "-2133196797", "message": "The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).", "severity": 2}}}}
		}
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	// The service writes the type of a frame first.
	asJSON := func(v any) string {
		text, _ := json.Marshal(v)
		return string(text)
	}
	var list []map[string]string
	for _, c := range columns {
		list = append(list, map[string]string{"ColumnName": c.Name, "ColumnType": c.Type})
	}
	errors := ""
	if cut {
		errors = `,"OneApiErrors":[{"error":` + limits + `}]`
	}
	fmt.Fprintf(w, `[{"FrameType":"DataSetHeader","IsProgressive":false,"Version":"v2.0","IsFragmented":true,"ErrorReportingPlacement":"EndOfTable"}
,{"FrameType":"DataTable","TableId":0,"TableKind":"QueryProperties","TableName":"@ExtendedProperties","Columns":[{"ColumnName":"TableId","ColumnType":"int"},{"ColumnName":"Key","ColumnType":"string"},{"ColumnName":"Value","ColumnType":"dynamic"}],"Rows":[[1,"Visualization","{}"]]}
,{"FrameType":"TableHeader","TableId":1,"TableKind":"PrimaryResult","TableName":"PrimaryResult","Columns":%s}
,{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":1,"Rows":%s}
,{"FrameType":"TableCompletion","TableId":1,"RowCount":%d%s}
,{"FrameType":"DataSetCompletion","HasErrors":%t,"Cancelled":false%s}]
`, asJSON(list), asJSON(s.cells(columns, rows)), len(rows), errors, cut, errors)
}

// bearer is a credential that needs nobody.
type bearer struct{}

func (bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "secret", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// runners returns a runner of each kind that asks s. The SDKs do not try again
// by themselves, so that every refusal is seen.
func (s *service) runners(t *testing.T) map[string]kqlsignins.Runner {
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	options := &azlogs.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: server.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{azlogs.ServiceName: {Endpoint: server.URL + "/v1", Audience: "https://api.loganalytics.test"}}}}}
	logs, err := azlogs.NewClient(bearer{}, options)
	require.NoError(t, err)
	kusto, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(server.URL).WithTokenCredential(bearer{}), azkustodata.WithHttpClient(server.Client()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = kusto.Close(); server.Client().CloseIdleConnections() })
	return map[string]kqlsignins.Runner{
		"log analytics": kqlsignins.LogAnalytics(logs, "11111111-2222-4333-8444-555555555555"),
		"data explorer": kqlsignins.DataExplorer(kusto, "logs"),
	}
}

func smallLog(t *testing.T) (data []byte, want *signins.Summary) {
	var b bytes.Buffer
	tenant := &signinstest.Tenant{Seed: 8900, Users: 40, Events: 100, Sprays: 1, BruteForces: 1}
	require.NoError(t, tenant.Write(&b, signins.LogAnalytics))
	want, err := signins.Summarize(signins.Read(bytes.NewReader(b.Bytes())))
	require.NoError(t, err)
	return b.Bytes(), want
}

// Whatever goes wrong in between, the summary is the whole one or there is none.
func TestServices(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	data, want := smallLog(t)
	in := tablesOf(t, data)
	trees := map[string]*node{}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		refuse  func(n int, query string) *refusal
		maxRows int
		halved  bool
		waits   []time.Duration
		fails   string
	}{
		"nothing": {},
		"busy once": {refuse: func(n int, _ string) *refusal {
			if n == 2 {
				return &refusal{status: 429, retryAfter: "7", body: `{"error":{"code":"ThrottledError","message":"Too many requests"}}`}
			}
			return nil
		}, waits: []time.Duration{7 * time.Second}},
		"busy for ever": {refuse: func(int, string) *refusal { return &refusal{status: 429, body: `{"error":{"code":"ThrottledError"}}`} },
			waits: []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}, fails: "429"},
		"cut answers":        {maxRows: 60, halved: true},
		"cut answers always": {refuse: func(int, string) *refusal { return &refusal{status: 200} }, halved: true, fails: "not all records were returned"},
		"a time-out": {refuse: func(n int, _ string) *refusal {
			if n < 4 {
				return &refusal{status: 504, body: `{"error":{"code":"GatewayTimeout","message":"Gateway timeout"}}`}
			}
			return nil
		}, halved: true},
		"no permission": {refuse: func(int, string) *refusal {
			return &refusal{status: 403, body: `{"error":{"code":"InsufficientAccessError","message":"The provided credentials have insufficient access"}}`}
		}, fails: "nsufficient"},
		"a broken query": {refuse: func(int, string) *refusal {
			return &refusal{status: 400, body: `{"error":{"code":"BadArgumentError","message":"The request had some invalid properties","innererror":{"code":"SemanticError"}}}`}
		}, fails: "BadArgumentError"},
		"no JSON": {refuse: func(int, string) *refusal { return &refusal{status: 500, body: "<html>"} }, fails: "500"},
	} {
		s := &service{t: t, in: in, refuse: c.refuse, maxRows: c.maxRows, trees: trees}
		for engine, runner := range s.runners(t) {
			s.asked = nil
			from := want.First.Truncate(day)
			e := &kqlsignins.Engine{Runner: runner, Summarizer: signins.Summarizer{Since: from, Until: from.Add(2 * day)}, Part: -1}
			var waits []time.Duration
			kqlsignins.SetWait(e, func(_ context.Context, d time.Duration) error {
				waits = append(waits, d)
				return nil
			})
			if name == "cut answers always" {
				e.Summarizer.Since = want.First.Truncate(time.Minute)
				e.Summarizer.Until = e.Summarizer.Since.Add(4 * time.Minute)
			}
			got, err := e.Summarize(t.Context())
			if c.fails != "" {
				require.Error(t, err, "%s, %s", engine, name)
				assert.Nil(t, got)
				assert.ErrorContains(t, err, c.fails, "%s, %s", engine, name)
				assert.NotContains(t, err.Error(), "secret")
				assert.Equal(t, name == "cut answers always", errors.Is(err, kqlsignins.ErrIncomplete), "%s, %s", engine, name)
			} else {
				require.NoError(t, err, "%s, %s", engine, name)
				requireSame(t, want, got)
			}
			if c.waits != nil && engine == "log analytics" {
				assert.Equal(t, c.waits, waits, "%s, %s", engine, name)
			}
			assert.Equal(t, c.halved, halved(s.asked), "%s, %s: %d questions", engine, name, len(s.asked))
		}
	}
}

// halved reports whether queries ask about more than one time.
func halved(queries []string) bool {
	times := map[string]bool{}
	for _, q := range queries {
		times[fmt.Sprint(slices.Compact(timeIn.FindAllString(q, 2)))] = true
	}
	return len(times) > 1
}
