package tlsprobe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// What a server chooses follows from what the client offers, and from nothing
// else.
func TestTry(t *testing.T) {
	offer := tlsprobe.ClientOffer{Versions: []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.TLS12}, Suites: []tlsprobe.Suite{0xC027, 0xC02F, 0xC02B, 0x002F}, Groups: []tlsprobe.Group{0x17}}
	with := func(change func(o *tlsprobe.ClientOffer)) tlsprobe.ClientOffer {
		o := offer
		change(&o)
		return o
	}
	all := []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13}
	alert := func(a tlsprobe.Alert) *tlsprobe.Alert { return &a }
	for name, c := range map[string]struct {
		server *tlsprobetest.Server
		offer  tlsprobe.ClientOffer
		want   tlsprobe.Choice
	}{
		"TLS 1.2":    {&tlsprobetest.Server{Suites: []tlsprobe.Suite{0xC02B}}, offer, tlsprobe.Choice{Version: tlsprobe.TLS12, Suite: 0xC02B, Group: 0x17}},
		"no suite":   {&tlsprobetest.Server{Suites: []tlsprobe.Suite{0xC030, 0xC02C}, Versions: []tlsprobe.Version{tlsprobe.TLS12}}, offer, tlsprobe.Choice{Alert: alert(40)}},
		"no version": {&tlsprobetest.Server{Versions: []tlsprobe.Version{tlsprobe.TLS13}}, offer, tlsprobe.Choice{Alert: alert(70)}},
		"TLS 1.3": {&tlsprobetest.Server{}, with(func(o *tlsprobe.ClientOffer) {
			o.Versions = all
			o.Suites = append([]tlsprobe.Suite{0x1302}, o.Suites...)
		}), tlsprobe.Choice{Version: tlsprobe.TLS13, Suite: 0x1302, Group: 0x17}},
		"between":       {&tlsprobetest.Server{MinVersion: tlsprobe.TLS11, MaxVersion: tlsprobe.TLS11, Suites: []tlsprobe.Suite{0x002F}}, offer, tlsprobe.Choice{Version: tlsprobe.TLS11, Suite: 0x002F}},
		"SSL 3.0":       {&tlsprobetest.Server{Versions: []tlsprobe.Version{tlsprobe.SSL30}, Suites: []tlsprobe.Suite{0x002F}}, with(func(o *tlsprobe.ClientOffer) { o.Versions = []tlsprobe.Version{tlsprobe.SSL30} }), tlsprobe.Choice{Version: tlsprobe.SSL30, Suite: 0x002F}},
		"not TLS":       {&tlsprobetest.Server{Banner: "220 mail ESMTP\r\n"}, offer, tlsprobe.Choice{Lost: "the answer is not TLS"}},
		"with STARTTLS": {&tlsprobetest.Server{StartTLS: tlsprobe.SMTP, Suites: []tlsprobe.Suite{0xC02B}}, offer, tlsprobe.Choice{Version: tlsprobe.TLS12, Suite: 0xC02B, Group: 0x17}},
	} {
		srv := c.server.Start()
		defer srv.Close()
		p := &tlsprobe.Prober{StartTLS: c.server.StartTLS, Timeout: 5 * time.Second}
		got, err := p.Try(t.Context(), srv.Addr, c.offer)
		require.NoError(t, err, name)
		c.want.Target, c.want.Address = srv.Addr, got.Address
		assert.Equal(t, &c.want, got, name)
	}

	p := &tlsprobe.Prober{Timeout: time.Second}
	for _, bad := range []tlsprobe.ClientOffer{{}, {Versions: all}, {Versions: []tlsprobe.Version{tlsprobe.SSL20}, Suites: offer.Suites}} {
		_, err := p.Try(t.Context(), "127.0.0.1:1", bad)
		require.Error(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Try(ctx, "127.0.0.1:1", offer)
	require.ErrorIs(t, err, context.Canceled)
}
