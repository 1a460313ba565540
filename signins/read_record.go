package signins

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins/internal/intern"
	"github.com/crossprem/crossprem/signins/internal/scan"
)

// otherCategory stands for the categories of other logs.
const otherCategory Category = 255

var errNotSignIn = errors.New("not a sign-in record")

// A parser reads records of any format, and remembers what they look like.
type parser struct {
	rec    SignIn
	seen   Fields
	nulls  Fields // were null, or empty cells: objects have such members for what was not asked for
	lost   Fields // stood there, but not in a form that can be read
	known  Fields // what the records of this page can know, where it says so
	format Format // of this page or table, where it says so

	code    int64
	hasCode bool
	guest   crossprem.Answer
	managed crossprem.Answer
	kind    uint8 // unified audit's RecordType
	tables  *Tables
	method  bool // the first authentication method has been seen
	detail  bool
	actor   string
	other   [otherTexts]string
	late    [lateSlots]late
	enum    seenEnum // the value just read, if raw is set

	record  *node   // the root of records
	noLists bool    // do not look into unwanted lists
	columns []*node // of the table being read; nil for those that nobody wants
	memory  int
	scratch []byte
	copied  intern.Copier // texts that come once
	named   intern.Copier // texts that come again
}

// A late is a value kept aside in case that it is needed.
type late struct {
	text []byte
	raw  bool // with quotes and escapes
}

// The sizes of the pieces that texts are copied into. A kept SignIn keeps two
// pieces at most of texts that come once, and one for each text that comes
// again, as a node does: so the latter are small.
const (
	copiedPiece = 8 << 10
	namedPiece  = 2 * maxLast
)

func newParser() *parser {
	p := &parser{copied: intern.Copier{Size: copiedPiece}, named: intern.Copier{Size: namedPiece}}
	p.forget()
	return p
}

// forget drops everything remembered of earlier records.
func (p *parser) forget() {
	p.memory = 0
	p.record = p.newNode("", want{members: recordMembers})
}

// reset prepares for the next record.
func (p *parser) reset() {
	if p.memory > maxMemory {
		p.forget()
	}
	p.rec = SignIn{}
	p.seen, p.nulls, p.lost = 0, 0, 0
	p.code, p.hasCode = 0, false
	p.guest, p.managed, p.kind = crossprem.AnswerUnknown, crossprem.AnswerUnknown, 0
	p.method, p.detail = false, false
	p.actor = ""
	p.other = [len(p.other)]string{}
	p.late = [lateSlots]late{}
	p.scratch = p.scratch[:0]
}

// dst returns where the text of w is put.
func (p *parser) dst(w want) *string {
	if w.slot == slotText {
		return w.place(&p.rec)
	}
	return &p.other[w.slot-firstOther]
}

func (p *parser) otherText(s slot) string { return p.other[s-firstOther] }

// keep returns text as a string: one that n had before, or a copy.
func (p *parser) keep(n *node, text []byte) string {
	switch {
	case len(text) == 0:
		return ""
	case n.once:
		if string(text) == *n.dst {
			return *n.dst
		}
		return p.copied.Copy(text)
	case len(text) > maxLast:
		return p.copied.Copy(text)
	case n.names == nil:
		n.names = make([]seenName, namesKept)
		p.memory += 24 * namesKept
	}
	h := hashOf(text)
	e := &n.names[h>>32%namesKept]
	switch {
	case e.hash != h:
		*e = seenName{hash: h}
	case e.text == string(text):
		return e.text
	case e.text == "":
		e.text = p.named.Copy(text)
		return e.text
	}
	return p.copied.Copy(text)
}

func hashOf(b []byte) uint64 {
	const k = 0x9e3779b97f4a7c15
	var head, tail uint64
	if n := len(b); n >= 8 {
		head, tail = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	} else {
		for _, c := range b {
			head = head<<8 | uint64(c)
		}
	}
	hi, lo := bits.Mul64(head^k, tail^uint64(len(b))^k>>1)
	return hi ^ lo
}

