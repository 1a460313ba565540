// Package graphsignin makes the credential with which an example signs in to a
// tenant.
package graphsignin

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Ways names the ways to sign in, for help texts.
const Ways = "default, browser, device, cli or environment"

// New returns a credential for the tenant, given by id or domain, that signs in
// at authority when it is first used. How is one of [Ways]; what to do with a
// device code is written to prompt.
func New(how, tenant, authority string, prompt io.Writer) (azcore.TokenCredential, error) {
	client := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: authority}}
	switch how {
	case "default":
		// What the environment, a managed identity or a developer's tools offer;
		// the environment signs in to its own tenant.
		if other := os.Getenv("AZURE_TENANT_ID"); other != "" && !strings.EqualFold(other, tenant) {
			return nil, fmt.Errorf("-signin default signs in to AZURE_TENANT_ID, which is %q and not %q", other, tenant)
		}
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: client, TenantID: tenant})
	case "browser":
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{ClientOptions: client, TenantID: tenant})
	case "device":
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: client, TenantID: tenant,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				_, err := fmt.Fprintln(prompt, m.Message)
				return err
			}})
	case "cli":
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenant})
	case "environment":
		// It signs in to the tenant of the environment, whatever was asked for.
		if other := os.Getenv("AZURE_TENANT_ID"); !strings.EqualFold(other, tenant) {
			return nil, fmt.Errorf("-signin environment signs in to AZURE_TENANT_ID, which is %q and not %q", other, tenant)
		}
		return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: client})
	}
	return nil, fmt.Errorf("-signin is %s, not %q", Ways, how)
}
