package authinspect_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
)

func TestReadAnswers(t *testing.T) {
	answers, warnings, err := authinspect.ReadAnswers(strings.NewReader("* Connected\n> GET /ews HTTP/1.1\n> Authorization: Bearer\n>\n" +
		"< HTTP/1.1 401 Unauthorized\r\n< www-authenticate: Bearer client_id=\"x\",\r\n<   Basic realm=\"y\"\r\n< WWW-Authenticate: NTLM\r\n<\r\n" +
		"hello\n\nx-ms-diagnostics: 2000001;reason=\"x\"\n"))
	require.NoError(t, err)
	require.Len(t, answers, 2)
	assert.Equal(t, 401, answers[0].Status)
	challenges, _ := authinspect.ParseChallenges(answers[0].Header)
	assert.Equal(t, "bearer client_id=x | basic realm=y | ntlm", show(challenges))
	assert.Equal(t, http.Header{"X-Ms-Diagnostics": {`2000001;reason="x"`}}, answers[1].Header)
	assert.Equal(t, []string{"line 10 is no header field"}, warnings)

	r := authinspect.Conclude("pasted", "", answers...)
	assert.Equal(t, authinspect.ModernUnknown, r.Modern)
	assert.Len(t, r.Diagnostics, 1)

	// As PowerShell lists them, in a mail that indents.
	answers, warnings, err = authinspect.ReadAnswers(strings.NewReader("\n  WWW-Authenticate : Negotiate,\n                     NTLM\n  Server           : Microsoft-IIS/10.0\n"))
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, http.Header{"Www-Authenticate": {"Negotiate, NTLM"}, "Server": {"Microsoft-IIS/10.0"}}, answers[0].Header)

	_, _, err = authinspect.ReadAnswers(strings.NewReader("nothing here"))
	assert.ErrorContains(t, err, "no header field")
	_, _, err = authinspect.ReadAnswers(strings.NewReader(strings.Repeat("a: b\n", 1<<20)))
	assert.ErrorContains(t, err, "more than")
}

// Each paste says the same: 401, Negotiate and then Basic with a realm.
func TestReadAnswersPasted(t *testing.T) {
	pastes := map[string]string{
		"curl -v": "* Connected to mail.contoso.test\n> GET /ews HTTP/2\n> Authorization: Basic c2VjcmV0\n>\n* sent off\n< HTTP/2 401 \n< www-authenticate: Negotiate\n" +
			"< www-authenticate: Basic realm=\"r\"\n* left intact\n<\n{ [0 bytes data]\n",
		"curl --trace-ascii": "=> Send header, 80 bytes (0x50)\n0000: GET /ews HTTP/1.1\n0012: Authorization: Basic c2VjcmV0\n0032: \n<= Recv header, 27 bytes (0x1b)\n0000: HTTP/1.1 401 Unauthorized\n" +
			"<= Recv header, 29 bytes (0x1d)\n0000: WWW-Authenticate: Negotiate\n<= Recv header, 35 bytes (0x23)\n0000: WWW-Authenticate: Basic realm=\"r\"\n<= Recv header, 2 bytes (0x2)\n0000: \n",
		"curl -I in cmd":     "HTTP/1.1 401 Unauthorized\r\r\nWWW-Authenticate: Negotiate\r\r\nWWW-Authenticate: Basic realm=\"r\"\r\r\n",
		"with a mark":        "\ufeffHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic realm=\"r\"\r\n",
		"wget":               "--2026-11-22 10:00:00--  https://mail.contoso.test/ews\nHTTP request sent, awaiting response...\n  HTTP/1.1 401 Unauthorized\n  WWW-Authenticate: Negotiate\n  WWW-Authenticate: Basic realm=\"r\"\nUsername/Password Authentication Failed.\n",
		"a trace":            "GET /ews HTTP/1.1\nHost: mail.contoso.test\nAuthorization: Basic c2VjcmV0\n\nHTTP/1.1 401 Unauthorized\nWWW-Authenticate: Negotiate\nWWW-Authenticate: Basic realm=\"r\"\n",
		"Chrome":             "Request URL:\nhttps://mail.contoso.test/ews\nStatus Code:\n401 Unauthorized\nRemote Address:\n10.0.0.1:443\nlocation:\nhttps://contoso.test/\nwww-authenticate:\nNegotiate\nwww-authenticate:\nBasic realm=\"r\"\n:authority:\nmail.contoso.test\nauthorization:\nBasic c2VjcmV0\n",
		"Chrome, by heading": "General\nStatus Code: 401 Unauthorized\nResponse Headers\nwww-authenticate: Negotiate\nwww-authenticate: Basic realm=\"r\"\nRequest Headers\nauthorization: Basic c2VjcmV0\nhost: x\n",
		"Firefox":            "Status\n\t401 Unauthorized\nwww-authenticate\n\tNegotiate\nwww-authenticate\n\tBasic realm=\"r\"\nRequest Headers\nauthorization\n\tBasic c2VjcmV0\n",
		"Safari":             ":status: 401\nwww-authenticate: Negotiate\nwww-authenticate: Basic realm=\"r\"\ncookie: secret=1\n",
		"RawContent":         "StatusCode        : 401\nStatusDescription : Unauthorized\nRawContent        : HTTP/1.1 401 Unauthorized\n                    WWW-Authenticate: Negotiate\n                    WWW-Authenticate: Basic realm=\"r\"\n",
		"HttpResponse":       "StatusCode: 401, ReasonPhrase: 'Unauthorized', Version: 1.1, Headers:\r\n{\r\n  WWW-Authenticate: Negotiate\r\n  WWW-Authenticate: Basic realm=\"r\"\r\n}\r\n",
		"a PowerShell table": "Status: 401\nKey              Value\n---              -----\nWWW-Authenticate {Negotiate, Basic realm=\"r\"}\nDate             {Sun, 22 Nov 2026 10:00:00 GMT}\n",
		"its schemes":        "Status: 401\nScheme    Parameter\n------    ---------\nNegotiate\nBasic     realm=\"r\"\n",
		"wrapped by a mail":  "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Negotiate,\nBasic\nrealm=\"r\"\n",
	}
	pastes["Windows PowerShell's file"] = "\xff\xfe"
	for _, c := range "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic realm=\"r\"\r\n" {
		pastes["Windows PowerShell's file"] += string(c) + "\x00"
	}
	pastes["the same, turned round"] = "\xfe\xff"
	for _, c := range "Status: 401\nWWW-Authenticate: Negotiate, Basic realm=\"r\"" {
		pastes["the same, turned round"] += "\x00" + string(c)
	}
	for name, text := range pastes {
		answers, _, err := authinspect.ReadAnswers(strings.NewReader(text))
		require.NoError(t, err, name)
		require.Len(t, answers, 1, name)
		assert.Equal(t, 401, answers[0].Status, name)
		challenges, _ := authinspect.ParseChallenges(answers[0].Header)
		assert.Equal(t, "negotiate | basic realm=r", show(challenges), name)
		for _, secret := range []string{"Authorization", "Cookie"} {
			assert.NotContains(t, answers[0].Header, secret, name)
		}
	}
}

