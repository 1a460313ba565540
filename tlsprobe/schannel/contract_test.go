package schannel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/internal/wintext"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

var goals = []schannel.Goal{schannel.GoalUnknown, schannel.OfferTLS12, schannel.OfferTLS13, schannel.EntraConnect, schannel.ExchangeServer, schannel.NoOldVersions}

// samples are clients of all kinds: nil, empty, every Windows, and generated
// ones.
func samples() []*schannel.Client {
	all := []*schannel.Client{nil, {}, {Build: 14393}, {Build: 1}, {Build: 99999, Kind: schannel.ServerSystem}, schannel.NewClient(nil)}
	for _, w := range tlsprobetest.AllWindows() {
		c := schannel.NewClient(w.Registry())
		all = append(all, c)
		exchange := *c
		exchange.Exchange = schannel.Build{Major: 15, Minor: 2, Build: 1118, Revision: 7}
		exchange.Observed = []schannel.Observation{{App: schannel.App{Stack: schannel.WindowsPowerShell}, Value: "Tls12"}}
		all = append(all, &exchange)
	}
	policy := tlsprobetest.Set(tlsprobetest.Registry("Windows Server 2022"), `HKLM\SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL\00010002`, "Functions",
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P256,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256")
	all = append(all, schannel.NewClient(policy), &schannel.Client{Exchange: schannel.Build{Major: 15, Minor: 1, Build: 2507}})
	rnd := rand.NewChaCha8([32]byte{3})
	data := make([]byte, 90)
	for range 40 {
		rnd.Read(data)
		c, _ := generated(&chooser{data})
		all = append(all, c)
	}
	return all
}

func servers() []*tlsprobe.Result {
	unknown := server(0xC030, 0x1D, t12)
	unknown.Versions[t13] = tlsprobe.Answer{}
	unknown.Versions[t11] = tlsprobe.Answer{}
	return []*tlsprobe.Result{
		nil, {}, {Target: "a:1", Class: tlsprobe.NotTLS}, {Target: "a:1", Class: tlsprobe.ConnectionRefused}, unknown,
		server(0xC030, 0x1D, t12, t13), server(0xC027, 0x17, t12), server(0x002F, 0, t10), server(0xC0AE, 0x1A, t12), server(0, 0, t13),
		server(0x0005, 0, ssl3), server(0xC013, 0x17, t10, t12), server(0xC013, 0x1E, t11),
	}
}

func TestFindings(t *testing.T) {
	findingtest.CheckRules(t, schannel.Rules())
	seen := make(map[string]map[crossprem.Status]bool)
	note := func(all []crossprem.Finding) {
		for _, f := range all {
			if seen[f.Rule] == nil {
				seen[f.Rule] = make(map[crossprem.Status]bool)
			}
			seen[f.Rule][f.Status] = true
		}
	}
	for _, c := range samples() {
		all := schannel.Assess(c)
		findingtest.Check(t, "Assess", schannel.Rules(), all)
		note(all)
		twice := schannel.Assess(c, schannel.App{}, schannel.App{}, schannel.App{Stack: schannel.Exchange})
		findingtest.Check(t, "Assess twice", schannel.Rules(), twice)
		for _, app := range append(schannel.Apps(), schannel.App{}, schannel.App{Stack: schannel.Exchange}) {
			for _, r := range servers() {
				n := schannel.Negotiate(c.Offers(app), r)
				f := []crossprem.Finding{schannel.AssessNegotiation(n)}
				findingtest.Check(t, "AssessNegotiation", schannel.Rules(), f)
				note(f)
			}
		}
	}
	findingtest.Check(t, "nil", schannel.Rules(), []crossprem.Finding{schannel.AssessNegotiation(nil)})
	for _, r := range schannel.Rules() {
		for _, s := range []crossprem.Status{crossprem.Unknown, crossprem.Passed, crossprem.Failed} {
			assert.True(t, seen[r.ID][s], "no sample has %s %v", r.ID, s)
		}
	}
}

// readBack checks that v survives JSON.
func readBack[T any](t *testing.T, v *T) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	got := new(T)
	require.NoError(t, json.Unmarshal(b, got), string(b))
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(b), string(again))
	if !reflect.DeepEqual(v, got) {
		assert.Equal(t, v, got)
	}
}

