package symptoms_test

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/wintext"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

// The texts of reports.json are reports from the field whose cause became
// known. None is the source of a row of the catalogue.
func TestRankingOnReports(t *testing.T) {
	rows := read[reported](t, "reports.json")
	top1, top3 := 0, 0
	for _, r := range rows {
		d := symptoms.Diagnose(r.Text)
		hit := func(n int) bool {
			return slices.ContainsFunc(ids(d, n), func(id string) bool { return slices.Contains(r.Accept, id) })
		}
		if hit(1) {
			top1++
		} else {
			t.Logf("%s: %v, was %v (%v)", r.Source, ids(d, 4), r.Accept, d.Symptoms)
		}
		if hit(3) {
			top3++
		}
	}
	t.Logf("%d reports: top-1 %d, top-3 %d", len(rows), top1, top3)
	assert.GreaterOrEqual(t, float64(top1), 0.85*float64(len(rows)))
	assert.GreaterOrEqual(t, float64(top3), 0.9*float64(len(rows)))
}

// wrap breaks a text after every n characters, as a console does.
func wrap(s string, n int) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		if i > 0 && i%n == 0 {
			b.WriteString("\r\n")
		}
		b.WriteRune(r)
	}
	return b.String()
}

var changes = map[string]func(string) string{
	"wrapped at 79": func(s string) string { return wrap(s, 79) },
	"wrapped at 37": func(s string) string { return wrap(s, 37) },
	"words wrapped": func(s string) string { return strings.ReplaceAll(s, " ", "\n    ") },
	"HTML": func(s string) string {
		return "<html><body><p class=\"x\">" + html.EscapeString(s) + "</p></body></html>"
	},
	"HTML of a page": func(s string) string { return "<pre>" + html.EscapeString(html.EscapeString(s)) + "<br/></pre>" },
	"log": func(s string) string {
		return "2026-11-25T08:15:30.123Z [4711] ERROR " + strings.ReplaceAll(s, "\n", "\n2026-11-25T08:15:30.124Z [4711] ERROR ")
	},
	"quoted mail":   func(s string) string { return "> > " + strings.ReplaceAll(s, "\n", "\n> > ") },
	"upper case":    strings.ToUpper,
	"no-break":      func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	"curly quotes":  func(s string) string { return strings.NewReplacer("'", "’", "\"", "”").Replace(s) },
	"between words": func(s string) string { return "hello, we saw this today:\n\n" + s + "\n\nany idea? thanks" },
}

func TestOneTextInManyShapes(t *testing.T) {
	skipped := 0
	for _, row := range read[ownTexts](t, "own.json") {
		for _, text := range row.Texts {
			_, want := first(symptoms.Diagnose(text))
			if want == "" || len(text) < 12 { // a number alone needs its context
				skipped++
				continue
			}
			for name, change := range changes {
				d := symptoms.Diagnose(change(text))
				_, got := first(d)
				assert.Equal(t, want, got, "%s: %q %v", name, text, d.Symptoms)
			}
		}
	}
	assert.Less(t, skipped, 12)
}

func TestTruncatedTexts(t *testing.T) {
	n, known, same := 0, 0, 0
	for _, row := range read[ownTexts](t, "own.json") {
		for _, text := range row.Texts {
			if len(text) < 60 {
				continue
			}
			_, want := first(symptoms.Diagnose(text))
			for _, part := range []string{text[:len(text)*3/5], text[len(text)*2/5:], text[:len(text)*3/5] + "...", text[len(text)/5 : len(text)*4/5]} {
				n++
				d := symptoms.Diagnose(part)
				if len(d.Causes) > 0 {
					known++
				}
				if slices.Contains(ids(d, 3), want) {
					same++
				} else {
					t.Logf("%q: %v, whole: %s", part, ids(d, 3), want)
				}
			}
		}
	}
	t.Logf("%d pieces of texts: %d recognised, %d with the cause of the whole text among the first three", n, known, same)
	assert.GreaterOrEqual(t, float64(same), 0.8*float64(n))
}

