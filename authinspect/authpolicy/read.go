package authpolicy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/psobject"
	"github.com/crossprem/crossprem/internal/wintext"
)

const (
	maxFile  = 64 << 20
	maxFiles = 10_000
)

// Policies are what exports tell of an organization. The zero value tells
// nothing. It is read-only after [Read], and may serve several goroutines.
type Policies struct {
	// NotUnderstood lists what was in the files and was not used, one entry a
	// file and reason.
	NotUnderstood []NotUnderstood

	cloud, onPremises side
	securityDefaults  crossprem.Answer
	access            []accessPolicy // Conditional Access
	accessKnown       bool
}

// NotUnderstood is a file, or a part of one, that was not used, and why.
type NotUnderstood struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// A side is what one of the two worlds told.
type side struct {
	any        bool // whether there was anything
	policies   []namedPolicy
	listed     bool // Get-AuthenticationPolicy was there
	deflt      *reference
	disputed   bool // two exports name different defaults
	org        map[string]Switch
	ewsAppIDs  []string
	appIDsSeen bool
	ewsAccess  string
	ewsAgents  []string
	// ewsAgentsKnown says that the list was printed whole.
	ewsAgentsKnown bool
	users          []person
	mailboxes      []person
	devices        []device
	offers         map[Protocol]*offer
	authServers    []AuthServer // what each says: none, if it is not the one for clients
	servers        []Server
}

type namedPolicy struct {
	Policy
	names []string // by which it is referred to, in lower case
}

// A reference names a policy; an empty one names none.
type reference string

// A person is a user or a mailbox: names in lower case, and switches.
type person struct {
	names    []string
	linking  []string // the names without what is displayed, which several may share
	kind     string   // RecipientTypeDetails
	objectID string   // ExternalDirectoryObjectId, the id in Entra ID, in lower case; "" if not known
	policy   *reference
	disputed bool // two exports name different policies
	switches map[string]Switch
}

type device struct {
	person string // in lower case: a name of the user, or a path that holds it
	eas16  crossprem.Answer
}

type offer struct{ basic, windows, oauth crossprem.Answer }

// Read reads the files of fsys: output of Get-AuthenticationPolicy,
// Get-OrganizationConfig, Get-User, Get-CASMailbox, Get-TransportConfig,
// Get-*VirtualDirectory, Get-OutlookAnywhere, Get-ImapSettings,
// Get-PopSettings, Get-AuthServer, Get-ExchangeServer and Get-MobileDevice, as
// Format-List, table, JSON, CLIXML or CSV, several commands in a file too, with
// prompts, quoted or typed by hand; and the Conditional Access policies and the
// security defaults, as Microsoft Graph has them or as PowerShell prints them. Of
// a policy that was printed without its inner objects it is not known whether
// it blocks.
//
// What was printed twice with different values is not known. Objects of one
// person are put together by an address, an object id or a name; what is
// displayed links nobody.
//
// Which side an object is from is told by a folder or file that has cloud,
// exo, online or 365 in its name, or onprem, on-prem or premises; then by
// properties that only one side prints; then by the directory it was read from,
// which lies below outlook.com for Exchange Online; then by the other objects, if they are
// all of one side; then by other, which may be HostingUnknown: what cannot be
// told is listed in NotUnderstood. So is every file that could not be read.
//
// The error is that of fsys, or tells that there is no file, or too many.
func Read(fsys fs.FS, other Hosting) (*Policies, error) {
	r := reading{other: other}
	files := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !d.Type().IsRegular() {
			return nil
		}
		if files++; files > maxFiles {
			return fmt.Errorf("authpolicy: more than %d files", maxFiles)
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return err
		}
		if len(text) > maxFile {
			r.refuse(name, fmt.Sprintf("it has more than %d bytes", maxFile))
			return nil
		}
		r.file(name, text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if files == 0 {
		return nil, errors.New("authpolicy: there is no file to read")
	}
	r.settle()
	return &r.Policies, nil
}

// A found is an object with the command that printed it.
type found struct {
	file     string
	command  string // "get-casmailbox", or ""
	identity string // of the command line, or ""
	object   psobject.Object
	side     Hosting
}

type reading struct {
	Policies
	other Hosting
	found []found
}

func (r *reading) refuse(file, why string) {
	r.NotUnderstood = append(r.NotUnderstood, NotUnderstood{file, oneLine(why)})
}

var (
	cloudName  = regexp.MustCompile(`(?i)cloud|(^|[^a-z])exo([^a-z]|$)|online|365`)
	onPremName = regexp.MustCompile(`(?i)on-?_?prem|premises`)
)

// sideOf returns the side that a path names.
func sideOf(name string) Hosting {
	switch cloud, here := cloudName.MatchString(name), onPremName.MatchString(name); {
	case cloud && !here:
		return ExchangeOnline
	case here && !cloud:
		return OnPremises
	}
	return HostingUnknown
}

// typedByHand puts together what are the properties of one object. A list whose
// colons do not stand in one column was typed or edited by hand, and was read
// as several objects; but objects that one command prints have the same
// properties, and these have none in common.
func typedByHand(objects []psobject.Object) []psobject.Object {
	var out []psobject.Object
	for _, o := range objects {
		if n := len(out); n > 0 && len(o.Types) == 0 && len(out[n-1].Types) == 0 && len(out[n-1].Properties) > 0 && len(out[n-1].Properties) < 512 &&
			!slices.ContainsFunc(o.Properties, func(p psobject.Property) bool { return out[n-1].Has(p.Name) }) {
			out[n-1].Properties = slices.Concat(out[n-1].Properties, o.Properties)
			continue
		}
		out = append(out, o)
	}
	return out
}

// A part is the text below a command line.
type part struct{ command, identity, text string }

// maxCommandLine bounds what is looked at for a command, in bytes.
const maxCommandLine = 4096

// split cuts text at its command lines. What stands above the first belongs to
// the command first.
func split(first, text string) []part {
	parts := []part{{command: first}}
	start, at := 0, 0
	for line := range strings.Lines(text) {
		begin := at
		at += len(line)
		if len(line) > maxCommandLine || !strings.Contains(line, "-") {
			continue
		}
		m := commandLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		parts[len(parts)-1].text = text[start:begin]
		start = at
		p := part{command: strings.ToLower(m[1])}
		if id := identityArgument.FindStringSubmatch(m[2]); id != nil {
			p.identity = strings.Trim(id[1], `"'`)
		}
		// Of commands in a row the last one prints.
		for _, stage := range strings.Split(m[2], "|")[1:] {
			if next := commandLine.FindStringSubmatch(stage); next != nil {
				p.command = strings.ToLower(next[1])
			}
		}
		parts = append(parts, p)
	}
	parts[len(parts)-1].text = text[start:]
	return parts
}

// commandLine finds a command that was typed, with a prompt or without.
var commandLine = regexp.MustCompile(`(?i)^\s*(?:>\s*)*(?:(?:\[PS\]|PS)[^>\n]*>+\s*)?(?:\$\w+\s*=\s*)?(Get-[A-Za-z]+)\b(.*)$`)

var identityArgument = regexp.MustCompile(`(?i)^\s+(?:-(?:Identity|Mailbox|User)(?::|\s+))?("[^"]*"|'[^']*'|[^\s|"'{($-][^\s|]*)`)

// file splits a text at its command lines, so that each part is known by the
// command above it, and parses the parts.
func (r *reading) file(name string, raw []byte) {
	decoded, err := wintext.Decode(raw)
	if err != nil {
		r.refuse(name, err.Error())
		return
	}
	text := unquote(string(decoded))
	where := sideOf(name)
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		r.refuse(name, "it is empty")
		return
	}
	parts := []part{{command: commandOf(path.Base(name)), text: text}}
	if trimmed[0] != '{' && trimmed[0] != '[' && trimmed[0] != '<' {
		parts = split(parts[0].command, text)
	}
	for _, p := range parts {
		if strings.TrimSpace(p.text) == "" {
			if p.command == "get-authenticationpolicy" && len(parts) > 1 {
				r.found = append(r.found, found{file: name, command: p.command, side: where}) // it ran, and there is none
			}
			continue
		}
		took := false
		if json := strings.TrimSpace(p.text); json[0] == '{' || json[0] == '[' {
			took = r.graph([]byte(json))
		}
		outputs, err := psobject.Parse([]byte(p.text))
		if err != nil {
			if !took {
				r.refuse(name, strings.TrimPrefix(err.Error(), "psobject: "))
			}
			continue
		}
		n := 0
		for _, out := range outputs {
			command := p.command
			if out.Command != "" {
				command = strings.ToLower(out.Command)
			}
			objects := out.Objects
			if command != "" {
				objects = typedByHand(objects)
			}
			for _, o := range objects {
				n++
				f := found{name, command, p.identity, o, where}
				if took && kindOf(&f) == "" || r.graphObject(o) {
					continue
				}
				r.found = append(r.found, f)
			}
		}
		if n == 0 && !took && (p.command != "" || len(parts) == 1) {
			r.refuse(name, "no object was found in it")
		}
	}
}

