package signins

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/crossprem/crossprem"
)

const samples = "testdata/samples"

// expected is what testdata/samples/expected.json says about one sample.
type expected struct {
	Files                []string
	Records              int
	RawRecords           int
	Duplicates           int
	Malformed            int
	SkippedOtherCategory int
}

func readExpected(t testing.TB) map[string]expected {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samples, "expected.json"))
	require.NoError(t, err)
	var all struct{ Samples map[string]expected }
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.Samples, 12)
	return all.Samples
}

func TestSamples(t *testing.T) {
	for name, want := range readExpected(t) {
		t.Run(name, func(t *testing.T) {
			got := expected{Files: want.Files}
			ids := make(map[string]bool)
			for _, file := range want.Files {
				f, err := os.Open(filepath.Join(samples, file))
				require.NoError(t, err)
				defer f.Close()
				for s, err := range Read(f) {
					switch {
					case err == nil:
						got.RawRecords++
						ids[s.ID] = true
					case errors.Is(err, ErrOtherCategory):
						got.SkippedOtherCategory++
					default:
						t.Log(err)
						got.Malformed++
					}
				}
			}
			got.Records = len(ids)
			got.Duplicates = got.RawRecords - got.Records
			assert.Equal(t, want, got)
		})
	}
}

// TestSamplesOneAfterTheOther checks that files of all formats may come in one
// stream, with byte-order marks or without, in UTF-16, compressed, and slowly.
func TestSamplesOneAfterTheOther(t *testing.T) {
	read := func(r io.Reader) (signIns []SignIn, failures int) {
		for s, err := range Read(r) {
			if err == nil {
				signIns = append(signIns, s)
			} else {
				failures++
			}
		}
		return signIns, failures
	}
	var names []string
	for _, e := range readExpected(t) {
		names = append(names, e.Files...)
	}
	slices.Sort(names)
	encoder := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()
	var want []SignIn
	wantFailures := 0
	var plain, marked, wide, members bytes.Buffer
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(samples, name))
		require.NoError(t, err)
		signIns, failures := read(bytes.NewReader(text))
		want = append(want, signIns...)
		wantFailures += failures
		text = append(bytes.TrimPrefix(text, []byte(bom)), "\r\n"...) // which ends the torn line
		plain.Write(text)
		marked.WriteString(bom)
		marked.Write(text)
		utf16, err := encoder.Bytes(text)
		require.NoError(t, err)
		wide.Write(utf16)
		members.Write(gzipped(t, text))
	}
	for name, r := range map[string]io.Reader{
		"plain": &plain, "marked": iotest.OneByteReader(&marked), "UTF-16": &wide, "compressed": &members,
	} {
		t.Run(name, func(t *testing.T) {
			got, failures := read(r)
			assert.Equal(t, wantFailures, failures)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i], got[i])
			}
		})
	}
}

// only reads text and returns its only record.
func only(t *testing.T, text string) SignIn {
	t.Helper()
	n := 0
	var only SignIn
	for s, err := range Read(strings.NewReader(text)) {
		require.NoError(t, err)
		only = s
		n++
	}
	require.Equal(t, 1, n)
	return only
}

// failures reads text and returns the errors, and how many sign-ins there are.
func failures(r *Reader, text io.Reader) (list []string, signIns int) {
	for _, err := range r.Read(text) {
		if err != nil {
			list = append(list, err.Error())
		} else {
			signIns++
		}
	}
	return list, signIns
}

// graph returns a record of Graph's with the members given.
func graph(members string) string {
	return `{"id":"1","createdDateTime":"2026-11-18T09:17:00Z","appId":"app",` + members + `}`
}