// setText takes the text of a string, or of a cell, as the value of n.
// The text need not outlive the call, unless n is a fallback.
func (p *parser) setText(n *node, text []byte) error {
	switch {
	case n.dst != nil:
		if !utf8.Valid(text) {
			text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
		}
		*n.dst = p.keep(n, text)
	case n.slot.isLate():
		p.late[n.slot-firstLate] = late{text, false}
	case n.members != nil:
		open := byte('{')
		if n.array {
			open = '['
		}
		if len(text) > 0 && text[0] == open {
			return p.inner(n, text)
		}
		if len(text) > 0 { // the name of a type, or "@{…}", where PowerShell cuts
			p.lost |= n.fields
		}
	case n.slot.isRaw() && n.slot != slotEventTypes:
		if json.Valid(text) {
			p.setRaw(n, text)
		}
	case n.slot == slotTime:
		p.setTime(text)
	case n.slot == slotErrorCode:
		if code, err := strconv.ParseInt(string(text), 10, 32); err == nil {
			p.setCode(code)
		}
	case n.slot == slotLocation:
		if isTypeName(text) {
			p.lost |= n.fields
			return nil
		}
		p.setLocation(p.keep(n, text))
	case n.slot == slotStatus:
		p.newCode(n, uint8(resultOf(string(text))), "")
	case n.slot == slotCategory:
		c, ok := categories[strings.ToLower(string(text))]
		if !ok && len(text) > 0 {
			c = otherCategory
		}
		p.newCode(n, uint8(c), "")
	case n.slot == slotEventTypes:
		p.newCode(n, uint8(eventCategory(text)), "")
	case n.slot == slotConditionalAccess:
		p.newCode(n, uint8(conditionalAccessOf(string(text))), "")
	case n.slot == slotMethod:
		p.newCode(n, uint8(methodOf(text)), string(text))
	case n.slot == slotMethodDetail:
		p.newCode(n, 0, string(text))
	case n.slot == slotAutonomousSystemNumber:
		p.setNumber(n, text)
	case n.slot == slotInteractive || n.slot == slotGuest || n.slot == slotIsManagedIdentity:
		switch strings.ToLower(string(text)) {
		case "true", "yes", "1":
			p.newCode(n, uint8(crossprem.Yes), "")
		case "false", "no", "0":
			p.newCode(n, uint8(crossprem.No), "")
		}
	case n.slot == slotRecordType:
		if string(text) == "AzureActiveDirectoryStsLogon" {
			p.newCode(n, stsLogon, "")
		} else {
			p.setNumber(n, text)
		}
	}
	return nil
}

// isTypeName reports whether text is what PowerShell writes in place of an
// object that lies too deep, or in the cell of a table: the name of its type.
func isTypeName(text []byte) bool {
	return bytes.IndexByte(text, '.') > 0 && bytes.IndexByte(text, ',') < 0 &&
		(hasPrefix(text, "Microsoft.") || hasPrefix(text, "System.")) || hasPrefix(text, "@{")
}

// setOther takes an object or array where something else is expected. Windows
// PowerShell wraps what it has added members to: {"value":"…","PSPath":"…"}.
func (p *parser) setOther(n *node, raw []byte) {
	var wrapped struct{ Value any }
	if raw[0] == '{' && n.slot != slotSkip && n.slot != slotContainer && n.members == nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if json.Valid(raw) && d.Decode(&wrapped) == nil {
			switch v := wrapped.Value.(type) {
			case string:
				if p.setText(n, []byte(v)) == nil {
					return
				}
			case json.Number:
				p.setNumber(n, []byte(v))
				return
			case bool:
				p.setWord(n, v)
				return
			}
		}
	}
	p.lost |= n.fields
}

// stsLogon is unified audit's record type of sign-ins, AzureActiveDirectoryStsLogon.
const stsLogon = 15

// newCode takes code, and the text for which it stands, as the value of n.
func (p *parser) newCode(n *node, code uint8, text string) {
	p.enum = seenEnum{raw: "?", text: text, code: code}
	p.setEnum(n.slot, &p.enum)
}

// setEnum takes e as the value of s.
func (p *parser) setEnum(s slot, e *seenEnum) {
	switch s {
	case slotCategory, slotEventTypes:
		p.rec.Category = Category(e.code)
	case slotConditionalAccess:
		p.rec.ConditionalAccess = ConditionalAccess(e.code)
	case slotInteractive:
		p.rec.Interactive = crossprem.Answer(e.code)
	case slotMethod:
		if !p.method {
			p.method = true
			p.rec.AuthenticationMethod = e.text
		}
		p.rec.Methods |= Methods(e.code)
	case slotMethodDetail:
		if !p.detail {
			p.detail = true
			p.rec.AuthenticationMethodDetail = e.text
		}
	case slotGuest:
		p.guest = crossprem.Answer(e.code)
	case slotIsManagedIdentity:
		p.managed = crossprem.Answer(e.code)
	case slotStatus:
		p.rec.Result = Result(e.code)
	case slotRecordType:
		p.kind = e.code
	}
}

