package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// KQL returns q as a query over the tables of Azure Monitor's Log Analytics,
// of the events in w.
func (p *Plan) KQL(q *question, w Window) string {
	worked, source := q.needs(p.steps)
	b := &strings.Builder{}
	fmt.Fprintf(b, "// %s.\n", q.title)
	b.WriteString("union isfuzzy=true\n")
	for i, t := range kqlTables {
		b.WriteString("    (" + t.name + "\n")
		if c := w.kql(); c != "" {
			b.WriteString("    | where " + c + "\n")
		}
		b.WriteString("    | extend Time = " + t.columns[colTime] + ", Code = " + t.columns[colCode] + "\n")
		b.WriteString("    | project EventId = iff(isempty(Id), strcat(\"no id: \", tostring(rand()), tostring(rand())), Id), Delivered = coalesce(ingestion_time(), TimeGenerated)")
		for _, name := range source {
			is := t.columns[name]
			switch {
			case name == colTime || name == colCode:
				is = name
			case is == "" && name == colNetwork:
				is = "0"
			case is == "":
				is = `""`
			}
			if is == name {
				b.WriteString(",\n        " + name)
			} else {
				b.WriteString(",\n        " + name + " = " + is)
			}
		}
		b.WriteString(")")
		if i < len(kqlTables)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("// Of copies of an event, the last that arrived.\n")
	b.WriteString("| summarize arg_max(Delivered, *), Copies = count() - 1 by EventId\n")
	for _, level := range levels(worked) {
		b.WriteString("| extend\n")
		for i, s := range level {
			comma := ","
			if i == len(level)-1 {
				comma = ""
			}
			if s.why != "" {
				fmt.Fprintf(b, "    // %s\n", s.why)
			}
			fmt.Fprintf(b, "    %s = %s%s\n", s.name, s.is.kql(), comma)
		}
	}
	if q.where.op != opYes {
		fmt.Fprintf(b, "| where %s\n", q.where.kql())
	}
	b.WriteString("| summarize Records = count(), Successes = countif(Succeeded), First = min(Time), Last = max(Time)")
	if q.part == signins.PartTotals {
		b.WriteString(", Copies = sum(Copies)")
	}
	b.WriteString("\n    by ")
	for i, k := range q.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		if k.is.op == opColumn && k.is.text == k.name {
			b.WriteString(k.name)
		} else {
			b.WriteString(k.name + " = " + k.is.kql())
		}
	}
	b.WriteString("\n| project " + strings.Join(q.Columns(), ", ") + "\n")
	return b.String()
}

// boundsKQL asks for the times of the first and the last event.
func boundsKQL() string {
	b := &strings.Builder{}
	b.WriteString("// When the first and the last sign-in were.\nunion isfuzzy=true\n")
	for i, t := range kqlTables {
		comma := ","
		if i == len(kqlTables)-1 {
			comma = ""
		}
		fmt.Fprintf(b, "    (%s | project TimeGenerated)%s\n", t.name, comma)
	}
	b.WriteString("| summarize First = min(TimeGenerated), Last = max(TimeGenerated)\n")
	return b.String()
}

// levels parts steps so that none needs another of its level.
func levels(steps []step) [][]step {
	var all [][]step
	at := map[string]int{}
	for _, s := range steps {
		level := 0
		s.is.columns(func(name string) {
			if n, ok := at[name]; ok {
				level = max(level, n+1)
			}
		})
		at[s.name] = level
		for len(all) <= level {
			all = append(all, nil)
		}
		all[level] = append(all[level], s)
	}
	return all
}

// A kqlTable is a table of Log Analytics and what its columns are in the plan.
type kqlTable struct {
	name    string
	columns map[string]string
}

// kqlTables are the tables of sign-ins. Columns that are JSON are of another
// type in each of the first two, so that all are made text before the tables
// are put together. Columns that not every workspace has yet are asked for by
// column_ifexists.
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/aadnoninteractiveusersigninlogs
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/aadserviceprincipalsigninlogs
var kqlTables = []kqlTable{
	{"SigninLogs", kqlUsers("signinlogs", "yes")},
	{"AADNonInteractiveUserSignInLogs", kqlUsers("noninteractiveusersigninlogs", "no")},
	{"AADServicePrincipalSignInLogs", kqlApplications("serviceprincipalsigninlogs")},
	{"AADManagedIdentitySignInLogs", kqlApplications("managedidentitysigninlogs")},
}

// kqlResultType is the code in ResultType, a text.
const kqlResultType = `iff(ResultType matches regex @'^[+-]?[0-9]{1,10}$', toint(ResultType), int(null))`

const kqlMissing = `strcat(iff(isnull(Code), "errorCode,", ""), iff(isnull(Time), "createdDateTime,", ""))`

