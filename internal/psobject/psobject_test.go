package psobject

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) []Output {
	t.Helper()
	outputs, err := Parse([]byte(text))
	require.NoError(t, err)
	return outputs
}

// one parses text that holds exactly one object.
func one(t *testing.T, text string) Object {
	t.Helper()
	objects := Objects(parse(t, text))
	require.Len(t, objects, 1)
	return objects[0]
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	require.NoError(t, err)
	return b
}

// byCommand parses samples and returns their outputs by command. The name of
// a CLIXML file is that of its command.
func byCommand(t *testing.T, name string) map[string]Output {
	t.Helper()
	all := make(map[string]Output)
	if strings.HasSuffix(name, ".clixml") {
		files, err := filepath.Glob(filepath.Join("testdata", "samples", name, "*.xml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			outputs, err := Parse(b)
			require.NoError(t, err, file)
			require.Len(t, outputs, 1)
			all[strings.TrimSuffix(filepath.Base(file), ".xml")] = outputs[0]
		}
		return all
	}
	outputs, err := Parse(sample(t, name))
	require.NoError(t, err)
	for _, out := range outputs {
		all[out.Command] = out
	}
	return all
}

// The same organisation, captured in three ways, reads the same.
func TestThreeCapturesOfOneOrganisation(t *testing.T) {
	for _, name := range []string{
		"01-good-dedicated-se.format-list.txt", "02-good-dedicated-se.ps51.json", "03-good-dedicated-se.clixml",
	} {
		t.Run(name, func(t *testing.T) {
			all := byCommand(t, name)
			text := func(o Object, property, want string) {
				t.Helper()
				got, state := o.String(property)
				assert.Equal(t, Present, state, property)
				assert.Equal(t, want, got, property)
			}
			list := func(o Object, property string, want ...string) {
				t.Helper()
				got, state := o.Strings(property)
				assert.Equal(t, Present, state, property)
				assert.Equal(t, want, got, property)
			}

			require.Len(t, all["Get-AuthConfig"].Objects, 1)
			config := all["Get-AuthConfig"].Objects[0]
			text(config, "currentcertificatethumbprint", "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C")
			text(config, "Realm", "")
			text(config, "Name", "Auth Configuration")
			at, state := config.Time("NextCertificateEffectiveDate")
			assert.Equal(t, Present, state)
			assert.Equal(t, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), at)

			servers := all["Get-AuthServer"].Objects
			require.Len(t, servers, 2)
			text(servers[0], "TokenIssuingEndpoint", "https://accounts.accesscontrol.windows.net/5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1/tokens/OAuth/2")
			text(servers[0], "Type", "MicrosoftACS")
			text(servers[1], "AuthMetadataUrl", "https://login.windows.net/5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1/federationmetadata/2007-06/federationmetadata.xml")
			text(servers[1], "Type", "AzureAD")
			list(servers[1], "DomainName", "contoso.com", "contoso.mail.onmicrosoft.com")
			enabled, state := servers[1].Bool("Enabled")
			assert.Equal(t, Present, state)
			assert.True(t, enabled)

			partner := all["Get-PartnerApplication"].Objects[0]
			certificates, state := partner.Strings("CertificateStrings")
			assert.Equal(t, Present, state)
			assert.Empty(t, certificates)
			text(partner, "LinkedAccount", "contoso.local/Users/Exchange Online-ApplicationAccount")
			text(partner, "AccountType", "OrganizationalAccount")

			spaces, ran := all["Get-AvailabilityAddressSpace"]
			assert.True(t, ran, "the command ran …")
			assert.Empty(t, spaces.Objects, "… and found nothing")
			assert.Empty(t, spaces.Lines)

			organisation := all["Get-OrganizationConfig"].Objects[0]
			_, state = organisation.Bool("EwsEnabled")
			assert.Equal(t, Blank, state)
			_, state = organisation.Bool("NoSuchThing")
			assert.Equal(t, Absent, state)

			directories := all["Get-WebServicesVirtualDirectory"].Objects
			require.Len(t, directories, 2)
			list(directories[1], "ExternalAuthenticationMethods", "Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth")
			text(directories[0], "Identity", `EX01\EWS (Default Web Site)`)
			list(all["Get-SettingOverride"].Objects[0], "Parameters", "Enabled=true")

			for command, out := range all {
				assert.Empty(t, out.Lines, command)
				assert.False(t, out.Failed, command)
			}
		})
	}
}

