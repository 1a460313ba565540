package connectversion

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/wintext"
)

// maxFiles bounds how many files of a folder are looked at.
const maxFiles = 10_000

// Gather reads a folder of evidence from one server, with everything below it:
//
//   - copies of the products' programs, under their own names
//     (AzureADConnect.exe, miiserver.exe, AADConnectProvisioningAgent.exe, …)
//   - registry exports (.reg)
//   - logs of the wizard (trace-*.log) and of the agents
//   - an exported configuration of Connect Sync (Get-ADSyncServerConfiguration,
//     MV.xml, the folders of the configuration documenter)
//   - saved answers of Microsoft Graph: onPremisesSynchronization,
//     organization, connectors
//   - output of cmdlets in .txt, .log, .csv, .json, .xml and .clixml files,
//     pasted, redirected or exported: Get-ADSyncGlobalSettings and its
//     Parameters in any form, Get-ADSyncAutoUpgrade [-Detail],
//     Get-ADSyncScheduler, Get-ADSyncAADCompanyFeature,
//     Get-ADSyncEntraConnectorCredential,
//     Get-ADSyncAADConnectorImportApiVersion and …ExportApiVersion,
//     Get-AzureADPasswordProtectionDCAgent, …Proxy and …ProxyConfiguration,
//     VersionInfo of a program, lists of installed programs (Win32_Product,
//     Get-Package, Get-ItemProperty of the uninstall keys), and events of
//     automatic upgrade
//
// Registry exports may be one for each key, as "reg export" makes them. What
// cannot be read is the error, one line a file, beside what the others gave;
// so is what two files say differently of the server, which then is not known.
// NotUnderstood lists those files, and every other file from which nothing was
// taken.
func Gather(fsys fs.FS) (Machine, error) {
	g := gathering{fsys: fsys, reg: make(Registry), first: make(map[string]string), disputed: make(map[string]bool)}
	files := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			g.failed(name, err)
			return nil
		}
		if d.IsDir() || !d.Type().IsRegular() {
			return nil
		}
		if files++; files > maxFiles {
			return fmt.Errorf("connectversion: more than %d files; give a folder that holds evidence alone", maxFiles)
		}
		g.took = false
		switch err := g.file(name); {
		case err != nil:
			g.failed(name, err)
		case !g.took:
			g.NotUnderstood = append(g.NotUnderstood, Unread{name, g.why(name)})
		}
		return nil
	})
	if !g.disputed["server"] {
		g.Facts.TLS12, g.Facts.TLS12Explicit = g.reg.TLS12()
	}
	if g.suspended && g.Facts.AutoUpgrade == UnknownAutoUpgrade && !g.disputed["state of automatic upgrade"] {
		g.Facts.AutoUpgrade = AutoUpgradeSuspended // a reason is kept for no other state
	}
	for i := range g.Evidence { // what one file says is true of what the others do
		e := &g.Evidence[i]
		if e.Origin != FromDirectory && e.Origin != FromTenant && g.Facts.Server != "" {
			e.Server = g.Facts.Server
		}
		if e.Product == ConnectSync && e.Origin != FromTenant {
			e.Staging = g.Facts.Staging
		}
		if e.Origin == FromTenant { // the two answers of Graph may lie in two files
			e.SyncEnabled = cmp.Or(e.SyncEnabled, g.syncEnabled)
			if e.At.IsZero() {
				e.At = g.lastSync
			}
		}
	}
	slices.SortFunc(g.NotUnderstood, func(a, b Unread) int { return strings.Compare(a.File, b.File) })
	return g.Machine, errors.Join(append(g.errs, err)...)
}

// failed keeps an error of a file, as an error and as what was not understood.
func (g *gathering) failed(name string, err error) {
	g.errs = append(g.errs, fmt.Errorf("connectversion: %s: %w", name, err))
	g.NotUnderstood = append(g.NotUnderstood, Unread{name, strings.ReplaceAll(err.Error(), "\n", "; ")})
}

// why says why nothing was taken from a file.
func (g *gathering) why(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); {
	case ext == ".exe":
		return "not one of the programs whose version is known to tell"
	case ext == ".reg":
		return "holds no key of the products, .NET, Windows or TLS"
	case textual[ext]:
		return "holds no output, export or answer that is known"
	}
	return "not a kind of file that is read"
}

// textual are the ends of the names of files that are read as text.
var textual = map[string]bool{".txt": true, ".log": true, ".json": true, ".xml": true, ".clixml": true, ".csv": true}

type gathering struct {
	Machine
	fsys fs.FS
	errs []error
	reg  Registry // of all exports, what tells of TLS

	first     map[string]string // by fact: the file that said it first
	disputed  map[string]bool   // by fact
	took      bool              // something was taken from the file being read
	suspended bool              // a reason for a suspension of automatic upgrade is kept
	pending   string            // the name of a setting whose value comes next
	depth     int               // of objects within each other

	syncEnabled crossprem.Answer // of the tenant, by Graph's organization
	lastSync    time.Time
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
			g.took = true
			e.Where = name + ": " + e.Where
			g.Evidence = append(g.Evidence, e)
		}
		for key, values := range reg {
			if tellsOfTLS(key) {
				g.took = true
				key = strings.ToLower(key) // a part of the registry that is exported twice counts once
				g.reg[key] = joined(g.reg[key], values)
			}
		}
		facts := reg.Facts()
		g.took = g.took || facts != Facts{}
		return g.take(name, facts)
	case ext == ".log" && strings.HasPrefix(base, "trace-"):
		f, err := g.fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		e, err := readTrace(f)
		if e.Text != "" {
			g.took = true
			e.Where = name
			g.Evidence = append(g.Evidence, e)
		}
		return err
	case textual[ext]:
		return g.text(name)
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
		g.took = true
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
		settle(g, name, "state of the proxies' automatic upgrade", &to.ProxyAutoUpgrade, f.ProxyAutoUpgrade),
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
		*to, g.first[what] = from, name
	default:
		*to, g.disputed[what] = unknown, true
		return what + " than " + g.first[what]
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
