package oauthcert

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// sstMagic begins a serialized store (.sst), as Export-Certificate -Type SST
// writes it: version 0 and "CERT".
var sstMagic = []byte{0, 0, 0, 0, 'C', 'E', 'R', 'T'}

// serializedStore reads the certificates of a serialized store: elements of an
// identifier, a kind of encoding, a length and as many bytes, the last one 0.
// Certificates have the identifier 32; their properties stand in front, and
// name a private key at most. (MS-GPNAP, "Certificate serialization"; CertSaveStore.)
func serializedStore(data []byte) ([]*Certificate, error) {
	broken := fmt.Errorf("%w: a serialized store (.sst) that is cut short or damaged", ErrNoCertificate)
	data = data[len(sstMagic):]
	var all []*Certificate
	for {
		if len(data) < 4 {
			return nil, broken
		}
		id := binary.LittleEndian.Uint32(data)
		if id == 0 {
			return all, nil
		}
		if len(data) < 12 {
			return nil, broken
		}
		size := binary.LittleEndian.Uint32(data[8:])
		data = data[12:]
		if uint64(size) > uint64(len(data)) || len(all) > maxCertificates {
			return nil, broken
		}
		if id == 32 {
			c, err := parseDER(bytes.Clone(data[:size]))
			if err != nil {
				return nil, fmt.Errorf("certificate %d in the serialized store: %w", len(all)+1, err)
			}
			all = append(all, c)
		}
		data = data[size:]
	}
}
