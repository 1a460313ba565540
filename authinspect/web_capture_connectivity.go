package authinspect

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/psobject"
	"github.com/crossprem/crossprem/internal/wintext"
)

// connectivityChallenge is a line of Exchange's outbound OAuth log, which
// Test-OAuthConnectivity shows in Detail.
var connectivityChallenge = regexp.MustCompile(`challenge from '([^'\s]+)' received:[ \t]*(\S.*)`)

// maxConnectivity bounds the challenges that one capture may hold.
const maxConnectivity = 200

// connectivityAnswers reads what servers answered while Test-OAuthConnectivity
// ran: one answer for each challenge that its output shows, without a status,
// which it does not tell. In whatever form PowerShell printed the objects, they
// are read as such, so that a console's width breaks no word. It reports
// whether data is such output.
func connectivityAnswers(data []byte) (answers []Answer, is bool) {
	text, err := wintext.Decode(data)
	if err != nil || !strings.Contains(text, "OAuthCredentials") {
		return nil, false
	}
	details := []string{text} // lines alone, unless they are those of objects
	if outputs, err := psobject.Parse(data); err == nil {
		var shown []string
		for _, o := range psobject.Objects(outputs) {
			if detail, state := o.String("Detail"); state != psobject.Absent {
				shown = append(shown, detail)
			}
		}
		if len(shown) > 0 {
			details, is = shown, true
		}
	}
	var seen []string
	for _, detail := range details {
		for _, m := range connectivityChallenge.FindAllStringSubmatch(detail, maxConnectivity) {
			challenge := strings.TrimSpace(m[2])
			if _, _, ok := plainChallenges(challenge); !ok || slices.Contains(seen, m[0]) || len(answers) == maxConnectivity {
				continue
			}
			seen = append(seen, m[0])
			answers = append(answers, Answer{Header: http.Header{"Www-Authenticate": {challenge}}})
		}
	}
	return answers, is
}
