package hybridoauth_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/authinspect/hybridoauth/hybridoauthtest"
)

// A form writes the objects of one command as one of PowerShell's outputs.
type form struct {
	name, ext string
	write     func(command string, objects []hybridoauth.Object) string
}

var forms = []form{
	{"Format-List", ".txt", formatList(0)},
	{"Format-List at 80 columns", ".txt", formatList(80)},
	{"Format-List at 79 columns", ".txt", formatList(79)},
	{"JSON", ".json", asJSON},
	{"JSON of Windows PowerShell 5.1", ".json", asJSON51},
	{"CLIXML", ".xml", asCLIXML},
}

func isTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

func formatList(width int) func(string, []hybridoauth.Object) string {
	return func(command string, objects []hybridoauth.Object) string {
		var b strings.Builder
		b.WriteString(`[PS] C:\Windows\system32>` + command + " | Format-List\r\n\r\n\r\n")
		for _, o := range objects {
			for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
				text := o.Properties[name].Text()
				if t, ok := isTime(text); ok {
					text = t.Format("1/2/2006 3:04:05 PM")
				} else if isList(o.Properties[name]) {
					text = "{" + text + "}"
				}
				label := fmt.Sprintf("%-32s: ", name)
				for n := 0; ; n++ {
					room := width - len(label)
					if width == 0 || len(text) <= room {
						b.WriteString(label + text + "\r\n")
						break
					}
					at := room
					if blank := strings.LastIndex(text[:min(room+1, len(text))], " "); blank > 0 {
						at = blank
					}
					b.WriteString(label + text[:at] + "\r\n")
					text, label = strings.TrimPrefix(text[at:], " "), strings.Repeat(" ", len(label))
				}
			}
			b.WriteString("\r\n")
		}
		return b.String()
	}
}

// isList reports whether a value is written as a list.
func isList(v hybridoauth.Value) bool {
	b, _ := json.Marshal(v)
	return b[0] == '['
}

func asJSON(command string, objects []hybridoauth.Object) string {
	var all []map[string]any
	for _, o := range objects {
		one := map[string]any{}
		for name, v := range o.Properties {
			switch text := v.Text(); {
			case isList(v):
				one[name] = append([]string{}, v.Texts()...)
			case text == "True", text == "False":
				one[name] = text == "True"
			case text == "":
				one[name] = nil
			default:
				one[name] = text
			}
		}
		all = append(all, one)
	}
	b, _ := json.MarshalIndent(map[string]any{command: all}, "", "  ")
	return string(b)
}

// asJSON51 takes a list of one apart, writes dates as /Date(ms)/ and UTF-8
// with a byte-order mark.
func asJSON51(command string, objects []hybridoauth.Object) string {
	var bundle map[string][]map[string]any
	if err := json.Unmarshal([]byte(asJSON(command, objects)), &bundle); err != nil {
		panic(err)
	}
	for _, o := range bundle[command] {
		for name, v := range o {
			if text, ok := v.(string); ok {
				if t, ok := isTime(text); ok {
					o[name] = fmt.Sprintf("/Date(%d)/", t.UnixMilli())
				}
			}
		}
	}
	var all any = bundle[command]
	switch len(bundle[command]) {
	case 0:
		all = nil
	case 1:
		all = bundle[command][0]
	}
	b, _ := json.Marshal(map[string]any{command: all})
	return "\ufeff" + string(b)
}

func asCLIXML(command string, objects []hybridoauth.Object) string {
	var b strings.Builder
	escape := func(s string) string {
		var e strings.Builder
		_ = xml.EscapeText(&e, []byte(s))
		return e.String()
	}
	b.WriteString(`<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">` + "\n")
	for i, o := range objects {
		fmt.Fprintf(&b, `<Obj RefId="%d"><TN RefId="%d"><T>Deserialized.System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS>`, 10*i, 10*i)
		for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
			v := o.Properties[name]
			text := v.Text()
			switch t, isDate := isTime(text); {
			case isList(v):
				fmt.Fprintf(&b, `<Obj N="%s"><LST>`, name)
				for _, e := range v.Texts() {
					b.WriteString("<S>" + escape(e) + "</S>")
				}
				b.WriteString("</LST></Obj>")
			case isDate:
				fmt.Fprintf(&b, `<DT N="%s">%s</DT>`, name, t.Format("2006-01-02T15:04:05Z"))
			case text == "True", text == "False":
				fmt.Fprintf(&b, `<B N="%s">%s</B>`, name, strings.ToLower(text))
			case text == "":
				fmt.Fprintf(&b, `<Nil N="%s" />`, name)
			default:
				fmt.Fprintf(&b, `<S N="%s">%s</S>`, name, escape(text))
			}
		}
		b.WriteString("</MS></Obj>\n")
	}
	b.WriteString("</Objs>")
	return b.String()
}

