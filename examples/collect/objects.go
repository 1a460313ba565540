package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/identity"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/policies"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"

	"github.com/crossprem/crossprem/examples/collect/internal/gather"
)

// tenantOf returns the tenant behind adapter. What is merely saved is asked
// for with the request builders of Microsoft's SDK, each from its subpackage:
// the root package would compile everything. The answers are kept as they come
// and not made into models, which fail on values that are newer than they.
func tenantOf(adapter abstractions.RequestAdapter) gather.Tenant {
	base := map[string]string{"baseurl": adapter.GetBaseUrl()}
	apps := applications.NewApplicationsRequestBuilderInternal(base, adapter)
	principals := serviceprincipals.NewServicePrincipalsRequestBuilderInternal(base, adapter)
	access := identity.NewConditionalAccessPoliciesRequestBuilderInternal(base, adapter)
	defaults := policies.NewIdentitySecurityDefaultsEnforcementPolicyRequestBuilderInternal(base, adapter)
	listed := []string{"id", "appId", "displayName"}
	keys := []string{"id", "appId", "displayName", "keyCredentials", "passwordCredentials"}
	send := func(ctx context.Context, info *abstractions.RequestInformation, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return raw(ctx, adapter, info)
	}
	return gather.Tenant{
		Adapter: adapter,
		Applications: func(ctx context.Context, _, next string) ([]byte, error) {
			b := apps
			c := &applications.ApplicationsRequestBuilderGetRequestConfiguration{QueryParameters: &applications.ApplicationsRequestBuilderGetQueryParameters{Select: listed}}
			if next != "" {
				b, c = apps.WithUrl(next), nil
			}
			info, err := b.ToGetRequestInformation(ctx, c)
			return send(ctx, info, err)
		},
		ServicePrincipals: func(ctx context.Context, _, next string) ([]byte, error) {
			b := principals
			c := &serviceprincipals.ServicePrincipalsRequestBuilderGetRequestConfiguration{QueryParameters: &serviceprincipals.ServicePrincipalsRequestBuilderGetQueryParameters{Select: listed}}
			if next != "" {
				b, c = principals.WithUrl(next), nil
			}
			info, err := b.ToGetRequestInformation(ctx, c)
			return send(ctx, info, err)
		},
		Application: func(ctx context.Context, id, _ string) ([]byte, error) {
			info, err := apps.ByApplicationId(id).ToGetRequestInformation(ctx, &applications.ApplicationItemRequestBuilderGetRequestConfiguration{
				QueryParameters: &applications.ApplicationItemRequestBuilderGetQueryParameters{Select: append(keys[:len(keys):len(keys)], "signInAudience", "requiredResourceAccess")}})
			return send(ctx, info, err)
		},
		ServicePrincipal: func(ctx context.Context, id, _ string) ([]byte, error) {
			info, err := principals.ByServicePrincipalId(id).ToGetRequestInformation(ctx, &serviceprincipals.ServicePrincipalItemRequestBuilderGetRequestConfiguration{
				QueryParameters: &serviceprincipals.ServicePrincipalItemRequestBuilderGetQueryParameters{
					Select: append(keys[:len(keys):len(keys)], "accountEnabled", "servicePrincipalNames", "servicePrincipalType")}})
			return send(ctx, info, err)
		},
		RoleAssignments: func(ctx context.Context, id, next string) ([]byte, error) {
			b := principals.ByServicePrincipalId(id).AppRoleAssignments()
			if next != "" {
				b = b.WithUrl(next)
			}
			info, err := b.ToGetRequestInformation(ctx, nil)
			return send(ctx, info, err)
		},
		ConditionalAccess: func(ctx context.Context, _, next string) ([]byte, error) {
			b := access
			if next != "" {
				b = access.WithUrl(next)
			}
			info, err := b.ToGetRequestInformation(ctx, nil)
			return send(ctx, info, err)
		},
		SecurityDefault: func(ctx context.Context, _, _ string) ([]byte, error) {
			info, err := defaults.ToGetRequestInformation(ctx, nil)
			return send(ctx, info, err)
		},
	}
}

// raw sends a request and returns the body of the answer.
func raw(ctx context.Context, adapter abstractions.RequestAdapter, info *abstractions.RequestInformation) ([]byte, error) {
	// The address of a next page is Microsoft Graph's to say, the host is not.
	uri, err := info.GetUri()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(uri.String(), strings.TrimSuffix(adapter.GetBaseUrl(), "/v1.0")+"/") {
		return nil, fmt.Errorf("the next page is at another host: %.100s", uri.Host)
	}
	answer, err := adapter.SendPrimitive(ctx, info, "[]byte", abstractions.ErrorMappings{"XXX": odataerrors.CreateODataErrorFromDiscriminatorValue})
	if e := (*odataerrors.ODataError)(nil); errors.As(err, &e) {
		code, message := "", ""
		if main := e.GetErrorEscaped(); main != nil {
			if main.GetCode() != nil {
				code = *main.GetCode()
			}
			if main.GetMessage() != nil {
				message = *main.GetMessage()
			}
		}
		return nil, fmt.Errorf("Microsoft Graph answered %d %.100s: %.300s", e.ResponseStatusCode, code, message)
	}
	if err != nil {
		return nil, err
	}
	body, ok := answer.([]byte)
	if !ok {
		return nil, errors.New("Microsoft Graph sent no body")
	}
	return body, nil
}
