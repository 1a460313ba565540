package schannel

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem/internal/registry"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Registry is a part of a Windows registry: values by key and name. Keys are
// written in full, as in an export, or with a short hive: HKLM\SOFTWARE\… A
// REG_SZ is a string, a REG_DWORD a uint32, a REG_QWORD a uint64, a
// REG_MULTI_SZ a []string, and everything else a []byte. Case does not matter.
//
// A key that was looked for and does not exist is there without values, so
// that absent settings can be told from settings that were not looked at. A
// key stands for all those below it, as in an export.
type Registry map[string]map[string]any

// MarshalJSON writes a REG_SZ as a string, a REG_DWORD as a number, a
// REG_MULTI_SZ as a list of strings, a REG_QWORD as {"qword": "…"} and the rest
// as {"binary": "…"} in base64.
func (r Registry) MarshalJSON() ([]byte, error) { return registry.Registry(r).MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Registry) UnmarshalJSON(b []byte) error {
	var in registry.Registry
	if err := in.UnmarshalJSON(b); err != nil {
		return err
	}
	*r = Registry(in)
	return nil
}

// A Client is what is known of one Windows machine. It is a plain value, may be
// written as a literal, and may be shared by goroutines that only read it. In
// JSON it is a snapshot that reads back to the same value. The zero value is a
// machine of which nothing is known.
type Client struct {
	Name string `json:"name,omitempty"` // of the machine; empty if unknown

	Build uint32 `json:"build,omitempty"` // of Windows, such as 14393; 0 if unknown
	Kind  Kind   `json:"kind,omitzero"`
	X86   bool   `json:"x86,omitempty"` // a 32-bit Windows, which has one view on the registry only

	DotNetRelease uint32 `json:"dotNetRelease,omitempty"` // the value Release of .NET Framework; 0 if unknown
	Exchange      Build  `json:"exchange,omitzero"`       // of Exchange Server, if it is installed; zero if unknown

	Registry Registry `json:"registry,omitempty"` // the keys that decide, see [NewClient]

	// Observed are live values of [Net.ServicePointManager]::SecurityProtocol.
	// They beat what is computed.
	Observed []Observation `json:"observed,omitempty"`
}

// An Observation is the value of [Net.ServicePointManager]::SecurityProtocol
// that one running program showed.
type Observation struct {
	App   App    `json:"app"`   // Stack, Host and Bits count
	Value string `json:"value"` // as printed: "Ssl3, Tls", "SystemDefault"
}

// ErrNothing reports that an export or snapshot was read and holds nothing
// that decides about TLS.
var ErrNothing = errors.New("schannel: the registry holds no key about TLS: export HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL, HKLM\\SOFTWARE\\Microsoft\\.NETFramework and HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion")

// ErrNotWindows reports that [Local] was called on another system.
var ErrNotWindows = errors.New("schannel: this system has no Windows registry; give an export of the client's")

// maxSnapshot bounds a snapshot in JSON, in bytes.
const maxSnapshot = 16 << 20

// ReadFiles is [Read] of the files with the given names, which its errors name.
func ReadFiles(names ...string) (*Client, error) {
	var inputs []io.Reader
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		inputs = append(inputs, f)
	}
	c, err := Read(inputs...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(names, ", "), err)
	}
	return c, nil
}

// Read reads what is known of a client: registry exports (.reg files of regedit
// or "reg export", in UTF-16 or UTF-8, version 5.00 or REGEDIT4, at most 64 MiB
// each), or one snapshot, as a Client is in JSON. Several exports are put
// together, as "reg export" writes one key at a time; where two hold the same
// value, the later one counts. Only the keys that decide about TLS are kept.
//
// An error is one line and quotes nothing of the input. ErrNothing means that
// all could be read and nothing of it is about TLS.
func Read(inputs ...io.Reader) (*Client, error) {
	all := make(Registry)
	for i, input := range inputs {
		in := bufio.NewReader(input)
		place := ""
		if len(inputs) > 1 {
			place = fmt.Sprintf("input %d: ", i+1)
		}
		if first, _ := in.Peek(4); strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(first), "\ufeff"), " \t\r\n"), "{") {
			c, err := readSnapshot(in)
			if err != nil {
				return nil, fmt.Errorf("schannel: %s%w", place, err)
			}
			if len(inputs) > 1 {
				return nil, errors.New("schannel: a snapshot in JSON stands alone")
			}
			return c, nil
		}
		reg, err := registry.ReadExport(in, relevant)
		if err != nil {
			return nil, fmt.Errorf("schannel: %s%w", place, err)
		}
		for key, values := range NewClient(Registry(reg)).Registry {
			if all[key] == nil {
				all[key] = make(map[string]any)
			}
			maps.Copy(all[key], values)
		}
	}
	c := NewClient(all)
	if !slices.ContainsFunc(slices.Collect(maps.Keys(c.Registry)), decides) {
		return nil, ErrNothing
	}
	return c, nil
}

