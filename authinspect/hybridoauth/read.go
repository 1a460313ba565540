package hybridoauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/exchange"
	"github.com/crossprem/crossprem/internal/psobject"
	"github.com/crossprem/crossprem/internal/wintext"
)

// MaxFiles and MaxTotal bound what [ReadConfiguration] reads.
const (
	MaxFiles = 10_000
	MaxTotal = 256 << 20 // bytes, of all files
)

// ReadConfiguration reads every file below fsys: output of the cmdlets of
// Exchange and Exchange Online, objects of Microsoft Graph as JSON, output of
// Test-OAuthConnectivity, and messages. Format-List, tables, JSON of Windows
// PowerShell 5.1 and PowerShell 7, CLIXML and CSV are told apart by their
// bytes. A file whose name begins with a dot is left out.
//
// Which side an object is from is told by the name of a folder or file, as
// [CollectScript] gives them (onprem, exo), by a command with a prefix such as
// Get-EXOAuthServer, or by what only one side prints; otherwise it is from the
// Exchange servers.
//
// A file that is broken does not hide the others: what was read is returned
// beside an error that names every file that was not.
func ReadConfiguration(fsys fs.FS) (Configuration, error) { return readFolder(fsys, "") }

// ReadFolder reads the folder called dir as [ReadConfiguration] does; its own
// name may tell the side too.
func ReadFolder(dir string) (Configuration, error) {
	name := "."
	if full, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(full)
	}
	return readFolder(os.DirFS(dir), name)
}

func readFolder(fsys fs.FS, folder string) (Configuration, error) {
	var c Configuration
	var failed []error
	files, total := 0, int64(0)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(base, "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		if files++; files > MaxFiles {
			return fmt.Errorf("hybridoauth: more than %d files", MaxFiles)
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		content, err := readAll(f)
		if total += int64(len(content)); total > MaxTotal {
			return fmt.Errorf("hybridoauth: the files hold more than %d MiB", MaxTotal>>20)
		}
		if err == nil {
			err = c.Add(path.Join(folder, name), content)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", clean(name), err))
		}
		return nil
	})
	if err != nil {
		failed = append(failed, err)
	}
	return c, errors.Join(failed...)
}

// Read reads pastes as [ReadConfiguration] reads files, without a name to tell
// the side.
func Read(pastes ...io.Reader) (Configuration, error) {
	var c Configuration
	var failed []error
	for i, r := range pastes {
		content, err := readAll(r)
		if err == nil {
			err = c.Add("", content)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("paste %d: %w", i+1, err))
		}
	}
	return c, errors.Join(failed...)
}

func readAll(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, psobject.MaxSize+1))
	if err == nil && len(content) > psobject.MaxSize {
		err = fmt.Errorf("hybridoauth: larger than %d MiB", psobject.MaxSize>>20)
	}
	return content, err
}

