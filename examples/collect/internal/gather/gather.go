// Package gather is the part of the program collect that does not need the
// models of Microsoft's SDK: what is collected, in which order, into which
// files, and what is told meanwhile.
package gather

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/signins/graphsignins"
)

// The files of a folder, besides those in [Hybrid] for each application.
const (
	SignIns           = "signins/signins.ndjson"
	Checkpoint        = "state/signins.checkpoint"
	Organization      = "connect/organization.json"
	Synchronization   = "connect/onPremisesSynchronization.json"
	Connectors        = "connect/connectors.json"
	ConditionalAccess = "policies/conditionalAccess.json"
	SecurityDefaults  = "policies/securityDefaults.json"
	Applications      = "directory/applications.json"
	ServicePrincipals = "directory/servicePrincipals.json"
	Hybrid            = "hybrid"
	Manifest          = "collection.json"
	halfWritten       = "state/half-written"
	maxPages          = 10_000 // of one list
	maxHybridObjects  = 100
)

// A Fetch asks for one object, or for the page of a list at the address next,
// of which the first is "". It returns what Microsoft Graph sent.
type Fetch func(ctx context.Context, id, next string) ([]byte, error)

// A Tenant is what is asked.
type Tenant struct {
	Adapter abstractions.RequestAdapter // for the packages graph*

	Applications, ServicePrincipals    Fetch // lists of all; the id is ""
	Application, ServicePrincipal      Fetch // by object id, with keys
	RoleAssignments                    Fetch // the list of a service principal
	ConditionalAccess, SecurityDefault Fetch
}

// Options say what is collected.
type Options struct {
	Folder     string
	From, To   time.Time // of the sign-ins; To may be zero
	Skip       map[string]bool
	Connectors bool
	Limiter    *graphsignins.Limiter // nil: the budget of Microsoft Graph
	PageSize   int
	Progress   func(graphsignins.Progress)
	Note       func(string) // a line for a person, about each part
}

// A Part is one of the things that are collected.
type Part struct {
	Name        string
	Permissions []string // of Microsoft Graph, least first
	Role        string   // that a user needs besides, or ""
	Why         string
}

// Parts lists the parts in the order in which they are collected.
func Parts(connectors bool) []Part {
	parts := []Part{
		{"policies", []string{"Policy.Read.All"}, "Security Reader", "Conditional Access policies and security defaults decide who may use Basic"},
		{"hybrid", []string{"Application.Read.All"}, "", "the dedicated hybrid application, Exchange Online's service principal, their keys and permissions"},
		{"directory", []string{"Application.Read.All"}, "", "the list of all applications and service principals, to put names to application ids"},
		{"connect", []string{"Organization.Read.All", "OnPremDirectorySynchronization.Read.All"}, "Global Administrator", "the version of Entra Connect that exported last"},
		{"signins", []string{"AuditLog.Read.All"}, "Reports Reader", "the sign-in log; the tenant needs Entra ID P1 or P2"},
	}
	if connectors {
		parts[3].Permissions = append(parts[3].Permissions, "Directory.ReadWrite.All")
		parts[3].Why += "; for private network connectors Microsoft Graph wants a permission that could write, nothing is written"
	}
	return parts
}

// A Collection is what Manifest holds.
type Collection struct {
	Graph    string               `json:"graph"` // the address that was asked
	Began    time.Time            `json:"began"`
	Ended    time.Time            `json:"ended,omitzero"` // zero while it runs, and after a kill
	From     time.Time            `json:"signinsFrom,omitzero"`
	To       time.Time            `json:"signinsTo,omitzero"`
	SignIns  int64                `json:"signins"`  // records in the file
	Requests int64                `json:"requests"` // for sign-ins, by the last run
	Parts    map[string]time.Time `json:"parts"`    // when each part was last collected whole
	Missing  map[string]string    `json:"missing"`  // which part could not be collected whole, and why
}

