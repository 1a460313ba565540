package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// firstWait is the wait after the first try, if the answer asks for none. It
// doubles with each try.
const firstWait = time.Second

// after reports whether to try again after an error, and after how long a
// wait.
func (c *Client) after(try int, reads bool, err error) (time.Duration, bool) {
	wait := firstWait << min(try-1, 10)
	wait += rand.N(wait / 4)
	var (
		signIn   *SignInError
		answered *Error
	)
	switch {
	case errors.As(err, &signIn), errors.Is(err, errTooLong):
		return 0, false
	case !errors.As(err, &answered):
		return min(wait, c.maxWait), reads
	}
	switch answered.Status {
	case http.StatusTooManyRequests:
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if !reads {
			return 0, false
		}
	default:
		return 0, false
	}
	if answered.RetryAfter > 0 {
		return answered.RetryAfter, answered.RetryAfter <= c.maxWait
	}
	return min(wait, c.maxWait), true
}

// A carrier sends the requests of an adapter that is ours.
type carrier struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. The body can be read again, so that
// net/http may use another connection where this one was closed before
// anything was sent.
func (c carrier) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		request.Body.Close()
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.ContentLength = int64(len(body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body, _ = request.GetBody()
	}
	response, err := c.next.RoundTrip(request)
	if response != nil {
		disarm(response)
	}
	return response, err
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
