package connectversion

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/psobject"
	"github.com/crossprem/crossprem/internal/wintext"
)

// maxFiles bounds how many files of a folder are looked at.
const maxFiles = 10_000

// Gather reads a folder of evidence from one server, with everything below it:
//
//   - copies of the products' programs, under their own names
//     (AzureADConnect.exe, miiserver.exe, AADConnectProvisioningAgent.exe, …)
//   - registry exports (.reg)
//   - logs of the wizard (trace-*.log)
//   - output of cmdlets in .txt, .log, .json, .xml and .clixml files, pasted,
//     redirected or exported: Get-ADSyncGlobalSettings and its Parameters,
//     Get-ADSyncAutoUpgrade [-Detail], Get-ADSyncScheduler,
//     Get-ADSyncEntraConnectorCredential,
//     Get-ADSyncAADConnectorImportApiVersion and …ExportApiVersion,
//     Get-AzureADPasswordProtectionDCAgent and …Proxy
//
// Files of other names are not read. Registry exports may be one for each key,
// as "reg export" makes them. What cannot be read is told by the error, one
// line a file, beside what the others gave; so is what two files tell
// differently of the server, which then is not known.
func Gather(fsys fs.FS) (Machine, error) {
	g := gathering{fsys: fsys, reg: make(Registry), told: make(map[string]string), disputed: make(map[string]bool)}
	files := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			g.errs = append(g.errs, fmt.Errorf("connectversion: %w", err))
			return nil
		}
		if d.IsDir() || !d.Type().IsRegular() {
			return nil
		}
		if files++; files > maxFiles {
			return fmt.Errorf("connectversion: more than %d files; give a folder that holds evidence alone", maxFiles)
		}
		if err := g.file(name); err != nil {
			g.errs = append(g.errs, fmt.Errorf("connectversion: %s: %w", name, err))
		}
		return nil
	})
	if !g.disputed["server"] {
		g.Facts.TLS12, g.Facts.TLS12Explicit = g.reg.TLS12()
	}
	for i := range g.Evidence { // what one file tells is true of what the others do
		e := &g.Evidence[i]
		if e.Origin != FromDirectory && g.Facts.Server != "" {
			e.Server = g.Facts.Server
		}
		if e.Product == ConnectSync {
			e.Staging = g.Facts.Staging
		}
	}
	return g.Machine, errors.Join(append(g.errs, err)...)
}

type gathering struct {
	Machine
	fsys fs.FS
	errs []error
	reg  Registry // of all exports, what tells of TLS

	told     map[string]string // by fact: which file told it first
	disputed map[string]bool   // by fact
}

func (g *gathering) file(name string) error {
	base := strings.ToLower(path.Base(name))
	switch ext := path.Ext(base); {
	case ext == ".exe":
		return g.program(name)
	case ext == ".reg":
		f, err := g.fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		reg, err := ReadRegistry(f)
		if err != nil {
			return err
		}
		for _, e := range reg.Evidence() {
			e.Where = name + ": " + e.Where
			g.Evidence = append(g.Evidence, e)
		}
		for key, values := range reg {
			if tellsOfTLS(key) {
				key = strings.ToLower(key) // a part of the registry that is exported twice counts once
				g.reg[key] = joined(g.reg[key], values)
			}
		}
		return g.take(name, reg.Facts())
	case ext == ".log" && strings.HasPrefix(base, "trace-"):
		f, err := g.fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		e, err := readTrace(f)
		if e.Text != "" {
			e.Where = name
			g.Evidence = append(g.Evidence, e)
		}
		return err
	case ext == ".txt", ext == ".log", ext == ".json", ext == ".xml", ext == ".clixml":
		return g.cmdlets(name)
	}
	return nil
}

func (g *gathering) program(name string) error {
	f, err := g.fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		all, err := io.ReadAll(io.LimitReader(f, maxExecutable))
		if err != nil {
			return err
		}
		r = bytes.NewReader(all)
	}
	e, err := FileEvidence(path.Base(name), name, r)
	if e.Product != UnknownProduct {
		g.Evidence = append(g.Evidence, e)
	}
	return err
}

