package oauthcert

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The bounds on the work that a PFX file may ask for. Windows writes 2,000
// iterations of key derivation, current tools up to some hundred thousand;
// everybody writes one or two safes.
const (
	maxIterations = 1_000_000
	maxSafes      = 8
)

// The identifiers of RFC 7292 and RFC 8018, as they stand in DER.
var (
	oidData          = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}       // 1.2.840.113549.1.7.1
	oidEncryptedData = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06}       // 1.2.840.113549.1.7.6
	oidX509          = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01} // 1.2.840.113549.1.9.22.1
	oidPBES2         = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d}       // 1.2.840.113549.1.5.13
	oidPBMAC1        = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e}       // 1.2.840.113549.1.5.14
	prefixBag        = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01} // 1.2.840.113549.1.12.10.1
	prefixPBE        = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01}       // 1.2.840.113549.1.12.1
	prefixHMAC       = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02}                   // 1.2.840.113549.2
	prefixAES        = []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01}             // 2.16.840.1.101.3.4.1
	prefixSHA2       = []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02}             // 2.16.840.1.101.3.4.2
	oidSHA1          = []byte{0x2b, 0x0e, 0x03, 0x02, 0x1a}                               // 1.3.14.3.2.26
	oidTripleDES     = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07}             // 1.2.840.113549.3.7
)

var (
	errNotPFX      = fmt.Errorf("%w: a PFX file that is damaged", ErrNoCertificate)
	errUnsupported = errors.New("an encryption that is not known here")
)

const (
	explicit0 = asn1.Tag(0x80 | 0x20) // [0] EXPLICIT
	implicit0 = asn1.Tag(0x80)        // [0] IMPLICIT, of a string
)

// A pfxPassword is a password as the two generations of key derivation take
// it: PKCS #12 in UTF-16 with a zero at the end, PBES2 in UTF-8.
type pfxPassword struct {
	bmp  []byte
	utf8 string
}

func newPFXPassword(s string) pfxPassword {
	p := pfxPassword{utf8: s}
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		p.bmp = append(p.bmp, byte(u>>8), byte(u))
	}
	return p
}

// A pfxFile is a PFX file in its parts, none of them deciphered.
type pfxFile struct {
	content cryptobyte.String // AuthenticatedSafe, of which the MAC is made
	mac     cryptobyte.String // MacData, or empty
	plain   []cryptobyte.String
	hidden  []cryptobyte.String // EncryptedContentInfo
}

// pfx reads the certificates of a PFX file (PKCS#12, RFC 7292). The private
// keys lie in it enciphered once more, each for itself: they are known by the
// identifiers of their bags and are never deciphered.
func (rd *Reader) pfx(der []byte) ([]*Certificate, error) {
	file, err := parsePFX(der)
	if err != nil {
		return nil, err
	}
	var found bags
	for _, safe := range file.plain {
		if err := found.add(safe, 0); err != nil {
			return nil, err
		}
	}
	if found.keys > 0 && rd.Password == "" {
		return nil, fmt.Errorf("a PFX file: %w; or give its password to read the public part", ErrPrivateKey)
	}
	if len(file.hidden) > 0 || rd.Password != "" {
		if n := iterations(der, 0); n > maxIterations {
			return nil, fmt.Errorf("a PFX file that asks for %d iterations of key derivation; at most %d are done", n, maxIterations)
		}
		if err := file.open(rd.Password, &found); err != nil {
			return nil, err
		}
	}
	switch {
	case found.keys > 0 && rd.Password == "":
		return nil, fmt.Errorf("a PFX file without a password: %w", ErrPrivateKey)
	case len(found.certs) == 0:
		return nil, fmt.Errorf("%w: a PFX file that holds none", ErrNoCertificate)
	}
	return found.certs, nil
}

// inDER returns the structure in b as DER, if it is in BER. The MAC is made of
// what stands in the file.
func inDER(b cryptobyte.String) cryptobyte.String {
	if der, _, err := toDER(b, 0); err == nil {
		return der
	}
	return b
}

