package authinspect_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// Without the Dial and the Roots of the fake, the zero Inspector asks the real
// server.
func Example() {
	exchange := authinspecttest.ExchangeSE()
	exchange.Modern = authinspecttest.HMA
	server := exchange.FrontEnd().Start()
	defer server.Close()

	inspector := authinspect.Inspector{Mailbox: "bob@contoso.test", Roots: server.Roots()}
	r, err := inspector.Inspect(context.Background(), server.URL+"/Microsoft-Server-ActiveSync")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Schemes, "modern", r.Modern)
	fmt.Println(r.Issuer.Kind, r.Issuer.AuthorizationURI)
	// Output:
	// [Basic Bearer] modern on
	// entra https://login.windows.net/common/oauth2/authorize
}

func ExampleInspector_InspectOrganization() {
	contoso := authinspecttest.Contoso().Start()
	defer contoso.Close()

	inspector := authinspect.Inspector{Dial: contoso.Dial, Roots: contoso.Roots()}
	o, err := inspector.InspectOrganization(context.Background(), "contoso.test")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range o.Matrix(authinspect.Basic) {
		if row.Cells[0] == authinspect.Advertised {
			fmt.Println(row.Target)
		}
	}
	// Output:
	// https://mail.contoso.test/autodiscover/autodiscover.xml
	// https://mail.contoso.test/autodiscover/autodiscover.svc
	// https://mail.contoso.test/rpc/rpcproxy.dll
	// https://mail.contoso.test/Microsoft-Server-ActiveSync
	// https://autodiscover.contoso.test/autodiscover/autodiscover.xml
	// https://autodiscover.contoso.test/autodiscover/autodiscover.svc
	// https://outlook.office365.com/autodiscover/autodiscover.xml
	// https://outlook.office365.com/EWS/Exchange.asmx
	// https://outlook.office365.com/mapi/emsmdb/
	// https://outlook.office365.com/Microsoft-Server-ActiveSync
	// https://outlook.office365.com/OAB/
}

func ExampleParseChallenges() {
	h := http.Header{"Www-Authenticate": {`Bearer trusted_issuers="a@b,c@d",Negotiate,NTLM,Basic Realm=""`}}
	challenges, _ := authinspect.ParseChallenges(h)
	for _, c := range challenges {
		fmt.Printf("%d %s\n", c.Offset, c)
	}
	// Output:
	// 0 Bearer trusted_issuers="a@b,c@d"
	// 33 Negotiate
	// 43 NTLM
	// 48 Basic Realm=""
}