func TestNumbersOfPowerShell7(t *testing.T) {
	all := byCommand(t, "05-faulty-authcert.ps7.json")
	server := all["Get-AuthServer"].Objects[1]
	n, state := server.Int("Type")
	assert.Equal(t, Present, state)
	assert.EqualValues(t, 4, n)
	certificate := all["Get-ExchangeCertificate"].Objects[1]
	until, state := certificate.Time("NotAfter")
	assert.Equal(t, Present, state)
	assert.Equal(t, time.Date(2026, 11, 18, 9, 0, 0, 0, time.UTC), until)
	key, state := certificate.Bool("HasPrivateKey")
	assert.Equal(t, Present, state)
	assert.False(t, key)
}

func TestListCutShort(t *testing.T) {
	connector := byCommand(t, "07-truncated-list.format-list.txt")["Get-IntraOrganizationConnector"].Objects[0]
	domains, state := connector.Strings("TargetAddressDomains")
	assert.Equal(t, Cut, state)
	assert.Equal(t, []string{"fabrikam.com", "contoso.com", "tailspintoys.com", "wingtiptoys.com"}, domains)
	_, state = connector.String("TargetAddressDomains")
	assert.Equal(t, Cut, state)

	domains, state = one(t, "Domains : {a.test, b.test…}\nName    : x\n").Strings("Domains")
	assert.Equal(t, Cut, state, "PowerShell 7")
	assert.Equal(t, []string{"a.test", "b.test"}, domains)
}

// The detail of Test-OAuthConnectivity has line ends of its own.
func TestValuesOfSeveralLines(t *testing.T) {
	for name, last := range map[string]string{
		"08-test-oauth-success-dedicated.txt":     "The SMTP address has no mailbox associated with it.",
		"09-test-oauth-401-key-not-found.txt":     "   at Microsoft.Exchange.Monitoring.TestOAuthConnectivityHelper.SendExchangeOAuthRequest(ADUser user, String orgDomain, Uri targetUri, String& diagnosticMessage, Boolean appOnly, Boolean useCachedToken, Boolean reloadConfig)",
		"11-test-oauth-403-shared-sp-blocked.txt": "   at System.Net.HttpWebRequest.GetResponse()",
		"12-test-oauth-localised-es-21vianet.txt": "System.Net.WebException: Error en el servidor remoto: (401) No autorizado.",
	} {
		raw := string(sample(t, name))
		result := one(t, raw)
		assert.Len(t, result.Properties, 7, name)
		detail, state := result.String("Detail")
		assert.Equal(t, Present, state, name)
		lines := strings.Split(detail, "\n")
		assert.Equal(t, last, lines[len(lines)-1], name)
		for _, line := range lines {
			assert.Contains(t, raw, line+"\r\n", name)
		}
		valid, state := result.Bool("IsValid")
		assert.Equal(t, Present, state)
		assert.True(t, valid)
	}
}

// In East Asia a letter takes two cells of the console, and lines are broken
// anywhere.
func TestWideLetters(t *testing.T) {
	o := one(t, ""+
		"Name : "+strings.Repeat("東", 56)+"\n"+
		"       "+strings.Repeat("京", 56)+"\n"+
		"       大阪\n"+
		"Id   : x\n")
	name, state := o.String("Name")
	assert.Equal(t, Present, state)
	assert.Equal(t, strings.Repeat("東", 56)+strings.Repeat("京", 56)+"大阪", name)
}

func TestEmptyLinesWithinAValue(t *testing.T) {
	objects := Objects(parse(t, "Text : one\n\n\n       two\nNext : x\n\nText : three\nNext : y\n"))
	require.Len(t, objects, 2)
	text, _ := objects[0].String("Text")
	assert.Equal(t, "one\n\n\ntwo", text)
	text, _ = objects[1].String("Text")
	assert.Equal(t, "three", text)

	// However many there are, each is looked at once.
	long := one(t, "Text : one\n"+strings.Repeat("\n", 1<<16)+"       two\n")
	text, _ = long.String("Text")
	assert.Len(t, text, len("one")+1<<16+1+len("two"))
}

