package oauthcert_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// What PowerShell 7 and .NET wrote of two throwaway certificates, and the
// thumbprints that are in each file.
func TestPowerShellFiles(t *testing.T) {
	var index []struct {
		File     string
		SHA1     []string
		Password string
	}
	data, err := os.ReadFile("testdata/powershell/index.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &index))
	require.Len(t, index, 29)
	for _, c := range index {
		rd := &oauthcert.Reader{Password: c.Password}
		all, err := rd.ReadFileAll(filepath.Join("testdata/powershell", c.File))
		if len(c.SHA1) == 0 {
			assert.ErrorIs(t, err, oauthcert.ErrNoCertificate, c.File)
			assert.ErrorContains(t, err, "names a certificate and does not hold it", c.File)
			assert.ErrorContains(t, err, "1CFB7D19EC0C3CC6CED6C828C9AF7DA51DD8240E", c.File)
			continue
		}
		require.NoError(t, err, c.File)
		var got []string
		for _, cert := range all {
			got = append(got, cert.SHA1().String())
		}
		assert.Equal(t, c.SHA1, got, c.File)
		if c.Password != "" {
			_, err = new(oauthcert.Reader).ReadFileAll(filepath.Join("testdata/powershell", c.File))
			assert.ErrorIs(t, err, oauthcert.ErrPassword, c.File)
			assert.NotErrorIs(t, err, oauthcert.ErrPrivateKey, "there is none in "+c.File)
		}
	}
}

// dumped is data as a dump of so many bytes a line, in groups.
func dumped(data []byte, format string, group int) string {
	var b strings.Builder
	for i := 0; i < len(data); i += 16 {
		line := data[i:min(i+16, len(data))]
		var digits, letters strings.Builder
		for j, c := range line {
			if j > 0 && j%group == 0 {
				digits.WriteByte(' ')
			}
			fmt.Fprintf(&digits, "%02x", c)
			if c < ' ' || c > '~' {
				c = '.'
			}
			letters.WriteByte(c)
		}
		fmt.Fprintf(&b, format+"\n", i, digits.String(), letters.String())
	}
	return b.String()
}

// forms are the ways in which people have a certificate as text.
func forms(der []byte) map[string]string {
	b64 := base64.StdEncoding.EncodeToString(der)
	text := block("CERTIFICATE", der)
	digits := strings.ToUpper(hex.EncodeToString(der))
	list := func(format, between string) string {
		parts := make([]string, len(der))
		for i, b := range der {
			parts[i] = fmt.Sprintf(format, b)
		}
		return strings.Join(parts, between)
	}
	quoted, _ := json.Marshal(text)
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text))
	half := len(b64) / 2
	return map[string]string{
		"PEM on one line":            strings.ReplaceAll(text, "\n", ""),
		"PEM with blanks for lines":  strings.ReplaceAll(text, "\n", " "),
		"PEM with bare CR":           strings.ReplaceAll(text, "\n", "\r"),
		"PEM with written line ends": strings.ReplaceAll(text, "\n", `\n`),
		"PEM with CR and LF written": strings.ReplaceAll(text, "\n", `\r\n`),
		"PEM in JSON":                `{"cert": ` + string(quoted) + `}`,
		"PEM in XML":                 "<c>" + escaped.String() + "</c>",
		"PEM in a URL":               strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(text),
		"PEM in a mail":              "Hello,\n\n> " + strings.ReplaceAll(text, "\n", "\n> ") + "\nBye",
		"PEM from a word processor":  strings.ReplaceAll(text, "--", "—"),
		"PEM with headers":           strings.Replace(text, "\n", "\nX-Note: what else\n\n", 1),
		"PEM beside other blocks":    block("DH PARAMETERS", []byte{0x30, 0}) + text + block("PUBLIC KEY", []byte{0x30, 0}),
		"PEM without its last line":  text[:strings.Index(text, "\n-----END")],
		"PEM with NULs behind":       text + "\x00\x00",
		"PEM that OpenSSL trusts":    block("TRUSTED CERTIFICATE", append(bytes.Clone(der), 0x30, 0)),
		"base64 with a label":        "Value : " + b64,
		"base64 wrapped in a list":   "RawData : " + b64[:half] + "\r\n          " + b64[half:] + "\r\nSubject : CN=x\r\n",
		"base64 in a mail":           "> " + b64[:half] + "\n> " + b64[half:] + "\n",
		"base64 quoted-printable":    b64[:half] + "=\r\n" + b64[half:],
		"base64 and invisible marks": "\u200b" + b64[:half] + "\u200e\u00a0" + b64[half:],
		"base64 in JSON of .NET":     `{"Value":"` + strings.NewReplacer("+", `\u002B`, "/", `\/`).Replace(b64) + `"}`,
		"base64 in CLIXML":           `<Objs><Obj><MS><BA N="RawData">` + b64 + `</BA><S N="a">_x000A_</S></MS></Obj></Objs>`,
		"base64 in CSV":              "Name;Value\nauth;" + b64 + "\n",
		"base64 in YAML":             "data:\n  cert: " + b64 + "\n",
		"base64 in a setting":        "CERT=" + b64,
		"PEM as base64 in YAML":      "data:\n  tls.crt: " + base64.StdEncoding.EncodeToString([]byte(text)) + "\n",
		"hexadecimal digits":         digits,
		"hexadecimal in lines":       digits[:100] + "\n" + digits[100:200] + "\n" + digits[200:],
		"hexadecimal with colons":    list("%02x", ":"),
		"hexadecimal with hyphens":   list("%02X", "-"),
		"hexadecimal with blanks":    "RawData: " + list("%02X", " "),
		"hexadecimal of C":           "{ " + list("0x%02x", ", ") + " };",
		"hexadecimal of a string":    `"` + list(`\x%02x`, "") + `"`,
		"hexadecimal of the registry": `"Blob"=hex:20,00,00,00,01,00,00,00,` + list("%02x", ",")[:80] + "\\\r\n  " +
			list("%02x", ",")[80:],
		"hexadecimal of SQL":            "0x" + digits,
		"dump of xxd":                   dumped(der, "%08x: %-39s  %s", 2),
		"dump of hexdump":               dumped(der, "%08x  %-48s |%s|", 1),
		"dump of certutil":              dumped(der, "%04x  %-48s   %s", 1),
		"dump of Format-Hex 5.1":        "           Path: C:\\cert.cer\n\n           00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F\n\n" + dumped(der, "%08X   %-47s  %s", 1),
		"dump in a mail":                "> " + strings.ReplaceAll(dumped(der, "%08x  %-48s |%s|", 1), "\n", "\n> "),
		"numbers, one a line":           list("%d", "\r\n"),
		"numbers in JSON":               `{"Subject":"x","RawData":[` + list("%d", ",") + `],"Other":[48,130,1]}`,
		"numbers, joined at the -Depth": `"RawData": "` + list("%d", " ") + `"`,
		"numbers in CLIXML":             "<LST><By>" + list("%d", "</By>\n<By>") + "</By></LST>",
	}
}

