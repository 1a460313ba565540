// Package connectversiontest lets you test code that uses connectversion
// without a new table breaking your tests, and without a Windows machine.
//
// [Catalogue] is frozen and invented: its versions, dates and CVE numbers mean
// nothing and will not change. It holds Connect Sync and Cloud Sync alone, so
// the other products come out as unknown, and a verdict for a day after
// January 2030 is one by a table that is out of date. [Executable] and
// [Export] make the two kinds of file that evidence is read from.
//
// Not modelled: signatures and code in executables, value types of the
// registry other than REG_SZ and REG_DWORD, and several languages of a version
// resource.
package connectversiontest

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"

	"github.com/crossprem/crossprem/connectversion"
)

// AsOf is the day of the invented tables.
const AsOf = "2030-01-31"

//go:embed data/*.json
var embedded embed.FS

var catalogue = sync.OnceValue(func() *connectversion.Catalogue {
	c, err := connectversion.LoadCatalogue(Files())
	if err != nil {
		panic(fmt.Sprintf("connectversiontest: %v", err))
	}
	return c
})

// Catalogue returns the frozen catalogue:
//
//	8.0.1.0   May 2026, of the old line, which ended on 2028-12-31
//	9.0.1.0   2028-01-10
//	9.0.2.0   2028-06-01, fixes CVE-2028-0001, offered to automatic upgrade
//	9.1.0.0   2029-01-15, retires on 2030-02-15 as printed, not on 2030-03-01
//	9.1.5.0   recalled
//	9.2.0.0   2029-03-01, known to be purple
//	9.3.0.0   2030-01-20, the newest, fixes something without a number
//
// Below 9.1.0.0 synchronisation stopped on 2029-06-30; below 9.3.0.0, or
// without application-based authentication, it stops on 2030-06-30. The wizard
// stopped signing in on 2029-02-01 below 9.0.1.0, and outside the commercial
// cloud below 9.0.2.0. Of Cloud Sync there are 3.0.1.0 and 3.0.9.0.
func Catalogue() *connectversion.Catalogue { return catalogue() }

// Files returns the files that Catalogue is read from, in the layout that
// connectversion.LoadCatalogue takes.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "data")
	if err != nil {
		panic(fmt.Sprintf("connectversiontest: %v", err)) // the name is a constant
	}
	return files
}
