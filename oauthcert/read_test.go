package oauthcert_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/crossprem/crossprem/internal/peer"
	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// utf16Text is text as Windows PowerShell redirects it.
func utf16Text(s string, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

// p7b makes a PKCS#7 SignedData that holds certificates and nothing else.
func p7b(certs ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier([]int{1, 2, 840, 113549, 1, 7, 2})
		b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier([]int{1, 2, 840, 113549, 1, 7, 1}) })
				b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
					for _, c := range certs {
						b.AddBytes(c)
					}
				})
				b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {})
			})
		})
	})
	return b.BytesOrPanic()
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestFormats(t *testing.T) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	der, text, b64 := cert.DER(), string(cert.PEM()), cert.Base64()
	read := func(name string, data []byte) {
		t.Helper()
		got, err := oauthcert.Parse(data)
		if assert.NoError(t, err, name) {
			assert.True(t, got.Equal(cert), name)
		}
	}
	read("DER", der)
	read("PEM", []byte(text))
	read("PEM with CRLF", []byte(strings.ReplaceAll(text, "\n", "\r\n")))
	read("PEM after a remark", []byte("Bag Attributes\n    localKeyID: 01\nsubject=/CN=x\n"+text))
	read("PEM with a UTF-8 mark", []byte("\ufeff"+text))
	read("PEM, twice the same", []byte(text+text))
	read("PEM, indented", []byte("  cert: |\n    "+strings.ReplaceAll(text, "\n", "\r\n    ")))
	read("PEM, encoded once more", []byte(base64.StdEncoding.EncodeToString([]byte(text))))
	read("PEM in UTF-16LE", utf16Text(text, binary.LittleEndian, true))
	read("PEM in UTF-16BE", utf16Text(text, binary.BigEndian, true))
	read("base64", []byte(b64))
	read("base64 in lines", []byte(b64[:64]+"\r\n"+b64[64:128]+"\r\n"+b64[128:]+"\r\n"))
	read("base64 in quotes", []byte(`"`+b64+`",`))
	read("base64 in UTF-16LE", utf16Text(b64+"\r\n", binary.LittleEndian, true))
	read("base64 in UTF-16LE without a mark", utf16Text(b64, binary.LittleEndian, false))
	read("base64 in UTF-16BE without a mark", utf16Text(b64, binary.BigEndian, false))
	read("base64url", []byte(base64.RawURLEncoding.EncodeToString(der)))
	read("PKCS#7", p7b(der))
	read("PKCS#7 as PEM", []byte(block("PKCS7", p7b(der))))
	read("PKCS#7 as base64", []byte(base64.StdEncoding.EncodeToString(p7b(der))))

	pfx, err := pkcs12.Modern.Encode(key, cert.X509(), nil, "pass")
	require.NoError(t, err)
	old, err := pkcs12.LegacyDES.Encode(key, cert.X509(), nil, "pass")
	require.NoError(t, err)
	for _, p := range [][]byte{pfx, old, []byte(base64.StdEncoding.EncodeToString(pfx))} {
		got, err := (&oauthcert.Reader{Password: "pass"}).Parse(p)
		require.NoError(t, err)
		assert.True(t, got.Equal(cert))
		_, err = (&oauthcert.Reader{Password: "wrong"}).Parse(p)
		assert.ErrorIs(t, err, oauthcert.ErrPassword)
		_, err = oauthcert.Parse(p)
		assert.ErrorIs(t, err, oauthcert.ErrPrivateKey)
	}
}

