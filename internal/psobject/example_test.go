package psobject_test

import (
	"fmt"

	"github.com/crossprem/crossprem/internal/psobject"
)

func ExampleParse() {
	outputs, err := psobject.Parse([]byte(`[PS] C:\>Get-IntraOrganizationConnector | Format-List

TargetAddressDomains : {fabrikam.com, contoso.com, tailspintoys.com, wingtiptoys.com...}
Enabled              : True
TargetSharingEpr     :

[PS] C:\>Get-AvailabilityAddressSpace | Format-List
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, out := range outputs {
		fmt.Println(out.Command, len(out.Objects))
		for _, o := range out.Objects {
			fmt.Println(o.Strings("TargetAddressDomains"))
			fmt.Println(o.Bool("enabled"))
			fmt.Println(o.Bool("TargetSharingEpr"))
			fmt.Println(o.String("DiscoveryEndpoint"))
		}
	}
	// Output:
	// Get-IntraOrganizationConnector 1
	// [fabrikam.com contoso.com tailspintoys.com wingtiptoys.com] cut
	// true present
	// false blank
	//  absent
	// Get-AvailabilityAddressSpace 0
}