func parsePFX(der cryptobyte.String) (*pfxFile, error) {
	var body, info, kind, inner, safes cryptobyte.String
	var file pfxFile
	if !der.ReadASN1(&body, asn1.SEQUENCE) || !body.SkipASN1(asn1.INTEGER) ||
		!body.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) {
		return nil, errNotPFX
	}
	if !bytes.Equal(kind, oidData) {
		return nil, errors.New("a PFX file that is protected by a public key, not by a password; such are not read")
	}
	if !info.ReadASN1(&inner, explicit0) || !inner.ReadASN1(&file.content, asn1.OCTET_STRING) {
		return nil, errNotPFX
	}
	if !body.Empty() && !body.ReadASN1(&file.mac, asn1.SEQUENCE) {
		return nil, errNotPFX
	}
	content := inDER(file.content)
	if !content.ReadASN1(&safes, asn1.SEQUENCE) {
		return nil, errNotPFX
	}
	for n := 0; !safes.Empty(); n++ {
		var safe cryptobyte.String
		if !safes.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !info.ReadASN1(&inner, explicit0) || n == maxSafes {
			return nil, errNotPFX
		}
		switch {
		case bytes.Equal(kind, oidData) && inner.ReadASN1(&safe, asn1.OCTET_STRING):
			file.plain = append(file.plain, safe)
		case bytes.Equal(kind, oidEncryptedData) && inner.ReadASN1(&inner, asn1.SEQUENCE) && inner.SkipASN1(asn1.INTEGER) && inner.ReadASN1(&safe, asn1.SEQUENCE):
			file.hidden = append(file.hidden, safe)
		default:
			return nil, errNotPFX
		}
	}
	return &file, nil
}

// open deciphers the safes with the password. Of the empty password there are
// two forms, a zero at its end or not, and programs write either.
func (f *pfxFile) open(password string, found *bags) error {
	tries := []pfxPassword{newPFXPassword(password)}
	if password == "" {
		tries = append(tries, pfxPassword{})
	}
	var last error
	for _, try := range tries {
		if last = f.verify(try); last != nil {
			continue
		}
		opened := *found
		for _, safe := range f.hidden {
			var plain []byte
			if plain, last = decipher(safe, try); last == nil {
				last = opened.add(plain, 0)
			}
			if last != nil {
				break
			}
		}
		if last == nil {
			*found = opened
			return nil
		}
	}
	switch {
	case errors.Is(last, errUnsupported):
		return fmt.Errorf("a PFX file with %w", errUnsupported)
	case password == "":
		return fmt.Errorf("a PFX file that has a password, and none was given: %w", ErrPassword)
	}
	return ErrPassword
}

// bags are what was found in the safes.
type bags struct {
	certs []*Certificate
	keys  int // private keys and secrets, which are passed over
}

