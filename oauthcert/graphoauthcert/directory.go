// Package graphoauthcert is the directory of package oauthcert over Microsoft
// Graph: it reads and writes the keys and names of one application or service
// principal.
//
// What it sends is what package oauthcert decided, byte by byte. It uses the
// request adapter of Microsoft's SDK and none of its models: with those, a key
// that was fetched goes back as {}, and an identifier of 40 hexadecimal digits
// is decoded as if it were base64.
//
// Reading needs the permission Application.Read.All. Writing needs
// Application.ReadWrite.All, or Application.ReadWrite.OwnedBy for an
// application that owns the object; a user needs a role such as Application
// Administrator besides.
package graphoauthcert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	abstractions "github.com/microsoft/kiota-abstractions-go"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/graph"
	"github.com/crossprem/crossprem/oauthcert"
)

// Authority returns the address at which Entra ID signs in for a cloud,
// without a final slash: what a credential of azidentity wants as its
// ActiveDirectoryAuthorityHost. It is "" for a value that is none of the
// constants. The zero value means worldwide.
func Authority(c crossprem.Cloud) string { return graph.Authority(c) }

// A SignInError reports that the credential gave no token, and so that nothing
// was sent. Its field Err is the error of the credential.
type SignInError = graph.SignInError

// Options are the settings of a Directory. The zero value is for the worldwide
// cloud.
type Options struct {
	// Cloud is where the tenant lives. The zero value means worldwide.
	Cloud crossprem.Cloud

	// Transport sends the requests. If nil, http.DefaultTransport does.
	Transport http.RoundTripper

	// Endpoint replaces the address of the cloud's Microsoft Graph, such as
	// "http://127.0.0.1:8080" for a fake. Outside loopback it must be HTTPS.
	Endpoint string
}

// A Directory is an [oauthcert.Directory]. It may be used by several
// goroutines.
type Directory struct{ client *graph.Client }

var _ oauthcert.Directory = (*Directory)(nil)

// New returns the directory of the tenant into which credential signs in. Any
// credential of the module azidentity will do, if it was made for the same
// cloud:
//
//	azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
//		TenantID:      tenant,
//		ClientOptions: azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: graphoauthcert.Authority(crossprem.China21Vianet)}},
//	})
//
// New signs in to nothing yet.
func New(credential azcore.TokenCredential, o Options) (*Directory, error) {
	client, err := graph.New(credential, graph.Options{Cloud: o.Cloud, Transport: o.Transport, Endpoint: o.Endpoint})
	if err != nil {
		return nil, err
	}
	return &Directory{client}, nil
}

// NewFromAdapter returns the directory to which a request adapter of kiota
// speaks, such as the GetAdapter() of a *msgraphsdkgo.GraphServiceClient: with
// its authentication, its middleware and its transport. The adapter is not
// changed.
//
// The adapter's own middleware of kiota would send a write again after 503 and
// 504, when it may have taken effect, and follow redirects: both are turned off
// for each request of ours. Other middleware of the embedder's that repeats
// requests must leave PATCH alone.
func NewFromAdapter(adapter abstractions.RequestAdapter) (*Directory, error) {
	client, err := graph.NewFromAdapter(adapter, graph.Options{})
	if err != nil {
		return nil, err
	}
	return &Directory{client}, nil
}

// Read implements [oauthcert.Directory]. It asks for one object, with its keys
// selected, which is the only way to be shown their values. After 429, 502,
// 503, 504 and a broken connection it asks again, up to five times.
//
// The error is a [*oauthcert.DirectoryError] if the directory refused, or
// could not be signed in to: then it has the status 401, and holds a
// [*SignInError] as well.
func (d *Directory) Read(ctx context.Context, target oauthcert.Target) (*oauthcert.Object, error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	body, err := d.client.Get(ctx, address(target)+"?$select="+strings.Join(target.Kind.Select(), ","))
	if err != nil {
		return nil, explain(err)
	}
	object, err := oauthcert.ParseObject(target.Kind, body)
	if err != nil {
		return nil, fmt.Errorf("graphoauthcert: %s: %w", target, err)
	}
	switch {
	case target.ID != "" && !strings.EqualFold(object.ID, target.ID),
		target.ID == "" && !strings.EqualFold(object.AppID, target.AppID):
		return nil, fmt.Errorf("graphoauthcert: %s: the directory answered with another object, %s", target, object.ID)
	case object.Keys == nil:
		return nil, fmt.Errorf("graphoauthcert: %s: the directory did not show the keys", target)
	case target.Kind == oauthcert.ServicePrincipal && object.Names == nil:
		return nil, fmt.Errorf("graphoauthcert: %s: the directory did not show the names", target)
	}
	return object, nil
}