func TestValues(t *testing.T) {
	check := func(members string, want func(s *SignIn) bool) {
		t.Helper()
		s := only(t, graph(members))
		assert.True(t, want(&s), "%s: %+v", members, s)
	}
	user := func(name string) func(*SignIn) bool {
		return func(s *SignIn) bool { return s.UserPrincipalName == name }
	}
	check(`"userPrincipalName":"a@contoso.com"`, user("a@contoso.com"))
	check(`"userPrincipalName":null`, user(""))
	check(`"userPrincipalName":5e3`, user("5e3"))
	check(`"userPrincipalName":true`, user("true"))
	check(`"userPrincipalName":{"a":["b"]}`, user(""))
	check(`"userPrincipalName":"J\u00fcrgen \u00fc \"\ud83d\ude00\" \/"`, user("J\u00fcrgen \u00fc \"\U0001F600\" /"))
	check(`"userPrincipalName":"\ud800x"`, user("\uFFFDx"))
	check("\"userPrincipalName\":\"\xff\xfe\"", user("\uFFFD\uFFFD"))
	check(`"user\u0050rincipalName":"escaped key"`, user("escaped key"))
	check(`"userPrincipalName":"first","userPrincipalName":"last"`, user("last"))
	check(`"userPrincipalName":"first","userPrincipalName":null`, user("first"))
	check(`"nobody":{"knows":[{"this":["member"]}]},"userPrincipalName":"u"`, user("u"))

	code := func(code int32, result Result) func(*SignIn) bool {
		return func(s *SignIn) bool {
			return s.ErrorCode == code && s.Result == result && s.Knows(FieldErrorCode) == (result != UnknownResult)
		}
	}
	check(`"status":{"errorCode":0}`, code(0, Succeeded))
	check(`"status":{"errorCode":50126}`, code(50126, Failed))
	check(`"status":{"errorCode":"50126"}`, code(50126, Failed))
	check(`"status":"{\"errorCode\":50126}"`, code(50126, Failed))
	check(`"status":{"errorCode":5e4}`, code(0, UnknownResult))
	check(`"status":{"errorCode":99999999999}`, code(0, UnknownResult))
	check(`"status":{"errorCode":"none"}`, code(0, UnknownResult))
	check(`"status":{"errorCode":null}`, code(0, UnknownResult))
	check(`"status":{}`, code(0, UnknownResult))
	check(`"status":null`, code(0, UnknownResult))

	check(`"isInteractive":true`, func(s *SignIn) bool { return s.Interactive == crossprem.Yes && s.Category == InteractiveUser })
	check(`"isInteractive":"False"`, func(s *SignIn) bool { return s.Interactive == crossprem.No && s.Category == NonInteractiveUser })
	check(`"isInteractive":null`, func(s *SignIn) bool { return s.Interactive == crossprem.AnswerUnknown && !s.Knows(FieldCategory) })
	check(`"signInEventTypes":["managedIdentity"]`, func(s *SignIn) bool { return s.Category == ManagedIdentity })
	check(`"signInEventTypes":["unknownFutureValue"]`, func(s *SignIn) bool { return s.Category == UnknownCategory })
	check(`"conditionalAccessStatus":"unknownFutureValue"`, func(s *SignIn) bool { return s.ConditionalAccess == UnknownConditionalAccess })
	check(`"conditionalAccessStatus":"notApplied"`, func(s *SignIn) bool { return s.ConditionalAccess == ConditionalAccessNotApplied })
	check(`"autonomousSystemNumber":4294967295`, func(s *SignIn) bool { return s.AutonomousSystemNumber == 4294967295 })
	check(`"autonomousSystemNumber":4294967296`, func(s *SignIn) bool { return s.AutonomousSystemNumber == 0 })
	check(`"ipAddress":"2001:db8::1"`, func(s *SignIn) bool { return s.IPAddress == "2001:db8::1" })
	check(`"ipAddress":"192.0.2.1:443"`, func(s *SignIn) bool { return s.IPAddress == "192.0.2.1" })
	check(`"ipAddress":"[2001:db8::1]:443"`, func(s *SignIn) bool { return s.IPAddress == "2001:db8::1" })
	check(`"authenticationDetails":[{"authenticationMethod":"X.509 Certificate","authenticationMethodDetail":"d"},{"authenticationMethod":"Password"}]`, func(s *SignIn) bool {
		return s.Methods == MethodCertificate|MethodPassword && s.AuthenticationMethod == "X.509 Certificate" && s.AuthenticationMethodDetail == "d"
	})
}

