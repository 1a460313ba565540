package oauthcert

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// escapes are how JSON, CLIXML, PowerShell and URLs write what may stand in or
// between the lines of a certificate.
var escapes = strings.NewReplacer(
	`\r`, "\r", `\n`, "\n", `\t`, "\t", `\/`, "/", "`r", "\r", "`n", "\n",
	`\u002b`, "+", `\u002B`, "+", `\u002f`, "/", `\u002F`, "/", `\u003d`, "=", `\u003D`, "=", `\u000a`, "\n", `\u000A`, "\n", `\u000d`, "\r", `\u000D`, "\r",
	"_x000D_", "\r", "_x000A_", "\n",
	"%20", " ", "%0A", "\n", "%0a", "\n", "%0D", "\r", "%0d", "\r", "%2B", "+", "%2b", "+", "%2F", "/", "%2f", "/", "%3D", "=", "%3d", "=",
	"—", "--", "–", "--", // what word processors make of hyphens
)

var (
	// pemLine is the first or last line of a PEM block (RFC 7468 §3), wherever
	// on a line it stands.
	pemLine = regexp.MustCompile(`-{2,}\s*(BEGIN|END)\s+([A-Za-z0-9#. ]+?)\s*-{2,}`)

	// pemHeader is a header of RFC 1421 within a block.
	pemHeader = regexp.MustCompile(`(?m)^[ \t>]*[A-Za-z][A-Za-z0-9-]*: .*$`)
)

// text reads a text in whatever way it holds certificates.
func (rd *Reader) text(s string) ([]*Certificate, error) {
	s = escapes.Replace(html.UnescapeString(s))
	if strings.Contains(s, "PRIVATE KEY-----") {
		return nil, ErrPrivateKey
	}
	if strings.Contains(s, "BEGIN") && pemLine.MatchString(s) {
		return rd.pem(s)
	}
	return rd.scan(s)
}

// pem reads the blocks of a PEM text. Other text around them is passed over, as
// OpenSSL writes it, and so are blocks of another kind beside a certificate; a
// block that is damaged is not, since nobody can say what it was.
func (rd *Reader) pem(text string) ([]*Certificate, error) {
	type label struct {
		begin      bool
		kind       string
		start, end int
	}
	var labels []label
	blocks := 0
	for _, m := range pemLine.FindAllStringSubmatchIndex(text, -1) {
		l := label{text[m[2]:m[3]] == "BEGIN", strings.ToUpper(strings.Join(strings.Fields(text[m[4]:m[5]]), " ")), m[0], m[1]}
		if strings.HasSuffix(l.kind, "PRIVATE KEY") {
			return nil, ErrPrivateKey
		}
		if l.begin {
			blocks++
		}
		labels = append(labels, l)
	}
	var all []*Certificate
	var others []string
	n := 0
	for i, l := range labels {
		if !l.begin {
			continue
		}
		n++
		end := len(text)
		if i+1 < len(labels) {
			end = labels[i+1].start
		}
		trusted := false
		switch l.kind {
		case "CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE", "PKCS7", "CMS", "PKCS #7 SIGNED DATA", "CERTIFICATE CHAIN":
		case "TRUSTED CERTIFICATE":
			trusted = true
		default:
			others = append(others, fmt.Sprintf("PEM block %d is a %.40q", n, l.kind))
			continue
		}
		body := text[l.end:end]
		if strings.Contains(body, ": ") {
			body = pemHeader.ReplaceAllString(body, "")
		}
		der, rest := base64Run(body, -1)
		if strings.TrimSpace(rest) != "" || len(der) == 0 {
			return nil, fmt.Errorf("PEM block %d of %d is damaged", n, blocks)
		}
		if trusted { // what OpenSSL trusts it for stands behind the certificate
			if _, size, length, err := header(der); err == nil && length >= 0 && length <= len(der)-size {
				der = der[:size+length]
			}
		}
		certs, err := rd.binary(der)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", n, err)
		}
		all = append(all, certs...)
	}
	if len(all) == 0 && others != nil {
		return nil, fmt.Errorf("%w: %s", ErrNoCertificate, others[0])
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the first line of the PEM block is missing", ErrNoCertificate)
	}
	return all, nil
}

