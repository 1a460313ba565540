package signins_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
)

func tables(t *testing.T, files map[string]string) (*signins.Tables, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return signins.LoadTables(fsys)
}

// The embedded files, loaded as anybody's, are the embedded tables.
func TestLoadTablesOfTheEmbeddedFiles(t *testing.T) {
	own, err := signins.LoadTables(os.DirFS("data"))
	require.NoError(t, err)
	assert.Equal(t, signins.AsOf, own.AsOf())
	assert.Equal(t, signins.AsOf, (*signins.Tables)(nil).AsOf())
	assert.Equal(t, (*signins.Tables)(nil).Announced(), own.Announced())
	s := samples(t)["graph-beta"].summarize(t, signins.Summarizer{})
	assert.Equal(t, text(t, s), text(t, samples(t)["graph-beta"].summarize(t, signins.Summarizer{Tables: own})))
	assert.Equal(t, signins.Assess(s, day("2026-11-22")), (&signins.Assessor{Tables: own}).Assess(s, day("2026-11-22")))
}

// Rows are added where a file extends the embedded one, and all that there is
// where it replaces it.
func TestTablesExtendAndReplace(t *testing.T) {
	const client = `"values":[{"names":["Carrier Pigeon"],"protocol":"smtp-auth","legacy":"yes"},{"names":["IMAP4"],"protocol":"imap","legacy":"no"}]`
	const codes = `"codes":[{"code":0,"outcome":"success"},{"code":999,"name":"TooFeathered","outcome":"throttled"}]`
	const end = `"retirements":[{"id":"pigeons","date":"2027-06-01","end":"2027-06-30","precision":"month","protocols":["smtp-auth"],"title":"Pigeons end","sources":["RFC 1149"]}]`
	at := func(client string, code int32) *signins.SignIn {
		return &signins.SignIn{Known: everything, Time: day("2026-11-18"), ClientAppUsed: client, UserPrincipalName: "ann@contoso.com", ErrorCode: code}
	}
	for name, extends := range map[string]bool{`{"asOf":"2027-01-01","extends":true,`: true, `{"asOf":"2027-01-01",`: false} {
		own, err := tables(t, map[string]string{"client-apps.json": name + client + "}", "error-codes.json": name + codes + "}", "retirements.json": name + end + "}"})
		require.NoError(t, err)
		assert.Equal(t, "2027-01-01", own.AsOf())
		classify := func(s *signins.SignIn) signins.Verdict { return own.Classify(signins.Documented, s) }

		pigeon := classify(at("carrier  PIGEON", 999))
		assert.Equal(t, []any{signins.Legacy, signins.SMTPAuth, signins.Throttled}, []any{pigeon.Class, pigeon.Protocol, pigeon.Outcome})
		assert.Equal(t, signins.UnlistedClient, signins.Classify(at("Carrier Pigeon", 0)).Reason)
		assert.Equal(t, signins.Modern, classify(at("IMAP4", 0)).Class)
		if extends {
			assert.Equal(t, signins.POP, classify(at("POP3", 0)).Protocol)
			assert.Equal(t, signins.Browser, classify(at("Browser", 0)).Protocol)
			assert.Equal(t, signins.BadPassword, classify(at("POP3", 50126)).Outcome)
		} else {
			assert.Equal(t, signins.UnlistedClient, classify(at("POP3", 0)).Reason)
			assert.Equal(t, signins.UnlistedClient, classify(at("Browser", 0)).Reason)
			assert.Equal(t, signins.OtherFailure, classify(at("POP3", 50126)).Outcome)
		}

		s, err := (&signins.Summarizer{Tables: own}).Summarize(sequence([]signins.SignIn{*at("Carrier Pigeon", 0)}))
		require.NoError(t, err)
		assert.Equal(t, int64(1), s.ByProtocol[signins.SMTPAuth])
		var hit []string
		for _, r := range own.Retirements(s, day("2026-11-22")) {
			hit = append(hit, r.ID)
		}
		want := []string{"pigeons"}
		if extends {
			want = []string{"smtp-auth-default-off", "pigeons"}
		}
		assert.Equal(t, want, hit)
		announced := own.Announced()
		last := announced[len(announced)-1]
		assert.Equal(t, []any{"pigeons", day("2027-06-30"), true}, []any{last.ID, last.End, last.MonthOnly})
		subjects := make(map[string]bool)
		for _, f := range (&signins.Assessor{Tables: own}).Assess(s, day("2026-11-22")) {
			subjects[f.Rule+" "+f.Subject] = true
		}
		assert.True(t, subjects["signins-retirement pigeons"])

		record := `{"CreationTime":"2026-06-15T12:45:00","RecordType":15,"Operation":"UserLoginFailed","UserId":"ann@contoso.com","LogonError":"TooFeathered"}`
		for got, err := range (&signins.Reader{Tables: own}).Read(strings.NewReader(record)) {
			require.NoError(t, err)
			assert.Equal(t, int32(999), got.ErrorCode)
		}
		got, err := signins.Parse([]byte(record)) // by the embedded ones, whatever was read before
		require.NoError(t, err)
		assert.NotEqual(t, int32(999), got.ErrorCode)
	}
}

func TestTablesSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{`:               "client-apps.json",
		`{"values":[]}`:   "asOf",
		`{"asOf":"soon"}`: "asOf",
		`{"asOf":"2027-01-01","values":[{"names":["a"],"legacy":"perhaps"}]}`:                       "value 1",
		`{"asOf":"2027-01-01","values":[{"names":["a"],"legacy":"no"},{"legacy":"no"}]}`:            "value 2",
		`{"asOf":"2027-01-01","values":[{"names":["a"],"legacy":"no","protocol":"smoke-signals"}]}`: "smoke-signals",
		`{"asOf":"2027-01-01","userAgents":[{}]}`:                                                   "user agent 1",
		`{"asOf":"2027-01-01","requestTypes":[{"name":"x","class":"y"}]}`:                           "request type 1",
	} {
		_, err := tables(t, map[string]string{"client-apps.json": text})
		assert.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, "signins: table client-apps.json", text)
	}
	for text, want := range map[string]string{
		`{"asOf":"2027-01-01","codes":[{"code":1}]}`:                           "code 1",
		`{"asOf":"2027-01-01","codes":[{"code":-1,"outcome":"success"}]}`:      "code 1",
		`{"asOf":"2027-01-01","codes":[{"code":1,"outcome":"success"}]}`:       "code 0",
		`{"asOf":"2027-01-01","codes":[{"code":1,"outcome":"no-such-thing"}]}`: "no-such-thing",
	} {
		_, err := tables(t, map[string]string{"error-codes.json": text})
		assert.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		`{"asOf":"2027-01-01","retirements":[{"id":"x"}]}`:                                                                            "retirement 1",
		`{"asOf":"2027-01-01","retirements":[{"id":"x","title":"y","sources":["z"],"date":"tomorrow"}]}`:                              "2026-12-31",
		`{"asOf":"2027-01-01","retirements":[{"id":"x","title":"y","sources":["z"],"date":"2027-01-02","end":"2027-01-01"}]}`:         "end",
		`{"asOf":"2027-01-01","retirements":[{"id":"x","title":"y","sources":["z"],"date":"2027-01-02","precision":"more or less"}]}`: "precision",
	} {
		_, err := tables(t, map[string]string{"retirements.json": text})
		assert.ErrorContains(t, err, want, text)
	}
	_, err := tables(t, nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = signins.LoadTables(os.DirFS("no such folder"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