// unquote takes the marks away with which mails quote a text, if every line
// that is not empty has one.
func unquote(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest, quoted := strings.CutPrefix(strings.TrimLeft(line, " \t"), ">")
		if !quoted && strings.TrimSpace(line) != "" {
			return text
		}
		b.WriteString(strings.TrimPrefix(rest, " "))
	}
	return b.String()
}

// commandOf returns the command that a file is named after, such as
// "get-user" for "Get-User.txt", or "".
func commandOf(base string) string {
	base = strings.ToLower(strings.TrimSuffix(base, path.Ext(base)))
	if _, after, ok := strings.Cut(base, "get-"); ok {
		if end := strings.IndexFunc(after, func(r rune) bool { return r < 'a' || r > 'z' }); end >= 0 {
			after = after[:end]
		}
		return "get-" + after
	}
	return ""
}

// surely returns the side that alone prints such an object.
func surely(f *found) Hosting {
	o := f.object
	if f.side != HostingUnknown {
		return f.side
	}
	if strings.HasPrefix(f.command, "get-exo") {
		return ExchangeOnline
	}
	hasPrefix := func(prefixes ...string) bool {
		return slices.ContainsFunc(o.Properties, func(p psobject.Property) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(strings.ToLower(p.Name), prefix) })
		})
	}
	switch kind := kindOf(f); kind {
	case "authenticationpolicy":
		allow, block := hasPrefix("allowbasicauth"), hasPrefix("blocklegacyauth", "blockmodernauth")
		if allow != block {
			return map[bool]Hosting{true: ExchangeOnline, false: OnPremises}[allow]
		}
	case "transportconfig":
		if o.Has("SmtpClientAuthenticationDisabled") {
			return ExchangeOnline
		}
	case "casmailbox":
		if o.Has("SmtpClientAuthenticationDisabled") || o.Has("OutlookMobileEnabled") || o.Has("OneWinNativeOutlookEnabled") {
			return ExchangeOnline
		}
		if o.Has("MapiHttpEnabled") && o.Has("MAPIBlockOutlookExternalConnectivity") {
			return OnPremises
		}
	case "organizationconfig":
		if o.Has("EwsAllowedAppIDs") || o.Has("IsDehydrated") && o.Has("SmtpActionableMessagesEnabled") {
			return ExchangeOnline
		}
	case "virtualdirectory", "imapsettings", "popsettings", "authserver", "exchangeserver":
		return OnPremises
	}
	return directorySide(o)
}

// directorySide tells by the directory that an object was read from: that of
// Exchange Online lies below outlook.com, and in the clouds of nations below
// partner.outlook.cn and office365.us.
func directorySide(o psobject.Object) Hosting {
	name, _ := o.String("DistinguishedName")
	server, _ := o.String("OriginatingServer")
	text := strings.ToLower(name + " " + server)
	components := strings.Contains(text, ",dc=")
	switch {
	case strings.Contains(text, "outlook.com"), strings.Contains(text, "outlook.cn"), strings.Contains(text, "office365.us"), strings.Contains(text, ".onmicrosoft."),
		strings.Contains(text, "dc=outlook,"), strings.Contains(text, "dc=prod"), strings.Contains(text, "dc=office365,"):
		return ExchangeOnline
	case components && server != "":
		return OnPremises
	}
	return HostingUnknown
}