// A field folded a million times, and as many lines that are none, cost no
// more than reading them.
func TestReadAnswersIsLinear(t *testing.T) {
	answers, warnings, err := authinspect.ReadAnswers(strings.NewReader("a: b\n" + strings.Repeat(" b\n", 1<<20)))
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Len(t, answers[0].Header.Get("a"), 1+2<<20)
	_, warnings, err = authinspect.ReadAnswers(strings.NewReader("a: b\n" + strings.Repeat("b\n", 1<<20)))
	require.NoError(t, err)
	assert.Len(t, warnings, 21)
	assert.Equal(t, "and 1048556 more lines are no header fields", warnings[20])
}

// Whatever is pasted: what is read are fields of answers on one line each, no
// field of a request is, an answer without any field is partial, and nothing
// is called missing in an answer that is.
func FuzzReadAnswers(f *testing.F) {
	f.Add("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer a=\"b\",\n\tBasic realm=\"c\"\n\nx: y")
	f.Add("a:\n b")
	f.Add("< HTTP/2 401\n< a: b\n> Authorization: Basic x")
	f.Add("{\"WWW-Authenticate\": [\"Negotiate\", \"NTLM\"], 'server': b'x'}")
	f.Add("Key   : WWW-Authenticate\nValue : {Negotiate, NT…")
	f.Add("00000000: 4854 5450 2f31 2e31 2034 3031 2055 6e61  HTTP/1.1 401 Una\n")
	f.Add("map[Www-Authenticate:[NTLM Basic realm=\"x\"] X-Feserver:[EX]")
	f.Add("Scheme Parameter\n------ ---------\nBasic  realm=\"x\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		answers, warnings, err := authinspect.ReadAnswers(strings.NewReader(text))
		for _, w := range warnings {
			require.NotContains(t, w, "\n")
		}
		if err != nil {
			require.Empty(t, answers)
			return
		}
		for _, a := range answers {
			require.True(t, a.Partial || len(a.Header) > 0)
			for name, values := range a.Header {
				require.NotContains(t, []string{"Authorization", "Proxy-Authorization", "Cookie", "User-Agent"}, name)
				for _, value := range values {
					require.NotContains(t, value, "\n")
				}
			}
			r := authinspect.Conclude("-", "", a)
			for _, finding := range authinspect.Assess(r, noon) {
				require.False(t, a.Partial && finding.Rule == "challenge-missing" && finding.Status == crossprem.Failed)
			}
		}
	})
}

// What is wrong with a challenge of a capture is told with its line.
func TestWarningsNameTheLine(t *testing.T) {
	answers, _, err := authinspect.ReadAnswers(strings.NewReader("HTTP/1.1 401 Unauthorized\nServer: x\nWWW-Authenticate: NTLM\nWWW-Authenticate: Bearer =\"a\"\n\n"))
	require.NoError(t, err)
	r := authinspect.Conclude("https://x/", "", answers...)
	require.Len(t, r.Warnings, 1)
	assert.Contains(t, r.Warnings[0], "line 4: WWW-Authenticate field 1, byte 7: ")
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var back authinspect.Result
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, r.Warnings, back.Warnings)
}
