package authinspect

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/catalogue"
)

// Every sample is explained by its own row, or by one that says more about
// the same protocol.
func TestCatalogueSamples(t *testing.T) {
	rows := responses().table.Rows()
	require.Greater(t, len(rows), 150)
	for _, row := range rows {
		r := row.Value
		id := r.explanation.ID
		assert.NotEmpty(t, r.samples, "%s: every row is tested with a sample", id)
		for _, sample := range r.samples {
			all := explain(r.sampleProtocol(), sample, r.tls, true)
			ids := make([]string, len(all))
			for i, e := range all {
				ids[i] = e.ID
			}
			assert.Contains(t, ids, id, "%q", sample)
		}
	}
}

// sampleProtocol is a protocol that the row is for.
func (r *response) sampleProtocol() Protocol {
	if r.protocol == "any" {
		return SMTP
	}
	return r.protocol
}

func TestCatalogueInvariants(t *testing.T) {
	assert.Equal(t, AsOf, responses().asOf)
	seen := map[string]bool{}
	for _, row := range responses().table.Rows() {
		r := row.Value
		e := r.explanation
		assert.False(t, seen[e.ID], "%s stands there twice", e.ID)
		seen[e.ID] = true
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9-]+$`), e.ID)
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9-]+$`), e.Meaning, e.ID)
		assert.NotEmpty(t, e.Cause, e.ID)
		assert.Contains(t, []Protocol{HTTP, IMAP, POP3, SMTP, "any"}, e.Protocol, e.ID)
		assert.Contains(t, []string{"observed", "documented", "inferred"}, e.Evidence, e.ID)
		assert.Contains(t, []string{"", "offered", "advertised-not-usable", "off", "blocked", "reached", "unclear"}, e.Basic, e.ID)
		assert.NotEmpty(t, e.Sources, e.ID)
		assert.NotContains(t, e.Sources, "", "%s names a source that the file does not have", e.ID)
		assert.Positive(t, row.Weight, "%s: a pattern without literal text explains everything", e.ID)
	}
}

// The eight sentences of 535 5.7.139 have one code, and eight answers.
func TestExplainEightSentences(t *testing.T) {
	const tail = " [AM0PR01CA0099.eurprd01.prod.exchangelabs.com 2026-11-22T10:00:00.000Z 08DD]"
	sentences := map[string]string{
		"basic authentication is disabled.": "smtp-535-basic-disabled",
		"SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled":        "smtp-535-tenant",
		"SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled":       "smtp-535-mailbox",
		"the user credentials were incorrect.":                                                                "smtp-535-creds",
		"user is locked by your organization's security defaults policy. Contact your administrator.":         "smtp-535-secdefaults",
		"the request did not meet the criteria to be authenticated successfully. Contact your administrator.": "smtp-535-criteria",
		"federated STS service was unreachable.":                                                              "smtp-535-sts-unreachable",
		"the federated STS URL does not support HTTPS.":                                                       "smtp-535-sts-https",
	}
	remedies := map[string]bool{}
	for sentence, id := range sentences {
		// As the server says it, and as mail libraries hand it on.
		for _, line := range []string{
			"535 5.7.139 Authentication unsuccessful, " + sentence + tail,
			"S: 535 5.7.139 Authentication unsuccessful, " + sentence,
			"535: 5.7.139 Authentication unsuccessful, " + sentence + tail,
			"(535, b'5.7.139 Authentication unsuccessful, " + sentence + "')",
			"Error: Invalid login: 535 5.7.139 Authentication unsuccessful, " + sentence,
			"permanent error (535): 5.7.139 Authentication unsuccessful, " + sentence,
			"Expected response code 235 but got code 535, with message 535 5.7.139 Authentication unsuccessful, " + sentence,
			"5.7.139 Authentication unsuccessful, " + sentence,
			"SMTP error 535: Authentication unsuccessful, " + sentence, // go-smtp
			"Authentication unsuccessful, " + sentence,
		} {
			e, ok := ExplainResponse(SMTP, line)
			require.True(t, ok, "%q", line)
			assert.Equal(t, id, e.ID, "%q", line)
			assert.NotEmpty(t, e.Remedy, id)
			remedies[e.Remedy] = true
		}
	}
	assert.Len(t, remedies, 8)

	e, ok := ExplainResponse(SMTP, "535 5.7.139 Authentication unsuccessful, a sentence of next year")
	require.True(t, ok)
	assert.Equal(t, "refused-reason-unknown", e.Meaning)
}

