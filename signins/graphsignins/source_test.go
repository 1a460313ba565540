package graphsignins_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotahttp "github.com/microsoft/kiota-http-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A Source over Graph keeps the promises of signins.Source, whatever Graph
// does meanwhile.
func TestSourceConforms(t *testing.T) {
	for name, rate := range map[string]float64{"no faults": 0, "all kinds of faults": 0.15} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now().Add(-24 * time.Hour)
			seed := uint64(0)
			err := signinstest.TestSource(start, func(events []signins.SignIn) signins.Source {
				g := signinstest.NewGraph(slices.Values(events))
				seed++
				g.Fault = signinstest.Schedule(seed, rate)
				g.Drip = 10 * time.Second
				src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: g, PageSize: 100,
					From: start.Add(-4 * time.Hour), To: start, Limiter: &graphsignins.Limiter{Requests: 1000}})
				require.NoError(t, err)
				return src
			})
			// A page that cannot be agreed about is an error, and may be one.
			if !errors.As(err, new(*graphsignins.IncompleteError)) {
				require.NoError(t, err, name)
			}
		})
	}
}

// What an embedder with the SDK has, over a real connection, against a server
// that misbehaves.
func TestAdapterOverARealServer(t *testing.T) {
	g := signinstest.GraphOf(&signinstest.Tenant{Start: time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour), Users: 60})
	g.Fault = signinstest.Schedule(1, 0.1, signinstest.Truncated, signinstest.Reset, signinstest.EmptyPage, signinstest.SlowDrip,
		signinstest.OutOfOrder, signinstest.EmptyTokenLink)
	g.Drip = time.Millisecond
	server := g.Start()
	defer server.Close()
	transport := server.Client().Transport.(*http.Transport)
	defer transport.CloseIdleConnections()
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, nil, nil, &http.Client{Transport: kiotahttp.NewCustomTransportWithParentTransport(transport)})
	require.NoError(t, err)
	adapter.SetBaseUrl(server.URL + "/v1.0")
	src, err := graphsignins.NewFromAdapter(adapter, graphsignins.Options{
		From: time.Now().AddDate(0, 0, -3), Limiter: &graphsignins.Limiter{Requests: 1000}, PageSize: 100})
	require.NoError(t, err)
	n := 0
	for s, err := range signins.All(t.Context(), src) {
		require.NoError(t, err)
		assert.Equal(t, signins.GraphBeta, s.Format)
		n++
	}
	assert.Equal(t, len(g.Truth(time.Now())), n)
}

// Requests for 100,000 records, which at 5 in 10 seconds take 7 minutes.
func TestPriceOfAHundredThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		day := time.Now().UTC()
		g := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 5000, Events: 30_000})
		time.Sleep(30 * time.Hour)
		for single, most := range map[bool]int{false: 300, true: 150} {
			before, began, n := g.Requests(), time.Now(), 0
			src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: g, From: day, To: day.Add(26 * time.Hour), SingleReading: single})
			require.NoError(t, err)
			err = src.Collect(t.Context(), graphsignins.Memory(), func(_ context.Context, b graphsignins.Batch) (string, error) {
				n += len(b.SignIns)
				return "", nil
			})
			require.NoError(t, err)
			requests := g.Requests() - before
			t.Logf("single reading %v: %d records, %d requests (%d for 100,000), %v", single, n, requests, requests*100_000/n, time.Since(began))
			assert.Equal(t, len(g.Truth(time.Now())), n)
			assert.Less(t, requests*100_000/n, most)
		}
	})
}

func values(events ...signins.SignIn) iter.Seq[signins.SignIn] { return slices.Values(events) }