func TestTimes(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		got, ok := parseTime([]byte(text))
		assert.Equal(t, want != "", ok, text)
		if ok {
			assert.Equal(t, want, got.Format(time.RFC3339Nano), text)
		}
	}
	check("2026-11-18T09:17:00Z", "2026-11-18T09:17:00Z")
	check("2026-11-18T09:00:00.1282999+00:00", "2026-11-18T09:00:00.1282999Z")
	check("2026-11-18T09:00:00.1282999-02:30", "2026-11-18T11:30:00.1282999Z")
	check("2026-11-18T08:00:00", "2026-11-18T08:00:00Z")
	check("2026-11-18 08:00:00Z", "2026-11-18T08:00:00Z")
	check("2/25/2025, 9:19:25.391 AM", "2025-02-25T09:19:25.391Z")
	check("11/18/2026 8:00:00 PM", "2026-11-18T20:00:00Z")
	check("2/25/2025, 9:19:25.391\u202fAM", "2025-02-25T09:19:25.391Z")
	check("11/18/2026 8:00 PM", "2026-11-18T20:00:00Z")
	check("03.02.2025 08:00:00", "2025-02-03T08:00:00Z")
	check("3.2.2025, 08:00", "2025-02-03T08:00:00Z")
	check("2025-02-03 08:00", "2025-02-03T08:00:00Z")
	check("2025/02/03 08:00:00", "2025-02-03T08:00:00Z")
	check("2/3/2025, 9:19:25 AM", "2025-02-03T09:19:25Z")
	check("18/11/2026 8:00:00 AM", "2026-11-18T08:00:00Z")
	check("18/11/2026 20:00", "2026-11-18T20:00:00Z")
	check("12/12/2026 20:00", "2026-12-12T20:00:00Z")
	check("02/03/2025 08:00:00", "") // February or March
	check("2/3/2025 9:19:25 AM", "") // March in Australia
	check("2/3/2025, 09:19:25", "")  // and in Britain
	check("11/18/2026 25:00", "")
	check("31.11.2026 08:00", "")
	check("02/03/2025", "")
	check("45699.33", "")
	check("2026-02-29T08:00:00Z", "")
	check("2026-11-18T24:00:00Z", "")
	check("", "")
}

func TestWhatAFormatCanKnow(t *testing.T) {
	check := func(text string, format Format, known, unknown Fields) {
		t.Helper()
		s := only(t, text)
		assert.Equal(t, format, s.Format, text)
		assert.Equal(t, known, s.Known&known, text)
		assert.Zero(t, s.Known&unknown, text)
	}
	page := func(version, members string) string {
		return `{"@odata.context":"https://graph.microsoft.com/` + version + `/$metadata#auditLogs/signIns","value":[` + graph(members) + `]}`
	}
	check(page("v1.0", `"isInteractive":true`), GraphV1, FieldClientAppUsed|FieldInteractive, FieldUserAgent|FieldAuthenticationProtocol|FieldMethods)
	check(page("beta", `"isInteractive":true`), GraphBeta, FieldClientAppUsed|FieldUserAgent|FieldMethods, FieldRequestType)
	check(strings.Replace(page("beta", `"userAgent":""`), "signIns", "signIns(id,userAgent)", 1), GraphBeta, FieldUserAgent, FieldClientAppUsed|FieldMethods)
	check("["+graph(`"clientAppUsed":""`)+"]", GraphV1, FieldClientAppUsed, FieldUserAgent)
	check("["+graph(`"userAgent":""`)+"]", PortalJSON, FieldUserAgent|FieldMethods, FieldRequestType)
	check(`{"category":"SignInLogs","properties":{"id":"1"}}`, AzureMonitor, FieldUserAgent|FieldClientAppUsed, FieldTime|FieldErrorCode|FieldResult)
	check(`{"records":[{"category":"SignInLogs","properties":{"id":"1"}}]}`, EventHub, FieldUserAgent, FieldTime)
	check(`{"tables":[{"name":"PrimaryResult","columns":[{"name":"Id","type":"string"},{"name":"ResultType","type":"string"}],"rows":[["1","0"]]}]}`,
		LogAnalytics, FieldID|FieldErrorCode, FieldUserAgent|FieldClientAppUsed)
	check(`[{"Id":"1","TimeGenerated":"2026-11-18T09:17:00Z","ClientAppUsed":"","Status":{"errorCode":0}}]`, LogAnalytics, FieldTime|FieldClientAppUsed|FieldErrorCode, FieldUserAgent)
	check(`{"results":[{"Timestamp":"2026-11-18T09:17:00Z","ErrorCode":0,"UserAgent":""}]}`, Defender, FieldTime|FieldUserAgent|FieldErrorCode, FieldClientAppUsed|FieldMethods)
	check(`{"CreationTime":"2026-11-18T08:29:00","Operation":"UserLoggedIn","RecordType":15}`, UnifiedAudit, FieldUserAgent|FieldRequestType|FieldTime, FieldClientAppUsed|FieldErrorCode)
	check("Date (UTC),Request ID,Status,Client app\n2026-11-18T09:17:00Z,1,Success,\n", PortalCSV, FieldClientAppUsed|FieldResult, FieldUserAgent|FieldErrorCode)
}