// kindOf names what kind of object it is, by the command or by its properties.
func kindOf(f *found) string {
	o := f.object
	if name, ok := strings.CutPrefix(f.command, "get-"); ok {
		name = strings.TrimPrefix(name, "exo")
		switch {
		case strings.HasSuffix(name, "plan"), name == "partnerapplication":
			return ""
		case strings.HasSuffix(name, "virtualdirectory"), name == "outlookanywhere":
			return "virtualdirectory"
		case slices.Contains([]string{"authenticationpolicy", "organizationconfig", "user", "casmailbox", "transportconfig", "imapsettings", "popsettings", "authserver", "exchangeserver", "mobiledevice", "mailbox"}, name):
			return name
		}
	}
	prefix := func(p string) bool {
		return slices.ContainsFunc(o.Properties, func(q psobject.Property) bool { return strings.HasPrefix(strings.ToLower(q.Name), p) })
	}
	switch {
	case prefix("allowbasicauth"), prefix("blocklegacyauth"), prefix("blockmodernauth"):
		return "authenticationpolicy"
	case o.Has("OAuth2ClientProfileEnabled"), o.Has("DefaultAuthenticationPolicy"):
		return "organizationconfig"
	case o.Has("IISAuthenticationMethods"), o.Has("BasicAuthentication") || o.Has("BasicAuthEnabled"):
		return "virtualdirectory"
	case o.Has("ActiveSyncEnabled"), o.Has("ImapEnabled"), o.Has("PopEnabled"), o.Has("MAPIEnabled"):
		return "casmailbox"
	case o.Has("AdminDisplayVersion") && o.Has("ServerRole"):
		return "exchangeserver"
	case o.Has("IsDefaultAuthorizationEndpoint"):
		return "authserver"
	case o.Has("AllowLegacyTLSClients"), o.Has("SmtpClientAuthenticationDisabled") && o.Has("MaxReceiveSize"):
		return "transportconfig"
	case o.Has("LoginType") && o.Has("ProtocolName"):
		name, _ := o.String("ProtocolName")
		return strings.ToLower(strings.TrimRight(name, "34")) + "settings"
	case o.Has("DeviceId") && o.Has("ClientVersion"):
		return "mobiledevice"
	case o.Has("AuthenticationPolicy"), o.Has("RecipientTypeDetails") && o.Has("UserPrincipalName"):
		return "user"
	}
	return ""
}

// settle gives every object its side and takes it.
func (r *reading) settle() {
	cloud, here := r.accessKnown || r.securityDefaults != crossprem.AnswerUnknown, false
	for i := range r.found {
		f := &r.found[i]
		if kindOf(f) == "" {
			continue
		}
		f.side = surely(f)
		cloud, here = cloud || f.side == ExchangeOnline, here || f.side == OnPremises
	}
	rest := r.other
	switch {
	case rest != HostingUnknown:
	case cloud && !here:
		rest = ExchangeOnline
	case here && !cloud:
		rest = OnPremises
	}
	for i := range r.found {
		f := &r.found[i]
		if f.side == HostingUnknown {
			f.side = rest
		}
		kind := kindOf(f)
		switch {
		case kind == "" && f.command != "":
			r.refuse(f.file, "nothing is judged by "+f.command)
		case kind == "":
			r.refuse(f.file, "it is not known which command printed an object; put the command above it")
		case f.side == ExchangeOnline:
			r.take(&r.cloud, f, kind)
		case f.side == OnPremises:
			r.take(&r.onPremises, f, kind)
		default:
			r.refuse(f.file, "it is not known whether it is of Exchange Online or of Exchange Server; put it into a folder called cloud or onprem")
		}
	}
	slices.SortStableFunc(r.NotUnderstood, func(a, b NotUnderstood) int { return strings.Compare(a.File+a.Why, b.File+b.Why) })
	r.NotUnderstood = slices.Compact(r.NotUnderstood)
}

