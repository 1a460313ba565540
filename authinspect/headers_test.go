package authinspect_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// What was read is written down as an answer and read again the same; no line
// of a request comes through.
func FuzzReadAnswers(f *testing.F) {
	f.Add("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer a=\"b\",\n\tBasic realm=\"c\"\n\nx: y")
	f.Add("a:\n b")
	f.Add("< HTTP/2 401\n< a: b\n> Authorization: Basic x")
	f.Fuzz(func(t *testing.T, text string) {
		answers, _, err := authinspect.ReadAnswers(strings.NewReader(text))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, a := range answers {
			if a.Status != 0 {
				b.WriteString("HTTP/1.1 " + strconv.Itoa(a.Status) + " x\n")
			}
			for name, values := range a.Header {
				for _, value := range values {
					b.WriteString(name + ": " + value + "\n")
				}
			}
			b.WriteString("\n")
		}
		again, warnings, err := authinspect.ReadAnswers(strings.NewReader(b.String()))
		require.NoError(t, err)
		require.Empty(t, warnings)
		require.Equal(t, answers, again)
	})
}