func TestExplainResponse(t *testing.T) {
	check := func(protocol Protocol, line, want string) {
		t.Helper()
		e, ok := ExplainResponse(protocol, line)
		if want == "" {
			assert.False(t, ok, "%q is explained by %s", line, e.ID)
			return
		}
		assert.True(t, ok, "%q", line)
		assert.Equal(t, want, e.ID, "%q", line)
	}
	// With tag, without tag, and as Python's imaplib gives it.
	check(IMAP, "a1 NO Basic authentication is disabled.", "imap-basic-disabled")
	check(IMAPS, "NO Basic authentication is disabled.\r\n", "imap-basic-disabled")
	check(IMAP, "Basic authentication is disabled.", "imap-basic-disabled")
	check(POP3S, "poplib.error_proto: b'-ERR Basic authentication is disabled'", "pop-basic-disabled")
	check(POP3, "Basic authentication is disabled", "pop-basic-disabled")

	// A word alone does not tell whether TLS was on.
	check(IMAP, "LOGINDISABLED", "imap-cap-logindisabled")

	// SASL error challenges hold JSON in base64.
	check(SMTP, "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=", "smtp-334-json")
	check(IMAP, "+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=", "imap-xoauth2-json")

	// The reason beats the number.
	const offload = `2000003;reason="The hostname component of the audience claim value is invalid. Expected 'https://mail.contoso.test'. Actual 'http://mail.contoso.test'.";error_category="invalid_resource"`
	check(HTTP, "x-ms-diagnostics: "+offload, "http-diag-aud-http")
	check(HTTP, offload, "http-diag-aud-http")
	check(HTTP, `X-MS-Diagnostics: 2000003;reason="x";error_category="invalid_resource"`, "http-diag-2000003")
	check(HTTP, `4000000;reason="Flighting is not enabled for domain 'mail.contoso.test'.";error_category="oauth_not_available"`, "http-diag-4000000")
	check(HTTP, `4000000;reason="Flighting is not enabled for domain 'bob@contoso.test'.";error_category="oauth_not_available"`, "http-diag-flighting")
	check(HTTP, "HTTP/1.1 456 ", "http-456")
	check(HTTP, "HTTP/1.1 4560 odd", "")
	check(HTTP, `WWW-Authenticate: Basic Realm=""`, "http-basic-empty-realm")

	// Numbers of Entra ID turn up everywhere.
	check(SMTP, "AADSTS53003: Access has been blocked by Conditional Access policies.", "aadsts-53003")
	check(HTTP, "X-AutoDiscovery-Error: LiveIdBasicAuth:LiveServerUnreachable:<AADSTS50126: Error validating credentials>", "aadsts-50126")
	check(POP3, "AADSTS99999: something new", "aadsts-other")

	// A code that was lost is not made up for text that anybody may say.
	check(SMTP, "SMTP error 535: Go away", "")
	check(SMTP, "535 Go away", "")
	check(SMTP, "SMTP error 535: Authentication unsuccessful [LO2P265CA0001.GBRP265.PROD.OUTLOOK.COM]", "smtp-535-573")

	// Silence is not an explanation.
	check(SMTP, "250 2.0.0 OK", "")
	check(SMTP, "", "")
	check(IMAP, "a1 OK LOGIN completed.", "")
	check("ftp", "530 5.7.57 Client not authenticated to send mail.", "")
	check(HTTP, "200 OK", "")
}

func TestExplainAll(t *testing.T) {
	all := ExplainAll(SMTP, "250-mail.contoso.test Hello\r\n250-AUTH LOGIN XOAUTH2\r\n250 8BITMIME\r\n")
	require.Len(t, all, 2)
	assert.Equal(t, "offers-modern", all[0].Meaning)
	assert.Equal(t, "offers-plain", all[1].Meaning)

	all[0].Sources[0] = "spoiled"
	again := ExplainAll(SMTP, "250-AUTH LOGIN XOAUTH2")
	assert.NotEqual(t, "spoiled", again[0].Sources[0], "the answer is the caller's")

	// Bounded: what stands behind the first 256 lines is left out.
	assert.Empty(t, ExplainAll(SMTP, strings.Repeat("250 ok\n", 300)+"250-AUTH LOGIN XOAUTH2"))
}