func (p *parser) setCode(code int64) { p.code, p.hasCode = code, true }

func (p *parser) setTime(text []byte) {
	if t, ok := parseTime(text); ok {
		p.rec.Time = t
	}
}

// setLocation takes "City, State, CC".
func (p *parser) setLocation(text string) {
	if k := strings.LastIndex(text, ", "); k >= 0 {
		p.rec.State, text = text[:k], text[k+2:]
	}
	p.rec.CountryOrRegion = text
	if k := strings.LastIndex(p.rec.State, ", "); k >= 0 {
		p.rec.City, p.rec.State = p.rec.State[:k], p.rec.State[k+2:]
	}
}

// setNumber takes a number, as written, as the value of n.
func (p *parser) setNumber(n *node, text []byte) {
	switch {
	case n.dst != nil:
		*n.dst = p.keep(n, text)
	case n.slot == slotErrorCode:
		if code, err := strconv.ParseInt(string(text), 10, 32); err == nil {
			p.setCode(code)
		}
	case n.slot == slotAutonomousSystemNumber:
		if as, err := strconv.ParseUint(string(text), 10, 32); err == nil {
			p.rec.AutonomousSystemNumber = uint32(as)
		}
	case n.slot == slotRecordType:
		kind, err := strconv.ParseUint(string(text), 10, 8)
		if err != nil || kind > 255 {
			kind = 0
		}
		p.newCode(n, uint8(kind), "")
	case len(text) != 1:
	case n.slot == slotConditionalAccess && text[0] <= '2':
		p.newCode(n, uint8(ConditionalAccessSuccess)+text[0]-'0', "")
	case n.slot.isEnum() && text[0] <= '1':
		p.setWord(n, text[0] == '1')
	}
}

// setWord takes true or false as the value of n.
func (p *parser) setWord(n *node, yes bool) {
	switch {
	case n.dst != nil:
		*n.dst = strconv.FormatBool(yes)
	case n.slot == slotInteractive || n.slot == slotGuest || n.slot == slotIsManagedIdentity:
		e := crossprem.No
		if yes {
			e = crossprem.Yes
		}
		p.newCode(n, uint8(e), "")
	}
}

// A property is an entry of unified audit's lists.
type property struct {
	Name, Value any
	ID          any
}

// setRaw takes valid JSON, which need not have the shape that is expected.
func (p *parser) setRaw(n *node, raw []byte) {
	if n.slot == slotEventTypes {
		p.newCode(n, uint8(eventCategory(raw)), "")
		return
	}
	var list []property
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, e := range list {
		name, _ := e.Name.(string)
		value, _ := e.Value.(string)
		switch {
		case n.slot == slotActor:
			if id, _ := e.ID.(string); strings.Contains(id, "@") {
				p.actor = id
			}
		case name == "UserAgent":
			p.rec.UserAgent = value
		case name == "RequestType":
			p.rec.RequestType = value
		case name == "OS":
			p.rec.OperatingSystem = value
		case name == "BrowserType":
			p.rec.Browser = value
		}
	}
}

// eventCategory returns the category that a JSON list of signInEventTypes
// stands for.
func eventCategory(raw []byte) Category {
	var list []any
	if json.Unmarshal(raw, &list) != nil {
		for _, name := range bytes.FieldsFunc(raw, func(r rune) bool { return r == ' ' || r == ',' }) { // a list that became text
			list = append(list, string(name))
		}
	}
	has := func(name string) bool { return slices.ContainsFunc(list, func(v any) bool { return v == any(name) }) }
	switch {
	case has("managedIdentity"):
		return ManagedIdentity
	case has("servicePrincipal"):
		return ServicePrincipal
	case has("nonInteractiveUser"):
		return NonInteractiveUser
	case has("interactiveUser"):
		return InteractiveUser
	}
	return UnknownCategory
}

func conditionalAccessOf(text string) ConditionalAccess {
	switch strings.ToLower(strings.ReplaceAll(text, " ", "")) {
	case "success", "0":
		return ConditionalAccessSuccess
	case "failure", "1":
		return ConditionalAccessFailure
	case "notapplied", "2":
		return ConditionalAccessNotApplied
	}
	return UnknownConditionalAccess
}

