package hybridoauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A Kind is a kind of object, named after the noun of the cmdlet that prints
// it, such as "AuthServer" or "IntraOrganizationConnector"; those of Microsoft
// Graph are "Application", "ServicePrincipal" and "AppRoleAssignment", and what
// Test-OAuthConnectivity prints is "Test-OAuthConnectivity".
type Kind = exchange.Kind

// A Side is where an object lives: [OnPremises], [ExchangeOnline] or [Entra].
type Side = exchange.Side

// The sides.
const (
	OnPremises     = exchange.OnPremises
	ExchangeOnline = exchange.ExchangeOnline
	Entra          = exchange.Entra
)

// A Configuration is what was captured of one organization: objects of its
// Exchange servers, of Exchange Online and of Entra ID. It is a plain value;
// tests may write it as a literal. The zero value knows nothing, and every
// rule about it is unknown.
type Configuration struct {
	// Context is what the capture does not tell.
	Context Context `json:"context,omitzero"`

	// Objects are the captured objects, in the order in which they were read.
	Objects []Object `json:"objects,omitempty"`

	// Listed names the listings that were captured whole: what is not among
	// Objects then does not exist. Objects of kinds that are not listed may
	// have brothers that nobody captured.
	Listed []Listing `json:"listed,omitempty"`

	// Texts are what is no object: error messages, events, pages of the
	// wizard, and the objects that no kind fits, for [ExplainError].
	Texts []Text `json:"texts,omitempty"`

	// Tokens are the captured tokens, explained; see [ExplainToken].
	Tokens []Token `json:"tokens,omitempty"`
}

// A Listing is the whole output of one command.
type Listing struct {
	Kind Kind `json:"kind"`
	Side Side `json:"side"`
}

// A Text is a text, and the name of the input that held it.
type Text struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
}

// A Context is what is known of an organization beside what was captured.
// Every field may be zero, for unknown.
type Context struct {
	// Now is the day to judge for, for programs that were given none.
	Now time.Time `json:"now,omitzero"`

	// Cloud is the cloud of the tenant. If unknown, it is taken from the
	// addresses and domains in the capture, where they agree.
	Cloud crossprem.Cloud `json:"cloud,omitzero"`

	TenantID           string   `json:"tenantId,omitempty"`
	ServiceDomain      string   `json:"serviceDomain,omitempty"` // contoso.mail.onmicrosoft.com
	OnPremDomain       string   `json:"onPremDomain,omitempty"`  // contoso.com
	DedicatedAppID     string   `json:"dedicatedAppId,omitempty"`
	Hosts              []string `json:"hosts,omitempty"` // published names of the Exchange servers
	CurrentThumbprint  string   `json:"currentThumbprint,omitempty"`
	NextThumbprint     string   `json:"nextThumbprint,omitempty"`
	PreviousThumbprint string   `json:"previousThumbprint,omitempty"`
}

// An Object is one object that was captured.
type Object struct {
	Kind       Kind             `json:"kind"`
	Side       Side             `json:"side"`
	Properties map[string]Value `json:"properties"`
}

// Get returns a property, and the zero Value, which is unknown, if it was not
// captured. Case matters only where two names differ in nothing else.
func (o Object) Get(name string) Value {
	if v, ok := o.Properties[name]; ok {
		return v
	}
	for have, v := range o.Properties {
		if strings.EqualFold(have, name) {
			return v
		}
	}
	return Value{}
}

// A Value is the value of a property as far as the capture shows it. The zero
// Value is unknown: it was not captured. In JSON it is a string, a list, an
// object, null for a value that is known to be empty, and {"$unknown": why}.
type Value struct {
	known  bool
	why    string // of a value that is not known: "", "cut", "unreadable"
	text   string
	list   []Value // of a list, not nil
	fields map[string]Value
}

// String returns a known text. The empty one stands for null as well.
func String(text string) Value { return Value{known: true, text: text} }