// A run is one call of Run.
type run struct {
	Options
	Tenant
	Collection
}

// Run collects what Options say. What one part lacks does not keep it from the
// others; it is in Manifest, and in the error. A part that could not be
// collected leaves behind what an earlier run collected, with its day.
//
// Run may be killed at any instant, and goes on when it is called again.
func Run(ctx context.Context, t Tenant, o Options) (*Collection, error) {
	r := run{Options: o, Tenant: t, Collection: Collection{Graph: t.Adapter.GetBaseUrl(), Began: time.Now().UTC(), From: o.From, To: o.To,
		Parts: map[string]time.Time{}, Missing: map[string]string{}}}
	for _, sub := range []string{"signins", "connect", "policies", "directory", Hybrid, "state"} {
		if err := os.MkdirAll(filepath.Join(o.Folder, sub), 0o700); err != nil {
			return nil, err
		}
	}
	earlier, err := ReadManifest(o.Folder)
	switch {
	case err == nil:
		if earlier.Graph != r.Graph {
			return nil, fmt.Errorf("%s holds a collection from %s; take another folder for %s", o.Folder, earlier.Graph, r.Graph)
		}
		r.Parts, r.SignIns = earlier.Parts, earlier.SignIns
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	for _, part := range Parts(false) {
		switch {
		case !o.Skip[part.Name]:
			r.Missing[part.Name] = "it was not collected yet"
		case earlier != nil && earlier.Missing[part.Name] != "":
			r.Missing[part.Name] = earlier.Missing[part.Name]
		case r.Parts[part.Name].IsZero():
			r.Missing[part.Name] = "it was left out"
		}
	}
	if err := r.save(Manifest, r.Collection); err != nil {
		return nil, err
	}
	collect := map[string]func(context.Context) error{"policies": r.policies, "hybrid": r.hybrid, "directory": r.directory, "connect": r.connect, "signins": r.signIns}
	var failed []error
	for _, part := range Parts(false) {
		if o.Skip[part.Name] {
			continue
		}
		err := collect[part.Name](ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", part.Name, err))
			r.Missing[part.Name] = strings.ReplaceAll(err.Error(), "\n", "; ")
		} else {
			delete(r.Missing, part.Name)
			r.Parts[part.Name] = time.Now().UTC()
			o.Note("collected: " + part.Name)
		}
		// What is done stays known if the rest never comes.
		if err := r.save(Manifest, r.Collection); err != nil {
			return &r.Collection, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.Ended = time.Now().UTC()
	failed = append(failed, r.save(Manifest, r.Collection))
	return &r.Collection, errors.Join(failed...)
}

// ReadManifest reads the Manifest of a folder.
func ReadManifest(folder string) (*Collection, error) {
	text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(Manifest)))
	if err != nil {
		return nil, err
	}
	c := new(Collection)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("%s: %w", Manifest, err)
	}
	if c.Parts == nil {
		c.Parts = map[string]time.Time{}
	}
	return c, nil
}

// save writes a file as a whole: after a kill there is the old one or the new.
func (r *run) save(name string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	// Readers of the other folders do not meet what a kill leaves in this one.
	half := filepath.Join(r.Folder, filepath.FromSlash(halfWritten))
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(half, filepath.Join(r.Folder, filepath.FromSlash(name)))
}

// A list is what Microsoft Graph answers to a question for several objects.
type list struct {
	Context string            `json:"@odata.context,omitempty"`
	Value   []json.RawMessage `json:"value"`
	Next    string            `json:"@odata.nextLink,omitempty"`
}