// What marshals reads back to an equal value, and judges the same.
func TestReadBack(t *testing.T) {
	for _, c := range samples() {
		if c == nil {
			continue
		}
		readBack(t, c)
		b, err := json.Marshal(c)
		require.NoError(t, err)
		var back schannel.Client
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, schannel.Assess(c), schannel.Assess(&back))
		for _, app := range schannel.Apps() {
			o := c.Offers(app)
			readBack(t, o)
			for _, r := range servers() {
				readBack(t, schannel.Negotiate(o, r))
			}
		}
		for _, g := range goals {
			readBack(t, schannel.Mend(c, g))
		}
	}
	alert := tlsprobe.Alert(40)
	readBack(t, &schannel.Trial{Target: "a:1", App: schannel.App{Stack: schannel.WinHTTP, Bits: 32}, Version: t12, Suite: 0xC030, Group: 0x17})
	readBack(t, &schannel.Trial{Alert: &alert})
	odd := schannel.Suites{0xC030, 0x1234}
	readBack(t, &odd)
	curves := schannel.Groups{0x1D, 0x4321}
	readBack(t, &curves)
	for _, v := range []any{new(schannel.Stack), new(schannel.Host), new(schannel.Kind), new(schannel.State), new(schannel.Confidence), new(schannel.Cause),
		new(schannel.Side), new(schannel.Goal), new(schannel.Restart), new(schannel.Framework), new(schannel.Build), new(schannel.Suites), new(schannel.Groups)} {
		assert.Error(t, json.Unmarshal([]byte(`"nonsense"`), v), "%T", v)
	}
}

// A mending reaches its goal where it says that it is possible, says what it
// breaks, writes text that reads back to the same values, and has nothing left
// to do the second time.
func TestMend(t *testing.T) {
	for _, c := range samples() {
		for _, g := range goals {
			m := schannel.Mend(c, g)
			if len(m.Changes) == 0 {
				assert.Empty(t, m.Reg)
				assert.Empty(t, m.Losses)
				continue
			}
			written, err := schannel.Read(strings.NewReader(m.Reg))
			require.NoError(t, err)
			before := c
			if before == nil {
				before = new(schannel.Client)
			}
			after := *before
			after.Registry = schannel.Registry{}
			for key, values := range before.Registry {
				after.Registry[key] = values
			}
			for key, values := range written.Registry {
				for name, v := range values {
					after.Registry = tlsprobetest.Set(after.Registry, key, name, v)
				}
			}
			after.Observed = nil
			assert.Empty(t, schannel.Mend(&after, g).Changes, "%v %v", g, m.Changes)
			for _, ch := range m.Changes {
				v, ok := after.Registry[spelled(after.Registry, ch.Key)][ch.Name].(uint32)
				assert.True(t, ok)
				assert.Equal(t, ch.Data, v)
				assert.Contains(t, m.PowerShell, ch.Name)
			}
			if m.Possible == crossprem.Yes {
				reached(t, &after, g)
			}
			unobserved := *before
			unobserved.Observed = nil
			for _, app := range schannel.Apps() {
				told := map[tlsprobe.Version]bool{}
				for _, l := range m.Losses {
					if l.App.Label() == app.Label() {
						for _, v := range l.Versions {
							told[v] = true
						}
					}
				}
				for _, v := range (&unobserved).Offers(app).Set() {
					assert.Equal(t, after.Offers(app).Offers(v) == crossprem.No, told[v], "%v: %s, %v", g, app.Label(), v)
				}
			}
		}
	}
}

func spelled(r schannel.Registry, key string) string {
	for k := range r {
		if strings.EqualFold(k, key) {
			return k
		}
	}
	return key
}

func reached(t *testing.T, after *schannel.Client, g schannel.Goal) {
	t.Helper()
	for _, app := range schannel.Apps() {
		o := after.Offers(app)
		switch {
		case g == schannel.OfferTLS12 && !app.Server:
			assert.Equal(t, crossprem.Yes, o.Offers(t12), "%s", app.Label())
		case g == schannel.OfferTLS13 && !app.Server && app.Stack != schannel.WinHTTP && app.Host != schannel.Remoting:
			assert.Equal(t, crossprem.Yes, o.Offers(t13), "%s", app.Label())
		case g == schannel.NoOldVersions && after.Build != 0:
			for _, v := range []tlsprobe.Version{ssl2, ssl3, t10, t11} {
				assert.Equal(t, crossprem.No, o.Offers(v), "%s %v", app.Label(), v)
			}
		}
	}
}

