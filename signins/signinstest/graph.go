package signinstest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// A Row is a sign-in as the log of a [Graph] holds it.
type Row struct {
	signins.SignIn

	// Visible is when the row begins to be shown; if zero, it always is. Of
	// several rows with one ID, the one that became visible last is shown: logs
	// complete events after the fact.
	Visible time.Time
}

// A Graph is Microsoft Graph's auditLogs/signIns for a tenant, v1.0 and beta,
// and misbehaves as it is told to. It is an [http.Handler], and an
// [http.RoundTripper] that needs no network.
//
// It is strict: query options and parts of a $filter that it does not model
// are refused with 400. It models:
//   - $filter: comparisons joined by "and": createdDateTime ge, le, gt, lt, eq;
//     clientAppUsed, userId, appId, id eq; userPrincipalName and ipAddress eq and
//     startsWith; status/errorCode eq; signInEventTypes/any(t: t eq '…' or …) in
//     beta; and parentheses around comparisons of one property joined by "or"
//   - $orderby=createdDateTime, asc or desc; newest first without
//   - $top, 1 to 1000
//   - without a filter for event types, interactive sign-ins only
//   - without "Prefer: include-unknown-enum-members", values that are newer than
//     the enumeration become "unknownFutureValue"
//   - rows older than [Retention] are gone, and a filter for days more than 90
//     days ago is refused
//
// It does not model $select, $count, risk, and who is calling: any token is
// good, and none is. Its limits on requests are [Fault]s, not counted.
//
// A Graph must not be copied, and its fields not changed while it is in use.
type Graph struct {
	// Now tells the time. If nil, time.Now does.
	Now func() time.Time

	// Retention is how long rows are kept; 30 days if 0.
	Retention time.Duration

	// Fault, if not nil, is asked before every request for sign-ins what is to
	// go wrong with it: n counts these requests from 1. See [Schedule]. A fault
	// that cannot befall a request is not injected.
	Fault func(n int) Fault

	// Drip is the wait between two parts of a body that drips; 20 ms if 0.
	Drip time.Duration

	// RecordBytes makes records at least so long, as in [Tenant].
	RecordBytes int

	mu       sync.Mutex
	rows     []Row
	dirty    bool
	last     time.Time // when the last row becomes visible
	final    []int     // what is shown from then on
	encoded  map[encoding][]byte
	sessions map[string]*session
	order    []string // of sessions, the oldest first
	requests int
	injected map[Fault]int
	others   *http.ServeMux
	tokens   uint64
}

type encoding struct {
	row     int
	v1      bool
	members bool
}

// A session is a listing that was begun. Its tokens are "id.offset".
type session struct {
	id      string
	rows    []int // indices, in order
	top     int
	v1      bool
	members bool
	query   string
}

// maxSessions is how many listings can be read on at a time.
const maxSessions = 64

// NewGraph returns a Graph whose log holds what seq yields.
func NewGraph(seq iter.Seq[signins.SignIn]) *Graph {
	g := new(Graph)
	for s := range seq {
		g.rows = append(g.rows, Row{SignIn: s})
	}
	g.dirty = true
	return g
}

// GraphOf returns a Graph whose log is that of t.
func GraphOf(t *Tenant) *Graph {
	g := NewGraph(func(yield func(signins.SignIn) bool) {
		for s := range t.SignIns() {
			if !yield(s) {
				return
			}
		}
	})
	g.RecordBytes = t.RecordBytes
	return g
}

// Add adds rows to the log. It may be called at any time.
func (g *Graph) Add(rows ...Row) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows, g.dirty = append(g.rows, rows...), true
}

// Truth returns what the log shows at a time: each event once, by its ID, in
// the order of their times, whatever the retention.
func (g *Graph) Truth(at time.Time) []signins.SignIn {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []signins.SignIn
	for _, i := range g.shown(at) {
		all = append(all, g.rows[i].SignIn)
	}
	return all
}

