package oauthcerttest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem/oauthcert"
)

// maxBody bounds the body of a request.
const maxBody = 4 << 20

// ServeHTTP answers as Microsoft Graph does, for GET and PATCH of one
// application or service principal by id or by appId, under /v1.0 or /beta, and
// for a list of all of them or of those by the beginning of their names.
// Without $select, or in an object that was not asked for alone, the value of
// a key is null, and there are more properties than the directory models, a
// password credential among them: of these the values are the same for all
// objects. It never asks who is calling. What it does
// not know, it refuses with 400 and the code "NotModelled".
func (d *Directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, err := d.serve(r)
	var refused *oauthcert.DirectoryError
	switch {
	case errors.As(err, &refused):
		status, body = refused.Status, graphError{Error: errorBody{refused.Code, refused.Message, innerError{RequestID: newGUID()}}}
		if refused.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter.Seconds())))
		}
	case err != nil:
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
	w.WriteHeader(status)
	if body != nil {
		json.NewEncoder(w).Encode(body) // the client may have gone
	}
}

type graphError struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Inner   innerError `json:"innerError"`
}

type innerError struct {
	RequestID string `json:"request-id"`
}

func notModelled(format string, args ...any) error {
	return &oauthcert.DirectoryError{Status: 400, Code: "NotModelled", Message: fmt.Sprintf(format, args...)}
}

func (d *Directory) serve(r *http.Request) (status int, body any, err error) {
	if kind, ok := listOf(r.URL.Path); ok && r.Method == http.MethodGet {
		body, err = d.list(r, kind)
		return http.StatusOK, body, err
	}
	target, err := parseTarget(r.URL.Path)
	if err != nil {
		return 0, nil, err
	}
	switch r.Method {
	case http.MethodGet:
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return 0, nil, notModelled("query: %v", err)
		}
		for name := range query {
			if name != "$select" {
				return 0, nil, notModelled("query option %q", name)
			}
		}
		o, err := d.Read(r.Context(), target)
		if err != nil {
			return 0, nil, err
		}
		answer, err := d.show(o, query.Get("$select"))
		return http.StatusOK, answer, err
	case http.MethodPatch:
		return http.StatusNoContent, nil, d.patch(r, target)
	}
	return 0, nil, notModelled("method %s", r.Method)
}

// listOf reads /v1.0/applications.
func listOf(path string) (oauthcert.Kind, bool) {
	for _, k := range []oauthcert.Kind{oauthcert.Application, oauthcert.ServicePrincipal} {
		if path == "/v1.0/"+k.String()+"s" || path == "/beta/"+k.String()+"s" {
			return k, true
		}
	}
	return oauthcert.UnknownKind, false
}

var startsWith = regexp.MustCompile(`^startswith\(displayName,'([^']*)'\)$`)

// list shows all objects of a kind, or those whose names begin as $filter says,
// without the values of their keys.
func (d *Directory) list(r *http.Request, kind oauthcert.Kind) (any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, notModelled("query: %v", err)
	}
	beginning, options := "", 1
	if query.Has("$filter") {
		filter := startsWith.FindStringSubmatch(query.Get("$filter"))
		if filter == nil {
			return nil, notModelled("a $filter other than startswith(displayName,'…')")
		}
		beginning, options = filter[1], 2
	}
	if query.Get("$select") == "" || len(query) != options {
		return nil, notModelled("a list without $select, or with more than that and $filter")
	}
	d.mu.Lock()
	var targets []oauthcert.Target
	for _, o := range d.objects {
		value := o.newest()
		if value.Kind == kind && strings.HasPrefix(strings.ToLower(value.DisplayName), strings.ToLower(beginning)) {
			targets = append(targets, value.Target())
		}
	}
	d.mu.Unlock()
	all := []map[string]any{}
	for _, target := range targets {
		o, err := d.Read(r.Context(), target)
		if err != nil {
			return nil, err
		}
		for i := range o.Keys {
			o.Keys[i].Key = nil
		}
		shown, err := d.show(o, query.Get("$select"))
		if err != nil {
			return nil, err
		}
		delete(shown, "@odata.context")
		all = append(all, shown)
	}
	return map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#" + kind.String() + "s", "value": all}, nil
}

// parseTarget reads /v1.0/applications/{id} or /v1.0/applications(appId='…').
func parseTarget(path string) (oauthcert.Target, error) {
	rest, ok := strings.CutPrefix(path, "/v1.0/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/beta/")
	}
	var t oauthcert.Target
	for _, k := range []oauthcert.Kind{oauthcert.Application, oauthcert.ServicePrincipal} {
		if tail, found := strings.CutPrefix(rest, k.String()+"s"); ok && found {
			t.Kind = k
			if id, found := strings.CutPrefix(tail, "/"); found {
				t.ID = id
			} else if id, found := strings.CutPrefix(tail, "(appId='"); found && strings.HasSuffix(id, "')") {
				t.AppID = strings.TrimSuffix(id, "')")
			}
		}
	}
	if t.Check() != nil {
		return t, notModelled("path %q", path)
	}
	return t, nil
}

