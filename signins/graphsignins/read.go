package graphsignins

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/crossprem/crossprem/internal/graph"
	"github.com/crossprem/crossprem/signins"
)

const (
	minWidth    = time.Minute    // of what is asked for at once
	maxWidth    = 24 * time.Hour // of it, and of a slice
	slicePages  = 5              // a slice ends when it has so many
	piecePages  = 10             // and what is asked for at once is cut short when it has so many
	endless     = 10_000         // pages that cannot be cut, all of one second
	maxReadings = 12
	maxStuck    = 6  // pieces in a row that broke off without any progress
	maxDenied   = 5  // tokens that were not accepted
	maxFailures = 25 // requests in a row that failed
	longestWait = 24 * time.Hour
)

// A record is one sign-in of a slice.
type record struct {
	signIn signins.SignIn
	raw    json.RawMessage
	hash   string // of what signIn says
}

// A found is what a slice has.
type found struct {
	Slice
	records map[string]record // by ID
	errors  []*signins.RecordError
}

// sorted returns the IDs by time.
func (f *found) sorted() []string {
	return slices.SortedFunc(maps.Keys(f.records), func(a, b string) int {
		x, y := f.records[a], f.records[b]
		return cmp.Or(x.signIn.Time.Compare(y.signIn.Time), cmp.Compare(a, b))
	})
}

// A reader reads slices.
type reader struct {
	*Source
	width    time.Duration // of what is asked for at once
	failures int           // requests in a row that failed
	not      time.Time     // before which nothing is asked for
	progress func(p Progress)
	slice    Slice // for progress
}

// read reads a slice that begins at s.Start. Unless it is fixed, it ends where
// enough was read, at s.End at the latest. It is read so many times as have to
// agree, and what they do not agree about is read again until they do. known
// are IDs that were seen in it before; one of them that is gone makes for two
// more readings.
//
// Row counts of one closed time differ between runs, and a listing may end
// without a next link in the middle (microsoft-graph-docs#16188,
// msgraph-sdk-powershell#1167): one reading proves nothing. Every second one
// begins with the newest records, so that two that end early at the same place
// do not agree.
func (r *reader) read(ctx context.Context, s Slice, fixed bool, agree int, known map[string]string) (*found, error) {
	r.slice = s
	f := &found{Slice: s, records: make(map[string]record)}
	var readings []map[string]bool
	for n, span, full := 1, s, agree; n <= maxReadings; n++ {
		one := make(map[string]bool)
		bad := []*signins.RecordError(nil)
		end, err := r.once(ctx, span, n == 1 && !fixed, n%2 == 0, func(id string, rec record) {
			one[id] = true
			f.records[id] = rec // the last copy wins
		}, &bad)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			f.End = end
			maps.DeleteFunc(f.records, func(_ string, rec record) bool { return !f.Contains(rec.signIn.Time) })
			r.slice, span = f.Slice, f.Slice
		}
		readings = append(readings, one)
		if len(bad) > len(f.errors) {
			f.errors = bad
		}
		if n < full {
			continue
		}
		var doubtful bool
		if span, doubtful = f.doubt(readings, agree); doubtful {
			continue
		}
		if full > agree || f.hasAll(known) {
			return f, nil
		}
		span, full = f.Slice, n+2
	}
	counts := make([]int, len(readings))
	for i, one := range readings {
		counts[i] = len(one)
	}
	return nil, &IncompleteError{Slice: f.Slice, Read: counts, All: len(f.records)}
}

func (f *found) hasAll(ids map[string]string) bool {
	for id := range ids {
		if _, ok := f.records[id]; !ok {
			return false
		}
	}
	return true
}

