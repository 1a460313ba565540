package signins

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// text returns v as the text of a JSON string.
func text(v string) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// wrappings are ways in which collectors, search engines, queues and batches
// hand on a record. Each is what it is by its structure alone.
var wrappings = map[string]func(record string) string{
	"as it is":         func(r string) string { return r },
	"text in a member": func(r string) string { return `{"@timestamp":"2026-11-18T00:02:00Z","message":` + text(r) + `}` },
	"text two objects deep": func(r string) string {
		return `{"event":{"kind":"event","original":` + text(r) + `},"tags":["a",{"b":1}]}`
	},
	"result of a search": func(r string) string {
		return `{"preview":false,"offset":0,"result":{"_raw":` + text(r) + `,"host":"a"}}`
	},
	"list of results": func(r string) string { return `{"results":[{"_raw":` + text(r) + `}]}` },
	"hits of hits": func(r string) string {
		return `{"took":3,"hits":{"total":{"value":1},"hits":[{"_index":"a","_id":"b","_source":` + r + `}]}}`
	},
	"source with text":    func(r string) string { return `{"_index":"a","_source":{"message":` + text(r) + `}}` },
	"the same text twice": func(r string) string { return `{"message":` + text(r) + `,"event":{"original":` + text(r) + `}}` },
	"text and object": func(r string) string {
		return `{"full_log":` + text(r) + `,"rule":{"id":"1","level":3},"data":` + r + `}`
	},
	"named object": func(r string) string {
		return `{"eventHubsAzureRecord":` + r + `,"id":"17","timestamp":"2026-11-18T00:00:00Z"}`
	},
	"body": func(r string) string { return `{"status":200,"headers":{"a":"b"},"body":` + r + `}` },
	"body with a page": func(r string) string {
		return `{"body":{"@odata.context":"https://graph.microsoft.com/beta/$metadata#auditLogs/signIns","value":[` + r + `]}}`
	},
	"batch of responses": func(r string) string {
		return `{"responses":[{"id":"1","status":200,"headers":{},"body":{"value":[` + r + `]}},{"id":"2","status":200,"body":{"value":[]}}]}`
	},
	"list of pages":          func(r string) string { return `[{"value":[]},{"value":[` + r + `]}]` },
	"list of lists":          func(r string) string { return `[[` + r + `],[]]` },
	"list with a text":       func(r string) string { return `[{"date":1731888000.0,"log":` + text(r) + `}]` },
	"text of a batch":        func(r string) string { return `{"body":` + text(`{"records":[`+r+`]}`) + `}` },
	"text of a list":         func(r string) string { return `{"SystemProperties":{"a":1},"Body":` + text(`[`+r+`]`) + `}` },
	"text in text":           func(r string) string { return `{"message":` + text(`{"log":`+text(r)+`}`) + `}` },
	"text behind a prefix":   func(r string) string { return `{"message":` + text("<134>Nov 18 00:02:00 host azure: "+r) + `}` },
	"a line behind a prefix": func(r string) string { return "2026-11-18T00:00:00+00:00\tazure.signin\t" + r },
	"base64": func(r string) string {
		return `{"records":[{"recordId":"1","data":"` + base64.StdEncoding.EncodeToString([]byte(r)) + `"}]}`
	},
	"quotes as code points": func(r string) string {
		return `{"payload":"` + strings.ReplaceAll(strings.Trim(text(r), `"`), `\"`, `\u0022`) + `"}`
	},
	"a category of its own": func(r string) string {
		return `{"category":"azure","time":"2026-11-18T00:00:00Z","message":` + text(r) + `}`
	},
	"records that have one as text": func(r string) string { return `{"records":[{"_time":1,"_raw":` + text(r) + `}]}` },
	"nine objects":                  func(r string) string { return strings.Repeat(`{"a":`, 9) + r + strings.Repeat(`}`, 9) },
	"indented": func(r string) string {
		var b bytes.Buffer
		_ = json.Indent(&b, []byte(`{"event":{"original":`+text(r)+`}}`), "", "  ")
		return b.String()
	},
	"cells": func(r string) string {
		var b strings.Builder
		w := csv.NewWriter(&b)
		_ = w.WriteAll([][]string{{"_raw", "_time", "host"}, {r, "2026-11-18", "a"}})
		return b.String()
	},
}

// TestAnyWrapping checks that whatever a record lies in, it is read as if it
// lay there alone, once, and that nothing else is.
func TestAnyWrapping(t *testing.T) {
	for i, record := range sampleRecords(t) {
		if i%5 != 0 {
			continue
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, record))
		want := only(t, compact.String())
		want.Format, want.Known = 0, 0 // a page says what it is
		for name, wrap := range wrappings {
			var got []SignIn
			for s, err := range Read(strings.NewReader(wrap(compact.String()))) {
				require.NoError(t, err, "%s: %s", name, wrap(compact.String()))
				s.Format, s.Known = 0, 0
				got = append(got, s)
			}
			require.Equal(t, []SignIn{want}, got, name)
		}
	}
}

