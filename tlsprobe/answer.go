package tlsprobe

import (
	"bytes"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// The types of records and messages, RFC 8446 §5.1 and §4, RFC 5246 §7.4.
const (
	recordCipherSpec uint8 = 20
	recordAlert      uint8 = 21
	recordHandshake  uint8 = 22
	recordData       uint8 = 23

	messageHelloRequest uint8 = 0
	messageClientHello  uint8 = 1
	messageServerHello  uint8 = 2
	messageCertificate  uint8 = 11
	messageKeyExchange  uint8 = 12
	messageAsksCert     uint8 = 13
	messageHelloDone    uint8 = 14
)

// What a stranger may make us keep.
const (
	maxRecord   = 1<<14 + 2048 // RFC 5246 §6.2.3
	maxAnswer   = 512 << 10    // of a whole first flight, framing included
	maxMessage  = 128 << 10
	maxWarnings = 16
	maxBanner   = 256       // of another protocol
	maxChain    = 256 << 10 // bytes of the list of certificates; crypto/tls has the same limit

	maxCertificates = 1024
)

// A kind tells what the first bytes of a server were.
type kind uint8

const (
	nothing   kind = iota // no byte, or not enough of them
	chosen                // a ServerHello, or HelloRetryRequest
	alerted               // a fatal alert, or warnings and then the end
	foreign               // some other protocol
	malformed             // framed like TLS, and not TLS
)

// An answer is what one server's first flight says. It depends on the bytes
// alone, not on how the network cut them up.
type answer struct {
	kind     kind
	version  Version  // of the ServerHello
	suite    Suite    // of the ServerHello
	group    Group    // of the key share, HelloRetryRequest or ServerKeyExchange
	retry    bool     // it was a HelloRetryRequest
	sentinel Version  // the version that a downgrade sentinel admits to, or 0
	alert    Alert    // if alerted
	protocol string   // if foreign
	certs    [][]byte // of the Certificate message, if read; DER
	certsCut bool     // there were more, beyond a limit
	proof    *proof   // of TLS 1.2: what was signed, if read
	asksCert bool     // there was a CertificateRequest in plain text
	partial  bool     // there were bytes, and the end came in the middle
}

// An answerReader reads a server's first flight piece by piece.
type answerReader struct {
	flight bool // read on after the ServerHello, to the end of the flight; TLS 1.2 and below only
	ssl2   bool // expect a SERVER-HELLO of SSL 2.0

	ans      answer
	done     bool
	total    int
	head     []byte // what could not be told apart yet: a header, or a banner
	left     int    // bytes of the current record still to come
	kindOf   uint8  // type of the current record
	random   []byte // of the ServerHello
	messages []byte // handshake bytes not yet understood
	alerts   []byte // alert bytes not yet understood
	warnings int
	warning  Alert // the last one
	warned   bool
}

// feed takes the next bytes and reports whether more are wanted.
func (r *answerReader) feed(p []byte) (more bool) {
	for len(p) > 0 && !r.done {
		n := 1
		if r.left > 0 && r.ans.kind != foreign {
			n = min(len(p), r.left)
			r.payload(p[:n])
		} else {
			r.header(p[0])
		}
		p = p[n:]
		r.total += n
		if r.total >= maxAnswer {
			r.stop(malformed)
		}
	}
	return !r.done
}

// end tells that no more bytes will come, and returns what there is.
func (r *answerReader) end() answer {
	if !r.done && r.ans.kind == nothing {
		switch {
		case r.warned:
			r.ans.kind, r.ans.alert = alerted, r.warning
		case r.total > 0:
			r.ans.partial = true
		}
	}
	if r.ans.kind == foreign && r.ans.protocol == "" {
		r.ans.protocol = protocolOf(r.head)
	}
	r.done = true
	return r.ans
}

// stop ends the reading with verdict k, unless there is one already: what
// follows a ServerHello does not make it unsaid.
func (r *answerReader) stop(k kind) {
	r.done = true
	if r.ans.kind == nothing {
		r.ans.kind = k
	}
}

// header takes the bytes outside of records one at a time.
func (r *answerReader) header(b byte) {
	r.head = append(r.head, b)
	if r.ans.kind == foreign {
		if bannerEnds(r.head) {
			r.ans.protocol = protocolOf(r.head)
			r.done = true
		}
		return
	}
	if r.ssl2 && r.total < 2+11 {
		r.headerSSL2()
		return
	}
	switch len(r.head) {
	case 1:
		if b < recordCipherSpec || b > recordData {
			r.notTLS()
		}
	case 2:
		if b != 3 {
			r.notTLS()
		}
	case 5:
		r.kindOf = r.head[0]
		r.left = int(r.head[3])<<8 | int(r.head[4])
		r.head = r.head[:0]
		if r.left > maxRecord || r.kindOf == recordData {
			r.stop(malformed) // nothing is encrypted yet
		}
	}
}

// headerSSL2 reads the head of a SERVER-HELLO: a length of two bytes, type 4,
// session hit, kind of certificate, version. TLS records, mostly an alert, are
// left to the usual way.
func (r *answerReader) headerSSL2() {
	if r.head[0] >= recordCipherSpec && r.head[0] <= recordData {
		r.ssl2 = false
		return
	}
	switch {
	case r.head[0]&0x80 == 0:
		r.notTLS()
	case len(r.head) == 2+11:
		length := int(r.head[0]&0x7F)<<8 | int(r.head[1])
		if r.head[2] != 4 || length < 11 || r.head[5] != 0 || r.head[6] != 2 {
			r.notTLS()
			return
		}
		r.ans.kind, r.ans.version = chosen, SSL20
		r.done = true
	}
}

func (r *answerReader) notTLS() {
	if r.total >= 5 { // a good record came before
		r.stop(malformed)
		return
	}
	r.ans.kind = foreign
	if bannerEnds(r.head) {
		r.ans.protocol = protocolOf(r.head)
		r.done = true
	}
}

func (r *answerReader) payload(p []byte) {
	r.left -= len(p)
	switch r.kindOf {
	case recordAlert:
		r.alerts = append(r.alerts, p...)
		for len(r.alerts) >= 2 && !r.done {
			r.alert(r.alerts[0], Alert(r.alerts[1]))
			r.alerts = r.alerts[2:]
		}
	case recordHandshake:
		r.messages = append(r.messages, p...)
		r.parse()
	case recordCipherSpec:
		// RFC 8446 §5 allows a stray one.
	}
}

func (r *answerReader) alert(level uint8, number Alert) {
	if r.ans.kind == chosen {
		r.done = true
		return
	}
	if level == 1 && number != alertCloseNotify {
		r.warned, r.warning = true, number
		if r.warnings++; r.warnings <= maxWarnings {
			return
		}
	}
	if level == 1 && r.warned { // a close_notify after a warning adds nothing to it
		number = r.warning
	}
	r.ans.alert = number
	r.stop(alerted)
}

func (r *answerReader) parse() {
	for len(r.messages) >= 4 && !r.done {
		size := int(r.messages[1])<<16 | int(r.messages[2])<<8 | int(r.messages[3])
		if r.messages[0] == messageCertificate && r.ans.kind == chosen && size > maxChain {
			if len(r.messages) >= 4+maxChain {
				r.certificates(r.messages[4:4+maxChain], true)
				r.done = true
			}
			return
		}
		if size > maxMessage && (r.messages[0] != messageCertificate || r.ans.kind != chosen) {
			r.stop(malformed)
			return
		}
		if len(r.messages) < 4+size {
			return
		}
		r.message(r.messages[0], r.messages[4:4+size])
		r.messages = r.messages[4+size:]
	}
}

func (r *answerReader) message(number uint8, body cryptobyte.String) {
	if r.ans.kind != chosen {
		switch {
		case number == messageHelloRequest && len(body) == 0:
		case number == messageServerHello && r.serverHello(body):
			r.ans.kind = chosen
			if !r.flight || r.ans.version >= TLS13 {
				r.done = true
			}
		default:
			r.stop(malformed)
		}
		return
	}
	switch number {
	case messageCertificate:
		r.certificates(body, false)
	case messageKeyExchange:
		if r.ans.version == TLS12 {
			r.ans.proof = newProof(r.ans.suite, r.random, body)
		}
		var kind uint8
		var group uint16
		if r.suiteIsECDHE() && body.ReadUint8(&kind) && kind == namedCurve && body.ReadUint16(&group) {
			r.ans.group = Group(group)
		}
	case messageAsksCert:
		r.ans.asksCert = true
	case messageHelloDone:
		r.done = true
	}
}

// namedCurve is the one kind of ECDHE parameters that is left, RFC 8422 §5.4.
const namedCurve = 3

func (r *answerReader) suiteIsECDHE() bool {
	name := r.ans.suite.String()
	return strings.HasPrefix(name, "TLS_ECDHE_") || strings.HasPrefix(name, "TLS_ECDH_anon_")
}

// retryRandom is the random value that makes a ServerHello a
// HelloRetryRequest, RFC 8446 §4.1.3.
var retryRandom = []byte{
	0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
	0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
}

func (r *answerReader) serverHello(body cryptobyte.String) bool {
	var version, suite uint16
	var compression uint8
	var random []byte
	var session, extensions cryptobyte.String
	if !body.ReadUint16(&version) || !body.ReadBytes(&random, 32) || !body.ReadUint8LengthPrefixed(&session) ||
		len(session) > 32 || !body.ReadUint16(&suite) || !body.ReadUint8(&compression) {
		return false
	}
	if !body.Empty() && (!body.ReadUint16LengthPrefixed(&extensions) || !body.Empty()) {
		return false
	}
	if version>>8 != 3 {
		return false
	}
	r.ans.version, r.ans.suite = Version(version), Suite(suite)
	if r.flight {
		r.random = bytes.Clone(random)
	}
	r.ans.retry = bytes.Equal(random, retryRandom)
	for !extensions.Empty() {
		var number uint16
		var content cryptobyte.String
		if !extensions.ReadUint16(&number) || !extensions.ReadUint16LengthPrefixed(&content) {
			return false
		}
		switch number {
		case extSupportedVersions:
			if !content.ReadUint16(&version) || !content.Empty() {
				return false
			}
			r.ans.version = Version(version)
		case extKeyShare:
			var group uint16
			if !content.ReadUint16(&group) {
				return false
			}
			r.ans.group = Group(group)
		}
	}
	if r.ans.version < TLS13 {
		// RFC 8446 §4.1.3: who chooses less than it could says so here.
		switch string(random[24:]) {
		case "DOWNGRD\x01":
			r.ans.sentinel = TLS13
		case "DOWNGRD\x00":
			r.ans.sentinel = TLS12
		}
	}
	return true
}

// certificates reads the list of a Certificate message, of which the end may
// be missing.
func (r *answerReader) certificates(body cryptobyte.String, cut bool) {
	var list cryptobyte.String
	switch {
	case r.ans.certs != nil:
		return
	case cut:
		list = body
		list.Skip(3)
		r.ans.certsCut = true
	case !body.ReadUint24LengthPrefixed(&list):
		return
	}
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) {
			return
		}
		if len(r.ans.certs) == maxCertificates {
			r.ans.certsCut = true
			return
		}
		r.ans.certs = append(r.ans.certs, bytes.Clone(der))
	}
}

