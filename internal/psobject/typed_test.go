package psobject

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// However a command is typed, its output is known by its name; what an
// expression picks out of the objects is not its output.
func TestTyped(t *testing.T) {
	for input, want := range map[string]string{
		"Get-AuthServer":                 "Get-AuthServer",
		"get-authserver | fl":            "Get-AuthServer",
		"GET-AUTHSERVER|FL name,enabled": "Get-AuthServer",
		"(get-authserver)":               "Get-AuthServer",
		"(Get-AuthServer | where {$_.Enabled -eq $true}) | ft":     "Get-AuthServer",
		"@(Get-AuthServer)[0] | Format-List *":                     "Get-AuthServer",
		"& { Get-AuthServer } | fl":                                "Get-AuthServer",
		"$x = Get-AuthServer; $x | fl":                             "Get-AuthServer",
		"Get-AuthServer | ? Enabled | sort Name | select -First 1": "Get-AuthServer",
		"Get-AuthServer |\n fl Name,\n Enabled":                    "Get-AuthServer",
		"Get-Mailbox ada | Get-CASMailbox | fl":                    "Get-CASMailbox",
		"Get-AuthServer -Identity 'a;b|c' | fl # all of it":        "Get-AuthServer",
		"Microsoft.Exchange\\Get-AuthServer":                       "Get-AuthServer",
		"Invoke-Command -ComputerName ex1 { Get-AuthServer }":      "Get-AuthServer",
		"get-myownthing":                               "get-myownthing",
		"(Get-AuthServer).Name":                        "",
		"(Get-AuthServer)[0].Detail":                   "",
		"Get-AuthServer | select -ExpandProperty Name": "",
		"Get-AuthServer | % Name":                      "",
		"Get-AuthServer | measure":                     "",
		"Get-AuthServer; Get-AuthConfig":               "",
		"$x | fl":                                      "",
		"$x.Count":                                     "",
		"1 + 1":                                        "",
		"":                                             "",
		"((((":                                         "",
	} {
		got, _ := make(variables).printed(input)
		assert.Equal(t, want, got, input)
	}
	outputs := parse(t, "PS C:\\> $servers = get-authserver\nPS C:\\> $servers | fl\n\nName : a\n\nPS C:\\> $servers[0].Name\na\n"+
		"PS C:\\> Get-AuthConfig |\n>> fl Realm\n>>\n\nRealm : r\n\n")
	require.Len(t, outputs, 3)
	assert.Equal(t, "Get-AuthServer", outputs[0].Command)
	assert.Len(t, outputs[0].Objects, 1)
	assert.Equal(t, Output{Lines: []string{"a"}}, outputs[1])
	assert.Equal(t, "Get-AuthConfig", outputs[2].Command)
	assert.Len(t, outputs[2].Objects, 1)
}