// TestAnyWrappingOfMany checks that as many are found as lie there.
func TestAnyWrappingOfMany(t *testing.T) {
	records := sampleRecords(t)
	for name, wrap := range wrappings {
		if name == "cells" {
			continue
		}
		var b strings.Builder
		whole := 0
		for _, r := range records {
			var compact bytes.Buffer
			if json.Compact(&compact, r) != nil {
				continue // a torn line
			}
			whole++
			b.WriteString(wrap(compact.String()) + "\n")
		}
		failed, n := failures(&Reader{}, strings.NewReader(b.String()))
		assert.Empty(t, failed, name)
		assert.Equal(t, whole, n, name)
	}
}

func TestWhatIsWrappedAndFails(t *testing.T) {
	check := func(in string, signIns int, want ...string) {
		t.Helper()
		got, n := failures(&Reader{}, strings.NewReader(in))
		assert.Equal(t, want, got)
		assert.Equal(t, signIns, n)
	}
	good := graph(`"userAgent":"x"`)
	check(`{"responses":[{"id":"2","status":429,"body":{"error":{"code":"x"}}},{"id":"1","status":200,"body":{"value":[`+good+`,{"id":1}]}}]}`, 1,
		"signins: input: record 1 at byte 14: not a sign-in record",
		fmt.Sprintf("signins: input: record 3 at byte %d: not a sign-in record", 109+len(good)))
	check(`{"message":"{\"id\":","tags":[{"a":1}]}`, 0,
		`signins: input: record 1 at byte 0: not a sign-in record: an object with the members "message", "tags", whose JSON text ends too early: unwrap the sign-ins from an export that does not cut them`)
	check(`{"host":"a","message":"CEF:0|Microsoft|Entra|1.0|1|Sign-in|3|suser=a@contoso.test src=192.0.2.1 outcome=success"}`, 0,
		`signins: input: record 1 at byte 0: not a sign-in record: an object with the members "host", "message"; if the text of "message" is a record, unwrap it into a file of its own, as JSON`)
	check(`{"azure":{"signinlogs":{"properties":{"app_id":"a"}}},"event":{"kind":"event"}}`, 0,
		`signins: input: record 1 at byte 0: not a sign-in record: an object with the members "azure", "event"; neither it nor "event" is a sign-in's record: unwrap the records, one a line, with the member names of Microsoft Graph or Azure Monitor`)
	check(`{"message":`+text(`{"category":"AuditLogs","properties":{"id":"1"}}`)+`}`, 0,
		"signins: input: record 1 at byte 11: not a sign-in log's record")
	check(`{"RecordType":"AzureActiveDirectory","Operations":"Add user.","AuditData":`+text(`{"RecordType":8,"Operation":"Add user.","Id":"1"}`)+`}`, 0,
		"signins: input: record 1 at byte 74: not a sign-in log's record")
	check(strings.Repeat(`{"a":`, 40)+good+strings.Repeat(`}`, 40), 0,
		`signins: input: record 1 at byte 0: not a sign-in record: an object with the members "a"; neither it nor "a" is a sign-in's record: unwrap the records, one a line, with the member names of Microsoft Graph or Azure Monitor`)
	check("<Objs Version=\"1.1.0.1\">\n  <Obj RefId=\"0\">", 0,
		"signins: input: record 1 at byte 0: not a sign-in log: this is CLIXML, as PowerShell's Export-Clixml writes it: export the sign-ins again, with ConvertTo-Json -Depth 10")
	check("\nId                  : 1\nCreatedDateTime     : 11/18/2026 09:35:00\n", 0,
		"signins: input: record 1 at byte 1: not a sign-in log: this is a list, as PowerShell's Format-List writes it: export the sign-ins again, with ConvertTo-Json -Depth 10")
	check("\nId  CreatedDateTime\n--  ---------------\n1   11/18/2026\n", 0,
		"signins: input: record 1 at byte 1: not a sign-in log: this is a table, as PowerShell's Format-Table writes it: export the sign-ins again, with ConvertTo-Json -Depth 10")
	check("_raw,host\n\"{\"\"id\"\":1}\",a\n", 0,
		"signins: input: record 1 at byte 10: not a sign-in record: a row of cells, none of which holds one as JSON")
}

// A batch of requests may be larger than any record.
func TestLargeWrappings(t *testing.T) {
	good := graph(`"userAgent":"x"`)
	many := strings.TrimSuffix(strings.Repeat(good+",", 2000), ",")
	for _, in := range []string{
		`{"responses":[{"id":"1","status":200,"body":{"value":[` + many + `]}}]}` + "\n" + good,
		`{"hits":{"hits":[` + strings.TrimSuffix(strings.Repeat(`{"_source":`+good+`},`, 2000), ",") + `]}}` + "\n" + good,
	} {
		failed, n := failures(&Reader{MaxRecord: 4096}, strings.NewReader(in))
		assert.Empty(t, failed)
		assert.Equal(t, 2001, n)
	}
}

