package authinspect_test

import (
	"encoding/json"
	"html"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
)

// detail is what Test-OAuthConnectivity shows of one call.
const detail = `The configuration was last successfully loaded at 11/21/2026 6:02:11 AM UTC. This was 14 minutes ago.
The token cache is being cleared because "use cached token" was set to false.
Exchange Outbound Oauth Log:
Client request ID: 5d2f1c9a-61b1-4a3e-9b58-0a3b0f6f5d11
Information:[OAuthCredentials:Authenticate] entering
Information:[OAuthCredentials:Authenticate] challenge from 'https://mail.contoso.test/ews/exchange.asmx' received: Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.windows.net/common/oauth2/authorize",Negotiate,Basic Realm=""
Information:[OAuthCredentials:GetToken] client-id: '00000002-0000-0ff1-ce00-000000000000', realm: ''
Error:The remote server returned an error: (401) Unauthorized.`

func TestChallengeOfTestOAuthConnectivity(t *testing.T) {
	object := map[string]string{"Task": "Checking EWS API Call Under Oauth", "Detail": strings.ReplaceAll(detail, "\n", "\r\n"), "ResultType": "Error", "Identity": "x"}
	asObject, err := json.MarshalIndent(object, "", "  ")
	require.NoError(t, err)
	properties := [][2]string{{"RunspaceId", "1d6e8f9a-0b1c-4d2e-8f3a-4b5c6d7e8f90"}, {"Task", object["Task"]}, {"Detail", detail}, {"ResultType", "Error"}, {"IsValid", "True"}}
	forms := map[string]string{
		"lines":      detail,
		"quoted":     "> " + strings.ReplaceAll(detail, "\n", "\n> "),
		"wide list":  "\n" + list(4000, properties...) + "\n",
		"two calls":  "\n" + list(4000, properties...) + "\n\n" + list(4000, properties...) + "\n",
		"JSON":       string(asObject),
		"JSON array": "[" + string(asObject) + "," + string(asObject) + "]",
		"CSV":        "\"Task\",\"Detail\",\"ResultType\"\n\"" + object["Task"] + "\",\"" + strings.ReplaceAll(detail, `"`, `""`) + "\",\"Error\"\n",
		"CLIXML": "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Obj RefId=\"0\"><Props><S N=\"Task\">x</S><S N=\"Detail\">" +
			strings.ReplaceAll(html.EscapeString(detail), "\n", "_x000D__x000A_") + "</S><S N=\"ResultType\">Error</S></Props></Obj></Objs>",
	}
	for name, text := range forms {
		t.Run(name, func(t *testing.T) {
			answers, warnings, err := authinspect.ReadAnswers(strings.NewReader(text))
			require.NoError(t, err)
			assert.Empty(t, warnings)
			r := authinspect.Conclude("-", "", answers...)
			assert.Equal(t, []authinspect.Scheme{authinspect.Negotiate, authinspect.Bearer, authinspect.Basic}, sorted(r.Schemes))
			assert.Equal(t, authinspect.ModernOn, r.Modern)
			require.NotNil(t, r.Issuer)
			assert.Equal(t, "6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e", r.Issuer.Tenant)
		})
	}
	// A table with wrapped cells has lost the blanks at its edges.
	cut := "Task       Detail                                   ResultType\n----       ------                                   ----------\nChecking E Information:[OAuthCredentials:Authenticate]  Error\nWS API     challenge from 'https://mail.contoso.tes\n           t/ews' received: Bearer client_id=\"000000\n           02\", trusted_issuers=\"0000\"\n"
	answers, _, err := authinspect.ReadAnswers(strings.NewReader(cut))
	if err == nil {
		assert.Empty(t, authinspect.Conclude("-", "", answers...).Schemes)
	}
}

// sorted returns the three schemes of the test in one order.
func sorted(schemes []authinspect.Scheme) []authinspect.Scheme {
	var list []authinspect.Scheme
	for _, want := range []authinspect.Scheme{authinspect.Negotiate, authinspect.Bearer, authinspect.Basic} {
		for _, s := range schemes {
			if s == want {
				list = append(list, s)
			}
		}
	}
	if len(list) != len(schemes) {
		return schemes
	}
	return list
}

func TestSchemeAndParameter(t *testing.T) {
	text := "Scheme    : Bearer\nParameter : client_id=\"00000002-0000-0ff1-ce00-000000000000\", trusted_issuers=\"00000001-0000-0000-c000-000000000000@*\"\n\n" +
		"Scheme    : Negotiate\nParameter : \n\nScheme    : Basic\nParameter : realm=\"mail.contoso.test\"\n"
	answers, _, err := authinspect.ReadAnswers(strings.NewReader(text))
	require.NoError(t, err)
	r := authinspect.Conclude("-", "", answers...)
	assert.Equal(t, []authinspect.Scheme{authinspect.Bearer, authinspect.Negotiate, authinspect.Basic}, r.Schemes)
}

func TestHTTPNTLMInfoOfNmap(t *testing.T) {
	text := "PORT    STATE SERVICE\n443/tcp open  https\n| http-ntlm-info: \n|   Target_Name: CONTOSO\n|   NetBIOS_Domain_Name: CONTOSO\n|   DNS_Computer_Name: ex01.contoso.test\n|_  Product_Version: 10.0.17763\n"
	answers, _, err := authinspect.ReadAnswers(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, []authinspect.Scheme{authinspect.NTLM}, authinspect.Conclude("-", "", answers...).Schemes)
}
