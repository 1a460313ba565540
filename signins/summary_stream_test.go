package signins_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A stream that is asked for its summary now and then gives the parts of the
// whole, which merge into it in one step, one by one, or as a sequence.
func TestStreamGivesParts(t *testing.T) {
	tenant := signinstest.Tenant{Seed: 3, Users: 300, Sprays: 2, BruteForces: 1, DistributedSprays: 1}
	whole, err := signins.Summarize(tenant.All())
	require.NoError(t, err)
	require.NotEmpty(t, whole.Attacks)

	stream := new(signins.Summarizer).Begin()
	var parts []*signins.Summary
	n := 0
	var reused signins.SignIn
	for s := range tenant.All() {
		reused = s
		stream.Add(&reused)
		if n++; n%1000 == 0 {
			parts = append(parts, stream.Summary())
		}
	}
	parts = append(parts, stream.Summary())
	require.Greater(t, len(parts), 2)
	assert.Zero(t, stream.Summary().Records)

	atOnce := new(signins.Summary)
	require.NoError(t, atOnce.Merge(parts...))
	assert.Equal(t, text(t, whole), text(t, atOnce))
	slices.Reverse(parts)
	inTurn, err := signins.MergeAll(func(yield func(*signins.Summary, error) bool) {
		for _, p := range parts {
			if !yield(stored(t, p), nil) {
				return
			}
		}
	})
	require.NoError(t, err)
	assert.Equal(t, text(t, whole), text(t, inTurn))
}

func TestStreamCountsErrors(t *testing.T) {
	stream := new(signins.Summarizer).Begin()
	require.NoError(t, stream.AddError(nil))
	require.NoError(t, stream.AddError(&signins.RecordError{Err: errors.New("no date")}))
	require.NoError(t, stream.AddError(&signins.RecordError{Err: signins.ErrDuplicate}))
	assert.ErrorIs(t, stream.AddError(io.ErrClosedPipe), io.ErrClosedPipe)
	s := stream.Summary()
	assert.Equal(t, []int64{1, 1, 1, 0}, []int64{s.Malformed, s.Duplicates, s.RawRecords, s.Records})
}

func TestMergeAllOfNothingAndOfWhatFails(t *testing.T) {
	none, err := signins.MergeAll(func(func(*signins.Summary, error) bool) {})
	require.NoError(t, err)
	assert.Zero(t, none.Records)
	part := summary(t, try(user(1), "203.0.113.1", 0, 0))
	for name, bad := range map[string]*signins.Summary{"nil": nil, "definition": {Definition: signins.WorkbookCompatible}} {
		some, err := signins.MergeAll(func(yield func(*signins.Summary, error) bool) {
			_ = yield(part, nil) && yield(bad, nil) && yield(part, nil)
		})
		require.ErrorContains(t, err, name)
		assert.Equal(t, int64(1), some.Records)
		before := text(t, part)
		require.ErrorContains(t, part.Merge(summary(t), bad), name)
		assert.Equal(t, before, text(t, part), "a failed merge changes nothing")
	}
	sealed := summary(t, try(user(1), "203.0.113.1", 0, 0))
	sealed.Seal()
	for want, parts := range map[bool][]*signins.Summary{true: {sealed, sealed}, false: {sealed, part}} {
		merged, err := signins.MergeAll(func(yield func(*signins.Summary, error) bool) { _ = yield(parts[0], nil) && yield(parts[1], nil) })
		require.NoError(t, err)
		assert.Equal(t, want, !strings.Contains(text(t, merged), `"rows"`))
	}
}

func TestDaysByProtocolAndFirstSuccess(t *testing.T) {
	at := func(client, when string, code int32) signins.SignIn {
		noon, err := time.Parse(time.RFC3339, when)
		require.NoError(t, err)
		return signins.SignIn{Known: everything, Time: noon, ClientAppUsed: client, UserPrincipalName: "ann@contoso.com", ErrorCode: code}
	}
	log := []signins.SignIn{
		at("IMAP4", "2026-11-18T23:59:59Z", 50126), at("IMAP4", "2026-11-19T00:00:00Z", 0), at("POP3", "2026-11-18T12:00:00+14:00", 0),
		at("IMAP4", "2026-11-20T12:00:00Z", 0), at("Browser", "2026-11-18T12:00:00Z", 0),
	}
	s := summary(t, log...)
	assert.Equal(t, map[signins.Protocol][]signins.Tally{
		signins.IMAP: {{Name: "2026-11-18", Records: 1}, {Name: "2026-11-19", Records: 1, Successes: 1}, {Name: "2026-11-20", Records: 1, Successes: 1}},
		signins.POP:  {{Name: "2026-11-17", Records: 1, Successes: 1}},
	}, s.DaysByProtocol)
	assert.Equal(t, s.DaysByProtocol, stored(t, s).DaysByProtocol)
	assert.Contains(t, text(t, s), `"daysByProtocol":{"imap":[{"name":"2026-11-18","records":1,"successes":0}`)
	assert.Equal(t, "2026-11-17T22:00:00Z", s.Users.Get("ann@contoso.com").FirstSuccess.Format(time.RFC3339))
	assert.Equal(t, maps.Collect(s.Users.All()), maps.Collect(stored(t, s).Users.All()))

	total := int64(0)
	for _, days := range s.DaysByProtocol {
		for _, d := range days {
			total += d.Records
		}
	}
	assert.Equal(t, s.ByClass[signins.Legacy], total)
}

