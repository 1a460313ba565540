package signins

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"
)

func TestReadUsageReport(t *testing.T) {
	const app = "00000002-0000-0ff1-ce00-000000000000"
	day := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)
	calls := []EWSCalls{{app, "GetItem", 1234, day}, {app, "FindFolder, and \"more\"", 7, time.Time{}}}
	for _, text := range []string{
		"AppId,SOAP Action,Call Volume,Last Activity date (UTC)\n" + app + ",GetItem,1234,2026-10-25\n" + app + ",\"FindFolder, and \"\"more\"\"\",7,\n",
		"\ufeffReport Refresh Date,Last Activity Date,Application ID,SOAPAction,CallVolume,More\r\nx,10/25/2026," + app + ",GetItem,\"1,234\",\r\nx,3/4/2026," + app + ",\"FindFolder, and \"\"more\"\"\", 7\r\n",
	} {
		for _, wide := range []bool{false, true} {
			in := text
			if wide {
				var err error
				in, err = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.TrimPrefix(text, "\ufeff"))
				require.NoError(t, err)
			}
			got, err := ReadUsageReport(strings.NewReader(in))
			require.NoError(t, err)
			assert.Equal(t, &UsageReport{Kind: EWSUsage, Calls: calls}, got)
		}
	}
	full, half := 100.0, 12.5
	got, err := ReadUsageReport(strings.NewReader("Sender address,Domain,TLS 1.0 (percentage),TLS 1.1 (percentage),TLS 1.2 (percentage),Messages sent\n" +
		"scanner@contoso.com,contoso.com,12.5%,,100,42\nb@contoso.com,contoso.com,NaN,-1,101,0\n"))
	require.NoError(t, err)
	assert.Equal(t, &UsageReport{Kind: SMTPAuthClients, Senders: []SMTPSender{{"scanner@contoso.com", "contoso.com", 42, &half, nil, &full},
		{Sender: "b@contoso.com", Domain: "contoso.com"}}}, got)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"kind":"smtp-auth-clients","senders":[{"sender":"scanner@contoso.com","domain":"contoso.com","messages":42,"tls10":12.5,"tls12":100}`)
	var back UsageReport
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, *got, back)
	assert.Error(t, json.Unmarshal([]byte(`{"kind":"other"}`), &back))
}

func TestWhatIsNoUsageReport(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "it is empty",
		"Date,User\n":                          `its columns are "Date, User"`,
		"AppId,Call Volume\n":                  "its columns",
		"\"a":                                  "not a usage report",
		"AppId,SOAP Action,Call Volume\na,b\n": `line 2: not a whole number: ""`,
		"AppId,SOAP Action,Call Volume\n\n\na,b,-1\n": `line 4: not a whole number: "-1"`,
		"Sender address,Message count\na,1e3\n":       `line 2: not a whole number: "1e3"`,
	} {
		_, err := ReadUsageReport(strings.NewReader(in))
		require.ErrorContains(t, err, want, in)
		assert.Equal(t, !strings.HasPrefix(want, "line"), errors.Is(err, ErrNotReport), in)
		assert.NotContains(t, err.Error(), "\n")
	}
	_, err := ReadUsageReport(strings.NewReader("AppId,SOAP Action,Call Volume\n" + strings.Repeat("a,b,1\n", maxReportRows+1)))
	require.ErrorContains(t, err, "more than 1048576 rows")
	_, err = ReadUsageReport(strings.NewReader("AppId,SOAP Action,Call Volume\n" + strings.Repeat(strings.Repeat("a", 1<<20)+",b,1\n", 65)))
	require.ErrorContains(t, err, "more than 64 MiB")
}

// Who takes a report for a log is told what it is.
func TestReportsAreNoLogs(t *testing.T) {
	for _, err := range Read(strings.NewReader("Application ID,SOAP Action,Call Volume,Last Activity date (UTC)\na,GetItem,1,2026-10-25\n")) {
		require.ErrorIs(t, err, ErrNotLog)
		assert.ErrorContains(t, err, "a report of kind ews-usage, which is no log: ReadUsageReport and examples/signins -usage read it")
	}
}

// Whatever is read can be written and read again, and errors are one line.
func FuzzUsageReport(f *testing.F) {
	f.Add("AppId,SOAP Action,Call Volume,Last Activity date (UTC)\na,GetItem,1,2026-10-25\n")
	f.Add("Sender address,Messages sent,TLS 1.0 (percentage)\na@b,2,3%\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ReadUsageReport(strings.NewReader(in))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatal(err)
			}
			return
		}
		var out strings.Builder
		fmt.Fprint(&out, "AppId,SOAP Action,Call Volume,Last Activity date\n")
		for _, c := range got.Calls {
			if c.Calls < 0 {
				t.Fatal("negative")
			}
			fmt.Fprintf(&out, "x,y,%d,%s\n", c.Calls, c.Last.Format(time.RFC3339Nano))
		}
		if got.Kind != EWSUsage {
			return
		}
		again, err := ReadUsageReport(strings.NewReader(out.String()))
		if err != nil || len(again.Calls) != len(got.Calls) {
			t.Fatal(err, out.String())
		}
		for i, c := range again.Calls {
			if c.Calls != got.Calls[i].Calls || !c.Last.Equal(got.Calls[i].Last) {
				t.Fatal(c, got.Calls[i])
			}
		}
	})
}
