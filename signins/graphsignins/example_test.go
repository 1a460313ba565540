package graphsignins_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// Who signed in with legacy authentication, asked of a tenant that is a fake
// here, and misbehaves as Microsoft Graph does.
func Example() {
	day := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	tenant := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 100})
	tenant.Fault = signinstest.Schedule(1, 0.2, signinstest.EmptyPage, signinstest.Duplicates, signinstest.EarlyEnd)

	src, err := graphsignins.New(credential{}, graphsignins.Options{
		From: day, To: day.AddDate(0, 0, 1),
		Transport: tenant, // leave it out for Microsoft Graph itself
		Limiter:   &graphsignins.Limiter{Requests: 1000},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	summary, err := signins.Summarize(signins.All(context.Background(), src))
	fmt.Println(len(summary.LegacyUsersWithSuccess()), err)
	// Output: 5 <nil>
}

// A collection that can be killed at any time and goes on where it was.
func ExampleSource_Collect() {
	day := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	tenant := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 20, Events: 100})
	src, err := graphsignins.New(credential{}, graphsignins.Options{From: day, Transport: tenant, Limiter: &graphsignins.Limiter{Requests: 1000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored := make(map[string]signins.SignIn) // the last copy of an event wins
	checkpoints := graphsignins.Memory()      // or FileCheckpoints("signins.checkpoint")
	err = src.Collect(context.Background(), checkpoints, func(_ context.Context, b graphsignins.Batch) (string, error) {
		for _, s := range b.SignIns {
			stored[s.ID] = s
		}
		return "", nil
	})
	fmt.Println(len(stored) == len(tenant.Truth(time.Now())), err)
	// Output: true <nil>
}

// A collection into a file that signins.ReadFiles reads. It can be killed at
// any instant; the same lines go on.
func ExampleSource_OpenFile() {
	folder, err := os.MkdirTemp("", "signins")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	day := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	tenant := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 20, Events: 100})
	src, err := graphsignins.New(credential{}, graphsignins.Options{From: day, Raw: true, Transport: tenant, Limiter: &graphsignins.Limiter{Requests: 1000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := src.OpenFile(context.Background(), filepath.Join(folder, "signins.ndjson"), graphsignins.FileCheckpoints(filepath.Join(folder, "checkpoint")))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = errors.Join(file.Collect(context.Background()), file.Close())
	fmt.Println(file.Records() == int64(len(tenant.Truth(time.Now()))), err)
	// Output: true <nil>
}
