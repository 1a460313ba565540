package kqlsignins_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
)

// The columns of the tables, by Azure Monitor's reference of November 2026.
// IncomingTokenType and OriginalTransferMethod are in no table of the
// reference, and in some workspaces.
var schemas = map[string]string{
	"SigninLogs": "AADTenantId: string, AlternateSignInName: string, AppDisplayName: string, AppId: string, AppliedConditionalAccessPolicies: string, " +
		"AppliedEventListeners: dynamic, AuthenticationContextClassReferences: string, AuthenticationDetails: string, AuthenticationMethodsUsed: string, " +
		"AuthenticationProcessingDetails: string, AuthenticationProtocol: string, AuthenticationRequirement: string, AuthenticationRequirementPolicies: string, " +
		"AutonomousSystemNumber: string, Category: string, ClientAppUsed: string, ConditionalAccessPolicies: dynamic, ConditionalAccessStatus: string, " +
		"CorrelationId: string, CreatedDateTime: datetime, CrossTenantAccessType: string, DeviceDetail: dynamic, DurationMs: long, FlaggedForReview: bool, " +
		"HomeTenantId: string, Id: string, Identity: string, IPAddress: string, IPAddressFromResourceProvider: string, IsInteractive: bool, IsRisky: bool, Level: string, " +
		"Location: string, LocationDetails: dynamic, MfaDetail: dynamic, NetworkLocationDetails: string, OperationName: string, OperationVersion: string, " +
		"OriginalRequestId: string, ProcessingTimeInMilliseconds: string, Resource: string, ResourceDisplayName: string, ResourceGroup: string, ResourceId: string, " +
		"ResourceIdentity: string, ResourceProvider: string, ResourceServicePrincipalId: string, ResourceTenantId: string, ResultDescription: string, " +
		"ResultSignature: string, ResultType: string, RiskDetail: string, RiskState: string, ServicePrincipalId: string, ServicePrincipalName: string, " +
		"SessionLifetimePolicies: string, SignInIdentifier: string, SignInIdentifierType: string, SourceSystem: string, Status: dynamic, TenantId: string, " +
		"TimeGenerated: datetime, TokenIssuerName: string, TokenIssuerType: string, Type: string, UniqueTokenIdentifier: string, UserAgent: string, " +
		"UserDisplayName: string, UserId: string, UserPrincipalName: string, UserType: string",
	"AADNonInteractiveUserSignInLogs": "AlternateSignInName: string, AppDisplayName: string, AppId: string, AppliedEventListeners: dynamic, " +
		"AuthenticationContextClassReferences: string, AuthenticationDetails: string, AuthenticationMethodsUsed: string, AuthenticationProcessingDetails: string, " +
		"AuthenticationProtocol: string, AuthenticationRequirement: string, AuthenticationRequirementPolicies: string, AutonomousSystemNumber: string, Category: string, " +
		"ClientAppUsed: string, ConditionalAccessPolicies: string, ConditionalAccessStatus: string, CorrelationId: string, CreatedDateTime: datetime, " +
		"CrossTenantAccessType: string, DeviceDetail: string, DurationMs: long, HomeTenantId: string, Id: string, Identity: string, IPAddress: string, IsInteractive: bool, " +
		"IsRisky: bool, Level: string, Location: string, LocationDetails: string, MfaDetail: string, NetworkLocationDetails: string, OperationName: string, " +
		"OperationVersion: string, OriginalRequestId: string, ProcessingTimeInMs: string, ResourceDisplayName: string, ResourceGroup: string, ResourceIdentity: string, " +
		"ResourceServicePrincipalId: string, ResourceTenantId: string, ResultDescription: string, ResultSignature: string, ResultType: string, ServicePrincipalId: string, " +
		"SignInEventTypes: string, SourceSystem: string, Status: string, TenantId: string, TimeGenerated: datetime, Type: string, UniqueTokenIdentifier: string, " +
		"UserAgent: string, UserDisplayName: string, UserId: string, UserPrincipalName: string, UserType: string",
	"AADServicePrincipalSignInLogs": applicationColumns,
	"AADManagedIdentitySignInLogs":  applicationColumns,
}

const applicationColumns = "AppId: string, AuthenticationContextClassReferences: string, AuthenticationProcessingDetails: string, Category: string, " +
	"ConditionalAccessPolicies: string, ConditionalAccessStatus: string, CorrelationId: string, DurationMs: long, FederatedCredentialId: string, Id: string, " +
	"Identity: string, IPAddress: string, Level: string, Location: string, LocationDetails: string, OperationName: string, OperationVersion: string, " +
	"ResourceDisplayName: string, ResourceGroup: string, ResourceIdentity: string, ResourceServicePrincipalId: string, ResultDescription: string, " +
	"ResultSignature: string, ResultType: string, ServicePrincipalCredentialKeyId: string, ServicePrincipalId: string, ServicePrincipalName: string, " +
	"SourceSystem: string, TenantId: string, TimeGenerated: datetime, Type: string, UniqueTokenIdentifier: string"

