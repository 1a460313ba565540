package crossprem_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authpolicy"
	"github.com/crossprem/crossprem/authinspect/clients"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/internal/apitext"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

// allRules are the rules of every package that has some.
var allRules = map[string]func() []crossprem.Rule{
	"authinspect":             authinspect.Rules,
	"authinspect/authpolicy":  authpolicy.Rules,
	"authinspect/clients":     clients.Rules,
	"authinspect/hybridoauth": hybridoauth.Rules,
	"connectversion":          connectversion.Rules,
	"oauthcert":               oauthcert.Rules,
	"signins":                 signins.Rules,
	"tlsprobe":                tlsprobe.Rules,
	"tlsprobe/schannel":       schannel.Rules,
	"tlsprobe/symptoms":       symptoms.Rules,
}

// With CROSSPREM_WRITE=1 the files that are made from the code are written
// anew; otherwise a test says which of them is out of date.
func fresh(t *testing.T, name, want string) {
	t.Helper()
	if os.Getenv("CROSSPREM_WRITE") == "1" {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
		return
	}
	have, err := os.ReadFile(name)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	if string(have) == want {
		return
	}
	a, b := strings.Split(string(have), "\n"), strings.Split(want, "\n")
	var gone, new []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			gone = append(gone, "- "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			new = append(new, "+ "+line)
		}
	}
	t.Errorf("%s is out of date; CROSSPREM_WRITE=1 go test . writes it anew:\n%s", name, strings.Join(append(gone, new...), "\n"))
}

// api/ holds what each package exports, so that a change of it is seen.
func TestExportsAreWrittenDown(t *testing.T) {
	all, err := apitext.All(".")
	require.NoError(t, err)
	require.Contains(t, all, ".")
	require.Contains(t, all, "tlsprobe/tlsprobetest")
	for path, text := range all {
		fresh(t, exportFile(path), text)
	}
	files, err := filepath.Glob("api/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		known := false
		for path := range all {
			known = known || filepath.ToSlash(file) == exportFile(path)
		}
		assert.True(t, known, "%s is of a package that is gone", file)
	}
}

func exportFile(path string) string {
	return "api/" + strings.ReplaceAll(strings.Replace(path, ".", "crossprem", 1), "/", ".") + ".txt"
}

// The rules of every package keep the promises of a rule, and no two rules of
// the whole library have one ID.
func TestEveryRuleKeepsItsPromises(t *testing.T) {
	owner := make(map[string]string)
	for name, rules := range allRules {
		findingtest.CheckRules(t, rules())
		for _, r := range rules() {
			assert.Empty(t, owner[r.ID], "%s: %s is a rule of another package too", name, r.ID)
			owner[r.ID] = name
		}
	}
	t.Logf("%d rules", len(owner))
}

// RULES.md is made of the rules of all packages.
func TestRulesAreWrittenDown(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The rules\n\nEvery finding names one of these rules. This page is made from the code: `CROSSPREM_WRITE=1 go test .` writes it anew.\n" +
		"The severity is the worst that a finding of the rule can have; where a day is known, it follows from how near that day is.\n")
	packages := make([]string, 0, len(allRules))
	for name := range allRules {
		packages = append(packages, name)
	}
	slices.Sort(packages)
	for _, name := range packages {
		rules := allRules[name]()
		fmt.Fprintf(&b, "\n## %s\n", name)
		for _, r := range rules {
			fmt.Fprintf(&b, "\n### %s\n\n%s. ", r.ID, strings.ToUpper(r.Severity.String()[:1])+r.Severity.String()[1:])
			fmt.Fprintf(&b, "Failed: %s. ", strings.TrimSuffix(r.Title, "."))
			fmt.Fprintf(&b, "Passed: %s.\n\n", strings.TrimSuffix(cmp.Or(r.PassedTitle, "not told"), "."))
			if r.Remedy != "" {
				fmt.Fprintf(&b, "Remedy: %s\n\n", strings.Join(strings.Fields(r.Remedy), " "))
			}
			fmt.Fprintf(&b, "Sources: %s.\n", strings.TrimSuffix(strings.Join(r.Sources, "; "), "."))
		}
	}
	fresh(t, "RULES.md", b.String())
}