// However a sample comes out of a log, a console or a mail, it is explained by
// the row that explains it alone.
func TestExplainAsPasted(t *testing.T) {
	wrap := func(width int, end string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			column := 0
			for i, word := range strings.Fields(s) {
				switch {
				case i == 0:
				case column+len(word) > width:
					b.WriteString(end)
					column = 0
				default:
					b.WriteString(" ")
				}
				b.WriteString(word)
				column += len(word) + 1
			}
			return b.String()
		}
	}
	before := func(prefix string) func(string) string { return func(s string) string { return prefix + s } }
	pastes := map[string]func(string) string{
		"wrapped": wrap(60, "\r\n"), "folded": wrap(70, "\n\t"), "blanks": func(s string) string { return strings.ReplaceAll(s, " ", "  ") + " \r\n" },
		"hard blanks": func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
		"trace":       before("S: "), "arrow": before("<- "), "swaks": before("<** "), "swaks over TLS": before("<~* "), "mail": before("> > "),
	}
	said := map[string]func(string) string{ // of more than a word
		"time": before("10:00:01.123 S: "), "log": before("2026-11-22 10:00:00 ERROR the server said: "), "quoted": func(s string) string { return `said "` + s + `"` },
		"bytes": func(s string) string { return "(b'" + s + "')" },
	}
	word := regexp.MustCompile(`^(?:[A-Z=0-9]+|SASL .*|IMPLEMENTATION .*)$`)
	for _, row := range responses().table.Rows() {
		r := row.Value
		for _, sample := range r.samples {
			alone, ok := ExplainResponse(r.sampleProtocol(), sample)
			require.True(t, ok, sample)
			check := func(how, text string) {
				got, _ := ExplainResponse(r.sampleProtocol(), text)
				assert.Equal(t, alone.ID, got.ID, "%s: %q", how, text)
			}
			for how, paste := range pastes {
				check(how, paste(sample))
			}
			for how, paste := range said {
				if !word.MatchString(sample) {
					check(how, paste(sample))
				}
			}
			// RFC 5321 §4.2.1, with and without the enhanced code on each line.
			if codes := smtpRefusal.FindString(sample); codes != "" {
				code := codes[:3]
				first, rest, found := strings.Cut(wrap(40, "\x00")(strings.TrimPrefix(sample, codes)), "\x00")
				if !found {
					continue
				}
				rest = strings.ReplaceAll(rest, "\x00", " ")
				check("two lines", code+"-"+codes[4:]+first+"\r\n"+code+" "+rest)
				check("two lines with codes", code+"-"+codes[4:]+first+"\r\n"+code+" "+codes[4:]+rest)
			}
		}
	}
	// Two answers are not one.
	all := ExplainAll(SMTP, "535 5.7.139 Authentication unsuccessful, basic\n535 5.7.139 authentication is disabled")
	require.Len(t, all, 1)
	assert.Equal(t, "smtp-535-57139", all[0].ID)
	assert.Empty(t, ExplainAll(HTTP, "Location: /x\nReferer: https://mail.contoso.test/owa/auth/logon.aspx"))
}

func TestParseResponsesRefuses(t *testing.T) {
	check := func(entry, want string) {
		t.Helper()
		_, err := parseResponses([]byte(`{"entries":[` + entry + `]}`))
		assert.ErrorContains(t, err, want)
	}
	check(`{"id":"x","match":{"on":"telepathy"}}`, `x: unknown kind of match: "telepathy"`)
	check(`{"id":"x","match":{"on":"line","pattern":"("}}`, "x: error parsing regexp")
	check(`{"id":"x","match":{"on":"challenge","scheme":"basic","params":{"realm":"("}}}`, "x: error parsing regexp")
	check(`{"id":"x","colour":"red"}`, "unknown field")
}

// Whatever a server says, an explanation is a row of the catalogue that
// matches one of its lines, is the same when asked again, and never repeats
// what was said.
func FuzzExplainResponse(f *testing.F) {
	for _, row := range responses().table.Rows() {
		r := row.Value
		for _, sample := range r.samples {
			f.Add(string(r.sampleProtocol()), sample)
		}
	}
	f.Add("smtp", "(535, b'5.7.139 Authentication unsuccessful, x')")
	f.Fuzz(func(t *testing.T, protocol, text string) {
		all := ExplainAll(Protocol(protocol), text)
		first, ok := ExplainResponse(Protocol(protocol), text)
		rows := responses().table.Rows()
		require.Equal(t, len(all) > 0, ok)
		if !ok {
			return
		}
		require.Equal(t, all[0], first)
		for i, e := range all {
			at := slices.IndexFunc(rows, func(r *catalogue.Row[*response]) bool { return r.Value.explanation.ID == e.ID })
			require.GreaterOrEqual(t, at, 0)
			require.Equal(t, rows[at].Value.explanation, e)
			require.Contains(t, []Protocol{Protocol(protocol).plain(), "any"}, e.Protocol)
			if i > 0 {
				previous := slices.IndexFunc(rows, func(r *catalogue.Row[*response]) bool { return r.Value.explanation.ID == all[i-1].ID })
				require.GreaterOrEqual(t, rows[previous].Weight, rows[at].Weight)
			}
		}
		_, err := json.Marshal(all)
		require.NoError(t, err)
	})
}

func BenchmarkExplainResponse(b *testing.B) {
	responses()
	b.ReportAllocs()
	for b.Loop() {
		ExplainResponse(SMTP, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.")
	}
}
