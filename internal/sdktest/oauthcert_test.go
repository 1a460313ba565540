package sdktest

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	"github.com/microsoft/kiota-abstractions-go/store"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// adapter returns what GetAdapter() of a *msgraphsdkgo.GraphServiceClient for
// the server does: the SDK's middleware, serializers and backing store.
func adapter(t *testing.T, server *httptest.Server) abstractions.RequestAdapter {
	t.Helper()
	registerOnce.Do(func() {
		abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory {
			return kiotajson.NewJsonSerializationWriterFactory()
		})
		abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return kiotajson.NewJsonParseNodeFactory() })
	})
	options := graphcore.GraphClientOptions{GraphServiceVersion: "v1.0", GraphServiceLibraryVersion: "1.89.0"}
	client := graphcore.GetDefaultClient(&options)
	t.Cleanup(client.CloseIdleConnections)
	a, err := graphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, options, nil, nil, client)
	require.NoError(t, err)
	a.SetBaseUrl(server.URL + "/v1.0")
	a.EnableBackingStore(store.BackingStoreFactoryInstance)
	return a
}

var registerOnce sync.Once

const (
	appObject   = "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"
	appID       = "c0ffee12-7a3b-4d5e-8f90-1234567890ab"
	principalID = "0f1e2d3c-4b5a-4697-8877-665544332211"
	otherKey    = "aaaa1111-0000-4000-8000-000000000001"
)

// A tenant is a fake directory behind a server, as the SDK sees it.
type tenant struct {
	*oauthcerttest.Directory
	server               *httptest.Server
	adapter              abstractions.RequestAdapter
	app, principal       oauthcert.Target
	current, next, other *oauthcert.Certificate
	encodings            []string // of the bodies that were sent
	patches              int
	status               int // if not 0, the answer to each PATCH
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	make := func() *oauthcert.Certificate { return oauthcerttest.AuthCertificate{}.Make() }
	d := &tenant{current: make(), next: make(), other: make()}
	key := d.other.KeyCredential()
	key.KeyID, key.DisplayName = otherKey, "other"
	app := &oauthcert.Object{Kind: oauthcert.Application, ID: appObject, AppID: appID, DisplayName: "ExchangeServerApp", Keys: []oauthcert.KeyCredential{key}}
	sp := &oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: principalID, AppID: oauthcert.ExchangeOnline, Keys: []oauthcert.KeyCredential{},
		Names: []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/"}}
	d.Directory = oauthcerttest.New(1, app, sp)
	d.app, d.principal = app.Target(), sp.Target()
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			d.patches++
			d.encodings = append(d.encodings, r.Header.Get("Content-Encoding"))
			if d.status != 0 {
				w.WriteHeader(d.status)
				return
			}
		}
		d.ServeHTTP(w, r)
	}))
	t.Cleanup(d.server.Close)
	d.adapter = adapter(t, d.server)
	return d
}

// quick does not wait: the fake shows a write at once.
var quick = &oauthcert.Applier{Interval: time.Millisecond, Steady: time.Millisecond, Patience: 5 * time.Second}

// An embedder who has the SDK's client plans, applies and verifies through it.
func TestPlanApplyVerify(t *testing.T) {
	d := newTenant(t)
	dir, err := graphoauthcert.NewFromAdapter(d.adapter)
	require.NoError(t, err)
	object, err := dir.Read(t.Context(), d.app)
	require.NoError(t, err)
	plan := oauthcert.PlanKeys(object, []*oauthcert.Certificate{d.current, d.next}, oauthcert.Policy{At: time.Now()})
	var backup bytes.Buffer
	report, err := quick.Apply(t.Context(), dir, plan, &backup)
	require.NoError(t, err)
	assert.Equal(t, oauthcert.OutcomeShown, report.Outcome)
	assert.Equal(t, []string{"gzip"}, d.encodings, "the SDK's middleware was at work")
	_, err = quick.Verify(t.Context(), dir, plan)
	require.NoError(t, err)
	truth := d.Truth(d.app)
	require.Len(t, truth.Keys, 3)
	assert.Equal(t, otherKey, truth.Find(d.other)[0].KeyID)
	assert.Equal(t, "other", truth.Find(d.other)[0].DisplayName)

	object, err = dir.Read(t.Context(), d.principal)
	require.NoError(t, err)
	_, err = quick.Apply(t.Context(), dir, oauthcert.PlanNames(object, []string{"mail.contoso.com"}, oauthcert.Policy{}), &backup)
	require.NoError(t, err)
	assert.Contains(t, d.Truth(d.principal).Names, "https://mail.contoso.com/")

	require.NoError(t, oauthcerttest.TestDirectory(t.Context(), func(backend *oauthcerttest.Directory) oauthcert.Directory {
		server := httptest.NewServer(backend)
		t.Cleanup(server.Close)
		dir, err := graphoauthcert.NewFromAdapter(adapter(t, server))
		require.NoError(t, err)
		return dir
	}))
}

// The SDK's middleware sends a PATCH four times on 503; through our directory
// it is sent once.
func TestOnePatchOn503(t *testing.T) {
	d := newTenant(t)
	dir, err := graphoauthcert.NewFromAdapter(d.adapter)
	require.NoError(t, err)
	for _, d.status = range []int{503, 504, 429} {
		d.patches = 0
		err = dir.WriteKeys(t.Context(), d.app, []oauthcert.KeyCredential{})
		var refused *oauthcert.DirectoryError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, d.status, refused.Status)
		assert.Equal(t, 1, d.patches)
	}
	assert.Len(t, d.Truth(d.app).Keys, 1)
}