func TestCategories(t *testing.T) {
	for name, want := range map[string]Category{
		"SignInLogs": InteractiveUser, "NonInteractiveUserSignInLogs": NonInteractiveUser, "ServicePrincipalSignInLogs": ServicePrincipal,
		"ManagedIdentitySignInLogs": ManagedIdentity, "MicrosoftServicePrincipalSignInLogs": MicrosoftServicePrincipal, "ADFSSignInLogs": ADFS,
	} {
		assert.Equal(t, want, only(t, `{"category":"`+name+`","properties":{"id":"1"}}`).Category)
	}
	s := only(t, `{"properties":{"id":"1","isInteractive":false}}`)
	assert.Equal(t, NonInteractiveUser, s.Category, "an envelope without category")
	for s, err := range Read(strings.NewReader(`{"category":"AuditLogs","properties":{"id":"1"}}`)) {
		assert.ErrorIs(t, err, ErrOtherCategory)
		assert.Zero(t, s)
	}
}

func TestBadRecords(t *testing.T) {
	good := graph(`"userAgent":"x"`) + "\n"
	check := func(text string, signIns int, want ...string) {
		t.Helper()
		got, n := failures(&Reader{MaxErrors: 5}, strings.NewReader(text))
		assert.Equal(t, want, got)
		assert.Equal(t, signIns, n)
	}
	check(good+`{"id":"torn`, 1, "signins: input: record 2 at byte 82: unexpected end of the record")
	check(good+`{"id":"torn`+"\n"+good, 2, "signins: input: record 2 at byte 82: unexpected end of the record")
	check(good+`{"other":[{"torn":"`+"\n"+good, 2, "signins: input: record 2 at byte 82: unexpected end of the record")
	check(good+`{"id":"a`+"\x01"+`"}`+"\n"+good, 2, `signins: input: record 2 at byte 82: unexpected '\x01' in a string, 8 bytes into the record`)
	check(good+`{"id":"\q"}`+"\n"+good, 2, "signins: input: record 2 at byte 82: invalid escape in a string, 7 bytes into the record")
	check(good+`{"id":01}`+"\n"+good, 2, `signins: input: record 2 at byte 82: invalid value of "id", 6 bytes into the record`)
	check(good+"[]\n"+good, 2)
	monitor := `{"time":"2026-11-18T09:00:00Z","category":"SignInLogs","properties":{"id":"a","createdDateTime":"2026-11-18T09:00:00Z"}}` + "\r\n"
	check(monitor+monitor[:40]+monitor, 2, fmt.Sprintf(`signins: input: record 2 at byte %d: unexpected 't' after a key, 42 bytes into the record`, len(monitor)))
	check(good+"nonsense\n"+good, 2, `signins: input: record 2 at byte 82: unexpected 'n' instead of a record`)
	check(good+"{\"id\":1}\n"+good, 2, "signins: input: record 2 at byte 82: not a sign-in record")
	check(`{"value":[`+strings.TrimSpace(good)+`,{"id":1,},5,`+strings.TrimSpace(good)+`]}`, 2,
		`signins: input: record 2 at byte 92: unexpected '}' in an object or array, 8 bytes into the record`,
		`signins: input: record 3 at byte 102: unexpected '5' instead of '{'`)
	check(`{"value":[`+strings.TrimSpace(good)+`,{"id":`, 1, "signins: input: record 2 at byte 92: unexpected end of the record")
	check(`{"value":[`+strings.TrimSpace(good), 1, "signins: input: record 2 at byte 91: unexpected end of the record")
	check("", 0)
	check(" \r\n\t", 0)
	check(strings.Repeat("{}\n", 1000), 0,
		"signins: input: record 1 at byte 0: not a sign-in record",
		"signins: input: record 2 at byte 3: not a sign-in record",
		"signins: input: record 3 at byte 6: not a sign-in record",
		"signins: input: record 4 at byte 9: not a sign-in record",
		"signins: input: record 5 at byte 12: not a sign-in record",
		"signins: input: record 5 at byte 12: not a sign-in log: 5 records in a row cannot be read")
}

