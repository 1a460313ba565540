// Package graph is the plumbing that every package over Microsoft Graph needs:
// requests and answers byte by byte, with throttling, retries and errors, in
// each cloud, either with a credential or through the request adapter that an
// embedder has already.
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

	"github.com/crossprem/crossprem"
)

// Options are the settings of a Client. The zero value is ready to use.
type Options struct {
	// Cloud is where the tenant lives. The zero value means worldwide.
	Cloud crossprem.Cloud

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
	adapter  abstractions.RequestAdapter
	endpoint *url.URL // scheme and host, and the path of a gateway before the version
	cloud    crossprem.Cloud
	tries    int
	maxWait  time.Duration
	waiting  func(Wait)
}

// New returns a client that signs in with credential, which must be one for
// the cloud of o: see [Authority]. It does not sign in yet.
func New(credential azcore.TokenCredential, o Options) (*Client, error) {
	if credential == nil {
		return nil, errors.New("graph: no credential")
	}
	address := Address(o.Cloud)
	if address == "" {
		return nil, fmt.Errorf("graph: no such cloud: %s", o.Cloud)
	}
	if o.Endpoint == "" {
		o.Endpoint = address
	}
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if endpoint.Path != "" {
		return nil, fmt.Errorf("graph: endpoint %.100q is not a scheme and a host", o.Endpoint)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	provider, err := kiotaauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		signIn{credential}, []string{address + "/.default"}, []string{endpoint.Hostname()})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		provider, nil, nil, &http.Client{
			Transport:     carrier{o.Transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	return newClient(adapter, endpoint, worldwide(o.Cloud), o), nil
}

// NewFromAdapter returns a client that sends through adapter, such as the
// GetAdapter() of a *msgraphsdkgo.GraphServiceClient: with its authentication,
// its middleware and its transport. The host is that of the adapter's base
// address, and Microsoft Graph's worldwide one if it has none yet. The adapter
// is not changed.
//
// What the adapter's own middleware of kiota would repeat or redirect is turned
// off for each request, because a write must not be sent twice. An adapter with
// other middleware that repeats must leave PATCH alone.
//
// Transport and Endpoint of o must be zero, since they are the adapter's. Cloud
// need not be set: it is known from the host, unless that is a gateway's.
func NewFromAdapter(adapter abstractions.RequestAdapter, o Options) (*Client, error) {
	if adapter == nil {
		return nil, errors.New("graph: no request adapter")
	}
	if o.Transport != nil || o.Endpoint != "" {
		return nil, errors.New("graph: the transport and the endpoint are those of the request adapter")
	}
	if Address(o.Cloud) == "" {
		return nil, fmt.Errorf("graph: no such cloud: %s", o.Cloud)
	}
	address := adapter.GetBaseUrl()
	if address == "" {
		address = Address(o.Cloud)
	}
	endpoint, err := parseEndpoint(address)
	if err != nil {
		return nil, err
	}
	for _, version := range []string{"/v1.0", "/beta"} {
		endpoint.Path = strings.TrimSuffix(endpoint.Path, version)
	}
	cloud := o.Cloud
	if known := cloudOf(endpoint.String()); known != crossprem.CloudUnknown {
		if cloud != crossprem.CloudUnknown && cloud != known {
			return nil, fmt.Errorf("graph: the request adapter is for the cloud %s, not %s", known, cloud)
		}
		cloud = known
	}
	return newClient(adapter, endpoint, cloud, o), nil
}

func newClient(adapter abstractions.RequestAdapter, endpoint *url.URL, cloud crossprem.Cloud, o Options) *Client {
	if o.Tries <= 0 {
		o.Tries = 5
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 5 * time.Minute
	}
	return &Client{adapter: adapter, endpoint: endpoint, cloud: cloud, tries: o.Tries, maxWait: o.MaxWait, waiting: o.Waiting}
}

// parseEndpoint reads the address of a Microsoft Graph, without a final slash.
func parseEndpoint(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.RawPath != "" {
		return nil, fmt.Errorf("graph: endpoint %.100q is not a scheme and a host", address)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("graph: endpoint %.100q is not HTTPS", address)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Cloud returns the cloud that is spoken to, and CloudUnknown for an adapter
// whose host is not Microsoft Graph's.
func (c *Client) Cloud() crossprem.Cloud { return c.cloud }

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
