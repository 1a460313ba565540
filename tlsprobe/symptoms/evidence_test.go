package symptoms_test

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

const (
	ssl3 = tlsprobe.SSL30
	t10  = tlsprobe.TLS10
	t11  = tlsprobe.TLS11
	t12  = tlsprobe.TLS12
	t13  = tlsprobe.TLS13
)

// server is one that accepts these versions with one suite, and refuses the
// others.
func server(suite tlsprobe.Suite, accepted ...tlsprobe.Version) *tlsprobe.Result {
	r := &tlsprobe.Result{Target: "server.contoso.test:443", Class: tlsprobe.TLS, Trusted: true, Versions: tlsprobe.Versions{}}
	for _, v := range []tlsprobe.Version{ssl3, t10, t11, t12, t13} {
		r.Versions[v] = tlsprobe.Answer{Support: tlsprobe.Refused, Reason: tlsprobe.SentAlert}
	}
	for _, v := range accepted {
		a := tlsprobe.Answer{Support: tlsprobe.Accepted, Reason: tlsprobe.Chosen, Suite: suite, Group: 0x1D}
		if v == t13 {
			a.Suite = 0x1302
		}
		r.Versions[v] = a
	}
	return r
}

func client(windows string) *schannel.Client {
	return schannel.NewClient(tlsprobetest.Registry(windows))
}

const (
	forcibly  = "System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception.\n ---> System.IO.IOException: Unable to read data from the transport connection: An existing connection was forcibly closed by the remote host..\n ---> System.Net.Sockets.SocketException (10054): An existing connection was forcibly closed by the remote host."
	channel   = "Invoke-WebRequest : The request was aborted: Could not create SSL/TLS secure channel."
	send      = "Invoke-WebRequest : The underlying connection was closed: An unexpected error occurred on a send."
	uri       = "WARNING: Unable to download from URI 'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''."
	source    = "Register-PackageSource : Source Location 'https://www.powershellgallery.com/api/v2' is not valid."
	algorithm = "The client and server cannot communicate, because they do not possess a common algorithm"
)

