package authinspect

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds on what a server may send.
const (
	maxHeader = 64 << 10 // one challenge may have 8 KiB
	maxBody   = 1 << 20  // of the documents that are read
	maxDrain  = 16 << 10 // of the bodies that are not, to keep the connection
)

// Inspect asks the URL target with the settings of the zero [Inspector].
func Inspect(ctx context.Context, target string) (*Result, error) {
	return new(Inspector).Inspect(ctx, target)
}

// Inspect asks the URL target, which begins with https:// or http://, in the
// steps that [Step] lists: the first ones at the same time, NTLM after it was
// offered. It speaks HTTP/1.1, as NTLM needs, follows no redirect and keeps
// no cookie. A step without an answer is told in the result.
//
// Errors wrap [ErrBadTarget], [ErrNotAllowed] or are an [*UnreachableError].
func (in *Inspector) Inspect(ctx context.Context, target string) (*Result, error) {
	s := in.newSession()
	defer s.close()
	return s.inspect(ctx, target)
}

// A session holds the connections of one inspection, or of one organization.
type session struct {
	*Inspector
	slots  chan struct{}
	loose  *http.Transport // takes any chain and tells what it thinks of it
	strict *http.Transport // for the request that names the mailbox

	guarded  sync.Map     // hosts whose addresses have to be of the Internet
	requests atomic.Int64 // that were sent
}

func (in *Inspector) newSession() *session {
	s := &session{Inspector: in, slots: make(chan struct{}, in.concurrency())}
	s.loose, s.strict = s.transport(false), s.transport(true)
	return s
}

func (s *session) close() {
	s.loose.CloseIdleConnections()
	s.strict.CloseIdleConnections()
}

func (s *session) transport(strict bool) *http.Transport {
	config := &tls.Config{
		NextProtos: []string{"http/1.1"},
		// Old servers are what we look for, and nothing secret is sent.
		MinVersion:   tls.VersionTLS10,
		CipherSuites: everySuite(),
		RootCAs:      s.Roots,
		Time:         s.Now,
		// Otherwise chains are judged from the state of the connection, so
		// that an untrusted one can be reported.
		InsecureSkipVerify: !strict,
	}
	return &http.Transport{
		DialContext:            s.dial,
		Proxy:                  s.Proxy,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    s.timeout(),
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // no HTTP/2
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		// A server that sends a second response on an idle connection would
		// make net/http write it into the default log.
		DisableKeepAlives: true,
	}
}

// check parses target, converts its host to ASCII, and reports whether it may
// be asked.
func (in *Inspector) check(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %s is no URL", ErrBadTarget, quoteTarget(target))
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, fmt.Errorf("%w: %s is no http or https URL", ErrBadTarget, quoteTarget(target))
	case u.User != nil:
		return nil, fmt.Errorf("%w: a user name stands in the URL of %s; nobody signs in here", ErrBadTarget, shorten(u.Host))
	}
	u, ok := asciiURL(u)
	if !ok {
		return nil, fmt.Errorf("%w: the host of %s cannot be converted by RFC 5891", ErrBadTarget, quoteTarget(target))
	}
	if in.Allow != nil {
		if err := in.Allow(u); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNotAllowed, u.Redacted(), err)
		}
	}
	return u, nil
}

func (s *session) inspect(ctx context.Context, target string) (*Result, error) {
	u, err := s.check(target)
	if err != nil {
		return nil, err
	}
	at := s.now()
	steps := []Step{StepAnonymous, StepEmptyBearer}
	if s.Mailbox != "" && u.Scheme == "https" {
		steps = append(steps, StepMailbox)
	}
	answers := make([]Answer, len(steps))
	secured := make([]*TLS, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() { answers[i], secured[i] = s.ask(ctx, u, step, "") })
	}
	wg.Wait()
	if !slices.ContainsFunc(answers, func(a Answer) bool { return a.Status != 0 }) {
		return nil, &UnreachableError{Target: target, Err: answers[0].Err}
	}
	if scheme := offersNTLM(answers); scheme != "" && !s.SkipNTLM {
		answer, _ := s.ask(ctx, u, StepNTLM, scheme.String()+" "+ntlmNegotiate)
		answers = append(answers, answer)
	}
	r := Conclude(target, s.Mailbox, answers...)
	r.At, r.Also = at, otherForm(target)
	for _, t := range secured {
		if t != nil && (r.TLS == nil || r.TLS.Trusted && !t.Trusted) {
			r.TLS = t
		}
	}
	if s.Mailbox != "" && u.Scheme != "https" {
		r.Warnings = append(r.Warnings, "the mailbox was not named: it is sent over TLS only")
	}
	return r, nil
}

// offersNTLM returns the scheme by which to ask for the NTLM challenge, or "".
func offersNTLM(answers []Answer) Scheme {
	var found Scheme
	for _, a := range answers {
		challenges, _ := ParseChallenges(a.Header)
		for _, ch := range challenges {
			if ch.Scheme == NTLM || ch.Scheme == Negotiate && found == "" {
				found = ch.Scheme
			}
		}
	}
	return found
}

// ask sends one request. The authorization is used by [StepNTLM] alone.
func (s *session) ask(ctx context.Context, u *url.URL, step Step, authorization string) (Answer, *TLS) {
	header := http.Header{}
	transport := s.loose
	switch step {
	case StepEmptyBearer:
		header.Set("Authorization", "Bearer")
	case StepMailbox:
		header.Set("Authorization", "Bearer")
		header.Set("X-User-Identity", s.Mailbox)
		transport = s.strict
	case StepNTLM:
		header.Set("Authorization", authorization)
	}
	answer := Answer{Step: step}
	resp, _, err := s.get(ctx, transport, u, header, 0)
	answer.At = s.now()
	if err != nil {
		answer.Err = err
		return answer, nil
	}
	answer.Status, answer.Header = resp.StatusCode, resp.Header
	if resp.TLS == nil {
		return answer, nil
	}
	distrust := s.distrust(*resp.TLS, u.Hostname())
	return answer, newTLS(*resp.TLS, distrust)
}

// get sends a GET and reads up to limit bytes of the body.
func (s *session) get(ctx context.Context, transport *http.Transport, u *url.URL, header http.Header, limit int64) (*http.Response, []byte, error) {
	return s.send(ctx, transport, http.MethodGet, u, header, "", limit)
}

// send sends one request and reads up to limit bytes of the body of its
// answer.
func (s *session) send(ctx context.Context, transport *http.Transport, method string, u *url.URL, header http.Header, content string, limit int64) (*http.Response, []byte, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	header.Set("User-Agent", "crossprem-authinspect")
	req := (&http.Request{Method: method, URL: u, Header: header, Host: u.Host}).WithContext(ctx)
	if method == http.MethodPost {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(content)), int64(len(content))
		if content == "" {
			req.Body = http.NoBody
		}
	}
	s.requests.Add(1)
	// The transport follows no redirect, keeps no cookie and adds no password,
	// as a client would.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if limit == 0 {
		// A rest that does not fit is left; closing ends the connection then.
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		return resp, nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("the body of %s has more than %d bytes", u.Redacted(), limit)
	}
	return resp, body, err
}
