package graphconnectversion_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
)

func Example() {
	// Stands for Microsoft Graph; leave Endpoint out to reach the real one.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1.0/organization" {
			fmt.Fprint(w, `{"value":[{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-22T18:40:03Z"}]}`)
			return
		}
		fmt.Fprint(w, `{"value":[{"configuration":{"synchronizationClientVersion":"2.3.20.0","currentExportData":{"clientMachineName":"SYNC01"}}}]}`)
	}))
	defer server.Close()

	// credential stands for one of azidentity.
	tenant, err := graphconnectversion.New(credential{}, graphconnectversion.Options{Endpoint: server.URL, Transport: server.Client().Transport})
	if err != nil {
		fmt.Println(err)
		return
	}
	sync, err := tenant.Sync(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	day := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	for _, i := range connectversion.Reconcile(day, sync.Evidence()).Installed {
		fmt.Println(i.Server, i.Product, i.Version, connectversion.Assess(i.Product, i.Version, day, sync.Facts()).Support)
	}
	// Output: SYNC01 connect-sync 2.3.20.0 retired
}