func TestNumbersAlone(t *testing.T) {
	for text, accept := range map[string][]string{
		"0x80090326":                             {"no-common-suite"},
		"80090331":                               {"client-no-tls12", "schannel-locked"},
		"-2146893007":                            {"client-no-tls12", "schannel-locked"},
		"2148074289":                             {"client-no-tls12", "schannel-locked"},
		"SEC_E_ALGORITHM_MISMATCH":               {"client-no-tls12", "schannel-locked"},
		"error 0x8009\n0331":                     {"client-no-tls12", "schannel-locked"},
		"HRESULT: 0x80090325":                    {"cert-trust"},
		"SEC_E_CERT_EXPIRED":                     {"cert-time"},
		"0x80090328":                             {"cert-time"},
		"0x80090322":                             {"cert-name"},
		"0x80092013":                             {"revocation"},
		"0x80092010":                             {"revocation"},
		"0x8009030D":                             {"client-cert"},
		"0x80072EE7":                             {"endpoint-moved", "proxy-needed"},
		"WinHTTP error 12007":                    {"endpoint-moved", "proxy-needed"},
		"12175":                                  {"client-no-tls12"},
		"ERROR: WinHttpSendRequest failed 12175": {"client-no-tls12"},
		"12044":                                  {"client-cert"},
		"0x80072f05":                             {"cert-time"},
		"SocketException (10061)":                {"down"},
		"WSAGetLastError 10054":                  {"client-no-tls12"},
		"36871":                                  {"schannel-locked"},
		"Event ID 36874":                         {"no-common-suite"},
		"Schannel 36887 70":                      {"server-old", "client-no-tls12", "no-common-suite"},
		"Ereignis-ID: 36884":                     {"cert-name"},
		"error:0A00042E":                         {"server-old"},
		"error:1409442E:SSL routines::":          {"server-old"},
		"error:0A000410:SSL routines::":          {"no-common-suite"},
		"error:0A000415:SSL routines::":          {"cert-time"},
		"error:0A000418:lib(20)::":               {"cert-trust"},
		"error:0A00010B:lib::":                   {"not-tls"},
		"SSL alert number 48":                    {"cert-trust"},
		"AADSTS1002016":                          {"client-no-tls12"},
		"AADSTS50034":                            {"not-tls-cause"},
		"AADSTS700016: Application was not found in the directory":                                                                                                    {"not-tls-cause"},
		"MSI: Hybrid Connector install returned 1603":                                                                                                                 {"client-no-tls12"},
		"Received alert [70]: Error in protocol version":                                                                                                              {"server-old"},
		"Authentication failed because the remote party sent a TLS alert: 'ProtocolVersion'.":                                                                         {"server-old"},
		"Authentication failed because the remote party sent a TLS alert: 'UnknownCA'.":                                                                               {"cert-trust"},
		"Der folgende schwerwiegende Alarm wurde empfangen: 70. Ereignis-ID 36887":                                                                                    {"server-old"},
		"<Event><System><Provider Name='Schannel'/><EventID Qualifiers='0'>36887</EventID></System><EventData><Data Name='AlertDesc'>70</Data></EventData></Event>":   {"server-old"},
		"Es wurde eine schwerwiegende Warnung vom Remoteendpunkt empfangen. Die schwerwiegende Warnung hat den folgenden für das TLS-Protokoll definierten Code: 70.": {"server-old"},
		"Une alerte irrécupérable a été reçue du point de terminaison distant. Le code d'alerte irrécupérable défini par le protocole TLS est 40.":                    {"no-common-suite"},
		"Se recibió una alerta irrecuperable desde el extremo remoto. El código de alerta irrecuperable definido por el protocolo TLS es 48.":                         {"cert-trust"},
		"リモート エンドポイントから致命的なアラートを受信しました。TLS プロトコルで定義されている致命的なアラート コードは 70 です。":                                                                                         {"server-old"},
		"Source Location 'http://contoso.test/nuget/' is not valid":                                                                                                   {"down"},
		"Source Location\n'https://www.powershellgallery.com/api/v2' is\nnot valid.":                                                                                  {"down"},
		"Could not resolve host: onegetcdn.azureedge.net":                                                                                                             {"endpoint-moved"},
		"GET https://psg-prod-eastus.azureedge.net/ failed":                                                                                                           {"endpoint-moved"},
		"Install-Module AzureAD":                                                          {"module-retired"},
		"The remote server returned an error: (401) Unauthorized.":                        {"not-tls-cause"},
		"The remote server returned an error: (407) Proxy Authentication Required.":       {"proxy-needed"},
		"The remote server returned an error: (503) Server Unavailable.":                  {"down"},
		"Install-Module : Administrator rights are required to install modules in 'C:\\'": {"not-tls-cause"},
	} {
		d := symptoms.Diagnose(text)
		_, got := first(d)
		assert.Contains(t, accept, got, "%q: %v", text, d.Symptoms)
	}
}

