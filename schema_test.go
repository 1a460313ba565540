package crossprem_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/internal/jsonshape"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// schemaVersion is raised when a member is taken away or changes its meaning.
const schemaVersion = 1

// A shaped type has a file in schema/.
type shaped struct {
	name, title string
	maps        []string // members that are maps
	values      []any
	live        bool // values of servers, whose members differ from run to run
}

func shapedTypes(t *testing.T) []shaped {
	t.Helper()
	summary, err := signins.Summarize(signins.ReadFiles(t.Context(), os.DirFS("signins/testdata/samples")))
	require.NoError(t, err)
	var records, verdicts, findings []any
	for s, err := range signins.ReadFiles(t.Context(), os.DirFS("signins/testdata/samples")) {
		if err == nil {
			records = append(records, s)
			verdicts = append(verdicts, signins.Classify(&s))
		}
	}
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	add := func(list []crossprem.Finding) {
		for _, f := range list {
			findings = append(findings, f)
		}
	}
	add(signins.Assess(summary, at))

	var results []any
	for _, c := range tlsprobetest.Lab() {
		if c.Asks != "" || len(results) > 12 {
			continue
		}
		server := c.Server.Start()
		r, err := (&tlsprobe.Prober{Timeout: 2 * time.Second}).Probe(t.Context(), server.Addr)
		server.Close()
		if err == nil {
			results = append(results, r)
			add(tlsprobe.Assess(r, tlsprobe.AnyServer, at))
		}
	}
	estate := authinspecttest.Estate{
		"mail.contoso.test": authinspecttest.Exchange{Modern: authinspecttest.HMA}.FrontEnd(),
		"old.contoso.test":  authinspecttest.Exchange2019().FrontEnd(),
	}.Start()
	defer estate.Close()
	var web []any
	for _, url := range []string{"https://mail.contoso.test/EWS/Exchange.asmx", "https://old.contoso.test/EWS/Exchange.asmx", "https://old.contoso.test/nothing"} {
		r, err := (&authinspect.Inspector{Dial: estate.Dial, Roots: estate.Roots()}).Inspect(t.Context(), url)
		require.NoError(t, err)
		web = append(web, r)
		add(authinspect.Assess(r, at))
	}
	var assessments []any
	for _, product := range connectversion.Products() {
		for i, release := range connectversion.Embedded().Releases(product) {
			if i%5 == 0 {
				a := connectversion.Assess(product, release.Version, at, connectversion.Facts{})
				assessments = append(assessments, a)
				add(a.Findings)
			}
		}
	}
	cert, err := oauthcert.ReadFile("examples/report/estate/OAuthCert.cer")
	require.NoError(t, err)
	add(oauthcert.Assess(cert, at))
	return []shaped{
		{"finding", "crossprem.Finding", nil, findings, false},
		{"changes", "crossprem.Changes", nil, []any{crossprem.Compare(nil, signins.Assess(summary, at)), crossprem.Compare(signins.Assess(summary, at), nil)}, false},
		{"signins.summary", "signins.Summary", []string{"users", "byClass", "byProtocol", "byOutcome", "legacyBasicAuth", "notKnowable", "applicationsByProtocol", "daysByProtocol"}, []any{summary, new(signins.Summary)}, false},
		{"signins.signin", "signins.SignIn", nil, records, false},
		{"signins.verdict", "signins.Verdict", nil, verdicts, false},
		{"tlsprobe.result", "tlsprobe.Result", []string{"versions", "others.versions"}, results, true},
		{"authinspect.result", "authinspect.Result", nil, web, true},
		{"connectversion.assessment", "connectversion.Assessment", nil, assessments, false},
		{"oauthcert.certificate", "oauthcert.Certificate", nil, []any{cert}, false},
	}
}

// schema/ holds JSON Schemas of what the types marshal to, made from the types
// and from values of them; what they marshal to today has to fit, and has to
// have no member that the schema does not know.
func TestJSONFitsItsSchema(t *testing.T) {
	for _, s := range shapedTypes(t) {
		file := filepath.Join("schema", fmt.Sprintf("%s.v%d.json", s.name, schemaVersion))
		require.NotEmpty(t, s.values, s.name)
		if os.Getenv("CROSSPREM_WRITE") == "1" {
			shape, err := jsonshape.Of(s.maps, s.values...)
			require.NoError(t, err)
			if s.live {
				shape.Optional()
			}
			text, err := shape.Schema(s.name, s.title, schemaVersion)
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll("schema", 0o755))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var tree map[string]any
		require.NoError(t, json.Unmarshal(text, &tree))
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource("mem:///"+s.name, document))
		schema, err := compiler.Compile("mem:///" + s.name)
		require.NoError(t, err, s.name)
		unknown := make(map[string]bool)
		for _, v := range s.values {
			b, err := json.Marshal(v)
			require.NoError(t, err)
			var value any
			require.NoError(t, json.Unmarshal(b, &value))
			if !assert.NoError(t, schema.Validate(value), s.name) {
				break
			}
			unlisted(tree, value, s.name, unknown)
		}
		for path := range unknown {
			t.Errorf("%s is not in %s; CROSSPREM_WRITE=1 go test . writes it anew", path, file)
		}
	}
}

// unlisted collects the members of a value that a schema does not list.
func unlisted(schema map[string]any, v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case []any:
		if items, ok := schema["items"].(map[string]any); ok {
			for _, e := range v {
				unlisted(items, e, path, into)
			}
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, e := range v {
			if member, ok := properties[name].(map[string]any); ok {
				unlisted(member, e, path+"."+name, into)
			} else if each, ok := schema["additionalProperties"].(map[string]any); ok {
				unlisted(each, e, path+".*", into)
			} else {
				into[path+"."+name] = true
			}
		}
	}
}

func TestSchemasAreKnown(t *testing.T) {
	files, err := filepath.Glob("schema/*.json")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), fmt.Sprintf(".v%d.json", schemaVersion)))
	}
	slices.Sort(names)
	assert.Equal(t, []string{"authinspect.result", "changes", "connectversion.assessment", "finding", "oauthcert.certificate", "signins.signin", "signins.summary", "signins.verdict", "tlsprobe.result"}, names)
}
