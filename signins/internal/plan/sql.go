package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// A Table says where a log lies in ClickHouse.
type Table struct {
	// From is what stands behind FROM, such as "signins" or
	// "remote('a,b', logs.signins)".
	From string

	// Record is the column that holds whole records, one JSON object each. If it
	// is "", the columns are those of Azure Monitor's records: time, category,
	// resultType, resultDescription, callerIpAddress, location and properties,
	// all String.
	Record string

	// Prepared reports whether the table has the columns that Columns lists.
	Prepared bool

	// Delivered is what orders copies of one event: the last has the largest.
	Delivered string
}

// Members of a record of Azure Monitor that stand around the sign-in.
var outerMembers = []string{"time", "category", "resultType", "resultDescription", "callerIpAddress", "location", "properties"}

// betaMembers tell Microsoft Graph's beta records from those of v1.0, which
// lack user agents, protocols and methods.
var betaMembers = []string{"signInEventTypes", "userType", "servicePrincipalId", "servicePrincipalName", "userAgent", "authenticationProtocol",
	"incomingTokenType", "originalTransferMethod", "clientCredentialType", "authenticationRequirement", "ipAddressFromResourceProvider",
	"autonomousSystemNumber", "homeTenantId", "resourceTenantId", "authenticationDetails"}

// signInType are the members of a sign-in that are looked at, as ClickHouse's
// JSONExtract wants them. What is missing or null becomes empty.
const signInType = "Tuple(id String, createdDateTime String, signInEventTypes Array(String), isInteractive String, userId String, userPrincipalName String, " +
	"servicePrincipalId String, appId String, appDisplayName String, clientAppUsed String, userAgent String, authenticationProtocol String, " +
	"incomingTokenType String, originalTransferMethod String, authenticationDetails Array(Tuple(authenticationMethod String)), ipAddress String, " +
	"autonomousSystemNumber String, location Tuple(countryOrRegion String), status Tuple(errorCode String, failureReason String), " +
	"homeTenantId String, resourceTenantId String)"

// sqlColumns are the columns of the plan, of r, what stands around a sign-in,
// and s, the sign-in.
var sqlColumns = map[string]string{
	colTime: "coalesce(parseDateTime64BestEffortOrNull(s.createdDateTime, 7, 'UTC'), parseDateTime64BestEffortOrNull(r.time, 7, 'UTC'))",
	colCategory: "multiIf(r.category != '', lower(r.category), has(s.signInEventTypes, 'managedIdentity'), 'managedidentitysigninlogs', " +
		"has(s.signInEventTypes, 'servicePrincipal'), 'serviceprincipalsigninlogs', has(s.signInEventTypes, 'nonInteractiveUser'), 'noninteractiveusersigninlogs', " +
		"has(s.signInEventTypes, 'interactiveUser'), 'signinlogs', '')",
	colInteractive: "multiIf(s.isInteractive = 'true', 'yes', s.isInteractive = 'false', 'no', LogCategory = 'signinlogs', 'yes', " +
		"LogCategory IN ('', 'adfssigninlogs'), 'unknown', 'no')",
	colMissing: "concat(if(isNull(Code), 'errorCode,', ''), if(isNull(Time), 'createdDateTime,', ''), if(isV1, 'userAgent,authenticationProtocol,methods,', ''))",
	colUserID:  "s.userId", colUPN: "s.userPrincipalName", colSPID: "s.servicePrincipalId", colAppID: "s.appId", colApp: "s.appDisplayName",
	colClientApp: "s.clientAppUsed", colAgent: "s.userAgent", colAuthProtocol: "s.authenticationProtocol", colIncomingToken: "s.incomingTokenType",
	colTransfer: "s.originalTransferMethod",
	colMethods:  "if(empty(s.authenticationDetails), '', concat('\\n', arrayStringConcat(arrayMap(m -> lowerUTF8(m.authenticationMethod), s.authenticationDetails), '\\n'), '\\n'))",
	colAddress:  "if(s.ipAddress != '', s.ipAddress, r.callerIpAddress)", colNetwork: "toInt64(coalesce(toUInt32OrNull(s.autonomousSystemNumber), 0))",
	colCountry:    "if(s.location.countryOrRegion != '', s.location.countryOrRegion, if(startsWith(r.location, '{'), '', r.location))",
	colCode:       "coalesce(toInt32OrNull(s.status.errorCode), toInt32OrNull(r.resultType))",
	colReason:     "if(s.status.failureReason != '', s.status.failureReason, r.resultDescription)",
	colHomeTenant: "s.homeTenantId", colResourceTenant: "s.resourceTenantId",
}