// add reads SafeContents (RFC 7292 §4.2).
func (b *bags) add(contents cryptobyte.String, depth int) error {
	var list cryptobyte.String
	if depth == 0 {
		contents = inDER(contents)
	}
	if !contents.ReadASN1(&list, asn1.SEQUENCE) || depth > 4 {
		return errNotPFX
	}
	for !list.Empty() {
		var bag, kind, value, inner, der cryptobyte.String
		if !list.ReadASN1(&bag, asn1.SEQUENCE) || !bag.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !bag.ReadASN1(&value, explicit0) || len(b.certs) > maxCertificates {
			return errNotPFX
		}
		id, _ := bytes.CutPrefix(kind, prefixBag)
		switch {
		case bytes.Equal(id, []byte{1}), bytes.Equal(id, []byte{2}), bytes.Equal(id, []byte{5}): // key, shrouded key, secret
			b.keys++
		case bytes.Equal(id, []byte{3}): // certificate
			if !value.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !inner.ReadASN1(&value, explicit0) {
				return errNotPFX
			}
			if !bytes.Equal(kind, oidX509) {
				continue // an SDSI certificate, RFC 7292 §4.2.3
			}
			if !value.ReadASN1(&der, asn1.OCTET_STRING) {
				return errNotPFX
			}
			c, err := parseDER(der)
			if err != nil {
				return fmt.Errorf("certificate %d in the PFX file: %w", len(b.certs)+1, err)
			}
			b.certs = append(b.certs, c)
		case bytes.Equal(id, []byte{6}): // SafeContents once more
			if err := b.add(value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify compares the MAC, by which a wrong password is known, if there is
// one of a kind that is known. Otherwise what comes out of it decides.
func (f *pfxFile) verify(password pfxPassword) error {
	if f.mac.Empty() {
		return nil
	}
	mac := f.mac
	var info, algorithm, kind, digest, salt cryptobyte.String
	count := 1
	if !mac.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) ||
		!info.ReadASN1(&digest, asn1.OCTET_STRING) || !mac.ReadASN1(&salt, asn1.OCTET_STRING) || !mac.Empty() && !mac.ReadASN1Integer(&count) {
		return errNotPFX
	}
	var h func() hash.Hash
	var key []byte
	if bytes.Equal(kind, oidPBMAC1) { // RFC 9579
		var params, kdf, scheme cryptobyte.String
		if !algorithm.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&kdf, asn1.SEQUENCE) || !params.ReadASN1(&scheme, asn1.SEQUENCE) || !scheme.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) {
			return errNotPFX
		}
		if h = hmacHash(kind); h == nil {
			return errUnsupported
		}
		var err error
		if key, err = deriveKey(kdf, password.utf8, h().Size()); err != nil {
			return err
		}
	} else {
		if h = digestHash(kind); h == nil {
			return errUnsupported
		}
		key = pkcs12Key(h, password.bmp, salt, count, 3, h().Size())
	}
	sum := hmac.New(h, key)
	sum.Write(f.content)
	if !hmac.Equal(sum.Sum(nil), digest) {
		return ErrPassword
	}
	return nil
}

// decipher opens an EncryptedContentInfo.
func decipher(info cryptobyte.String, password pfxPassword) ([]byte, error) {
	var algorithm, kind, data cryptobyte.String
	if !info.SkipASN1(asn1.OBJECT_IDENTIFIER) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!algorithm.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !info.ReadASN1(&data, implicit0) {
		return nil, errNotPFX
	}
	var block cipher.Block
	var iv []byte
	var err error
	if bytes.Equal(kind, oidPBES2) {
		block, iv, err = pbes2(algorithm, password.utf8)
	} else {
		block, iv, err = pbe(kind, algorithm, password.bmp)
	}
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errNotPFX
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > size || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, ErrPassword
	}
	return out[:len(out)-pad], nil
}

// pbe makes the ciphers of RFC 7292 §C.
func pbe(kind, algorithm cryptobyte.String, password []byte) (cipher.Block, []byte, error) {
	var params, salt cryptobyte.String
	var count int
	if !algorithm.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&salt, asn1.OCTET_STRING) || !params.ReadASN1Integer(&count) {
		return nil, nil, errNotPFX
	}
	key := func(size int) []byte { return pkcs12Key(sha1.New, password, salt, count, 1, size) }
	var block cipher.Block
	var err error
	switch id, _ := bytes.CutPrefix(kind, prefixPBE); {
	case bytes.Equal(id, []byte{3}):
		block, err = des.NewTripleDESCipher(key(24))
	case bytes.Equal(id, []byte{4}): // two keys of three
		k := key(16)
		block, err = des.NewTripleDESCipher(append(k, k[:8]...))
	case bytes.Equal(id, []byte{5}):
		block = newRC2(key(16))
	case bytes.Equal(id, []byte{6}):
		block = newRC2(key(5))
	default:
		err = errUnsupported
	}
	return block, pkcs12Key(sha1.New, password, salt, count, 2, 8), err
}