func TestTable(t *testing.T) {
	result := one(t, string(sample(t, "13-test-oauth-table.txt")))
	_, state := result.String("Detail")
	assert.Equal(t, Cut, state)
	kind, state := result.String("ResultType")
	assert.Equal(t, Present, state)
	assert.Equal(t, "Success", kind)

	objects := Objects(parse(t, ""+
		"Name      Size Enabled Domains\n"+
		"----      ---- ------- -------\n"+
		"EX01        12 True    {a.test, b.test}\n"+
		"EX02 1234567   False   {}\n"+
		"EX03         1         {c.test...}\n"))
	require.Len(t, objects, 3)
	size, state := objects[0].Int("Size")
	assert.Equal(t, Present, state)
	assert.EqualValues(t, 12, size)
	_, state = objects[2].Strings("Domains")
	assert.Equal(t, Cut, state)
	enabled, state := objects[2].Bool("Enabled")
	assert.Equal(t, Blank, state)
	assert.False(t, enabled)

	wrapped := Objects(parse(t, "Name Text\n---- ----\na    one\n     two\nb    three\n"))
	require.Len(t, wrapped, 2)
	_, state = wrapped[0].String("Text")
	assert.Equal(t, Cut, state, "perhaps it goes on, perhaps it is another row")
	name, state := wrapped[0].String("Name")
	assert.Equal(t, Present, state)
	assert.Equal(t, "a", name)

	unsure := Objects(parse(t, "Name  Size\n----  ----\nabcdef 12345\nab1234567890\n"))
	require.Len(t, unsure, 2)
	_, state = unsure[0].String("Size")
	assert.Equal(t, Cut, state, "no boundary can be seen")
}

// A redirection in Windows PowerShell writes UTF-16 with a mark; others have
// the other order, or no mark.
func TestEncodings(t *testing.T) {
	const text = "Name  : Zürich 🔑\r\nRealm : \r\n"
	units := utf16.Encode([]rune(text))
	little, big := []byte{}, []byte{}
	for _, u := range units {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	for name, b := range map[string][]byte{
		"UTF-8": []byte(text), "UTF-8 with mark": []byte("\xef\xbb\xbf" + text),
		"UTF-16LE": append([]byte{0xff, 0xfe}, little...), "UTF-16BE": append([]byte{0xfe, 0xff}, big...),
		"UTF-16LE without mark": little, "UTF-16BE without mark": big,
	} {
		outputs, err := Parse(b)
		require.NoError(t, err, name)
		require.Len(t, Objects(outputs), 1, name)
		got, _ := Objects(outputs)[0].String("Name")
		assert.Equal(t, "Zürich 🔑", got, name)
		assert.Len(t, Objects(outputs)[0].Properties, 2, name)
	}
	o := one(t, "Name\u00a0 \u00a0 : x\nRealm \u00a0 : a\u00a0b\n\u00a0\n") // copied from a web page
	assert.Equal(t, []Property{{"Name", scalarOf("x")}, {"Realm", scalarOf("a b")}}, o.Properties)
	_, err := Parse([]byte{0xff, 0xfe, 'a', 0, 'b'})
	assert.EqualError(t, err, "psobject: the UTF-16 text ends within a character")
}

func TestSessions(t *testing.T) {
	outputs := parse(t, strings.Join([]string{
		"Windows PowerShell",
		"Copyright (C) Microsoft Corporation. All rights reserved.",
		"",
		`PS C:\Users\adele> Get-ADSyncAutoUpgrade`,
		"Suspended",
		`PS C:\Users\adele> Get-IntraOrganizationConnector | fl`,
		`PS C:\Users\adele> Get-AuthConfig | ConvertTo-Json`,
		`{`, `  "Realm": null`, `}`,
		`[ex01]: PS C:\> Get-AuthServer | fl`,
		`Get-AuthServer : The operation couldn't be performed.`,
		"At line:1 char:1",
		"+ Get-AuthServer | fl",
		"    + CategoryInfo          : NotSpecified: (:) [Get-AuthServer], Exception",
		"",
		"[INFO] mailbox -> user",
		`PS C:\Users\adele> `,
		"",
	}, "\r\n"))
	require.Len(t, outputs, 5)
	assert.Equal(t, []string{"Windows PowerShell", "Copyright (C) Microsoft Corporation. All rights reserved."}, outputs[0].Lines)
	assert.Equal(t, Output{Command: "Get-ADSyncAutoUpgrade", Lines: []string{"Suspended"}}, outputs[1])
	assert.Equal(t, Output{Command: "Get-IntraOrganizationConnector"}, outputs[2])
	assert.Equal(t, "Get-AuthConfig", outputs[3].Command)
	realm, state := outputs[3].Objects[0].String("Realm")
	assert.Equal(t, Present, state)
	assert.Empty(t, realm)
	assert.Equal(t, "Get-AuthServer", outputs[4].Command)
	assert.True(t, outputs[4].Failed)
	assert.Empty(t, outputs[4].Objects)
	assert.Len(t, outputs[4].Lines, 5)
	assert.Equal(t, "[INFO] mailbox -> user", outputs[4].Lines[4], "an arrow is no prompt")
}

func TestConvertToJSON(t *testing.T) {
	o := one(t, `{
		"Wrapped": {"value": ["a", "b"], "Count": 2},
		"Date": {"value": "\/Date(1801440000000)\/", "DisplayHint": 2, "DateTime": "Monday, February 1, 2027 12:00:00 AM"},
		"Enum": {"value": 4, "Value": "AzureAD"},
		"Real": {"value": 4, "other": "x"},
		"Deep": "@{a=1; b=2}",
		"Type": "System.Object[]",
		"SerializationData": ["AAEAAAD"]
	}`)
	list, state := o.Strings("Wrapped")
	assert.Equal(t, Present, state)
	assert.Equal(t, []string{"a", "b"}, list)
	at, state := o.Time("Date")
	assert.Equal(t, Present, state)
	assert.Equal(t, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), at)
	name, _ := o.String("Enum")
	assert.Equal(t, "AzureAD", name)
	n, state := o.Int("Enum")
	assert.Equal(t, Present, state)
	assert.EqualValues(t, 4, n)
	assert.NotNil(t, o.Get("Real").Object)
	for _, cut := range []string{"Deep", "Type"} {
		_, state = o.String(cut)
		assert.Equal(t, Cut, state, cut)
	}
	assert.False(t, o.Has("SerializationData"))

	// At its -Depth, ConvertTo-Json joins lists with blanks and keeps silent.
	deep := one(t, `{"Get-X": [{"Domains": "a.test b.test", "Name": "Exchange Online"}]}`)
	_, state = deep.Strings("Domains")
	assert.Equal(t, Cut, state)
	name, state = deep.String("Name")
	assert.Equal(t, Present, state)
	assert.Equal(t, "Exchange Online", name)

	two := Objects(parse(t, "{\"a\": 1}\n{\"a\": 2}\n"))
	assert.Len(t, two, 2)
	assert.Equal(t, []string{"Disabled"}, parse(t, `["Disabled"]`)[0].Lines)
}

