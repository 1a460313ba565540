package graphoauthcert_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	appObject   = "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"
	appID       = "c0ffee12-7a3b-4d5e-8f90-1234567890ab"
	principalID = "0f1e2d3c-4b5a-4697-8877-665544332211"
	base        = "https://graph.microsoft.com/v1.0/"
)

var (
	app       = oauthcert.Target{Kind: oauthcert.Application, ID: appObject}
	appByID   = oauthcert.Target{Kind: oauthcert.Application, AppID: appID}
	principal = oauthcert.Target{Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline}
)

// A credential hands out a token, or fails.
type credential struct{ err error }

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

func directory(t *testing.T, o graphoauthcert.Options) (*graphoauthcert.Directory, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	o.Transport = mock
	dir, err := graphoauthcert.New(credential{}, o)
	require.NoError(t, err)
	return dir, mock
}

// sent registers a PATCH and returns where its bodies go.
func sent(mock *httpmock.MockTransport, address string, responses ...*http.Response) *[]string {
	var bodies []string
	mock.RegisterResponder("PATCH", address, func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		if len(responses) >= len(bodies) {
			return responses[len(bodies)-1], err
		}
		return httpmock.NewStringResponse(204, ""), err
	})
	return &bodies
}

func TestReadAsksForOneObjectWithItsKeys(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	body := func(id, app, rest string) string {
		return `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x/$entity","id":"` + id + `","appId":"` + app + `","displayName":"ExchangeServerApp",` + rest + `}`
	}
	key := `{"customKeyIdentifier":"` + cert.SHA1().String() + `","displayName":"CN=Microsoft Exchange Server Auth Certificate",` +
		`"endDateTime":"2027-03-01T09:00:00","key":"` + cert.Base64() + `","keyId":"cccc3333-0000-4000-8000-000000000001",` +
		`"startDateTime":"2022-03-01T09:00:00Z","type":"AsymmetricX509Cert","usage":"Verify"}`

	dir, mock := directory(t, graphoauthcert.Options{})
	for _, target := range []oauthcert.Target{app, appByID} {
		var asked []string
		mock.RegisterResponder("GET", base+target.String(), func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.RequestURI())
			return httpmock.NewStringResponse(200, body(appObject, strings.ToUpper(appID), `"keyCredentials":[`+key+`]`)), nil
		})
		o, err := dir.Read(t.Context(), target)
		require.NoError(t, err)
		assert.Equal(t, []string{"/v1.0/" + target.String() + "?$select=id,appId,displayName,keyCredentials"}, asked)
		require.Len(t, o.Keys, 1)
		assert.Equal(t, cert.DER(), o.Keys[0].Key)
		assert.Equal(t, cert.SHA1().String(), o.Keys[0].CustomKeyIdentifier, "hexadecimal, not decoded")
		assert.Equal(t, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC), o.Keys[0].EndDateTime, "a date without zone is UTC, wherever this runs")
		assert.Equal(t, oauthcert.Application, o.Kind)
	}

	read := func(target oauthcert.Target, answer string) (*oauthcert.Object, error) {
		mock.RegisterResponder("GET", base+target.String(), httpmock.NewStringResponder(200, answer))
		return dir.Read(t.Context(), target)
	}
	o, err := read(principal, body(principalID, oauthcert.ExchangeOnline, `"keyCredentials":[],"servicePrincipalNames":["https://outlook.office.com/"]`))
	require.NoError(t, err)
	assert.Equal(t, []string{"https://outlook.office.com/"}, o.Names)
	assert.NotNil(t, o.Keys)
	assert.Empty(t, o.Keys)

	_, err = read(principal, body(principalID, oauthcert.ExchangeOnline, `"keyCredentials":[]`))
	assert.ErrorContains(t, err, "did not show the names")
	_, err = read(app, body(appObject, appID, `"keyCredentials":null`))
	assert.ErrorContains(t, err, "did not show the keys")
	_, err = read(app, body(principalID, appID, `"keyCredentials":[]`))
	assert.ErrorContains(t, err, "answered with another object")
	_, err = read(app, `<html>`)
	assert.ErrorContains(t, err, "graphoauthcert: applications/"+appObject)
	_, err = dir.Read(t.Context(), oauthcert.Target{Kind: oauthcert.Application, ID: "../me"})
	assert.ErrorContains(t, err, "not a GUID")
}