// decides reports whether key says something about TLS, and not only which
// machine it is or that it was exported.
func decides(key string) bool {
	for _, r := range readKeys {
		if strings.EqualFold(r.key, key) || r.within && registry.Holds(r.key, key) {
			return !slices.Contains([]string{keyComputer, keyProduct, keyLSA}, r.key)
		}
	}
	return false
}

func readSnapshot(r io.Reader) (*Client, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxSnapshot {
		return nil, fmt.Errorf("a snapshot larger than %d bytes", maxSnapshot)
	}
	c := new(Client)
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(raw), "\ufeff")), c); err != nil {
		return nil, errors.New("neither a registry export nor a snapshot of a client in JSON")
	}
	filled := NewClient(c.Registry)
	c.Registry = filled.Registry
	c.Name = cmp.Or(c.Name, filled.Name)
	c.Build = cmp.Or(c.Build, filled.Build)
	c.Kind = cmp.Or(c.Kind, filled.Kind)
	c.X86 = c.X86 || filled.X86
	c.DotNetRelease = cmp.Or(c.DotNetRelease, filled.DotNetRelease)
	c.Exchange = cmp.Or(c.Exchange, filled.Exchange)
	if c.Build == 0 && len(c.Registry) == 0 && len(c.Observed) == 0 {
		return nil, errors.New("a snapshot that holds nothing of a client")
	}
	return c, nil
}

// NewClient returns what r holds of a client: which Windows and .NET Framework
// it is, and the keys that decide, spelled in one way. What else r holds is
// left out. Change the fields where you know better.
func NewClient(r Registry) *Client {
	c := &Client{Registry: reduce(r)}
	get := registry.Registry(c.Registry)
	c.Name, _ = get.Text(keyComputer, "ComputerName")
	for _, name := range []string{"CurrentBuildNumber", "CurrentBuild"} {
		text, _ := get.Text(keyWindows, name)
		if n, err := strconv.ParseUint(text, 10, 32); err == nil && c.Build == 0 {
			c.Build = uint32(n)
		}
	}
	installation, _ := get.Text(keyWindows, "InstallationType")
	product, _ := get.Text(keyWindows, "ProductName")
	kind, _ := get.Text(keyProduct, "ProductType")
	switch {
	case strings.EqualFold(kind, "ServerNT"), strings.EqualFold(kind, "LanmanNT"), strings.Contains(installation, "Server"), strings.Contains(product, "Server"):
		c.Kind = ServerSystem
	case strings.EqualFold(kind, "WinNT"), strings.EqualFold(installation, "Client"), strings.HasPrefix(product, "Windows"):
		c.Kind = ClientSystem
	}
	lab, _ := get.Text(keyWindows, "BuildLabEx")
	c.X86 = strings.Contains(lab, ".x86fre.") || strings.Contains(lab, ".x86chk.")
	c.DotNetRelease, _ = get.Number(keyDotNet, "Release")
	var e Build
	for name, to := range map[string]*uint32{"MsiProductMajor": &e.Major, "MsiProductMinor": &e.Minor, "MsiBuildMajor": &e.Build, "MsiBuildMinor": &e.Revision} {
		*to, _ = get.Number(keyExchange, name)
	}
	if e.Major == 15 {
		c.Exchange = e
	}
	return c
}

