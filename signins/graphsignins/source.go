// Package graphsignins reads the sign-in log of a live tenant from Microsoft
// Graph: all of it, each event once, and resumably.
//
//	src, err := graphsignins.New(credential, graphsignins.Options{From: monday})
//	err = src.Collect(ctx, graphsignins.FileCheckpoints("signins.checkpoint"), func(ctx context.Context, b graphsignins.Batch) (string, error) {
//		return "", store(b.SignIns)
//	})
//
// The log is asked for in slices of time, never by a skip token that was kept.
// A slice counts as read when two readings of it agree: listings end early,
// lose their place and differ between runs. What arrives late is found by
// reading young slices again. Nothing is delivered of a slice, and nothing
// marked as read, after an error in it.
//
// The budget is 5 requests in 10 seconds for an application in a tenant. With
// two readings, 100,000 records take some 230 requests, which is 8 minutes; a
// tenant with millions of sign-ins a day should use diagnostic settings, as
// Microsoft recommends, and signins.ReadFiles.
//
// Reading needs the permission AuditLog.Read.All and a tenant with Entra ID P1
// or P2; a user needs the role Reports Reader besides. The log reaches back 30
// days.
//
// The package uses the request adapter of Microsoft's SDK and none of its
// models: one value that they do not know fails their page, and reading them
// takes 45 times as long.
package graphsignins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	abstractions "github.com/microsoft/kiota-abstractions-go"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/graph"
	"github.com/crossprem/crossprem/signins"
)

// Authority returns the address at which Entra ID signs in for a cloud,
// without a final slash: what a credential of azidentity wants as its
// ActiveDirectoryAuthorityHost. It is "" for a value that is none of the
// constants. The zero value means worldwide.
func Authority(c crossprem.Cloud) string { return graph.Authority(c) }

// Options are the settings of a Source. The zero value asks the beta version
// of the worldwide cloud for all kinds of sign-ins.
type Options struct {
	// Cloud is where the tenant lives. The zero value means worldwide.
	Cloud crossprem.Cloud

	// Transport sends the requests. If nil, http.DefaultTransport does. It must
	// be nil for NewFromAdapter.
	Transport http.RoundTripper

	// Endpoint replaces the address of the cloud's Microsoft Graph, such as
	// "http://127.0.0.1:8080" for a fake. Outside loopback it must be HTTPS. It
	// must be "" for NewFromAdapter.
	Endpoint string

	Version  Version
	Events   Events
	Filter   Filter
	PageSize int // records in a page, 1 to 1000; 1000 if 0

	// From and To bound the times of the sign-ins, From included. Parts of a
	// second are cut off. If To is zero, or in the future, it is the time of the
	// call. From must be set, except for Follow, which begins with the time of
	// the call.
	From, To time.Time

	// Late is how long after its time a record may appear in the log; 1 hour if
	// 0. A slice is read for the last time when its end is so long ago. Records
	// that are still later are not found.
	Late time.Duration

	// Retention is how far the log reaches back; 30 days if 0. A tenant without
	// Entra ID P1 or P2 keeps 7.
	Retention time.Duration

	// SingleReading takes one reading of a slice for the truth, at half the
	// requests. A listing that ends early is then not noticed.
	SingleReading bool

	// Timeout is for one request; 5 minutes if 0, as long as Microsoft Graph
	// itself takes at most.
	Timeout time.Duration

	// Limiter keeps the requests within the budget. If nil, the Source has one
	// of its own.
	Limiter *Limiter

	// Interval is the time between two rounds of Follow; 1 minute if 0.
	Interval time.Duration

	// Raw fills Batch.Raw.
	Raw bool

	// Progress is called before every request and every wait, if it is not nil,
	// by the goroutine that called Page, Collect or Follow.
	Progress func(Progress)
}

// Progress is how far a Source has got since it was made.
type Progress struct {
	Slice        Slice     // being read; until it was read once, it may become shorter
	Records      int64     // delivered
	Unreadable   int64     // left out, because they cannot be read
	Requests     int64     // sent
	WaitingUntil time.Time // zero when a request is about to be sent
}

// A Source reads the sign-in log of a tenant. It is a [signins.Source], the
// pages of which are whole slices of time. It may be used by several
// goroutines, except that one checkpoint is for one call at a time.
type Source struct {
	client    *graph.Client
	query     *query
	limiter   *Limiter
	from, to  time.Time
	late      time.Duration
	retention time.Duration
	timeout   time.Duration
	interval  time.Duration
	agree     int
	raw       bool
	progress  func(Progress)

	requests, records, unreadable atomic.Int64
}

var _ signins.Source = (*Source)(nil)

// New returns the sign-in log of the tenant into which credential signs in,
// which must be one for the same cloud: any of the module azidentity will do.
// New signs in to nothing yet.
func New(credential azcore.TokenCredential, o Options) (*Source, error) {
	client, err := graph.New(credential, graph.Options{Cloud: o.Cloud, Transport: o.Transport, Endpoint: o.Endpoint})
	if err != nil {
		return nil, err
	}
	return newSource(client, o)
}

