package connectversion_test

import (
	"fmt"
	"os"
	"testing/fstest"
	"time"

	"github.com/crossprem/crossprem/connectversion"
)

// A folder of what an administrator saved: here the output of one cmdlet and a
// note that says nothing.
func ExampleGather() {
	folder := fstest.MapFS{
		"products.txt": {Data: []byte("Name    : Microsoft Entra Connect Sync\nVersion : 2.5.79.0\nVendor  : Microsoft Corporation\n")},
		"auto.txt":     {Data: []byte("PS> Get-ADSyncAutoUpgrade\nEnabled\n")},
		"notes.txt":    {Data: []byte("call Bob on Monday\n")},
	}
	m, err := connectversion.Gather(folder)
	if err != nil {
		fmt.Println(err)
	}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, i := range connectversion.Reconcile(day, m.Evidence...).Installed {
		fmt.Println(i.Product, i.Version, connectversion.Assess(i.Product, i.Version, day, m.FactsOf(i)).Support)
	}
	for _, u := range m.NotUnderstood {
		fmt.Println("not understood:", u.File)
	}
	// Output:
	// connect-sync 2.5.79.0 retired
	// not understood: notes.txt
}

// The tables may be newer than the module: a program takes them from a folder.
func ExampleLoadCatalogue() {
	c, err := connectversion.LoadCatalogue(os.DirFS("data"))
	if err != nil {
		fmt.Println(err) // names the file and the row
		return
	}
	fmt.Println(len(connectversion.Diff(connectversion.Embedded(), c)), "differences from the embedded tables")
	// Output:
	// 0 differences from the embedded tables
}