// Bool returns a known True or False.
func Bool(yes bool) Value {
	if yes {
		return String("True")
	}
	return String("False")
}

// Time returns a known time.
func Time(t time.Time) Value { return String(t.UTC().Format(time.RFC3339)) }

// Strings returns a known list of texts.
func Strings(texts ...string) Value {
	list := make([]Value, 0, len(texts))
	for _, t := range texts {
		list = append(list, String(t))
	}
	return List(list...)
}

// List returns a known list.
func List(values ...Value) Value {
	if values == nil {
		values = []Value{}
	}
	return Value{known: true, list: values}
}

// Fields returns a known value that has properties of its own, such as a key
// credential.
func Fields(fields map[string]Value) Value {
	if fields == nil {
		fields = map[string]Value{}
	}
	return Value{known: true, fields: fields}
}

// CutList returns a list of which the capture shows only the beginning.
func CutList(texts ...string) Value {
	v := Strings(texts...)
	v.known, v.why = false, "cut"
	return v
}

// Unreadable returns a value that was captured, but not in a form that can be
// read: a number that stands for a name, a date of an unknown order.
func Unreadable(text string) Value { return Value{why: "unreadable", text: text} }

// IsKnown reports whether the value was captured whole.
func (v Value) IsKnown() bool { return v.known }

// Text returns the value as one line: a list as its elements joined by ", ".
func (v Value) Text() string {
	if v.list == nil {
		return v.text
	}
	return strings.Join(v.Texts(), ", ")
}

// Texts returns the elements of a list; of a list that was cut, those that are
// shown; of a text its parts between commas; of an empty one none.
func (v Value) Texts() []string {
	var texts []string
	if v.list == nil {
		for part := range strings.SplitSeq(v.text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				texts = append(texts, part)
			}
		}
		return texts
	}
	for _, e := range v.list {
		texts = append(texts, e.text)
	}
	return texts
}

// isEmpty reports whether the value is known to be null, "" or an empty list.
func (v Value) isEmpty() bool {
	return v.known && strings.TrimSpace(v.text) == "" && len(v.list) == 0 && v.fields == nil
}

// yes returns what a True or False says.
func (v Value) yes() crossprem.Answer {
	switch text := v.scalar(); {
	case !v.known:
		return crossprem.AnswerUnknown
	case strings.EqualFold(text, "true"):
		return crossprem.Yes
	case strings.EqualFold(text, "false"):
		return crossprem.No
	}
	return crossprem.AnswerUnknown
}

// scalar returns the text, or that of the one element of a list.
func (v Value) scalar() string {
	if len(v.list) == 1 {
		return strings.TrimSpace(v.list[0].text)
	}
	return strings.TrimSpace(v.text)
}

// time returns the time of a known value.
func (v Value) time() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, v.scalar())
	return t.UTC(), err == nil && v.known
}

// missing says why a value is not known, as the end of a sentence.
func (v Value) missing(property string) string {
	switch v.why {
	case "cut":
		return "the list in " + property + " was cut; capture it with $FormatEnumerationLimit = -1, as JSON or as CLIXML"
	case "unreadable":
		return property + " was captured in a form that cannot be read"
	}
	return "the capture does not show " + property
}

// MarshalJSON writes the forms that [Value] names.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case !v.known:
		out := map[string]any{"$unknown": v.why}
		if v.list != nil {
			out["list"] = v.list
		} else if v.text != "" {
			out["text"] = v.text
		}
		return json.Marshal(out)
	case v.list != nil:
		return json.Marshal(v.list)
	case v.fields != nil:
		return json.Marshal(v.fields)
	}
	return json.Marshal(v.text)
}

