package oauthcert_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// Whatever a backup holds, restoring it drops nothing that is there now,
// unless the policy says so.
func FuzzReadBackup(f *testing.F) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	at := time.Now()
	app := application(stored(cert, "cccc3333-0000-4000-8000-000000000001"))
	dir := oauthcerttest.New(1, app)
	var backup bytes.Buffer
	applier := oauthcert.Applier{Interval: time.Nanosecond, Steady: time.Nanosecond}
	if _, err := applier.Apply(f.Context(), dir, oauthcert.PlanKeys(app, nil, oauthcert.Policy{At: at, DropUnused: true}), &backup); err != nil {
		f.Fatal(err)
	}
	f.Add(backup.Bytes())
	f.Add([]byte(`{"backup":"crossprem-oauthcert/1","collection":"servicePrincipalNames","object":{"kind":"servicePrincipal","id":"0f1e2d3c-4b5a-4697-8877-665544332211","appId":"00000002-0000-0ff1-ce00-000000000000","servicePrincipalNames":["https://a.b/"]}}`))
	names := shared()
	names.Names = []string{oauthcert.ExchangeOnline, "https://mail.contoso.com/"}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := oauthcert.ReadBackup(bytes.NewReader(data))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		for _, current := range []*oauthcert.Object{app, names} {
			p := oauthcert.PlanRestore(current, b, oauthcert.Policy{At: at})
			for _, s := range p.Steps {
				if s.Action == oauthcert.Dropped {
					t.Fatalf("restoring drops: %v", s)
				}
				if s.Action == oauthcert.Added && s.Key != nil {
					if _, err := s.Key.Certificate(); err != nil {
						t.Fatalf("restoring adds what is no certificate: %v", s)
					}
				}
			}
		}
	})
}

func FuzzReadAuthConfig(f *testing.F) {
	f.Add([]byte("CurrentCertificateThumbprint : A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C\nNextCertificateThumbprint :\nNextCertificateEffectiveDate : 2/1/2027 12:00:00 AM\n"))
	f.Add([]byte(`{"CurrentCertificateThumbprint":"A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C","NextCertificateEffectiveDate":"/Date(1801440000000)/"}`))
	f.Add([]byte(`[{"Server":"EX01","Thumbprint":"A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C","HasPrivateKey":true}]`))
	f.Add([]byte(`<Objs><Obj><Props><S N="CurrentCertificateThumbprint">A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C</S></Props></Obj></Objs>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := oauthcert.ReadAuthConfig(data)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("an error of several lines: %q", err)
		}
		if err == nil {
			// A thumbprint that was read is the one that stands there.
			digits := strings.Map(func(r rune) rune {
				if strings.ContainsRune("0123456789ABCDEF", r) {
					return r
				}
				return -1
			}, strings.ToUpper(string(data)))
			if !c.Current.IsZero() && !bytes.Contains(data, []byte{0}) && !bytes.Contains(data, []byte{'\\'}) && !bytes.Contains(data, []byte{'&'}) && !strings.Contains(digits, c.Current.String()) {
				t.Fatalf("%v is not in the input", c.Current)
			}
		}
		servers, err := oauthcert.ReadServers(data)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("an error of several lines: %q", err)
		}
		for _, f := range oauthcert.AssessRollover(oauthcert.Rollover{Config: c, Servers: servers}, time.Unix(0, 0)) {
			if f.Rule == "" {
				t.Fatal("a finding without a rule")
			}
		}
	})
}