func TestFormsOfText(t *testing.T) {
	for _, cert := range []*oauthcert.Certificate{oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{ECDSA: true, CommonName: "x"}.Make()} {
		for name, text := range forms(cert.DER()) {
			for encoding, data := range map[string][]byte{
				"UTF-8": []byte(text), "UTF-16": utf16Text(text, binary.LittleEndian, true), "CRLF": []byte(strings.ReplaceAll(text, "\n", "\r\n")),
			} {
				all, err := new(oauthcert.Reader).ParseAll(data)
				if assert.NoError(t, err, name+" in "+encoding) && assert.Len(t, all, 1, name+" in "+encoding) {
					assert.True(t, all[0].Equal(cert), name+" in "+encoding)
				}
			}
		}
	}
}

// Two certificates in one text are two, whatever forms they have; and a text
// in which a private key stands beside a certificate is refused in any form.
func TestFormsTogether(t *testing.T) {
	one, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	two := oauthcerttest.AuthCertificate{CommonName: "two"}.Make()
	pfx, err := pkcs12.LegacyRC2.WithIterations(1).Encode(key, one.X509(), nil, "pass")
	require.NoError(t, err)
	first, second := forms(one.DER()), forms(two.DER())
	for name, text := range first {
		if strings.HasPrefix(name, "dump") || name == "PEM without its last line" || strings.Contains(name, "JSON") {
			continue
		}
		if strings.HasPrefix(name, "base64") || strings.HasPrefix(name, "PEM") {
			for _, secret := range []string{"base64 with a label", "PEM as base64 in YAML"} {
				_, err = oauthcert.Parse([]byte(text + "\n\n" + strings.Replace(forms(pfx)[secret], "CERTIFICATE", "PFX", -1)))
				if !strings.HasPrefix(name, "PEM") {
					assert.ErrorIs(t, err, oauthcert.ErrPrivateKey, name+" with a PFX file as "+secret)
				}
			}
		}
		all, err := new(oauthcert.Reader).ParseAll([]byte(text + "\n\n" + second[name]))
		if assert.NoError(t, err, name) {
			assert.Len(t, all, 2, name)
		}
	}
}

