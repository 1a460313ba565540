package authinspect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// readBack marshals v, by value and by pointer, reads it, and checks that what
// comes back is written alike, and is equal to itself after another round.
func readBack[T any](t *testing.T, v *T) *T {
	t.Helper()
	first, err := json.Marshal(v)
	require.NoError(t, err)
	byValue, err := json.Marshal(*v)
	require.NoError(t, err)
	require.JSONEq(t, string(first), string(byValue))
	back, again := new(T), new(T)
	require.NoError(t, json.Unmarshal(first, back), string(first))
	second, err := json.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, string(first), string(second))
	require.NoError(t, json.Unmarshal(second, again))
	require.True(t, reflect.DeepEqual(back, again), "%s", second)
	return back
}

func TestResultsReadBack(t *testing.T) {
	estate := authinspecttest.Contoso().Start()
	defer estate.Close()
	dns := &authinspecttest.DNS{}
	in := &authinspect.Inspector{Dial: estate.Dial, Roots: estate.Roots(), Mailbox: "bob@contoso.test", Resolver: dns}
	o, err := in.InspectOrganization(t.Context(), "contoso.test")
	require.NoError(t, err)
	back := readBack(t, o)
	assert.Equal(t, authinspect.AssessOrganization(o, noon), authinspect.AssessOrganization(back, noon))
	assert.Equal(t, o.Modern(), back.Modern())
	assert.Equal(t, o.Warnings, back.Warnings)
	assert.Equal(t, o.Matrix(), back.Matrix())
	for i, r := range o.Endpoints {
		assert.Equal(t, authinspect.Assess(r, noon), authinspect.Assess(back.Endpoints[i], noon))
		assert.Equal(t, r.TLS.Chain, back.Endpoints[i].TLS.Chain)
		assert.Equal(t, r.TLS.Version, back.Endpoints[i].TLS.Version)
		if r.NTLM != nil {
			r.NTLM.At = r.NTLM.At.UTC().Round(0) // JSON has no monotonic clock
		}
		assert.Equal(t, r.NTLM, back.Endpoints[i].NTLM)
	}
	for _, protocol := range []authinspect.Protocol{authinspect.IMAP, authinspect.POP3, authinspect.SMTP} {
		for _, host := range []*authinspecttest.MailHost{authinspecttest.ExchangeOnlineMail(protocol), authinspecttest.ExchangeServerMail(protocol)} {
			r := inspectMail(t, host)
			assert.Equal(t, authinspect.AssessMail(r, november2026), authinspect.AssessMail(readBack(t, r), november2026))
		}
	}
	readBack(t, &authinspect.Organization{})
	readBack(t, &authinspect.Result{})
	readBack(t, &authinspect.MailResult{})

	for _, bad := range []string{`{"tls":{"chain":["AAAA"]}}`, `{"tls":{"version":"TLS 9"}}`, `{"modern":"perhaps"}`, `{"ntlm":{"version":"ten"}}`, `{"answers":[{"step":"secret"}]}`, `[]`} {
		assert.Error(t, json.Unmarshal([]byte(bad), new(authinspect.Result)), bad)
	}
}

// Whatever answers there were, what is read back is judged as the original.
func TestAnswersReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	for range 400 {
		var answers []authinspect.Answer
		for range r.IntN(4) {
			a := authinspect.Answer{Step: authinspect.Step(r.IntN(5)), Status: []int{0, 200, 302, 401, 401, 401, 403, 456}[r.IntN(8)], At: noon.Add(time.Duration(r.IntN(1000)) * time.Second)}
			if a.Status == 0 {
				a.Err = fmt.Errorf("no answer %d", r.IntN(9))
			} else {
				a.Header = http.Header{}
				for range r.IntN(3) {
					a.Header.Add("WWW-Authenticate", pick(`Basic realm=""`, `Basic realm="mail.contoso.test"`, "NTLM", "Negotiate", "NTLM "+exchange.Token68(noon), `Bearer`, `Bearer authorization_uri="`+uri+`"`,
						`Digest realm="x`, `?? x`, `Bearer ="a"`, `Bearer trusted_issuers="x@*", authorization_uri=https://sts.contoso.test/adfs/x`))
				}
				if r.IntN(3) == 0 {
					a.Header.Set("X-OWA-Version", pick("15.2.1748.39", "15.20.1.1", "15.1.2507.6", "nonsense"))
				}
				if r.IntN(3) == 0 {
					a.Header.Set("x-ms-diagnostics", pick(`4000000;reason="Flighting is not enabled for domain 'bob@contoso.test'.";error_category="oauth_not_available"`, "nonsense"))
				}
				if r.IntN(3) == 0 {
					a.Header.Set("Location", pick("https://login.microsoftonline.com/x?secret=1", "https://sts.contoso.test/adfs/ls/?x#y", "/owa/"))
				}
				if r.IntN(5) == 0 {
					a.Header.Set("MS-ASProtocolVersions", "2.5,12.1,14.1")
				}
			}
			answers = append(answers, a)
		}
		result := authinspect.Conclude(pick(target, "-", "", "https://sts.contoso.test/adfs/services/trust/13/windowstransport"), "bob@contoso.test", answers...)
		result.TLS = &authinspect.TLS{Version: uint16(0x300 + r.IntN(5)), Trusted: r.IntN(2) == 0, NameMismatch: r.IntN(2) == 0}
		back := readBack(t, result)
		require.Equal(t, authinspect.Assess(result, noon), authinspect.Assess(back, noon))
		data, err := json.Marshal(result)
		require.NoError(t, err)
		require.NotContains(t, string(data), "secret=")
		require.NotContains(t, string(data), exchange.Token68(noon))
	}
}
