package connectversion

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/psobject"
	"github.com/crossprem/crossprem/internal/wintext"
)

// text reads a file of text: output of cmdlets, an exported configuration, an
// answer of Microsoft Graph, or a log.
func (g *gathering) text(name string) error {
	f, err := g.fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, psobject.MaxSize+1))
	if err != nil {
		return err
	}
	found := gathering{}
	if found.agentLog(name, raw); found.took {
		// The log of an agent: its lines are no output.
	} else if isExport(raw) {
		if err := found.export(name, raw); err != nil {
			return err
		}
	} else {
		outputs, err := psobject.Parse(raw)
		if err != nil {
			return err
		}
		stem := strings.TrimSuffix(path.Base(name), path.Ext(name))
		for _, out := range outputs {
			command := cmp.Or(out.Command, stem) // a redirected file is often named after the cmdlet
			found.plain(command, name, out)
			for _, o := range out.Objects {
				found.object(command, name, o)
			}
		}
		if !found.took {
			found.fileVersions(name, raw)
		}
	}
	g.took = found.took
	g.Evidence = append(g.Evidence, found.Evidence...)
	g.suspended = g.suspended || found.suspended
	g.syncEnabled = cmp.Or(g.syncEnabled, found.syncEnabled)
	if g.lastSync.Before(found.lastSync) {
		g.lastSync = found.lastSync
	}
	return g.take(name, found.Facts)
}

// aSetting is a setting as "name = value", "name: value" or "name value" on a
// line of its own, or within "@{Name=…; Value=…}".
var (
	aSetting     = regexp.MustCompile(`^["'\s]*(Microsoft\.[A-Za-z]+\.[A-Za-z.]+)["']?\s*[:=\s]\s*["']?([^"']*?)["',;\s]*$`)
	aTextSetting = regexp.MustCompile(`Name\s*=\s*(Microsoft\.[A-Za-z.]+)\s*;[^}]*?\bValue\s*=\s*([^;}]*)`)
)

// plain takes the cmdlets that print words, not objects, and settings on lines
// that are no object.
func (g *gathering) plain(command, where string, out psobject.Output) {
	for _, line := range out.Lines {
		if m := aSetting.FindStringSubmatch(line); m != nil {
			g.setting(where, m[1], m[2], false)
		}
		for _, m := range aTextSetting.FindAllStringSubmatch(line, -1) {
			g.setting(where, m[1], strings.TrimSpace(m[2]), false)
		}
	}
	if out.Failed {
		return
	}
	for _, word := range out.Lines {
		if word = strings.Trim(strings.TrimSpace(word), `"`); word == "" { // ConvertTo-Json quotes it
			continue
		}
		switch strings.ToLower(command) {
		case "get-adsyncautoupgrade":
			g.autoUpgrade(word)
		case "get-adsyncaadconnectorimportapiversion":
			g.Facts.ImportAPI = apiVersion(word)
			g.took = g.took || g.Facts.ImportAPI != 0
		case "get-adsyncaadconnectorexportapiversion":
			g.Facts.ExportAPI = apiVersion(word)
			g.took = g.took || g.Facts.ExportAPI != 0
		}
	}
}

// autoUpgrade takes a word that Get-ADSyncAutoUpgrade printed: a state, or
// with -Detail a reason. The bare number that JSON makes of a state is neither.
func (g *gathering) autoUpgrade(word string) {
	if s := ExplainAutoUpgrade(word, "").State; s != UnknownAutoUpgrade {
		g.Facts.AutoUpgrade, g.took = s, true
	} else if c := word[0] | 0x20; c >= 'a' && c <= 'z' && !strings.ContainsAny(word, " \t") {
		g.Facts.AutoUpgradeDetail, g.took = word, true
	}
}

func apiVersion(word string) int {
	switch word {
	case "1":
		return 1
	case "2":
		return 2
	}
	return 0
}

