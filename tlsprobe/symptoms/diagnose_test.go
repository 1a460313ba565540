package symptoms_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

// read reads a file of testdata.
func read[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &v))
	return v
}

func first(d *symptoms.Diagnosis) (symptom, cause string) {
	if len(d.Symptoms) > 0 {
		symptom = d.Symptoms[0].ID
	}
	if len(d.Causes) > 0 {
		cause = d.Causes[0].ID
	}
	return symptom, cause
}

func ids(d *symptoms.Diagnosis, n int) []string {
	var list []string
	for _, c := range d.Causes[:min(n, len(d.Causes))] {
		list = append(list, c.ID)
	}
	return list
}

type ownTexts []struct {
	ID    string
	Texts []string
}

// Some texts of the catalogue are the same sentence as another entry's, or one
// without the number that makes the entry.
var sameText = map[string]string{
	"1603":                               "", // says nothing without the Hybrid Agent
	"We could not change your password":  "entra-writeback",
	"remote error: tls: bad certificate": "alert-42",
}

func TestEveryTextFindsItsOwnEntryFirst(t *testing.T) {
	for _, row := range read[ownTexts](t, "own.json") {
		for _, text := range row.Texts {
			want, other := sameText[text]
			if !other {
				want = row.ID
			}
			d := symptoms.Diagnose(text)
			got, _ := first(d)
			assert.Equal(t, want, got, "%q: %v", text, d.Symptoms)
		}
	}
}

type reported []struct {
	Text, Cause, Source string
	Accept              []string
}

func TestReportedTexts(t *testing.T) {
	for _, r := range read[reported](t, "reported.json") {
		_, got := first(symptoms.Diagnose(r.Text))
		assert.Contains(t, append(r.Accept, r.Cause), got, "%q", r.Text)
	}
}

func TestMeasuredDotNetTextsAreNotContradicted(t *testing.T) {
	type row struct {
		Client, Text string
		Settles      *string
		Scenarios    []string
		Causes       []string
	}
	settled, right := 0, 0
	for _, r := range read[[]row](t, "dotnet.json") {
		d := symptoms.Diagnose(r.Text)
		_, got := first(d)
		require.NotEmpty(t, got, "%q", r.Text)
		if r.Settles != nil {
			settled++
			if got == *r.Settles {
				right++
			}
			assert.Equal(t, *r.Settles, got, "%s: %q: %v", r.Client, r.Text, d.Symptoms)
			continue
		}
		for _, c := range r.Causes {
			assert.NotContains(t, ruledOut(d), c, "%q", r.Text)
		}
		if len(r.Causes) > 0 {
			assert.True(t, slices.ContainsFunc(ids(d, 99), func(id string) bool { return slices.Contains(r.Causes, id) }), "%s: %q gives %v, was %v", r.Client, r.Text, ids(d, 99), r.Causes)
		}
		if d.Causes[0].Confidence >= symptoms.Settled && len(r.Causes) > 0 {
			assert.Contains(t, r.Causes, got, "%q", r.Text)
		}
	}
	t.Logf("texts that settle a cause: %d of %d right", right, settled)
}

func ruledOut(d *symptoms.Diagnosis) (list []string) {
	for _, x := range d.RuledOut {
		list = append(list, x.ID)
	}
	return list
}

// causesOf says what was wrong in each scenario of the measurements.
var causesOf = map[string][]string{
	"tls10-only-openssl": {"server-old"}, "tls10-only-gnutls": {"server-old"}, "tls10-only-jsse": {"server-old"}, "ssl3-only": {"server-old"},
	"tls13-only-openssl": {"client-no-tls13", "client-no-tls12"}, "tls13-only-gnutls": {"client-no-tls13", "client-no-tls12", "no-common-suite"},
	"tls12-13-server-client10": {"client-no-tls12"}, "jsse12-13-client10": {"client-no-tls12"},
	"dhe-only": {"no-common-suite"}, "camellia-only": {"no-common-suite"}, "x448-only13": {"no-common-suite"},
	"plain-http": {"not-tls"}, "ssh": {"not-tls"}, "smtp-banner": {"starttls", "not-tls"},
	"tarpit": {"silent"}, "rst": {"inspection"}, "fin-on-hello": {"inspection"}, "mtls12": {"client-cert"}, "mtls13": {"client-cert"},
	"sni-missing": {"sni"}, "untrusted": {"cert-trust"}, "refused": {"down"}, "alert112": {"sni"},
}

func TestMeasuredClientTextsAreNotContradicted(t *testing.T) {
	type row struct {
		Scenario string
		Texts    map[string]string
	}
	n, top1, top3 := 0, 0, 0
	for _, r := range read[[]row](t, "clients.json") {
		causes := causesOf[r.Scenario]
		for client, text := range r.Texts {
			if strings.HasPrefix(text, "OK TLS") && !strings.Contains(text, "error") || strings.HasPrefix(text, "(connected") || text == "timeout" {
				continue
			}
			d := symptoms.Diagnose(text)
			require.NotEmpty(t, d.Causes, "%s, %s: %q", r.Scenario, client, text)
			if causes == nil {
				continue
			}
			n++
			hit := func(k int) bool {
				return slices.ContainsFunc(ids(d, k), func(id string) bool { return slices.Contains(causes, id) })
			}
			if hit(1) {
				top1++
			}
			if hit(3) {
				top3++
			}
			assert.True(t, hit(99), "%s, %s: %q gives %v", r.Scenario, client, text, ids(d, 99))
			if d.Causes[0].Confidence >= symptoms.Settled {
				assert.Contains(t, causes, d.Causes[0].ID, "%s, %s: %q", r.Scenario, client, text)
			}
		}
	}
	t.Logf("%d texts of eight clients: top-1 %d, top-3 %d", n, top1, top3)
}