// show selects the properties of an object.
func (d *Directory) show(o *oauthcert.Object, selected string) (map[string]any, error) {
	all := map[string]any{"id": o.ID, "appId": o.AppID, "displayName": nullable(o.DisplayName)}
	if o.Kind == oauthcert.ServicePrincipal {
		all["appOwnerOrganizationId"] = nullable(o.AppOwnerOrganizationID)
		all["servicePrincipalNames"] = o.Names
		all["accountEnabled"], all["servicePrincipalType"] = true, "Application"
	} else {
		all["signInAudience"], all["requiredResourceAccess"] = "AzureADMyOrg", []any{}
	}
	keys := []map[string]any{}
	for _, k := range o.Keys {
		entry := map[string]any{
			"customKeyIdentifier": nullable(k.CustomKeyIdentifier), "displayName": nullable(k.DisplayName),
			"keyId": k.KeyID, "type": k.Type, "usage": k.Usage, "key": nil,
			"startDateTime": nil, "endDateTime": nil,
		}
		if !k.StartDateTime.IsZero() {
			entry["startDateTime"] = k.StartDateTime.UTC()
		}
		if !k.EndDateTime.IsZero() {
			entry["endDateTime"] = k.EndDateTime.UTC()
		}
		if k.Key != nil && selected != "" {
			entry["key"] = k.Key // encoding/json writes bytes as base64
		}
		keys = append(keys, entry)
	}
	all["keyCredentials"] = keys
	secrets := []map[string]any{}
	if o.Kind == oauthcert.Application {
		secrets = append(secrets, map[string]any{"keyId": "bbbb2222-0000-4000-8000-000000000001", "hint": "Abc", "secretText": nil})
	}
	all["passwordCredentials"] = secrets
	context := "https://graph.microsoft.com/v1.0/$metadata#" + o.Kind.String() + "s"
	if selected == "" {
		all["@odata.context"] = context + "/$entity"
		return all, nil
	}
	out := map[string]any{"@odata.context": context + "(" + selected + ")/$entity"}
	for _, name := range strings.Split(selected, ",") {
		value, ok := all[name]
		if !ok {
			return nil, badRequest("Could not find a property named '" + name + "' on type 'microsoft.graph." + o.Kind.String() + "'.")
		}
		out[name] = value
	}
	return out, nil
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// patch reads one collection and writes it. A property that an entry does not
// have in Graph is refused, and so is an entry without any.
func (d *Directory) patch(r *http.Request, target oauthcert.Target) error {
	var in io.Reader = r.Body
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip": // as the middleware of Microsoft's SDK sends it
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return badRequest("The body could not be read.")
		}
		in = z
	default:
		return &oauthcert.DirectoryError{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: "Content-Encoding " + encoding}
	}
	data, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil || len(data) > maxBody {
		return badRequest("The body could not be read.")
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(data, &body); err != nil {
		return badRequest("The body could not be read.")
	}
	if raw, ok := body["@odata.type"]; ok { // the SDK's models write it
		if want := `"#microsoft.graph.` + target.Kind.String() + `"`; string(raw) != want {
			return badRequest("A value of type " + want + " is needed.")
		}
		delete(body, "@odata.type")
	}
	if len(body) != 1 {
		return notModelled("a body with other than one property")
	}
	if raw, ok := body["servicePrincipalNames"]; ok {
		var names []string
		if err := json.Unmarshal(raw, &names); err != nil || names == nil {
			return badRequest("Invalid value specified for property 'servicePrincipalNames' of resource 'ServicePrincipal'.")
		}
		return d.WriteNames(r.Context(), target, names)
	}
	raw, ok := body["keyCredentials"]
	if !ok {
		return notModelled("a body without keyCredentials or servicePrincipalNames")
	}
	var entries []map[string]any
	if err := json.Unmarshal(raw, &entries); err != nil || entries == nil {
		return badRequest("Invalid value specified for property 'keyCredentials'.")
	}
	for _, e := range entries {
		if len(e) == 0 {
			return badRequest("A key credential is empty.")
		}
		for name := range e {
			if !slices.Contains([]string{"customKeyIdentifier", "displayName", "endDateTime", "key", "keyId", "startDateTime", "type", "usage", "@odata.type"}, name) {
				return badRequest("The property '" + name + "' does not exist on type 'microsoft.graph.keyCredential'.")
			}
		}
	}
	var keys []oauthcert.KeyCredential
	if err := json.Unmarshal(raw, &keys); err != nil {
		return badRequest("A key credential could not be read.")
	}
	return d.WriteKeys(r.Context(), target, keys)
}
