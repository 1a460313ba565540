package schannel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

const (
	ssl2, ssl3, t10, t11, t12, t13 = tlsprobe.SSL20, tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13
)

type versions = []tlsprobe.Version

// bare is a machine on which no key is set.
func bare(build uint32, kind schannel.Kind) *schannel.Client {
	return &schannel.Client{Build: build, Kind: kind, Registry: schannel.Registry{`HKEY_LOCAL_MACHINE\SOFTWARE`: {}, `HKEY_LOCAL_MACHINE\SYSTEM`: {}}}
}

// server is a result of a server that accepts versions, with suite and group,
// and refuses the others.
func server(suite tlsprobe.Suite, group tlsprobe.Group, accepted ...tlsprobe.Version) *tlsprobe.Result {
	r := &tlsprobe.Result{Target: "server.contoso.test:443", Class: tlsprobe.TLS, Versions: tlsprobe.Versions{}}
	for _, v := range []tlsprobe.Version{ssl3, t10, t11, t12, t13} {
		r.Versions[v] = tlsprobe.Answer{Support: tlsprobe.Refused, Reason: tlsprobe.SentAlert}
	}
	for _, v := range accepted {
		a := tlsprobe.Answer{Support: tlsprobe.Accepted, Reason: tlsprobe.Chosen, Suite: suite, Group: group}
		if v == t13 {
			a.Suite = 0x1302
		}
		r.Versions[v] = a
	}
	return r
}

// The post that started it: PowerShell of Windows Server 2016 and the gallery.
func TestTheGallery(t *testing.T) {
	c := bare(14393, schannel.ServerSystem)
	o := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
	assert.Equal(t, versions{ssl3, t10}, o.Set())
	gallery := server(0xC030, 0x1D, t12, t13)
	n := schannel.Negotiate(o, gallery)
	assert.Equal(t, crossprem.No, n.Meets)
	assert.Equal(t, schannel.NoCommonVersion, n.Cause)
	assert.Equal(t, schannel.ClientSide, n.Mover)

	m := schannel.Mend(c, schannel.OfferTLS12)
	assert.Contains(t, m.Session, "-bor [Net.SecurityProtocolType]::Tls12")
	assert.Len(t, m.Changes, 4)

	// PowerShell 7 on the same machine meets it.
	n = schannel.Negotiate(c.Offers(schannel.App{Stack: schannel.PowerShell7}), gallery)
	assert.Equal(t, crossprem.Yes, n.Meets, n.Explanation)
	assert.Equal(t, t12, n.Version)
}

func TestWindows10AndTLS13Alone(t *testing.T) {
	n := schannel.Negotiate(bare(19045, schannel.ClientSystem).Offers(schannel.App{Stack: schannel.PowerShell7}), server(0, 0x1D, t13))
	assert.Equal(t, crossprem.No, n.Meets)
	assert.Equal(t, schannel.ServerSide, n.Mover)
	assert.Equal(t, crossprem.No, schannel.Mend(bare(19045, schannel.ClientSystem), schannel.OfferTLS13).Possible)
}