// doubt returns the part of f about which too few readings agree, if there is
// one. A reading vouches for the time between two records that are neighbours,
// and for there being nothing else, if it has both of them.
func (f *found) doubt(readings []map[string]bool, agree int) (doubtful Slice, is bool) {
	ids := f.sorted()
	for i := range len(ids) + 1 { // the gap before the record i
		vouchers := 0
		for _, one := range readings {
			if (i == 0 || one[ids[i-1]]) && (i == len(ids) || one[ids[i]]) {
				vouchers++
			}
		}
		if vouchers >= agree {
			continue
		}
		gap := f.Slice
		if i > 0 {
			gap.Start = f.records[ids[i-1]].signIn.Time.Truncate(time.Second).UTC()
		}
		if i < len(ids) {
			gap.End = minTime(gap.End, f.records[ids[i]].signIn.Time.Truncate(time.Second).Add(time.Second).UTC())
		}
		if !is {
			doubtful, is = gap, true
		}
		doubtful.End = gap.End
	}
	return doubtful, is
}

// once reads s once, piece by piece, from its start or, if newest is set, from
// its end. If open is set it may leave off before the end; it returns up to
// where it read.
func (r *reader) once(ctx context.Context, s Slice, open, newest bool, add func(string, record), bad *[]*signins.RecordError) (time.Time, error) {
	rest := s
	if open && rest.End.Sub(rest.Start) > maxWidth {
		rest.End = rest.Start.Add(maxWidth)
	}
	pages, stuck := 0, 0
	for rest.Start.Before(rest.End) {
		piece := rest
		if rest.End.Sub(rest.Start) > r.width {
			if newest {
				piece.Start = rest.End.Add(-r.width)
			} else {
				piece.End = rest.Start.Add(r.width)
			}
		}
		reached, n, err := r.piece(ctx, piece, newest, add, bad)
		pages += n
		switch {
		case newest && reached.Before(rest.End), !newest && reached.After(rest.Start):
			stuck = 0
		case errors.Is(err, errBrokenOff):
			if stuck++; stuck >= maxStuck {
				return rest.Start, fmt.Errorf("graphsignins: %s: %w: %w", piece, ErrPaging, err)
			}
		}
		if err != nil && !errors.Is(err, errBrokenOff) && !errors.Is(err, errStorm) {
			return rest.Start, err
		}
		if newest {
			rest.End = reached
		} else {
			rest.Start = reached
		}
		if open && pages >= slicePages && rest.Start.After(s.Start) {
			break
		}
	}
	return rest.Start, nil
}

// Why a piece was not read to its end.
var (
	errBrokenOff = errors.New("the listing broke off")
	errStorm     = errors.New("too much at once")
)

// piece asks for s page by page, and returns up to where it was read, from its
// start or, if newest is set, from its end, and how many pages there were. With errBrokenOff and errStorm, the rest is to be
// asked for anew.
func (r *reader) piece(ctx context.Context, s Slice, newest bool, add func(string, record), bad *[]*signins.RecordError) (time.Time, int, error) {
	var all, last []time.Time // of all records in the order in which they came, and of the last page
	followed := make(map[string]bool)
	address := r.query.address(s, newest)
	from, to := s.Start, s.End
	if newest {
		from, to = to, from
	}
	for pages := 1; ; pages++ {
		page, raw, err := r.page(ctx, address, pages > 1, followed)
		switch {
		case errors.Is(err, errStorm):
			r.width = max(r.width/2, minWidth)
			return covered(from, newest, all, last), pages - 1, err
		case err != nil:
			return covered(from, newest, all, last), pages - 1, err
		}
		if len(page.SignIns) > 0 {
			last = last[:0]
		}
		for i, signIn := range page.SignIns {
			last = append(last, signIn.Time)
			if !s.Contains(signIn.Time) || !r.wanted(&signIn) {
				continue // the second more, or a filter that was ignored
			}
			rec := record{signIn: signIn, hash: hashOf(&signIn)}
			if raw != nil {
				rec.raw = raw[i]
			}
			id := signIn.ID
			if id == "" {
				id = "no id, " + rec.hash
			}
			add(id, rec)
		}
		if len(page.SignIns) > 0 {
			all = append(all, last...)
		}
		*bad = append(*bad, page.Errors...)
		if page.NextLink == "" {
			if pages == 1 && r.failures == 0 {
				r.width = min(r.width*2, maxWidth)
			}
			return to, pages, nil
		}
		followed[address] = true
		address = page.NextLink
		if pages >= piecePages {
			if reached := covered(from, newest, all, last); !reached.Equal(from) {
				r.width = max(r.width/2, minWidth)
				return reached, pages, nil
			}
			if pages >= endless {
				return from, pages, fmt.Errorf("graphsignins: %s: %w: %d pages, and no end", s, ErrPaging, pages)
			}
		}
	}
}

