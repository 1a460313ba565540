package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func TestRun(t *testing.T) {
	modern := (&tlsprobetest.Server{}).Start()
	defer modern.Close()
	old := (&tlsprobetest.Server{MinVersion: tlsprobe.TLS10, MaxVersion: tlsprobe.TLS10, StartTLS: tlsprobe.SMTP}).Start()
	defer old.Close()
	in := fmt.Sprintf("# two servers\n%s localhost\n\n%s - smtp\n", modern.Addr, old.Addr)

	var out, notes strings.Builder
	require.Equal(t, ran, run(t.Context(), []string{"-json"}, strings.NewReader(in), &out, &notes), notes.String())
	versions := make(map[string]map[string]string)
	for line := range strings.Lines(out.String()) {
		var r struct {
			Target   string
			Versions map[string]string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		versions[r.Target] = r.Versions
	}
	assert.Equal(t, "accepted", versions[modern.Addr]["tls13"])
	assert.Equal(t, "accepted", versions[old.Addr]["tls10"])
	assert.Equal(t, "refused", versions[old.Addr]["tls12"])

	out.Reset()
	require.Equal(t, ran, run(t.Context(), []string{old.Addr, "-starttls", "smtp"}, nil, &out, &notes))
	assert.Contains(t, out.String(), "TLS 1.2 is not accepted, and nothing newer is [critical]")

	for _, args := range [][]string{{"-starttls", "gopher", "a:1"}, {"-only12", "-modern", "a:1"}, {"-nonsense"}, {"a:1", "-timeout", "0s"}} {
		assert.Equal(t, wrongUsage, run(t.Context(), args, nil, &out, &notes), args)
	}
	notes.Reset()
	assert.Equal(t, couldNot, run(t.Context(), nil, strings.NewReader("a b c d\n"), &out, &notes))
	assert.Contains(t, notes.String(), "line 1")
	notes.Reset()
	assert.Equal(t, couldNot, run(t.Context(), nil, strings.NewReader("\n"+strings.Repeat("a", 1<<17)), &out, &notes))
	assert.Contains(t, notes.String(), "line 2")

	out.Reset()
	assert.Equal(t, couldNot, run(t.Context(), []string{"nonsense", "-json"}, nil, &out, &notes))
	assert.Contains(t, out.String(), `"class":"unclassified","detail":"tlsprobe: target`, "each target has its object")
	out.Reset()
	assert.Equal(t, ran, run(t.Context(), nil, strings.NewReader("\ufeff"+modern.Addr), &out, &notes), "a mark at the beginning")
}