// The wire, letter by letter.
func TestWriteKeysSendsExactlyThis(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	kept := oauthcert.KeyCredential{
		CustomKeyIdentifier: "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C",
		DisplayName:         "CN=Microsoft Exchange Server Auth Certificate",
		StartDateTime:       time.Date(2022, 3, 1, 10, 0, 0, 0, time.FixedZone("", 3600)),
		EndDateTime:         time.Date(2027, 3, 1, 10, 0, 0, 0, time.FixedZone("", 3600)),
		KeyID:               "cccc3333-0000-4000-8000-000000000001",
		Type:                oauthcert.TypeX509,
		Usage:               oauthcert.UsageVerify,
	}
	added := oauthcert.KeyCredential{DisplayName: "next", Key: cert.DER(), Type: oauthcert.TypeX509, Usage: oauthcert.UsageVerify}

	dir, mock := directory(t, graphoauthcert.Options{})
	bodies := sent(mock, base+appByID.String())
	require.NoError(t, dir.WriteKeys(t.Context(), appByID, []oauthcert.KeyCredential{kept, added}))
	require.NoError(t, dir.WriteKeys(t.Context(), appByID, []oauthcert.KeyCredential{}))
	require.Equal(t, []string{
		`{"keyCredentials":[` +
			`{"customKeyIdentifier":"A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C","displayName":"CN=Microsoft Exchange Server Auth Certificate",` +
			`"endDateTime":"2027-03-01T09:00:00Z","keyId":"cccc3333-0000-4000-8000-000000000001","startDateTime":"2022-03-01T09:00:00Z",` +
			`"type":"AsymmetricX509Cert","usage":"Verify"},` +
			`{"displayName":"next","key":"` + base64.StdEncoding.EncodeToString(cert.DER()) + `","type":"AsymmetricX509Cert","usage":"Verify"}]}`,
		`{"keyCredentials":[]}`,
	}, *bodies)

	bodies = sent(mock, base+principal.String())
	require.NoError(t, dir.WriteNames(t.Context(), principal, []string{oauthcert.ExchangeOnline, "https://mail.contoso.com/"}))
	assert.Equal(t, []string{`{"servicePrincipalNames":["00000002-0000-0ff1-ce00-000000000000","https://mail.contoso.com/"]}`}, *bodies)
}