// covered returns up to which second a listing was read that broke off: the
// middle of its last page, since rows do not keep to the order. It is from,
// where the listing begins, if it has the opposite order, or nothing is
// certain.
func covered(from time.Time, newest bool, all, last []time.Time) time.Time {
	if len(last) == 0 {
		return from
	}
	if half := len(all) / 2; half > 0 {
		first, second := mean(all[:half]), mean(all[half:])
		if newest && first < second || !newest && first > second {
			return from
		}
	}
	sorted := slices.SortedFunc(slices.Values(last), time.Time.Compare)
	to := sorted[len(sorted)/2].Truncate(time.Second).UTC()
	if newest {
		if to = to.Add(time.Second); to.Before(from) {
			return to
		}
	} else if to.After(from) {
		return to
	}
	return from
}

func mean(times []time.Time) float64 {
	sum := 0.0
	for _, t := range times {
		sum += float64(t.Unix())
	}
	return sum / float64(len(times))
}

// wanted reports whether a record is one that was asked for: Microsoft Graph
// has been seen to ignore filters for a user (microsoft-graph-docs#13729).
func (r *reader) wanted(s *signins.SignIn) bool {
	f := &r.query.filter
	is := func(want string, field signins.Fields, got string) bool {
		return want == "" || !s.Knows(field) || want == got
	}
	return is(f.UserPrincipalName, signins.FieldUserPrincipalName, s.UserPrincipalName) &&
		is(f.UserID, signins.FieldUserID, s.UserID) && is(f.AppID, signins.FieldAppID, s.AppID) &&
		(len(f.ClientApps) == 0 || !s.Knows(signins.FieldClientAppUsed) || slices.Contains(f.ClientApps, s.ClientAppUsed)) &&
		(len(f.ErrorCodes) == 0 || !s.Knows(signins.FieldErrorCode) || slices.Contains(f.ErrorCodes, s.ErrorCode))
}

// hashOf returns a short text that differs between copies that differ.
func hashOf(s *signins.SignIn) string {
	text, err := json.Marshal(s)
	if err != nil { // of a sign-in that cannot be written, such as one of the year 10000
		text = fmt.Appendf(nil, "%v", *s)
	}
	h := fnv.New64a()
	h.Write(text)
	return strconv.FormatUint(h.Sum64(), 36)
}

// page asks for one page, again where that may help. continues is whether
// address is a next link, followed the addresses asked for before.
func (r *reader) page(ctx context.Context, address string, continues bool, followed map[string]bool) (*signins.Page, []json.RawMessage, error) {
	losses, refusals, tries := 0, 0, 0
	for {
		page, raw, err := r.ask(ctx, address, followed)
		if err == nil {
			r.failures = 0
			return page, raw, nil
		}
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("graphsignins: %w", context.Cause(ctx))
		}
		what := judge(err, continues)
		switch what {
		case hopeless:
			return nil, nil, explain(err)
		case lost:
			if losses++; losses > 1 {
				return nil, nil, fmt.Errorf("%w: %w", errBrokenOff, err)
			}
		case denied:
			if refusals++; refusals >= maxDenied {
				return nil, nil, explain(err)
			}
		}
		tries++
		r.failures++
		wait, status := r.backOff(what, err), statusOf(err)
		if r.failures >= maxFailures || wait > longestWait {
			return nil, nil, explain(fmt.Errorf("gave up after %d failures in a row: %w", r.failures, err))
		}
		r.not = time.Now().Add(wait)
		if status == http.StatusTooManyRequests {
			r.limiter.hold(r.not)
		}
		switch {
		case what == storm && tries >= 2 && (continues || r.width > minWidth):
			return nil, nil, errStorm
		case what == transient && tries >= 3 && continues:
			return nil, nil, fmt.Errorf("%w: %w", errBrokenOff, err)
		}
	}
}

