package hybridoauth_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
)

func ExampleCheck() {
	paste := `[PS] C:\>Get-IntraOrganizationConnector | Format-List

TargetAddressDomains : {contoso.mail.onmicrosoft.com}
DiscoveryEndpoint    : https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc
Enabled              : False
Name                 : HybridIOC
`
	c, err := hybridoauth.Read(strings.NewReader(paste))
	if err != nil {
		panic(err)
	}
	for _, f := range hybridoauth.Check(c, 0, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		if f.Status == crossprem.Failed {
			fmt.Println(f.Rule, f.Title)
			fmt.Println(f.Remedy)
		}
	}
	// Output:
	// IOC-002 The connector from on premises to the tenant is disabled
	// Set-IntraOrganizationConnector HybridIOC -Enabled $true
}

func ExampleExplainError() {
	for _, e := range hybridoauth.ExplainError("HCW8064 - The HCW has completed, but was not able to perform the OAuth portion of your Hybrid configuration.") {
		fmt.Println(e.ID, e.Rules)
	}
	// Output: HCW8064 [IOC-002 IOC-101 ACFG-001 CERT-001 ASRV-001 PAPP-001 ASRV-021]
}
