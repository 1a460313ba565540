package signinstest_test

import (
	"bytes"
	"fmt"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A tenant made up from a seed comes with the truth: what a reader of its log
// should find.
func ExampleTenant() {
	tenant := signinstest.Tenant{Seed: 7, Users: 200, Events: 5000, Sprays: 1}
	var log bytes.Buffer
	if err := tenant.Write(&log, signins.AzureMonitor); err != nil {
		fmt.Println(err)
		return
	}
	summary, err := signins.Summarize(signins.Read(&log))
	if err != nil {
		fmt.Println(err)
		return
	}
	truth := tenant.Attacks()
	fmt.Println(len(truth), "attack made up,", len(summary.Attacks), "found")
	fmt.Println("the same address:", truth[0].IPs[0] == summary.Attacks[0].IP)
	// Output:
	// 1 attack made up, 1 found
	// the same address: true
}