func (r *reading) take(s *side, f *found, kind string) {
	s.any = true
	o := f.object
	if s.org == nil {
		s.org, s.offers = map[string]Switch{}, map[Protocol]*offer{}
	}
	switch kind {
	case "authenticationpolicy":
		s.listed = true
		if len(o.Properties) > 0 {
			s.policies = append(s.policies, policyOf(o))
		}
	case "organizationconfig":
		takeSwitches(s.org, o, "EwsEnabled", "OAuth2ClientProfileEnabled", "MapiHttpEnabled", "EwsAllowOutlook", "EwsAllowMacOutlook", "EwsAllowEntourage")
		if ref, ok := referenceOf(o, "DefaultAuthenticationPolicy"); ok {
			if s.deflt != nil && *s.deflt != ref {
				s.disputed = true
			}
			s.deflt = &ref
		}
		// Without the switch -RetrieveEwsOperationAccessPolicy the property is
		// empty whatever it holds.
		if ids, state := o.Strings("EwsAllowedAppIDs"); state == psobject.Present && len(ids) > 0 {
			s.appIDsSeen = true
			for _, id := range ids {
				s.ewsAppIDs = append(s.ewsAppIDs, splitList(id)...)
			}
		}
		if access, state := o.String("EwsApplicationAccessPolicy"); state == psobject.Present && access != "" {
			s.ewsAccess = access
			list := "EwsAllowList"
			if strings.EqualFold(access, "EnforceBlockList") {
				list = "EwsBlockList"
			}
			agents, state := o.Strings(list)
			s.ewsAgents, s.ewsAgentsKnown = agents, state == psobject.Present
		}
	case "transportconfig":
		takeSwitches(s.org, o, "SmtpClientAuthenticationDisabled")
	case "user", "casmailbox", "mailbox":
		p := personOf(f)
		if len(p.names) == 0 {
			r.refuse(f.file, "an object of "+kind+" names nobody; print an identity with it")
			return
		}
		if kind == "casmailbox" {
			takeSwitches(p.switches, o, "ActiveSyncEnabled", "ImapEnabled", "PopEnabled", "MAPIEnabled", "EwsEnabled", "SmtpClientAuthenticationDisabled", "MapiHttpEnabled", "MAPIBlockOutlookRpcHttp")
			s.mailboxes = append(s.mailboxes, p)
			return
		}
		takeSwitches(p.switches, o, "RemotePowerShellEnabled", "EXOModuleEnabled")
		if ref, ok := referenceOf(o, "AuthenticationPolicy"); ok {
			p.policy = &ref
		}
		s.users = append(s.users, p)
	case "virtualdirectory":
		if isBackEnd(o) {
			return // servers alone talk to it
		}
		if p := protocolOf(f); p != ProtocolUnknown {
			s.offer(p, offerOf(o))
		} else {
			r.refuse(f.file, "no protocol hangs on this virtual directory")
		}
	case "imapsettings", "popsettings":
		one := offer{oauth: crossprem.No}
		if _, state := o.String("LoginType"); state == psobject.Present {
			one.basic = crossprem.Yes // each login type takes passwords; they differ in what they want of TLS
		}
		if windows, state := o.Bool("EnableGSSAPIAndNTLMAuth"); state == psobject.Present {
			one.windows = crossprem.AnswerOf(windows)
		}
		s.offer(map[string]Protocol{"imapsettings": IMAP, "popsettings": POP}[kind], one)
	case "authserver":
		s.takeAuthServer(o)
	case "exchangeserver":
		if role, state := o.String("ServerRole"); state == psobject.Present && strings.EqualFold(role, "Edge") {
			return // nobody signs in there
		}
		if version, ok := versionText(o.Get("AdminDisplayVersion")); ok {
			s.servers = append(s.servers, serverOf(version))
		}
	case "mobiledevice":
		if version, state := o.String("ClientVersion"); state == psobject.Present {
			who := f.identity
			for _, name := range []string{"UserDisplayName", "Identity", "Guid"} {
				if text, state := o.String(name); who == "" && state == psobject.Present {
					who = text
				}
			}
			if eas, err := activeSync16(version); err == nil {
				s.devices = append(s.devices, device{strings.ToLower(who), eas})
			}
		}
	}
}

// takeSwitches takes the switches that were printed whole. One that was printed
// twice with different values is not known: nothing tells which is the newer.
func takeSwitches(into map[string]Switch, o psobject.Object, names ...string) {
	for _, name := range names {
		value := SwitchUnknown
		switch on, state := o.Bool(name); state {
		case psobject.Present:
			value = SwitchOf(on)
		case psobject.Blank:
			value = NotSet
		default:
			continue
		}
		if have, ok := into[name]; ok && have != value {
			value = SwitchUnknown
		}
		into[name] = value
	}
}

// versionText returns a version as text; JSON has it as an object.
func versionText(v psobject.Value) (string, bool) {
	if text, state := v.AsString(); state == psobject.Present {
		return text, text != ""
	}
	if v.Object == nil {
		return "", false
	}
	var parts []string
	for _, name := range []string{"Major", "Minor", "Build"} {
		n, state := v.Object.Int(name)
		if state != psobject.Present {
			return "", false
		}
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, "."), true
}

// identityTexts returns the names in a property: its text, or of an identity
// that an export wrote as an object its names.
func identityTexts(v psobject.Value) (names []string, state psobject.State) {
	text, state := v.AsString()
	if state == psobject.Present && text != "" {
		names = append(names, text)
	}
	if v.Object != nil {
		for _, part := range []string{"DistinguishedName", "Name", "ObjectGuid"} {
			if text, s := v.Object.String(part); s == psobject.Present && text != "" {
				names, state = append(names, text), psobject.Present
			}
		}
	}
	return names, state
}

func policyOf(o psobject.Object) namedPolicy {
	p := namedPolicy{Policy: Policy{Switches: map[string]Switch{}}}
	for _, property := range o.Properties {
		lower := strings.ToLower(property.Name)
		if strings.HasPrefix(lower, "allowbasicauth") || strings.HasPrefix(lower, "blocklegacyauth") || strings.HasPrefix(lower, "blockmodernauth") {
			takeSwitches(p.Switches, o, property.Name)
		}
	}
	// A switch that was not printed is not known.
	p.Partial = true
	for _, name := range []string{"Name", "Identity", "DistinguishedName", "Guid", "Id", "ExchangeObjectId"} {
		texts, _ := identityTexts(o.Get(name))
		for _, text := range texts {
			p.names = append(p.names, strings.ToLower(text), strings.ToLower(commonName(text)))
			if p.Name == "" {
				p.Name = commonName(text)
			}
		}
	}
	return p
}

// commonName returns the name in a distinguished name, "Block" of "CN=Block,CN=…",
// and other texts as they are.
func commonName(s string) string {
	if len(s) > 3 && strings.EqualFold(s[:3], "CN=") {
		name, _, _ := strings.Cut(strings.ReplaceAll(s[3:], `\,`, "\x00"), ",")
		return strings.ReplaceAll(name, "\x00", ",")
	}
	return s
}

// referenceOf returns the policy that a property names, and false if it was
// not printed whole.
func referenceOf(o psobject.Object, property string) (reference, bool) {
	switch names, state := identityTexts(o.Get(property)); {
	case state == psobject.Present && len(names) > 0:
		return reference(strings.ToLower(names[0])), true
	case state == psobject.Present, state == psobject.Blank:
		return "", true
	}
	return "", false
}

func personOf(f *found) person {
	p := person{switches: map[string]Switch{}}
	names := []string{f.identity}
	for _, property := range []string{"UserPrincipalName", "Identity", "PrimarySmtpAddress", "WindowsEmailAddress", "Alias", "SamAccountName", "Name", "DistinguishedName", "Guid", "ExternalDirectoryObjectId"} {
		texts, _ := identityTexts(f.object.Get(property))
		for _, text := range texts {
			names = append(names, text, commonName(text))
			if i := strings.LastIndexByte(text, '/'); i >= 0 {
				names = append(names, text[i+1:])
			}
		}
	}
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" && !slices.Contains(p.names, n) {
			p.names = append(p.names, n)
		}
	}
	p.linking = slices.Clone(p.names)
	display, _ := f.object.String("DisplayName")
	if display = strings.ToLower(strings.TrimSpace(display)); display != "" && !slices.Contains(p.names, display) {
		p.names = append(p.names, display)
	}
	p.kind, _ = f.object.String("RecipientTypeDetails")
	id, _ := f.object.String("ExternalDirectoryObjectId")
	p.objectID = strings.ToLower(id)
	return p
}