// knownCategories are the logs of sign-ins, in lower case.
var knownCategories = []string{"", "signinlogs", "noninteractiveusersigninlogs", "serviceprincipalsigninlogs", "managedidentitysigninlogs",
	"microsoftserviceprincipalsigninlogs", "adfssigninlogs"}

// A Column is one of a table, and how it comes about.
type Column struct{ Name, Type, Is string }

// Helpers are the columns by which Columns come about: the record taken apart.
func (t Table) Helpers() []Column {
	outer := strings.Join(outerMembers, " String, ") + " String"
	helpers := []Column{
		{"r", "Tuple(" + outer + ")", "CAST((" + strings.Join(outerMembers, ", ") + "), 'Tuple(" + outer + ")')"},
		{"inner", "String", "r.properties"},
	}
	if t.Record != "" {
		helpers[0].Is = "JSONExtract(" + t.Record + ", 'Tuple(" + outer + ")')"
		helpers[1].Is = "if(r.properties = '', " + t.Record + ", r.properties)"
	}
	return append(helpers, Column{"s", signInType, "JSONExtract(inner, '" + signInType + "')"},
		Column{"isV1", "Bool", "r.properties = '' AND NOT arrayExists(m -> JSONHas(inner, m), [" + strings.Trim(sqlList(betaMembers), "()") + "])"})
}

// Columns are those that every question is asked of: the columns of the plan,
// the event's id, and whether a record is of another log or of a sign-in.
func (t Table) Columns() []Column {
	columns := []Column{{colID, "String", "s.id"}, {colCategory, "LowCardinality(String)", sqlColumns[colCategory]},
		{colTime, "Nullable(DateTime64(7, 'UTC'))", sqlColumns[colTime]}, {colCode, "Nullable(Int32)", sqlColumns[colCode]},
		{"isOther", "Bool", "LogCategory NOT IN " + sqlList(knownCategories)},
		{"isSignIn", "Bool", "(s.id != '' OR s.createdDateTime != '' OR r.time != '') AND (s.clientAppUsed != '' OR s.userAgent != '' OR s.ipAddress != '' " +
			"OR r.callerIpAddress != '' OR s.appId != '' OR isNotNull(Code) OR s.isInteractive != '' OR LogCategory != '')"}}
	for _, name := range columnNames {
		switch name {
		case colCategory, colTime, colCode:
		case colNetwork:
			columns = append(columns, Column{name, "Int64", sqlColumns[name]})
		case colInteractive, colMissing, colClientApp, colAuthProtocol, colIncomingToken, colTransfer, colMethods, colCountry, colReason, colApp, colAppID, colHomeTenant, colResourceTenant:
			columns = append(columns, Column{name, "LowCardinality(String)", sqlColumns[name]}) // few values
		default:
			columns = append(columns, Column{name, "String", sqlColumns[name]})
		}
	}
	return columns
}

// parsed is the beginning of a query: the records taken apart into the columns
// that are wanted.
func (t Table) parsed(b *strings.Builder, wanted ...string) {
	b.WriteString("WITH\n    parsed AS (\n        SELECT\n")
	if !t.Prepared {
		for _, c := range t.Helpers() {
			fmt.Fprintf(b, "            %s AS %s,\n", c.Is, c.Name)
		}
	}
	for _, c := range t.Columns() {
		always := c.Name == "isOther" || c.Name == "isSignIn"
		switch {
		case t.Prepared && (always || slices.Contains(wanted, c.Name)):
			fmt.Fprintf(b, "            %s,\n", c.Name)
		case !t.Prepared && (always || c.Name == colTime || c.Name == colCode || c.Name == colCategory || slices.Contains(wanted, c.Name)):
			fmt.Fprintf(b, "            %s AS %s,\n", c.Is, c.Name)
		}
	}
	fmt.Fprintf(b, "            %s AS Delivered\n        FROM %s\n", t.Delivered, t.From)
	if t.Record != "" && !t.Prepared {
		fmt.Fprintf(b, "        WHERE match(%s, '\\\\S')\n", t.Record) // blank lines are no records
	}
	b.WriteString("    )")
}

