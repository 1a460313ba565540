// Package graph is the plumbing that every package over Microsoft Graph needs:
// from a credential to the request adapter of Microsoft's SDK, in each cloud,
// with throttling, retries and errors, and with bodies that are sent and
// returned byte by byte.
//
// The SDK's models are not used. Some of them change what they carry: a key
// that was fetched goes back as {}, an identifier of 40 hexadecimal digits is
// decoded as if it were base64, a date without a zone becomes local time.
// They also take minutes to compile. What a package asks for is a path, and
// what it gets is JSON.
//
// A token goes to the host of the cloud and nowhere else, redirects are not
// followed, and no error holds a token or a body.
package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	kiotaauth "github.com/microsoft/kiota-authentication-azure-go"
	kiotahttp "github.com/microsoft/kiota-http-go"
)

// maxBody is the length of an answer that is read.
const maxBody = 64 << 20

// Options are the settings of a Client. The zero value is ready to use.
type Options struct {
	Cloud Cloud // where the tenant lives

	// Transport sends the requests. If nil, http.DefaultTransport does.
	Transport http.RoundTripper

	// Endpoint replaces the address of the cloud's Microsoft Graph, such as
	// "http://127.0.0.1:8080" for a fake. Outside loopback it must be HTTPS.
	Endpoint string

	// Tries is how often a request is sent at most, 5 if zero.
	Tries int

	// MaxWait is the longest wait between two tries, 5 minutes if zero. An
	// answer that asks for more is returned as an error.
	MaxWait time.Duration

	// Waiting is called before every wait, if it is not nil, by whichever
	// goroutine makes the request.
	Waiting func(Wait)
}

// A Wait tells why a request is not answered yet.
type Wait struct {
	For    time.Duration // how long it is going to be
	Try    int           // how often the request was sent so far
	Status int           // the answer to the last try; 0 if there was none
}

// A Client speaks to Microsoft Graph. It may be used by several goroutines.
type Client struct {
	adapter  *kiotahttp.NetHttpRequestAdapter
	endpoint *url.URL // scheme and host
}

// New returns a client that signs in with credential, which must be one for
// the cloud of o: see [Cloud.Authority]. It does not sign in yet.
func New(credential azcore.TokenCredential, o Options) (*Client, error) {
	if credential == nil {
		return nil, errors.New("graph: no credential")
	}
	if o.Cloud.Graph() == "" {
		return nil, fmt.Errorf("graph: no such cloud: %s", o.Cloud)
	}
	if o.Endpoint == "" {
		o.Endpoint = o.Cloud.Graph()
	}
	endpoint, err := url.Parse(strings.TrimSuffix(o.Endpoint, "/"))
	if err != nil || endpoint.Host == "" || endpoint.Path != "" || endpoint.RawQuery != "" || endpoint.User != nil {
		return nil, fmt.Errorf("graph: endpoint %.100q is not a scheme and a host", o.Endpoint)
	}
	if endpoint.Scheme != "https" && (endpoint.Scheme != "http" || !loopback(endpoint.Hostname())) {
		return nil, fmt.Errorf("graph: endpoint %.100q is not HTTPS", o.Endpoint)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Tries <= 0 {
		o.Tries = 5
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 5 * time.Minute
	}
	provider, err := kiotaauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		signIn{credential}, []string{o.Cloud.Graph() + "/.default"}, []string{endpoint.Hostname()})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		provider, nil, nil, &http.Client{
			Transport:     &retrier{next: o.Transport, tries: o.Tries, maxWait: o.MaxWait, waiting: o.Waiting},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	adapter.SetBaseUrl(endpoint.String() + "/v1.0")
	return &Client{adapter: adapter, endpoint: endpoint}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// signIn marks the errors of a credential.
type signIn struct{ azcore.TokenCredential }

func (s signIn) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := s.TokenCredential.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, &SignInError{Err: err}
	}
	if token.Token == "" {
		return azcore.AccessToken{}, &SignInError{Err: errors.New("the credential gave an empty token")}
	}
	return token, nil
}

// Adapter returns the request adapter for the request builders of the SDK.
// Its base address is that of v1.0.
func (c *Client) Adapter() abstractions.RequestAdapter { return c.adapter }

// A Request is one request to Microsoft Graph.
type Request struct {
	Method string      // GET if empty
	Path   string      // such as "/v1.0/organization?$select=id", or a whole address that Graph gave, an @odata.nextLink
	Header http.Header // besides those for authentication; may be nil
	Body   []byte      // JSON, sent as it is; nil for none
	Once   bool        // send it a single time, whatever the answer
}

// Do sends a request and returns the body of the answer, which may be empty.
//
// A request to read is repeated after 429, 502, 503, 504 and when the
// connection fails; any other after 429 alone, since it is unknown whether
// the rest took effect. It waits as the answer asks, and until ctx is done.
// Whoever must look again before each write sets Once.
//
// The error is a [*SignInError] if there was no token and nothing was sent,
// and an [*Error] if Graph answered. With any other error, the outcome of a
// write is unknown.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
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
	info := abstractions.NewRequestInformation()
	info.Method = method
	info.SetUri(*address)
	info.Headers.TryAdd("Accept", "application/json")
	for name, values := range r.Header {
		for _, value := range values {
			info.Headers.Add(name, value)
		}
	}
	if r.Body != nil {
		info.SetStreamContentAndContentType(r.Body, "application/json")
	}
	if r.Once {
		ctx = context.WithValue(ctx, onceKey{}, true)
	}
	return c.Send(ctx, info)
}

// onceKey marks the context of a request that is not repeated.
type onceKey struct{}

var methods = map[string]abstractions.HttpMethod{
	http.MethodGet: abstractions.GET, http.MethodPost: abstractions.POST, http.MethodPatch: abstractions.PATCH,
	http.MethodPut: abstractions.PUT, http.MethodDelete: abstractions.DELETE,
}

// Get reads path, as [Client.Do] does.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.Do(ctx, Request{Path: path})
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

// Send sends what a request builder of the SDK made, such as
// ToGetRequestInformation, and returns the body of the answer as it came. It
// is otherwise like [Client.Do].
func (c *Client) Send(ctx context.Context, info *abstractions.RequestInformation) ([]byte, error) {
	var (
		body   []byte
		failed error
	)
	handler := abstractions.NewRequestHandlerOption()
	handler.SetResponseHandler(func(r any, _ abstractions.ErrorMappings) (any, error) {
		response, ok := r.(*http.Response)
		if !ok || response == nil {
			return nil, errors.New("graph: no answer")
		}
		defer response.Body.Close()
		body, failed = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
		if response.StatusCode < 200 || response.StatusCode > 299 {
			path := ""
			if address, err := info.GetUri(); err == nil {
				path = address.Path
			}
			failed = errorOf(info.Method.String(), path, response, body)
		} else if failed == nil && len(body) > maxBody {
			failed = errTooLong
		}
		return nil, nil
	})
	info.AddRequestOptions([]abstractions.RequestOption{handler})
	_, err := c.adapter.Send(ctx, info, nil, nil)
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, plain(err)
	}
	return body, nil
}

// plain takes the address, the query of which may name a user, out of an
// error of net/http.
func plain(err error) error {
	var (
		answered  *Error
		signIn    *SignInError
		transport *url.Error
	)
	switch {
	case errors.As(err, &answered), errors.As(err, &signIn), errors.Is(err, errTooLong):
		return err
	case errors.As(err, &transport):
		return fmt.Errorf("graph: %s: %w", strings.ToUpper(transport.Op), transport.Err)
	}
	return fmt.Errorf("graph: %w", err)
}
