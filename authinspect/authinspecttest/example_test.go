package authinspecttest_test

import (
	"context"
	"fmt"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// A front end is a table; here is one of somebody's own.
func ExampleFrontEnd() {
	server := (&authinspecttest.FrontEnd{Name: "portal", Routes: []authinspecttest.Route{
		{Path: "/mail*", Step: authinspect.StepEmptyBearer, Header: []string{`WWW-Authenticate: Bearer issuer_kind="ADFS",Basic realm="{host}"`}},
		{Path: "/mail*", Header: []string{`WWW-Authenticate: Basic realm="{host}"`}},
	}}).Start()
	defer server.Close() // panics if anybody sent a password

	r, err := (&authinspect.Inspector{Roots: server.Roots()}).Inspect(context.Background(), server.URL+"/mail/inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Schemes, r.Modern)
	// Output: [Basic Bearer] on
}
