package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// An Error reports that Microsoft Graph answered, and refused or failed.
// Asking again may help with a Status of 429 or of 500 and above.
type Error struct {
	Method     string        // of the request
	Path       string        // of the request, without its query
	Status     int           // of HTTP
	Code       string        // error.code, such as "Authorization_RequestDenied"
	Message    string        // error.message, in one line, without tokens
	RequestID  string        // to be told to Microsoft's support
	RetryAfter time.Duration // as asked for; zero if it was not told
}

// Error returns one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph: %s %s: HTTP %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		b.WriteString(" (request " + e.RequestID + ")")
	}
	return b.String()
}

// A SignInError reports that there was no token, and so that nothing was sent
// to Microsoft Graph. Its text is the first line of Err.
type SignInError struct{ Err error }

func (e *SignInError) Error() string {
	first, _, _ := strings.Cut(e.Err.Error(), "\n")
	return "graph: sign in: " + oneLine(first)
}

// Unwrap returns the error of the credential, which may have more to tell.
func (e *SignInError) Unwrap() error { return e.Err }

// errorOf makes an Error of an answer.
func errorOf(method, path string, response *http.Response, body []byte) *Error {
	e := &Error{
		Method: method, Path: path, Status: response.StatusCode,
		RequestID:  oneLine(response.Header.Get("request-id")),
		RetryAfter: retryAfter(response.Header, time.Now()),
	}
	var wire struct {
		Error struct {
			Code       string `json:"code"`
			Message    string `json:"message"`
			InnerError struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &wire) == nil {
		e.Code, e.Message = oneLine(wire.Error.Code), oneLine(wire.Error.Message)
		if e.RequestID == "" {
			e.RequestID = oneLine(wire.Error.InnerError.RequestID)
		}
	}
	return e
}

// retryAfter returns how long the answer asks to wait, which it tells in
// seconds or as a date (RFC 9110, section 10.2.3). It is zero if it does not,
// and some decades if it asks for more.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second // the largest number, if out of range
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// token is what a JWT looks like; some messages quote the one they refuse.
var token = regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{8,}(\.[A-Za-z0-9_\-]*)*`)

// oneLine makes text of the directory fit for a line of a report.
func oneLine(s string) string {
	s = token.ReplaceAllString(s, "(token)")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > 500 {
		s = string(runes[:500]) + "…"
	}
	return s
}

var (
	errForeign = errors.New("graph: the address is not one of this Microsoft Graph; no token is sent there")
	errTooLong = fmt.Errorf("graph: the answer is longer than %d MiB", maxBody>>20)
)