// pbes2 makes the ciphers of RFC 8018 §6.2.
func pbes2(algorithm cryptobyte.String, password string) (cipher.Block, []byte, error) {
	var params, kdf, scheme, kind, iv cryptobyte.String
	if !algorithm.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&kdf, asn1.SEQUENCE) || !params.ReadASN1(&scheme, asn1.SEQUENCE) || !scheme.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) {
		return nil, nil, errNotPFX
	}
	size, create := 24, des.NewTripleDESCipher
	if !bytes.Equal(kind, oidTripleDES) {
		create = aes.NewCipher
		switch id, _ := bytes.CutPrefix(kind, prefixAES); {
		case bytes.Equal(id, []byte{2}):
			size = 16
		case bytes.Equal(id, []byte{22}):
			size = 24
		case bytes.Equal(id, []byte{42}):
			size = 32
		default:
			return nil, nil, errUnsupported
		}
	}
	if !scheme.ReadASN1(&iv, asn1.OCTET_STRING) {
		return nil, nil, errNotPFX
	}
	key, err := deriveKey(kdf, password, size)
	if err != nil {
		return nil, nil, err
	}
	block, err := create(key)
	return block, iv, err
}

// deriveKey derives a key by PBKDF2 with its parameters (RFC 8018 §A.2).
func deriveKey(kdf cryptobyte.String, password string, size int) ([]byte, error) {
	var params, salt, prf, kind cryptobyte.String
	var count int
	oidPBKDF2 := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c} // 1.2.840.113549.1.5.12
	if !kdf.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !bytes.Equal(kind, oidPBKDF2) {
		return nil, errUnsupported
	}
	if !kdf.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&salt, asn1.OCTET_STRING) || !params.ReadASN1Integer(&count) ||
		!params.SkipOptionalASN1(asn1.INTEGER) || count < 1 {
		return nil, errNotPFX
	}
	h := sha1.New
	if !params.Empty() {
		if !params.ReadASN1(&prf, asn1.SEQUENCE) || !prf.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) {
			return nil, errNotPFX
		}
		if h = hmacHash(kind); h == nil {
			return nil, errUnsupported
		}
	}
	return pbkdf2.Key(h, password, salt, count, size)
}

// hmacHash returns the hash of an HMAC by its identifier (RFC 8018 §B.1), or nil.
func hmacHash(kind []byte) func() hash.Hash {
	id, _ := bytes.CutPrefix(kind, prefixHMAC)
	if len(id) != 1 {
		return nil
	}
	return map[byte]func() hash.Hash{7: sha1.New, 8: sha256.New224, 9: sha256.New, 10: sha512.New384, 11: sha512.New}[id[0]]
}

// digestHash returns a hash by its identifier, or nil.
func digestHash(kind []byte) func() hash.Hash {
	if bytes.Equal(kind, oidSHA1) {
		return sha1.New
	}
	id, _ := bytes.CutPrefix(kind, prefixSHA2)
	if len(id) != 1 {
		return nil
	}
	return map[byte]func() hash.Hash{1: sha256.New, 2: sha512.New384, 3: sha512.New, 4: sha256.New224}[id[0]]
}

// pkcs12Key derives size bytes for a purpose: 1 a key, 2 an initial vector, 3
// a key of a MAC (RFC 7292 §B.2).
func pkcs12Key(newHash func() hash.Hash, password, salt []byte, count int, purpose byte, size int) []byte {
	h := newHash()
	v := h.BlockSize()
	fill := func(b []byte) []byte { // to whole blocks
		if len(b) == 0 {
			return nil
		}
		n := (len(b) + v - 1) / v * v
		return bytes.Repeat(b, n/len(b)+1)[:n]
	}
	d := bytes.Repeat([]byte{purpose}, v)
	i := append(fill(salt), fill(password)...)
	var out []byte
	for len(out) < size {
		h.Reset()
		h.Write(d)
		h.Write(i)
		a := h.Sum(nil)
		for range count - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		b := fill(a)[:v]
		for j := 0; j < len(i); j += v { // each block of i plus b plus one
			carry := uint(1)
			for k := v - 1; k >= 0; k-- {
				carry += uint(i[j+k]) + uint(b[k])
				i[j+k] = byte(carry)
				carry >>= 8
			}
		}
	}
	return out[:size]
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