func TestNothingIsSent(t *testing.T) {
	dir, mock := directory(t, graphoauthcert.Options{})
	assert.Error(t, dir.WriteKeys(t.Context(), app, nil))
	assert.Error(t, dir.WriteNames(t.Context(), principal, nil))
	assert.ErrorContains(t, dir.WriteNames(t.Context(), app, []string{"x"}), "only a service principal has names")
	assert.ErrorContains(t, dir.WriteKeys(t.Context(), app, []oauthcert.KeyCredential{{Type: "AsymmetricX509Cert"}}), "neither a value nor an id")
	assert.Error(t, dir.WriteKeys(t.Context(), oauthcert.Target{}, []oauthcert.KeyCredential{}))
	assert.Zero(t, mock.GetTotalCallCount())

	failing, err := graphoauthcert.New(credential{errors.New("AADSTS7000215: invalid client secret")}, graphoauthcert.Options{Transport: mock})
	require.NoError(t, err)
	err = failing.WriteKeys(t.Context(), app, []oauthcert.KeyCredential{})
	assert.EqualError(t, err, "graph: sign in: AADSTS7000215: invalid client secret; nothing was sent")
	assert.ErrorIs(t, err, oauthcert.ErrUnauthorized)
	var signIn *graphoauthcert.SignInError
	assert.ErrorAs(t, err, &signIn)
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestEveryCloud(t *testing.T) {
	for cloud, host := range map[crossprem.Cloud]string{
		crossprem.Worldwide: "graph.microsoft.com", crossprem.GCCHigh: "graph.microsoft.us",
		crossprem.DoD: "dod-graph.microsoft.us", crossprem.China21Vianet: "microsoftgraph.chinacloudapi.cn",
		crossprem.BleuFrance: "graph.svc.sovcloud.fr", crossprem.DelosGermany: "graph.svc.sovcloud.de",
	} {
		dir, mock := directory(t, graphoauthcert.Options{Cloud: cloud})
		bodies := sent(mock, "https://"+host+"/v1.0/"+app.String())
		require.NoError(t, dir.WriteKeys(t.Context(), app, []oauthcert.KeyCredential{}), cloud)
		assert.Len(t, *bodies, 1)
	}
}

func TestRefusals(t *testing.T) {
	answer := func(status int, code, message string) *http.Response {
		r := httpmock.NewStringResponse(status, `{"error":{"code":"`+code+`","message":"`+message+`","innerError":{"date":"2026-11-22T19:00:00","request-id":"9a8b"}}}`)
		r.Header.Set("Retry-After", "7")
		return r
	}
	for _, c := range []struct {
		status        int
		code, message string
		reason        error
	}{
		{400, "KeyNotUpdatable", "Update to existing credential with KeyId 'x' is not allowed.", oauthcert.ErrKeyNotUpdatable},
		{400, "KeyCredentialsInvalidEndDate", "Key credential end date is invalid.", oauthcert.ErrInvalidEndDate},
		{400, "Request_MultipleObjectsWithSameKeyValue", "Another object with the same value for property servicePrincipalNames already exists.", oauthcert.ErrNameTaken},
		{403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", oauthcert.ErrPermission},
		{404, "Request_ResourceNotFound", "Resource 'x' does not exist.", oauthcert.ErrNoObject},
		{429, "TooManyRequests", "Too many requests", oauthcert.ErrThrottled},
	} {
		dir, mock := directory(t, graphoauthcert.Options{})
		bodies := sent(mock, base+app.String(), answer(c.status, c.code, c.message))
		err := dir.WriteKeys(t.Context(), app, []oauthcert.KeyCredential{})
		require.ErrorIs(t, err, c.reason, c.code)
		var refused *oauthcert.DirectoryError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, oauthcert.DirectoryError{Status: c.status, Code: c.code, Message: c.message, RequestID: "9a8b", RetryAfter: 7 * time.Second}, *refused)
		assert.Len(t, *bodies, 1, "a write is sent once, whatever the answer")
	}
}

// What answers may be a proxy, or a network that wants a user to sign in.
func TestAnswersOfOthers(t *testing.T) {
	const page = "<html>Blocked. eyJhbGciOiJub25lIn0.secret</html>"
	good := `{"id":"` + appObject + `","appId":"` + appID + `","keyCredentials":[]}`
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{200, good, ""}, // whatever it says of its type
		{200, page, "invalid character '<'"},
		{200, "", "unexpected end"},
		{204, "", "unexpected end"},
		{200, `{"value":[` + good + `]}`, "not a GUID"},
		{200, strings.Replace(good, "[]", "null", 1), "did not show the keys"},
		{200, strings.Replace(good, appObject, principalID, 1), "another object"},
		{302, page, "HTTP 302"},
		{403, page, "may be that of a proxy"},
		{407, page, "may be that of a proxy"},
	} {
		dir, mock := directory(t, graphoauthcert.Options{})
		answer := httpmock.NewStringResponse(c.status, c.body)
		answer.Header.Set("Content-Type", "text/html; charset=iso-8859-1")
		answer.Header.Set("Location", "http://proxy.contoso.test/")
		mock.RegisterResponder(http.MethodGet, `=~.*`, httpmock.ResponderFromResponse(answer))
		_, err := dir.Read(t.Context(), app)
		assert.Equal(t, 1, mock.GetTotalCallCount(), "a redirect is not followed")
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "secret")
	}
}

