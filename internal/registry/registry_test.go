package registry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/regfile"
)

var sample = Registry{
	Software + "Contoso": {
		"": "default", "Name": `C:\x "y"`, "On": uint32(1), "Long": uint64(1<<63 + 1),
		"List": []string{"a", "b"}, "None": []string{}, "Raw": bytes.Repeat([]byte{0xde, 0xad}, 40), "Empty": []byte{},
	},
	Software32 + "Contoso":       {},
	Software + `Contoso\Sub\Key`: {"n": uint32(0xffffffff)},
}

// What a registry holds survives every form that it has.
func TestForms(t *testing.T) {
	got, err := ReadExport(bytes.NewReader(regfile.Encode(regfile.Keys(sample))), nil)
	require.NoError(t, err)
	assert.Equal(t, sample, got)
	got, err = ReadExport(strings.NewReader(regfile.Format(regfile.Keys(sample))), nil)
	require.NoError(t, err)
	assert.Equal(t, sample, got)

	b, err := json.Marshal(sample)
	require.NoError(t, err)
	got = nil
	require.NoError(t, json.Unmarshal(b, &got))
	assert.Equal(t, sample, got)
	b, err = json.Marshal(Registry(nil))
	require.NoError(t, err)
	assert.Equal(t, "null", string(b))

	_, err = json.Marshal(Registry{"k": {"n": 1}})
	assert.Error(t, err, "an int is none of the types")
	require.NoError(t, json.Unmarshal([]byte(`{"HKLM:\\SOFTWARE\\A": {"n": 1}}`), &got))
	assert.Equal(t, Registry{Software + "A": {"n": uint32(1)}}, got)
	for _, bad := range []string{`1`, `{"k": 1}`, `{"k": {"n": -1}}`, `{"k": {"n": 4294967296}}`, `{"k": {"n": 1.5}}`, `{"k": {"n": true}}`, `{"k": {"n": null}}`,
		`{"k": {"n": [1]}}`, `{"k": {"n": {}}}`, `{"k": {"n": {"qword": "x"}}}`, `{"k": {"n": {"qword": "1", "binary": ""}}}`, `{"k": {"n": {"binary": "?"}}}`} {
		before := got
		assert.Error(t, json.Unmarshal([]byte(bad), &got), bad)
		assert.Equal(t, before, got)
	}
}

func TestKeep(t *testing.T) {
	export := regfile.Encode(regfile.Keys(sample))
	got, err := ReadExport(bytes.NewReader(export), func(key string) bool { return strings.HasSuffix(key, "Key") })
	require.NoError(t, err)
	assert.Equal(t, Registry{Software + `Contoso\Sub\Key`: {"n": uint32(0xffffffff)}}, got)
	_, err = ReadExport(strings.NewReader("REGEDIT4\n[HKEY_X]\nbad"), func(string) bool { return false })
	assert.EqualError(t, err, "regfile: line 3: neither a key nor a value")
}

func TestLookups(t *testing.T) {
	key := strings.ToLower(Software + "Contoso")
	text, ok := sample.Text(key, "NAME")
	assert.True(t, ok)
	assert.Equal(t, `C:\x "y"`, text)
	n, ok := sample.Number(key, "on")
	assert.True(t, ok)
	assert.Equal(t, uint32(1), n)
	_, ok = sample.Number(key, "name")
	assert.False(t, ok, "another type")
	_, ok = sample.Text(key, "on")
	assert.False(t, ok, "another type")
	_, ok = sample.Get(key, "absent")
	assert.False(t, ok)

	assert.True(t, sample.Has(strings.ToUpper(Software32+"Contoso")))
	assert.False(t, sample.Has(Software+"Contoso\\Sub"))
	assert.True(t, sample.Looked(Software32+`CONTOSO\Below`), "an export holds all below its key")
	assert.False(t, sample.Looked(Software+"Contoso2"))
	assert.False(t, Registry(nil).Looked(Software+"Contoso"))
	assert.Equal(t, []string{"Sub"}, sample.SubKeys(key))
	assert.Empty(t, sample.SubKeys(Software32+"Contoso"))

	for key, want := range map[string]string{
		`HKLM\SOFTWARE`: `HKEY_LOCAL_MACHINE\SOFTWARE`, `hklm:\SOFTWARE`: `HKEY_LOCAL_MACHINE\SOFTWARE`, `HKCU\a\b`: `HKEY_CURRENT_USER\a\b`,
		`HKEY_USERS\x`: `HKEY_USERS\x`, `HKLM`: `HKEY_LOCAL_MACHINE`, `a`: `a`, ``: ``,
	} {
		assert.Equal(t, want, Canonical(key))
	}
}