// What is written as a stream is what MarshalJSON returns, and is read back in
// whatever pieces it comes.
func TestSummariesAsStreams(t *testing.T) {
	tenant := signinstest.Tenant{Seed: 4, Users: 200, Sprays: 1}
	s, err := signins.Summarize(tenant.All())
	require.NoError(t, err)
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, int64(b.Len()), n)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, b.Bytes()))
	assert.Equal(t, text(t, s), compact.String())

	var back signins.Summary
	_, err = back.ReadFrom(iotest.OneByteReader(bytes.NewReader(b.Bytes())))
	require.NoError(t, err)
	assert.Equal(t, text(t, s), text(t, &back))

	for _, most := range []int{0, 100, b.Len() - 1} {
		_, err = s.WriteTo(&full{left: most})
		assert.ErrorIs(t, err, io.ErrShortWrite, most)
	}
	untouched := text(t, &back)
	for _, cut := range []int{0, 1, 50, b.Len() / 3, b.Len() / 2, b.Len() - 3} {
		_, err = back.ReadFrom(bytes.NewReader(b.Bytes()[:cut]))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, cut)
		_, err = back.ReadFrom(io.MultiReader(bytes.NewReader(b.Bytes()[:cut]), iotest.ErrReader(io.ErrClosedPipe)))
		assert.ErrorIs(t, err, io.ErrClosedPipe, cut)
	}
	for in, want := range map[string]string{
		`[]`: "not an object", `{} {}`: "after it", `{"users":[]}`: "users", `{"users":{"a":null}}`: "null", `{"evidence":[]}`: "evidence",
		`{"evidence":{"rows":{}}}`: "rows", `{"byClass":{"odd":1}}`: "odd", `{"daysByProtocol":{"odd":[]}}`: "odd",
	} {
		_, err = back.ReadFrom(strings.NewReader(in))
		assert.ErrorContains(t, err, want, in)
	}
	assert.Equal(t, untouched, text(t, &back), "left as it was on error")
	for _, in := range []string{`{}`, `null`, ` { "users" : null, "evidence": null, "legacyUsers": {"deep":[{}]} } `} {
		_, err = back.ReadFrom(strings.NewReader(in))
		require.NoError(t, err, in)
		assert.Zero(t, back.Records)
	}
}

// A full writer takes so many bytes.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.left)
	f.left -= n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Names in findings are bounded, and it is said how many more there are.
func TestFindingsOfManyUsersAreShort(t *testing.T) {
	var log []signins.SignIn
	for i := range 5000 {
		log = append(log, signins.SignIn{Known: everything, Time: day("2026-11-18"), ClientAppUsed: "IMAP4", CountryOrRegion: "NL",
			UserPrincipalName: fmt.Sprintf("user%d@contoso.com", i), AuthenticationProtocol: "ropc"})
	}
	for _, f := range (&signins.Assessor{Countries: []string{"DE"}}).Assess(summary(t, log...), day("2026-11-22")) {
		assert.Less(t, len(f.Detail), 4000, f.Rule)
		if f.Rule == "signins-legacy-use" || f.Rule == "signins-country" || f.Rule == "signins-retirement" || f.Rule == "signins-ropc" {
			assert.Contains(t, f.Detail, "and 4980 more", f.Rule)
		}
	}
}

// A user whom some records name by object id only is one, wherever users are
// counted; two whose ids are each other's names stay two.
func TestUsersByNameAndByID(t *testing.T) {
	at := func(name, id string, code int32) signins.SignIn {
		return signins.SignIn{Known: everything, Time: day("2026-11-18"), ClientAppUsed: "IMAP4", UserPrincipalName: name, UserID: id, ErrorCode: code}
	}
	const id = "11111111-2222-4333-8444-555555555555"
	s := summary(t, at("ann@contoso.com", id, 50126), at("", id, 0), at("bob@contoso.com", "", 0))
	assert.Equal(t, []string{"ann@contoso.com", "bob@contoso.com"}, s.LegacyUsers())
	list := s.LegacyUserList()
	require.Len(t, list, 2)
	assert.Equal(t, []int64{2, 1}, []int64{list[0].Records, list[0].Successes})
	for range 10 {
		odd := new(signins.Summary)
		odd.Users.Add("a", &signins.User{ID: "b", Records: 1})
		odd.Users.Add("b", &signins.User{ID: "a", Records: 2})
		odd.Users.Add("c", &signins.User{ID: "b", Records: 4})
		total := int64(0)
		for _, u := range odd.AllLegacyUsers() {
			total += u.Records
		}
		assert.Equal(t, int64(7), total)
	}
}