// Handle lets h answer requests whose path matches pattern, such as
// "/v1.0/applications", as [http.ServeMux] has it: so that one tenant can be
// made of several fakes. It must not be called while the Graph is in use.
func (g *Graph) Handle(pattern string, h http.Handler) {
	if g.others == nil {
		g.others = http.NewServeMux()
	}
	g.others.Handle(pattern, h)
}

// Requests returns how many requests for sign-ins there were.
func (g *Graph) Requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.requests
}

// Injected returns how often each fault was injected.
func (g *Graph) Injected() map[Fault]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.injected)
}

// Start starts a server for g on a loopback address with a new port. The
// caller closes it.
func (g *Graph) Start() *httptest.Server { return httptest.NewServer(g) }

// RoundTrip implements [http.RoundTripper]: g answers, whatever the host. A
// connection that would break gives an error, and a drip waits in the caller's
// goroutine, so that it takes no time inside a bubble of testing/synctest.
func (g *Graph) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := &recorder{header: make(http.Header), status: http.StatusOK}
	aborted := w.serve(g, r)
	if aborted && !w.wrote {
		return nil, fmt.Errorf("signinstest: connection reset by peer: %w", io.ErrUnexpectedEOF)
	}
	if err := r.Context().Err(); err != nil && w.dripped {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(w.body.Bytes())
	length := int64(w.body.Len())
	if aborted {
		body, length = io.MultiReader(body, failingReader{}), -1
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A recorder is the response of RoundTrip in the making.
type recorder struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	wrote   bool
	dripped bool
}

func (w *recorder) Header() http.Header    { return w.header }
func (w *recorder) WriteHeader(status int) { w.status, w.wrote = status, true }
func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	return w.body.Write(b)
}
func (w *recorder) Flush() { w.dripped = true }

// serve reports whether the handler broke the connection.
func (w *recorder) serve(g *Graph, r *http.Request) (aborted bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			aborted = true
		}
	}()
	g.ServeHTTP(w, r)
	return false
}

// ServeHTTP answers requests for auditLogs/signIns, under /v1.0 and /beta, and
// hands others to whatever [Graph.Handle] set for them.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v1 := r.URL.Path == "/v1.0/auditLogs/signIns"
	switch {
	case !v1 && r.URL.Path != "/beta/auditLogs/signIns":
		if g.others != nil {
			if _, pattern := g.others.Handler(r); pattern != "" {
				g.others.ServeHTTP(w, r)
				return
			}
		}
		refuse(w, http.StatusNotFound, "UnknownError", "Resource not found for the segment: signinstest does not model "+r.URL.Path)
		return
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		return
	}
	g.mu.Lock()
	g.requests++
	n := g.requests
	g.mu.Unlock()
	fault := NoFault
	if g.Fault != nil {
		fault = g.Fault(n)
	}
	if respond := early[fault]; respond != nil {
		g.count(fault)
		respond(w)
		return
	}

	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", "The query cannot be read.")
		return
	}
	members := strings.Contains(strings.Join(r.Header.Values("Prefer"), ","), "include-unknown-enum-members")
	answer, refused := g.page(query, v1, members, fault, hostOf(r))
	if refused != nil {
		refuse(w, refused.status, refused.code, refused.message)
		return
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	switch fault {
	case Truncated: // and the connection closed as if that were all
		g.count(fault)
		w.Write(answer[:len(answer)*2/3])
	case Reset:
		g.count(fault)
		w.Write(answer[:len(answer)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	case SlowDrip:
		g.count(fault)
		g.drip(w, r, answer)
	default:
		w.Write(answer)
	}
}

// drip writes a body in forty parts with a wait between them.
func (g *Graph) drip(w http.ResponseWriter, r *http.Request, body []byte) {
	wait := g.Drip
	if wait == 0 {
		wait = 20 * time.Millisecond
	}
	for part := range slices.Chunk(body, len(body)/40+1) {
		w.Write(part)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			panic(http.ErrAbortHandler)
		}
	}
}

func (g *Graph) count(f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.injected == nil {
		g.injected = make(map[Fault]int)
	}
	g.injected[f]++
}

func hostOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	return scheme + "://" + host
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": message,
		"innerError": map[string]string{"request-id": guid(uint64(status), uint64(len(message)))}}})
}