// The settings of Get-ADSyncGlobalSettings that say something here.
const (
	settingVersion   = "Microsoft.Synchronize.ServerConfigurationVersion"
	settingReason    = "Microsoft.OptionalFeature.AutoUpgradeSuspensionReason"
	settingState     = "Microsoft.OptionalFeature.AutoUpgradeState"
	settingScheduler = "Microsoft.Synchronize.SchedulerSuspended"
	settingStaging   = "Microsoft.Synchronize.StagingMode"
)

// setting takes one of the settings of Connect Sync. It is cut if the output
// shows only its beginning.
func (g *gathering) setting(where, name, value string, cut bool) {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !strings.HasPrefix(strings.ToLower(name), "microsoft.") {
		return
	}
	g.took = true
	yes, isBool := map[string]bool{"true": true, "false": false, "1": true, "0": false}[strings.ToLower(value)]
	switch {
	case strings.EqualFold(name, settingVersion):
		e := Evidence{Product: ConnectSync, Origin: FromSettings, Text: value, Where: where}
		if !cut {
			e.Version, _ = Parse(value)
		}
		g.Evidence = append(g.Evidence, e)
	case cut:
	case strings.EqualFold(name, settingReason) && isReason(value):
		g.Facts.AutoUpgradeDetail, g.suspended = value, true
	case strings.EqualFold(name, settingState):
		g.Facts.AutoUpgrade = ExplainAutoUpgrade(value, "").State
	case strings.EqualFold(name, settingScheduler) && isBool:
		g.Facts.SchedulerStopped = crossprem.AnswerOf(yes)
	case strings.EqualFold(name, settingStaging) && isBool:
		g.Facts.Staging = crossprem.AnswerOf(yes)
	}
}

// isReason reports whether a reason for a suspension is one.
func isReason(value string) bool {
	return value != "" && !strings.EqualFold(value, "None") && !strings.EqualFold(value, "NotSet") && ExplainAutoUpgrade("", value).Prefix != "Success"
}

// settingsOf takes the settings that an object holds: as a dictionary, as a
// pair of name and value, or in a list of such pairs.
func (g *gathering) settingsOf(command, where string, o psobject.Object) {
	for _, p := range o.Properties {
		switch p.Value.State {
		case psobject.Present, psobject.Blank, psobject.Cut:
			if p.Value.Object == nil && p.Value.List == nil {
				g.setting(where, p.Name, p.Value.Text, p.Value.State == psobject.Cut)
			}
		}
	}
	name, nameState := o.String("Name")
	if nameState != psobject.Present {
		name, nameState = o.String("Key")
	}
	value, valueState := o.String("Value")
	switch {
	case nameState == psobject.Present && (valueState == psobject.Present || valueState == psobject.Cut):
		g.setting(where, name, value, valueState == psobject.Cut)
		g.pending = ""
	case nameState == psobject.Present:
		g.pending = name // the rest of a list that was retyped
	case valueState == psobject.Present && g.pending != "":
		g.setting(where, g.pending, value, false)
		g.pending = ""
	}
	if inner := o.Get("Value").Object; inner != nil { // a dictionary's entry that is a parameter
		g.object(command, where, *inner)
	}
	for _, list := range []string{"Parameters", "GlobalSettings", "value"} {
		v := o.Get(list)
		if v.Object != nil {
			g.object(command, where, *v.Object)
		}
		for _, p := range v.List {
			if p.Object != nil {
				g.object(command, where, *p.Object)
			} else if p.Text != "" {
				g.plain("", where, psobject.Output{Lines: []string{p.Text}})
			}
		}
	}
}