// address returns the path of an object. A Target holds a GUID and nothing
// else, once it is checked.
func address(target oauthcert.Target) string { return "/v1.0/" + target.String() }

// WriteKeys implements [oauthcert.Directory]. The request is sent once: after
// a refusal for too many requests, the object must be read again before it is
// written.
//
// An entry that has neither a key nor the id of one would make an empty entry
// of a key that is to be kept. It is an error, and nothing is sent.
func (d *Directory) WriteKeys(ctx context.Context, target oauthcert.Target, keys []oauthcert.KeyCredential) error {
	if keys == nil {
		return fmt.Errorf("graphoauthcert: no keys were given, not even an empty list; %w", oauthcert.ErrNotSent)
	}
	for i, k := range keys {
		if k.Key == nil && k.KeyID == "" {
			return fmt.Errorf("graphoauthcert: key %d of %d has neither a value nor an id; %w", i+1, len(keys), oauthcert.ErrNotSent)
		}
	}
	return d.write(ctx, target, struct {
		Keys []oauthcert.KeyCredential `json:"keyCredentials"`
	}{keys})
}

// WriteNames implements [oauthcert.Directory]. Like WriteKeys it sends the
// request once.
func (d *Directory) WriteNames(ctx context.Context, target oauthcert.Target, names []string) error {
	if names == nil {
		return fmt.Errorf("graphoauthcert: no names were given, not even an empty list; %w", oauthcert.ErrNotSent)
	}
	if target.Kind != oauthcert.ServicePrincipal {
		return fmt.Errorf("graphoauthcert: %s: only a service principal has names; %w", target, oauthcert.ErrNotSent)
	}
	return d.write(ctx, target, struct {
		Names []string `json:"servicePrincipalNames"`
	}{names})
}

func (d *Directory) write(ctx context.Context, target oauthcert.Target, value any) error {
	if err := target.Check(); err != nil {
		return fmt.Errorf("%w; %w", err, oauthcert.ErrNotSent)
	}
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("graphoauthcert: %s: %w; %w", target, err, oauthcert.ErrNotSent)
	}
	answer, err := d.client.Do(ctx, graph.Request{Method: http.MethodPatch, Path: address(target), Body: body, Once: true})
	if err != nil {
		return explain(err)
	}
	// Microsoft Graph has nothing to say after a write. A page to sign in to a
	// network, for one, comes with 200 too.
	if answer.Status != http.StatusNoContent {
		return fmt.Errorf("graphoauthcert: %s: HTTP %d in answer to a write, which is not how Microsoft Graph answers; whether it took effect is not known", target, answer.Status)
	}
	return nil
}

// explain says in the words of package oauthcert what the directory answered.
func explain(err error) error {
	var refused *graph.Error
	if errors.As(err, &refused) {
		return &oauthcert.DirectoryError{
			Status: refused.Status, Code: refused.Code, Message: refused.Message,
			RequestID: refused.RequestID, RetryAfter: refused.RetryAfter,
		}
	}
	var signIn *graph.SignInError
	if errors.As(err, &signIn) {
		return &notSignedIn{directory: &oauthcert.DirectoryError{Status: http.StatusUnauthorized}, signIn: signIn}
	}
	return err
}

// notSignedIn is a failure to sign in. It is also a DirectoryError, from which
// package oauthcert knows that nothing was written.
type notSignedIn struct {
	directory *oauthcert.DirectoryError
	signIn    *graph.SignInError
}

func (e *notSignedIn) Error() string {
	return e.signIn.Error() + "; " + oauthcert.ErrNotSent.Error()
}
func (e *notSignedIn) Unwrap() []error {
	return []error{e.directory, e.signIn, oauthcert.ErrNotSent}
}