// The first signs of a DER structure of 128 bytes or more, in each of the
// alphabets in which programs print one.
var (
	base64Start  = regexp.MustCompile(`(?:^|[^A-Za-z0-9+/])(MI[G-P][A-Za-z0-9+/_-]{5})`)
	pemInBase64  = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/_-]+`) // "-----BEGIN "
	hexStart     = regexp.MustCompile(`(?:\b|\\x|0[xX])(30[ \t\r\n:,;-]*(?:0[xX]|\\x)?8[1-3])`)
	decimalStart = regexp.MustCompile(`\b(48[\s,;]+(?:129|130|131)[\s,;]+)`)
	dumpLine     = regexp.MustCompile(`(?m)^[ \t>]*([0-9A-Fa-f]{4,16}):?[ \t]+((?:[0-9A-Fa-f]{2}[ \t-]{0,3}){1,16})`)
	byteTag      = regexp.MustCompile(`</?By[^<>]*>`) // of CLIXML
	thumbprints  = regexp.MustCompile(`\b[0-9A-Fa-f]{40}\b`)
)

// scan looks for DER structures in a text that is no PEM: as base64, as
// hexadecimal digits, as the dump of Format-Hex and its kin, and as numbers.
// It does not matter what stands around them: their length is known from how
// they begin. So it reads JSON, CSV, CLIXML, lists, source code and mails
// alike.
func (rd *Reader) scan(text string) ([]*Certificate, error) {
	var all []*Certificate
	var cut error
	// take reads what one run holds, and reports an error that must be told.
	take := func(der []byte) error {
		if err := whole(der); err != nil {
			if len(der) >= 64 && cut == nil && errors.Is(err, errCut) {
				cut = fmt.Errorf("%w: text that holds the bytes of a DER structure, %w", ErrNoCertificate, err)
			}
			return nil
		}
		certs, err := rd.binary(der)
		if err != nil && (!errors.Is(err, ErrNoCertificate) || looksLikeCertificate(der)) {
			return err
		}
		all = append(all, certs...)
		return nil
	}
	if strings.Contains(text, "<By") {
		text = byteTag.ReplaceAllString(text, " ")
	}
	if dumped := dump(text); dumped != nil {
		if err := take(dumped); err != nil {
			return nil, err
		}
	}
	for _, form := range []struct {
		start *regexp.Regexp
		read  func(string, int) ([]byte, string)
	}{{hexStart, hexRun}, {decimalStart, decimalRun}, {base64Start, base64Run}} {
		for rest := text; ; {
			m := form.start.FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			rest = rest[m[2]:]
			// Enough for the header and the tag of the first element.
			first, _ := form.read(rest, 6)
			_, size, length, err := header(first)
			if err != nil || length < 0 || size >= len(first) || !bytes.Contains([]byte{0x30, 0x02, 0x06}, first[size:size+1]) {
				rest = rest[1:]
				continue
			}
			var der []byte
			der, rest = form.read(rest, size+length)
			if err := take(der); err != nil {
				return nil, err
			}
			if len(all) > maxCertificates {
				return all, nil
			}
		}
	}
	for _, run := range pemInBase64.FindAllString(text, -1) {
		if inner, _ := base64Run(run, -1); len(inner) > 0 {
			certs, err := rd.text(string(inner))
			if err != nil {
				return nil, err
			}
			all = append(all, certs...)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if cut != nil {
		return nil, cut
	}
	if der, rest := base64Run(strings.Trim(text, "\"', \t\r\n"), -1); rest == "" && len(der) > 8 {
		// Text that is base64 and nothing else: BER, or something else.
		certs, err := rd.binary(der)
		if err == nil || der[0] == 0x30 || errors.Is(err, ErrPrivateKey) {
			return certs, err
		}
	}
	return nil, noneIn(text)
}

// noneIn says why a text holds no certificate.
func noneIn(text string) error {
	if names := thumbprints.FindAllString(text, -1); names != nil {
		slices.Sort(names)
		names = slices.Compact(names)
		more := ""
		if len(names) > 4 {
			more = fmt.Sprintf(" and %d more", len(names)-4)
			names = names[:4]
		}
		return fmt.Errorf("%w: text that names a certificate and does not hold it (%s%s); export the certificate itself, with Export-Certificate or as RawData", ErrNoCertificate, strings.ToUpper(strings.Join(names, ", ")), more)
	}
	if strings.Contains(text, "System.Byte[]") {
		return fmt.Errorf("%w: the export says System.Byte[] in the place of the bytes; export [Convert]::ToBase64String($_.RawData)", ErrNoCertificate)
	}
	return fmt.Errorf("%w: text that is neither PEM nor base64, nor the bytes of a certificate as numbers", ErrNoCertificate)
}

// base64Run decodes the base64 with which s begins, in either alphabet, until
// it has most bytes, or as many as there are if most is negative. Line ends,
// marks of quotation and what else gets between lines is passed over. It
// returns what follows too.
func base64Run(s string, most int) (b []byte, rest string) {
	letters := make([]byte, 0, min(len(s), 1<<16))
	need := (most*4 + 2) / 3
	if most < 0 {
		need = len(s)
	}
	at := 0
scan:
	for i, r := range s {
		at = i
		switch {
		case len(letters) == need:
			break scan
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '+', r == '/':
			letters = append(letters, byte(r))
		case r == '-':
			letters = append(letters, '+')
		case r == '_':
			letters = append(letters, '/')
		case strings.ContainsRune("\"'>|\\`", r), unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
		case r == '=' && (most < 0 || strings.HasPrefix(strings.TrimLeft(s[i+1:min(len(s), i+4)], " \r"), "\n")):
			// padding, or the soft line end of quoted-printable
		default:
			break scan
		}
		at = i + len(string(r))
	}
	b, err := base64.RawStdEncoding.DecodeString(string(letters))
	if err != nil && len(letters)%4 == 1 {
		b, _ = base64.RawStdEncoding.DecodeString(string(letters[:len(letters)-1]))
	}
	if most >= 0 && len(b) > most {
		b = b[:most]
	}
	return b, s[at:]
}

