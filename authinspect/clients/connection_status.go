package clients

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Method is how a connection of Outlook signed in. In text and JSON it is
// one of "unknown", "modern", "basic", "windows", "certificate", "none" and
// "error".
type Method uint8

const (
	MethodUnknown     Method = iota // not shown, or a word that is not known
	MethodModern                    // a token: Bearer
	MethodBasic                     // a password: Clear
	MethodWindows                   // NTLM, Negotiate or Kerberos
	MethodCertificate               // a client certificate
	MethodNone                      // Anonymous
	MethodError                     // the connection failed
)

var methodTexts = enum.Of[Method]("clients: method", "unknown", "modern", "basic", "windows", "certificate", "none", "error")

// String returns a text such as "modern".
func (m Method) String() string { return methodTexts.String(m) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (m Method) MarshalText() ([]byte, error) { return methodTexts.Marshal(m) }

// UnmarshalText accepts what MarshalText gives.
func (m *Method) UnmarshalText(text []byte) error { return methodTexts.Unmarshal(m, text) }

// A Connection is one row of Outlook's dialog Connection Status.
type Connection struct {
	Cells    []string `json:"cells"`              // as pasted, in their order
	Protocol string   `json:"protocol,omitempty"` // "HTTP" is MAPI over HTTP, "RPC/HTTP" Outlook Anywhere; "" if not shown
	Authn    string   `json:"authn,omitempty"`    // as shown, the star included: "Bearer*", "Clear [Anonymous]"
	Method   Method   `json:"method"`             // what Authn means
	Encrypt  string   `json:"encrypt,omitempty"`  // "SSL", "Yes", "No", "SSL [No]"; "" if not shown
}

// The words of the column Authn. A star may follow; no document says what it
// means. Brackets hold the inner method of Outlook Anywhere; the outer one is
// what carries a password. Source: Description of the Connection Status dialog
// box in Outlook (Microsoft support, KB2737188).
var authnWords = []struct {
	re     *regexp.Regexp
	method Method
}{
	{regexp.MustCompile(`(?i)^\*?bearer ?\*?( ?\[[^\]]*\])?$`), MethodModern},
	{regexp.MustCompile(`(?i)^\*?(clear|basic) ?\*?( ?\[[^\]]*\])?$`), MethodBasic},
	{regexp.MustCompile(`(?i)^\*?(ntlm|nego(tiate)?|kerberos|autologon) ?\*?( ?\[[^\]]*\])?$`), MethodWindows},
	{regexp.MustCompile(`(?i)^\*?cert(ificate)? ?\*?$`), MethodCertificate},
	{regexp.MustCompile(`(?i)^\*?anonymous ?\*?( ?\[[^\]]*\])?$`), MethodNone},
	{regexp.MustCompile(`(?i)^error\b.*$`), MethodError},
}

var (
	protocolWord = regexp.MustCompile(`(?i)^(HTTP|RPC/HTTP|RPC/TCP|TCP/IP|MAPI/HTTP|EWS|Web service|Web services)$`)
	encryptWord  = regexp.MustCompile(`(?i)^(SSL|TLS|Yes|No)( ?\[(Yes|No|SSL)\])?$`)

	cellBorder = regexp.MustCompile(`\t+|\s{2,}|\s*[|;]\s*|(?:<[^<>]{1,200}>\s*)+`)
	cellLabel  = regexp.MustCompile(`^[\pL ]{2,30}[:=]\s*`)
)

const (
	maxStatusText = 1 << 20
	maxStatusRows = 10_000
)

// ErrNoConnection reports that a text holds no row of the dialog.
var ErrNoConnection = errors.New("clients: no row of the connection status was found")

// ParseConnectionStatus reads rows that were copied or typed from Outlook's
// dialog Connection Status (Ctrl and right click on the icon in the
// notification area). Cells are apart by tabs, by two or more blanks, by bars,
// commas or the tags of a web page, and may have a label such as "Authn:" in
// front; where columns are apart by single blanks, a method right behind a
// protocol is looked for. Titles may be in any language: columns are known by what stands in
// them. A row that shows no method, as those of IMAP and POP accounts, is kept
// with MethodUnknown if it has a protocol.
//
// It returns [ErrNoConnection] if there is no row, and an error for more than
// 1 MiB of text.
func ParseConnectionStatus(text string) ([]Connection, error) {
	if len(text) > maxStatusText {
		return nil, fmt.Errorf("clients: the text has %d bytes; at most %d are read", len(text), maxStatusText)
	}
	var rows []Connection
	for line := range strings.Lines(text) {
		if len(rows) == maxStatusRows {
			break
		}
		line = strings.Map(func(r rune) rune {
			if r == '\u200b' || r == '\ufeff' { // of no width
				return -1
			}
			if r == '\u00a0' || r == '\u3000' || r == '\u202f' { // blanks that do not break
				return ' '
			}
			return r
		}, strings.TrimRight(line, "\r\n"))
		line = strings.TrimSpace(strings.TrimLeft(line, "> "))
		if line == "" {
			continue
		}
		if c, ok := connection(line); ok {
			rows = append(rows, c)
		}
	}
	if len(rows) == 0 {
		return nil, ErrNoConnection
	}
	return rows, nil
}

func connection(line string) (Connection, bool) {
	cells := cellBorder.Split(strings.Trim(line, "|; \t"), -1)
	c := Connection{Cells: cells}
	c.take(cells)
	if c.Method == MethodUnknown && len(cells) == 1 && strings.Contains(line, ",") {
		cells = strings.Split(line, ",")
		c = Connection{Cells: cells}
		c.take(cells)
	}
	if c.Method == MethodUnknown { // apart by single blanks, some columns at least
		words := withBrackets(strings.Fields(line))
		if byWords, ok := connectionOfWords(words); ok {
			return byWords, true
		}
	}
	return c, c.Method != MethodUnknown || c.Protocol != "" && len(c.Cells) > 1
}

// connectionOfWords looks for a method right behind a protocol, as the columns
// stand: in a sentence such words stand apart.
func connectionOfWords(words []string) (Connection, bool) {
	for i := len(words) - 1; i > 0; i-- {
		if !protocolWord.MatchString(words[i-1]) {
			continue
		}
		c := Connection{Cells: words}
		c.take(words[i-1:])
		// "HTTP error" may be said of anything.
		if pair := (Connection{}); c.Method != MethodUnknown && (c.Method != MethodError || c.Encrypt != "") {
			pair.take(words[i : i+1])
			if pair.Method == c.Method {
				return c, true
			}
		}
	}
	return Connection{}, false
}

// take fills c from cells. The last cell that is a method counts, for the name
// of a server or an account in front may be such a word; an error anywhere in
// a cell of its own counts only if no method does.
func (c *Connection) take(cells []string) {
	for _, cell := range slices.Backward(cells) {
		cell = strings.Trim(cell, "\" \t")
		if label := cellLabel.FindString(cell); label != "" {
			cell = strings.TrimSpace(cell[len(label):])
		}
		for _, w := range authnWords {
			if w.re.MatchString(cell) && (c.Method == MethodUnknown || c.Method == MethodError && w.method != MethodError) {
				c.Method, c.Authn = w.method, cell
			}
		}
		if c.Protocol == "" && protocolWord.MatchString(cell) {
			c.Protocol = cell
		}
		if c.Encrypt == "" && encryptWord.MatchString(cell) {
			c.Encrypt = cell
		}
	}
}

// withBrackets puts "Clear" and "[Anonymous]" together.
func withBrackets(words []string) []string {
	var out []string
	for _, w := range words {
		if len(out) > 0 && strings.HasPrefix(w, "[") {
			out[len(out)-1] += " " + w
			continue
		}
		out = append(out, strings.TrimFunc(w, func(r rune) bool { return r == ',' || unicode.IsControl(r) }))
	}
	return out
}