func (g *gathering) object(command, where string, o psobject.Object) {
	if g.depth++; g.depth > psobject.MaxDepth {
		return
	}
	defer func() { g.depth-- }()
	g.settingsOf(command, where, o)
	if value, state := o.String("ConnectorIdentityType"); state == psobject.Present {
		switch {
		case strings.EqualFold(value, "Application"):
			g.Facts.Authentication, g.took = Application, true
		case strings.EqualFold(value, "ServiceAccount"):
			g.Facts.Authentication, g.took = ServiceAccount, true
		}
	}
	if yes, state := o.Bool("StagingModeEnabled"); state == psobject.Present {
		g.Facts.Staging, g.took = crossprem.AnswerOf(yes), true
	}
	if yes, state := o.Bool("SchedulerSuspended"); state == psobject.Present {
		g.Facts.SchedulerStopped, g.took = crossprem.AnswerOf(yes), true
	}
	if value, state := o.String("AutoUpgradeState"); state == psobject.Present && value != "" {
		g.autoUpgrade(value)
	}
	for _, name := range []string{"SuspensionReason", "AutoUpgradeSuspensionReason"} {
		if value, state := o.String(name); state == psobject.Present && isReason(value) {
			g.Facts.AutoUpgradeDetail, g.took, g.suspended = value, true, true
		}
	}
	if o.Has("PasswordHashSync") && o.Has("ForcePasswordChangeOnLogOn") { // Get-ADSyncAADCompanyFeature: read, nothing to judge
		g.took = true
	}
	g.passwordProtection(command, where, o)
	g.graphAnswer(where, o)
	g.programInfo(where, o)
	g.event(o)
}

// passwordProtection takes an agent or a proxy that is registered in Active
// Directory, and what holds for all proxies. Only agents have a password
// policy. An agent that reports no version is evidence without one.
func (g *gathering) passwordProtection(command, where string, o psobject.Object) {
	if on, state := o.Bool("AutoUpgradeEnabled"); state == psobject.Present {
		g.Facts.ProxyAutoUpgrade, g.took = crossprem.AnswerOf(on), true
	}
	server, state := o.String("ServerFQDN")
	isCmdlet := func(name string) bool { return strings.EqualFold(command, name) }
	agent := isCmdlet("Get-AzureADPasswordProtectionDCAgent") || o.Has("PasswordPolicyDateUTC")
	if state != psobject.Present || server == "" || !(agent || isCmdlet("Get-AzureADPasswordProtectionProxy") || o.Has("SoftwareVersion") || o.Has("HeartbeatUTC")) {
		return
	}
	e := Evidence{Product: PasswordProtection, Origin: FromDirectory, Where: where, Server: server}
	e.Text, _ = o.String("SoftwareVersion")
	e.Version, _ = Parse(e.Text)
	switch {
	case agent:
		e.Component = "dc-agent"
	case isCmdlet("Get-AzureADPasswordProtectionProxy"):
		e.Component = "proxy"
	}
	if at, state := o.Time("HeartbeatUTC"); state == psobject.Present {
		e.At = at
	}
	g.Evidence, g.took = append(g.Evidence, e), true
}

// graphAnswer takes what was saved of Microsoft Graph: the synchronization of
// a tenant, its organization, and its connectors.
func (g *gathering) graphAnswer(where string, o psobject.Object) {
	if c := o.Get("configuration").Object; c != nil {
		if text, state := c.String("synchronizationClientVersion"); state == psobject.Present {
			e := Evidence{Product: ConnectSync, Origin: FromTenant, Text: text, Where: where}
			e.Version, _ = Parse(text)
			if export := c.Get("currentExportData").Object; export != nil {
				e.Server, _ = export.String("clientMachineName")
			}
			g.Evidence, g.took = append(g.Evidence, e), true
		}
	}
	if v := o.Get("onPremisesSyncEnabled"); v.State != psobject.Absent {
		on, state := o.Bool("onPremisesSyncEnabled")
		if state == psobject.Present || v.State == psobject.Blank { // null: never
			g.syncEnabled, g.took = crossprem.AnswerOf(on), true
		}
	}
	if at, state := o.Time("onPremisesLastSyncDateTime"); state == psobject.Present {
		g.lastSync, g.took = at.UTC(), true
	}
	machine, state := o.String("machineName")
	if text, vstate := o.String("version"); state == psobject.Present && vstate == psobject.Present && (o.Has("externalIp") || o.Has("status")) {
		e := Evidence{Product: PrivateNetworkConnector, Origin: FromDirectory, Text: text, Where: where, Server: machine}
		e.Version, _ = Parse(text)
		g.Evidence, g.took = append(g.Evidence, e), true
	}
}