// front answers requests as Microsoft Graph does, from a fake directory: it
// replaces collections, and shows keys to a GET that selects them.
func front(t *testing.T, dir *oauthcerttest.Directory) http.RoundTripper {
	fail := func(err error) (*http.Response, error) {
		var refused *oauthcert.DirectoryError
		if !errors.As(err, &refused) {
			return nil, err
		}
		body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": refused.Code, "message": refused.Message}})
		r := httpmock.NewBytesResponse(refused.Status, body)
		if refused.RetryAfter > 0 {
			r.Header.Set("Retry-After", fmt.Sprint(int(refused.RetryAfter.Seconds())))
		}
		return r, nil
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, "Bearer token", r.Header.Get("Authorization"))
		target := oauthcert.Target{Kind: oauthcert.Application}
		path, ok := strings.CutPrefix(r.URL.Path, "/v1.0/applications")
		if !ok {
			target.Kind = oauthcert.ServicePrincipal
			path, ok = strings.CutPrefix(r.URL.Path, "/v1.0/servicePrincipals")
		}
		require.True(t, ok, r.URL.Path)
		if id, ok := strings.CutPrefix(path, "/"); ok {
			target.ID = id
		} else {
			target.AppID = strings.TrimSuffix(strings.TrimPrefix(path, "(appId='"), "')")
		}
		switch r.Method {
		case http.MethodGet:
			o, err := dir.Read(r.Context(), target)
			if err != nil {
				return fail(err)
			}
			if !strings.Contains(r.URL.Query().Get("$select"), "keyCredentials") {
				for i := range o.Keys {
					o.Keys[i].Key = nil
				}
			}
			return httpmock.NewJsonResponse(200, o)
		case http.MethodPatch:
			var body map[string]json.RawMessage
			require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
			require.Len(t, body, 1)
			var err error
			if raw, ok := body["keyCredentials"]; ok {
				keys := []oauthcert.KeyCredential{}
				require.NoError(t, json.Unmarshal(raw, &keys))
				err = dir.WriteKeys(r.Context(), target, keys)
			} else {
				names := []string{}
				require.NoError(t, json.Unmarshal(body["servicePrincipalNames"], &names))
				err = dir.WriteNames(r.Context(), target, names)
			}
			if err != nil {
				return fail(err)
			}
			return httpmock.NewStringResponse(204, ""), nil
		}
		return nil, fmt.Errorf("unexpected %s", r.Method)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return f(r)
}

// Plans are applied over the wire while things go wrong. What was there and is
// kept is there in the end; what was added is there; nothing is there twice.
func TestPlansOverTheWire(t *testing.T) {
	old, current, next, other := oauthcerttest.AuthCertificate{NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: time.Date(1999, 6, 1, 0, 0, 0, 0, time.UTC)}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: time.Date(1999, 7, 1, 0, 0, 0, 0, time.UTC)}.Make(),
		oauthcerttest.AuthCertificate{CommonName: "somebody else", NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}.Make()
	entry := func(c *oauthcert.Certificate) oauthcert.KeyCredential {
		return oauthcert.KeyCredential{Key: c.DER(), Type: oauthcert.TypeX509, Usage: oauthcert.UsageVerify, DisplayName: c.Subject()}
	}
	applied := 0
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			fake := oauthcerttest.New(seed,
				&oauthcert.Object{Kind: oauthcert.Application, ID: appObject, AppID: appID, Keys: []oauthcert.KeyCredential{entry(old), entry(current), entry(other)}},
				&oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: principalID, AppID: oauthcert.ExchangeOnline, Keys: []oauthcert.KeyCredential{}, Names: []string{oauthcert.ExchangeOnline}})
			fake.Lag = time.Duration(r.IntN(20)) * time.Second
			fake.Faults = func(oauthcerttest.Call) oauthcerttest.Fault {
				if r.IntN(3) > 0 {
					return oauthcerttest.None
				}
				return []oauthcerttest.Fault{oauthcerttest.Throttled, oauthcerttest.Unavailable, oauthcerttest.LostAnswer, oauthcerttest.Timeout, oauthcerttest.Broken}[r.IntN(5)]
			}
			dir, err := graphoauthcert.New(credential{}, graphoauthcert.Options{Transport: front(t, fake)})
			require.NoError(t, err)
			target := []oauthcert.Target{app, appByID}[seed%2]
			object, err := dir.Read(t.Context(), target)
			if err != nil {
				return
			}
			plan := oauthcert.PlanKeys(object, []*oauthcert.Certificate{current, next}, oauthcert.Policy{At: time.Now(), DropExpired: true})
			require.NoError(t, plan.Err())
			var backup bytes.Buffer
			_, err = oauthcert.Apply(t.Context(), dir, plan, &backup)
			if err == nil {
				applied++
			}
			truth := fake.Truth(app)
			holds := func(c *oauthcert.Certificate) int { return len(truth.Find(c)) }
			assert.Equal(t, 1, holds(current))
			assert.Equal(t, 1, holds(other), "somebody else's key")
			if err == nil {
				assert.Equal(t, 1, holds(next))
				assert.Zero(t, holds(old))
				for _, k := range truth.Keys {
					sum := sha1.Sum(k.Key)
					assert.Equal(t, strings.ToUpper(hex.EncodeToString(sum[:])), strings.ToUpper(k.CustomKeyIdentifier))
				}
			} else {
				assert.LessOrEqual(t, holds(next), 1)
			}
		})
	}
	assert.Greater(t, applied, 30, "most plans are applied in the end")
}