// Filters go to Graph in its own words, and arrive as what was asked for.
func TestQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		day := time.Now().UTC()
		time.Sleep(48 * time.Hour)
		tenant := &signinstest.Tenant{Start: day, Users: 40, Events: 900}
		g := signinstest.GraphOf(tenant)
		ask := func(o graphsignins.Options) map[string]bool {
			o.Transport, o.From, o.Limiter = g, day, &graphsignins.Limiter{Requests: 1000}
			src, err := graphsignins.New(credential{}, o)
			require.NoError(t, err)
			got := make(map[string]bool)
			for s, err := range signins.All(t.Context(), src) {
				require.NoError(t, err)
				got[s.ID] = true
			}
			return got
		}
		truth := func(keep func(s *signins.SignIn) bool) map[string]bool {
			want := make(map[string]bool)
			for s := range tenant.SignIns() {
				if keep(&s) {
					want[s.ID] = true
				}
			}
			require.NotEmpty(t, want)
			return want
		}
		assert.Equal(t, truth(func(*signins.SignIn) bool { return true }), ask(graphsignins.Options{}))
		assert.Equal(t, truth(func(s *signins.SignIn) bool { return s.Category == signins.InteractiveUser }),
			ask(graphsignins.Options{Version: graphsignins.V1}))
		assert.Equal(t, truth(func(s *signins.SignIn) bool {
			return s.Category == signins.ServicePrincipal || s.Category == signins.ManagedIdentity
		}), ask(graphsignins.Options{Events: graphsignins.ServicePrincipals | graphsignins.ManagedIdentities}))
		apps := []string{"Authenticated SMTP", "Exchange ActiveSync", "O'Brien's client"}
		assert.Equal(t, truth(func(s *signins.SignIn) bool { return slices.Contains(apps, s.ClientAppUsed) }),
			ask(graphsignins.Options{Filter: graphsignins.Filter{ClientApps: apps}}))
		assert.Equal(t, truth(func(s *signins.SignIn) bool { return s.ErrorCode == 50126 || s.ErrorCode == 50074 }),
			ask(graphsignins.Options{Filter: graphsignins.Filter{ErrorCodes: []int32{50126, 50074}}}))
		user := "user000007@contoso.com"
		assert.Equal(t, truth(func(s *signins.SignIn) bool { return s.UserPrincipalName == user && s.ErrorCode == 0 }),
			ask(graphsignins.Options{Filter: graphsignins.Filter{UserPrincipalName: user, ErrorCodes: []int32{0}}}))
	})
	for _, o := range []graphsignins.Options{{PageSize: 1001}, {PageSize: -1}, {Version: 9}, {Events: 128},
		{Version: graphsignins.V1, Events: graphsignins.NonInteractive}, {Endpoint: "http://graph.contoso.test"},
		{From: time.Now(), To: time.Now().Add(-time.Hour)}} {
		_, err := graphsignins.New(credential{}, o)
		assert.Error(t, err, o)
	}
	_, err := graphsignins.New(nil, graphsignins.Options{})
	assert.Error(t, err)
	_, err = graphsignins.NewFromAdapter(nil, graphsignins.Options{})
	assert.Error(t, err)
}