// SQL returns q as a query of ClickHouse over t, of the events in w.
func (p *Plan) SQL(q *question, t Table, w Window) string {
	worked, source := q.needs(p.steps)
	b := &strings.Builder{}
	fmt.Fprintf(b, "-- %s.\n", q.title)
	t.parsed(b, append(slices.Clone(source), colID)...)
	b.WriteString(",\n    log AS (\n        SELECT\n            Id,\n")
	for _, name := range source {
		fmt.Fprintf(b, "            %s,\n", name)
	}
	b.WriteString("            Delivered\n        FROM parsed\n        WHERE isSignIn AND NOT isOther")
	if c := w.sql(); c != "" {
		b.WriteString(" AND " + c)
	}
	b.WriteString("\n    ),\n")
	t.lastCopies(b, source)
	from := "events"
	all := levels(worked)
	for i, level := range all {
		name := "judged"
		if i < len(all)-1 {
			name = fmt.Sprintf("step%d", i+1)
		}
		fmt.Fprintf(b, "    %s AS (\n        SELECT\n            *", name)
		for _, s := range level {
			b.WriteString(",\n")
			if s.why != "" {
				fmt.Fprintf(b, "            -- %s\n", s.why)
			}
			fmt.Fprintf(b, "            %s AS %s", s.is.sql(), s.name)
		}
		fmt.Fprintf(b, "\n        FROM %s\n    )", from)
		if i < len(all)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
		from = name
	}
	b.WriteString("SELECT\n")
	for _, k := range q.keys {
		if k.is.op == opColumn && k.is.text == k.name {
			fmt.Fprintf(b, "    %s,\n", k.name)
		} else {
			fmt.Fprintf(b, "    %s AS %s,\n", k.is.sql(), k.name)
		}
	}
	b.WriteString("    toInt64(count()) AS Records,\n    toInt64(countIf(Succeeded)) AS Successes,\n    min(judged.Time) AS First,\n    max(judged.Time) AS Last")
	if q.part == signins.PartTotals {
		b.WriteString(",\n    sum(judged.Copies) AS Copies")
	}
	b.WriteString("\nFROM judged\n")
	if q.where.op != opYes {
		fmt.Fprintf(b, "WHERE %s\n", q.where.sql())
	}
	places := make([]string, len(q.keys))
	for i := range q.keys {
		places[i] = fmt.Sprint(i + 1)
	}
	b.WriteString("GROUP BY " + strings.Join(places, ", ") + "\n" + wholeAnswers)
	return b.String()
}

// lastCopies is the part of a query that leaves of copies of an event the last.
func (t Table) lastCopies(b *strings.Builder, source []string) {
	list := strings.Join(source, ", ")
	last := make([]string, len(source))
	for i, name := range source {
		last[i] = fmt.Sprintf("last.%d AS %s", i+1, name)
	}
	grouped := func(where, key string) string {
		return "        SELECT " + strings.Join(last, ", ") + ", Copies\n        FROM (\n            SELECT argMax((" + list + "), Delivered) AS last, toInt64(count()) - 1 AS Copies\n" +
			"            FROM log\n" + where + "            GROUP BY " + key + "\n        )\n    ),\n"
	}
	if !t.Prepared { // records are taken apart once
		b.WriteString("    -- Of copies of an event, the last that arrived.\n    events AS (\n" + grouped("", "if(Id = '', toString(generateUUIDv4()), Id)"))
		return
	}
	// Few events have copies, and grouping all takes five times as long.
	b.WriteString("    copied AS (\n        SELECT sipHash128(Id) FROM log WHERE Id != '' GROUP BY sipHash128(Id) HAVING count() > 1\n    ),\n")
	b.WriteString("    -- Of copies of an event, the last that arrived.\n    events AS (\n        SELECT " + list + ", toInt64(0) AS Copies FROM log WHERE sipHash128(Id) GLOBAL NOT IN copied\n        UNION ALL\n")
	b.WriteString(grouped("            WHERE sipHash128(Id) GLOBAL IN copied\n", "Id"))
}

// wholeAnswers are settings by which a query fails where it would answer a part
// of the question otherwise, and one that evaluates each expression once for all
// rows: they have many in common.
const wholeAnswers = "SETTINGS result_overflow_mode = 'throw', read_overflow_mode = 'throw', timeout_overflow_mode = 'throw', " +
	"group_by_overflow_mode = 'throw', skip_unavailable_shards = 0, enable_positional_arguments = 1, short_circuit_function_evaluation = 'disable'\n"

// skippedSQL counts what is no sign-in.
func (t Table) skippedSQL(w Window) string {
	b := &strings.Builder{}
	b.WriteString("-- How many records are no sign-ins: those of other logs, and those that cannot be read.\n")
	t.parsed(b, colTime)
	b.WriteString("\nSELECT\n    toInt64(countIf(isOther)) AS Other,\n    toInt64(countIf(NOT isOther AND NOT isSignIn)) AS Unreadable\nFROM parsed\n")
	if c := w.sql(); c != "" {
		b.WriteString("WHERE " + c + "\n")
	}
	b.WriteString(wholeAnswers)
	return b.String()
}