type refusal struct {
	status        int
	code, message string
}

func badRequest(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

// page answers a request for a page.
func (g *Graph) page(query url.Values, v1, members bool, fault Fault, host string) ([]byte, *refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	count := func() {
		if g.injected == nil {
			g.injected = make(map[Fault]int)
		}
		g.injected[fault]++
	}
	var s *session
	offset := 0
	if token, continues := query["$skiptoken"]; continues {
		id, at, _ := strings.Cut(token[0], ".")
		switch {
		case fault == ExpiredToken:
			count()
			delete(g.sessions, id)
		case fault == NullToken:
			count()
			return nil, badRequest("Invalid Skip Token, skip token is null")
		}
		if token[0] == "" {
			return nil, badRequest("Invalid Skip Token, skip token is null")
		}
		var err error
		s = g.sessions[id]
		if offset, err = strconv.Atoi(at); s == nil || err != nil || offset < 0 || offset > len(s.rows) {
			return nil, badRequest("Invalid Skip Token, the skip token has expired")
		}
		if query.Del("$skiptoken"); query.Encode() != s.query || s.v1 != v1 {
			return nil, badRequest("Invalid Skip Token, the query has changed")
		}
	} else {
		var refused *refusal
		if s, refused = g.begin(query, v1); refused != nil {
			return nil, refused
		}
	}
	s.members = members
	rest := s.rows[offset:]
	take := min(s.top, len(rest))
	end := false
	switch {
	case fault == EmptyPage && len(rest) > 0:
		count()
		take = 0
	case fault == ShortPage && take > 1:
		count()
		take /= 2
	case fault == EarlyEnd && len(rest) > 1: // and nobody says so
		count()
		take, end = (take+1)/2, true
	}
	next := offset + take
	shown := slices.Clone(rest[:take])
	switch {
	case fault == Duplicates && take > 0: // rows of this page, and of the one before
		count()
		shown = append(shown, shown[:(take+2)/3]...)
		shown = append(shown, s.rows[max(0, offset-2):offset]...)
	case fault == OutOfOrder && len(rest) > 1:
		count()
		// The page's rows come in no order, and one changes places with a later one.
		later := min(offset+take+take/2, len(s.rows)-1)
		if later > offset {
			s.rows[offset], s.rows[later] = s.rows[later], s.rows[offset]
		}
		shown = slices.Clone(s.rows[offset:next])
		mixed := rand.New(rand.NewPCG(uint64(offset), 7))
		mixed.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	}
	var b bytes.Buffer
	version := "beta"
	if v1 {
		version = "v1.0"
	}
	fmt.Fprintf(&b, `{"@odata.context":"https://graph.microsoft.com/%s/$metadata#auditLogs/signIns"`, version)
	if next < len(s.rows) && !end {
		q := ""
		if s.query != "" {
			q = s.query + "&"
		}
		token := s.id + "." + strconv.Itoa(next)
		link := func(token string) string {
			return host + "/" + version + "/auditLogs/signIns?" + q + "$skiptoken=" + token
		}
		switch {
		case fault == RepeatedLink && offset > 0:
			count()
			token = s.id + "." + strconv.Itoa(offset)
			fallthrough
		default:
			quoted, _ := json.Marshal(link(token)) // a string always can be
			fmt.Fprintf(&b, `,"@odata.nextLink":%s`, quoted)
		case fault == EmptyTokenLink:
			count()
			quoted, _ := json.Marshal(link(""))
			fmt.Fprintf(&b, `,"@odata.nextLink":%s`, quoted)
		case fault == NullLink:
			count()
			b.WriteString(`,"@odata.nextLink":null`)
		}
	}
	b.WriteString(`,"value":[`)
	for i, row := range shown {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(g.encode(encoding{row, v1, members}))
	}
	b.WriteString("]}")
	return b.Bytes(), nil
}

// begin starts a listing.
func (g *Graph) begin(query url.Values, v1 bool) (*session, *refusal) {
	now := g.now()
	s := &session{top: 1000, v1: v1, query: query.Encode()}
	newest := true
	keep := func(r *signins.SignIn) bool { return true }
	typed := false
	for name, values := range query {
		value := values[0]
		switch {
		case len(values) > 1:
			return nil, badRequest("The query option %q comes twice", name)
		case name == "$top":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1000 {
				return nil, badRequest("Invalid value for $top: it must be between 1 and 1000")
			}
			s.top = n
		case name == "$orderby":
			by, direction, _ := strings.Cut(value, " ")
			if by != "createdDateTime" || direction != "" && direction != "asc" && direction != "desc" {
				return nil, badRequest("Invalid $orderby: %.60q", value)
			}
			newest = direction == "desc"
		case name == "$filter":
			f, err := parseFilter(value, now, v1)
			if err != nil {
				return nil, badRequest("Invalid filter clause: %v", err)
			}
			keep, typed = f.keep, f.typed
		default:
			return nil, badRequest("Query option %q is not modelled", name)
		}
	}
	oldest := now.Add(-g.retention())
	for _, i := range g.shown(now) {
		r := &g.rows[i].SignIn
		if r.Time.Before(oldest) || !typed && r.Category != signins.InteractiveUser || !keep(r) {
			continue
		}
		s.rows = append(s.rows, i)
	}
	if newest {
		slices.Reverse(s.rows)
	}
	g.tokens++
	sum := sha256.Sum256([]byte(strconv.FormatUint(g.tokens, 10)))
	s.id = hex.EncodeToString(sum[:8])
	if g.sessions == nil {
		g.sessions = make(map[string]*session)
	}
	g.sessions[s.id] = s
	g.order = append(g.order, s.id)
	if len(g.order) > maxSessions {
		delete(g.sessions, g.order[0])
		g.order = g.order[1:]
	}
	return s, nil
}

// shown returns the rows that are shown at a time, by their times.
func (g *Graph) shown(at time.Time) []int {
	if g.dirty {
		slices.SortStableFunc(g.rows, func(a, b Row) int { return a.Time.Compare(b.Time) })
		g.dirty, g.encoded, g.final = false, nil, nil
		clear(g.sessions)
		g.last = time.Time{}
		for i := range g.rows {
			if v := g.rows[i].Visible; v.After(g.last) {
				g.last = v
			}
		}
	}
	if g.final != nil && !at.Before(g.last) {
		return g.final
	}
	last := make(map[string]int, len(g.rows))
	for i := range g.rows {
		r := &g.rows[i]
		if r.Visible.After(at) {
			continue
		}
		if other, ok := last[r.ID]; ok && g.rows[other].Visible.After(r.Visible) {
			continue
		}
		last[r.ID] = i
	}
	shown := slices.Sorted(maps.Values(last))
	if !at.Before(g.last) {
		g.final = shown
	}
	return shown
}

func (g *Graph) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

func (g *Graph) retention() time.Duration {
	if g.Retention > 0 {
		return g.Retention
	}
	return 30 * 24 * time.Hour
}

// recentTokens are values of incomingTokenType that come after
// unknownFutureValue in the enumeration.
var recentTokens = []string{"refreshToken", "remoteDesktopToken"}

func (g *Graph) encode(e encoding) []byte {
	if text, ok := g.encoded[e]; ok {
		return text
	}
	s := g.rows[e.row].SignIn
	if !e.members && slices.Contains(recentTokens, s.IncomingTokenType) {
		s.IncomingTokenType = "unknownFutureValue"
	}
	f := signins.GraphBeta
	if e.v1 {
		f = signins.GraphV1
	}
	var o object
	o.WriteByte('{')
	(&Tenant{RecordBytes: g.RecordBytes}).graph(&o, &s, f)
	o.WriteByte('}')
	if g.encoded == nil {
		g.encoded = make(map[encoding][]byte)
	}
	if len(g.encoded) < 10_000 {
		g.encoded[e] = o.Bytes()
	}
	return o.Bytes()
}
