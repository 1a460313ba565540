package graphoauthcert_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
)

// fixed stands for a credential of azidentity.
type fixed struct{}

func (fixed) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func Example() {
	// Stands for Microsoft Graph; leave Endpoint out to reach the real one.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{
			"id": "0f1e2d3c-4b5a-4697-8877-665544332211",
			"appId": "00000002-0000-0ff1-ce00-000000000000",
			"keyCredentials": [{"keyId": "aaaa1111-0000-4000-8000-000000000001", "endDateTime": "2022-03-01T09:00:00Z"}],
			"servicePrincipalNames": ["https://mail.contoso.com/"]}`)
	}))
	defer server.Close()

	dir, err := graphoauthcert.New(fixed{}, graphoauthcert.Options{Endpoint: server.URL, Transport: server.Client().Transport})
	if err != nil {
		fmt.Println(err)
		return
	}
	shared, err := dir.Read(context.Background(), oauthcert.Target{
		Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range shared.Keys {
		fmt.Println("a key is left on the shared principal; it expired on", key.EndDateTime.Format(time.DateOnly))
	}
	// Output: a key is left on the shared principal; it expired on 2022-03-01
}