// take takes over what a file tells of the server. Where an earlier one tells
// something else, it is the error, and neither counts.
func (g *gathering) take(name string, f Facts) error {
	to := &g.Facts
	var differ []string
	for _, d := range []string{
		settle(g, name, "server", &to.Server, f.Server),
		settle(g, name, "release of .NET Framework", &to.DotNetRelease, f.DotNetRelease),
		settle(g, name, "build of Windows", &to.WindowsBuild, f.WindowsBuild),
		settle(g, name, "way to sign in", &to.Authentication, f.Authentication),
		settle(g, name, "state of automatic upgrade", &to.AutoUpgrade, f.AutoUpgrade),
		settle(g, name, "detail of automatic upgrade", &to.AutoUpgradeDetail, f.AutoUpgradeDetail),
		settle(g, name, "staging mode", &to.Staging, f.Staging),
		settle(g, name, "state of the scheduler", &to.SchedulerStopped, f.SchedulerStopped),
		settle(g, name, "API version of imports", &to.ImportAPI, f.ImportAPI),
		settle(g, name, "API version of exports", &to.ExportAPI, f.ExportAPI),
	} {
		if d != "" {
			differ = append(differ, d)
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("tells another %s; neither is taken", strings.Join(differ, ", another "))
	}
	return nil
}

// settle sets what is not known yet. If the file tells something else than an
// earlier one, it returns what, and than which; then it is not known for good.
func settle[T comparable](g *gathering, name, what string, to *T, from T) (differs string) {
	var unknown T
	switch {
	case from == unknown, *to == from, g.disputed[what]:
	case *to == unknown:
		*to, g.told[what] = from, name
	default:
		*to, g.disputed[what] = unknown, true
		return what + " than " + g.told[what]
	}
	return ""
}

// readTrace reads a log of the wizard, which begins with
//
//	[22:10:35.149] [  1] [INFO ] Start Time (UTC): Wed, 09 Sep 2020 22:10:35 GMT
//	[22:10:35.149] [  1] [INFO ] Application Version: 1.5.45.0
//
// Builds of 2015 write "1.0.0.0-1446499270", which is no version of a release.
func readTrace(r io.Reader) (Evidence, error) {
	e := Evidence{Product: ConnectSync, Origin: FromTrace}
	const head = 1 << 20 // the version is within the first lines
	lines := bufio.NewScanner(wintext.NewReader(io.LimitReader(r, head)))
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		line := lines.Text()
		if _, text, ok := strings.Cut(line, "Start Time (UTC): "); ok {
			if at, err := time.Parse(time.RFC1123, strings.TrimSpace(text)); err == nil {
				e.At = at
			}
		}
		if _, text, ok := strings.Cut(line, "Application Version: "); ok && e.Text == "" {
			e.Text = strings.TrimSpace(text)
			e.Version, _ = Parse(e.Text)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, wintext.ErrTorn) { // a log breaks off where it was copied
		return e, err
	}
	if e.Text == "" {
		return e, errors.New("a trace without a line \"Application Version\"")
	}
	return e, nil
}

func (g *gathering) cmdlets(name string) error {
	f, err := g.fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, psobject.MaxSize+1))
	if err != nil {
		return err
	}
	outputs, err := psobject.Parse(raw)
	if err != nil {
		return err
	}
	found := gathering{}
	for _, out := range outputs {
		command := out.Command
		if command == "" { // a redirected file is often named after the cmdlet
			command = strings.TrimSuffix(path.Base(name), path.Ext(name))
		}
		found.plain(command, out)
		for _, o := range out.Objects {
			found.object(command, name, o)
		}
	}
	g.Evidence = append(g.Evidence, found.Evidence...)
	return g.take(name, found.Facts)
}

