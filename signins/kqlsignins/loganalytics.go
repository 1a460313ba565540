package kqlsignins

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
)

// Limits of an answer of Log Analytics and of Data Explorer.
// https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits
const maxRows = 500_000

// LogAnalytics returns a Runner that asks the workspace with an id, a GUID,
// through a client of Azure's SDK. Queries may run for ten minutes.
func LogAnalytics(client *azlogs.Client, workspaceID string) Runner {
	return &logAnalytics{client, workspaceID}
}

type logAnalytics struct {
	client    *azlogs.Client
	workspace string
}

func (l *logAnalytics) Run(ctx context.Context, query string, columns []string, row func([]any) error) error {
	answer, err := l.client.QueryWorkspace(ctx, l.workspace, azlogs.QueryBody{Query: &query},
		&azlogs.QueryWorkspaceOptions{Options: &azlogs.QueryOptions{Wait: to.Ptr(600)}})
	if err != nil {
		return fromHTTP(err)
	}
	if answer.Error != nil { // with a part of the rows beside it
		return fmt.Errorf("%w: %s", ErrIncomplete, oneLine(answer.Error.Error()))
	}
	if len(answer.Tables) == 0 {
		return errors.New("the answer has no table")
	}
	table := &answer.Tables[0]
	if len(table.Columns) != len(columns) {
		return fmt.Errorf("the answer has %d columns, not %d", len(table.Columns), len(columns))
	}
	for i, c := range table.Columns {
		if c.Name == nil || *c.Name != columns[i] || c.Type == nil {
			return fmt.Errorf("column %d of the answer is not %q", i+1, columns[i])
		}
	}
	if len(table.Rows) >= maxRows {
		return fmt.Errorf("%w: it has %d rows, as many as an answer may have", ErrIncomplete, len(table.Rows))
	}
	cells := make([]any, len(columns))
	for _, r := range table.Rows {
		if len(r) != len(columns) {
			return fmt.Errorf("a row of the answer has %d cells, not %d", len(r), len(columns))
		}
		for i, v := range r {
			if cells[i], err = cellOf(v, *table.Columns[i].Type); err != nil {
				return fmt.Errorf("column %s: %w", columns[i], err)
			}
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return nil
}

// cellOf returns what v, as JSON has it, stands for in a column of a type.
func cellOf(v any, kind azlogs.ColumnType) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return v, nil
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil, fmt.Errorf("%v is no whole number that JSON keeps", v)
		}
		return int64(v), nil
	case string:
		switch kind {
		case azlogs.ColumnTypeDatetime:
			return time.Parse(time.RFC3339Nano, v)
		case azlogs.ColumnTypeLong, azlogs.ColumnTypeInt:
			return strconv.ParseInt(v, 10, 64)
		}
		return v, nil
	}
	return nil, fmt.Errorf("a %T was not expected", v)
}

// fromHTTP says what an error of Azure's SDK means.
func fromHTTP(err error) error {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return err
	}
	said := fmt.Errorf("HTTP %d %s: %s", answer.StatusCode, answer.ErrorCode, oneLine(answer.Error()))
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return &BusyError{After: retryAfter(answer.RawResponse), Err: said}
	case http.StatusGatewayTimeout, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		return fmt.Errorf("%w: %w", ErrIncomplete, said)
	}
	return whatIsSaid(said)
}

// tooMuchSaid are the words in which Kusto says that a question is too much.
// https://learn.microsoft.com/kusto/concepts/query-limits
var tooMuchSaid = []string{"e_query_result_set_too_large", "e_runaway_query", "e_low_memory_condition", "e_query_timeout", "e_execution_timeout",
	"query result set has exceeded", "exceed the set limit", "limitsexceeded", "query execution has exceeded the allowed limits", "timed out", "partialerror", "responsesizeerror"}

// whatIsSaid looks for what err, of Kusto, means in its words.
func whatIsSaid(err error) error {
	words := strings.ToLower(err.Error())
	for _, w := range tooMuchSaid {
		if strings.Contains(words, w) {
			return fmt.Errorf("%w: %w", ErrIncomplete, err)
		}
	}
	if strings.Contains(words, "throttl") {
		return &BusyError{Err: err}
	}
	return err
}

// retryAfter is how long a server asks to be left alone, 0 if it does not.
// RFC 9110, section 10.2.3.
func retryAfter(answer *http.Response) time.Duration {
	if answer == nil {
		return 0
	}
	value := strings.TrimSpace(answer.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// oneLine is text in one line, cut.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text
}
