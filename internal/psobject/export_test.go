package psobject

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Export-Clixml -InputObject of a list writes one list, which is not an
// object of its own.
func TestListAtTheRoot(t *testing.T) {
	const list = `<Obj RefId="0"><TN RefId="0"><T>System.Object[]</T></TN><LST>
		<Obj RefId="1"><TN RefId="1"><T>Deserialized.AuthServer</T></TN><ToString>a</ToString><Props><S N="Name">a</S></Props></Obj>
		<Obj RefId="2"><TNRef RefId="1" /><Props><S N="Name">b</S></Props></Obj></LST></Obj>`
	objects := Objects(parse(t, `<Objs xmlns="http://schemas.microsoft.com/powershell/2004/04">`+list+list+`</Objs>`))
	require.Len(t, objects, 4)
	name, _ := objects[3].String("Name")
	assert.Equal(t, "b", name)
}

// The same table of commands and objects, as hashtable and as JSON.
func TestBundles(t *testing.T) {
	for _, text := range []string{
		`{"Get-AuthConfig":[{"Current":"1111","Next":null}],"get-authserver":[]}`,
		`[{"Get-AuthConfig":{"Current":"1111","Next":null}},{"get-authserver":null}]`,
		`<Objs><Obj RefId="0"><TN RefId="0"><T>System.Collections.Hashtable</T></TN><DCT>
			<En><S N="Key">Get-AuthConfig</S><Obj N="Value" RefId="1"><Props><S N="Current">1111</S><Nil N="Next" /></Props></Obj></En>
			<En><S N="Key">get-authserver</S><Nil N="Value" /></En></DCT></Obj></Objs>`,
	} {
		outputs := parse(t, text)
		require.Len(t, outputs, 2, text)
		assert.Equal(t, "Get-AuthConfig", outputs[0].Command)
		require.Len(t, outputs[0].Objects, 1)
		current, _ := outputs[0].Objects[0].String("Current")
		assert.Equal(t, "1111", current)
		assert.Equal(t, Output{Command: "Get-AuthServer"}, outputs[1], "it ran and found nothing")
	}
	object := one(t, `{"content-type": "x", "Get-X": 1}`)
	assert.Len(t, object.Properties, 2, "not all are commands")
}

func TestCSV(t *testing.T) {
	for _, text := range []string{
		"\"Name\",\"Domains\",\"Text\"\r\n\"a, \"\"b\"\"\",\"x, y\",\"one\r\ntwo\"\r\n\"c\",,\"System.Object[]\"\r\n",
		"#TYPE Selected.Deserialized.AuthServer\r\nName;Domains;Text\r\n\"a, \"\"b\"\"\";x, y;\"one\r\ntwo\"\r\nc;;System.Object[]\r\n",
		"Name\tDomains\tText\n\"a, \"\"b\"\"\"\tx, y\t\"one\ntwo\"\n\nc\t\tSystem.Object[]\n",
		"PS C:\\> Get-AuthServer | ConvertTo-Csv -Delimiter '|'\n\"Name\"|\"Domains\"|\"Text\"\n\"a, \"\"b\"\"\"|\"x, y\"|\"one\ntwo\"\n\"c\"||\"System.Object[]\"\nPS C:\\> \n",
	} {
		objects := Objects(parse(t, text))
		require.Len(t, objects, 2, text)
		name, state := objects[0].String("Name")
		assert.Equal(t, Present, state)
		assert.Equal(t, `a, "b"`, name)
		lines, _ := objects[0].String("Text")
		assert.Equal(t, "one\ntwo", lines)
		_, state = objects[0].Strings("Domains")
		assert.Equal(t, Cut, state, "a list that was joined, or a text")
		domains, state := objects[1].Strings("Domains")
		assert.Equal(t, Present, state)
		assert.Empty(t, domains)
		_, state = objects[1].String("Text")
		assert.Equal(t, Cut, state, "the name of a type")
	}
	assert.Empty(t, Objects(parse(t, "Hello, world\nthis is a text, with commas\n")))
	assert.Empty(t, Objects(parse(t, "one,two\n")))

	two := Objects(parse(t, "#TYPE A\n\"Name\"\n\"a\"\n#TYPE B\n\"Id\",\"Name\"\n\"1\",\"b\"\n"))
	require.Len(t, two, 2)
	assert.Equal(t, []string{"A"}, two[0].Types)
	assert.Equal(t, []string{"B"}, two[1].Types)
}

func TestDurations(t *testing.T) {
	for iso, want := range map[string]string{
		"PT30M": "00:30:00", "P7DT0.5S": "7.00:00:00.5000000", "-PT5M": "-00:05:00", "PT0S": "00:00:00",
		"P1DT2H3M4S": "1.02:03:04", "PT36H": "1.12:00:00", "P": "P", "PT": "PT", "P1Y": "P1Y",
	} {
		span, _ := one(t, `<Objs><Obj><Props><TS N="Span">`+iso+`</TS></Props></Obj></Objs>`).String("Span")
		assert.Equal(t, want, span)
	}
}
