package authinspect_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

var (
	noon     = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	exchange = authinspecttest.NTLM{
		NetBIOSComputer: "EX01", NetBIOSDomain: "CONTOSO", DNSComputer: "ex01.corp.contoso.test", DNSDomain: "corp.contoso.test", DNSForest: "contoso.test",
		Major: 10, Build: 20348, Skew: -7 * time.Minute,
	}
)

func TestDecodeNTLMChallenge(t *testing.T) {
	c, err := authinspect.DecodeNTLMChallenge(exchange.Token68(noon))
	require.NoError(t, err)
	assert.Equal(t, []string{"CONTOSO", "EX01", "ex01.corp.contoso.test", "corp.contoso.test", "contoso.test"}, c.InternalNames())
	assert.Equal(t, "10.0.20348", c.Version.String())
	assert.Equal(t, noon.Add(-7*time.Minute), c.Time)
	assert.Empty(t, c.Warnings)

	_, ok := c.Skew()
	assert.False(t, ok, "when it arrived is not known")
	c.At = noon
	skew, ok := c.Skew()
	assert.True(t, ok)
	assert.Equal(t, -7*time.Minute, skew)

	data, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, `{"targetName":"CONTOSO","netbiosComputer":"EX01","netbiosDomain":"CONTOSO","dnsComputer":"ex01.corp.contoso.test",
		"dnsDomain":"corp.contoso.test","dnsForest":"contoso.test","version":"10.0.20348","time":"2026-11-22T11:53:00Z","at":"2026-11-22T12:00:00Z","flags":2726920709,"revision":15,"clockSkewSeconds":-420}`, string(data))
}

// The example of [MS-NLMP] §4.2.4.3, NTLMv2 with its names.
func TestDecodeNTLMChallengeOfTheSpecification(t *testing.T) {
	message := "NTLMSSP\x00\x02\x00\x00\x00\x0c\x00\x0c\x00\x38\x00\x00\x00\x33\x82\x8a\xe2\x01\x23\x45\x67\x89\xab\xcd\xef" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x24\x00\x24\x00\x44\x00\x00\x00\x06\x00\x70\x17\x00\x00\x00\x0f" +
		"S\x00e\x00r\x00v\x00e\x00r\x00" +
		"\x02\x00\x0c\x00D\x00o\x00m\x00a\x00i\x00n\x00\x01\x00\x0c\x00S\x00e\x00r\x00v\x00e\x00r\x00\x00\x00\x00\x00"
	c, err := authinspect.ParseNTLMChallenge([]byte(message))
	require.NoError(t, err)
	assert.Equal(t, authinspect.NTLMChallenge{
		TargetName: "Server", NetBIOSComputer: "Server", NetBIOSDomain: "Domain", Flags: 0xe28a8233,
		Version: authinspect.NTLMVersion{Major: 6, Build: 6000, Revision: 15},
	}, *c)
}

func TestDecodeNTLMChallengeVariants(t *testing.T) {
	old := exchange
	old.OEM, old.NoTime = true, true
	c, err := authinspect.ParseNTLMChallenge(old.Message(noon))
	require.NoError(t, err)
	assert.Equal(t, "CONTOSO", c.TargetName)
	assert.True(t, c.Time.IsZero())

	// Inside SPNEGO, and without padding.
	wrapped := append([]byte("\xa1\x81\xff\x30\x81\xfc"), exchange.Message(noon)...)
	c, err = authinspect.DecodeNTLMChallenge(base64.RawStdEncoding.EncodeToString(wrapped))
	require.NoError(t, err)
	assert.Equal(t, "ex01.corp.contoso.test", c.DNSComputer)

	// The oldest servers end after the challenge.
	c, err = authinspect.ParseNTLMChallenge([]byte("NTLMSSP\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x01\x23\x45\x67\x89\xab\xcd\xef"))
	require.NoError(t, err)
	assert.Empty(t, c.InternalNames())
	assert.Empty(t, c.Version)

	for _, bad := range []string{"", "TlRM", "%", strings.Repeat("A", 1<<17), base64.StdEncoding.EncodeToString(exchange.Message(noon)[:31])} {
		_, err := authinspect.DecodeNTLMChallenge(bad)
		assert.ErrorIs(t, err, authinspect.ErrNotNTLM)
	}
}

// A message may be cut anywhere after its fixed part: what is left is read,
// what is missing is told.
func TestDecodeNTLMChallengeCutShort(t *testing.T) {
	whole := exchange.Message(noon)
	for n := 32; n < len(whole); n++ {
		c, err := authinspect.ParseNTLMChallenge(whole[:n])
		require.NoError(t, err)
		assert.True(t, len(c.Warnings) > 0 || n < 48, "%d bytes", n)
	}
}

// Whatever arrives, names are printable and come from the message; the fake's
// own messages come out as they were put in.
func FuzzParseNTLMChallenge(f *testing.F) {
	f.Add(exchange.Message(noon), "CONTOSO", "ex01", uint16(20348))
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), "Ж", "\U0001F600", uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, domain, computer string, build uint16) {
		if c, err := authinspect.ParseNTLMChallenge(data); err == nil {
			total := 0
			for _, name := range []string{c.TargetName, c.NetBIOSComputer, c.NetBIOSDomain, c.DNSComputer, c.DNSDomain, c.DNSForest} {
				require.NotContains(t, name, "\n")
				require.NotContains(t, name, "\x1b")
				total += len(name)
			}
			require.LessOrEqual(t, total, 6*3*len(data))
			if !c.Time.IsZero() {
				require.LessOrEqual(t, c.Time.Year(), 9999)
				require.GreaterOrEqual(t, c.Time.Year(), 1601)
			}
			_, err := json.Marshal(c)
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, authinspect.ErrNotNTLM)
		}

		if len(domain) > 255 || len(computer) > 255 {
			return
		}
		c, err := authinspect.ParseNTLMChallenge(authinspecttest.NTLM{NetBIOSDomain: domain, DNSComputer: computer, Major: 10, Build: build}.Message(noon))
		require.NoError(t, err)
		require.Empty(t, c.Warnings)
		require.Equal(t, build, c.Version.Build)
		require.Equal(t, noon, c.Time)
		if isPlain(domain) {
			require.Equal(t, domain, c.NetBIOSDomain)
		}
		if isPlain(computer) {
			require.Equal(t, computer, c.DNSComputer)
		}
	})
}

// A name is shown to people, and has an end.
func TestParseNTLMChallengeLongNames(t *testing.T) {
	c, err := authinspect.ParseNTLMChallenge(authinspecttest.NTLM{NetBIOSDomain: strings.Repeat("x", 5000), DNSComputer: strings.Repeat("y", 5000)}.Message(noon))
	require.NoError(t, err)
	for _, name := range c.InternalNames() {
		assert.Len(t, []rune(name), 301)
	}
}

func isPlain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
