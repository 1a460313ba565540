package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	kiotahttp "github.com/microsoft/kiota-http-go"
)

// maxBody is the length of an answer that is read.
const maxBody = 64 << 20

// A Request is one request to Microsoft Graph.
type Request struct {
	Method string      // GET if empty
	Path   string      // such as "/v1.0/organization?$select=id", or a whole address that Graph gave, an @odata.nextLink
	Header http.Header // besides those for authentication, such as Prefer; may be nil
	Body   []byte      // JSON, sent as it is; nil for none
	Once   bool        // send it a single time, whatever the answer
}

// A Response is an answer that is a success: its status is 200 to 299.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // whole, as it came after decompression; may be empty
}

var methods = map[string]abstractions.HttpMethod{
	http.MethodGet: abstractions.GET, http.MethodPost: abstractions.POST, http.MethodPatch: abstractions.PATCH,
	http.MethodPut: abstractions.PUT, http.MethodDelete: abstractions.DELETE,
}

// Get reads path, as [Client.Do] does, and returns the body of the answer.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	response, err := c.Do(ctx, Request{Path: path})
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// Do sends a request.
//
// A request to read is repeated after 429, 502, 503, 504 and when the
// connection fails; any other after 429 alone, since it is unknown whether
// the rest took effect. It waits as the answer asks, and until ctx is done.
// Whoever must look again before each write, or waits by himself, sets Once.
//
// The error is a [*SignInError] if there was no token and nothing was sent,
// and an [*Error] if Graph answered. With any other error, the outcome of a
// write is unknown.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	method, ok := methods[r.Method]
	if !ok {
		return nil, fmt.Errorf("graph: method %.20q is not used", r.Method)
	}
	address, err := c.address(r.Path)
	if err != nil {
		return nil, err
	}
	tries := c.tries
	if r.Once {
		tries = 1
	}
	for try := 1; ; try++ {
		response, err := c.send(ctx, method, *address, r)
		if err == nil {
			return response, nil
		}
		wait, again := c.after(try, r.Method == http.MethodGet, err)
		if !again || try >= tries || ctx.Err() != nil {
			return nil, err
		}
		if c.waiting != nil {
			w := Wait{For: wait, Try: try}
			var answered *Error
			if errors.As(err, &answered) {
				w.Status = answered.Status
			}
			c.waiting(w)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
	}
}

// address returns the whole address of a path. It must be one to which the
// token may go.
func (c *Client) address(path string) (*url.URL, error) {
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		path = c.endpoint.String() + path
	}
	u, err := url.Parse(path)
	if err != nil {
		return nil, errors.New("graph: the path cannot be read") // the error of url quotes it
	}
	if u.Scheme != c.endpoint.Scheme || !strings.EqualFold(u.Host, c.endpoint.Host) || u.User != nil {
		return nil, errForeign
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// send sends a request a single time. Each try is made anew, because the
// adapter leaves its token in the request.
func (c *Client) send(ctx context.Context, method abstractions.HttpMethod, address url.URL, r Request) (*Response, error) {
	info := abstractions.NewRequestInformation()
	info.Method = method
	info.SetUri(address)
	for name, values := range r.Header {
		for _, value := range values {
			info.Headers.Add(name, value)
		}
	}
	info.Headers.TryAdd("Accept", "application/json")
	if r.Body != nil {
		info.SetStreamContentAndContentType(r.Body, "application/json")
		info.Headers.Add("Content-Length", strconv.Itoa(len(r.Body))) // else the adapter sends it in chunks
	}
	var (
		answer *Response
		failed error
	)
	handler := abstractions.NewRequestHandlerOption()
	handler.SetResponseHandler(func(native any, _ abstractions.ErrorMappings) (any, error) {
		response, ok := native.(*http.Response)
		if !ok || response == nil {
			return nil, nil
		}
		answer, failed = receive(r.Method, address.Path, response)
		return nil, nil
	})
	info.AddRequestOptions([]abstractions.RequestOption{handler, once, stay})
	if err := c.adapt(ctx, info); err != nil {
		return nil, plain(err)
	}
	if answer == nil && failed == nil {
		return nil, errors.New("graph: the request adapter did not hand over an answer")
	}
	return answer, failed
}

// The adapter's own middleware: it repeats writes after 503 and 504, where it
// is not known whether they took effect, and takes MaxRetries of zero for
// three; and it follows redirects to anywhere.
var (
	once = &kiotahttp.RetryHandlerOptions{ShouldRetry: func(time.Duration, int, *http.Request, *http.Response) bool { return false }}
	stay = &kiotahttp.RedirectHandlerOptions{ShouldRedirect: func(*http.Request, *http.Response) bool { return false }}
)

// adapt hands a request to the adapter. That of kiota panics on a challenge
// with claims that are not in quotes; whatever panics, it is not known what
// became of the request.
func (c *Client) adapt(ctx context.Context, info *abstractions.RequestInformation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the request adapter panicked: %s", oneLine(fmt.Sprint(p)))
		}
	}()
	_, err = c.adapter.Send(ctx, info, nil, nil)
	return err
}

// receive reads an answer whole.
func receive(method, path string, response *http.Response) (*Response, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return nil, errorOf(method, path, response, body)
	case err != nil:
		return nil, plain(err)
	case len(body) > maxBody:
		return nil, errTooLong
	}
	return &Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// plain takes the address, the query of which may name a user, out of an
// error of net/http, and tells a failure to sign in from one to send.
func plain(err error) error {
	var (
		signIn     *SignInError
		transport  *url.Error
		credential interface {
			error
			NonRetriable() // as the errors of azidentity have it
		}
	)
	switch {
	case errors.As(err, &signIn):
		return err
	case errors.As(err, &transport):
		return fmt.Errorf("graph: %s: %w", strings.ToUpper(transport.Op), transport.Err)
	case errors.As(err, &credential):
		return &SignInError{Err: err}
	}
	return fmt.Errorf("graph: %w", err)
}
