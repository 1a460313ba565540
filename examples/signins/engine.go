package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/term"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/graphsignin"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
)

// An engine is where the log lies, if it is not in files.
type engine struct {
	workspace, kusto, clickhouse string // one of them, or none
	printQuery                   string
	tenant, signin               string
	cloud                        crossprem.Cloud
	table                        clickhousesignins.Table
	part                         time.Duration
}

func (e *engine) flags(flags *flag.FlagSet) {
	flags.StringVar(&e.workspace, "workspace", "", "ask the Log Analytics workspace with this `id` in place of files")
	flags.StringVar(&e.kusto, "kusto", "", "ask this database of Azure Data Explorer, given as `URL/DATABASE`, in place of files")
	flags.StringVar(&e.clickhouse, "clickhouse", "", "ask ClickHouse in place of files, such as `clickhouse://user@host:9440/database?secure=true`; the password is taken from CLICKHOUSE_PASSWORD")
	flags.StringVar(&e.table.From, "table", "signins", "the `table` in ClickHouse")
	flags.StringVar(&e.table.Record, "record", "record", "its `column` of whole records; empty if the columns are those of Azure Monitor's records")
	flags.BoolVar(&e.table.Prepared, "prepared", false, "it has the columns that clickhousesignins.Table.Schema makes")
	flags.DurationVar(&e.part, "part", 0, "the longest `time` that is asked about at once (default 24h)")
	flags.StringVar(&e.tenant, "tenant", "", "the `tenant` to sign in to for -workspace and -kusto, by id or domain; without it, what the environment or Azure CLI offer")
	flags.StringVar(&e.signin, "signin", "default", "how to sign in with -tenant: "+graphsignin.Ways)
	flags.TextVar(&e.cloud, "cloud", crossprem.Worldwide, "where the tenant is: worldwide, gcc-high, dod or china-21vianet")
	flags.StringVar(&e.printQuery, "print-query", "", "print all queries in `kql` or clickhouse, and ask nothing")
}

// chosen reports whether an engine is to be asked.
func (e *engine) chosen() bool { return e.workspace != "" || e.kusto != "" || e.clickhouse != "" }

// check returns an error if the flags contradict each other.
func (e *engine) check(files int) error {
	chosen := 0
	for _, name := range []string{e.workspace, e.kusto, e.clickhouse} {
		if name != "" {
			chosen++
		}
	}
	switch {
	case e.printQuery != "" && e.printQuery != "kql" && e.printQuery != "clickhouse":
		return errors.New("-print-query is kql or clickhouse")
	case chosen > 1:
		return errors.New("-workspace, -kusto and -clickhouse exclude each other")
	case chosen > 0 && files > 0:
		return errors.New("with -workspace, -kusto or -clickhouse, no files are read")
	}
	return nil
}

// printQueries prints the queries with a blank line in between.
func (o *settings) printQueries() error {
	var texts []string
	if o.engine.printQuery == "kql" {
		for _, q := range (&kqlsignins.Engine{Summarizer: o.Summarizer}).Queries() {
			texts = append(texts, q.String())
		}
	} else {
		for _, q := range (&clickhousesignins.Engine{Summarizer: o.Summarizer, Table: o.engine.table}).Queries() {
			texts = append(texts, q.String())
		}
	}
	_, err := fmt.Fprint(o.out, strings.Join(texts, "\n"))
	return err
}

// ask asks the engine for the summary.
func (o *settings) ask(ctx context.Context) (*signins.Summary, error) {
	told := func(since, until time.Time, part signins.Part, answers int) {
		if f, ok := o.notes.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			fmt.Fprintf(f, "%s\n", terminal.Line(fmt.Sprintf("%d answers: %s, %s to %s", answers, part, stamp(since), stamp(until))))
		}
	}
	if o.engine.clickhouse != "" {
		options, err := clickhouse.ParseDSN(o.engine.clickhouse)
		if err != nil { // which may repeat a password
			return nil, errors.New("-clickhouse is no DSN such as clickhouse://user@host:9440/database?secure=true")
		}
		options.Auth.Password = cmp.Or(options.Auth.Password, os.Getenv("CLICKHOUSE_PASSWORD"))
		conn, err := clickhouse.Open(options)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return (&clickhousesignins.Engine{Conn: conn, Table: o.engine.table, Summarizer: o.Summarizer, Part: o.engine.part,
			Progress: func(p clickhousesignins.Progress) { told(p.Since, p.Until, p.Part, p.Answers) }}).Summarize(ctx)
	}
	runner, closer, err := o.engine.runner(o)
	if err != nil {
		return nil, err
	}
	defer closer()
	return (&kqlsignins.Engine{Runner: runner, Summarizer: o.Summarizer, Part: o.engine.part,
		Progress: func(p kqlsignins.Progress) { told(p.Since, p.Until, p.Part, p.Answers) }}).Summarize(ctx)
}

// runner signs in for Log Analytics or Data Explorer.
func (e *engine) runner(o *settings) (kqlsignins.Runner, func(), error) {
	where, ok := map[crossprem.Cloud]cloud.Configuration{crossprem.Worldwide: cloud.AzurePublic, crossprem.GCCHigh: cloud.AzureGovernment,
		crossprem.DoD: cloud.AzureGovernment, crossprem.China21Vianet: cloud.AzureChina}[e.cloud]
	if !ok {
		return nil, nil, fmt.Errorf("-cloud %s has no Log Analytics or Data Explorer that this program knows", e.cloud)
	}
	var credential azcore.TokenCredential
	var err error
	if e.tenant != "" {
		credential, err = graphsignin.New(e.signin, e.tenant, where.ActiveDirectoryAuthorityHost, o.notes)
	} else {
		credential, err = azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Cloud: where}})
	}
	if err != nil {
		return nil, nil, err
	}
	if e.workspace != "" {
		client, err := azlogs.NewClient(credential, &azlogs.ClientOptions{ClientOptions: azcore.ClientOptions{Cloud: where}})
		if err != nil {
			return nil, nil, err
		}
		return kqlsignins.LogAnalytics(client, e.workspace), func() {}, nil
	}
	slash := strings.LastIndexByte(e.kusto, '/')
	if !strings.HasPrefix(e.kusto, "https://") || slash < len("https://x") || slash == len(e.kusto)-1 {
		return nil, nil, errors.New("-kusto is not an address and a database, such as https://cluster.westeurope.kusto.windows.net/logs")
	}
	client, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(e.kusto[:slash]).WithTokenCredential(credential))
	if err != nil {
		return nil, nil, err
	}
	return kqlsignins.DataExplorer(client, e.kusto[slash+1:]), func() { _ = client.Close() }, nil
}