// boundsSQL asks for the times of the first and the last event.
func (t Table) boundsSQL() string {
	b := &strings.Builder{}
	b.WriteString("-- When the first and the last sign-in were.\n")
	t.parsed(b, colTime)
	b.WriteString("\nSELECT min(Time) AS First, max(Time) AS Last\nFROM parsed\nWHERE isSignIn AND NOT isOther\n" + wholeAnswers)
	return b.String()
}

func (w Window) sql() string {
	var c []string
	if !w.Since.IsZero() {
		c = append(c, "Time >= "+sqlTime(w.Since))
	}
	if !w.Until.IsZero() {
		c = append(c, "Time < "+sqlTime(w.Until))
	}
	switch {
	case len(c) == 0:
		return ""
	case w.Untimed:
		return "(isNull(Time) OR " + strings.Join(c, " AND ") + ")"
	}
	return strings.Join(c, " AND ")
}

func sqlTime(t time.Time) string {
	return "toDateTime64('" + t.UTC().Format("2006-01-02 15:04:05.0000000") + "', 7, 'UTC')"
}

// sqlText quotes t.
func sqlText(t string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(t) + "'"
}

func sqlList(list []string) string {
	quoted := make([]string, len(list))
	for i, t := range list {
		quoted[i] = sqlText(t)
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

// sql renders e.
func (e expr) sql() string {
	arg := func(i int) string { return e.args[i].sql() }
	switch e.op {
	case opColumn:
		return e.text
	case opText:
		return sqlText(e.text)
	case opYes:
		return "true"
	case opNo:
		return "false"
	case opNoTime:
		return "NULL"
	case opAnd, opOr:
		word := map[op]string{opAnd: " AND ", opOr: " OR "}[e.op]
		parts := make([]string, len(e.args))
		for i := range e.args {
			parts[i] = arg(i)
		}
		return "(" + strings.Join(parts, word) + ")"
	case opNot:
		return "NOT(" + arg(0) + ")"
	case opEqual:
		return "(" + arg(0) + " = " + arg(1) + ")"
	case opIn:
		if len(e.list) == 0 {
			return "false"
		}
		return "(" + arg(0) + " IN " + sqlList(e.list) + ")"
	case opInFold:
		lower := make([]string, len(e.list))
		for i, t := range e.list {
			lower[i] = asciiLower(t)
		}
		if len(lower) == 0 {
			return "false"
		}
		return "(lower(" + arg(0) + ") IN " + sqlList(lower) + ")"
	case opPrefix:
		return "startsWith(" + arg(0) + ", " + sqlText(e.text) + ")"
	case opHas:
		return "(position(" + arg(0) + ", " + sqlText(e.text) + ") > 0)"
	case opMatch:
		return "match(" + arg(0) + ", " + sqlText(e.text) + ")"
	case opFold:
		// The only two letters beyond ASCII whose lower case is ASCII in Unicode's
		// simple mapping: I with a dot, and the sign of Kelvin.
		return "lowerUTF8(replaceAll(replaceAll(" + arg(0) + `, '\xC4\xB0', 'i'), '\xE2\x84\xAA', 'k'))`
	case opTrim:
		return "replaceRegexpAll(" + arg(0) + ", " + sqlText("^["+blanks+"]+|["+blanks+"]+$") + ", '')"
	case opSingle:
		return "trimBoth(replaceRegexpAll(" + arg(0) + ", " + sqlText("["+blanks+"]+") + ", ' '))"
	case opExtract:
		return "extract(" + arg(0) + ", " + sqlText(e.text) + ")"
	case opReplace:
		return "replaceRegexpOne(" + arg(0) + ", " + sqlText(e.text) + ", '')"
	case opCases:
		parts := make([]string, len(e.args))
		for i := range e.args {
			parts[i] = arg(i)
		}
		return "multiIf(" + strings.Join(parts, ", ") + ")"
	case opPick, opPickInt:
		b := &strings.Builder{}
		b.WriteString("multiIf(")
		for _, c := range e.cases {
			keys := sqlList(c.of)
			if e.op == opPickInt {
				keys = "(" + strings.Join(c.of, ", ") + ")"
			}
			fmt.Fprintf(b, "\n                %s IN %s, %s,", arg(0), keys, sqlText(c.value))
		}
		b.WriteString(" " + arg(1) + ")")
		return b.String()
	case opIsNull:
		return "isNull(" + arg(0) + ")"
	case opHour:
		return "toStartOfHour(" + arg(0) + ")"
	case opZero:
		return "(" + arg(0) + " = 0)"
	}
	panic("plan: no such operation")
}

func asciiLower(t string) string {
	b := []byte(t)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