// checked is what Microsoft's parser and type checker say of a query.
type checked struct {
	Diagnostics []struct{ Code, Severity, Message, At string }
	Columns     []struct{ Name, Type string }
	Tree        *node
}

// A node is a word of a query, or what is made of several.
type node struct {
	Kind, Text string
	Nodes      []*node

	inner []*node // what parts returned before
}

// check asks them, with the tables in schemas.
func check(t *testing.T, schemas map[string]string, trees bool, queries ...string) []checked {
	t.Helper()
	library := filepath.Dir(peer.NPM(t, "@kusto/language-service-next", "Kusto.Language.Bridge.min.js"))
	tables := map[string]string{}
	for name, columns := range schemas {
		tables[name] = "(" + columns + ")"
	}
	input, err := json.Marshal(map[string]any{"library": library, "tables": tables, "queries": queries, "trees": trees})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), peer.Look(t, "node", "nodejs"), "testdata/check.js")
	cmd.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	var answers []checked
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Len(t, answers, len(queries))
	return answers
}

// engines are engines with all settings that change a query.
func engines() map[string]*kqlsignins.Engine {
	day := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	return map[string]*kqlsignins.Engine{
		"all":      {},
		"a day":    {Summarizer: signins.Summarizer{Since: day, Until: day.AddDate(0, 0, 1)}},
		"workbook": {Summarizer: signins.Summarizer{Definition: signins.WorkbookCompatible}},
	}
}

func TestQueriesTypeCheck(t *testing.T) {
	newer := map[string]string{}
	for name, columns := range schemas {
		newer[name] = columns + ", IncomingTokenType: string, OriginalTransferMethod: string"
	}
	columnTypes := map[string]string{"Records": "long", "Successes": "long", "Copies": "long", "Network": "long", "First": "datetime", "Last": "datetime", "Hour": "datetime",
		"PasswordGrant": "bool", "DeviceCode": "bool", "NativeMail": "bool", "ByUserAgent": "bool"}
	var queries []string
	for name, e := range engines() {
		own := e.Queries()
		require.Len(t, own, 9)
		for _, q := range own {
			text := q.String()
			assert.True(t, strings.HasPrefix(text, "// "), "%s, %s: begins with a comment", name, q.Part)
			assert.NotContains(t, text, "\n\n", "%s, %s", name, q.Part)
			assert.True(t, strings.HasSuffix(text, "\n"), "%s, %s", name, q.Part)
			queries = append(queries, text)
		}
	}
	for _, tables := range []map[string]string{schemas, newer} {
		for i, c := range check(t, tables, false, queries...) {
			assert.Empty(t, c.Diagnostics, queries[i])
			require.NotEmpty(t, c.Columns)
			for _, column := range c.Columns {
				want := columnTypes[column.Name]
				if want == "" {
					want = "string"
				}
				assert.Equal(t, want, column.Type, column.Name)
			}
		}
	}
}

// Queries that are broken in one place do not pass.
func TestBrokenQueriesDoNotTypeCheck(t *testing.T) {
	query := new(kqlsignins.Engine).Queries()[0].String()
	var names, texts []string
	for broken, change := range map[string][2]string{
		"a column that there is not":   {"ClientAppUsed", "ClientAppUse"},
		"a number as text":             {"isempty(Id)", "Id + 1 == 2"},
		"a function that there is not": {"countif(", "countiff("},
		"a parenthesis too few":        {"summarize arg_max(Delivered, *)", "summarize arg_max(Delivered, *"},
		"a table that there is not":    {"SigninLogs\n", "SignInsLogs\n"},
		"a text as a condition":        {"countif(Succeeded)", "countif(Outcome)"},
		"a column of a step not yet":   {"ClientShort = ", "ClientShort = ClientName + "},
		"no comma":                     {", Last = max(Time)", " Last = max(Time)"},
	} {
		text := strings.Replace(query, change[0], change[1], 1)
		require.NotEqual(t, query, text, broken)
		names, texts = append(names, broken), append(texts, text)
	}
	for i, c := range check(t, schemas, false, texts...) {
		assert.NotEmpty(t, c.Diagnostics, names[i])
	}
}