// programInfo takes the version of a program (VersionInfo) or of an installed
// product (Win32_Product, Get-Package, the uninstall keys).
func (g *gathering) programInfo(where string, o psobject.Object) {
	first := func(names ...string) string {
		for _, name := range names {
			if text, state := o.String(name); state == psobject.Present && strings.TrimSpace(text) != "" {
				return strings.TrimSpace(text)
			}
		}
		return ""
	}
	if file := first("FileName", "OriginalFilename", "InternalName", "File"); file != "" {
		base := file[strings.LastIndexAny(file, `\/`)+1:]
		for _, p := range programs {
			text := first("ProductVersion", "ProductVersionRaw", "FileVersion", "FileVersionRaw")
			if !strings.EqualFold(base, p.name) || text == "" {
				continue
			}
			e := Evidence{Product: p.product, Component: p.component, Origin: p.origin, Text: text, Where: where + ": " + file}
			e.Version, _, _ = ParsePartial(text) // "2.5.79.0 " and "2, 5, 79, 0" are there
			g.Evidence, g.took = append(g.Evidence, e), true
			return
		}
	}
	product, component, engine := installedProduct(first("DisplayName", "Name", "Caption"))
	text := first("DisplayVersion", "Version")
	if product == UnknownProduct || text == "" {
		return
	}
	e := Evidence{Product: product, Component: component, Origin: FromUninstallKey, Text: text, Where: where + ": " + first("DisplayName", "Name", "Caption")}
	if engine {
		e.Where += " (the engine's)"
	}
	e.Version, _ = Parse(text)
	g.Evidence, g.took = append(g.Evidence, e), true
}

// aFileLine is a line of what a FileVersionInfo prints as text:
// "ProductVersion:   2.5.79.0".
var aFileLine = regexp.MustCompile(`^\s*(File|FileName|InternalName|OriginalFilename|FileVersion|ProductVersion)\s*:\s+(\S.*?)\s*$`)

// fileVersions takes FileVersionInfo as text: a block begins with File.
func (g *gathering) fileVersions(where string, raw []byte) {
	text, err := wintext.Decode(raw)
	if err != nil {
		return
	}
	var block psobject.Object
	for s := range strings.Lines(text) {
		m := aFileLine.FindStringSubmatch(strings.TrimRight(s, "\r\n"))
		if m == nil {
			continue
		}
		if m[1] == "File" || m[1] == "FileName" {
			g.programInfo(where, block)
			block = psobject.Object{}
			m[1] = "FileName"
		}
		block.Properties = append(block.Properties, psobject.Property{Name: m[1], Value: psobject.Value{State: psobject.Present, Text: m[2]}})
	}
	g.programInfo(where, block)
}

// aResult is a result of automatic upgrade within the text of an event.
var aResult = regexp.MustCompile(`\bUpgrade(?:Aborted|NotSupported|Failed)[A-Za-z]+(?:-[A-Za-z]+)*`)

// event takes an event of automatic upgrade. The newest comes first, and its
// result is why an upgrade is suspended, if nothing better says so.
func (g *gathering) event(o psobject.Object) {
	text := func(names ...string) string {
		for _, name := range names {
			if s, state := o.String(name); state == psobject.Present {
				return s
			}
		}
		return ""
	}
	id, err := strconv.Atoi(text("Id", "EventID", "InstanceId"))
	if err != nil || !IsAutoUpgradeEvent(text("ProviderName", "Source"), id) {
		return
	}
	g.took = true
	if g.Facts.AutoUpgradeDetail == "" {
		g.Facts.AutoUpgradeDetail = aResult.FindString(text("Message"))
	}
}

