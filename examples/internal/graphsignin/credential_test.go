package graphsignin

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const authority = "https://login.microsoftonline.us"

// No way signs in to another tenant than the one that was asked for.
func TestEnvironmentIsForItsOwnTenant(t *testing.T) {
	t.Setenv("AZURE_CLIENT_ID", "c0ffee12-7a3b-4d5e-8f90-1234567890ab")
	t.Setenv("AZURE_CLIENT_SECRET", "secret")
	t.Setenv("AZURE_TENANT_ID", "fabrikam.com")
	_, err := New("environment", "contoso.com", authority, nil)
	assert.EqualError(t, err, `-signin environment signs in to AZURE_TENANT_ID, which is "fabrikam.com" and not "contoso.com"`)
	_, err = New("default", "contoso.com", authority, nil)
	assert.EqualError(t, err, `-signin default signs in to AZURE_TENANT_ID, which is "fabrikam.com" and not "contoso.com"`)
	_, err = New("environment", "Fabrikam.com", authority, nil)
	assert.NoError(t, err)
}

func TestWays(t *testing.T) {
	for _, how := range []string{"default", "browser", "device", "cli"} {
		credential, err := New(how, "contoso.com", authority, nil)
		assert.NoError(t, err, how)
		assert.NotNil(t, credential, how)
	}
	credential, err := New("pigeon", "contoso.com", authority, nil)
	assert.EqualError(t, err, `-signin is default, browser, device, cli or environment, not "pigeon"`)
	assert.Nil(t, credential)
}