// bannerEnds reports whether head says enough about a foreign protocol.
func bannerEnds(head []byte) bool {
	if len(head) >= maxBanner || head[len(head)-1] == '\n' {
		return true
	}
	text := head[0] >= ' ' && head[0] < 0x7F || head[0] == '\r' || head[0] == '\t'
	if head[0] == 0x30 { // LDAP, or a banner that begins with a zero
		text = len(head) > 1 && head[1] >= ' ' && head[1] < 0x7F
	}
	return !text && len(head) >= 8
}

// protocolOf names the protocol of a banner, "unknown" if it is strange.
func protocolOf(head []byte) string {
	text := strings.ToLower(string(head))
	switch {
	case strings.HasPrefix(text, "http/"), strings.HasPrefix(text, "<!doctype"), strings.HasPrefix(text, "<html"):
		return "http"
	case strings.HasPrefix(text, "ssh-"):
		return "ssh"
	case strings.HasPrefix(text, "220") && strings.Contains(text, "ftp"):
		return "ftp"
	case strings.HasPrefix(text, "220"), strings.HasPrefix(text, "421 "), strings.HasPrefix(text, "554"):
		return "smtp"
	case strings.HasPrefix(text, "* ok"), strings.HasPrefix(text, "* preauth"), strings.HasPrefix(text, "* bye"):
		return "imap"
	case strings.HasPrefix(text, "+ok"), strings.HasPrefix(text, "-err"):
		return "pop3"
	case strings.HasPrefix(text, "rfb "):
		return "vnc"
	case len(head) >= 8 && head[0] == 0x30 && bytes.Contains(head, []byte{0x02, 0x01}):
		return "ldap"
	case len(head) >= 4 && head[0] == 0x04 && head[1] <= 1:
		return "tds"
	case len(head) >= 5 && head[3] == 0 && head[4] == 0x0A:
		return "mysql"
	}
	return "unknown"
}
