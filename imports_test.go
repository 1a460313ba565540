package crossprem_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/crossprem/crossprem"

// pillars are the five packages that never import each other.
var pillars = []string{"authinspect", "connectversion", "oauthcert", "signins", "tlsprobe"}

// A listed is what "go list" tells of one package.
type listed struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// goList lists packages of this module for the operating system goos.
func goList(t *testing.T, goos string, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Deps"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}

// house returns the packages that embedders may import, without examples and
// internal ones, as paths relative to the module; "" is the root.
func house(packages []listed) map[string]listed {
	rooms := make(map[string]listed)
	for _, p := range packages {
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		top, _, _ := strings.Cut(path, "/")
		if top != "examples" && top != "internal" && !strings.Contains(path, "/internal/") {
			rooms[path] = p
		}
	}
	return rooms
}

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func isMicrosoftSDK(path string) bool {
	for _, owner := range []string{"github.com/microsoft", "github.com/Azure/", "github.com/AzureAD/"} {
		if strings.HasPrefix(path, owner) { // the first also stands for microsoftgraph
			return true
		}
	}
	return false
}

// mayTouchSDK reports whether the package at path, relative to the module, is
// one of those that pay for Microsoft's SDKs.
func mayTouchSDK(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.HasPrefix(last, "graph") || strings.HasPrefix(last, "kql") || strings.HasPrefix(last, "clickhouse")
}

// These alone in this module compile the models of Microsoft's SDK: the tests
// of sdkTests, and a program that is written as an embedder's who has the SDK
// already. What of it needs no models is in packages below it.
const (
	sdkTests   = "internal/sdktest"
	sdkProgram = "examples/collect"
)

var systems = []string{"linux", "windows", "darwin"}

func TestRootImportsTheStandardLibraryAlone(t *testing.T) {
	for _, goos := range systems {
		for _, path := range goList(t, goos, ".")[0].Imports {
			assert.True(t, isStandard(path), "the root package imports %s on %s", path, goos)
		}
	}
}

// isAbove reports whether the package at above is one of those in whose
// folders the package at path lies.
func isAbove(above, path string) bool { return strings.HasPrefix(path, above+"/") }

// isOwnRoom reports whether room is an internal package of a folder in which
// the package at path lies, or of its own.
func isOwnRoom(room, path string) bool {
	owner, _, internal := strings.Cut(room, "/internal/")
	return internal && (owner == path || isAbove(owner, path))
}

// mayImportBeside reports whether the package at path may import its
// neighbour: a fake imports what it is a fake for, and symptoms looks at what
// a client of schannel offers.
func mayImportBeside(path, neighbour string) bool {
	if fake, ok := strings.CutSuffix(path, "test"); ok && fake == neighbour {
		return true
	}
	top, _, _ := strings.Cut(path, "/")
	return path == "tlsprobe/symptoms" && neighbour == "tlsprobe/schannel" ||
		path == top+"/"+top+"test" && isAbove(top, neighbour) && !mayTouchSDK(neighbour)
}

// Who asks one question compiles nothing about the others.
func TestPackagesImportAtMostTheirParent(t *testing.T) {
	for _, goos := range systems {
		rooms := house(goList(t, goos, "./..."))
		for _, pillar := range pillars {
			if _, ok := rooms[pillar]; !ok {
				t.Errorf("there is no package %s on %s", pillar, goos)
			}
		}
		for path, p := range rooms {
			parent, _, below := strings.Cut(path, "/")
			for _, imported := range p.Imports {
				rest, ours := strings.CutPrefix(imported, module)
				rest = strings.TrimPrefix(rest, "/")
				switch {
				case !ours, rest == "":
				case strings.HasPrefix(rest, "internal/"):
				case below && isAbove(rest, path), isOwnRoom(rest, path), mayImportBeside(path, rest):
				default:
					t.Errorf("%s imports %s on %s: a package may import those above it in its path, the root and internal packages", path, rest, goos)
				}
			}
			// Whatever is imported on the way counts as well.
			for _, dep := range p.Deps {
				rest := strings.TrimPrefix(dep, module+"/")
				top, _, _ := strings.Cut(rest, "/")
				if rest != dep && slices.Contains(pillars, top) && top != parent {
					t.Errorf("%s reaches %s on %s", path, rest, goos)
				}
			}
		}
	}
}

func TestOnlyGraphAndKQLPackagesTouchMicrosoftsSDKs(t *testing.T) {
	packages := goList(t, "linux", "./...")
	graph := func(path string) bool { return mayTouchSDK(strings.TrimPrefix(path, module+"/")) }
	for _, p := range packages {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			assert.NotEqual(t, "github.com/microsoftgraph/msgraph-sdk-go", imported,
				"%s imports the SDK's root package, which compiles for minutes; import its subpackages", path)
			if path != sdkTests && path != sdkProgram {
				assert.False(t, strings.HasPrefix(imported, "github.com/microsoftgraph/msgraph-sdk-go/"),
					"%s imports %s: the SDK's models take minutes and 4.5 GB to compile; the tests with them are in %s, and %s is the one program", path, imported, sdkTests, sdkProgram)
			}
		}
		if path == sdkTests {
			assert.Empty(t, p.Imports, "%s is for tests alone", path)
			continue
		}
		// Programs that can ask a tenant pay for it as well.
		if graph(p.ImportPath) || strings.HasPrefix(path, "examples/") && slices.ContainsFunc(slices.Concat(p.Imports, p.TestImports), graph) {
			continue
		}
		for _, dep := range slices.Concat(p.Deps, p.TestImports, p.XTestImports) {
			assert.False(t, isMicrosoftSDK(dep), "%s reaches %s", path, dep)
		}
	}
	for _, p := range goList(t, "linux", "./examples/report") {
		for _, dep := range p.Deps {
			assert.False(t, isMicrosoftSDK(dep), "the report has to start within seconds, and reaches %s", dep)
		}
	}
}

