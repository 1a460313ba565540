package oauthcert

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

// maxInput bounds what is read of one file, or of one directory object.
const maxInput = 4 << 20

// The bounds on what one file holds. An auth certificate has about 800 bytes;
// the signature check of a certificate that is nothing but a key of millions
// of bits would take hours.
const (
	maxCertificates = 1000
	maxChain        = 64 // certificates of which the end of the chain is looked for
	maxDER          = 64 << 10
	maxVerifiedBits = 16384
)

var (
	// ErrPrivateKey reports an input that holds, or may hold, a private key.
	// Such a thing is never to be uploaded, and is not read.
	ErrPrivateKey = errors.New("this holds a private key; export the certificate alone, without its key (.cer)")

	// ErrPassword reports that the password does not open a PFX file.
	ErrPassword = errors.New("the password does not open this PFX file")

	// ErrNoCertificate reports an input that is something else, or that holds
	// no certificate.
	ErrNoCertificate = errors.New("no certificate in here")

	// ErrAmbiguous reports an input with several certificates of which none is
	// the one at the end of the chain; choose by thumbprint.
	ErrAmbiguous = errors.New("several certificates")
)

// A Reader reads certificates from files, whatever their format. The zero
// value is ready to use, and reads nothing that holds a private key.
type Reader struct {
	// Password opens a PFX file (PKCS#12), of which the public part is read.
	// If it is empty, such a file is refused with ErrPrivateKey.
	//
	// The library beneath deciphers the private key on the way; it is
	// dropped at once, and reaches neither the result nor an error.
	Password string `json:"-"`
}

// Format tells whether there is a password, and nothing of it, for all verbs.
func (rd Reader) Format(f fmt.State, _ rune) {
	password := ""
	if rd.Password != "" {
		password = "(hidden)"
	}
	fmt.Fprintf(f, "oauthcert.Reader{Password:%q}", password)
}

// Read reads one certificate from r with the settings of the zero [Reader].
func Read(r io.Reader) (*Certificate, error) { return new(Reader).Read(r) }

// Parse reads one certificate from data with the settings of the zero [Reader].
func Parse(data []byte) (*Certificate, error) { return new(Reader).Parse(data) }

// ReadFile reads one certificate from a file with the settings of the zero
// [Reader].
func ReadFile(name string) (*Certificate, error) { return new(Reader).ReadFile(name) }

// Read reads one certificate from r, like [Reader.Parse]. It reads at most
// 4 MiB.
func (rd *Reader) Read(r io.Reader) (*Certificate, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	return rd.Parse(data)
}

// ReadFile reads one certificate from a file, like [Reader.Parse]. The error
// names the file.
func (rd *Reader) ReadFile(name string) (*Certificate, error) {
	all, err := rd.readFile(name)
	if err != nil {
		return nil, err
	}
	c, err := leaf(all)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %s: %w", name, err)
	}
	return c, nil
}

func (rd *Reader) readFile(name string) ([]*Certificate, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	all, err := rd.parseAll(data)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %s: %w", name, err)
	}
	return all, nil
}

// Parse reads one certificate from the content of a file. The format is
// recognised from the bytes, never from a name: DER, PEM, base64 without a
// header, PKCS#7 (.p7b) and PFX, the texts among them in UTF-8 or in the
// UTF-16 that Windows PowerShell writes.
//
// Of several certificates it returns the one that issued none of the others.
// Errors are ErrPrivateKey, ErrPassword, ErrNoCertificate or ErrAmbiguous, or
// tell where the input is broken.
func (rd *Reader) Parse(data []byte) (*Certificate, error) {
	all, err := rd.ParseAll(data)
	if err != nil {
		return nil, err
	}
	c, err := leaf(all)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	return c, nil
}

// ParseAll reads all certificates from the content of a file, as
// [Reader.Parse] does, in the order of the file and each once.
func (rd *Reader) ParseAll(data []byte) ([]*Certificate, error) {
	all, err := rd.parseAll(data)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %w", err)
	}
	return all, nil
}

func (rd *Reader) parseAll(data []byte) ([]*Certificate, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("%d bytes; at most %d are read", len(data), maxInput)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%w: the input is empty", ErrNoCertificate)
	}
	var parsed []*x509.Certificate
	var err error
	if text, ok := asText(data); !ok {
		parsed, err = rd.binary(data)
	} else if strings.Contains(text, "-----BEGIN ") {
		parsed, err = rd.pem(text)
	} else {
		parsed, err = rd.base64(text)
	}
	if err != nil {
		return nil, err
	}
	if len(parsed) > maxCertificates {
		return nil, fmt.Errorf("%d certificates; at most %d are read", len(parsed), maxCertificates)
	}
	all := make([]*Certificate, 0, len(parsed))
	for _, cert := range parsed {
		c := FromX509(cert)
		if !slices.ContainsFunc(all, c.Equal) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, ErrNoCertificate
	}
	return all, nil
}

