package oauthcerttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	require.NoError(t, oauthcerttest.TestDirectory(t.Context(), func(d *oauthcerttest.Directory) oauthcert.Directory { return d }))
}

// overHTTP is the least adapter that there can be.
type overHTTP struct{ *httptest.Server }

func (c overHTTP) do(ctx context.Context, method string, target oauthcert.Target, query string, body any) ([]byte, error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	data, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(ctx, method, c.URL+"/v1.0/"+target.String()+query, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	res, err := c.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode < 300 {
		return answer, err
	}
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		return nil, err
	}
	return nil, &oauthcert.DirectoryError{Status: res.StatusCode, Code: e.Error.Code, Message: e.Error.Message}
}

func (c overHTTP) Read(ctx context.Context, t oauthcert.Target) (*oauthcert.Object, error) {
	data, err := c.do(ctx, http.MethodGet, t, "?$select="+strings.Join(t.Kind.Select(), ","), nil)
	if err != nil {
		return nil, err
	}
	return oauthcert.ParseObject(t.Kind, data)
}

func (c overHTTP) WriteKeys(ctx context.Context, t oauthcert.Target, keys []oauthcert.KeyCredential) error {
	if keys == nil {
		return io.ErrUnexpectedEOF
	}
	_, err := c.do(ctx, http.MethodPatch, t, "", map[string]any{"keyCredentials": keys})
	return err
}

func (c overHTTP) WriteNames(ctx context.Context, t oauthcert.Target, names []string) error {
	if names == nil {
		return io.ErrUnexpectedEOF
	}
	_, err := c.do(ctx, http.MethodPatch, t, "", map[string]any{"servicePrincipalNames": names})
	return err
}

func TestConformanceOverHTTP(t *testing.T) {
	require.NoError(t, oauthcerttest.TestDirectory(t.Context(), func(d *oauthcerttest.Directory) oauthcert.Directory {
		srv := httptest.NewServer(d)
		t.Cleanup(srv.Close)
		return overHTTP{srv}
	}))
}

// What programs get wrong, and the directory must not forgive.
func TestStrict(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	app := &oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		Keys: []oauthcert.KeyCredential{cert.KeyCredential()}}
	d := oauthcerttest.New(1, app)
	srv := httptest.NewServer(d)
	defer srv.Close()
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(data)
	}
	path := "/v1.0/applications/" + app.ID
	_, body := ask("GET", path, "")
	assert.Contains(t, body, `"key":null`, "no value without $select")
	assert.Contains(t, body, `passwordCredentials`)
	_, body = ask("GET", path+"?$select=keyCredentials", "")
	assert.Contains(t, body, cert.Base64())
	assert.NotContains(t, body, `displayName":"Exch`)
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", path + "?$select=nothing", "", "Could not find a property"},
		{"GET", path + "?$expand=owners", "", "NotModelled"},
		{"GET", "/v1.0/applications", "", "NotModelled"},
		{"GET", "/v1.0/servicePrincipals(appId='" + oauthcert.ExchangeOnline + "')", "", "Request_ResourceNotFound"},
		{"DELETE", path, "", "NotModelled"},
		{"PATCH", path, `{"keyCredentials":[{}]}`, "empty"},
		{"PATCH", path, `{"keyCredentials":null}`, "Invalid value"},
		{"PATCH", path, `{"keyCredentials":[{"keyId":"unknown","type":"AsymmetricX509Cert","usage":"Verify"}]}`, "keyId is not known"},
		{"PATCH", path, `{"keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","key":"TUlJ"}]}`, "not a certificate"},
		{"PATCH", path, `{"keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","endDateTime":"2999-01-01T00:00:00Z","key":"` + cert.Base64() + `"}]}`, "KeyCredentialsInvalidEndDate"},
		{"PATCH", path, `{"keyCredentials":[],"displayName":"x"}`, "NotModelled"},
		{"PATCH", path, `{"servicePrincipalNames":["x"]}`, "does not exist"},
	} {
		status, body := ask(c.method, c.path, c.body)
		assert.GreaterOrEqual(t, status, 400, c.body)
		assert.Contains(t, body, c.want)
	}
	assert.Len(t, d.Truth(app.Target()).Find(cert), 1, "nothing of this was written")
}