func TestPrivateKeysAreRefused(t *testing.T) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))
	_, curve := oauthcerttest.AuthCertificate{ECDSA: true}.MakeWithKey()
	sec1, err := x509.MarshalECPrivateKey(curve.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	var encrypted cryptobyte.Builder
	encrypted.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier([]int{1, 2, 840, 113549, 1, 5, 13}) })
		b.AddASN1OctetString(pkcs8)
	})
	refuse := func(name string, data []byte) {
		t.Helper()
		_, err := oauthcert.Parse(data)
		assert.ErrorIs(t, err, oauthcert.ErrPrivateKey, name)
		if err != nil {
			assert.NotContains(t, err.Error(), base64.StdEncoding.EncodeToString(pkcs8)[:40], name)
		}
	}
	refuse("PKCS#8", pkcs8)
	refuse("PKCS#1", pkcs1)
	refuse("SEC 1", sec1)
	refuse("encrypted PKCS#8", encrypted.BytesOrPanic())
	refuse("base64 PKCS#8", []byte(base64.StdEncoding.EncodeToString(pkcs8)))
	refuse("PEM", []byte(block("PRIVATE KEY", pkcs8)))
	refuse("PEM, certificate first", append(cert.PEM(), block("RSA PRIVATE KEY", pkcs1)...))
	refuse("PEM in UTF-16", utf16Text(string(cert.PEM())+block("EC PRIVATE KEY", sec1), binary.LittleEndian, true))
	refuse("PEM, encoded once more", []byte(base64.StdEncoding.EncodeToString([]byte(block("PRIVATE KEY", pkcs8)))))
	refuse("PEM, indented", []byte("    "+strings.ReplaceAll(block("PRIVATE KEY", pkcs8), "\n", "\n    ")))
	refuse("PEM, damaged", append(cert.PEM(), "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n"...))
	refuse("PEM that says certificate", []byte(block("CERTIFICATE", pkcs8)))
	refuse("a Java key store", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"))
}

func TestUnreadable(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	der := cert.DER()
	fails := func(data []byte, want error, text string) {
		t.Helper()
		_, err := oauthcert.Parse(data)
		require.Error(t, err)
		if want != nil {
			assert.ErrorIs(t, err, want)
		}
		assert.Contains(t, err.Error(), text)
		assert.NotContains(t, err.Error(), "\n")
	}
	fails(nil, oauthcert.ErrNoCertificate, "empty")
	fails([]byte(" \r\n"), oauthcert.ErrNoCertificate, "empty")
	fails([]byte("hello, world!"), oauthcert.ErrNoCertificate, "neither PEM nor base64")
	fails([]byte("\x00\x01\x02\x03"), oauthcert.ErrNoCertificate, "neither text nor DER")
	fails(der[:100], oauthcert.ErrNoCertificate, "cut short")
	fails(append(der, 7), nil, "1 bytes after the end")
	fails([]byte("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), nil, "block 1 of 1 is damaged")
	fails(append(cert.PEM(), "-----BEGIN CERTIFICATE-----\n"...), nil, "block 2 of 2 is damaged")
	fails([]byte(block("CERTIFICATE REQUEST", der)), oauthcert.ErrNoCertificate, `"CERTIFICATE REQUEST"`)
	fails(p7b(), oauthcert.ErrNoCertificate, "")
	fails(p7b(der[:50]), oauthcert.ErrNoCertificate, "PKCS#7")
	fails(make([]byte, 5<<20), nil, "at most")
	huge := oauthcerttest.AuthCertificate{CommonName: strings.Repeat("x", 70_000)}.Make()
	fails(huge.DER(), nil, "at most 65536")
	spki, err := x509.MarshalPKIXPublicKey(cert.X509().PublicKey)
	require.NoError(t, err)
	fails(spki, oauthcert.ErrNoCertificate, "bare public key")

	_, err = oauthcert.ReadFile(filepath.Join(t.TempDir(), "none.cer"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestLeafOfAChain(t *testing.T) {
	ca := testca.New("")
	leaf := ca.Issue(testca.Leaf{CommonName: "mail.contoso.test"})
	for _, data := range [][]byte{
		p7b(ca.Cert.Raw, leaf.Certificate[0]),
		p7b(leaf.Certificate[0], ca.Cert.Raw),
		[]byte(block("CERTIFICATE", ca.Cert.Raw) + block("CERTIFICATE", leaf.Certificate[0])),
	} {
		got, err := oauthcert.Parse(data)
		require.NoError(t, err)
		assert.Equal(t, "CN=mail.contoso.test", got.Subject())
	}
	one, two := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	_, err := oauthcert.Parse(append(one.PEM(), two.PEM()...))
	assert.ErrorIs(t, err, oauthcert.ErrAmbiguous)
	assert.ErrorContains(t, err, two.SHA1().String())
	all, err := new(oauthcert.Reader).ParseAll(append(one.PEM(), two.PEM()...))
	require.NoError(t, err)
	assert.Len(t, all, 2)
}

// A PFX file may ask for so much key derivation that reading it never ends.
func TestPFXIterationsAreBounded(t *testing.T) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	pfx, err := pkcs12.LegacyDES.WithIterations(77_777).Encode(key, cert.X509(), nil, "pass")
	require.NoError(t, err)
	count := []byte{0x02, 0x03, 0x01, 0x2f, 0xd1} // INTEGER 77777
	require.GreaterOrEqual(t, strings.Count(string(pfx), string(count)), 2, "the parameters of the MAC and of the key")
	for i := 0; ; {
		n := strings.Index(string(pfx)[i:], string(count))
		if n < 0 {
			break
		}
		i += n
		evil := append([]byte(nil), pfx...)
		evil[i+2] = 0x7f // 8,335,313 iterations
		_, err = (&oauthcert.Reader{Password: "pass"}).Parse(evil)
		assert.ErrorContains(t, err, "iterations", "at %d", i)
		i += len(count)
	}
}

func TestOutputs(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	assert.Equal(t, cert.DER(), cert.CER())
	assert.Equal(t, oauthcert.Subject, cert.Subject())
	sum := cert.SHA1()
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), cert.X5T())
	assert.Equal(t, 2048, cert.KeyBits())
	assert.True(t, cert.SelfSigned())

	var shown struct {
		Subject, SHA1, SHA256, NotBefore, NotAfter, Base64 string
		KeyCredential                                      map[string]string
	}
	data, err := json.Marshal(cert)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &shown))
	assert.Equal(t, oauthcert.Subject, shown.Subject)
	assert.Equal(t, cert.SHA1().String(), shown.SHA1)
	assert.Equal(t, cert.SHA256(), shown.SHA256)
	assert.Equal(t, cert.Base64(), shown.Base64)
	assert.True(t, strings.HasSuffix(shown.NotAfter, "Z"), "dates are UTC")
	assert.Equal(t, map[string]string{
		"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": oauthcert.Subject, "key": cert.Base64(),
	}, shown.KeyCredential, "the dates and the id are for Entra ID to give")

	long := oauthcerttest.AuthCertificate{CommonName: strings.Repeat("ä", 60)}.Make()
	assert.LessOrEqual(t, len([]rune(long.KeyCredential().DisplayName)), 90)
	none := oauthcerttest.AuthCertificate{CommonName: "-"}.Make()
	assert.Equal(t, "", none.Subject())
}