func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	for _, text := range []string{
		"", " \n\t", "all is well", "the meeting is on 2026-11-25 at 12:30, room 10054", "order 36871 of customer 12175 was shipped", "1603",
		"EOFException is a class", "The weather is fine and the number is 80090", strings.Repeat("x", 1000), "\x00\xff\xfe\x80", "https://www.powershellgallery.com/packages/Pester",
		"TLS 1.2 and TLS 1.3 are enabled", "alert: 3 new messages", "the certificate was renewed in time",
	} {
		d := symptoms.Diagnose(text)
		assert.Empty(t, d.Causes, "%q: %v", text, d.Symptoms)
		assert.NotNil(t, d.Causes)
	}
}

func TestSeveralErrorsInOnePaste(t *testing.T) {
	d := symptoms.Diagnose("PS C:\\> Install-Module MSOnline\nWARNING: Unable to download from URI 'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''.\n")
	assert.Equal(t, "client-no-tls12", d.Causes[0].ID)
	assert.Contains(t, ids(d, 99), "module-retired")
	require.Len(t, d.Traps, 2)
	assert.Contains(t, strings.Join(d.Traps, " "), "Microsoft Graph PowerShell")

	d = symptoms.Diagnose("curl: (60) SSL certificate problem: certificate has expired\n\nInvoke-WebRequest : The remote name could not be resolved: 'mail.contoso.test'")
	assert.Subset(t, ids(d, 4), []string{"cert-time", "proxy-needed"})
}

func TestEncodings(t *testing.T) {
	text := "Die Anfrage wurde abgebrochen: Es konnte kein geschützter SSL/TLS-Kanal erstellt werden."
	for name, b := range map[string][]byte{
		"UTF-8":            []byte(text),
		"UTF-8 with mark":  []byte(wintext.Mark + text),
		"UTF-16":           wintext.EncodeUTF16(text),
		"UTF-16 with mark": wintext.EncodeUTF16(wintext.Mark + text),
		"Windows-1252":     []byte(strings.ReplaceAll(text, "ü", "\xfc")),
		"code page 850":    []byte(strings.ReplaceAll(text, "ü", "\x81")),
		"twice UTF-8":      []byte(strings.ReplaceAll(text, "ü", "Ã¼")),
	} {
		read, err := symptoms.Read(strings.NewReader(string(b)))
		d := read.Diagnose()
		require.NoError(t, err, name)
		s, _ := first(d)
		assert.Equal(t, "net-channel", s, name)
	}
}

// pattern is a reader of n bytes of a log, with a message near one place.
type pattern struct {
	n, at   int
	line    string
	message string
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.n <= 0 {
		return 0, fmt.Errorf("end")
	}
	n := min(len(b), p.n)
	for i := 0; i < n; {
		s := p.line
		if p.at >= 0 && p.at < len(s) {
			s, p.at = p.message, -1
		} else {
			p.at -= len(s)
		}
		i += copy(b[i:n], s)
	}
	p.n -= n
	return n, nil
}

func TestLongText(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 20 MB")
	}
	p := &pattern{n: 20 << 20, at: 13 << 20, line: "2026-11-25 08:15:30 INFO request 4711 took 12 ms\n", message: "\n2026-11-25 08:15:30 ERROR Could not create SSL/TLS secure channel.\n"}
	read, err := symptoms.Read(p)
	d := read.Diagnose()
	assert.EqualError(t, err, "end")
	require.NotEmpty(t, d.Symptoms)
	assert.Equal(t, "net-channel", d.Symptoms[0].ID)
}