func TestNesting(t *testing.T) {
	deep := func(n int) string {
		return graph(`"deep":` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n))
	}
	only(t, deep(9000))
	got, _ := failures(&Reader{}, strings.NewReader(deep(11000)))
	require.Len(t, got, 1)
	assert.Contains(t, got[0], "record 1 at byte 0: nested too deeply")
}

// endless yields n bytes of filler.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.n)
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.n -= n
	return n, nil
}

func TestRecordsOfAnySize(t *testing.T) {
	const size = 100 << 20
	line := func(filler io.Reader) io.Reader {
		return io.MultiReader(strings.NewReader(graph(`"n":1`)+"\n"+`{"id":"`), filler, strings.NewReader("\"}\n"+graph(`"n":2`)))
	}
	got, n := failures(&Reader{MaxRecord: 1 << 20}, line(&endless{size}))
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{"signins: input: record 2 at byte 72: record is too large"}, got)

	// In an array on one line the next line cannot help; brackets do.
	page := io.MultiReader(strings.NewReader(`{"value":[`+graph(`"n":1`)+`,{"id":"`), &endless{size}, strings.NewReader(`"},`+graph(`"n":2`)+`]}`))
	got, n = failures(&Reader{MaxRecord: 1 << 20}, page)
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{"signins: input: record 2 at byte 82: record is too large"}, got)

	_, n = failures(&Reader{}, line(&endless{3 << 20}))
	assert.Equal(t, 2, n, "a record of 3 MiB has no place, but is no error: it is no sign-in")

	cells := io.MultiReader(strings.NewReader("Date (UTC),Request ID,Status,Client app\n2026-11-18T09:17:00Z,\""), &endless{size}, strings.NewReader("\",,\n2026-11-18T09:17:00Z,2,Success,\n"))
	got, n = failures(&Reader{MaxRecord: 1 << 20}, cells)
	assert.Equal(t, 1, n)
	assert.Equal(t, []string{"signins: input: record 1 at byte 40: record is too large"}, got)
}

func TestLayouts(t *testing.T) {
	one := graph(`"userAgent":"x"`)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, []byte("["+one+","+one+"]"), "", "  "))
	for text, want := range map[string]int{
		one + one + "\r\n\r\n" + one:                             3,
		"\xef\xbb\xbf" + one:                                     1,
		indented.String() + "\n" + indented.String():             4,
		"[" + one + ",\n" + one + "\n]\n" + one:                  3,
		`{"value":[],"x":{"y":[1]}}{"value":[` + one + `]}`:      1,
		"{\r\n  \"value\": [\r\n    " + one + "\r\n  ]\r\n}\r\n": 1,
		"{\"id\":\"1\",\n \"createdDateTime\":\"\",\"appId\":1}": 1,
		`{"records":[` + one + `]}` + "\n" + one:                 2,
		bom + bom + one + bom + one:                              2,
		"\t\n\n\t" + one:                                         1,
	} {
		got, n := failures(&Reader{}, strings.NewReader(text))
		assert.Empty(t, got, text)
		assert.Equal(t, want, n, text)
	}
}

// TestUTF16 checks that what Windows PowerShell wrote can be read.
func TestUTF16(t *testing.T) {
	text := graph(`"userPrincipalName":"jürgen@contoso.com"`) + "\r\n"
	for _, order := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
		encoded, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(strings.Repeat(text, 5000))
		require.NoError(t, err)
		n := 0
		for s, err := range Read(strings.NewReader(encoded)) {
			require.NoError(t, err)
			require.Equal(t, "jürgen@contoso.com", s.UserPrincipalName)
			n++
		}
		assert.Equal(t, 5000, n)
	}
}