// isBackEnd reports whether a virtual directory is of the site that no client
// connects to.
func isBackEnd(o psobject.Object) bool {
	for _, name := range []string{"Name", "Identity", "WebSiteName"} {
		if texts, _ := identityTexts(o.Get(name)); slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), "exchange back end") }) {
			return true
		}
	}
	return false
}

// protocolOf returns the protocol of a virtual directory.
func protocolOf(f *found) Protocol {
	name, _ := f.object.String("Name")
	identity, _ := identityTexts(f.object.Get("Identity"))
	text := strings.ToLower(f.command + " " + name + " " + strings.Join(identity, " "))
	for _, w := range []struct {
		word string
		p    Protocol
	}{
		{"webservices", EWS}, {"ews (", EWS}, {"activesync", ActiveSync}, {"autodiscover", Autodiscover}, {"mapi", MAPI}, {"oab", OAB},
		{"outlookanywhere", RPC}, {"rpc (", RPC}, {"powershell", PowerShell},
	} {
		if strings.Contains(text, w.word) {
			return w.p
		}
	}
	return ProtocolUnknown
}

func offerOf(o psobject.Object) offer {
	var one offer
	answer := func(names ...string) crossprem.Answer {
		for _, name := range names {
			if on, state := o.Bool(name); state == psobject.Present {
				return crossprem.AnswerOf(on)
			}
		}
		return crossprem.AnswerUnknown
	}
	one.basic = answer("BasicAuthentication", "BasicAuthEnabled")
	one.windows = answer("WindowsAuthentication", "WindowsAuthEnabled")
	one.oauth = answer("OAuthAuthentication")
	for _, name := range []string{"IISAuthenticationMethods", "InternalAuthenticationMethods"} {
		methods, state := o.Strings(name)
		if state != psobject.Present || len(methods) == 0 {
			continue // an empty list stands beside BasicAuthEnabled too, and says nothing
		}
		has := func(words ...string) crossprem.Answer {
			return crossprem.AnswerOf(slices.ContainsFunc(methods, func(m string) bool {
				return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(m, w) })
			}))
		}
		for _, fill := range []struct {
			to    *crossprem.Answer
			words []string
		}{{&one.basic, []string{"Basic"}}, {&one.windows, []string{"Ntlm", "Negotiate", "WindowsIntegrated", "NegoEx", "Kerberos"}}, {&one.oauth, []string{"OAuth"}}} {
			if *fill.to == crossprem.AnswerUnknown {
				*fill.to = has(fill.words...)
			}
		}
	}
	return one
}

// offer adds what one server offers; where servers differ it is not known.
func (s *side) offer(p Protocol, one offer) {
	have := s.offers[p]
	if have == nil {
		s.offers[p] = &one
		return
	}
	for _, pair := range [][2]*crossprem.Answer{{&have.basic, &one.basic}, {&have.windows, &one.windows}, {&have.oauth, &one.oauth}} {
		if *pair[0] != *pair[1] {
			*pair[0] = crossprem.AnswerUnknown
		}
	}
}

// takeAuthServer takes one authorization server. The one for clients is the
// enabled one that is the default; where more than one is, or where it cannot
// be told of each whether it is, it is not known which.
func (s *side) takeAuthServer(o psobject.Object) {
	enabled, enabledState := o.Bool("Enabled")
	deflt, state := o.Bool("IsDefaultAuthorizationEndpoint")
	switch {
	case state != psobject.Present:
		s.authServers = append(s.authServers, AuthServerUnknown)
	case !deflt, enabledState == psobject.Present && !enabled:
		s.authServers = append(s.authServers, NoAuthServer)
	default:
		kind, _ := o.String("Type")
		switch strings.ToLower(kind) {
		case "azuread", "microsoftonline", "4": // numbers are what ConvertTo-Json writes
			s.authServers = append(s.authServers, Entra)
		case "adfs", "5":
			s.authServers = append(s.authServers, ADFS)
		default:
			s.authServers = append(s.authServers, AuthServerUnknown)
		}
	}
}

// authServer returns what the authorization servers together say.
func (s *side) authServer() AuthServer {
	chosen := AuthServerUnknown
	for i, one := range s.authServers {
		switch {
		case one == AuthServerUnknown:
			return AuthServerUnknown
		case i == 0, chosen == NoAuthServer:
			chosen = one
		case one != NoAuthServer && one != chosen:
			return AuthServerUnknown
		}
	}
	return chosen
}

var buildNumber = regexp.MustCompile(`(\d+)\.0*(\d+)(?:\.| \(Build )0*(\d+)`)

// serverOf reads a version such as "Version 15.2 (Build 1118.7)". The builds
// are those of "Exchange Server build numbers and release dates"
// (learn.microsoft.com).
func serverOf(version string) Server {
	m := buildNumber.FindStringSubmatch(version)
	if m == nil {
		return ServerUnknown
	}
	var major, minor, build int
	if _, err := fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &major, &minor, &build); err != nil {
		return ServerUnknown
	}
	switch {
	case major < 15:
		return Exchange2010
	case major > 15:
		return ServerUnknown
	case minor == 0:
		return Exchange2013
	case minor == 1:
		return Exchange2016
	case build >= 2562:
		return ExchangeSE
	case build >= 1258:
		return Exchange2019CU13
	case build >= 397:
		return Exchange2019CU2
	}
	return Exchange2019
}

// An accessPolicy is a Conditional Access policy, as far as it is judged.
type accessPolicy struct {
	name    string
	types   []string // client app types; nil if the export does not name them
	users   []string // includeUsers and the rest, in lower case
	without []string // excludeUsers, in lower case
	exclude bool     // there are other exclusions, or conditions that are not judged
	groups  bool     // groups, roles or guests are included
	unseen  bool     // users, applications or controls were not printed
}