// What the SDK's request builders fetch is, by FromModel, what our directory
// reads; and what ToModel makes can be sent with them.
func TestModels(t *testing.T) {
	d := newTenant(t)
	d.Set(d.app, func(o *oauthcert.Object) {
		odd := d.next.KeyCredential()
		odd.CustomKeyIdentifier, odd.DisplayName = "63657274", "odd"
		o.Keys = append(o.Keys, odd, oauthcert.KeyCredential{Type: "X509CertAndPassword", Usage: "Sign", EndDateTime: d.next.NotAfter()})
	})
	dir, err := graphoauthcert.NewFromAdapter(d.adapter)
	require.NoError(t, err)
	read, err := dir.Read(t.Context(), d.app)
	require.NoError(t, err)

	parameters := map[string]string{"baseurl": d.server.URL + "/v1.0"}
	apps := applications.NewApplicationsRequestBuilderInternal(parameters, d.adapter)
	get := func() models.Applicationable {
		app, err := apps.ByApplicationId(appObject).Get(t.Context(), &applications.ApplicationItemRequestBuilderGetRequestConfiguration{
			QueryParameters: &applications.ApplicationItemRequestBuilderGetQueryParameters{Select: oauthcert.Application.Select()}})
		require.NoError(t, err)
		return app
	}
	app := get()
	object, err := graphoauthcert.ObjectFromModel(oauthcert.Application, app)
	require.NoError(t, err)
	assert.Equal(t, read, object)
	assert.Equal(t, read.Keys[0].CustomKeyIdentifier, d.other.SHA1().String())

	// The way back: a list of models that the SDK sends, for kept keys by reference.
	var list []models.KeyCredentialable
	for i, k := range app.GetKeyCredentials() {
		ours, err := graphoauthcert.FromModel(k)
		require.NoError(t, err)
		assert.Equal(t, read.Keys[i], ours)
		ours.Key = nil
		m := models.NewKeyCredential()
		require.NoError(t, graphoauthcert.ToModel(ours, m))
		again, err := graphoauthcert.FromModel(m)
		require.NoError(t, err)
		assert.Equal(t, ours, again)
		list = append(list, m)
	}
	added := models.NewKeyCredential()
	require.NoError(t, graphoauthcert.ToModel(d.current.KeyCredential(), added))
	change := models.NewApplication()
	change.SetKeyCredentials(append(list, added))
	_, err = apps.ByApplicationId(appObject).Patch(t.Context(), change, nil)
	require.NoError(t, err, explain(err))
	truth := d.Truth(d.app)
	require.Len(t, truth.Keys, 4)
	assert.Equal(t, read.Keys, truth.Keys[:3], "kept by reference, untouched")
	assert.Len(t, truth.Find(d.current), 1)
	assert.Equal(t, []string{"gzip"}, d.encodings)

	// A service principal, with names.
	sps := serviceprincipals.NewServicePrincipalsRequestBuilderInternal(parameters, d.adapter)
	principal := models.NewServicePrincipal()
	names := slices.Concat(d.Truth(d.principal).Names, []string{"https://mail.contoso.com/"})
	principal.SetServicePrincipalNames(names)
	_, err = sps.ByServicePrincipalId(principalID).Patch(t.Context(), principal, nil)
	require.NoError(t, err, explain(err))
	sp, err := sps.ByServicePrincipalId(principalID).Get(t.Context(), &serviceprincipals.ServicePrincipalItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &serviceprincipals.ServicePrincipalItemRequestBuilderGetQueryParameters{Select: oauthcert.ServicePrincipal.Select()}})
	require.NoError(t, err)
	object, err = graphoauthcert.ObjectFromModel(oauthcert.ServicePrincipal, sp)
	require.NoError(t, err)
	assert.Equal(t, names, object.Names)
	assert.NotNil(t, object.Keys, "read, and empty")

	// What was not asked for was not read.
	bare := models.NewApplication()
	id, client := appObject, appID
	bare.SetId(&id)
	bare.SetAppId(&client)
	object, err = graphoauthcert.ObjectFromModel(oauthcert.Application, bare)
	require.NoError(t, err)
	assert.Nil(t, object.Keys)
}

func TestModelsThatAreNone(t *testing.T) {
	var none *models.KeyCredential
	for _, m := range []serialization.Parsable{nil, none} {
		_, err := graphoauthcert.FromModel(m)
		assert.Error(t, err)
		_, err = graphoauthcert.ObjectFromModel(oauthcert.Application, m)
		assert.Error(t, err)
		assert.Error(t, graphoauthcert.ToModel(oauthcert.KeyCredential{}, m))
	}
	assert.Error(t, graphoauthcert.ToModel(oauthcert.KeyCredential{CustomKeyIdentifier: "not base64!"}, models.NewKeyCredential()))
	assert.Error(t, graphoauthcert.ToModel(oauthcert.KeyCredential{KeyID: "no GUID"}, models.NewKeyCredential()))
	k, err := graphoauthcert.FromModel(models.NewKeyCredential())
	require.NoError(t, err)
	assert.Zero(t, k)
}

// explain returns the message of the SDK's error, which its Error may hide.
func explain(err error) string {
	var e *odataerrors.ODataError
	if errors.As(err, &e) && e.GetErrorEscaped() != nil && e.GetErrorEscaped().GetMessage() != nil {
		return *e.GetErrorEscaped().GetMessage()
	}
	return ""
}