func TestCSVColumns(t *testing.T) {
	check := func(text string, want func(s *SignIn) bool) {
		t.Helper()
		s := only(t, text)
		assert.True(t, want(&s), "%s: %+v", text, s)
	}
	head := "Date (UTC),Request ID,Status,Sign-in error code"
	check("\xef\xbb\xbf\"Application ID \",Request ID,\"Autonomous system  number\",Status\r\napp,1,64500,Interrupted\r\n", func(s *SignIn) bool {
		return s.AppID == "app" && s.AutonomousSystemNumber == 64500 && s.Result == Interrupted && s.Knows(FieldAppID) && !s.Knows(FieldErrorCode)
	})
	check(head+",Incoming token type,Unheard of,Incoming token type\nx,1,Failure,50126,first,,second\n", func(s *SignIn) bool {
		return s.IncomingTokenType == "first" && s.ErrorCode == 50126 && s.Result == Failed
	})
	check(head+"\n2026-11-18T09:17:00Z,1,Success,", func(s *SignIn) bool {
		return s.ErrorCode == 0 && s.Knows(FieldErrorCode) && s.Result == Succeeded && s.Time.Hour() == 9
	})
	check(head+",Location\nx,1,Success,,\"Washington, DC, Columbia, US\"", func(s *SignIn) bool {
		return s.City == "Washington, DC" && s.State == "Columbia" && s.CountryOrRegion == "US"
	})
	check(strings.ReplaceAll(head, ",", ";")+"\n\"2026-11-18T09:17:00Z\";1;\"Success\";0\n", func(s *SignIn) bool { return s.Result == Succeeded })
	check("Date (UTC),Request ID,Service principal ID,Status\nx,1,sp,Success\n", func(s *SignIn) bool { return s.Category == ServicePrincipal })

	many, _ := failures(&Reader{}, strings.NewReader(head+strings.Repeat(",", 2000)+"\n"))
	assert.Equal(t, []string{"signins: input: record 1 at byte 0: not a sign-in log: too many columns"}, many)

	// What spreadsheets and PowerShell make of it.
	check("sep=;\r\n"+strings.ReplaceAll(head, ",", ";")+";Federated Token Id\r\nx;1;Success;0\r\n;;;;\r\n", func(s *SignIn) bool { return s.ID == "1" })
	check("#TYPE Selected.System.Object\r\n\""+strings.ReplaceAll(head, ",", `","`)+"\"\r\n\"x\",\"1\",\"Success\",\"0\",\"\"\r\n", func(s *SignIn) bool { return s.ID == "1" })
	check("Client app\tRequest ID\tStatus\tUsername\n\t1\tSuccess\tann\n", func(s *SignIn) bool { return s.ID == "1" && s.ClientAppUsed == "" })
	check("\tDate (UTC)\tRequest ID\tStatus\tUsername\n0\tx\t1\tSuccess\tann\n", func(s *SignIn) bool { return s.ID == "1" && s.UserPrincipalName == "ann" })
	check("\n"+head+"\n"+head+"\nRequest ID,Date (UTC),Status,Username,Client app\n1,x,Success,ann,IMAP4\n", func(s *SignIn) bool {
		return s.ID == "1" && s.ClientAppUsed == "IMAP4" && s.UserPrincipalName == "ann" && !s.Knows(FieldErrorCode)
	})

	got, n := failures(&Reader{}, strings.NewReader(head+"\nx,1,Success,0\nx,1,Success\nx,1,\"Suc\"cess,0\nx,2,Success,0\nx,3,\"torn"))
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{
		"signins: input: record 2 at byte 62: 3 cells instead of 4",
		"signins: input: record 3 at byte 74: unexpected 'c' after a cell, 9 bytes into the record",
		"signins: input: record 5 at byte 104: unexpected end of the record",
	}, got)
	got, n = failures(&Reader{}, strings.NewReader(head+",Latency\nx,1,Success,0,5,6\nx,2,Success,0\nx,3,Success,0"))
	assert.Equal(t, 1, n, "what nobody wants is missing")
	assert.Equal(t, []string{"signins: input: record 1 at byte 56: 6 cells instead of 5", "signins: input: record 3 at byte 88: 4 cells instead of 5"}, got)
	got, _ = failures(&Reader{}, strings.NewReader(head+",User\rx,1,Success,0,ann\r"))
	assert.Equal(t, []string{"signins: input: record 1 at byte 0: not a sign-in log: lines end with a carriage return alone"}, got)
}

func TestReadEndsWithTheErrorOfItsSource(t *testing.T) {
	bad := errors.New("bad sector")
	text := graph(`"n":1`) + "\n" + `{"id":"to`
	var last error
	n := 0
	for _, err := range Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(bad))) {
		last = err
		n++
	}
	assert.Equal(t, 2, n)
	assert.ErrorIs(t, last, bad)
	assert.NotErrorAs(t, last, new(*RecordError))
}