// plain takes the cmdlets that print words, not objects.
func (g *gathering) plain(command string, out psobject.Output) {
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
		case "get-adsyncaadconnectorexportapiversion":
			g.Facts.ExportAPI = apiVersion(word)
		}
	}
}

// autoUpgrade takes a word that Get-ADSyncAutoUpgrade printed: a state, or
// with -Detail a reason. The bare number that JSON makes of a state is neither.
func (g *gathering) autoUpgrade(word string) {
	if s := ExplainAutoUpgrade(word, "").State; s != UnknownAutoUpgrade {
		g.Facts.AutoUpgrade = s
	} else if c := word[0] | 0x20; c >= 'a' && c <= 'z' {
		g.Facts.AutoUpgradeDetail = word
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

const settingVersion = "Microsoft.Synchronize.ServerConfigurationVersion"

func (g *gathering) object(command, where string, o psobject.Object) {
	if value, state := o.String(settingVersion); state == psobject.Present || state == psobject.Cut {
		g.setting(where, settingVersion, value) // a dictionary
	}
	if o.Has("Name", "Value") { // (Get-ADSyncGlobalSettings).Parameters
		name, _ := o.String("Name")
		value, _ := o.String("Value")
		g.setting(where, name, value)
	}
	for _, p := range o.Get("Parameters").List { // Get-ADSyncGlobalSettings, exported
		if p.Object != nil {
			g.object(command, where, *p.Object)
		}
	}
	if value, state := o.String("ConnectorIdentityType"); state == psobject.Present {
		switch {
		case strings.EqualFold(value, "Application"):
			g.Facts.Authentication = Application
		case strings.EqualFold(value, "ServiceAccount"):
			g.Facts.Authentication = ServiceAccount
		}
	}
	if yes, state := o.Bool("StagingModeEnabled"); state == psobject.Present {
		g.Facts.Staging = crossprem.AnswerOf(yes)
	}
	if yes, state := o.Bool("SchedulerSuspended"); state == psobject.Present {
		g.Facts.SchedulerStopped = crossprem.AnswerOf(yes)
	}
	if value, state := o.String("AutoUpgradeState"); state == psobject.Present && value != "" {
		g.autoUpgrade(value)
	}
	if value, state := o.String("SuspensionReason"); state == psobject.Present && value != "" {
		g.Facts.AutoUpgradeDetail = value
	}
	if o.Has("ServerFQDN", "SoftwareVersion") {
		g.passwordProtection(command, where, o)
	}
}

func (g *gathering) setting(where, name, value string) {
	switch name {
	case settingVersion:
		e := Evidence{Product: ConnectSync, Origin: FromSettings, Text: value, Where: where}
		e.Version, _ = Parse(value)
		g.Evidence = append(g.Evidence, e)
	case "Microsoft.OptionalFeature.AutoUpgradeSuspensionReason":
		if value != "" {
			g.Facts.AutoUpgradeDetail = value
		}
	case "Microsoft.Synchronize.SchedulerSuspended":
		if stopped, err := strconv.ParseBool(strings.ToLower(value)); err == nil {
			g.Facts.SchedulerStopped = crossprem.AnswerOf(stopped)
		}
	}
}

// passwordProtection takes an agent or a proxy that is registered in Active
// Directory. Only agents have a password policy.
func (g *gathering) passwordProtection(command, where string, o psobject.Object) {
	e := Evidence{Product: PasswordProtection, Origin: FromDirectory, Where: where}
	e.Text, _ = o.String("SoftwareVersion")
	e.Version, _ = Parse(e.Text)
	e.Server, _ = o.String("ServerFQDN")
	switch {
	case strings.EqualFold(command, "Get-AzureADPasswordProtectionDCAgent") || o.Has("PasswordPolicyDateUTC"):
		e.Component = "dc-agent"
	case strings.EqualFold(command, "Get-AzureADPasswordProtectionProxy"):
		e.Component = "proxy"
	}
	if at, state := o.Time("HeartbeatUTC"); state == psobject.Present {
		e.At = at
	}
	g.Evidence = append(g.Evidence, e)
}
