package authinspect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// Every finding keeps the promises of crossprem.Finding, over all fakes, and
// nil and zero arguments say "unknown".
func TestFindingsKeepTheirPromises(t *testing.T) {
	rules := authinspect.Rules()
	findingtest.CheckRules(t, rules)
	for name, findings := range map[string][]crossprem.Finding{
		"nil":               authinspect.Assess(nil, noon),
		"zero":              authinspect.Assess(&authinspect.Result{}, noon),
		"nil mail":          authinspect.AssessMail(nil, noon),
		"zero mail":         authinspect.AssessMail(&authinspect.MailResult{}, noon),
		"nil organization":  authinspect.AssessOrganization(nil, noon),
		"zero unanswered":   authinspect.AssessOrganization(&authinspect.Organization{Unanswered: []authinspect.Unanswered{{}}}, noon),
		"zero organization": authinspect.AssessOrganization(&authinspect.Organization{Endpoints: []*authinspect.Result{nil}}, noon),
	} {
		findingtest.Check(t, name, rules, findings)
		assert.NotEmpty(t, findings, name)
		for _, f := range findings {
			assert.Equal(t, crossprem.Unknown, f.Status, "%s: %s", name, f.Rule)
		}
	}

	estate := authinspecttest.Contoso().Start()
	defer estate.Close()
	o, err := (&authinspect.Inspector{Dial: estate.Dial, Roots: estate.Roots(), Mailbox: "bob@contoso.test"}).InspectOrganization(t.Context(), "contoso.test")
	if assert.NoError(t, err) {
		findingtest.Check(t, "contoso", rules, authinspect.AssessOrganization(o, noon))
	}
	for name, front := range map[string]*authinspecttest.FrontEnd{
		"2019": authinspecttest.Exchange2019().FrontEnd(), "blocked": authinspecttest.ExchangeOnlineBlocked(), "preauthenticated": authinspecttest.Preauthenticated(),
	} {
		for _, path := range []string{"/EWS/Exchange.asmx", "/Microsoft-Server-ActiveSync", "/owa/"} {
			findingtest.Check(t, name, rules, authinspect.Assess(inspect(t, front, path, "bob@contoso.test"), noon))
		}
	}
	for _, protocol := range []authinspect.Protocol{authinspect.IMAP, authinspect.POP3, authinspect.SMTP} {
		for name, host := range map[string]*authinspecttest.MailHost{
			"online": authinspecttest.ExchangeOnlineMail(protocol), "server": authinspecttest.ExchangeServerMail(protocol),
		} {
			findingtest.Check(t, name, rules, authinspect.AssessMail(inspectMail(t, host), noon))
		}
	}
}