func methodOf(text []byte) Methods {
	switch t := strings.ToLower(string(text)); {
	case t == "":
		return 0
	case t == "password":
		return MethodPassword
	case strings.Contains(t, "x.509") || strings.Contains(t, "certificate"):
		return MethodCertificate
	case strings.HasPrefix(t, "previously satisfied"):
		return MethodPrevious
	}
	return MethodOther
}

func resultOf(text string) Result {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "success", "succeeded":
		return Succeeded
	case "failure", "failed":
		return Failed
	case "interrupted":
		return Interrupted
	}
	return UnknownResult
}

// lateText returns the text of a fallback, or "" if there is none.
func (p *parser) lateText(s slot) (text []byte, err error) {
	l := p.late[s-firstLate]
	if !l.raw {
		return l.text, nil
	}
	if len(l.text) == 0 {
		return nil, nil
	}
	switch c := l.text[0]; {
	case c == '"':
		start := len(p.scratch)
		p.scratch, _, err = scan.Unquote(p.scratch, l.text, 1)
		return p.scratch[start:], err
	case scan.IsNumber(l.text):
		return l.text, nil
	}
	return nil, nil
}

// formatOf returns the format of the record: what the page or table says it
// is, or what its members show.
func (p *parser) formatOf() Format {
	shown := UnknownFormat
	switch seen := p.seen; {
	case seen&markUnified != 0:
		shown = UnifiedAudit
	case seen&markDefender != 0:
		shown = Defender
	case seen&markAnalytics != 0:
		shown = LogAnalytics
	case seen&markMonitor != 0:
		shown = AzureMonitor
	case seen&markObject != 0:
		shown = PowerShell
	case seen&markBeta != 0:
		shown = GraphBeta
	case seen&markGraph != 0:
		shown = GraphV1
	}
	switch {
	case p.format == PortalJSON && shown == GraphBeta:
		return PortalJSON
	case (p.format == PortalJSON || p.format == EventHub) && shown == AzureMonitor:
		return EventHub
	case p.format == PortalJSON || p.format == EventHub: // an array may hold anything
		return shown
	case p.format == UnknownFormat:
		return shown
	case p.format == GraphV1 && shown != UnknownFormat, p.format == GraphBeta && shown != UnknownFormat && shown != GraphV1:
		return shown // a page's context is less than what the record shows
	}
	return p.format
}

// finish completes the record when all of it has been read.
func (p *parser) finish() error {
	rec, seen := &p.rec, p.seen
	rec.Format = p.formatOf()

	known := seen
	switch rec.Format {
	case UnknownFormat:
		return errNotSignIn
	case GraphV1:
		known |= graphV1Fields
	case GraphBeta, PortalJSON, AzureMonitor, EventHub:
		known |= graphBetaFields
	case UnifiedAudit, UnifiedAuditCSV:
		known = unifiedFields
	}
	if p.known != 0 { // the page says which
		known = seen & p.known
	}
	if rec.Format == PowerShell {
		known &^= p.nulls
	}
	if seen&markCut != 0 {
		known &^= FieldMethods
	}
	known &^= p.lost

	if rec.Category == otherCategory {
		return ErrOtherCategory
	}
	if rec.Format == UnifiedAudit || rec.Format == UnifiedAuditCSV {
		if err := p.finishUnified(); err != nil {
			return err
		}
		seen |= unifiedFields
	}
	if seen&signInFields == 0 || seen&(FieldID|FieldTime) == 0 {
		return errNotSignIn
	}
	if err := p.finishLate(); err != nil {
		return err
	}
	known &^= p.lost

	if user := p.otherText(slotUserIDOrName); user != "" && rec.UserID == "" {
		rec.UserID = user
	}
	if id := p.otherText(slotARMOrAppID); id != "" && rec.ResourceID == "" && !strings.HasPrefix(id, "/") {
		rec.ResourceID = id
	}
	if p.guest == crossprem.Yes {
		rec.UserType = "guest"
	} else if p.guest == crossprem.No {
		rec.UserType = "member"
	}
	p.finishCategory()

	rec.ErrorCode = int32(p.code)
	switch {
	case rec.Result != UnknownResult: // said in a word
	case p.hasCode && p.code == 0:
		rec.Result = Succeeded
	case p.hasCode:
		rec.Result = Failed
	}
	if !p.hasCode && rec.Result == Succeeded {
		p.hasCode = true
	}
	if !p.hasCode {
		known &^= FieldErrorCode
	}
	if rec.Result == UnknownResult {
		known &^= FieldResult
	}
	if rec.Time.IsZero() {
		known &^= FieldTime
	}
	if rec.Category == UnknownCategory {
		known &^= FieldCategory
	} else {
		known |= FieldCategory
	}
	rec.Known = known &^ marks
	return nil
}

