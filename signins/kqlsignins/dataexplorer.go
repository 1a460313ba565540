package kqlsignins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	kustoerrors "github.com/Azure/azure-kusto-go/azkustodata/errors"
	"github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-kusto-go/azkustodata/types"
	"github.com/Azure/azure-kusto-go/azkustodata/value"
)

// DataExplorer returns a Runner that asks a database of a cluster through a
// client of its SDK. The tables have the names and columns that they have in
// Log Analytics. Queries may run for ten minutes.
func DataExplorer(client *azkustodata.Client, database string) Runner {
	return &dataExplorer{client, database}
}

type dataExplorer struct {
	client   *azkustodata.Client
	database string
}

func (d *dataExplorer) Run(ctx context.Context, query string, columns []string, row func([]any) error) error {
	statement := new(kql.Builder).AddUnsafe(query) // made of tables and times alone, all of it quoted
	answer, err := d.client.IterativeQuery(ctx, d.database, statement, azkustodata.ServerTimeout(10*time.Minute), azkustodata.RequestReadonly())
	if err != nil {
		return fromKusto(err)
	}
	defer answer.Close()
	cells := make([]any, len(columns))
	found, rows := false, 0
	for result := range answer.Tables() {
		if err := result.Err(); err != nil {
			return fromKusto(err)
		}
		table := result.Table()
		if !table.IsPrimaryResult() {
			continue
		}
		found = true
		if len(table.Columns()) != len(columns) {
			return fmt.Errorf("the answer has %d columns, not %d", len(table.Columns()), len(columns))
		}
		for i, c := range table.Columns() {
			if c.Name() != columns[i] {
				return fmt.Errorf("column %d of the answer is %.40q, not %q", i+1, c.Name(), columns[i])
			}
		}
		for result := range table.Rows() {
			if err := result.Err(); err != nil {
				return fromKusto(err)
			}
			for i, v := range result.Row().Values() {
				if cells[i], err = kustoCell(v); err != nil {
					return fmt.Errorf("column %s: %w", columns[i], err)
				}
			}
			if err := row(cells); err != nil {
				return err
			}
			rows++
		}
	}
	switch {
	case !found:
		return errors.New("the answer has no table")
	case rows >= maxRows:
		return fmt.Errorf("%w: it has %d rows, as many as an answer may have", ErrIncomplete, rows)
	}
	return nil
}

// kustoCell returns what v holds.
func kustoCell(v value.Kusto) (any, error) {
	switch v.GetType() {
	case types.String, types.GUID:
		return v.String(), nil
	}
	switch v := v.GetValue().(type) {
	case nil:
		return nil, nil
	case *bool:
		return pointee(v), nil
	case *int64:
		return pointee(v), nil
	case *int32:
		if v == nil {
			return nil, nil
		}
		return int64(*v), nil
	case *time.Time:
		return pointee(v), nil
	}
	return nil, fmt.Errorf("a %s was not expected", v.GetType())
}

func pointee[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// fromKusto says what an error of the SDK means.
func fromKusto(err error) error {
	var answer *kustoerrors.HttpError
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return &BusyError{Err: err}
		case http.StatusGatewayTimeout, http.StatusRequestTimeout:
			return fmt.Errorf("%w: %w", ErrIncomplete, err)
		}
	}
	var kind *kustoerrors.Error
	if errors.As(err, &kind) && (kind.Kind == kustoerrors.KLimitsExceeded || kind.Kind == kustoerrors.KTimeout) {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return whatIsSaid(err)
}