// backOff returns how long to wait after a failure.
func (r *reader) backOff(what outcome, err error) time.Duration {
	if wait := retryAfter(err); wait > 0 {
		return wait
	}
	first := time.Second
	if what == storm {
		first = 10 * time.Second // the time that the budget is for
	}
	wait := min(first<<min(r.failures-1, 10), 5*time.Minute)
	return wait + rand.N(wait/4)
}

// ask sends one request.
func (r *reader) ask(ctx context.Context, address string, followed map[string]bool) (*signins.Page, []json.RawMessage, error) {
	err := r.limiter.wait(ctx, r.not, func(until time.Time) {
		r.report(until)
	})
	if err != nil {
		return nil, nil, err
	}
	r.requests.Add(1)
	r.report(time.Time{})
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	response, err := r.client.Do(limited, graph.Request{Path: address, Once: true,
		Header: http.Header{"Prefer": {"include-unknown-enum-members"}}})
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no answer within %v: %w", r.timeout, context.DeadlineExceeded)
		}
		return nil, nil, err
	}
	page, err := signins.ReadPage(bytes.NewReader(response.Body))
	if err != nil {
		return nil, nil, err
	}
	if err := checkLink(page.NextLink, address, followed); err != nil {
		return nil, nil, err
	}
	var raw []json.RawMessage
	if r.raw {
		if raw, err = rawOf(response.Body, page); err != nil {
			return nil, nil, err
		}
	}
	return page, raw, nil
}

// checkLink finds next links that lead nowhere or in a circle.
func checkLink(next, address string, followed map[string]bool) error {
	if next == "" {
		return nil
	}
	if next == address || followed[next] {
		return fmt.Errorf("%w: it leads back", errLink)
	}
	u, err := url.Parse(next)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read", errLink)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("%w: its query cannot be read", errLink)
	}
	for _, name := range []string{"$skiptoken", "$skipToken"} {
		if token, ok := q[name]; ok && token[0] == "" {
			return fmt.Errorf("%w: its skip token is empty", errLink)
		}
	}
	return nil
}

// rawOf returns the records of a page as they came, those that SignIns holds.
func rawOf(body []byte, page *signins.Page) ([]json.RawMessage, error) {
	var wire struct {
		Value []json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, fmt.Errorf("%w: %w", signins.ErrNotPage, err)
	}
	if len(page.Errors) == 0 && len(wire.Value) == len(page.SignIns) {
		return wire.Value, nil
	}
	// Some are not among SignIns; those that are keep their order.
	raw := make([]json.RawMessage, len(page.SignIns))
	at := 0
	for _, value := range wire.Value {
		var has struct {
			ID string `json:"id"`
		}
		if at < len(raw) && json.Unmarshal(value, &has) == nil && has.ID == page.SignIns[at].ID {
			raw[at] = value
			at++
		}
	}
	if at < len(raw) {
		return nil, fmt.Errorf("%w: its records cannot be told apart", signins.ErrNotPage)
	}
	return raw, nil
}

// report tells how far it is.
func (r *reader) report(until time.Time) {
	if r.progress != nil {
		r.progress(Progress{Slice: r.slice, Records: r.records.Load(), Unreadable: r.unreadable.Load(), Requests: r.requests.Load(), WaitingUntil: until})
	}
}