// finishLate puts in the fallbacks where nothing better was found.
func (p *parser) finishLate() error {
	rec := &p.rec
	if rec.Time.IsZero() {
		t, err := p.lateText(slotLateTime)
		if err != nil {
			return err
		}
		p.setTime(t)
	}
	if !p.hasCode {
		t, err := p.lateText(slotLateCode)
		if err != nil {
			return err
		}
		if code, err := strconv.ParseInt(string(t), 10, 32); err == nil {
			p.setCode(code)
		}
	}
	for _, f := range [...]struct {
		to *string
		s  slot
	}{
		{&rec.FailureReason, slotLateReason},
		{&rec.IPAddress, slotLateIPAddress},
		{&rec.CountryOrRegion, slotLateCountry},
	} {
		if *f.to != "" || p.late[f.s-firstLate].text == nil {
			continue
		}
		t, err := p.lateText(f.s)
		if err != nil {
			return err
		}
		if f.s == slotLateCountry && isTypeName(t) {
			p.lost |= FieldLocation
			continue
		}
		*f.to = p.copied.Copy(bytes.ToValidUTF8(t, []byte("\uFFFD")))
	}
	rec.IPAddress = withoutPort(rec.IPAddress)
	return nil
}

// withoutPort returns the address in addr, which may be "192.0.2.1:443" or
// "[2001:db8::1]:443".
func withoutPort(addr string) string {
	if strings.HasPrefix(addr, "[") {
		if end := strings.IndexByte(addr, ']'); end > 0 {
			return addr[1:end]
		}
	}
	if k := strings.IndexByte(addr, ':'); k >= 0 && k == strings.LastIndexByte(addr, ':') {
		return addr[:k]
	}
	return addr
}

func (p *parser) finishCategory() {
	rec := &p.rec
	switch {
	case p.managed == crossprem.Yes:
		rec.Category = ManagedIdentity
	case rec.Category != UnknownCategory:
	case rec.ServicePrincipalID != "" && rec.UserID == "" && rec.UserPrincipalName == "":
		rec.Category = ServicePrincipal
	case rec.Interactive == crossprem.Yes:
		rec.Category = InteractiveUser
	case rec.Interactive == crossprem.No:
		rec.Category = NonInteractiveUser
	}
	if rec.Interactive == crossprem.AnswerUnknown {
		switch rec.Category {
		case InteractiveUser:
			rec.Interactive = crossprem.Yes
		case NonInteractiveUser, ServicePrincipal, ManagedIdentity, MicrosoftServicePrincipal:
			rec.Interactive = crossprem.No
		}
	}
}

// finishUnified gives unified audit's members their meaning.
// https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
func (p *parser) finishUnified() error {
	rec := &p.rec
	operation := p.otherText(slotOperation)
	if p.kind != stsLogon || operation != "UserLoggedIn" && operation != "UserLoginFailed" {
		return ErrOtherCategory
	}
	rec.UserPrincipalName = p.otherText(slotUserIDOrName)
	if !strings.Contains(rec.UserPrincipalName, "@") && p.actor != "" {
		rec.UserPrincipalName = p.actor // UserId may be "Not Available" or "Unknown"
	}
	p.other[0] = ""
	rec.UserType = "" // a number of another meaning
	if id := p.otherText(slotObjectID); id != "Unknown" {
		rec.ResourceID = id
	}
	rec.Result = resultOf(p.otherText(slotResultStatus))
	if !p.hasCode && rec.FailureReason != "" { // as in records of 2020
		if code, ok := p.tables.orEmbedded().codeNames[strings.ToLower(rec.FailureReason)]; ok {
			p.setCode(int64(code))
		}
	}
	if operation == "UserLoginFailed" || p.hasCode && p.code != 0 {
		rec.Result = Failed // ResultStatus may be "Success" there
	}
	return nil
}