// The same sentence has another cause on every machine.
func TestEvidenceDecides(t *testing.T) {
	class := func(c tlsprobe.Class) *tlsprobe.Result {
		return &tlsprobe.Result{Target: "server.contoso.test:443", Class: c, Versions: tlsprobe.Versions{}}
	}
	clientCertificate := server(0xC030, t12, t13)
	clientCertificate.ClientCertificate = true
	distrusted := func(target string, kind tlsprobe.FaultKind) *tlsprobe.Result {
		r := server(0xC030, t12, t13)
		r.Target, r.Trusted = target, false
		r.Distrust = &tlsprobe.DistrustError{Faults: []tlsprobe.Fault{{Kind: kind, Text: "the chain has a fault"}}}
		return r
	}
	alert := tlsprobe.Alert(48)
	for name, c := range map[string]struct {
		text string
		with symptoms.Evidence
		want string
	}{
		"Server 2016 console, gallery":              {uri, symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0xC030, t12, t13)}, "client-no-tls12"},
		"Server 2016 console, client alone":         {uri, symptoms.Evidence{Client: client("Windows Server 2016")}, "client-no-tls12"},
		"Server 2022, gallery":                      {uri, symptoms.Evidence{Client: client("Windows Server 2022"), Server: server(0xC030, t12, t13)}, "down"},
		"Server 2022, gallery hangs":                {uri, symptoms.Evidence{Client: client("Windows Server 2022"), Server: class(tlsprobe.Silent)}, "silent"},
		"Server 2022, gallery refused":              {source, symptoms.Evidence{Client: client("Windows Server 2022"), Server: class(tlsprobe.ConnectionRefused)}, "down"},
		"source location, Tls12 set":                {source, symptoms.Evidence{Client: client("Windows Server 2022"), Server: server(0xC030, t12, t13)}, "down"},
		"source location, old client":               {source, symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0xC030, t12, t13)}, "client-no-tls12"},
		"Server 2016 and TLS 1.3 alone":             {forcibly, symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0, t13)}, "client-no-tls13"},
		"unknown client and TLS 1.3 alone":          {forcibly, symptoms.Evidence{Server: server(0, t13)}, "client-no-tls13"},
		"Server 2016, server unknown":               {forcibly, symptoms.Evidence{Client: client("Windows Server 2016")}, "client-no-tls13"},
		"Server 2022 and TLS 1.2: a device":         {forcibly, symptoms.Evidence{Client: client("Windows Server 2022"), Server: server(0xC030, t12, t13)}, "inspection"},
		"2012 R2 and a GCM suite it has":            {channel, symptoms.Evidence{Client: client("Windows Server 2019"), Server: clientCertificate}, "client-cert"},
		"old server":                                {send, symptoms.Evidence{Server: server(0x002F, t10)}, "server-old"},
		"name unknown":                              {send, symptoms.Evidence{Failed: &tlsprobe.UnreachableError{Target: "a.test:443", Err: &net.DNSError{IsNotFound: true}}}, "endpoint-moved"},
		"all hellos reset":                          {"read ECONNRESET", symptoms.Evidence{Server: class(tlsprobe.Reset)}, "inspection"},
		"plain HTTP":                                {channel, symptoms.Evidence{Server: class(tlsprobe.NotTLS)}, "not-tls"},
		"STARTTLS":                                  {"wrong version number", symptoms.Evidence{Server: class(tlsprobe.NeedsStartTLS)}, "starttls"},
		"SNI":                                       {"tls: internal error", symptoms.Evidence{Server: class(tlsprobe.SNINeeded)}, "sni"},
		"proxy":                                     {"Unable to connect to the remote server", symptoms.Evidence{Server: class(tlsprobe.ProxyRefused)}, "proxy-needed"},
		"inspected":                                 {"certificate signed by unknown authority", symptoms.Evidence{Server: distrusted("login.microsoftonline.com:443", tlsprobe.FaultUntrustedRoot)}, "inspection"},
		"untrusted":                                 {"The SSL connection could not be established, see inner exception.", symptoms.Evidence{Server: distrusted("a.test:443", tlsprobe.FaultUntrustedRoot)}, "cert-trust"},
		"name of the certificate":                   {"Could not establish trust relationship for the SSL/TLS secure channel.", symptoms.Evidence{Server: distrusted("a.test:443", tlsprobe.FaultName)}, "cert-name"},
		"expired":                                   {"Could not establish trust relationship for the SSL/TLS secure channel.", symptoms.Evidence{Server: distrusted("a.test:443", tlsprobe.FaultValidity)}, "cert-time"},
		"alert":                                     {"The SSL connection could not be established, see inner exception.", symptoms.Evidence{Alert: &alert}, "cert-trust"},
		"no text":                                   {"", symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0, t13)}, "client-no-tls13"},
		"a certificate text is not about versions":  {"The remote certificate is invalid according to the validation procedure: RemoteCertificateNameMismatch", symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0, t13)}, "cert-name"},
		"Entra ID's own words beat the settings":    {"AADSTS1002016", symptoms.Evidence{Client: client("Windows Server 2022"), Server: server(0xC030, t12, t13)}, "client-no-tls12"},
		"no DNS, whatever the probe shows":          {"The remote name could not be resolved: 'a.test'", symptoms.Evidence{Client: client("Windows Server 2016"), Server: server(0, t13)}, "endpoint-moved"},
		"a common algorithm: the server of TLS 1.3": {algorithm, symptoms.Evidence{Client: client("Windows 10 22H2"), Server: server(0, t13)}, "client-no-tls13"},
	} {
		d := symptoms.Diagnose(c.text, c.with)
		_, got := first(d)
		assert.Equal(t, c.want, got, "%s: %+v", name, d.Causes)
	}
}

func TestSuitesThatTheClientLacks(t *testing.T) {
	r := server(0xC030, t12) // ECDHE_RSA with AES-256-GCM
	o := client("Windows Server 2012 R2").Offers(schannel.App{Stack: schannel.WindowsPowerShell, Named: []tlsprobe.Version{t12}})
	alert := tlsprobe.Alert(40)
	n := schannel.Negotiate(o, r, schannel.Trial{App: o.App, Target: r.Target, Alert: &alert})
	require.Equal(t, schannel.NoCommonSuite, n.Cause, n.Explanation)
	d := symptoms.Diagnose(channel, symptoms.Evidence{Offer: o, Server: r, Negotiation: n})
	assert.Equal(t, "no-common-suite", d.Causes[0].ID)
	assert.GreaterOrEqual(t, d.Causes[0].Confidence, symptoms.Settled)
	assert.Contains(t, ruledOut(d), "client-no-tls12")
}

// check holds for every diagnosis.
func check(t testing.TB, name string, d *symptoms.Diagnosis) {
	t.Helper()
	sum := 0.0
	seen := map[string]bool{}
	for i, c := range d.Causes {
		sum += c.Confidence
		if c.Confidence < 0 || c.Confidence > 1 || c.Title == "" || c.Check == "" || c.Fix == "" || len(c.Sources) == 0 || seen[c.ID] {
			t.Errorf("%s: cause %d: %+v", name, i, c)
		}
		if i > 0 && c.Confidence > d.Causes[i-1].Confidence {
			t.Errorf("%s: %s comes after %s and is likelier", name, c.ID, d.Causes[i-1].ID)
		}
		seen[c.ID] = true
	}
	if sum > 1.01 {
		t.Errorf("%s: confidences add up to %f", name, sum)
	}
	for _, x := range d.RuledOut {
		if seen[x.ID] || x.Why == "" {
			t.Errorf("%s: %s is ruled out and is a cause, or there is no reason: %q", name, x.ID, x.Why)
		}
	}
	b, err := json.Marshal(d)
	require.NoError(t, err)
	var back symptoms.Diagnosis
	require.NoError(t, json.Unmarshal(b, &back), "%s", b)
	assert.Equal(t, *d, back, name)
	findingtest.Check(t, name, symptoms.Rules(), symptoms.Assess(d, "EXCH01"))
}