// Errors say what to do, and nothing is marked as read after one.
func TestErrors(t *testing.T) {
	answer := func(status int, code, message string) httpmock.Responder {
		return httpmock.NewStringResponder(status, `{"error":{"code":"`+code+`","message":"`+message+`"}}`)
	}
	for name, c := range map[string]struct {
		responder httpmock.Responder
		want      error
		text      string
	}{
		"permission": {answer(403, "Authentication_MSGraphPermissionMissing", "Calling principal does not have required MSGraph permissions AuditLog.Read.All"),
			graphsignins.ErrPermission, "AuditLog.Read.All"},
		"role": {answer(403, "Authentication_RequestFromUnsupportedUserRole", "User is not in the allowed roles"), graphsignins.ErrPermission, "Reports Reader"},
		"licence": {answer(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license"),
			graphsignins.ErrLicence, "P1 or P2"},
		"filter":       {answer(400, "BadRequest", "Invalid filter clause"), graphsignins.ErrFilter, "Invalid filter clause"},
		"unauthorized": {answer(401, "InvalidAuthenticationToken", "expired"), graphsignins.ErrUnauthorized, "HTTP 401"},
		"text":         {httpmock.NewStringResponder(401, "Unauthorized"), graphsignins.ErrUnauthorized, "HTTP 401"},
		"empty 200":    {httpmock.NewStringResponder(200, ""), signins.ErrNotPage, "failures in a row"},
		"null link":    {httpmock.NewStringResponder(200, `{"value":[],"@odata.nextLink":null}`), signins.ErrNotPage, "nextLink is null"},
		"repeated": {httpmock.NewStringResponder(200, `{"value":[],"@odata.nextLink":"https://graph.microsoft.com/beta/auditLogs/signIns?$skiptoken=x"}`),
			graphsignins.ErrPaging, "leads back"},
		"elsewhere": {httpmock.NewStringResponder(200, `{"value":[],"@odata.nextLink":"https://evil.test/beta/auditLogs/signIns?$skiptoken=x"}`),
			nil, "an address"},
	} {
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/auditLogs/signIns", c.responder)
			asked := 0
			src, err := graphsignins.New(credential{&asked}, graphsignins.Options{Transport: mock, From: time.Now().Add(-time.Hour)})
			require.NoError(t, err)
			store := graphsignins.Memory()
			err = src.Collect(t.Context(), store, func(context.Context, graphsignins.Batch) (string, error) {
				t.Error("something was delivered")
				return "", nil
			})
			require.Error(t, err, name)
			if c.want != nil {
				assert.ErrorIs(t, err, c.want, name)
				assert.ErrorContains(t, err, c.text, name)
			}
			assert.NotContains(t, err.Error(), "\n", name)
			assert.Equal(t, mock.GetTotalCallCount(), asked, "each request asked for a token: %s", name)
			got, err := store.Load(t.Context())
			require.NoError(t, err)
			assert.Nil(t, got, "nothing was saved: %s", name)
		})
	}
}

func TestRetention(t *testing.T) {
	src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: httpmock.NewMockTransport(), From: time.Now().AddDate(0, 0, -31)})
	require.NoError(t, err)
	receive := func(context.Context, graphsignins.Batch) (string, error) { return "", nil }
	err = src.Collect(t.Context(), graphsignins.Memory(), receive)
	assert.ErrorIs(t, err, graphsignins.ErrRetention)
	_, _, err = src.Page(t.Context(), "")
	assert.ErrorIs(t, err, graphsignins.ErrRetention)

	src, err = graphsignins.New(credential{}, graphsignins.Options{Transport: httpmock.NewMockTransport()})
	require.NoError(t, err)
	assert.ErrorContains(t, src.Collect(t.Context(), graphsignins.Memory(), receive), "Options.From is not set")
	_, _, err = src.Page(t.Context(), "")
	assert.ErrorContains(t, err, "Options.From is not set")
}

// Several Sources that share a Limiter stay within one budget, and a 429 holds
// all of them.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := new(graphsignins.Limiter)
		var mu sync.Mutex
		var sent []time.Time
		var throttledAt time.Time
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/auditLogs/signIns", func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, time.Now())
			if len(sent) == 12 {
				throttledAt = time.Now()
				response := httpmock.NewStringResponse(429, "")
				response.Header.Set("Retry-After", "77")
				return response, nil
			}
			return httpmock.NewStringResponse(200, `{"value":[]}`), nil
		})
		var group sync.WaitGroup
		waited := false
		for range 3 {
			group.Go(func() {
				src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: mock, From: time.Now().Add(-29 * 24 * time.Hour), Limiter: limiter,
					Progress: func(p graphsignins.Progress) {
						if time.Until(p.WaitingUntil) > time.Minute {
							mu.Lock()
							waited = true
							mu.Unlock()
						}
					}})
				assert.NoError(t, err)
				assert.NoError(t, src.Collect(t.Context(), graphsignins.Memory(), nil))
			})
		}
		group.Wait()
		assert.True(t, waited, "Progress told of the wait")
		assert.Greater(t, len(sent), 100)
		for i := 5; i < len(sent); i++ {
			assert.GreaterOrEqual(t, sent[i].Sub(sent[i-5]), 10*time.Second)
		}
		for _, at := range sent {
			assert.False(t, at.After(throttledAt) && at.Before(throttledAt.Add(77*time.Second)), "sent while all had to wait")
		}
	})
}

