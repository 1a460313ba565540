package tlsprobe_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// offered returns the versions that r says are accepted, the lowest first.
func offered(r *tlsprobe.Result) []tlsprobe.Version {
	var list []tlsprobe.Version
	for v, answer := range r.Versions {
		if answer.Support == tlsprobe.Accepted {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// The lab in memory, with time that costs nothing.
func TestLab(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer c.Server.Close()
				p := tlsprobe.Prober{Dial: c.Server.Dial, Roots: c.Server.Roots(), StartTLS: c.Asks, SNI: c.SNI}
				r, err := p.Probe(t.Context(), "localhost:443")
				require.NoError(t, err)
				assert.Equal(t, c.Accepted, offered(r), "accepted versions")
				assert.Equal(t, c.Class.String(), r.Class.String(), "class; detail: %s", r.Detail)
				assert.Equal(t, c.Protocol, r.Protocol)
				t.Logf("%d connections, %v", c.Server.Connections(), r.Took)
			})
		})
	}
}