// graph takes Conditional Access policies and security defaults of a JSON
// text, and returns whether it held any.
func (r *reading) graph(text []byte) bool {
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		return false
	}
	took := false
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if depth > 16 {
			return
		}
		switch v := v.(type) {
		case []any:
			if len(v) == 0 && depth == 1 && bytes.Contains(bytes.ToLower(text), []byte("conditionalaccess")) {
				r.accessKnown, took = true, true
			}
			for _, e := range v {
				walk(e, depth+1)
			}
		case map[string]any:
			object := make(map[string]any, len(v))
			for k, e := range v {
				object[strings.ToLower(k)] = e
			}
			_, hasConditions := object["conditions"]
			state, hasState := object["state"]
			enabled, isSwitch := object["isenabled"].(bool)
			name, _ := object["displayname"].(string)
			id, _ := object["id"].(string)
			context, _ := object["@odata.context"].(string)
			switch {
			case hasConditions && hasState:
				took = true
				r.takeAccess(name, fmt.Sprint(state), object)
			case isSwitch && (strings.EqualFold(name, "Security Defaults") || id == securityDefaultsID || strings.Contains(strings.ToLower(context), "identitysecuritydefaults")):
				took, r.securityDefaults = true, crossprem.AnswerOf(enabled)
			default:
				for _, e := range v {
					walk(e, depth+1)
				}
			}
		}
	}
	walk(whole, 0)
	return took
}

// takeAccess takes a Conditional Access policy whose members are by their names
// in lower case.
func (r *reading) takeAccess(name, state string, object map[string]any) {
	r.accessKnown = true
	switch strings.ToLower(state) {
	case "enabled":
		if p, counts := accessOf(name, object); counts {
			r.access = append(r.access, p)
		}
	case "disabled", "enabledforreportingbutnotenforced":
	default: // a number, or a text that is not known
		r.access = append(r.access, accessPolicy{name: name, unseen: true})
	}
}

// graphObject takes a Conditional Access policy or the security defaults as
// another export than JSON holds them, and returns whether o is one.
func (r *reading) graphObject(o psobject.Object) bool {
	name, _ := o.String("DisplayName")
	switch state, known := o.String("State"); {
	case o.Has("Conditions", "GrantControls"), o.Has("Conditions", "State", "DisplayName"):
		if known != psobject.Present {
			state = ""
		}
		object, _ := plain(psobject.Value{State: psobject.Present, Object: &o}, 0).(map[string]any)
		r.takeAccess(name, state, object)
		return true
	}
	id, _ := o.String("Id")
	if on, known := o.Bool("IsEnabled"); known == psobject.Present && (strings.EqualFold(name, "Security Defaults") || id == securityDefaultsID) {
		r.securityDefaults = crossprem.AnswerOf(on)
		return true
	}
	return false
}

// plain returns v as encoding/json would have read it, with members by their
// names in lower case. What was not printed whole is a text that no list and no
// object is.
func plain(v psobject.Value, depth int) any {
	switch {
	case depth > 16 || v.State != psobject.Present && v.State != psobject.Blank:
		return unseen
	case v.List != nil:
		list := make([]any, 0, len(v.List))
		for _, e := range v.List {
			list = append(list, plain(e, depth+1))
		}
		return list
	case v.Object != nil:
		object := make(map[string]any, len(v.Object.Properties))
		for _, p := range v.Object.Properties {
			object[strings.ToLower(p.Name)] = plain(p.Value, depth+1)
		}
		return object
	case v.State == psobject.Blank:
		return nil
	}
	return v.Text
}

const (
	unseen             = "\x00"
	securityDefaultsID = "00000000-0000-0000-0000-000000000005"
)

const exchangeOnlineApp = "00000002-0000-0ff1-ce00-000000000000"

// accessOf reads an enabled policy; counts is false if it can stop no legacy
// client of Exchange Online.
func accessOf(name string, object map[string]any) (p accessPolicy, counts bool) {
	p.name = name
	lower := func(v any) map[string]any {
		m, _ := v.(map[string]any)
		out := make(map[string]any, len(m))
		for k, e := range m {
			out[strings.ToLower(k)] = e
		}
		return out
	}
	texts := func(v any) (list []string) {
		switch v := v.(type) {
		case string:
			return strings.Fields(strings.ToLower(v)) // a list that ConvertTo-Json joined
		case []any:
			for _, e := range v {
				list = append(list, strings.ToLower(fmt.Sprint(e)))
			}
		}
		return list
	}
	conditions := lower(object["conditions"])
	users, apps, grants := lower(conditions["users"]), lower(conditions["applications"]), lower(object["grantcontrols"])
	// Of a policy that was printed to a small depth, or as a list, the inner
	// objects are the names of their types.
	_, hasUsers := conditions["users"].(map[string]any)
	_, hasApps := conditions["applications"].(map[string]any)
	if _, isText := object["grantcontrols"].(string); isText || !hasUsers || !hasApps {
		p.unseen = true
		return p, true
	}
	p.types = texts(conditions["clientapptypes"])
	p.users, p.without = texts(users["includeusers"]), texts(users["excludeusers"])
	p.groups = len(texts(users["includegroups"])) > 0 || len(texts(users["includeroles"])) > 0 || holds(users["includeguestsorexternalusers"])
	p.exclude = len(texts(users["excludegroups"])) > 0 || len(texts(users["excluderoles"])) > 0
	for name, condition := range conditions {
		switch name {
		case "clientapptypes", "users", "applications", "@odata.type", "additionalproperties":
		case "locations", "platforms":
			// All of them, without one excluded, is no restriction.
			place := lower(condition)
			included := slices.Concat(texts(place["includelocations"]), texts(place["includeplatforms"]))
			if excluded := slices.Concat(texts(place["excludelocations"]), texts(place["excludeplatforms"])); len(excluded) > 0 || len(included) > 0 && !slices.Contains(included, "all") {
				p.exclude = true
			}
			if _, isText := condition.(string); isText {
				p.exclude = true
			}
		default: // risks, devices and what may come
			p.exclude = p.exclude || holds(condition)
		}
	}
	included, excluded := texts(apps["includeapplications"]), texts(apps["excludeapplications"])
	has := func(list []string, words ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(words, s) })
	}
	covered := has(included, "all", "office365", exchangeOnlineApp) && !has(excluded, "office365", exchangeOnlineApp)
	if filter := apps["applicationfilter"]; holds(filter) {
		covered, p.exclude = true, true
	}
	// Whatever a policy grants access for, a legacy client has no way to show it.
	controls := len(texts(grants["builtincontrols"])) > 0 || len(texts(grants["termsofuse"])) > 0 || len(texts(grants["customauthenticationfactors"])) > 0 || holds(grants["authenticationstrength"])
	return p, covered && controls
}