func TestCLIXML(t *testing.T) {
	o := one(t, `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
	<Obj RefId="0"><TN RefId="0"><T>Deserialized.Contoso.Thing</T><T>System.Object</T></TN><ToString>thing</ToString>
	<Props>
		<S N="Text">a_x000A_b_xD83D__xDD11_ &amp; c</S>
		<Obj N="Map" RefId="1"><TN RefId="1"><T>System.Collections.Hashtable</T></TN><DCT>
			<En><S N="Key">Enabled</S><B N="Value">true</B></En>
			<En><S N="Key">SerializationData</S><S N="Value">x</S></En></DCT></Obj>
		<Ref N="Again" RefId="1" />
		<Ref N="Circle" RefId="0" />
		<SS N="Secret">01000000d08c9ddf0115d1118c7a00c04fc297eb</SS>
		<Obj N="Deep" RefId="2"><TNRef RefId="1" /></Obj>
		<C N="Letter">65</C>
		<BA N="SerializationData">AAEAAAD/////</BA>
	</Props>
	<MS><S N="PSComputerName">ex01.contoso.test</S></MS></Obj>
	<S>Suspended</S>
</Objs>`)
	assert.Equal(t, []string{"Contoso.Thing", "System.Object"}, o.Types)
	assert.Equal(t, "thing", o.Text)
	text, _ := o.String("Text")
	assert.Equal(t, "a\nb🔑 & c", text)
	for _, name := range []string{"Map", "Again"} {
		enabled, state := o.Get(name).Object.Bool("Enabled")
		assert.Equal(t, Present, state, name)
		assert.True(t, enabled)
		assert.Len(t, o.Get(name).Object.Properties, 1)
	}
	for _, name := range []string{"Circle", "Secret", "Deep"} {
		assert.Equal(t, Value{State: Cut}, o.Get(name), name)
	}
	letter, _ := o.String("Letter")
	assert.Equal(t, "A", letter)
	computer, _ := o.String("PSComputerName")
	assert.Equal(t, "ex01.contoso.test", computer)
	assert.False(t, o.Has("SerializationData"))
}

