package connectversion_test

import (
	"fmt"
	"testing/fstest"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/connectversiontest"
)

func Example() {
	version, err := connectversion.Parse("2.6.3.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	a := connectversion.Assess(connectversion.ConnectSync, version, day, connectversion.Facts{})
	fmt.Println(a.Version, "is", a.Support, "until", a.SupportUntil.Format(time.DateOnly))
	for _, f := range a.Findings {
		if f.Status == crossprem.Failed && f.Severity >= crossprem.Warning {
			fmt.Println(f.Severity, f.Title)
		}
	}
	// Output:
	// 2.6.3.0 is outdated until 2027-07-07
	// warning Later releases fix weaknesses that this version has
	// warning Synchronisation stops without application-based authentication
	// warning Automatic upgrade does not get far enough
}

// The question of a summer day in 2020: 1.4.38.0 was installed half a year
// ago. Is it still good?
func ExampleAssess() {
	version, _ := connectversion.Parse("1.4.38.0")
	day := time.Date(2020, 7, 1, 0, 0, 0, 0, time.UTC)
	a := connectversion.Assess(connectversion.ConnectSync, version, day, connectversion.Facts{})
	fmt.Println(a.Support, "- the newest release is", a.Latest)
	for _, u := range a.Upcoming[:2] {
		fmt.Println(u.Date.Format(time.DateOnly), u.Rule)
	}
	// Output:
	// outdated - the newest release is 1.5.30.0
	// 2021-07-20 connect-18-month-deprecation
	// 2023-10-01 v1-sync-stop
}

func ExampleExplainAutoUpgrade() {
	x := connectversion.ExplainAutoUpgrade("Suspended", "UpgradeNotSupportedNonLocalDbInstall")
	fmt.Println(x.Prefix, x.Temporary)
	fmt.Println(x.Remedy)
	// Output:
	// UpgradeNotSupported no
	// Upgrade by hand.
}

// Copies of two programs are enough to see an upgrade that was left half-way.
func ExampleReconcile() {
	folder := fstest.MapFS{ // or os.DirFS("evidence")
		"AzureADConnect.exe": {Data: connectversiontest.Executable(connectversion.Version{Major: 2, Minor: 6, Build: 84}, "")},
		"miiserver.exe":      {Data: connectversiontest.Executable(connectversion.Version{Major: 2, Minor: 6, Build: 3}, "")},
	}
	machine, err := connectversion.Gather(folder)
	if err != nil {
		fmt.Println(err)
	}
	r := connectversion.Reconcile(time.Now(), machine.Evidence...)
	fmt.Println(r.Installed[0].Version)
	for _, f := range r.Findings {
		fmt.Println(f.Detail)
	}
	// Output:
	// 2.6.3.0
	// engine-file says 2.6.3.0; setup-file says 2.6.84.0.
}

func ExamplePlan() {
	server := connectversion.Installed{Product: connectversion.ConnectSync, Version: connectversion.Version{Major: 2, Minor: 6, Build: 3}}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	p := connectversion.Plan(server, connectversion.Facts{}, day, day.AddDate(1, 0, 0))
	for _, d := range p.Deadlines {
		fmt.Println(d.Date.Format(time.DateOnly), d.What)
	}
	fmt.Println("upgrade to", p.Target)
	fmt.Println(p.Why)
	// Output:
	// 2026-11-22 3 security fixes are missing
	// 2027-04-07 synchronisation stops
	// 2027-07-07 support ends
	// upgrade to 2.6.92.0
	// The newest release offered to automatic upgrade is 2.6.3.0.
}
