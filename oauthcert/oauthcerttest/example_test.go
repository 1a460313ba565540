package oauthcerttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// A second writer comes between the plan and its application.
func ExampleDirectory() {
	cert, other := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{CommonName: "backup software"}.Make()
	app := &oauthcert.Object{
		Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		Keys: []oauthcert.KeyCredential{},
	}
	dir := oauthcerttest.New(1, app)
	plan := oauthcert.PlanKeys(dir.Truth(app.Target()), []*oauthcert.Certificate{cert}, oauthcert.Policy{At: time.Now()})
	dir.Set(app.Target(), func(o *oauthcert.Object) { o.Keys = append(o.Keys, other.KeyCredential()) })

	var backup bytes.Buffer
	_, err := oauthcert.Apply(context.Background(), dir, plan, &backup)
	fmt.Println(errors.Is(err, oauthcert.ErrChanged), len(dir.Truth(app.Target()).Keys))
	// Output: true 1
}