// leaf returns the only certificate of a list that issued none of the others.
func leaf(all []*Certificate) (*Certificate, error) {
	var found []*Certificate
	for _, c := range all {
		issued := len(all) > maxChain || slices.ContainsFunc(all, func(o *Certificate) bool { return !c.Equal(o) && c.issued(o) })
		if !issued {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	var names []string
	for _, c := range all[:min(len(all), 4)] {
		names = append(names, c.SHA1().String())
	}
	return nil, fmt.Errorf("%w; choose one by its thumbprint: %s", ErrAmbiguous, strings.Join(names, ", "))
}

// asText returns data as text, and whether it can be text at all. UTF-16 is
// known by its mark, or by every other byte being zero.
func asText(data []byte) (string, bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order, data = binary.LittleEndian, data[2:]
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order, data = binary.BigEndian, data[2:]
	case len(data) >= 4 && data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		order = binary.LittleEndian
	case len(data) >= 4 && data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0:
		order = binary.BigEndian
	}
	if order != nil {
		if len(data)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = order.Uint16(data[2*i:])
		}
		data = []byte(string(utf16.Decode(units)))
	}
	for _, b := range data {
		if b < ' ' && b != '\t' && b != '\r' && b != '\n' && b != '\f' {
			return "", false
		}
	}
	return string(data), true
}

// pem reads the blocks of a PEM text. Text around them is allowed, as OpenSSL
// writes it; a block that is damaged is not, since nobody can say what it was.
func (rd *Reader) pem(text string) ([]*x509.Certificate, error) {
	if strings.Contains(text, "PRIVATE KEY-----") {
		return nil, ErrPrivateKey
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line) // indented, as in YAML
	}
	var all []*x509.Certificate
	rest := []byte(strings.Join(lines, "\n"))
	begun := strings.Count(text, "-----BEGIN ")
	for n := 1; ; n++ {
		block, next := pem.Decode(rest)
		if block == nil {
			if n <= begun {
				return nil, fmt.Errorf("PEM block %d of %d is damaged", n, begun)
			}
			return all, nil
		}
		rest = next
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS":
		default:
			return nil, fmt.Errorf("%w: PEM block %d is a %.40q", ErrNoCertificate, n, block.Type)
		}
		certs, err := rd.binary(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", n, err)
		}
		all = append(all, certs...)
	}
}

// base64 reads base64 text without a header, as [Convert]::ToBase64String
// gives it or a JSON value holds it, perhaps in quotes and in several lines.
func (rd *Reader) base64(text string) ([]*x509.Certificate, error) {
	compact := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '\f', '\ufeff', '\u200e':
			return -1
		case '-': // base64url, which some tools give
			return '+'
		case '_':
			return '/'
		}
		return r
	}, text)
	compact = strings.TrimRight(strings.Trim(compact, `"',`), "=")
	der, err := base64.RawStdEncoding.DecodeString(compact)
	if err != nil {
		return nil, fmt.Errorf("%w: text that is neither PEM nor base64", ErrNoCertificate)
	}
	if bytes.HasPrefix(der, []byte("-----BEGIN ")) { // a PEM file that was taken for DER
		return rd.pem(string(der))
	}
	return rd.binary(der)
}

var (
	oidSignedData = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02} // 1.2.840.113549.1.7.2, RFC 2315 §14
	jksMagic      = []byte{0xfe, 0xed, 0xfe, 0xed}
)

// binary reads a DER structure, told apart by its first elements.
func (rd *Reader) binary(der []byte) ([]*x509.Certificate, error) {
	if bytes.HasPrefix(der, jksMagic) {
		return nil, ErrPrivateKey
	}
	outer := cryptobyte.String(der)
	var body cryptobyte.String
	if !outer.ReadASN1(&body, asn1.SEQUENCE) {
		if outer.PeekASN1Tag(asn1.SEQUENCE) {
			return nil, fmt.Errorf("%w: a DER structure that is cut short or damaged", ErrNoCertificate)
		}
		return nil, fmt.Errorf("%w: neither text nor DER", ErrNoCertificate)
	}
	if !outer.Empty() {
		return nil, fmt.Errorf("%d bytes after the end of the DER structure", len(outer))
	}
	var first, second cryptobyte.String
	var firstTag, secondTag asn1.Tag
	if !body.ReadAnyASN1(&first, &firstTag) || !body.ReadAnyASN1(&second, &secondTag) {
		return nil, fmt.Errorf("%w: a DER structure of another kind", ErrNoCertificate)
	}
	switch {
	case firstTag == asn1.OBJECT_IDENTIFIER && bytes.Equal(first, oidSignedData):
		return signedData(second)
	case firstTag == asn1.INTEGER && bytes.Equal(first, []byte{3}) && secondTag == asn1.SEQUENCE:
		return rd.pfx(der)
	case firstTag == asn1.INTEGER:
		// PKCS#8 (RFC 5958 §2), PKCS#1 (RFC 8017 §A.1.2) and SEC 1 keys begin
		// with a version, and so do the other things that nobody should upload.
		return nil, ErrPrivateKey
	case firstTag == asn1.SEQUENCE && secondTag == asn1.OCTET_STRING:
		return nil, ErrPrivateKey // EncryptedPrivateKeyInfo, RFC 5958 §3
	case firstTag == asn1.SEQUENCE && secondTag == asn1.BIT_STRING:
		return nil, fmt.Errorf("%w: a bare public key", ErrNoCertificate)
	}
	cert, err := parseDER(der)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{cert}, nil
}