func TestDates(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	check := func(text string, want time.Time) {
		t.Helper()
		got, state := one(t, "Date : "+text).Time("Date")
		if want.IsZero() {
			assert.Equal(t, Unreadable, state, text)
			return
		}
		assert.Equal(t, Present, state, text)
		assert.Equal(t, want, got, text)
	}
	check("2/1/2027 12:00:00 AM", day(2027, 2, 1)) // the shape of the United States
	check("13/1/2027 0:00:00", day(2027, 1, 13))
	check("1/13/2027 0:00:00", day(2027, 1, 13))
	check("02/01/2027 00:00:00", time.Time{}) // London or Washington?
	check("03/03/2027 00:00:00", day(2027, 3, 3))
	check("01.02.2027 00:00:00", day(2027, 2, 1))
	check("01-02-2027 00:00:00", day(2027, 2, 1))
	check("2027-02-01", day(2027, 2, 1))
	check("2027-02-01T01:00:00+01:00", day(2027, 2, 1))
	check("12/31/9999 11:59:59 PM", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
	check("22/11/2569 6:00:00", time.Time{})
	check("31/2/2027 0:00:00", time.Time{})
	check("tomorrow", time.Time{})

	// One date that leaves no doubt tells the order of all.
	o := one(t, "From : 02/01/2027 00:00:00\nTo   : 15/01/2027 00:00:00\n")
	from, state := o.Time("From")
	assert.Equal(t, Present, state)
	assert.Equal(t, day(2027, 1, 2), from)
	o = one(t, "A : 2/1/2027 1:00:00 AM\nB : 15/01/2027 00:00:00\nC : 1/15/2027 1:00:00 AM\n")
	_, state = o.Time("A")
	assert.Equal(t, Unreadable, state, "the input comes from two cultures")
}

func TestBounds(t *testing.T) {
	fails := func(text, want string) {
		t.Helper()
		_, err := Parse([]byte(text))
		assert.EqualError(t, err, want)
	}
	fails(strings.Repeat("[", MaxDepth+2)+`"secret`, "psobject: line 1: objects lie too deep in each other")
	fails("{\n\"a\": secret}", "psobject: line 2: this is no valid JSON")
	fails("{\n\"a\": 1", "psobject: line 2: unexpected EOF")
	fails("<Objs>\n<Obj><Props>", "psobject: line 2: this is no valid XML")
	fails("<?xml version=\"1.0\"?>\n<!DOCTYPE x [<!ENTITY a \"aaaa\">]><Objs/>", "psobject: line 2: CLIXML has no document type")
	fails("<Objs><S>&a;</S></Objs>", "psobject: line 1: this is no valid XML")
	fails("<Objs>"+strings.Repeat("<Obj><LST>", MaxDepth+2), "psobject: line 1: objects lie too deep in each other")
	fails("PS C:\\> Get-X\n\n{\n\"a\": !}", "psobject: line 4: this is no valid JSON")

	// Objects that refer to each other grow like 10^n when they are walked.
	var bomb strings.Builder
	bomb.WriteString(`<Objs><Obj RefId="0"><LST><S>x</S></LST></Obj>`)
	for i := 1; i < 12; i++ {
		bomb.WriteString(`<Obj RefId="` + string(rune('a'+i)) + `"><LST>`)
		id := string(rune('a' + i - 1))
		if i == 1 {
			id = "0"
		}
		bomb.WriteString(strings.Repeat(`<Ref RefId="`+id+`"/>`, 10) + `</LST></Obj>`)
	}
	bomb.WriteString(`</Objs>`)
	fails(bomb.String(), "psobject: line 1: too many values")

	// A cell that goes on for thousands of rows is cut somewhere.
	cell := one(t, "aaa bbb\n--- ---\nx   y\n"+strings.Repeat("    y\n", 5000)).Get("bbb")
	assert.Equal(t, Cut, cell.State)
	assert.LessOrEqual(t, len(cell.Text), maxCutText)

	_, err := Parse(make([]byte, MaxSize+1))
	assert.EqualError(t, err, "psobject: input is larger than 64 MiB")
}