// isExport reports whether raw is XML, and not that of Export-Clixml.
func isExport(raw []byte) bool {
	head, _ := io.ReadAll(io.LimitReader(wintext.NewReader(bytes.NewReader(raw)), 4096))
	head = bytes.TrimSpace(head)
	return bytes.HasPrefix(head, []byte("<")) && !bytes.Contains(head, []byte("<Objs"))
}

// maxXMLDepth bounds how deep elements may lie within each other.
const maxXMLDepth = 256

// export reads an exported configuration: elements that have a setting as
// their name or as the attribute name, with its value as text or as the
// attribute value; or with children of those names.
func (g *gathering) export(where string, raw []byte) error {
	dec := xml.NewDecoder(wintext.NewReader(bytes.NewReader(raw)))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	type element struct{ name, setting, value, text string }
	var open []element
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				return errors.New("line " + strconv.Itoa(syntax.Line) + ": not XML that is whole")
			}
			return errors.New("not XML that is whole")
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(open) >= maxXMLDepth {
				return errors.New("elements lie too deep")
			}
			e := element{name: strings.ToLower(token.Name.Local)}
			for _, a := range token.Attr {
				switch strings.ToLower(a.Name.Local) {
				case "name", "key":
					e.setting = a.Value
				case "value":
					e.value = a.Value
				}
			}
			open = append(open, e)
		case xml.CharData:
			if n := len(open); n > 0 && len(open[n-1].text) < 4096 {
				open[n-1].text += string(token)
			}
		case xml.EndElement:
			n := len(open) - 1
			if n < 0 {
				return errors.New("not XML that is whole")
			}
			e := open[n]
			open = open[:n]
			text := strings.TrimSpace(e.text)
			switch {
			case n > 0 && (e.name == "name" || e.name == "key") && e.setting == "":
				open[n-1].setting = text
			case n > 0 && e.name == "value" && e.setting == "":
				open[n-1].value = text
			}
			if e.setting != "" {
				g.setting(where, e.setting, cmp.Or(e.value, text), false)
			}
		}
	}
}

// agentLogs are logs of the agents, by what their names begin with.
var agentLogs = []struct {
	begin   string
	product Product
}{
	{"azureadconnectprovisioningagent", CloudSync}, {"aadconnectprovisioningagent", CloudSync},
	{"azureadconnectauthenticationagent", PassThroughAgent},
	{"applicationproxyconnector", PrivateNetworkConnector}, {"microsoftentraprivatenetworkconnector", PrivateNetworkConnector}, {"aadapplicationproxyconnector", PrivateNetworkConnector},
}

// aLogVersion is how a log names the version of the program that writes it.
var aLogVersion = regexp.MustCompile(`(?i)\b(?:agent|connector|application|product|service)\s*version\W{1,4}(\d+\.\d+\.\d+\.\d+)\b`)

// agentLog takes the last version that a log of an agent names.
func (g *gathering) agentLog(where string, raw []byte) {
	base := strings.ToLower(path.Base(where))
	for _, a := range agentLogs {
		if !strings.HasPrefix(base, a.begin) {
			continue
		}
		text, _ := io.ReadAll(wintext.NewReader(bytes.NewReader(raw))) // what is torn ends early
		found := aLogVersion.FindAllSubmatch(text, -1)
		if len(found) == 0 {
			return
		}
		e := Evidence{Product: a.product, Origin: FromTrace, Text: string(found[len(found)-1][1]), Where: where}
		e.Version, _ = Parse(e.Text)
		g.Evidence, g.took = append(g.Evidence, e), true
		return
	}
}