// However a Reader is printed, its password is not.
func TestThePasswordIsNotPrinted(t *testing.T) {
	r := oauthcert.Reader{Password: "hunter2"}
	f := oauthcert.Folder{Path: "store", Reader: r}
	for _, v := range []any{r, &r, f, &f, []oauthcert.Folder{f}, map[string]any{"x": r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "hunter2", verb)
			assert.NotContains(t, fmt.Sprintf(verb, v), hex.EncodeToString([]byte("hunter2")), verb)
		}
		data, err := json.Marshal(v)
		require.NoError(t, err)
		assert.NotContains(t, string(data), "hunter2")
	}
	assert.Equal(t, `oauthcert.Reader{Password:"(hidden)"}`, fmt.Sprint(r))
	assert.Equal(t, `oauthcert.Reader{Password:""}`, fmt.Sprint(oauthcert.Reader{}))
}

// OpenSSL is asked what it makes of what we write, and we of what it writes.
func TestOpenSSL(t *testing.T) {
	openssl := peer.Look(t, "openssl", "openssl")
	cert := oauthcerttest.AuthCertificate{}.Make()
	dir := t.TempDir()
	cer := filepath.Join(dir, "auth.cer")
	require.NoError(t, os.WriteFile(cer, cert.CER(), 0o600))
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	digits := func(s string) string { return strings.ReplaceAll(s, ":", "") }
	assert.Contains(t, digits(run("x509", "-inform", "DER", "-in", cer, "-noout", "-fingerprint", "-sha1")), cert.SHA1().String())
	assert.Contains(t, digits(run("x509", "-inform", "DER", "-in", cer, "-noout", "-fingerprint", "-sha256")), cert.SHA256())

	key, made := filepath.Join(dir, "key.pem"), filepath.Join(dir, "made.pem")
	run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=made", "-keyout", key, "-out", made)
	want, err := oauthcert.ReadFile(made)
	require.NoError(t, err)
	for name, args := range map[string][]string{
		"made.der":    {"x509", "-in", made, "-outform", "DER", "-out"},
		"made.txt":    {"x509", "-in", made, "-text", "-out"},
		"made.p7b":    {"crl2pkcs7", "-nocrl", "-certfile", made, "-outform", "DER", "-out"},
		"made.p7.pem": {"crl2pkcs7", "-nocrl", "-certfile", made, "-out"},
		"made.pfx":    {"pkcs12", "-export", "-in", made, "-inkey", key, "-passout", "pass:p", "-out"},
	} {
		file := filepath.Join(dir, name)
		run(append(args, file)...)
		got, err := (&oauthcert.Reader{Password: "p"}).ReadFile(file)
		if assert.NoError(t, err, name) {
			assert.True(t, got.Equal(want), name)
		}
	}
	_, err = oauthcert.ReadFile(key)
	assert.ErrorIs(t, err, oauthcert.ErrPrivateKey)
	assert.ErrorContains(t, err, key)
}