func kqlUsers(category, interactive string) map[string]string {
	inside := func(column, member string) string {
		return "tostring(parse_json(tostring(" + column + "))." + member + ")"
	}
	orElse := func(a, b string) string { return "iff(isempty(" + a + "), " + b + ", " + a + ")" }
	return map[string]string{
		colTime:        "coalesce(CreatedDateTime, TimeGenerated)",
		colCode:        "coalesce(toint(parse_json(tostring(Status)).errorCode), " + kqlResultType + ")",
		colCategory:    orElse("tolower(Category)", strconv.Quote(category)),
		colInteractive: `case(isnull(IsInteractive), "` + interactive + `", IsInteractive, "yes", "no")`,
		colMissing:     kqlMissing,
		colUserID:      "UserId", colUPN: "UserPrincipalName", colSPID: "ServicePrincipalId", colAppID: "AppId", colApp: "AppDisplayName",
		colClientApp: "ClientAppUsed", colAgent: "UserAgent", colAuthProtocol: "AuthenticationProtocol",
		colIncomingToken: `column_ifexists("IncomingTokenType", "")`, colTransfer: `column_ifexists("OriginalTransferMethod", "")`,
		colMethods: `replace_regex(strcat("\n", strcat_array(extract_all(@'"authenticationmethod"\s*:\s*"((?:[^"\\]|\\.)*)"', tolower(tostring(AuthenticationDetails))), "\n"), "\n"), @'^\n\n$', "")`,
		colAddress: "IPAddress", colNetwork: "coalesce(tolong(AutonomousSystemNumber), 0)",
		colCountry: orElse(inside("LocationDetails", "countryOrRegion"), "Location"),
		colReason:  orElse(inside("Status", "failureReason"), "ResultDescription"), colHomeTenant: "HomeTenantId", colResourceTenant: "ResourceTenantId",
	}
}

func kqlApplications(category string) map[string]string {
	return map[string]string{
		colTime: "TimeGenerated", colCode: kqlResultType, colCategory: strconv.Quote(category), colInteractive: `"no"`, colMissing: kqlMissing,
		colSPID: "ServicePrincipalId", colAppID: "AppId", colAddress: "IPAddress",
	}
}

func (w Window) kql() string {
	var c []string
	if !w.Since.IsZero() {
		c = append(c, "TimeGenerated >= "+kqlTime(w.Since))
	}
	if !w.Until.IsZero() {
		c = append(c, "TimeGenerated < "+kqlTime(w.Until))
	}
	return strings.Join(c, " and ")
}

func kqlTime(t time.Time) string {
	return "datetime(" + t.UTC().Format("2006-01-02T15:04:05.0000000Z") + ")"
}

// kqlText quotes t. A backslash begins what stands for another character.
func kqlText(t string) string {
	b := &strings.Builder{}
	b.WriteByte('"')
	for _, r := range t {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// kqlRegexp quotes a regular expression as it is.
func kqlRegexp(re string) string { return `@'` + strings.ReplaceAll(re, `'`, `''`) + `'` }

func kqlList(list []string) string {
	quoted := make([]string, len(list))
	for i, t := range list {
		quoted[i] = kqlText(t)
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

// kql renders e.
func (e expr) kql() string {
	arg := func(i int) string { return e.args[i].kql() }
	switch e.op {
	case opColumn:
		return e.text
	case opText:
		return kqlText(e.text)
	case opYes:
		return "true"
	case opNo:
		return "false"
	case opNoTime:
		return "datetime(null)"
	case opAnd, opOr:
		word := map[op]string{opAnd: " and ", opOr: " or "}[e.op]
		parts := make([]string, len(e.args))
		for i := range e.args {
			parts[i] = arg(i)
		}
		return "(" + strings.Join(parts, word) + ")"
	case opNot:
		return "not(" + arg(0) + ")"
	case opEqual:
		return "(" + arg(0) + " == " + arg(1) + ")"
	case opIn:
		if len(e.list) == 0 {
			return "false"
		}
		return "(" + arg(0) + " in " + kqlList(e.list) + ")"
	case opInFold:
		if len(e.list) == 0 {
			return "false"
		}
		return "(" + arg(0) + " in~ " + kqlList(e.list) + ")"
	case opPrefix:
		return "(" + arg(0) + " startswith_cs " + kqlText(e.text) + ")"
	case opHas:
		return "(" + arg(0) + " contains_cs " + kqlText(e.text) + ")"
	case opMatch:
		return "(" + arg(0) + " matches regex " + kqlRegexp(e.text) + ")"
	case opFold:
		// The only two letters beyond ASCII whose lower case is ASCII in Unicode's
		// simple mapping: I with a dot, and the sign of Kelvin.
		return `tolower(replace_string(replace_string(` + arg(0) + ", \"\u0130\", \"i\"), \"\u212a\", \"k\"))"
	case opTrim:
		return "trim(" + kqlRegexp("["+blanks+"]+") + ", " + arg(0) + ")"
	case opSingle:
		return `trim(" ", replace_regex(` + arg(0) + ", " + kqlRegexp("["+blanks+"]+") + `, " "))`
	case opExtract:
		return "extract(" + kqlRegexp(e.text) + ", 1, " + arg(0) + ")"
	case opReplace:
		return "replace_regex(" + arg(0) + ", " + kqlRegexp(e.text) + `, "")`
	case opCases:
		parts := make([]string, len(e.args))
		for i := range e.args {
			parts[i] = arg(i)
		}
		return "case(" + strings.Join(parts, ", ") + ")"
	case opPick, opPickInt:
		b := &strings.Builder{}
		b.WriteString("case(")
		for _, c := range e.cases {
			keys := kqlList(c.of)
			if e.op == opPickInt {
				keys = "(" + strings.Join(c.of, ", ") + ")"
			}
			fmt.Fprintf(b, "\n        %s in %s, %s,", arg(0), keys, kqlText(c.value))
		}
		b.WriteString(" " + arg(1) + ")")
		return b.String()
	case opIsNull:
		return "isnull(" + arg(0) + ")"
	case opHour:
		return "bin(" + arg(0) + ", 1h)"
	case opZero:
		return "(" + arg(0) + " == 0)"
	}
	panic("plan: no such operation")
}