// Cut anywhere, a form of a certificate is no certificate, nor a panic, and
// what is cut short is said to be.
func TestFormsCutShort(t *testing.T) {
	der := oauthcerttest.AuthCertificate{ECDSA: true}.Make().DER()
	random := rand.New(rand.NewPCG(1, 2))
	for name, text := range forms(der) {
		if strings.HasPrefix(name, "dump") {
			continue // the letters of the last line may pass for digits
		}
		at := len(text)/2 + random.IntN(len(text)/4)
		_, err := oauthcert.Parse([]byte(text[:at]))
		if assert.Error(t, err, name) {
			assert.NotContains(t, err.Error(), "\n")
			if !strings.HasPrefix(name, "PEM as") {
				assert.Regexp(t, "cut short|damaged|neither", err.Error(), name)
			}
		}
	}
	_, err := oauthcert.Parse(der[:len(der)-1])
	assert.ErrorContains(t, err, fmt.Sprintf("cut short: %d bytes of %d", len(der)-1, len(der)))
	der[5] ^= 0xff
	_, err = oauthcert.Parse(der)
	assert.NotContains(t, err.Error(), "cut short", "it has all its bytes")
	_, err = oauthcert.Parse([]byte("Thumbprint,RawData\nx,System.Byte[]\n"))
	assert.ErrorContains(t, err, "ToBase64String")
}

// indefinite rewrites DER as BER of the other kind: lengths that are not told,
// and octet strings in pieces.
func indefinite(t *testing.T, der cryptobyte.String) []byte {
	t.Helper()
	var out []byte
	for !der.Empty() {
		var element, body cryptobyte.String
		var tag asn1.Tag
		require.True(t, der.ReadAnyASN1Element(&element, &tag))
		raw := element
		require.True(t, element.ReadAnyASN1(&body, &tag))
		switch {
		case tag&0x20 != 0:
			out = append(append(append(out, byte(tag), 0x80), indefinite(t, body)...), 0, 0)
		case (tag == asn1.OCTET_STRING || tag == 0x80) && len(body) > 1 && len(body) < 100:
			out = append(out, byte(tag)|0x20, 0x80, 4, 1, body[0], 4, byte(len(body)-1))
			out = append(append(out, body[1:]...), 0, 0)
		default:
			out = append(out, raw...)
		}
	}
	return out
}

func TestBER(t *testing.T) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	for name, der := range map[string][]byte{"certificate": cert.DER(), "PKCS#7": p7b(cert.DER())} {
		ber := indefinite(t, der)
		require.NotEqual(t, der, ber)
		for _, data := range [][]byte{ber, append(ber, 0, 0, '\r', '\n'), []byte(base64.StdEncoding.EncodeToString(ber)), []byte(block("PKCS7", ber))} {
			got, err := oauthcert.Parse(data)
			if assert.NoError(t, err, name) {
				assert.True(t, got.Equal(cert), name)
			}
		}
		_, err := oauthcert.Parse(ber[:len(ber)-5])
		assert.ErrorContains(t, err, "cut short", name)
	}
	pfx, err := pkcs12.LegacyRC2.WithIterations(1).Encode(key, cert.X509(), nil, "pass")
	require.NoError(t, err)
	got, err := (&oauthcert.Reader{Password: "pass"}).Parse(indefinite(t, pfx))
	require.NoError(t, err)
	assert.True(t, got.Equal(cert))
	_, err = oauthcert.Parse(indefinite(t, pfx))
	assert.ErrorIs(t, err, oauthcert.ErrPrivateKey)
	// The safe within the octet string may be in BER as well, as NSS has it;
	// without a MAC, which would be of that.
	plain, err := pkcs12.Passwordless.EncodeTrustStore([]*x509.Certificate{cert.X509()}, "")
	require.NoError(t, err)
	var pfxBody, version, info, kind, inner, safes cryptobyte.String
	whole := cryptobyte.String(plain)
	require.True(t, whole.ReadASN1(&pfxBody, asn1.SEQUENCE) && pfxBody.ReadASN1Element(&version, asn1.INTEGER) && pfxBody.ReadASN1(&info, asn1.SEQUENCE) &&
		info.ReadASN1Element(&kind, asn1.OBJECT_IDENTIFIER) && info.ReadASN1(&inner, asn1.Tag(0).Constructed().ContextSpecific()) && inner.ReadASN1(&safes, asn1.OCTET_STRING))
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(version)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(kind)
			b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(indefinite(t, safes)) })
		})
	})
	got, err = oauthcert.Parse(b.BytesOrPanic())
	require.NoError(t, err)
	assert.True(t, got.Equal(cert))
	_, err = oauthcert.Parse(bytes.Repeat([]byte{0x30, 0x80}, 1000))
	assert.ErrorIs(t, err, oauthcert.ErrNoCertificate)
}

