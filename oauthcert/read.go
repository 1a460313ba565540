package oauthcert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/crossprem/crossprem/internal/wintext"
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
	// Password opens a PFX file (PKCS#12), of which the public part is read;
	// a private key in it is not deciphered. If Password is empty, only a
	// file that has no password and no key is read: one with a key is refused
	// with ErrPrivateKey, and one that has a password with ErrPassword.
	Password string `json:"-"`
}

// Format reports whether there is a password, and nothing of it, for all verbs.
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
	all, err := rd.ReadFileAll(name)
	if err != nil {
		return nil, err
	}
	c, err := leaf(all)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: %s: %w", name, err)
	}
	return c, nil
}

// ReadFileAll reads all certificates from a file, like [Reader.ParseAll]. The
// error names the file.
func (rd *Reader) ReadFileAll(name string) ([]*Certificate, error) {
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
// recognised from the bytes, never from a name: DER, PKCS#7 (.p7b), PFX, all
// of them in BER too, a serialized store (.sst), PEM, and text in UTF-8 or
// UTF-16 that holds the bytes of one of these as base64, as hexadecimal digits,
// as the dump of Format-Hex or as numbers, whatever stands around them: so it
// reads what Export-Clixml, Export-Csv and ConvertTo-Json write. BER becomes
// DER, and the thumbprint is that of the DER.
//
// A certificate that the standard parser refuses, such as one with a negative
// serial number, is read as far as it goes: see [Certificate.Irregular].
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
	var parsed []*Certificate
	var err error
	if text, ok := asText(data); ok {
		parsed, err = rd.text(text)
	} else {
		parsed, err = rd.binary(data)
	}
	if err != nil {
		return nil, err
	}
	if len(parsed) > maxCertificates {
		return nil, fmt.Errorf("%d certificates; at most %d are read", len(parsed), maxCertificates)
	}
	all := make([]*Certificate, 0, len(parsed))
	for _, c := range parsed {
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

// asText returns data as text, and whether it can be text at all. A NUL or
// Ctrl-Z at the end is none of it.
func asText(data []byte) (string, bool) {
	text, _ := wintext.Decode(data) // of half a character at the end, the rest says whether it matters
	text = strings.TrimRight(text, "\x00\x1a")
	pem := !strings.HasPrefix(text, "0") && strings.Contains(text, "-----BEGIN ")
	for i := range len(text) {
		if b := text[i]; b < ' ' && !strings.ContainsRune("\t\r\n\f\v\x1b", rune(b)) && !pem {
			return "", false
		}
	}
	return text, true
}

var (
	oidSignedData = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02} // 1.2.840.113549.1.7.2, RFC 2315 §14
	jksMagic      = []byte{0xfe, 0xed, 0xfe, 0xed}
)

// binary reads DER structures, one after the other, or one in BER, or a
// serialized store. NULs and line ends behind them are none of them.
func (rd *Reader) binary(data []byte) ([]*Certificate, error) {
	switch {
	case bytes.HasPrefix(data, jksMagic):
		return nil, ErrPrivateKey
	case bytes.HasPrefix(data, sstMagic):
		return serializedStore(data)
	case !bytes.HasPrefix(data, []byte{byte(asn1.SEQUENCE)}):
		return nil, fmt.Errorf("%w: neither text nor DER", ErrNoCertificate)
	}
	if err := whole(data); err != nil {
		return nil, fmt.Errorf("%w: a DER structure that is %w", ErrNoCertificate, err)
	}
	var all []*Certificate
	for rest := data; len(rest) > 0; {
		var certs []*Certificate
		var err error
		if certs, rest, err = rd.structure(rest); err != nil {
			return nil, err
		}
		all = append(all, certs...)
		if trimmed := bytes.Trim(rest, "\x00\r\n\t \x1a"); len(trimmed) == 0 {
			break
		}
		if rest[0] != byte(asn1.SEQUENCE) || len(all) > maxCertificates {
			return nil, fmt.Errorf("%d bytes after the end of the DER structure", len(rest))
		}
	}
	return all, nil
}

// structure reads the structure with which data begins, and returns what
// follows. What is not understood as DER is tried as BER.
func (rd *Reader) structure(data []byte) ([]*Certificate, []byte, error) {
	rest := cryptobyte.String(data)
	var element cryptobyte.String
	if rest.ReadASN1Element(&element, asn1.SEQUENCE) {
		certs, err := rd.der(element)
		if err == nil || !errors.Is(err, ErrNoCertificate) {
			return certs, rest, err
		}
		converted, _, berErr := toDER(element, 0)
		if berErr != nil || bytes.Equal(converted, element) {
			return nil, nil, err
		}
		if certs, again := rd.der(converted); again == nil || errors.Is(again, ErrPrivateKey) || errors.Is(again, ErrPassword) {
			return certs, rest, again
		}
		return nil, nil, err
	}
	converted, after, err := toDER(data, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: a DER structure that is %w", ErrNoCertificate, err)
	}
	certs, err := rd.der(converted)
	return certs, after, err
}

// der reads one DER structure, told apart by its first elements.
func (rd *Reader) der(der []byte) ([]*Certificate, error) {
	outer := cryptobyte.String(der)
	var body, first, second cryptobyte.String
	var firstTag, secondTag asn1.Tag
	if !outer.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadAnyASN1(&first, &firstTag) || !body.ReadAnyASN1(&second, &secondTag) {
		return nil, fmt.Errorf("%w: a DER structure of another kind", ErrNoCertificate)
	}
	switch {
	case firstTag == asn1.OBJECT_IDENTIFIER && bytes.Equal(first, oidSignedData):
		return signedData(second)
	case firstTag == asn1.INTEGER && bytes.Equal(first, []byte{3}) && secondTag == asn1.SEQUENCE:
		return rd.pfx(der)
	case firstTag == asn1.INTEGER && len(first) > 1 && secondTag == asn1.INTEGER && body.Empty():
		return nil, fmt.Errorf("%w: a bare public key", ErrNoCertificate) // RFC 8017 §A.1.1: modulus and exponent
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
	return []*Certificate{cert}, nil
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
func signedData(explicit cryptobyte.String) ([]*Certificate, error) {
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
	var all []*Certificate
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