// Fakes are for examples and embedders too; those have no *testing.T.
func TestFakesDoNotImportTesting(t *testing.T) {
	found := 0
	for path, p := range house(goList(t, "linux", "./...")) {
		if !strings.HasSuffix(path, "test") {
			continue
		}
		found++
		assert.NotContains(t, p.Deps, "testing", path)
		assert.NotContains(t, p.Deps, "github.com/stretchr/testify/assert", path)
	}
	assert.GreaterOrEqual(t, found, len(pillars), "every package has its fake")
}

// What the pillars and their fakes carry besides the standard library.
// Additions belong here together with a reason in the commit.
func TestPillarsCarryLittle(t *testing.T) {
	allowed := []string{
		module,
		"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/net", "golang.org/x/text",
	}
	extra := map[string][]string{
		"tlsprobe":                    {},
		"tlsprobe/tlsprobetest":       {},
		"signins":                     {"github.com/klauspost/compress"},
		"signins/signinstest":         {"github.com/klauspost/compress"},
		"oauthcert":                   {"software.sslmate.com/src/go-pkcs12"},
		"oauthcert/oauthcerttest":     {"software.sslmate.com/src/go-pkcs12"},
		"authinspect":                 {"github.com/emersion"},
		"authinspect/authinspecttest": {"github.com/emersion"},
		"connectversion":              {},
	}
	for _, goos := range systems {
		for path, p := range house(goList(t, goos, "./...")) {
			if mayTouchSDK(path) {
				continue
			}
			for _, dep := range p.Deps {
				if isStandard(dep) || strings.HasPrefix(dep, "vendor/") {
					continue
				}
				ok := slices.ContainsFunc(slices.Concat(allowed, extra[path]), func(prefix string) bool {
					return dep == prefix || strings.HasPrefix(dep, prefix+"/")
				})
				assert.True(t, ok, "%s reaches %s on %s", path, dep, goos)
			}
		}
	}
}

// A program that imports only tlsprobe neither compiles nor downloads
// anything of Microsoft's SDKs. The program is built here for real, with an
// empty module cache that fills from the one in use, as from a proxy.
func TestProbingAloneDownloadsNoSDK(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	env := func(name string) string {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	program, cache := t.TempDir(), t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(program, name), []byte(content), 0o644))
	}
	write("go.mod", "module example.test/program\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	write("go.sum", string(sums))
	write("main.go", `package main

import (
	"context"
	"fmt"

	"`+module+`/tlsprobe"
)

func main() { fmt.Println(tlsprobe.Probe(context.Background(), "127.0.0.1:0")) }
`)
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = program
		cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off",
			"GOPROXY=file://"+filepath.ToSlash(filepath.Join(env("GOMODCACHE"), "cache", "download"))+","+env("GOPROXY"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	run("build", "-o", filepath.Join(t.TempDir(), "program"), ".")
	for _, dep := range strings.Fields(run("list", "-deps", ".")) {
		assert.False(t, isMicrosoftSDK(dep), "the program compiles %s", dep)
	}

	downloads := filepath.Join(cache, "cache", "download")
	var archives []string
	err = filepath.WalkDir(downloads, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".zip" {
			rel, _ := filepath.Rel(downloads, path)
			archives = append(archives, filepath.ToSlash(rel))
		}
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) { // nothing downloaded at all would be better still
		require.NoError(t, err)
	}
	t.Logf("downloaded: %q", archives)
	for _, archive := range archives {
		assert.True(t, strings.HasPrefix(archive, "golang.org/x/"), "the program downloads %s", archive)
	}
}
