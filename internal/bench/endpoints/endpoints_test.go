// Package endpoints compares authinspect with nmap's scripts http-auth and
// http-ntlm-info: both ask the same fakes on loopback in one run, each as a
// process of its own. Run it with
//
//	go test -bench . -benchtime 1x ./endpoints
package endpoints

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

const (
	organizations = 200
	delay         = 20 * time.Millisecond // of every answer
	path          = "/EWS/Exchange.asmx"

	// clientEnv makes the test binary a client: "path" asks one URL of each
	// target on standard input, "all" the whole organization.
	clientEnv = "ENDPOINTS_CLIENT"
)

// paths are those of the fakes that offer NTLM: nmap asks one a run.
var paths = []string{
	"/EWS/Exchange.asmx", "/EWS/mrsproxy.svc", "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.svc", "/autodiscover/metadata/json/1",
	"/mapi/emsmdb/", "/mapi/nspi/", "/rpc/rpcproxy.dll", "/Microsoft-Server-ActiveSync", "/OAB/", "/PowerShell/", "/PowerShell-LiveID/", "/api/", "/owa/",
	"/owa/auth/logon.aspx", "/ecp/",
}

func TestMain(m *testing.M) {
	if mode := os.Getenv(clientEnv); mode != "" {
		client(mode, os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// client asks the targets and prints how many URLs drew a challenge and how
// many told their names by NTLM.
func client(mode string, targets []string) {
	var challenged, named, requests int
	count := func(r *authinspect.Result) {
		if len(r.Schemes) > 0 {
			challenged++
		}
		if r.NTLM != nil {
			named++
		}
		requests += len(r.Answers)
	}
	inspector := &authinspect.Inspector{}
	ctx := context.Background()
	if mode == "all" {
		for o, err := range inspector.InspectOrganizations(ctx, slices.Values(targets), 8) {
			if err != nil {
				panic(err)
			}
			for _, r := range o.Endpoints {
				count(r)
			}
		}
	} else {
		var wg sync.WaitGroup
		var mu sync.Mutex
		slots := make(chan struct{}, 64)
		for _, target := range targets {
			slots <- struct{}{}
			wg.Go(func() {
				r, err := inspector.Inspect(ctx, target+path)
				<-slots
				if err != nil {
					panic(err)
				}
				mu.Lock()
				count(r)
				mu.Unlock()
			})
		}
		wg.Wait()
	}
	fmt.Println(challenged, named, requests)
}

// A cost is what a process took.
type cost struct {
	wall   time.Duration
	memory int64 // the peak of its resident set in bytes
	output string
}

func run(b *testing.B, env []string, name string, args ...string) cost {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	var output, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	c := cost{wall: time.Since(began), output: output.String()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.memory = usage.Maxrss << 10
	}
	return c
}

// farm starts n fakes of Exchange on loopback.
func farm(b *testing.B, n int) (urls []string) {
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Delay = delay
	for range n {
		server := front.Start()
		b.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	return urls
}

func ours(b *testing.B, mode string, urls []string) (c cost, challenged, named, requests int) {
	b.Helper()
	c = run(b, []string{clientEnv + "=" + mode}, os.Args[0], urls...)
	if _, err := fmt.Sscan(c.output, &challenged, &named, &requests); err != nil {
		b.Fatal(err, c.output)
	}
	return c, challenged, named, requests
}

// nmap runs both scripts for one path against all ports, as fast as nmap
// goes. The plus sign lets them run on any port.
func nmap(b *testing.B, urls []string, path string) (c cost, challenged, named int) {
	b.Helper()
	program, err := exec.LookPath("nmap")
	if err != nil {
		b.Skip("nmap is not installed; on Debian: apt-get install nmap")
	}
	var ports []string
	for _, u := range urls {
		ports = append(ports, u[strings.LastIndex(u, ":")+1:])
	}
	c = run(b, nil, program, "-n", "-Pn", "-sT", "-T5", "--min-parallelism", "64", "-p", strings.Join(ports, ","),
		"--script", "+http-auth,+http-ntlm-info", "--script-args", "http-auth.path="+path+",http-ntlm-info.root="+path, "127.0.0.1")
	return c, strings.Count(c.output, "| http-auth:"), strings.Count(c.output, "| http-ntlm-info:")
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }

// BenchmarkOnePath asks 200 servers about one path: here two or three
// requests and the first NTLM message, there one and the latter.
func BenchmarkOnePath(b *testing.B) {
	urls := farm(b, organizations)
	for b.Loop() {
		us, challenged, named, requests := ours(b, "path", urls)
		them, theirChallenged, theirNamed := nmap(b, urls, path)
		if challenged != organizations || named != organizations {
			b.Errorf("we saw %d challenges and %d names", challenged, named)
		}
		b.ReportMetric(us.wall.Seconds(), "ours-s")
		b.ReportMetric(them.wall.Seconds(), "nmap-s")
		b.ReportMetric(them.wall.Seconds()/us.wall.Seconds(), "nmap/ours")
		b.ReportMetric(megabytes(us.memory), "ours-MB")
		b.ReportMetric(megabytes(them.memory), "nmap-MB")
		b.ReportMetric(float64(requests), "ours-requests")
		b.ReportMetric(float64(theirChallenged), "nmap-challenges")
		b.ReportMetric(float64(theirNamed), "nmap-names")
	}
}

// BenchmarkAllPaths asks 200 organizations everything: here in one run, with
// nmap in one run a path.
func BenchmarkAllPaths(b *testing.B) {
	urls := farm(b, organizations)
	for b.Loop() {
		us, challenged, named, requests := ours(b, "all", urls)
		var wall time.Duration
		theirChallenged, theirNamed := 0, 0
		for _, path := range paths {
			c, challenged, named := nmap(b, urls, path)
			wall += c.wall
			theirChallenged += challenged
			theirNamed += named
		}
		b.ReportMetric(us.wall.Seconds(), "ours-s")
		b.ReportMetric(wall.Seconds(), "nmap-s")
		b.ReportMetric(wall.Seconds()/us.wall.Seconds(), "nmap/ours")
		b.ReportMetric(megabytes(us.memory), "ours-MB")
		b.ReportMetric(float64(requests), "ours-requests")
		b.ReportMetric(float64(challenged), "ours-challenges")
		b.ReportMetric(float64(named), "ours-names")
		b.ReportMetric(float64(theirChallenged), "nmap-challenges")
		b.ReportMetric(float64(theirNamed), "nmap-names")
	}
}

// BenchmarkMemory shows that memory does not grow with the number of
// organizations.
func BenchmarkMemory(b *testing.B) {
	urls := farm(b, organizations)
	for b.Loop() {
		for _, n := range []int{25, 50, 100, 200} {
			us, _, _, _ := ours(b, "all", urls[:n])
			b.ReportMetric(megabytes(us.memory), strconv.Itoa(n)+"-organizations-MB")
		}
	}
}

// BenchmarkOneOrganization asks 16 paths of one server whose answers take
// 300 ms: the steps run at once and NTLM after them, so that two rounds are
// the least.
func BenchmarkOneOrganization(b *testing.B) {
	const slow = 300 * time.Millisecond
	front := authinspecttest.ExchangeSE().FrontEnd()
	front.Delay = slow
	server := front.Start()
	b.Cleanup(server.Close)
	inspector := &authinspect.Inspector{Roots: server.Roots(), Mailbox: "bob@contoso.test"}
	for b.Loop() {
		before := len(server.Requests())
		began := time.Now()
		if _, err := inspector.InspectOrganization(b.Context(), server.URL); err != nil {
			b.Fatal(err)
		}
		wall, requests := time.Since(began), len(server.Requests())-before
		b.ReportMetric(float64(requests), "requests")
		b.ReportMetric(wall.Seconds(), "s")
		b.ReportMetric(float64(wall)/float64(slow), "slowest-answers")
		b.ReportMetric(float64(time.Duration(requests)*slow)/float64(wall), "sum/wall")
	}
}
