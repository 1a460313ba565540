package tlsprobe

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"slices"
)

// keyShare returns a new key share for group, RFC 8446 §4.2.8, of which the
// secret half is thrown away: what comes back is only looked at. It returns nil
// for a group whose shares cannot be made up: those over brainpool and SM2.
func keyShare(group Group) []byte {
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	over := func(curve ecdh.Curve) []byte {
		key, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			panic(err) // the system has no randomness
		}
		return key.PublicKey().Bytes()
	}
	kem768 := func() []byte {
		key, err := mlkem.GenerateKey768()
		if err != nil {
			panic(err)
		}
		return key.EncapsulationKey().Bytes()
	}
	kem1024 := func() []byte {
		key, err := mlkem.GenerateKey1024()
		if err != nil {
			panic(err)
		}
		return key.EncapsulationKey().Bytes()
	}
	switch group {
	case groupX25519:
		return over(ecdh.X25519())
	case groupP256:
		return over(ecdh.P256())
	case 0x0018:
		return over(ecdh.P384())
	case 0x0019:
		return over(ecdh.P521())
	case 0x001E: // X448: every string of this length is a share, RFC 7748 §5
		return random(56)
	case 0x0100, 0x0101, 0x0102, 0x0103, 0x0104: // a number below the prime, RFC 8446 §4.2.8.1
		share := random([]int{256, 384, 512, 768, 1024}[group-0x0100])
		share[0] &= 0x7F
		return share
	case 0x11EC: // X25519MLKEM768: ML-KEM first
		return slices.Concat(kem768(), over(ecdh.X25519()))
	case 0x11EB: // SecP256r1MLKEM768
		return slices.Concat(over(ecdh.P256()), kem768())
	case 0x11ED: // SecP384r1MLKEM1024
		return slices.Concat(over(ecdh.P384()), kem1024())
	case 0x0201:
		return kem768()
	case 0x0202:
		return kem1024()
	}
	return nil
}