// Follow delivers what is new within its interval, what is late when it comes,
// and goes on after a kill where it was.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now().UTC()
		g := signinstest.NewGraph(values())
		store := graphsignins.Memory()
		type delivery struct {
			signIn signins.SignIn
			at     time.Time
		}
		var got []delivery
		follow := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: g})
			require.NoError(t, err)
			err = src.Follow(ctx, store, func(_ context.Context, b graphsignins.Batch) (string, error) {
				for _, s := range b.SignIns {
					got = append(got, delivery{s, time.Now()})
				}
				return "", nil
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		var want []signins.SignIn
		tenant := &signinstest.Tenant{Start: begin, Users: 30, Events: 600}
		for s := range tenant.SignIns() {
			if s.Time.After(begin) && s.Time.Before(begin.Add(22*time.Hour)) {
				want = append(want, s)
				visible := s.Time
				if len(want)%5 == 0 {
					visible = visible.Add(time.Duration(len(want)%59) * time.Minute)
				}
				g.Add(signinstest.Row{SignIn: s, Visible: visible})
			}
		}
		follow(10 * time.Hour)
		time.Sleep(3 * time.Hour) // the process was down
		follow(11 * time.Hour)
		ids := make(map[string]int)
		late := 0
		for _, d := range got {
			ids[d.signIn.ID]++
			if d.at.Sub(d.signIn.Time) > 70*time.Minute && (d.signIn.Time.Before(begin.Add(9*time.Hour)) || d.signIn.Time.After(begin.Add(14*time.Hour))) {
				late++
			}
		}
		for _, s := range want {
			assert.Equal(t, 1, ids[s.ID], s.ID)
		}
		assert.Len(t, ids, len(want))
		assert.Zero(t, late, "delivered long after their time")
		budget := int(21*time.Hour/(10*time.Second)) * 5
		assert.Less(t, g.Requests(), budget, "within the budget")
		t.Logf("%d sign-ins in 21 hours, %d requests", len(got), g.Requests())
	})
}

func TestFileCheckpoints(t *testing.T) {
	name := filepath.Join(t.TempDir(), "checkpoint")
	store := graphsignins.FileCheckpoints(name)
	c, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Nil(t, c)
	at := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	want := &graphsignins.Checkpoint{Query: "q", Mark: "17", Records: 3, Saved: at,
		Finished: []graphsignins.Slice{{Start: at, End: at.Add(time.Hour)}},
		Open:     []graphsignins.OpenSlice{{Slice: graphsignins.Slice{Start: at.Add(time.Hour), End: at.Add(2 * time.Hour)}, Read: at, IDs: map[string]string{"a": "1"}}}}
	require.NoError(t, store.Save(t.Context(), want))
	got, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)

	// Half of a file beside it, which a kill left, changes nothing.
	require.NoError(t, os.WriteFile(name+".new", []byte(`{"query":`), 0o600))
	got, err = store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)
	require.NoError(t, store.Save(t.Context(), want))

	// One that cannot be written leaves the old one.
	require.NoError(t, os.Mkdir(name+".new", 0o700))
	require.Error(t, store.Save(t.Context(), &graphsignins.Checkpoint{}))
	require.NoError(t, os.RemoveAll(name+".new"))
	got, err = store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)

	for _, text := range []string{"", "{", "null1", `{"skiptoken":"x"}`, `{} {}`,
		`{"finished":[{"start":"2026-11-18T01:00:00Z","end":"2026-11-18T00:00:00Z"}]}`,
		`{"finished":[{"start":"2026-11-18T01:00:00.5Z","end":"2026-11-18T02:00:00Z"}]}`,
		`{"open":[{"start":"2026-11-18T01:00:00Z","end":"2026-11-18T02:00:00Z"},{"start":"2026-11-18T01:00:00Z","end":"2026-11-18T02:00:00Z"}]}`} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := store.Load(t.Context())
		assert.ErrorContains(t, err, "graphsignins: checkpoint "+name, text)
	}

	// The checkpoint of another question is refused.
	require.NoError(t, store.Save(t.Context(), want))
	src, err := graphsignins.New(credential{}, graphsignins.Options{From: time.Now().Add(-time.Hour)})
	require.NoError(t, err)
	assert.ErrorIs(t, src.Collect(t.Context(), store, nil), graphsignins.ErrOtherQuery)
}