// reduce returns what of r is looked at, in one spelling: of keys that are
// looked at with their values, of keys above them that they are there.
func reduce(r Registry) Registry {
	out := make(Registry)
	set := pickSet(r)
	for _, key := range slices.Sorted(maps.Keys(r)) {
		values := r[key]
		key = registry.Canonical(key)
		if number, current := setOf(key); number != "" {
			if number != set {
				continue
			}
			key = current
		}
		for _, k := range readKeys {
			switch {
			case strings.EqualFold(key, k.key):
				put(out, k.key, values, k.names)
			case k.within && registry.Holds(k.key, key):
				put(out, k.key+key[len(k.key):], values, nil)
			case registry.Holds(key, k.key):
				put(out, k.key[:len(key)], nil, nil)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// put adds values to a key of r, those with names if there are some.
func put(r Registry, key string, values map[string]any, names []string) {
	for other := range r {
		if strings.EqualFold(other, key) {
			key = other
		}
	}
	if r[key] == nil {
		r[key] = make(map[string]any)
	}
	for name, v := range values {
		if names != nil {
			i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
			if i < 0 {
				continue
			}
			name = names[i]
		}
		r[key][name] = v
	}
}

// pickSet returns the number of the control set that counts, "" for the current
// one: if r has that, numbered sets are copies of it.
func pickSet(r Registry) string {
	var sets []string
	for key := range r {
		key = registry.Canonical(key)
		if registry.Holds(keySystem+currentSet, key) {
			return ""
		}
		if set, _ := setOf(key); set != "" {
			sets = append(sets, set)
		}
	}
	if len(sets) == 0 {
		return ""
	}
	slices.Sort(sets)
	if n, ok := registry.Registry(r).Number(keySelect, "Current"); ok {
		return fmt.Sprintf("%03d", n)
	}
	return sets[0]
}

// A Build is a build number of Exchange Server, such as 15.2.1748.10. In text
// and JSON it is written with points, and "" if unknown.
type Build struct{ Major, Minor, Build, Revision uint32 }

// String returns the number with points, and "" for the zero value.
func (b Build) String() string {
	if (b == Build{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d", b.Major, b.Minor, b.Build, b.Revision)
}

// MarshalText returns what String does.
func (b Build) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what MarshalText writes, with leading zeros if there are
// any: 15.02.1748.010.
func (b *Build) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*b = Build{}
		return nil
	}
	var n [4]uint32
	parts := strings.Split(string(text), ".")
	if len(parts) != len(n) {
		return fmt.Errorf("schannel: no build of Exchange Server: %.40q", text)
	}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return fmt.Errorf("schannel: no build of Exchange Server: %.40q", text)
		}
		n[i] = uint32(v)
	}
	*b = Build{n[0], n[1], n[2], n[3]}
	return nil
}

// Compare returns -1, 0 or +1 as b is older than, the same as or newer than o.
func (b Build) Compare(o Build) int {
	return cmp.Or(cmp.Compare(b.Major, o.Major), cmp.Compare(b.Minor, o.Minor), cmp.Compare(b.Build, o.Build), cmp.Compare(b.Revision, o.Revision))
}

// System returns the name of the release of Windows by which c is judged, such
// as "Windows 10 1607 / Windows Server 2016", and how sure that is. The name is
// "" for a build that is unknown or older than Windows Server 2008.
func (c *Client) System() (string, Confidence) {
	s, sure := c.system()
	if s == nil {
		return "", ConfidenceUnknown
	}
	return s.Name, sure
}

func (c *Client) system() (*system, Confidence) {
	if c == nil {
		return nil, ConfidenceUnknown
	}
	return systemOf(c.Build, c.Kind)
}

// DotNet returns the installed version of .NET Framework 4, and the one that
// came with Windows if the registry does not say. Zero is unknown.
func (c *Client) DotNet() Framework {
	if c == nil {
		return Framework{}
	}
	if f := frameworkOf(c.DotNetRelease); f != (Framework{}) {
		return f
	}
	if s, _ := c.system(); s != nil {
		return s.DotNet
	}
	return Framework{}
}

// subject returns what findings about c are about.
func (c *Client) subject() string {
	if c == nil || c.Name == "" {
		return "this client"
	}
	return c.Name
}

// versionOf returns the version of a key's name below Protocols.
func versionOf(name string) (tlsprobe.Version, bool) {
	for _, v := range allVersions {
		if strings.EqualFold(name, v.String()) {
			return v, true
		}
	}
	return 0, false
}