// UnmarshalJSON reads what MarshalJSON writes, and numbers, booleans and null
// as PowerShell's JSON has them.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return errors.New("hybridoauth: an empty value")
	}
	*v = Value{known: true}
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &v.text)
	case '[':
		return json.Unmarshal(b, &v.list)
	case 't':
		*v = Bool(true)
	case 'f':
		*v = Bool(false)
	case 'n':
	case '{':
		var unknown struct {
			Why  *string `json:"$unknown"`
			Text string  `json:"text"`
			List []Value `json:"list"`
		}
		if err := json.Unmarshal(b, &unknown); err == nil && unknown.Why != nil {
			*v = Value{why: *unknown.Why, text: unknown.Text, list: unknown.List}
			return nil
		}
		return json.Unmarshal(b, &v.fields)
	default:
		v.text = string(b)
	}
	return nil
}

// Join adds what other captured to c, for inputs that were read one by one.
// Of the context, what c does not know is taken from other.
func (c *Configuration) Join(other Configuration) {
	c.Objects = append(c.Objects, other.Objects...)
	c.Texts = append(c.Texts, other.Texts...)
	c.Tokens = append(c.Tokens, other.Tokens...)
	for _, l := range other.Listed {
		if !slices.Contains(c.Listed, l) {
			c.Listed = append(c.Listed, l)
		}
	}
	c.Context = c.Context.or(other.Context)
}

// or returns c with the fields of other where its own are zero.
func (c Context) or(other Context) Context {
	if c.Now.IsZero() {
		c.Now = other.Now
	}
	if c.Cloud == crossprem.CloudUnknown {
		c.Cloud = other.Cloud
	}
	for _, f := range []struct{ to, from *string }{
		{&c.TenantID, &other.TenantID}, {&c.ServiceDomain, &other.ServiceDomain}, {&c.OnPremDomain, &other.OnPremDomain},
		{&c.DedicatedAppID, &other.DedicatedAppID}, {&c.CurrentThumbprint, &other.CurrentThumbprint},
		{&c.NextThumbprint, &other.NextThumbprint}, {&c.PreviousThumbprint, &other.PreviousThumbprint},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	if len(c.Hosts) == 0 {
		c.Hosts = other.Hosts
	}
	return c
}

// name is how the object is called in a finding.
func (o Object) name() string {
	order := []string{"Name", "Identity"}
	switch o.Kind {
	case exchange.Certificate:
		order = []string{"Thumbprint"}
	case exchange.Application, exchange.ServicePrincipal:
		order = []string{"displayName", "appId", "id"}
	case exchange.AppRoleAssignment:
		order = []string{"principalDisplayName", "principalId"}
	case exchange.ConnectivityTest:
		order = []string{"Task"}
	case exchange.ManagementRoleAssignment:
		order = []string{"Role"}
	case exchange.WebServicesVirtualDirectory, exchange.AutodiscoverVirtualDirectory, exchange.MapiVirtualDirectory,
		exchange.OabVirtualDirectory, exchange.ActiveSyncVirtualDirectory, exchange.OutlookAnywhere:
		order = []string{"Identity", "Server", "Name"}
	}
	for _, p := range order {
		if name := o.Get(p).scalar(); name != "" {
			return clean(name)
		}
	}
	return string(o.Kind)
}

// clean makes a stranger's text fit to be shown: one line, without control
// characters, not endless, and without what looks like a token.
func clean(text string) string {
	text = tokenLike.ReplaceAllString(text, "eyJ…")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	}), " ")
	const most = 300
	if len(text) > most {
		cut := most
		for cut > 0 && text[cut]&0xc0 == 0x80 {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// UnmarshalJSON reads a context as programs write it, with "global" and the
// other short names of clouds, and "now" as time or day.
func (c *Context) UnmarshalJSON(b []byte) error {
	type plain Context
	read := struct {
		*plain
		Now string `json:"now"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if read.Now == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, read.Now)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, read.Now); err != nil {
			return fmt.Errorf("hybridoauth: context: now is %.40q, which is no time", read.Now)
		}
	}
	c.Now = t.UTC()
	return nil
}