// Raw records come as they were sent, and are read back to the same sign-ins.
func TestRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		day := time.Now().UTC()
		time.Sleep(48 * time.Hour)
		g := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 40, Events: 300})
		src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: g, From: day, Raw: true})
		require.NoError(t, err)
		n := 0
		require.NoError(t, src.Collect(t.Context(), graphsignins.Memory(), func(_ context.Context, b graphsignins.Batch) (string, error) {
			require.Len(t, b.Raw, len(b.SignIns))
			for i, raw := range b.Raw {
				n++
				s, err := signins.Parse(raw)
				require.NoError(t, err)
				assert.Equal(t, b.SignIns[i].ID, s.ID)
				assert.Equal(t, b.SignIns[i].UserAgent, s.UserAgent)
				assert.Equal(t, signins.Classify(&b.SignIns[i]), signins.Classify(&s))
			}
			return "", nil
		}))
		assert.Equal(t, len(g.Truth(time.Now())), n)
	})
}

// A model is anything that kiota can write.
type model struct{ id, app string }

func (m *model) GetFieldDeserializers() map[string]func(serialization.ParseNode) error { return nil }
func (m *model) Serialize(w serialization.SerializationWriter) error {
	at := time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC)
	return errors.Join(w.WriteStringValue("id", &m.id), w.WriteTimeValue("createdDateTime", &at), w.WriteStringValue("clientAppUsed", &m.app))
}

func TestFromModel(t *testing.T) {
	s, err := graphsignins.FromModel(&model{"a", "IMAP4"})
	require.NoError(t, err)
	assert.Equal(t, signins.GraphV1, s.Format)
	assert.Equal(t, "IMAP4", s.ClientAppUsed)
	assert.False(t, s.Knows(signins.FieldUserAgent), "v1.0 has no user agents")
	var none *model
	for _, m := range []serialization.Parsable{nil, none} {
		_, err := graphsignins.FromModel(m)
		assert.ErrorContains(t, err, "there is none")
	}
}

// A tenant's answer that ignores the order, the slice and the filter brings
// nothing that was not asked for.
func TestGraphThatIgnoresTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		now := time.Now().UTC()
		record := func(id string, at time.Time, user string) string {
			return `{"id":"` + id + `","createdDateTime":"` + at.Format(time.RFC3339) + `","userPrincipalName":"` + user + `","clientAppUsed":"IMAP4","status":{"errorCode":0}}`
		}
		rows := []string{record("new", now.Add(-time.Minute), "a@contoso.test"), record("other", now.Add(-time.Minute), "b@contoso.test"),
			record("old", now.Add(-48*time.Hour), "a@contoso.test")}
		mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/auditLogs/signIns",
			httpmock.NewStringResponder(200, `{"@odata.context":"https://graph.microsoft.com/beta/$metadata#auditLogs/signIns","value":[`+strings.Join(rows, ",")+`]}`))
		src, err := graphsignins.New(credential{}, graphsignins.Options{Transport: mock, From: now.Add(-time.Hour),
			Filter: graphsignins.Filter{UserPrincipalName: "a@contoso.test"}})
		require.NoError(t, err)
		var ids []string
		for s, err := range signins.All(t.Context(), src) {
			require.NoError(t, err)
			ids = append(ids, s.ID)
		}
		assert.Equal(t, []string{"new"}, ids)
	})
}
