// Package graphconnectversion asks Microsoft Graph what a tenant knows of the
// Entra Connect that synchronises into it, and of its private network
// connectors.
//
// What the tenant knows is history told by the last server that exported. It
// never sees a staging server; an old value stays when a server is switched
// off, and may stay when a tenant moves from Connect to Cloud Sync, whose runs
// then keep the date of the last synchronisation fresh. So the version comes
// as a piece of evidence, with that date, for connectversion.Reconcile.
//
// Microsoft Graph shows no version of pass-through authentication agents and
// provisioning agents. That of Connect Sync and of connectors is in its beta
// version only, which Microsoft may change without notice.
//
// The package uses the request adapter of Microsoft's SDK and none of its
// models: the SDK for v1.0 has none for these answers.
package graphconnectversion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	abstractions "github.com/microsoft/kiota-abstractions-go"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/internal/graph"
)

// Authority returns the address at which Entra ID signs in for a cloud,
// without a final slash: what a credential of azidentity wants as its
// ActiveDirectoryAuthorityHost. It is "" for a value that is none of the
// constants. The zero value means worldwide.
func Authority(c crossprem.Cloud) string { return graph.Authority(c) }

// An Error reports that Microsoft Graph answered, and refused or failed: its
// fields Status, Code, Message, RequestID and RetryAfter tell how.
type Error = graph.Error

// A SignInError reports that the credential gave no token. Its field Err is
// the error of the credential.
type SignInError = graph.SignInError

// An AccessError reports that Microsoft Graph refused because of a missing
// permission or role. It unwraps to an [*Error].
type AccessError struct {
	Path  string // of the request
	Needs string // what an application and a user need, in words
	Err   error
}

func (e *AccessError) Error() string {
	return "graphconnectversion: " + e.Path + ": permission is missing: " + e.Needs + ": " + e.Err.Error()
}

// Unwrap returns the answer of Microsoft Graph.
func (e *AccessError) Unwrap() error { return e.Err }

// Options are the settings of a Tenant. The zero value is for the worldwide
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

// A Tenant is asked what it knows. It may be used by several goroutines.
type Tenant struct{ client *graph.Client }

// New returns the tenant into which credential signs in, which must be one for
// the same cloud: any of the module azidentity will do. New signs in to
// nothing yet.
func New(credential azcore.TokenCredential, o Options) (*Tenant, error) {
	client, err := graph.New(credential, graph.Options{Cloud: o.Cloud, Transport: o.Transport, Endpoint: o.Endpoint})
	if err != nil {
		return nil, err
	}
	return &Tenant{client}, nil
}

// NewFromAdapter returns the tenant to which a request adapter of kiota
// speaks, such as the GetAdapter() of a *msgraphsdkgo.GraphServiceClient: with
// its authentication, its middleware and its transport. The adapter is not
// changed, and its own repeating of requests is turned off for each of ours,
// which are repeated as those of New are.
func NewFromAdapter(adapter abstractions.RequestAdapter) (*Tenant, error) {
	client, err := graph.NewFromAdapter(adapter, graph.Options{})
	if err != nil {
		return nil, err
	}
	return &Tenant{client}, nil
}

// A Sync is what a tenant knows of its synchronisation. It is a plain value.
type Sync struct {
	TenantID   string
	TenantName string
	Cloud      crossprem.Cloud // CloudUnknown behind an adapter whose host is not Microsoft Graph's

	// Enabled is onPremisesSyncEnabled. It is No if the tenant was never
	// synchronised and if it no longer is; the rest is then not asked for,
	// and would be history.
	Enabled crossprem.Answer

	// LastSync is onPremisesLastSyncDateTime in UTC, zero if it was not told.
	LastSync time.Time

	Text          string                 // synchronizationClientVersion as written
	Version       connectversion.Version // zero if Text is no version
	Machine       string                 // that exported last
	Account       string                 // with which it signed in
	ApplicationID string                 // of the synchronisation software
}

// where names the request in evidence.
const where = "Microsoft Graph beta, directory/onPremisesSynchronization"

// Evidence returns what s tells of Connect Sync, for connectversion.Reconcile.
func (s *Sync) Evidence() connectversion.Evidence {
	return connectversion.Evidence{
		Product: connectversion.ConnectSync, Origin: connectversion.FromTenant,
		Version: s.Version, Text: s.Text, Where: where, Server: s.Machine, At: s.LastSync, SyncEnabled: s.Enabled,
	}
}

// Facts returns what s tells besides the version: the server and the cloud.
// How Connect signs in is not told for certain, and left unknown.
func (s *Sync) Facts() connectversion.Facts {
	return connectversion.Facts{Server: s.Machine, Cloud: s.Cloud}
}

const (
	organizationPath = "/v1.0/organization"
	syncPath         = "/beta/directory/onPremisesSynchronization"
	connectorsPath   = "/beta/onPremisesPublishingProfiles/applicationProxy/connectors"
)

// needs says what each request needs, after its page in the documentation of
// Microsoft Graph.
var needs = map[string]string{
	organizationPath: "Organization.Read.All, for an application and for a user",
	syncPath: "OnPremDirectorySynchronization.Read.All, for an application and for a user; " +
		"a user must be Global Administrator besides, the only role that is supported",
	connectorsPath: "Directory.ReadWrite.All, although this only reads; a user should be Application Administrator besides. " +
		"For an application, the documentation has had it both as supported and as not",
}

