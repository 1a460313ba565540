package oauthcert

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxBERDepth bounds the structures within each other. A PFX file, which is
// the deepest of what is read here, has about fifteen.
const maxBERDepth = 32

var (
	errCut     = errors.New("cut short")
	errDamaged = errors.New("damaged")
)

// header reads the tag and the length with which an element in BER or DER
// begins (X.690 §8.1). The length is -1 if it is indefinite.
func header(b []byte) (tag asn1.Tag, size, length int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, errCut
	}
	tag = asn1.Tag(b[0])
	if tag&0x1f == 0x1f {
		return 0, 0, 0, errDamaged // nothing that is read here has a tag of several bytes
	}
	switch n := int(b[1]); {
	case n < 0x80:
		return tag, 2, n, nil
	case n == 0x80:
		return tag, 2, -1, nil
	case n > 0x84:
		return 0, 0, 0, errDamaged
	case len(b) < 2+n&0x7f:
		return 0, 0, 0, errCut
	default:
		size = 2 + n&0x7f
		return tag, size, int(saturated(b[2:size])), nil
	}
}

// whole reports why b is not one whole element, with nothing after it that
// matters; nil means that it is, or is of indefinite length.
func whole(b []byte) error {
	_, size, length, err := header(b)
	switch {
	case errors.Is(err, errCut):
		return errCut
	case err != nil:
		return err
	case length > len(b)-size:
		return fmt.Errorf("%w: %d bytes of %d", errCut, len(b), size+length)
	}
	return nil
}

// toDER rewrites the element in BER with which b begins as DER, as far as
// that can be done without knowing what it is: lengths become definite and
// short, and strings in pieces whole (X.690 §10). It returns what follows too.
func toDER(b []byte, depth int) (der, rest []byte, err error) {
	if depth > maxBERDepth {
		return nil, nil, fmt.Errorf("%w: structures more than %d deep", errDamaged, maxBERDepth)
	}
	tag, size, length, err := header(b)
	if err != nil {
		return nil, nil, err
	}
	b = b[size:]
	if length > len(b) {
		return nil, nil, errCut
	}
	const constructed = 0x20
	if tag&constructed == 0 {
		if length < 0 {
			return nil, nil, errDamaged
		}
		return element(tag, b[:length]), b[length:], nil
	}
	body := b
	if length >= 0 {
		body, rest = b[:length], b[length:]
	}
	var children [][]byte
	for {
		if length >= 0 && len(body) == 0 {
			break
		}
		if length < 0 && bytes.HasPrefix(body, []byte{0, 0}) {
			rest = body[2:]
			break
		}
		var child []byte
		if child, body, err = toDER(body, depth+1); err != nil {
			return nil, nil, err
		}
		children = append(children, child)
	}
	// EncryptedContentInfo (RFC 5652 §6.1): the content may be in pieces, and
	// only its place says that it is a string.
	if tag == asn1.SEQUENCE && len(children) == 3 && children[0][0] == byte(asn1.OBJECT_IDENTIFIER) && children[1][0] == byte(asn1.SEQUENCE) && children[2][0] == 0xa0 {
		_, size, _, _ := header(children[2])
		if joined, ok := join(children[2][size:]); ok {
			children[2] = element(0x80, joined)
		}
	}
	content := bytes.Join(children, nil)
	switch tag &^ constructed {
	case asn1.OCTET_STRING, asn1.UTF8String, asn1.PrintableString, asn1.T61String, asn1.IA5String, 0x1c, 0x1e: // Universal, BMP
		joined, ok := join(content)
		if !ok {
			return nil, nil, errDamaged
		}
		return element(tag&^constructed, joined), rest, nil
	}
	return element(tag, content), rest, nil
}

// join puts together the pieces of a string, which are OCTET STRINGs in DER
// (X.690 §8.7, §8.23).
func join(pieces []byte) (all []byte, ok bool) {
	for len(pieces) > 0 {
		tag, size, length, err := header(pieces)
		if err != nil || tag != asn1.OCTET_STRING || length < 0 || length > len(pieces)-size {
			return nil, false
		}
		all, pieces = append(all, pieces[size:size+length]...), pieces[size+length:]
	}
	return all, true
}

// element encodes one element in DER.
func element(tag asn1.Tag, content []byte) []byte {
	out := []byte{byte(tag)}
	if n := len(content); n < 0x80 {
		out = append(out, byte(n))
	} else {
		var size []byte
		for ; n > 0; n >>= 8 {
			size = append([]byte{byte(n)}, size...)
		}
		out = append(append(out, 0x80|byte(len(size))), size...)
	}
	return append(out, content...)
}