// hexRun is base64Run for hexadecimal digits.
func hexRun(s string, most int) (b []byte, rest string) {
	var digits []byte
	i := 0
scan:
	for ; i < len(s) && len(digits) < 2*most; i++ {
		c := s[i]
		switch {
		case c == '0' && i+1 < len(s) && (s[i+1] == 'x' || s[i+1] == 'X') && len(digits)%2 == 0:
			i++
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			digits = append(digits, c)
		case strings.IndexByte(" \t\r\n:,;-\"'\\xX&+>|", c) >= 0:
		default:
			break scan
		}
	}
	for j := 0; j+1 < len(digits); j += 2 {
		n, _ := strconv.ParseUint(string(digits[j:j+2]), 16, 8)
		b = append(b, byte(n))
	}
	return b, s[i:]
}

// decimalRun is base64Run for numbers in decimal digits.
func decimalRun(s string, most int) (b []byte, rest string) {
	for len(b) < most {
		trimmed := strings.TrimLeft(s, " \t\r\n,;>|")
		n := 0
		for n < len(trimmed) && n < 4 && '0' <= trimmed[n] && trimmed[n] <= '9' {
			n++
		}
		value, err := strconv.ParseUint(trimmed[:n], 10, 8)
		if err != nil {
			break
		}
		b, s = append(b, byte(value)), trimmed[n:]
	}
	return b, s
}

// dump reads a hexadecimal dump: lines of an offset, up to sixteen bytes, and
// what these are as letters, as Format-Hex, certutil, xxd and hexdump write
// it. The offsets say how many bytes a line has; what the last line has too
// many is cut off by the length of the structure. It returns nil if text is no
// dump of a DER structure.
func dump(text string) []byte {
	var all []byte
	for _, m := range dumpLine.FindAllStringSubmatch(text, -1) {
		offset, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			continue
		}
		line, _ := hexRun(m[2], 16)
		switch {
		case offset == 0 && bytes.HasPrefix(line, []byte{0x30}):
			all = line
		case all != nil && offset <= uint64(len(all)) && offset+16 >= uint64(len(all)):
			all = append(all[:offset], line...)
		}
	}
	_, size, length, err := header(all)
	if err != nil || length < 0 || len(all) < 32 {
		return nil
	}
	return all[:min(len(all), size+length)]
}