func TestParseThumbprint(t *testing.T) {
	const want = "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C"
	for _, s := range []string{
		want, strings.ToLower(want), "  " + want + "\r\n", "\u200e" + want, "\ufeff" + want, `"` + want + `"`,
		"\u200e'" + want + "'\r\n", "?" + want, "?a9 4f 2c 7b 18 d0 5e 63 f1 a2 b4 c6 d8 e0 f2 14 36 58 7a 9c",
		"a9 4f 2c 7b 18 d0 5e 63 f1 a2 b4 c6 d8 e0 f2 14 36 58 7a 9c",
		"\u200ea9\u00a04f 2c 7b 18 d0 5e 63 f1 a2 b4 c6 d8 e0 f2 14 36 58 7a 9c\u200f",
		"A9:4F:2C:7B:18:D0:5E:63:F1:A2:B4:C6:D8:E0:F2:14:36:58:7A:9C",
		"A9-4F-2C-7B-18-D0-5E-63-F1-A2-B4-C6-D8-E0-F2-14-36-58-7A-9C",
	} {
		got, err := oauthcert.ParseThumbprint(s)
		if assert.NoError(t, err, "%q", s) {
			assert.Equal(t, want, got.String())
		}
	}
	for _, s := range []string{"", "?", "??" + want, want + "?", want[:39], want + "0", want[:39] + "G", "０" + want[:39], want + want[:24], strings.Repeat(" ", 500), "thumbprint: " + want} {
		_, err := oauthcert.ParseThumbprint(s)
		assert.ErrorIs(t, err, oauthcert.ErrThumbprint, "%q", s)
	}
}

func FuzzParseThumbprint(f *testing.F) {
	f.Add("A9:4F:2C:7B:18:D0:5E:63:F1:A2:B4:C6:D8:E0:F2:14:36:58:7A:9C")
	f.Add("\u200ea94f2c7b18d05e63f1a2b4c6d8e0f21436587a9c")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := oauthcert.ParseThumbprint(s)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		again, err := oauthcert.ParseThumbprint(got.String())
		if !got.IsZero() && (err != nil || again != got) {
			t.Fatalf("%q became %v, and that %v (%v)", s, got, again, err)
		}
		if n := strings.Count(strings.ToUpper(s), "A"); !got.IsZero() && n != strings.Count(got.String(), "A") {
			t.Fatalf("%q became %v: a digit was lost", s, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	cert, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	pfx, _ := pkcs12.LegacyDES.WithIterations(1).WithRand(rand.Reader).Encode(key, cert.X509(), nil, "pass")
	for _, seed := range [][]byte{cert.DER(), cert.PEM(), []byte(cert.Base64()), p7b(cert.DER()), pkcs8, pfx,
		utf16Text(string(cert.PEM()), binary.LittleEndian, true), append(cert.PEM(), block("PRIVATE KEY", pkcs8)...)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := (&oauthcert.Reader{Password: "pass"}).ParseAll(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		for _, c := range all {
			// Whatever came in, what goes out is one certificate in every form.
			for i, out := range [][]byte{c.CER(), c.PEM(), []byte(c.Base64()), p7b(c.DER()), utf16Text(c.Base64(), binary.LittleEndian, true)} {
				again, err := oauthcert.Parse(out)
				if err != nil || !again.Equal(c) {
					t.Fatalf("in form %d it reads otherwise: %v", i, err)
				}
			}
			if strings.Contains(c.Subject(), "\n") && strings.Contains(c.String(), "\n") {
				t.Fatalf("a certificate of several lines: %q", c)
			}
		}
	})
}

func writeFile(dir, name string, data []byte) error {
	return os.WriteFile(filepath.Join(dir, name), data, 0o600)
}
