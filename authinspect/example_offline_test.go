package authinspect_test

import (
	"fmt"
	"strings"

	"github.com/crossprem/crossprem/authinspect"
)

// What somebody pasted from curl -i, or from any other tool.
const pasted = `HTTP/1.1 401 Unauthorized
Server: Microsoft-IIS/10.0
WWW-Authenticate: Negotiate
WWW-Authenticate: NTLM
WWW-Authenticate: Bearer client_id="00000002-0000-0ff1-ce00-000000000000", authorization_uri="https://login.windows.net/common/oauth2/authorize"
X-FEServer: EX01
`

func ExampleReadAnswers() {
	answers, warnings, err := authinspect.ReadAnswers(strings.NewReader(pasted))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(answers), answers[0].Status, len(answers[0].Header), warnings)
	// Output:
	// 1 401 3 []
}

func ExampleConclude() {
	answers, _, err := authinspect.ReadAnswers(strings.NewReader(pasted))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := authinspect.Conclude("https://mail.contoso.com/EWS/Exchange.asmx", "", answers...)
	fmt.Println(r.Schemes, "modern", r.Modern)
	fmt.Println(r.ModernReason)
	// Output:
	// [Negotiate NTLM Bearer] modern on
	// the Bearer challenge names the sign-in service
}