// Input that is no registry is one line of error, quoted nowhere, and takes no
// more memory than a registry does.
func TestBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		input string
		want  string
	}{
		"nothing":           {"", "not a registry export"},
		"another program":   {"Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\secret]\r\n\"a\"=\"b\"\r\n", "holds no key about TLS"},
		"junk":              {"\x7fELF\x00\x01secret" + strings.Repeat("\x00\xff\x13", 1000), "not a registry export"},
		"binary UTF-16":     {"\xff\xfe" + strings.Repeat("\x00\xd8\x01", 1001), "UTF-16"},
		"torn":              {string(wintext.EncodeUTF16(wintext.Mark+"Windows Registry Editor Version 5.00\r\n")) + "x", "UTF-16"},
		"JSON of others":    {`{"secret": 1}`, "nothing of a client"},
		"broken JSON":       {`{"build": "secret"}`, "neither a registry export nor a snapshot"},
		"a line that is no": {"REGEDIT4\n[HKEY_LOCAL_MACHINE\\x]\nsecret", "line 3"},
	} {
		_, err := schannel.Read(strings.NewReader(c.input))
		if assert.Error(t, err, name) {
			assert.Contains(t, err.Error(), c.want, name)
			assert.NotContains(t, err.Error(), "\n", name)
			assert.NotContains(t, strings.ReplaceAll(err.Error(), "secrets", ""), "secret", name)
		}
	}
	_, err := schannel.Read(strings.NewReader("Windows Registry Editor Version 5.00\n"), strings.NewReader("junk"))
	assert.ErrorContains(t, err, "input 2")
	_, err = schannel.Read()
	assert.ErrorIs(t, err, schannel.ErrNothing)

	// 100 MB of another program's keys, of one value, and of junk.
	for name, c := range map[string]struct{ head, body string }{
		"keys": {"Windows Registry Editor Version 5.00\r\n", "[HKEY_CURRENT_USER\\Software\\Contoso]\r\n\"name\"=\"value\"\r\n"},
		"hex":  {"REGEDIT4\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE]\r\n\"x\"=hex:00", ",00,00,00,00,00,00,00,00,\\\r\n  00"},
		"junk": {"", "\x00\x01\x02\x03abc\xff"},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := schannel.Read(io.MultiReader(strings.NewReader(c.head), io.LimitReader(&repeat{text: c.body}, 100<<20)))
		runtime.ReadMemStats(&after)
		assert.Error(t, err, name)
		assert.NotContains(t, err.Error(), "\n", name)
		assert.Less(t, after.HeapAlloc, before.HeapAlloc+(256<<20), name)
	}
}

type repeat struct {
	text string
	pos  int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.text[r.pos:])
		n += m
		r.pos = (r.pos + m) % len(r.text)
	}
	return n, nil
}

// However the same registry is written down, the client is the same.
func TestForms(t *testing.T) {
	for _, w := range tlsprobetest.AllWindows() {
		reg := tlsprobetest.Protocol(w.Registry(), t12, "Client", true)
		want := schannel.NewClient(reg)
		utf16 := tlsprobetest.Export(reg)
		text, err := wintext.Decode(utf16)
		require.NoError(t, err)
		snapshot, err := json.Marshal(want)
		require.NoError(t, err)
		for name, input := range map[string][]byte{
			"UTF-16": utf16, "UTF-8": []byte(text), "UTF-8 with a mark": []byte(wintext.Mark + text), "Unix line ends": []byte(strings.ReplaceAll(text, "\r", "")),
			"REGEDIT4":   []byte(strings.Replace(text, "Windows Registry Editor Version 5.00", "REGEDIT4", 1)),
			"lower case": []byte(strings.NewReplacer("SOFTWARE", "software", "SYSTEM", "System", "WOW6432Node", "Wow6432Node", "SCHANNEL", "Schannel").Replace(text)),
			"offline":    []byte(strings.ReplaceAll(text, "CurrentControlSet", "ControlSet001")), "snapshot": snapshot,
			"hex": []byte(strings.ReplaceAll(text, "dword:00000001", "hex(4):01,00,\\\r\n  00,00")),
		} {
			got, err := schannel.Read(bytes.NewReader(input))
			require.NoError(t, err, name)
			assert.Equal(t, want, got, name)
		}
	}
}

// Several exports of a key each say what one export of all says.
func TestSeveralExports(t *testing.T) {
	reg := tlsprobetest.Registry("Windows Server 2019")
	var parts []io.Reader
	for key, values := range reg {
		parts = append(parts, bytes.NewReader(tlsprobetest.Export(schannel.Registry{key: values})))
	}
	got, err := schannel.Read(parts...)
	require.NoError(t, err)
	assert.Equal(t, schannel.NewClient(reg), got)
}

// A key that was not looked at is no absent one: the answer is a guess, and the
// finding is unknown.
func TestNotLookedAt(t *testing.T) {
	c, err := schannel.Read(strings.NewReader("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentBuildNumber\"=\"14393\"\n"))
	require.NoError(t, err)
	o := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
	assert.Equal(t, versions{ssl3, t10}, o.Set())
	assert.Equal(t, schannel.Low, o.Confidence)
	assert.NotEmpty(t, o.Assumed())
	for _, f := range schannel.Assess(c) {
		assert.Equal(t, crossprem.Unknown, f.Status, f.Rule)
	}
}

func TestLocalElsewhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this is Windows")
	}
	_, err := schannel.Local()
	assert.True(t, errors.Is(err, schannel.ErrNotWindows))
}

func FuzzRead(f *testing.F) {
	f.Add(tlsprobetest.Export(tlsprobetest.Registry("Windows Server 2016")))
	f.Add([]byte(`{"build": 14393, "registry": {"HKLM\\SYSTEM": {}}}`))
	f.Add([]byte("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client]\n\"Enabled\"=dword:0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := schannel.Read(bytes.NewReader(b))
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		readBack(t, c)
		findingtest.Check(t, "Assess", schannel.Rules(), schannel.Assess(c))
		for _, g := range goals {
			schannel.Mend(c, g)
		}
	})
}