// holds reports whether a value of JSON has anything in it: of the objects that
// Graph PowerShell prints for what is not there, every member is empty.
func holds(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return strings.TrimSpace(v) != ""
	case []any:
		return slices.ContainsFunc(v, holds)
	case map[string]any:
		for name, e := range v {
			if !strings.EqualFold(name, "@odata.type") && holds(e) {
				return true
			}
		}
		return false
	}
	return true
}

var objectID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// blocks says whether an enabled policy stops a legacy client of the user, who
// has these names; id is the object id in Entra ID, or "" if it is not known.
func (p *accessPolicy) blocks(names []string, id string, protocol Protocol) crossprem.Answer {
	kind := "other"
	if protocol == ActiveSync {
		kind = "exchangeactivesync"
	}
	if p.unseen || p.types == nil {
		return crossprem.AnswerUnknown
	}
	if !slices.Contains(p.types, kind) && !slices.Contains(p.types, "all") {
		return crossprem.No
	}
	among := func(list []string) crossprem.Answer {
		answer := crossprem.No
		for _, u := range list {
			switch {
			case u == "all", u != "" && (u == id || slices.Contains(names, u)):
				return crossprem.Yes
			case u == "none", objectID.MatchString(u) && id != "":
			default:
				answer = crossprem.AnswerUnknown // by an object id that is nobody's here, or guests
			}
		}
		return answer
	}
	in, out := among(p.users), among(p.without)
	if in == crossprem.No && p.groups {
		in = crossprem.AnswerUnknown
	}
	switch {
	case in == crossprem.No, out == crossprem.Yes:
		return crossprem.No
	case in == crossprem.Yes && out == crossprem.No && !p.exclude:
		return crossprem.Yes
	}
	return crossprem.AnswerUnknown
}

// Effective answers for one user, by any of its names, one protocol and the
// day at.
func (p *Policies) Effective(user string, protocol Protocol, at time.Time) Decision {
	f := p.Facts(user, protocol)
	d := f.Decide(protocol, at)
	if p != nil && f.Hosting != HostingUnknown && p.cloud.knows(user) == "" && p.onPremises.knows(user) == "" {
		d.Notes = append(d.Notes, "No export names the user: that the mailbox is where the other objects are is an assumption.")
	}
	return d
}

// Facts returns what the exports tell of one user and one protocol. A nil
// Policies tells nothing.
func (p *Policies) Facts(user string, protocol Protocol) Facts {
	f := Facts{User: user, MailboxSwitches: map[string]Switch{}, OrgSwitches: map[string]Switch{}}
	if p == nil {
		return f
	}
	f.Hosting = p.hosting(user)
	s := &p.cloud
	if f.Hosting == OnPremises {
		s = &p.onPremises
	}
	for name, value := range s.org {
		f.OrgSwitches[name] = value
	}
	who, names := s.person(s.users, user)
	box, more := s.person(s.mailboxes, user)
	// A mailbox may have been printed without the name that was asked for.
	if who != nil && box == nil {
		box, more = s.linked(s.mailboxes, who)
	} else if box != nil && who == nil {
		who, names = s.linked(s.users, box)
	}
	names = append(names, more...)
	for _, one := range []*person{who, box} {
		if one != nil {
			for name, value := range one.switches {
				f.MailboxSwitches[name] = value
			}
		}
	}
	if who != nil && who.policy != nil {
		f.UserPolicy = s.assignment(*who.policy)
	}
	if s.deflt != nil && !s.disputed {
		f.DefaultPolicy = s.assignment(*s.deflt)
	}
	if f.Hosting == OnPremises && s.listed && len(s.policies) == 0 {
		f.UserPolicy, f.DefaultPolicy = NoPolicy(), NoPolicy()
	}
	f.EWSAccess, f.EWSAgents = s.ewsAccess, slices.Clone(s.ewsAgents)
	f.EWSAgentsKnown = crossprem.AnswerOf(s.ewsAgentsKnown)
	if !s.ewsAgentsKnown {
		f.EWSAgentsKnown = crossprem.AnswerUnknown
	}
	if s.appIDsSeen {
		f.EWSAppIDs, f.EWSAppIDsKnown = slices.Clone(s.ewsAppIDs), crossprem.Yes
	}
	f.ActiveSync16 = s.activeSync(append(names, strings.ToLower(user)))
	if o := s.offers[protocol]; o != nil {
		f.OffersBasic, f.OffersWindows, f.OffersOAuth = o.basic, o.windows, o.oauth
	}
	f.AuthServer = s.authServer()
	for i, server := range s.servers {
		if i == 0 {
			f.Server = server
		} else if server != f.Server {
			f.Server = ServerUnknown
			break
		}
	}
	f.SecurityDefaults = p.securityDefaults
	id := ""
	for _, one := range []*person{who, box} {
		if one != nil && one.objectID != "" {
			id = one.objectID
		}
	}
	f.ConditionalAccessBlocks = p.conditionalAccess(append(names, strings.ToLower(user)), id, protocol)
	if f.SecurityDefaults == crossprem.AnswerUnknown && len(p.access) > 0 {
		f.SecurityDefaults = crossprem.No // the two cannot be used together
	}
	return f
}