// capture writes a configuration as a folder: Exchange's objects in a form,
// those of Entra ID as pages of Microsoft Graph.
func capture(t *testing.T, c hybridoauth.Configuration, f form) fstest.MapFS {
	folder := fstest.MapFS{}
	for _, l := range c.Listed {
		var objects []hybridoauth.Object
		for _, o := range c.Objects {
			if o.Kind == l.Kind && o.Side == l.Side {
				objects = append(objects, o)
			}
		}
		name := string(l.Side) + "/Get-" + string(l.Kind)
		if l.Side == hybridoauth.Entra {
			set := map[hybridoauth.Kind]string{"Application": "applications", "ServicePrincipal": "servicePrincipals", "AppRoleAssignment": "servicePrincipals('x')/appRoleAssignments"}[l.Kind]
			page := []map[string]hybridoauth.Value{}
			for _, o := range objects {
				page = append(page, o.Properties)
			}
			b, err := json.Marshal(map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#" + set, "value": page})
			require.NoError(t, err)
			folder["entra/"+string(l.Kind)+".json"] = &fstest.MapFile{Data: b}
			continue
		}
		folder[name+f.ext] = &fstest.MapFile{Data: []byte(f.write("Get-"+string(l.Kind), objects))}
	}
	for _, o := range c.Objects {
		if o.Kind == "Test-OAuthConnectivity" {
			folder["onprem/test"+f.ext] = &fstest.MapFile{Data: []byte(f.write("Test-OAuthConnectivity", []hybridoauth.Object{o}))}
		}
	}
	return folder
}

// verdict is how every rule came out for every object.
func verdict(c hybridoauth.Configuration, s hybridoauth.Situation) []string {
	var all []string
	for _, f := range hybridoauth.Check(c, s, c.Context.Now) {
		// a line that is full to its last column does not tell whether a blank followed
		all = append(all, strings.ReplaceAll(f.Key(), "%20", "")+" "+f.Status.String())
	}
	slices.Sort(all)
	return all
}

// TestSameVerdictInEveryForm holds that one organization gives one verdict,
// healthy or broken, in whichever form it was captured.
func TestSameVerdictInEveryForm(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	organizations := []hybridoauthtest.Organization{{Situation: everything}, {Domain: "tailspintoys.org", Tenant: "tailspin", TenantID: "11111111-2222-4333-8444-555566667777", AppID: "aaaaaaaa-2222-4333-8444-555566667777", Servers: []string{"MBX-A", "MBX-B", "MBX-C"}, Situation: everything},
		{Situation: hybridoauth.NoHybrid}}
	for _, o := range organizations {
		healthy := o.Configuration()
		all := mutations(healthy)
		cases := map[string]hybridoauth.Configuration{"healthy": healthy}
		for range 12 {
			m := all[random.IntN(len(all))]
			c := clone(healthy)
			m.apply(&c)
			cases[m.name] = c
		}
		for name, c := range cases {
			want := verdict(c, o.Situation)
			for _, f := range forms {
				read, err := hybridoauth.ReadConfiguration(capture(t, c, f))
				require.NoError(t, err, "%s as %s", name, f.name)
				read.Context = c.Context
				got := verdict(read, o.Situation)
				if !slices.Equal(want, got) {
					missing := slices.DeleteFunc(slices.Clone(want), func(v string) bool { return slices.Contains(got, v) })
					extra := slices.DeleteFunc(slices.Clone(got), func(v string) bool { return slices.Contains(want, v) })
					t.Errorf("%s as %s: not as wanted %q, but %q", name, f.name, missing, extra)
				}
			}
		}
	}
}