// NewFromAdapter returns the sign-in log to which a request adapter of kiota
// speaks, such as the GetAdapter() of a *msgraphsdkgo.GraphServiceClient: with
// its authentication, its middleware and its transport. The adapter is not
// changed, and its own repeating of requests is turned off for each of ours.
func NewFromAdapter(adapter abstractions.RequestAdapter, o Options) (*Source, error) {
	client, err := graph.NewFromAdapter(adapter, graph.Options{Cloud: o.Cloud, Transport: o.Transport, Endpoint: o.Endpoint})
	if err != nil {
		return nil, err
	}
	return newSource(client, o)
}

func newSource(client *graph.Client, o Options) (*Source, error) {
	q, err := newQuery(&o)
	if err != nil {
		return nil, err
	}
	second := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.UTC().Truncate(time.Second)
	}
	or := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	s := &Source{
		client: client, query: q, limiter: o.Limiter,
		from: second(o.From), to: second(o.To),
		late: or(o.Late, time.Hour), retention: or(o.Retention, 30*24*time.Hour),
		timeout: or(o.Timeout, 5*time.Minute), interval: or(o.Interval, time.Minute),
		agree: 2, raw: o.Raw, progress: o.Progress,
	}
	if s.limiter == nil {
		s.limiter = new(Limiter)
	}
	if o.SingleReading {
		s.agree = 1
	}
	if !s.from.IsZero() && !s.to.IsZero() && s.to.Before(s.from) {
		return nil, errors.New("graphsignins: To is before From")
	}
	return s, nil
}

// firstWidth is what is asked for at once in the beginning.
const firstWidth = time.Hour

func (s *Source) reader() *reader {
	return &reader{Source: s, width: firstWidth, progress: s.progress}
}

// end returns the time up to which there is something to ask for.
func (s *Source) end(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Second)
	if s.to.IsZero() || s.to.After(now) {
		return now
	}
	return s.to
}

// check refuses to ask for what the log no longer has.
func (s *Source) check(start time.Time) error {
	if oldest := time.Now().Add(-s.retention); start.Before(oldest) {
		return fmt.Errorf("graphsignins: %w: %s was asked for, and it keeps %v, since %s", ErrRetention,
			start.Format(time.RFC3339), s.retention, oldest.UTC().Format(time.RFC3339))
	}
	return nil
}

var errNoBeginning = errors.New("graphsignins: Options.From is not set")

// Page implements [signins.Source]. A page is a slice of time, the sign-ins of
// which two readings agree about, in the order of their times; what arrives
// late in it is not found. Records that cannot be read are left out and counted in
// Progress.Unreadable; Collect hands over their errors. The cursor tells the time at which the next slice
// begins and the one at which the last ends.
func (s *Source) Page(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
	r := s.reader()
	rest := Slice{s.from, s.end(time.Now())}
	if cursor == "" {
		if s.from.IsZero() {
			return nil, "", errNoBeginning
		}
	} else {
		var err error
		if rest, r.width, err = parseCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, "", fmt.Errorf("graphsignins: %w", err)
	}
	if !rest.Start.Before(rest.End) {
		return nil, "", nil
	}
	if err := s.check(rest.Start); err != nil {
		return nil, "", err
	}
	f, err := r.read(ctx, rest, false, s.agree, nil)
	if err != nil {
		return nil, "", err
	}
	page := make([]signins.SignIn, 0, len(f.records))
	for _, id := range f.sorted() {
		page = append(page, f.records[id].signIn)
	}
	s.records.Add(int64(len(page)))
	s.unreadable.Add(int64(len(f.errors)))
	next := ""
	if f.End.Before(rest.End) {
		next = formatCursor(Slice{f.End, rest.End}, r.width)
	}
	return page, next, nil
}

// formatCursor writes the rest of what is to be read, and how much to ask for
// at once.
func formatCursor(rest Slice, width time.Duration) string {
	return rest.Start.Format(time.RFC3339) + "/" + rest.End.Format(time.RFC3339) + "/" + width.String()
}

func parseCursor(cursor string) (rest Slice, width time.Duration, err error) {
	parts := strings.Split(cursor, "/")
	if len(parts) == 3 {
		var failed [3]error
		rest.Start, failed[0] = time.Parse(time.RFC3339, parts[0])
		rest.End, failed[1] = time.Parse(time.RFC3339, parts[1])
		width, failed[2] = time.ParseDuration(parts[2])
		if errors.Join(failed[:]...) == nil && width >= minWidth && width <= maxWidth && formatCursor(rest, width) == cursor {
			return rest, width, nil
		}
	}
	return Slice{}, 0, fmt.Errorf("graphsignins: %.80q is no cursor of this source", cursor)
}
