package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// A retrier repeats requests that were not answered, or turned away. The one
// of the SDK also repeats a write after 503 and 504, where it is not known
// whether it took effect, and has no bound on the wait but a fixed number.
type retrier struct {
	next    http.RoundTripper
	tries   int
	maxWait time.Duration
	waiting func(Wait)
}

// firstWait is the wait after the first try, if the answer asks for none. It
// doubles with each try.
const firstWait = time.Second

// RoundTrip implements http.RoundTripper.
func (r *retrier) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		body, err = io.ReadAll(request.Body)
		request.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	tries := r.tries
	if request.Context().Value(onceKey{}) != nil {
		tries = 1
	}
	reads := request.Method == http.MethodGet || request.Method == http.MethodHead
	for try := 1; ; try++ {
		attempt := request.Clone(request.Context())
		if body != nil {
			attempt.ContentLength = int64(len(body))
			attempt.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			attempt.Body, _ = attempt.GetBody()
		}
		response, err := r.next.RoundTrip(attempt)
		if response != nil {
			disarm(response)
		}
		wait, again := r.after(try, reads, response, err)
		if !again || try >= tries || request.Context().Err() != nil {
			return response, err
		}
		status := 0
		if response != nil {
			status = response.StatusCode
			_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
			response.Body.Close()
		}
		if r.waiting != nil {
			r.waiting(Wait{For: wait, Try: try, Status: status})
		}
		if err := sleep(request.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// after tells whether to try again, and after how long a wait.
func (r *retrier) after(try int, reads bool, response *http.Response, err error) (time.Duration, bool) {
	wait := firstWait << min(try-1, 10)
	wait += rand.N(wait / 4)
	switch {
	case err != nil:
		return min(wait, r.maxWait), reads
	case response.StatusCode == http.StatusTooManyRequests:
	case response.StatusCode == http.StatusBadGateway, response.StatusCode == http.StatusServiceUnavailable, response.StatusCode == http.StatusGatewayTimeout:
		if !reads {
			return 0, false
		}
	default:
		return 0, false
	}
	if asked := retryAfter(response.Header, time.Now()); asked > 0 {
		return asked, asked <= r.maxWait
	}
	return min(wait, r.maxWait), true
}

// disarm takes away a challenge that the adapter cannot read: it panics on
// claims that are not in quotes, and forgets the answer over claims that are
// not base64. What remains is a plain 401.
func disarm(response *http.Response) {
	challenge := response.Header.Get("WWW-Authenticate")
	const scheme = "Bearer "
	if len(challenge) > len(scheme) && strings.EqualFold(challenge[:len(scheme)-1], scheme[:len(scheme)-1]) {
		challenge = challenge[len(scheme):]
	}
	for parameter := range strings.SplitSeq(challenge, ",") {
		if !strings.HasPrefix(strings.TrimSpace(parameter), "claims") {
			continue
		}
		parts := strings.Split(parameter, `"`)
		if len(parts) == 3 {
			if _, err := base64.StdEncoding.DecodeString(parts[1]); err == nil {
				continue
			}
		}
		response.Header.Del("WWW-Authenticate")
		return
	}
}

// sleep waits for d, or until ctx is done and returns why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