// The recordings are the same twenty sign-ins, as PowerShell hands them on.
func TestPowerShell(t *testing.T) {
	folder := "testdata/powershell"
	read := func(file string) (list []SignIn) {
		f, err := os.Open(filepath.Join(folder, file))
		require.NoError(t, err)
		defer f.Close()
		for s, err := range Read(f) {
			require.NoError(t, err, file)
			list = append(list, s)
		}
		return list
	}
	want := read("original.json")
	require.Len(t, want, 20)
	for _, file := range []string{"default.json", "lines.ndjson", "invoke.json", "utf16.json"} {
		got := read(file)
		require.Len(t, got, 20, file)
		for i := range got {
			w, v := Classify(&want[i]), Classify(&got[i])
			assert.Equal(t, want[i].ID, got[i].ID, file)
			assert.True(t, want[i].Time.Equal(got[i].Time), file)
			assert.Equal(t, w.Class, v.Class, file)
			assert.Equal(t, w.Protocol, v.Protocol, file)
			assert.Equal(t, w.Outcome, v.Outcome, file)
			if got[i].Format == PowerShell && file != "lines.ndjson" {
				assert.Equal(t, got[i].Methods != 0 || want[i].Methods == 0 && want[i].Knows(FieldMethods), got[i].Knows(FieldMethods), "%s: what is cut off is not empty", file)
			}
		}
	}
	for _, s := range read("all.csv") {
		assert.Equal(t, UnknownOutcome, Classify(&s).Outcome, "the code is lost")
		assert.False(t, s.Knows(FieldLocation) || s.Knows(FieldMethods) || s.Knows(FieldErrorCode))
	}
	assert.Len(t, read("select.csv"), 20)
}

// Windows PowerShell 5.1 has forms of its own.
func TestWindowsPowerShell(t *testing.T) {
	s := only(t, `{"Id":"1","CreatedDateTime":"\/Date(1763458500000)\/","IpAddress":"192.0.2.1","UserAgent":{"value":"x","PSPath":"y"},"ClientAppUsed":null,`+
		`"Status":"@{ErrorCode=0; FailureReason=}","Location":"Microsoft.Open.MSGraph.Model.AuditLogSignInLocation","DeviceDetail":{"OperatingSystem":"iOS"},"AuthenticationDetails":"System.Object[]"}`)
	assert.Equal(t, PowerShell, s.Format)
	assert.Equal(t, "2025-11-18T09:35:00Z", s.Time.Format("2006-01-02T15:04:05Z07:00"))
	assert.Equal(t, "192.0.2.1", s.IPAddress)
	assert.Equal(t, "x", s.UserAgent)
	assert.Equal(t, "iOS", s.OperatingSystem)
	assert.Empty(t, s.CountryOrRegion)
	for _, f := range []Fields{FieldErrorCode, FieldResult, FieldLocation, FieldMethods, FieldClientAppUsed} {
		assert.False(t, s.Knows(f), f)
	}
	assert.True(t, s.Knows(FieldIPAddress|FieldUserAgent|FieldDevice|FieldTime))
	s = only(t, `{"value":[{"Id":"1","CreatedDateTime":"2026-11-18T09:35:00Z","Status":{"ErrorCode":50126},"AdditionalProperties":{"authenticationProtocol":"ropc"},"SignInEventTypes":"nonInteractiveUser"}],"Count":1}`)
	assert.Equal(t, int32(50126), s.ErrorCode)
	assert.Equal(t, "ropc", s.AuthenticationProtocol)
	assert.Equal(t, NonInteractiveUser, s.Category)
}

// FuzzUnwrap checks that a wrapped record is found whatever lies beside it.
func FuzzUnwrap(f *testing.F) {
	f.Add("message", `{"a":[1,{"b":"{\"id\":1}"}]}`, true)
	f.Add("a", `[[{"value":[1]}]]`, false)
	f.Fuzz(func(t *testing.T, name, beside string, asText bool) {
		tree, ok := treeOf([]byte(beside))
		if !ok || tree == nil || len(name) > 1000 || strings.ContainsAny(beside, "\r\n") {
			t.Skip()
		}
		for _, member := range []string{name, "x"} {
			if _, known := recordMembers.find(member); known {
				t.Skip()
			}
		}
		if strings.Contains(beside, `"`) && len(readAll(strings.NewReader(beside))) > 0 && readAll(strings.NewReader(beside))[0].Err == "" {
			t.Skip() // is one itself
		}
		record := graph(`"id":"the one","userAgent":"x"`)
		if asText {
			record = text(record)
		}
		for _, in := range []string{
			`{"x":` + beside + `,` + text(name) + `:` + record + `}`,
			`{` + text(name) + `:` + record + `,"x":` + beside + `}`,
		} {
			found := 0
			for s, err := range Read(strings.NewReader(in)) {
				if err == nil && s.ID == "the one" {
					found++
				}
			}
			require.Equal(t, 1, found, in)
		}
	})
}