// Add reads one capture into c. The name is that of its file, with its
// folders, and may be empty.
func (c *Configuration) Add(name string, content []byte) error {
	if token, err := ExplainToken(string(bytes.TrimPrefix(content, []byte("\ufeff")))); err == nil {
		c.Tokens = append(c.Tokens, token)
		return nil
	}
	outputs, err := psobject.Parse(content)
	if err != nil {
		return err
	}
	side := exchange.SideOfPath(name)
	fileKind, fileSide := exchange.KindOfCommand(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if fileKind != "" && fileKind != exchange.ConnectivityTest && isEmptyList(content) {
		c.list(fileKind, (&reader{side: firstSide(fileSide, side)}).sideOf(fileKind))
		return nil
	}
	var rest []string // what is no object of ours
	for i, o := range outputs {
		kind, commandSide := exchange.KindOfCommand(o.Command)
		if o.Command == "" {
			kind, commandSide = fileKind, fileSide
		}
		r := reader{c: c, kind: kind, side: firstSide(commandSide, side)}
		for _, object := range unwrapped(o.Objects) {
			if !r.add(object) {
				rest = append(rest, flatten(object))
			}
		}
		whole := kind != "" && !o.Failed && (len(o.Objects) > 0 || len(o.Lines) == 0)
		if whole && kind != exchange.ConnectivityTest && !(i == len(outputs)-1 && breaksOff(content, o)) {
			c.list(kind, r.sideOf(kind))
		}
		rest = append(rest, strings.Join(o.Lines, "\n"))
	}
	text := strings.TrimSpace(strings.Join(rest, "\n"))
	if text == "" {
		return nil
	}
	c.Texts = append(c.Texts, Text{Name: name, Text: text})
	c.Tokens = append(c.Tokens, tokensIn(text)...)
	return nil
}

// breaksOff reports whether a paste ends within what its last command printed:
// within the line of a command, within an object that has fewer properties
// than the one before it, or within a thumbprint.
func breaksOff(content []byte, last psobject.Output) bool {
	text, err := wintext.Decode(content)
	if err != nil {
		return true
	}
	begin := strings.TrimSpace(string(text))
	if begin == "" || strings.ContainsAny(begin[:1], `{"<`) || begin[0] == '[' && !strings.HasPrefix(begin, "[PS]") {
		return false // an export is read whole or not at all
	}
	n := len(last.Objects)
	if n == 0 {
		return len(last.Lines) == 0 && last.Command != "" && strings.Contains(string(text[bytes.LastIndexByte([]byte(text), '\n')+1:]), last.Command)
	}
	end := last.Objects[n-1]
	if thumbprint, state := end.String("Thumbprint"); state == psobject.Present && thumbprint != "" && (len(thumbprint) != 40 || !hexOnly.MatchString(thumbprint)) {
		return true
	}
	return n > 1 && len(end.Properties) < len(last.Objects[n-2].Properties)
}

// isEmptyList reports whether a file holds an empty list of JSON.
func isEmptyList(content []byte) bool {
	text, err := wintext.Decode(content)
	return err == nil && strings.Join(strings.Fields(string(text)), "") == "[]"
}

// unwrapped takes apart what Windows PowerShell 5.1 makes of a list that it
// converts as one object: {"value": […], "Count": n}.
func unwrapped(objects []psobject.Object) []psobject.Object {
	if len(objects) != 1 || len(objects[0].Properties) != 2 || !objects[0].Has("value", "Count") {
		return objects
	}
	var inner []psobject.Object
	for _, v := range objects[0].Get("value").List {
		if v.Object == nil {
			return objects
		}
		inner = append(inner, *v.Object)
	}
	return inner
}

func firstSide(sides ...Side) Side {
	for _, s := range sides {
		if s != "" {
			return s
		}
	}
	return ""
}

func (c *Configuration) list(kind Kind, side Side) {
	if l := (Listing{kind, side}); !slices.Contains(c.Listed, l) {
		c.Listed = append(c.Listed, l)
	}
}

// A reader adds the objects of one output.
type reader struct {
	c    *Configuration
	kind Kind // of the command or file, if it tells
	side Side // likewise
	seen Side // of the objects, where they tell it themselves
}

func (r *reader) sideOf(kind Kind) Side {
	if kind.InEntra() {
		return Entra
	}
	return firstSide(r.side, r.seen, OnPremises)
}

// add adds an object, or the objects of a page of Microsoft Graph, and reports
// whether it knew what it is.
func (r *reader) add(o psobject.Object) bool {
	text := func(property string) (string, bool) {
		v := o.Get(property)
		if v.State == psobject.Absent {
			return "", false
		}
		s, _ := v.AsString()
		return s, true
	}
	kind := exchange.KindOfObject(o.Types, text)
	if page := o.Get("value"); page.List != nil && o.Has("@odata.context") {
		return r.addPage(kind, o, page.List)
	}
	if kind == "" || r.kind != "" && !kind.InEntra() && kind != exchange.ConnectivityTest {
		kind = firstKind(r.kind, kind)
	}
	if kind == "" {
		return false
	}
	object := Object{Kind: kind, Properties: make(map[string]Value, len(o.Properties))}
	online := false
	for _, p := range o.Properties {
		object.Properties[p.Name] = value(kind, p.Name, p.Value)
		online = online || exchange.IsOnlineText(p.Value.Text)
	}
	switch {
	case kind.InEntra():
		object.Side = Entra
	case r.side == "" && (online || onlineOnly(object)):
		object.Side = ExchangeOnline
		r.seen = ExchangeOnline
	default:
		object.Side = r.sideOf(kind)
	}
	r.c.Objects = append(r.c.Objects, object)
	return true
}

func firstKind(kinds ...Kind) Kind {
	for _, k := range kinds {
		if k != "" {
			return k
		}
	}
	return ""
}

func (r *reader) addPage(kind Kind, o psobject.Object, page []psobject.Value) bool {
	if kind == "" {
		return false
	}
	if !o.Has("@odata.nextLink") {
		r.c.list(kind, Entra)
	}
	for _, v := range page {
		if v.Object == nil {
			continue
		}
		object := Object{Kind: kind, Side: Entra, Properties: map[string]Value{}}
		for _, p := range v.Object.Properties {
			object.Properties[p.Name] = value(kind, p.Name, p.Value)
		}
		r.c.Objects = append(r.c.Objects, object)
	}
	return true
}

// onlineOnly reports whether an object has what only Exchange Online prints
// for its kind.
func onlineOnly(o Object) bool {
	switch o.Kind {
	case exchange.IntraOrganizationConfig:
		return o.Get("OnPremiseDiscoveryEndpoint").scalar() != "" || len(o.Get("OnPremiseTargetAddresses").Texts()) > 0
	case exchange.OrganizationConfig:
		_, list := o.Properties["EwsAllowedAppIDs"]
		return list
	case exchange.Connector:
		// towards the Exchange servers: a host and domains that are not of Microsoft
		host := exchange.HostOf(o.Get("DiscoveryEndpoint").scalar())
		return strings.HasSuffix(host, ".resource.mailboxmigration.his.msappproxy.net")
	case exchange.AvailabilityAddressSpace:
		return strings.EqualFold(o.Get("AccessMethod").scalar(), "OrgWideFBToken")
	}
	return false
}

// enumerations are the properties whose values have names; a number in their
// place cannot be read, because its meaning differs between versions.
var enumerations = map[string]bool{
	"type": true, "accounttype": true, "internalauthenticationmethods": true, "externalauthenticationmethods": true, "iisauthenticationmethods": true,
	"freebusyaccesslevel": true, "status": true, "services": true, "accessmethod": true, "recipienttype": true, "recipienttypedetails": true, "resulttype": true,
	"ewsapplicationaccesspolicy": true, "serverrole": true, "domaintype": true,
}

// times are the properties that hold one.
var times = map[string]bool{
	"notafter": true, "notbefore": true, "nextcertificateeffectivedate": true, "enddatetime": true, "startdatetime": true, "whenchanged": true, "whencreated": true,
}

// lists are the properties that hold a list; one text with blanks in their
// place may be several that ConvertTo-Json joined.
var lists = map[string]bool{
	"domainname": true, "domainnames": true, "targetaddressdomains": true, "onpremisetargetaddresses": true, "parameters": true, "serviceprincipalnames": true,
	"ewsallowlist": true, "ewsblocklist": true, "ewsallowedappids": true, "internalauthenticationmethods": true, "externalauthenticationmethods": true,
}

var onlyDigits = regexp.MustCompile(`^\s*\d+\s*$`)

// value returns what is known of a property of an object of this kind.
func value(kind Kind, name string, v psobject.Value) Value {
	low := strings.ToLower(name)
	switch {
	case v.State == psobject.Cut && v.List != nil:
		cut := CutList()
		for _, e := range v.List {
			cut.list = append(cut.list, value(kind, name, e))
		}
		return cut
	case v.State == psobject.Cut:
		if dense, ok := v.Dense(); ok && isDense(dense) {
			return String(dense)
		}
		return Value{why: "cut", text: v.Text}
	case v.State == psobject.Unreadable:
		return Unreadable(v.Text)
	case v.State == psobject.Blank:
		return String("")
	case times[low]:
		t, state := v.AsTime()
		switch state {
		case psobject.Present:
			return Time(t)
		case psobject.Blank:
			return String("")
		}
		return Unreadable(v.Text)
	case v.List != nil:
		list := List()
		for _, e := range v.List {
			element := value(kind, name, e)
			if !element.known {
				list.known, list.why = false, firstText(element.why, "unreadable")
			}
			list.list = append(list.list, element)
		}
		return list
	case v.Object != nil && kind.InEntra():
		fields := make(map[string]Value, len(v.Object.Properties))
		for _, p := range v.Object.Properties {
			fields[p.Name] = value(kind, p.Name, p.Value)
		}
		return Fields(fields)
	case v.Object != nil && v.Text == "":
		return fromFields(*v.Object)
	case enumerations[low] && onlyDigits.MatchString(v.Text):
		return Unreadable(v.Text)
	case lists[low]:
		if _, state := v.AsStrings(); state == psobject.Cut {
			return Value{why: "cut", text: v.Text}
		}
	}
	return String(joined(v.Text))
}

// joined takes the blanks out of addresses, identifiers and thumbprints: they
// hold none, and a console that broke one over two lines does not tell.
func joined(text string) string {
	if !strings.ContainsAny(text, " \t\r\n") {
		return text
	}
	if dense := strings.Join(strings.Fields(text), ""); isDense(dense) {
		return dense
	}
	return text
}

// isDense reports whether a text without blanks is what never holds any: an
// address, an identifier or a thumbprint.
func isDense(text string) bool {
	low := strings.ToLower(text)
	isAddress := strings.HasPrefix(low, "https://") || strings.HasPrefix(low, "http://")
	return isAddress && strings.Count(low, "://") == 1 || guidForm.MatchString(text) || len(text) == 40 && hexOnly.MatchString(text)
}

var hexOnly = regexp.MustCompile(`^[0-9A-Fa-f]+$`)

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// fromFields returns the text of a value that JSON took apart: a version, a
// domain, an address, a reference to another object.
func fromFields(o psobject.Object) Value {
	if o.Has("Major", "Minor", "Build") {
		major, _ := o.String("Major")
		minor, _ := o.String("Minor")
		build, _ := o.String("Build")
		revision, _ := o.String("Revision")
		return String(fmt.Sprintf("Version %s.%s (Build %s.%s)", major, minor, build, revision))
	}
	for _, name := range []string{"Value", "OriginalString", "AbsoluteUri", "Domain", "Address", "RawIdentity", "Name", "DistinguishedName"} {
		if text, state := o.String(name); state == psobject.Present && text != "" {
			return String(text)
		}
	}
	return Unreadable("")
}

// flatten returns an object as lines of name and value, without the escapes
// of JSON and XML, for the catalogue of errors.
func flatten(o psobject.Object) string {
	var b strings.Builder
	var walk func(name string, v psobject.Value, depth int)
	walk = func(name string, v psobject.Value, depth int) {
		switch {
		case depth > psobject.MaxDepth:
		case v.List != nil:
			for _, e := range v.List {
				walk(name, e, depth+1)
			}
		case v.Object != nil:
			for _, p := range v.Object.Properties {
				walk(p.Name, p.Value, depth+1)
			}
		default:
			fmt.Fprintf(&b, "%q: %s\n", name, firstText(v.Text, v.Number))
		}
	}
	for _, p := range o.Properties {
		walk(p.Name, p.Value, 0)
	}
	return b.String()
}
