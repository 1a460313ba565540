package authinspect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

const (
	ews        = "/EWS/Exchange.asmx"
	activeSync = "/Microsoft-Server-ActiveSync"
)

// inspect starts front, asks one path of it and stops it.
func inspect(t *testing.T, front *authinspecttest.FrontEnd, path, mailbox string) *authinspect.Result {
	t.Helper()
	server := front.Start()
	defer server.Close()
	r, err := (&authinspect.Inspector{Roots: server.Roots(), Mailbox: mailbox, Timeout: 10 * time.Second}).Inspect(t.Context(), server.URL+path)
	require.NoError(t, err)
	return r
}

func TestInspectFrontEnds(t *testing.T) {
	const bob = "bob@contoso.test"
	se := func(modern authinspecttest.SignIn) *authinspecttest.FrontEnd {
		e := authinspecttest.ExchangeSE()
		e.Modern, e.Blocked = modern, []string{"blocked@contoso.test"}
		return e.FrontEnd()
	}
	old := func(modern authinspecttest.SignIn) *authinspecttest.FrontEnd {
		e := authinspecttest.Exchange2019()
		e.Modern = modern
		return e.FrontEnd()
	}
	const on, off, unknown = authinspect.ModernOn, authinspect.ModernOff, authinspect.ModernUnknown
	type schemes = []authinspect.Scheme
	all := schemes{authinspect.Negotiate, authinspect.NTLM, authinspect.Bearer}
	for name, test := range map[string]struct {
		front   *authinspecttest.FrontEnd
		path    string
		mailbox string
		schemes schemes
		modern  authinspect.Modern
		issuer  string
	}{
		"Exchange Online":             {authinspecttest.ExchangeOnline(), ews, "", schemes{authinspect.Bearer, authinspect.Basic}, on, authinspect.KindEntra},
		"Exchange Online, Basic only": {authinspecttest.ExchangeOnlineBlocked(), ews, "", schemes{authinspect.Basic}, off, ""},
		"SE, no mailbox":              {se(authinspecttest.HMA), activeSync, "", schemes{authinspect.Basic, authinspect.Bearer}, unknown, ""},
		"SE, mailbox":                 {se(authinspecttest.HMA), activeSync, bob, schemes{authinspect.Basic, authinspect.Bearer}, on, authinspect.KindEntra},
		"SE, AD FS":                   {se(authinspecttest.ADFSOnly), activeSync, bob, schemes{authinspect.Basic, authinspect.Bearer}, on, authinspect.KindADFS},
		"SE, blocked":                 {se(authinspecttest.HMA), activeSync, "Blocked@contoso.test", schemes{authinspect.Basic, authinspect.Bearer}, off, ""},
		"SE, no modern":               {se(authinspecttest.NoModern), ews, bob, all, off, ""},
		"SE, merged":                  {se(authinspecttest.HMA).Merged(), ews, bob, all, on, authinspect.KindEntra},
		"2019, HMA":                   {old(authinspecttest.HMA), ews, "", schemes{authinspect.Bearer, authinspect.Negotiate, authinspect.NTLM}, on, authinspect.KindEntra},
		"2019, no modern":             {old(authinspecttest.NoModern), ews, "", schemes{authinspect.Bearer, authinspect.Negotiate, authinspect.NTLM}, unknown, ""},
		"RPC never takes Bearer":      {old(authinspecttest.HMA), "/rpc/rpcproxy.dll", "", schemes{authinspect.Basic, authinspect.NTLM, authinspect.Negotiate}, off, ""},
		"forms":                       {se(authinspecttest.HMA), "/owa/", "", schemes{}, unknown, ""},
		"pre-authentication":          {authinspecttest.Preauthenticated(), ews, bob, schemes{}, unknown, ""},
		"AD FS":                       {authinspecttest.ADFS(), "/adfs/services/trust/13/windowstransport", "", schemes{authinspect.Negotiate, authinspect.NTLM}, off, ""},
		"nothing there":               {authinspecttest.ADFS(), "/nothing", "", schemes{}, unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := inspect(t, test.front, test.path, test.mailbox)
			assert.Equal(t, test.schemes, append(schemes{}, r.Schemes...))
			assert.Equal(t, test.modern, r.Modern, r.ModernReason)
			assert.NotEmpty(t, r.ModernReason)
			kind := ""
			if r.Issuer != nil {
				kind = r.Issuer.Kind
			}
			assert.Equal(t, test.issuer, kind)
			require.NotNil(t, r.TLS)
			assert.True(t, r.TLS.Trusted)
		})
	}
}