func (p *Policies) conditionalAccess(names []string, id string, protocol Protocol) crossprem.Answer {
	answer := crossprem.No
	if !p.accessKnown {
		answer = crossprem.AnswerUnknown
		if p.securityDefaults == crossprem.Yes {
			answer = crossprem.No // the two cannot be used together
		}
	}
	for i := range p.access {
		switch p.access[i].blocks(names, id, protocol) {
		case crossprem.Yes:
			return crossprem.Yes
		case crossprem.AnswerUnknown:
			answer = crossprem.AnswerUnknown
		}
	}
	return answer
}

// person returns who has the name, and all names of it; nil if nobody has, or
// several persons. One person may have been printed more than once, by other
// commands or with other properties: two objects are of one person if they share
// a name that is one person's alone, such as an address or an object id.
func (s *side) person(list []person, name string) (*person, []string) {
	var match *person
	for i := range list {
		if !slices.Contains(list[i].names, strings.ToLower(name)) {
			continue
		}
		if match == nil {
			one := list[i]
			one.names, one.switches = slices.Clone(one.names), maps.Clone(one.switches)
			match = &one
			continue
		}
		if !slices.Equal(match.names, list[i].names) && !slices.ContainsFunc(list[i].names, func(n string) bool { return unique(n) && slices.Contains(match.names, n) }) {
			return nil, nil
		}
		match.merge(&list[i])
	}
	if match == nil {
		return nil, nil
	}
	return match, match.names
}

// linked returns the one of list that shares a name with p other than what is
// displayed; nil if none does, or several.
func (s *side) linked(list []person, p *person) (*person, []string) {
	var match *person
	for i := range list {
		if !slices.ContainsFunc(list[i].linking, func(n string) bool { return slices.Contains(p.linking, n) }) {
			continue
		}
		if match != nil {
			return nil, nil
		}
		match = &list[i]
	}
	if match == nil {
		return nil, nil
	}
	return match, slices.Clone(match.names)
}

// unique reports whether a name can be only one person's.
func unique(name string) bool {
	return strings.Contains(name, "@") || strings.HasPrefix(name, "cn=") || objectID.MatchString(name)
}

// merge adds to p what another object tells of the same person. Where the two
// contradict each other, it is not known.
func (p *person) merge(other *person) {
	for _, n := range other.names {
		if !slices.Contains(p.names, n) {
			p.names = append(p.names, n)
		}
	}
	for _, n := range other.linking {
		if !slices.Contains(p.linking, n) {
			p.linking = append(slices.Clip(p.linking), n)
		}
	}
	for name, value := range other.switches {
		if have, ok := p.switches[name]; ok && have != value {
			value = SwitchUnknown
		}
		p.switches[name] = value
	}
	p.kind, p.objectID = cmp.Or(p.kind, other.kind), cmp.Or(p.objectID, other.objectID)
	switch {
	case other.policy == nil:
	case p.policy == nil && !p.disputed:
		p.policy = other.policy
	case p.policy != nil && *p.policy != *other.policy:
		p.policy, p.disputed = nil, true
	}
}

// assignment returns the policy that a reference names.
func (s *side) assignment(ref reference) Assignment {
	if ref == "" {
		return NoPolicy()
	}
	a := Assignment{Assigned: crossprem.Yes, Name: commonName(string(ref))}
	for i := range s.policies {
		if slices.Contains(s.policies[i].names, string(ref)) || slices.Contains(s.policies[i].names, strings.ToLower(commonName(string(ref)))) {
			if a.Policy == nil {
				a.Policy, a.Name = &s.policies[i].Policy, s.policies[i].Name
				continue
			}
			// The policy was printed twice: what the two do not agree on is not known.
			both := Policy{Name: a.Name, Switches: maps.Clone(a.Policy.Switches), Partial: true}
			for name, value := range s.policies[i].Switches {
				if have, ok := both.Switches[name]; ok && have != value {
					value = SwitchUnknown
				}
				both.Switches[name] = value
			}
			a.Policy = &both
		}
	}
	return a
}

// activeSync says whether the devices of a user speak 16.1; where they differ
// it is not known.
func (s *side) activeSync(names []string) crossprem.Answer {
	answer, first := crossprem.AnswerUnknown, true
	for _, d := range s.devices {
		if !slices.ContainsFunc(names, func(n string) bool {
			return n != "" && (d.person == n || strings.Contains(d.person, "/"+n+"/") || strings.HasPrefix(d.person, n+"\\"))
		}) {
			continue
		}
		if !first && d.eas16 != answer {
			return crossprem.AnswerUnknown
		}
		answer, first = d.eas16, false
	}
	return answer
}

// hosting finds out where the mailbox of a user is.
func (p *Policies) hosting(user string) Hosting {
	inCloud := p.cloud.knows(user)
	here := p.onPremises.knows(user)
	switch {
	case inCloud == "" && here == "" && p.cloud.any && !p.onPremises.any:
		return ExchangeOnline
	case inCloud == "" && here == "" && !p.cloud.any && p.onPremises.any:
		return OnPremises
	case strings.HasPrefix(here, "remote"), inCloud == "mailbox" && here == "":
		return ExchangeOnline
	case inCloud == "mailuser" || inCloud == "guestmailuser", here == "mailbox" && inCloud == "":
		return OnPremises
	case inCloud == "mailbox" && here == "user":
		return ExchangeOnline
	case here == "mailbox" && inCloud == "user":
		return OnPremises
	case inCloud == "user" && here == "" && !p.onPremises.any:
		return ExchangeOnline
	case here == "user" && inCloud == "" && !p.cloud.any:
		return OnPremises
	}
	return HostingUnknown
}

// knows returns how a side knows a user: "mailbox", "user", the recipient type
// of a user who has no mailbox there, or "".
func (s *side) knows(user string) string {
	who, _ := s.person(s.users, user)
	box, _ := s.person(s.mailboxes, user)
	kind := ""
	if who != nil {
		kind = strings.ToLower(who.kind)
	}
	switch {
	case strings.HasPrefix(kind, "remote"), strings.HasSuffix(kind, "mailuser"):
		return kind
	case box != nil, strings.HasSuffix(kind, "mailbox"):
		return "mailbox"
	case who != nil:
		return "user"
	}
	return ""
}
