package hybridoauth_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/internal/findingtest"
)

func ids(all []hybridoauth.Explanation) (found []string) {
	for _, e := range all {
		found = append(found, e.ID)
	}
	return found
}

func taken(e hybridoauth.Explanation, name string) string {
	for _, v := range e.Taken {
		if v.Name == name {
			return v.Text
		}
	}
	return ""
}

// catchAlls are the entries that other entries' examples may be hit by: bare
// statuses, the wrappers around a more exact reason.
func isCatchAll(id string) bool {
	return slices.Contains([]string{"H-401", "H-403", "H-404", "H-503", "H-504", "HCW-OTHER"}, id)
}

func TestEveryExampleFindsItsOwnEntryFirst(t *testing.T) {
	b, err := os.ReadFile("data/errors.json")
	require.NoError(t, err)
	var table struct {
		Errors []struct{ ID, Example string } `json:"errors"`
	}
	require.NoError(t, json.Unmarshal(b, &table))
	require.Len(t, table.Errors, 152)
	for _, e := range table.Errors {
		found := ids(hybridoauth.ExplainError(e.Example))
		if assert.NotEmpty(t, found, e.ID) {
			assert.Equal(t, e.ID, found[0], e.Example)
			for _, other := range found[1:] {
				assert.True(t, isCatchAll(other), "%s: %s is hit too, by %q", e.ID, other, e.Example)
			}
		}
		// Wrapped by a console, even within words, it is the same.
		if len(e.Example) > 40 && !strings.Contains(e.Example, "…") {
			for at := 30; at < len(e.Example)-5; at += 23 {
				wrapped := e.Example[:at] + "\r\n      " + e.Example[at:]
				assert.Contains(t, ids(hybridoauth.ExplainError(wrapped)), e.ID, wrapped)
			}
		}
	}
}

func TestNothingIsMadeUp(t *testing.T) {
	for _, text := range []string{"", "everything is fine", "Get-AuthServer", "errorCode: 0", strings.Repeat("x", 2<<20)} {
		assert.Empty(t, hybridoauth.ExplainError(text), "%.20s", text)
	}
}

func TestCodesInBothForms(t *testing.T) {
	for _, id := range []string{"AADSTS700027", "AADSTS50012", "AADSTS500011", "AADSTS65001", "AADSTS7000112"} {
		number := strings.TrimPrefix(id, "AADSTS")
		for _, text := range []string{id + ": something", `{"status":{"errorCode":` + number + `}}`, `{"error":"invalid_client","error_codes":[` + number + `]}`, "Sign-in error code: " + number, "error code " + id} {
			assert.Contains(t, ids(hybridoauth.ExplainError(text)), id, text)
		}
	}
}

func TestWhatIsTakenOut(t *testing.T) {
	check := func(text, id, name, want string) {
		t.Helper()
		all := hybridoauth.ExplainError(text)
		i := slices.IndexFunc(all, func(e hybridoauth.Explanation) bool { return e.ID == id })
		if assert.GreaterOrEqual(t, i, 0, "%s in %v", id, ids(all)) {
			assert.Equal(t, want, taken(all[i], name))
		}
	}
	thumbprint := "9F1C8A0B7D6E5F4433221100FFEEDDCCBBAA9988"
	check("Exchange OAuth authentication couldn't find the authorization certificate with thumbprint "+thumbprint+" in your on-premises organization.", "HCW-AUTHCERT", "thumbprint", thumbprint)
	check("AADSTS50012: … Thumbprint of key used by client: '"+thumbprint+"']", "AADSTS50012", "thumbprint", thumbprint)
	check("The hostname component of the audience claim value 'https://hybrid.contoso.test' is invalid; error_category=\"invalid_resource\"", "R-4002", "audience", "https://hybrid.contoso.test")
	check("The resource principal named https://autodiscover.contoso.test was not found in the tenant named Contoso. This can", "AADSTS500011", "resource", "https://autodiscover.contoso.test")
	check("Using custom InternetWebProxy http://proxy.contoso.com:8080/. The remote server returned an error: (403) Forbidden. at System.Net.HttpWebRequest.GetRequestStream()", "H-403PROXY", "proxy", "http://proxy.contoso.com:8080/")
	check("The remote name could not be resolved: 'mail.contoso.com'", "H-DNS", "host", "mail.contoso.com")
}