// TestRecordsOutliveTheirStep checks that a record is not changed by what is
// read after it.
func TestRecordsOutliveTheirStep(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samples, "graph-beta/page-1.json"))
	require.NoError(t, err)
	var kept, cloned []SignIn
	for s, err := range Read(bytes.NewReader(bytes.Repeat(text, 20))) {
		require.NoError(t, err)
		kept = append(kept, s)
		cloned = append(cloned, s.Clone())
	}
	assert.Equal(t, cloned, kept)
}

func TestDedupe(t *testing.T) {
	copies := func(yield func(SignIn, error) bool) {
		for _, id := range []string{"a", "b", "", "a", "c", "d", "e", "a", "b", ""} {
			if !yield(SignIn{ID: id, UserID: id}, nil) {
				return
			}
		}
		yield(SignIn{}, io.ErrUnexpectedEOF)
	}
	number := int32(0)
	numbered := func(yield func(SignIn, error) bool) {
		for s, err := range copies {
			number++
			s.ErrorCode = number
			if !yield(s, err) {
				return
			}
		}
	}
	var got []string
	for s, err := range Dedupe(numbered, 3) {
		if err != nil {
			got = append(got, err.Error())
		} else {
			got = append(got, s.ID+string(rune('0'+s.ErrorCode)))
		}
	}
	assert.Equal(t, []string{"3", "signins: input: another copy of the same event: a",
		"a4", "b2", // held back until d and e came
		"signins: input: another copy of the same event: a", "signins: input: another copy of the same event: b",
		":", "unexpected EOF", "c5", "d6", "e7"}, got)
}

// What strangers make long takes no memory for long: not in what Dedupe holds
// back, and not in the summary.
func TestLongTextsAreNotHeld(t *testing.T) {
	const n, long = 400, 256 << 10 // 100 MiB each of agents and ids
	i := 0
	log := func(yield func(SignIn, error) bool) {
		for ; i < n; i++ {
			agent := strings.Repeat("a", long) + strconv.Itoa(i)
			s := SignIn{ID: strconv.Itoa(i), ClientAppUsed: "IMAP4", UserAgent: agent, UserID: agent[1:], UserPrincipalName: strconv.Itoa(i) + "@contoso.com"}
			for range 2 {
				if !yield(s, nil) {
					return
				}
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		assert.Less(t, m.HeapAlloc, uint64(50<<20))
	}
	s, err := Summarize(Dedupe(log, 0))
	require.NoError(t, err)
	assert.Equal(t, int64(n), s.Records)
	assert.Equal(t, int64(n), s.Duplicates)
	assert.Equal(t, n, s.Users.Len())
}

// A folder may hold the same events as several exports: the one that knows
// more is kept, and of one format the last.
func TestDedupeKeepsTheCopyThatKnowsMore(t *testing.T) {
	rich := SignIn{ID: "a", Format: AzureMonitor, Known: FieldUserAgent | FieldClientAppUsed, UserAgent: "first"}
	late := rich
	late.UserAgent = "late"
	poor := SignIn{ID: "a", Format: UnifiedAudit, Known: FieldUserAgent}
	for _, copies := range [][]SignIn{{rich, poor, late}, {poor, rich, late}, {rich, late, poor}, {late, poor}} {
		var kept []SignIn
		for s, err := range Dedupe(func(yield func(SignIn, error) bool) {
			for _, s := range copies {
				if !yield(s, nil) {
					return
				}
			}
		}, 0) {
			if err == nil {
				kept = append(kept, s)
			}
		}
		assert.Equal(t, []SignIn{late}, kept)
	}
}

// However deep a stranger nests what holds records, the stack stays small: to
// outgrow it would end the program, and not the reading.
func TestDeepContainersTakeNoStack(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(8 << 20))
	for _, open := range []string{`{"tables":[`, `{"value":[`, `{"records":[`, `[`, `{"a":`, `{"properties":`, `{"properties":[`, `{"tables":[{"rows":[`} {
		failed := 0
		for _, err := range Read(strings.NewReader(strings.Repeat(open, 200_000))) {
			assert.Error(t, err, open)
			failed++
		}
		assert.Positive(t, failed, open)
	}
}