func evidences() []symptoms.Evidence {
	list := []symptoms.Evidence{{}, {Client: &schannel.Client{}}, {Server: &tlsprobe.Result{}}, {Offer: &schannel.Offer{}}, {Negotiation: &schannel.Negotiation{}}, {Failed: net.ErrClosed}, {Failed: &tlsprobe.UnreachableError{}}}
	for c := tlsprobe.Unclassified; c <= tlsprobe.BackendsDiffer; c++ {
		list = append(list, symptoms.Evidence{Server: &tlsprobe.Result{Target: "a.test:1", Class: c}})
	}
	for _, w := range []string{"Windows 7", "Windows Server 2012 R2", "Windows Server 2016", "Windows Server 2025"} {
		for _, s := range []*tlsprobe.Result{nil, server(0xC030, t12, t13), server(0, t13), server(0x002F, t10), server(0xC013, ssl3, t10, t12)} {
			list = append(list, symptoms.Evidence{Client: client(w), Server: s})
		}
	}
	alert := tlsprobe.Alert(200)
	return append(list, symptoms.Evidence{Alert: &alert})
}

func TestContract(t *testing.T) {
	findingtest.CheckRules(t, symptoms.Rules())
	findingtest.Check(t, "nil", symptoms.Rules(), symptoms.Assess(nil, ""))
	texts := []string{"", "nothing of the kind", uri, forcibly, "AADSTS1002016", "RemoteCertificateNameMismatch", "Schannel 36888 70", "0x80090331"}
	seen := map[crossprem.Status]int{}
	for i, e := range evidences() {
		for _, text := range texts {
			d := symptoms.Diagnose(text, e)
			check(t, strings.Join([]string{text, string(rune('a' + i))}, " "), d)
			for _, f := range symptoms.Assess(d, "EXCH01") {
				seen[f.Status]++
			}
		}
	}
	assert.Len(t, seen, 3, "all outcomes")
	for _, row := range read[ownTexts](t, "own.json") {
		for _, text := range row.Texts {
			check(t, text, symptoms.Diagnose(text))
		}
	}
	assert.Len(t, symptoms.Causes(), 24)
}

// More evidence of the same kind never makes a cause possible that was ruled
// out, and the order of evidence and of windows does not matter.
func TestMetamorphic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	own := read[ownTexts](t, "own.json")
	for range 60 {
		row := own[rnd.IntN(len(own))]
		text := row.Texts[rnd.IntN(len(row.Texts))]
		e := symptoms.Evidence{Client: client("Windows Server 2016")}
		s := symptoms.Evidence{Server: server(0xC030, t12, t13)}
		assert.Equal(t, symptoms.Diagnose(text, e, s), symptoms.Diagnose(text, s, e), text)
		assert.Equal(t, ids(symptoms.Diagnose(text), 9), ids(symptoms.Diagnose(text+"\n"+text), 9), "said twice: %q", text)
		read, err := symptoms.Read(strings.NewReader(text))
		d := read.Diagnose()
		require.NoError(t, err)
		assert.Equal(t, symptoms.Diagnose(text), d)
	}
}

func FuzzDiagnose(f *testing.F) {
	for _, row := range []string{uri, forcibly, channel, source, "0x8009\n0331", "<EventID>36887</EventID><Data>70</Data>", "&lt;p&gt;", "error:0A00042E", "-2146893007", "\xff\xfeA\x00"} {
		f.Add(row, uint8(0))
	}
	all := evidences()
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		e := all[int(which)%len(all)]
		d := symptoms.Diagnose(text, e)
		check(t, "fuzz", d)
		// A text before and after others is still found.
		if len(text) < 1000 && !strings.ContainsAny(text, "<>&") {
			both := symptoms.Diagnose(text + "\n\nERR_SSL_VERSION_OR_CIPHER_MISMATCH\n")
			if !slices.ContainsFunc(both.Symptoms, func(s symptoms.Symptom) bool { return s.ID == "version-or-cipher" }) {
				t.Errorf("lost behind %q", text)
			}
		}
	})
}