func TestBytesBehind(t *testing.T) {
	one, two := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	for _, tail := range []string{"\x00", "\x00\x00\x00\x00", "\r\n", "\n", "\x1a"} {
		for _, der := range [][]byte{one.DER(), p7b(one.DER())} {
			got, err := oauthcert.Parse(append(der, tail...))
			if assert.NoError(t, err, "%q", tail) {
				assert.True(t, got.Equal(one))
			}
		}
	}
	all, err := new(oauthcert.Reader).ParseAll(append(one.DER(), two.DER()...))
	require.NoError(t, err)
	assert.Len(t, all, 2)
}

// All encryptions of PFX files, with and without a key in it.
func TestPFX(t *testing.T) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	other := oauthcerttest.AuthCertificate{CommonName: "other"}.Make()
	for name, encoder := range map[string]*pkcs12.Encoder{
		"RC2": pkcs12.LegacyRC2, "3DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023, "PBMAC1": pkcs12.Modern2026,
	} {
		for _, password := range []string{"", "p@ss wörd", "\U0001f511 key"} {
			if strings.ContainsRune(password, '\U0001f511') {
				continue // the encoder writes no surrogates
			}
			with, err := encoder.Encode(key, cert.X509(), nil, password)
			require.NoError(t, err)
			without, err := encoder.EncodeTrustStoreEntries([]pkcs12.TrustStoreEntry{{Cert: cert.X509(), FriendlyName: "a"}, {Cert: other.X509(), FriendlyName: "b"}}, password)
			require.NoError(t, err)
			_, err = oauthcert.Parse(with)
			assert.ErrorIs(t, err, oauthcert.ErrPrivateKey, name)

			all, err := (&oauthcert.Reader{Password: password}).ParseAll(append(without, 0, 0))
			if assert.NoError(t, err, name) {
				assert.Len(t, all, 2)
			}
			_, err = (&oauthcert.Reader{Password: "wrong"}).ParseAll(without)
			assert.ErrorIs(t, err, oauthcert.ErrPassword, name)
			if password == "" {
				continue
			}
			got, err := (&oauthcert.Reader{Password: password}).Parse(with)
			if assert.NoError(t, err, name) {
				assert.True(t, got.Equal(cert))
			}
			_, err = oauthcert.Parse(without)
			assert.ErrorIs(t, err, oauthcert.ErrPassword, name)
			assert.NotErrorIs(t, err, oauthcert.ErrPrivateKey, "there is none")
			assert.ErrorContains(t, err, "has a password")
		}
	}
	plain, err := pkcs12.Passwordless.EncodeTrustStore([]*x509.Certificate{cert.X509()}, "")
	require.NoError(t, err)
	got, err := oauthcert.Parse(plain)
	require.NoError(t, err)
	assert.True(t, got.Equal(cert))
	_, err = oauthcert.Parse(plain[:len(plain)-1])
	assert.ErrorContains(t, err, "cut short")
}

func TestSerializedStore(t *testing.T) {
	one, two := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	element := func(id uint32, data []byte) []byte {
		out := binary.LittleEndian.AppendUint32(nil, id)
		out = binary.LittleEndian.AppendUint32(out, 1)
		return append(binary.LittleEndian.AppendUint32(out, uint32(len(data))), data...)
	}
	sst := bytes.Join([][]byte{[]byte("\x00\x00\x00\x00CERT"), element(3, make([]byte, 20)), element(32, one.DER()), element(32, two.DER()), make([]byte, 12)}, nil)
	all, err := new(oauthcert.Reader).ParseAll(sst)
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.True(t, all[0].Equal(one))
	_, err = oauthcert.Parse(sst[:len(sst)/2])
	assert.ErrorContains(t, err, "cut short")
}

