package tlsprobe_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

var roles = []tlsprobe.Role{tlsprobe.AnyServer, tlsprobe.MicrosoftEndpoint, tlsprobe.OnPremExchange}

// checkResult holds what is true of every result and its findings: they keep
// the promises of findings, and JSON gives back the same result and the same
// verdict.
func checkResult(t *testing.T, name string, r *tlsprobe.Result, at time.Time) {
	t.Helper()
	raw, err := json.Marshal(*r)
	require.NoError(t, err, name)
	byPointer, err := json.Marshal(r)
	require.NoError(t, err, name)
	assert.JSONEq(t, string(raw), string(byPointer), "%s: by value and by pointer alike", name)
	var back tlsprobe.Result
	require.NoError(t, json.Unmarshal(raw, &back), name)
	assert.Equal(t, *r, back, name)
	for _, role := range roles {
		findings := tlsprobe.Assess(r, role, at)
		findingtest.Check(t, fmt.Sprint(name, " as ", role), tlsprobe.Rules(), findings)
		assert.True(t, slices.IsSortedFunc(findings, crossprem.WorstFirst), name)
		assert.Equal(t, findings, tlsprobe.Assess(&back, role, at), "%s: the same verdict from JSON", name)
	}
}

func TestRules(t *testing.T) { findingtest.CheckRules(t, tlsprobe.Rules()) }

func TestFindingsOfLab(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		synctest.Test(t, func(t *testing.T) {
			defer c.Server.Close()
			r, err := (&tlsprobe.Prober{Dial: c.Server.Dial, Roots: c.Server.Roots(), StartTLS: c.Asks, SNI: c.SNI}).Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			checkResult(t, c.Name, r, today)
			checkResult(t, c.Name, r, r.At.AddDate(0, 2, 0))
		})
	}
}

// Results that no probe makes are judged without a panic, too.
func TestFindingsOfAnything(t *testing.T) {
	for _, role := range roles {
		for _, r := range []*tlsprobe.Result{nil, {}, {Others: []*tlsprobe.Result{nil, {}}}} {
			findings := tlsprobe.Assess(r, role, time.Time{})
			assert.NotEmpty(t, findings)
			for _, f := range findings {
				assert.Equal(t, crossprem.Unknown, f.Status, f.Title)
			}
			if r == nil || r.Others == nil {
				findingtest.Check(t, "zero", tlsprobe.Rules(), findings)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	ca := testca.New("")
	chain := ca.Issue(testca.Leaf{Names: []string{"mail.contoso.test", "10.0.0.1"}}).Leaf
	targets := []string{"mail.contoso.test:443", "10.0.0.1:25", "pop-legacy.office365.com:995", "autoupdate.msappproxy.net:443", "outlook.office365.com:443", "nonsense"}
	one := func() *tlsprobe.Result {
		r := &tlsprobe.Result{
			Target: targets[random.IntN(len(targets))], Address: fmt.Sprintf("10.0.0.%d:443", random.IntN(9)), At: today,
			Took: time.Duration(random.IntN(1e9)), Class: tlsprobe.Class(random.IntN(20)), Connections: random.IntN(9),
			ClientCertificate: random.IntN(3) == 0, StartTLSVaries: random.IntN(5) == 0,
		}
		if random.IntN(2) == 0 {
			r.SNI = "mail.contoso.test"
		}
		for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
			if random.IntN(6) == 0 {
				continue
			}
			if r.Versions == nil {
				r.Versions = make(tlsprobe.Versions)
			}
			a := tlsprobe.Answer{Support: tlsprobe.Support(random.IntN(4)), Reason: tlsprobe.Reason(random.IntN(15)), Asked: random.IntN(3), Lost: random.IntN(3),
				Suite: []tlsprobe.Suite{0, 0xC02F, 0x000A, 0xFEFE}[random.IntN(4)], Group: []tlsprobe.Group{0, 0x001D, 0xFEFE}[random.IntN(3)], Strong: tlsprobe.Support(random.IntN(3))}
			if random.IntN(2) == 0 {
				a.Alert = new(tlsprobe.Alert(random.IntN(255)))
			}
			if random.IntN(4) == 0 {
				a.Sentinel = tlsprobe.TLS13
			}
			if a.Reason == tlsprobe.AnswersDiffer {
				a.Samples = []tlsprobe.Sample{{Support: tlsprobe.Accepted, Reason: tlsprobe.Chosen, Suite: 0xC02F, Count: 2}, {Support: tlsprobe.Refused, Reason: tlsprobe.SentAlert, Count: 1}}
			}
			r.Versions[v] = a
		}
		if random.IntN(2) == 0 {
			r.Chain, r.ChainFrom = append(r.Chain, chain), tlsprobe.ChainSource(1+random.IntN(3))
			if r.Trusted = random.IntN(2) == 0; !r.Trusted {
				r.Distrust = &tlsprobe.DistrustError{Faults: []tlsprobe.Fault{{Kind: tlsprobe.FaultKind(random.IntN(13)), Text: "something is wrong"}}}
			}
			if random.IntN(2) == 0 {
				r.Path = append(r.Path, chain, ca.Cert)
			}
		} else {
			r.ChainProblem = "the handshake failed"
		}
		return r
	}
	for i := range 2000 {
		r := one()
		for n := range random.IntN(3) {
			other := one()
			other.Target, other.SNI, other.Address = r.Target, r.SNI, fmt.Sprintf("10.0.1.%d:443", n)
			r.Others = append(r.Others, other)
		}
		checkResult(t, fmt.Sprint("random ", i), r, today)
		if t.Failed() {
			return
		}
	}
}

func TestEnumerations(t *testing.T) {
	check := func(name string, count int, back func(i int) (text string, same bool, err error)) {
		seen := make(map[string]bool)
		for i := range count {
			text, same, err := back(i)
			require.NoError(t, err, "%s %d", name, i)
			assert.True(t, same, "%s %q", name, text)
			assert.False(t, seen[text], "%s %q", name, text)
			seen[text] = true
		}
		_, _, err := back(count)
		assert.Error(t, err, "%s has more than %d", name, count)
	}
	check("class", 20, roundTrip[tlsprobe.Class])
	check("reason", 15, roundTrip[tlsprobe.Reason])
	check("support", 4, roundTrip[tlsprobe.Support])
	check("source", 4, roundTrip[tlsprobe.ChainSource])
	check("fault", 13, roundTrip[tlsprobe.FaultKind])
	check("role", 3, roundTrip[tlsprobe.Role])
	check("scope", 3, roundTrip[tlsprobe.Scope])
	for _, v := range []tlsprobe.Version{tlsprobe.SSL20, tlsprobe.TLS13, 0x7f1c} {
		raw, err := json.Marshal(map[tlsprobe.Version]int{v: 1})
		require.NoError(t, err)
		var back map[tlsprobe.Version]int
		require.NoError(t, json.Unmarshal(raw, &back))
		assert.Contains(t, back, v)
	}
}

type text[T any] interface {
	*T
	UnmarshalText([]byte) error
}

func roundTrip[T interface {
	~uint8
	MarshalText() ([]byte, error)
}, P text[T]](i int) (string, bool, error) {
	raw, err := T(i).MarshalText()
	if err != nil {
		return "", false, err
	}
	var back T
	err = P(&back).UnmarshalText(raw)
	return string(raw), back == T(i), err
}