func TestProxyIsNotTheSharedPrincipal(t *testing.T) {
	text := "The configuration was last successfully loaded at 1/01/0001 12:00:00 a.m. UTC.\nUsing custom InternetWebProxy http://proxy.contoso.com:8080/.\n" +
		"System.Net.WebException: The remote server returned an error: (403) Forbidden.\n at System.Net.HttpWebRequest.GetRequestStream()"
	assert.Equal(t, []string{"H-403PROXY"}, ids(hybridoauth.ExplainError(text)))
	assert.Equal(t, []string{"H-403BLOCK"}, ids(hybridoauth.ExplainError(strings.Split(text, "\n")[0]+" (403) Forbidden GetResponse()")))
}

func TestAddressOfMetadataIsNotAtFault(t *testing.T) {
	text := "Cannot acquire auth metadata document from 'https://accounts.accesscontrol.windows.net/contoso.test/metadata/json/1'. Error: "
	closed := hybridoauth.ExplainError(text + "The underlying connection was closed: An unexpected error occurred on a receive.")
	require.NotEmpty(t, closed)
	assert.Equal(t, "ASRV-METADATA", closed[0].ID)
	assert.NotContains(t, closed[0].Rules, "ASRV-012")
	absent := hybridoauth.ExplainError(text + "The remote server returned an error: (404) Not Found.")
	assert.Contains(t, absent[0].Rules, "ASRV-012")
}

func TestThumbprintsAreMatched(t *testing.T) {
	current, next, previous, other := strings.Repeat("A1", 20), strings.Repeat("B2", 20), strings.Repeat("C3", 20), strings.Repeat("D4", 20)
	for thumbprint, want := range map[string]string{current: "current", next: "next", previous: "previous", other: "other"} {
		c := hybridoauth.Configuration{Context: hybridoauth.Context{CurrentThumbprint: current, NextThumbprint: next, PreviousThumbprint: previous},
			Texts: []hybridoauth.Text{{Text: "AADSTS700027: … Thumbprint of key used by client: '" + thumbprint + "'"}}}
		findings := hybridoauth.CheckErrors(c, day)
		findingtest.Check(t, want, hybridoauth.Rules(), findings)
		require.NotEmpty(t, findings)
		assert.Contains(t, findings[0].Values, crossprem.Val("certificate", want))
	}
}

func TestConnectivityTests(t *testing.T) {
	read := func(name string) hybridoauth.ConnectivityTest {
		b, err := os.ReadFile("testdata/samples/" + name)
		require.NoError(t, err)
		tests, err := hybridoauth.ExplainConnectivityTest(string(b))
		require.NoError(t, err)
		require.Len(t, tests, 1)
		return tests[0]
	}
	success := read("08-test-oauth-success-dedicated.txt")
	assert.Equal(t, hybridoauth.TestSuccess, success.Result)
	assert.Equal(t, "c0ffee12-7a3b-4d5e-8f90-1234567890ab", success.ApplicationID)
	assert.Equal(t, crossprem.No, success.Shared)
	assert.Equal(t, hybridoauth.FaultUnknown, success.Fault, "no mailbox is no fault")
	assert.Equal(t, "https://outlook.office365.com/ews/exchange.asmx", success.Target)
	assert.False(t, success.FromCloud())

	key := read("09-test-oauth-401-key-not-found.txt")
	assert.Equal(t, hybridoauth.TestFailure, key.Result)
	assert.Equal(t, hybridoauth.FaultEntraID, key.Fault)
	assert.Equal(t, "ACS - 8d4e1b7a-22c3-4f5d-9b60-aa11bb22cc33", key.AuthServer)
	assert.True(t, slices.ContainsFunc(key.Steps, func(s hybridoauth.TestStep) bool { return s.Failed }))
	for _, s := range key.Steps {
		assert.NotContains(t, s.Text, "eyJh")
	}

	blocked := read("11-test-oauth-403-shared-sp-blocked.txt")
	assert.True(t, blocked.NeverLoaded)
	assert.Equal(t, hybridoauth.FaultOnPremises, blocked.Fault)

	spanish := read("12-test-oauth-localised-es-21vianet.txt")
	assert.Equal(t, hybridoauth.TestFailure, spanish.Result)
	assert.Equal(t, hybridoauth.FaultOnPremises, spanish.Fault)

	table := read("13-test-oauth-table.txt")
	assert.Equal(t, hybridoauth.TestSuccess, table.Result)
	assert.False(t, table.DetailKnown)
	assert.Equal(t, crossprem.AnswerUnknown, table.Shared)

	_, err := hybridoauth.ExplainConnectivityTest("hello")
	assert.ErrorIs(t, err, hybridoauth.ErrNoTest)
	_, err = hybridoauth.ExplainConnectivityTest(`{"a":`)
	assert.Error(t, err)
}