// Sync asks whether the tenant is synchronised, and if so by what: two
// requests, to organization and to directory/onPremisesSynchronization.
//
// If only the second fails, Sync returns what the first told, with the error.
// The error is an [*AccessError], an [*Error], a [*SignInError], or tells of
// an answer that cannot be read.
func (t *Tenant) Sync(ctx context.Context) (*Sync, error) {
	s := &Sync{Cloud: t.client.Cloud()}
	if err := t.organization(ctx, s); err != nil {
		return nil, err
	}
	if s.Enabled != crossprem.Yes {
		return s, nil
	}
	return s, t.synchronization(ctx, s)
}

func (t *Tenant) organization(ctx context.Context, s *Sync) error {
	var answer struct {
		Value []struct {
			ID          string          `json:"id"`
			DisplayName string          `json:"displayName"`
			Enabled     json.RawMessage `json:"onPremisesSyncEnabled"`
			LastSync    *time.Time      `json:"onPremisesLastSyncDateTime"`
		} `json:"value"`
	}
	err := t.get(ctx, organizationPath, "?$select=id,displayName,onPremisesSyncEnabled,onPremisesLastSyncDateTime", &answer)
	if err != nil {
		return err
	}
	if len(answer.Value) != 1 {
		return fmt.Errorf("graphconnectversion: %s: %d organizations in the answer; there is always one", organizationPath, len(answer.Value))
	}
	o := answer.Value[0]
	s.TenantID, s.TenantName = o.ID, o.DisplayName
	switch string(o.Enabled) {
	case "true":
		s.Enabled = crossprem.Yes
	case "false", "null": // no longer, or never
		s.Enabled = crossprem.No
	}
	if o.LastSync != nil {
		s.LastSync = o.LastSync.UTC()
	}
	return nil
}

// synchronization is one entry of the answer, which comes as a collection
// though there is only one.
type synchronization struct {
	Configuration *struct {
		ApplicationID string `json:"applicationId"`
		ClientVersion string `json:"synchronizationClientVersion"`
		Export        struct {
			Machine string `json:"clientMachineName"`
			Account string `json:"serviceAccount"`
		} `json:"currentExportData"`
	} `json:"configuration"`
}

func (t *Tenant) synchronization(ctx context.Context, s *Sync) error {
	var answer struct {
		synchronization
		Value []synchronization `json:"value"`
	}
	if err := t.get(ctx, syncPath, "", &answer); err != nil {
		return err
	}
	entry := answer.synchronization
	if len(answer.Value) > 0 {
		entry = answer.Value[0]
	}
	if entry.Configuration == nil || entry.Configuration.ClientVersion == "" {
		return fmt.Errorf("graphconnectversion: %s: the answer names no version", syncPath)
	}
	c := entry.Configuration
	s.Text, s.ApplicationID, s.Machine, s.Account = c.ClientVersion, c.ApplicationID, c.Export.Machine, c.Export.Account
	var err error
	if s.Version, err = connectversion.Parse(s.Text); err != nil {
		return fmt.Errorf("graphconnectversion: %s: %w", syncPath, err)
	}
	return nil
}

// A Connector is a private network connector, once called application proxy
// connector. Assess it as connectversion.PrivateNetworkConnector.
type Connector struct {
	ID      string
	Machine string                 // DNS name of its server
	Text    string                 // version as written
	Version connectversion.Version // zero if Text is no version
	Status  string                 // "active", or "inactive" when it was not heard of for a while
}

// maxPages bounds how many pages of connectors are read.
const maxPages = 1000

// Connectors asks for the private network connectors of the tenant, page by
// page. The errors are those of [Tenant.Sync]; what was read before is
// returned with them.
func (t *Tenant) Connectors(ctx context.Context) ([]Connector, error) {
	var all []Connector
	path, query := connectorsPath, ""
	seen := map[string]bool{}
	for {
		var page struct {
			Value []struct {
				ID          string `json:"id"`
				MachineName string `json:"machineName"`
				Version     string `json:"version"`
				Status      string `json:"status"`
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if err := t.get(ctx, path, query, &page); err != nil {
			return all, err
		}
		for _, c := range page.Value {
			version, _ := connectversion.Parse(c.Version)
			all = append(all, Connector{ID: c.ID, Machine: c.MachineName, Text: c.Version, Version: version, Status: c.Status})
		}
		if page.Next == "" {
			return all, nil
		}
		if seen[page.Next] || len(seen) >= maxPages {
			return all, fmt.Errorf("graphconnectversion: %s: the pages of the answer do not end", connectorsPath)
		}
		seen[page.Next] = true
		path, query = page.Next, ""
	}
}

// get reads a path into answer, and explains what it needs if it is refused.
func (t *Tenant) get(ctx context.Context, path, query string, answer any) error {
	body, err := t.client.Get(ctx, path+query)
	name := path
	if _, known := needs[path]; !known {
		name = connectorsPath // a next page
	}
	var refused *graph.Error
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		return &AccessError{Path: name, Needs: needs[name], Err: refused}
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("graphconnectversion: %s: the answer cannot be read: %w", name, err)
	}
	return nil
}