// all reads a list to its end.
func all(ctx context.Context, fetch Fetch, id string) (*list, error) {
	whole := &list{Value: []json.RawMessage{}}
	seen := map[string]bool{}
	for next := ""; ; {
		if seen[next] || len(seen) >= maxPages {
			return nil, errors.New("the pages of the answer do not end")
		}
		seen[next] = true
		body, err := fetch(ctx, id, next)
		if err != nil {
			return nil, err
		}
		var page list
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("the answer cannot be read: %w", err)
		}
		if page.Value == nil {
			return nil, errors.New("the answer is no list")
		}
		if whole.Context == "" {
			whole.Context = page.Context
		}
		whole.Value = append(whole.Value, page.Value...)
		if next = page.Next; next == "" {
			return whole, nil
		}
	}
}

// object reads one object, without what a client secret begins with.
func object(ctx context.Context, fetch Fetch, id string) (map[string]json.RawMessage, error) {
	body, err := fetch(ctx, id, "")
	if err != nil {
		return nil, err
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	if raw, ok := o["passwordCredentials"]; ok {
		var secrets []map[string]json.RawMessage
		if err := json.Unmarshal(raw, &secrets); err != nil {
			return nil, fmt.Errorf("the answer cannot be read: passwordCredentials: %w", err)
		}
		for _, s := range secrets {
			delete(s, "hint")
			delete(s, "secretText")
		}
		if o["passwordCredentials"], err = json.Marshal(secrets); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (r *run) policies(ctx context.Context) error {
	access, err := all(ctx, r.ConditionalAccess, "")
	if err == nil {
		err = r.save(ConditionalAccess, access)
	}
	if err != nil {
		err = fmt.Errorf("policies of Conditional Access: %w", err)
	}
	defaults, failed := object(ctx, r.SecurityDefault, "")
	if failed == nil {
		failed = r.save(SecurityDefaults, defaults)
	}
	if failed != nil {
		failed = fmt.Errorf("security defaults: %w", failed)
	}
	return errors.Join(err, failed)
}

func (r *run) directory(ctx context.Context) error {
	var failed []error
	for _, l := range []struct {
		name  string
		fetch Fetch
	}{{Applications, r.Tenant.Applications}, {ServicePrincipals, r.Tenant.ServicePrincipals}} {
		whole, err := all(ctx, l.fetch, "")
		if err == nil {
			err = r.save(l.name, whole)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.name, err))
		}
	}
	return errors.Join(failed...)
}

// hybridPrincipals are the service principals that hybrid OAuth is about, besides
// those of the dedicated applications.
var hybridPrincipals = []string{oauthcert.ExchangeOnline}

// guid keeps whatever a directory calls an application from becoming a path.
var guid = regexp.MustCompile(`^[0-9A-Fa-f-]{36}$`)

func (r *run) hybrid(ctx context.Context) error {
	directory, err := graphoauthcert.NewFromAdapter(r.Adapter)
	if err != nil {
		return err
	}
	dedicated, err := directory.FindDedicated(ctx)
	if err != nil {
		return err
	}
	if len(dedicated) > maxHybridObjects {
		return fmt.Errorf("%d applications whose names begin with %s", len(dedicated), graphoauthcert.DedicatedPrefix)
	}
	files := map[string]any{}
	wanted := slices.Clone(hybridPrincipals)
	for _, app := range dedicated {
		if !guid.MatchString(app.AppID) {
			return fmt.Errorf("%.40q is no application id", app.AppID)
		}
		o, err := object(ctx, r.Application, app.ID)
		if err != nil {
			return fmt.Errorf("application %s: %w", app.AppID, err)
		}
		files["application-"+app.AppID+".json"] = o
		wanted = append(wanted, app.AppID)
	}
	for _, appID := range wanted {
		principal, err := directory.Read(ctx, oauthcert.Target{Kind: oauthcert.ServicePrincipal, AppID: appID})
		var refused *oauthcert.DirectoryError
		if errors.As(err, &refused) && refused.Status == 404 {
			continue // an application without one, which is an answer
		}
		if err != nil {
			return fmt.Errorf("service principal of %s: %w", appID, err)
		}
		o, err := object(ctx, r.ServicePrincipal, principal.ID)
		if err != nil {
			return fmt.Errorf("service principal of %s: %w", appID, err)
		}
		files["servicePrincipal-"+appID+".json"] = o
		if appID == oauthcert.ExchangeOnline {
			continue // what it may do is Microsoft's business
		}
		roles, err := all(ctx, r.RoleAssignments, principal.ID)
		if err != nil {
			return fmt.Errorf("permissions of %s: %w", appID, err)
		}
		files["appRoleAssignments-"+appID+".json"] = roles
	}
	// All of it was read; the files of objects that are no longer there go.
	before, err := os.ReadDir(filepath.Join(r.Folder, Hybrid))
	if err != nil {
		return err
	}
	for _, f := range before {
		if _, ok := files[f.Name()]; !ok && oneOfOurs.MatchString(f.Name()) {
			if err := os.Remove(filepath.Join(r.Folder, Hybrid, f.Name())); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := r.save(Hybrid+"/"+name, content); err != nil {
			return err
		}
	}
	return nil
}

// oneOfOurs matches the names of files that hybrid writes. An administrator
// may put captures of the Exchange side beside them.
var oneOfOurs = regexp.MustCompile(`^(application|servicePrincipal|appRoleAssignments)-[0-9A-Fa-f-]{36}\.json$`)

// connect asks for the version, and writes it as Microsoft Graph's answers
// are, which package connectversion reads.
func (r *run) connect(ctx context.Context) error {
	tenant, err := graphconnectversion.NewFromAdapter(r.Adapter)
	if err != nil {
		return err
	}
	type members map[string]any
	sync, failed := tenant.Sync(ctx)
	if sync == nil {
		return failed
	}
	o := members{"id": sync.TenantID, "displayName": sync.TenantName}
	if sync.Enabled != crossprem.AnswerUnknown {
		o["onPremisesSyncEnabled"] = sync.Enabled == crossprem.Yes
	}
	if !sync.LastSync.IsZero() {
		o["onPremisesLastSyncDateTime"] = sync.LastSync
	}
	if err := r.save(Organization, members{"value": []members{o}}); err != nil {
		return err
	}
	if sync.Text != "" {
		err = r.save(Synchronization, members{"value": []members{{"id": sync.TenantID, "configuration": members{
			"applicationId": sync.ApplicationID, "synchronizationClientVersion": sync.Text,
			"currentExportData": members{"clientMachineName": sync.Machine, "serviceAccount": sync.Account}}}}})
	} else if failed == nil { // it is not synchronised, and an older answer no longer true
		if err = os.Remove(filepath.Join(r.Folder, filepath.FromSlash(Synchronization))); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	failed = errors.Join(failed, err)
	if r.Options.Connectors {
		connectors, err := tenant.Connectors(ctx)
		if err == nil {
			value := []members{}
			for _, c := range connectors {
				value = append(value, members{"id": c.ID, "machineName": c.Machine, "version": c.Text, "status": c.Status})
			}
			err = r.save(Connectors, members{"value": value})
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (r *run) signIns(ctx context.Context) error {
	src, err := graphsignins.NewFromAdapter(r.Adapter, graphsignins.Options{From: r.Options.From, To: r.Options.To, Raw: true,
		Limiter: r.Limiter, PageSize: r.PageSize, Progress: func(p graphsignins.Progress) {
			if r.Requests = p.Requests; p.WaitingUntil.IsZero() {
				r.Requests++ // it is about to be sent
			}
			if r.Progress != nil {
				r.Progress(p)
			}
		}})
	if err != nil {
		return err
	}
	file, err := src.OpenFile(ctx, filepath.Join(r.Folder, filepath.FromSlash(SignIns)),
		graphsignins.FileCheckpoints(filepath.Join(r.Folder, filepath.FromSlash(Checkpoint))))
	if err != nil {
		return err
	}
	defer func() { r.Collection.SignIns = file.Records() }()
	return errors.Join(file.Collect(ctx), file.Close())
}