// altered makes a certificate whose TBSCertificate is rewritten by edit, which
// gets its fields: version, serial number, …, extensions.
func altered(der cryptobyte.String, edit func(fields [][]byte)) []byte {
	var cert, tbs cryptobyte.String
	if !der.ReadASN1(&cert, asn1.SEQUENCE) || !cert.ReadASN1(&tbs, asn1.SEQUENCE) {
		panic("no certificate")
	}
	var fields [][]byte
	for !tbs.Empty() {
		var field cryptobyte.String
		var tag asn1.Tag
		if !tbs.ReadAnyASN1Element(&field, &tag) {
			panic("no certificate")
		}
		fields = append(fields, field)
	}
	edit(fields)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(fields, nil)) })
		b.AddBytes(cert)
	})
	return b.BytesOrPanic()
}

// element encodes one element in DER.
func element(tag asn1.Tag, content []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.BytesOrPanic()
}

// Certificates that the standard parser refuses are read as far as they go,
// and say so.
func TestIrregular(t *testing.T) {
	at := time.Now()
	made := oauthcerttest.AuthCertificate{}.Make()
	for name, edit := range map[string]func(fields [][]byte){
		"a negative serial number": func(f [][]byte) { f[1] = []byte{2, 2, 0x80, 1} },
		"a version of its own":     func(f [][]byte) { f[0] = []byte{0xa0, 3, 2, 1, 7} },
		"dates without seconds": func(f [][]byte) {
			f[4] = element(asn1.SEQUENCE, append(element(asn1.GeneralizedTime, []byte("202601020304Z")), element(asn1.GeneralizedTime, []byte("20310102040405.5+0100"))...))
		},
		"a name in a UniversalString": func(f [][]byte) {
			f[5] = element(asn1.SEQUENCE, element(asn1.SET, element(asn1.SEQUENCE, append([]byte{6, 3, 0x55, 4, 3}, element(0x1c, []byte("\x00\x00\x00a\x00\x00\x20\xac"))...))))
		},
		"an extension twice": func(f [][]byte) {
			ext := []byte{0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x0f, 4, 3, 2, 1, 7}
			f[7] = append([]byte{0xa3, 26, 0x30, 24}, append(ext, ext...)...)
		},
	} {
		der := altered(made.DER(), edit)
		before := bytes.Clone(der)
		cert, err := oauthcert.Parse(der)
		require.Equal(t, before, der, "the input is left as it is")
		require.NoError(t, err, name)
		assert.NotEmpty(t, cert.Irregular(), name)
		assert.Equal(t, der, cert.DER(), name)
		switch name {
		case "dates without seconds":
			assert.Equal(t, "2026-01-02T03:04:00Z", cert.NotBefore().Format(time.RFC3339))
			assert.Equal(t, "2031-01-02T03:04:05Z", cert.NotAfter().Format(time.RFC3339))
		case "a name in a UniversalString":
			assert.Equal(t, "CN=a€", cert.Subject())
		default:
			assert.Equal(t, made.Subject(), cert.Subject())
			assert.True(t, made.NotAfter().Equal(cert.NotAfter()))
		}
		assert.Equal(t, 2048, cert.KeyBits())
		if name == "a negative serial number" {
			assert.Equal(t, big.NewInt(-32767), cert.X509().SerialNumber)
		}
		data, err := json.Marshal(cert)
		require.NoError(t, err)
		var back oauthcert.Certificate
		require.NoError(t, json.Unmarshal(data, &back))
		assert.Equal(t, cert.Irregular(), back.Irregular())
		assert.Equal(t, oauthcert.Assess(cert, at), oauthcert.Assess(&back, at))
		found := false
		for _, f := range oauthcert.Assess(cert, at) {
			found = found || f.Rule == "auth-cert-encoding" && f.Status == crossprem.Failed
		}
		assert.True(t, found, name)
		assert.Equal(t, cert.Irregular(), cert.WithKey(oauthcert.Key{Presence: oauthcert.KeyAbsent}).Irregular())
	}
	assert.Empty(t, made.Irregular())
}