// parseDER reads one certificate.
func parseDER(der []byte) (*x509.Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("a certificate of %d bytes; at most %d are read", len(der), maxDER)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNoCertificate, oneLine(err.Error(), 160))
	}
	return cert, nil
}

// looksLikeCertificate tells a certificate (RFC 5280 §4.1: three elements, the
// first two sequences and the third a bit string) from the things that must
// not be passed on, at little cost. PEM is read whole.
func looksLikeCertificate(key []byte) bool {
	if bytes.HasPrefix(key, []byte("-----BEGIN ")) {
		_, err := Parse(key)
		return err == nil
	}
	outer := cryptobyte.String(key)
	var body cryptobyte.String
	return outer.ReadASN1(&body, asn1.SEQUENCE) && outer.Empty() &&
		body.SkipASN1(asn1.SEQUENCE) && body.SkipASN1(asn1.SEQUENCE) && body.SkipASN1(asn1.BIT_STRING) && body.Empty()
}

// signedData reads the certificates of a PKCS#7 SignedData (RFC 2315 §9.1,
// RFC 5652 §5.1), which is how Windows exports a chain (.p7b). Signatures in
// it are not looked at: the certificates are judged for themselves.
func signedData(explicit cryptobyte.String) ([]*x509.Certificate, error) {
	broken := fmt.Errorf("%w: a PKCS#7 structure that is broken", ErrNoCertificate)
	var body, digests, content, certs cryptobyte.String
	var version int
	var present bool
	if !explicit.ReadASN1(&body, asn1.SEQUENCE) ||
		!body.ReadASN1Integer(&version) ||
		!body.ReadASN1(&digests, asn1.SET) ||
		!body.ReadASN1(&content, asn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certs, &present, asn1.Tag(0).Constructed().ContextSpecific()) {
		return nil, broken
	}
	var all []*x509.Certificate
	for !certs.Empty() {
		var der cryptobyte.String
		var tag asn1.Tag
		if !certs.ReadAnyASN1Element(&der, &tag) || len(all) == maxCertificates {
			return nil, broken
		}
		if tag != asn1.SEQUENCE {
			continue // extended and attribute certificates, RFC 5652 §10.2.2
		}
		cert, err := parseDER(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in PKCS#7: %w", len(all)+1, err)
		}
		all = append(all, cert)
	}
	return all, nil
}

// maxIterations bounds the key derivation that a PFX file may ask for. Windows
// writes 2,000, current tools up to some hundred thousand.
const maxIterations = 1_000_000

// pfx reads the public part of a PFX file.
func (rd *Reader) pfx(der []byte) ([]*x509.Certificate, error) {
	if rd.Password == "" {
		return nil, fmt.Errorf("a PFX file: %w; or give its password to read the public part", ErrPrivateKey)
	}
	if n := iterations(der, 0); n > maxIterations {
		return nil, fmt.Errorf("a PFX file that asks for %d iterations of key derivation; at most %d are done", n, maxIterations)
	}
	_, cert, chain, err := pkcs12.DecodeChain(der, rd.Password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, ErrPassword
	case err != nil:
		return nil, fmt.Errorf("a PFX file: %s", oneLine(err.Error(), 160))
	}
	return append([]*x509.Certificate{cert}, chain...), nil
}

// iterations returns the largest iteration count in a PFX file. All places
// that have one (MacData, PKCS#12 and PBKDF2 parameters, RFC 7292 §4, §C and RFC
// 8018 §A.2) have the shape of a salt, an OCTET STRING, followed by the count.
// Structures may be wrapped in an OCTET STRING, so these are opened too.
func iterations(der cryptobyte.String, depth int) (most uint64) {
	if depth > 16 {
		return 0
	}
	afterSalt := false
	for !der.Empty() {
		var body cryptobyte.String
		var tag asn1.Tag
		if !der.ReadAnyASN1(&body, &tag) {
			return most
		}
		if tag == asn1.INTEGER && afterSalt {
			most = max(most, saturated(body))
		}
		afterSalt = tag == asn1.OCTET_STRING
		if afterSalt || tag&0x20 != 0 {
			most = max(most, iterations(body, depth+1))
		}
	}
	return most
}

// saturated reads a big-endian number, or the largest one if it does not fit.
func saturated(b []byte) (n uint64) {
	for _, c := range b {
		if n > 1<<55 {
			return 1<<63 - 1
		}
		n = n<<8 | uint64(c)
	}
	return n
}
