//go:build linux

// Tls compares tlsprobe with other ways to find out which TLS versions servers
// negotiate: a loop of full handshakes by crypto/tls, sslscan and nmap. It
// needs Debian's nginx-light, sslscan and nmap, and Linux.
//
//	go run ./tls [-rounds 3] [-peers=false] [-many 20000]
//
// All targets are on loopback, served by one nginx. Each contestant runs in a
// process of its own, so that CPU and memory are its own; the order changes
// from round to round, and the figures are medians.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/tlsprobe"
)

const (
	port        = "25443"
	silentPort  = "25444"
	concurrency = 64
	timeout     = 5 * time.Second
)

func main() {
	rounds := flag.Int("rounds", 3, "how often each contestant runs")
	peers := flag.Bool("peers", true, "run sslscan, and nmap once, which takes long")
	many := flag.Int("many", 20000, "how many targets for the memory of a long run")
	child := flag.String("child", "", "be this contestant, with targets from standard input")
	flag.Parse()
	var err error
	if *child != "" {
		err = contestants[*child](os.Stdin, os.Stdout)
		reportMemory()
	} else {
		err = run(*rounds, *peers, *many)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// probers are the settings of ours.
var probers = map[string]tlsprobe.Prober{
	"tlsprobe":            {SkipChain: true},
	"tlsprobe modern":     {SkipChain: true, Ask: tlsprobe.Modern},
	"tlsprobe with chain": {},
}

// A contestant reads targets, one a line, and writes "target versions", where
// versions are numbers such as "301,303".
var contestants = map[string]func(in io.Reader, out io.Writer) error{
	"tlsprobe":            probeWith(probers["tlsprobe"]),
	"tlsprobe modern":     probeWith(probers["tlsprobe modern"]),
	"tlsprobe with chain": probeWith(probers["tlsprobe with chain"]),
	"crypto/tls loop":     handshakesBy(new(net.Dialer).DialContext),
	"sslscan x16":         sslscans,
}

func probeWith(p tlsprobe.Prober) func(io.Reader, io.Writer) error {
	p.Concurrency, p.Timeout = concurrency, timeout
	return func(in io.Reader, out io.Writer) error {
		scanner := bufio.NewScanner(in)
		targets := func(yield func(tlsprobe.Target) bool) {
			for scanner.Scan() && yield(tlsprobe.Target{Addr: scanner.Text()}) {
			}
		}
		w := bufio.NewWriter(out)
		defer w.Flush()
		for r, err := range p.ProbeAll(context.Background(), targets) {
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s ", r.Target)
			for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
				if r.Offers(v) {
					fmt.Fprintf(w, "%x,", uint16(v))
				}
			}
			fmt.Fprintln(w)
		}
		return nil
	}
}

// A wire counts what goes over it.
type wire struct{ connections, sent, received atomic.Int64 }

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.connections.Add(1)
	return &wireConn{conn, w}, nil
}

type wireConn struct {
	net.Conn
	wire *wire
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.received.Add(int64(n))
	return n, err
}

func (c *wireConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wire.sent.Add(int64(n))
	return n, err
}

// perTarget prints what each contestant of ours, and the loop, puts on the
// wire. It is not timed: counting costs time of its own.
func perTarget(names, targets []string) error {
	fmt.Printf("\n%-20s %12s %12s %15s  a target\n", "", "connections", "bytes sent", "bytes received")
	for _, name := range names {
		var w wire
		list := strings.NewReader(strings.Join(targets, "\n"))
		switch p, ours := probers[name]; {
		case ours:
			p.Dial = w.dial
			if err := probeWith(p)(list, io.Discard); err != nil {
				return err
			}
		case name == "crypto/tls loop":
			if err := handshakesBy(w.dial)(list, io.Discard); err != nil {
				return err
			}
		default:
			continue
		}
		n := float64(len(targets))
		fmt.Printf("%-20s %12.2f %12.0f %15.0f\n", name, float64(w.connections.Load())/n, float64(w.sent.Load())/n, float64(w.received.Load())/n)
	}
	return nil
}

// handshakes is the loop that one writes first: for each version a full
// handshake with only that version allowed, and all suites.
func handshakesBy(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(io.Reader, io.Writer) error {
	return func(in io.Reader, out io.Writer) error { return handshakes(in, out, dial) }
}

func handshakes(in io.Reader, out io.Writer, dial func(ctx context.Context, network, addr string) (net.Conn, error)) error {
	var suites []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		suites = append(suites, suite.ID)
	}
	return parallel(in, out, concurrency, func(target string) string {
		var found strings.Builder
		for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			raw, err := dial(ctx, "tcp", target)
			if err == nil {
				raw.SetDeadline(time.Now().Add(timeout))
				conn := tls.Client(raw, &tls.Config{
					InsecureSkipVerify: true, MinVersion: v, MaxVersion: v, CipherSuites: suites,
				})
				if conn.HandshakeContext(ctx) == nil {
					fmt.Fprintf(&found, "%x,", v)
				}
				conn.Close()
			}
			cancel()
		}
		return found.String()
	})
}

var sslscanVersion = regexp.MustCompile(`(?m)^(SSLv3|TLSv1\.\d)\s+enabled`)

func sslscans(in io.Reader, out io.Writer) error {
	numbers := map[string]string{"SSLv3": "300,", "TLSv1.0": "301,", "TLSv1.1": "302,", "TLSv1.2": "303,", "TLSv1.3": "304,"}
	return parallel(in, out, 16, func(target string) string {
		text, _ := exec.Command("sslscan", "--no-colour", "--no-ciphersuites", "--no-fallback", "--no-renegotiation",
			"--no-compression", "--no-heartbleed", "--no-groups", "--no-check-certificate", target).Output()
		var found strings.Builder
		for _, match := range sslscanVersion.FindAllStringSubmatch(string(text), -1) {
			found.WriteString(numbers[match[1]])
		}
		return found.String()
	})
}

func parallel(in io.Reader, out io.Writer, workers int, ask func(target string) string) error {
	targets := make(chan string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for target := range targets {
				found := ask(target)
				mu.Lock()
				fmt.Fprintln(out, target, found)
				mu.Unlock()
			}
		})
	}
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		targets <- scanner.Text()
	}
	close(targets)
	wg.Wait()
	return scanner.Err()
}

// reportMemory writes the most memory that this process had, in KiB.
func reportMemory() {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Fprint(os.Stderr, line)
		}
	}
}

// A figure is what one run cost.
type figure struct {
	wall, cpu time.Duration
	memory    int // MiB, times 10
	right     int
}

// race runs one contestant.
func race(name string, targets []string, truth map[string]string) (figure, error) {
	self, err := os.Executable()
	if err != nil {
		return figure{}, err
	}
	cmd := exec.Command(self, "-child", name)
	cmd.Stdin = strings.NewReader(strings.Join(targets, "\n") + "\n")
	var out, notes bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notes
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return figure{}, fmt.Errorf("%s: %w: %s", name, err, notes.String())
	}
	f := figure{wall: time.Since(began)}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	f.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	var kib int
	if _, err := fmt.Sscanf(notes.String(), "VmHWM: %d kB", &kib); err != nil {
		return f, fmt.Errorf("%s: memory: %w", name, err)
	}
	f.memory = kib * 10 / 1024
	for line := range strings.Lines(out.String()) {
		target, found, _ := strings.Cut(strings.TrimSpace(line), " ")
		if want, ok := truth[target]; ok && found == want {
			f.right++
		}
	}
	return f, nil
}

// nmap runs once over all targets.
func nmap(dir string, targets []string, truth map[string]string) (figure, error) {
	var hosts strings.Builder
	for _, target := range targets {
		host, _, _ := net.SplitHostPort(target)
		fmt.Fprintln(&hosts, host)
	}
	list := filepath.Join(dir, "hosts")
	if err := os.WriteFile(list, []byte(hosts.String()), 0o644); err != nil {
		return figure{}, err
	}
	cmd := exec.Command("nmap", "-n", "-Pn", "-sT", "-p", port, "--script", "ssl-enum-ciphers", "-iL", list)
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return figure{}, fmt.Errorf("nmap: %w", err)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	f := figure{wall: time.Since(began), cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), memory: int(usage.Maxrss) * 10 / 1024}
	numbers := []struct{ text, number string }{{"SSLv3:", "300,"}, {"TLSv1.0:", "301,"}, {"TLSv1.1:", "302,"}, {"TLSv1.2:", "303,"}, {"TLSv1.3:", "304,"}}
	for _, part := range strings.Split(string(out), "Nmap scan report for ")[1:] {
		host, rest, _ := strings.Cut(part, "\n")
		found := ""
		for _, n := range numbers {
			if strings.Contains(rest, n.text) {
				found += n.number
			}
		}
		if found == truth[net.JoinHostPort(host, port)] {
			f.right++
		}
	}
	return f, nil
}

// serve starts nginx on 500 addresses: 250 with TLS 1.2 and 1.3, 100 with 1.0
// to 1.3, 100 with 1.2 and 50 with 1.3.
func serve(dir string) (targets []string, truth map[string]string, stop func(), err error) {
	cert, key := testca.PEM(testca.New("").Issue(testca.Leaf{}))
	for name, content := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return nil, nil, nil, err
		}
	}
	truth = make(map[string]string)
	var conf strings.Builder
	fmt.Fprintf(&conf, `daemon off; master_process off; pid %[1]s/pid; error_log stderr crit; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http { access_log off; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_ciphers ALL:@SECLEVEL=0;
client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
`, dir)
	for group, g := range []struct {
		count               int
		protocols, accepted string
	}{
		{250, "TLSv1.2 TLSv1.3", "303,304,"}, {100, "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", "301,302,303,304,"},
		{100, "TLSv1.2", "303,"}, {50, "TLSv1.3", "304,"},
	} {
		conf.WriteString("server {\n")
		for i := range g.count {
			target := fmt.Sprintf("127.1.%d.%d:%s", group, i+1, port)
			targets = append(targets, target)
			truth[target] = g.accepted
			fmt.Fprintf(&conf, " listen %s ssl backlog=1024;\n", target)
		}
		fmt.Fprintf(&conf, " ssl_protocols %s;\n}\n", g.protocols)
	}
	conf.WriteString("}\n")
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		return nil, nil, nil, err
	}
	probe, err := net.Listen("tcp", targets[0])
	if err != nil {
		return nil, nil, nil, err // somebody else is there
	}
	probe.Close()
	cmd := exec.Command("/usr/sbin/nginx", "-c", file)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it must not stay behind
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}
	stop = func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }
	for range 200 {
		conn, err := net.Dial("tcp", targets[len(targets)-1])
		if err == nil {
			conn.Close()
			return targets, truth, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, nil, nil, errors.New("nginx does not start")
}

// silent listens on n addresses and answers nothing.
func silent(n int) (targets []string, stop func(), err error) {
	var listeners []net.Listener
	stop = func() {
		for _, l := range listeners {
			l.Close()
		}
	}
	for i := range n {
		target := fmt.Sprintf("127.1.9.%d:%s", i+1, silentPort)
		l, err := net.Listen("tcp", target)
		if err != nil {
			stop()
			return nil, nil, err
		}
		listeners = append(listeners, l)
		targets = append(targets, target)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(io.Discard, conn); conn.Close() }()
			}
		}()
	}
	return targets, stop, nil
}

func run(rounds int, peers bool, many int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	targets, truth, stop, err := serve(dir)
	if err != nil {
		return err
	}
	defer stop()

	names := []string{"crypto/tls loop", "tlsprobe", "tlsprobe modern", "tlsprobe with chain"}
	if peers {
		names = append(names, "sslscan x16")
	}
	fmt.Printf("500 endpoints, %d at a time, median of %d; x is against the crypto/tls loop\n", concurrency, rounds)
	figures, err := rounded(rounds, names, targets, truth)
	if err != nil {
		return err
	}
	if peers {
		if figures["nmap"], err = nmap(dir, targets, truth); err != nil {
			return err
		}
		names = append(names, "nmap")
	}
	table(names, figures, len(targets))
	if err := perTarget(names, targets); err != nil {
		return err
	}

	quiet, stopSilent, err := silent(25)
	if err != nil {
		return err
	}
	defer stopSilent()
	mixed := slices.Clone(targets[:475])
	for i, target := range quiet { // spread over the list
		mixed = slices.Insert(mixed, i*19, target)
	}
	for _, target := range quiet {
		truth[target] = ""
	}
	names = names[:4]
	fmt.Printf("\n475 good and 25 silent endpoints, deadline %v\n", timeout)
	figures, err = rounded(1, names, mixed, truth)
	if err != nil {
		return err
	}
	table(names, figures, len(mixed))

	if many == 0 {
		return nil
	}
	names = []string{"tlsprobe", "tlsprobe with chain"}
	fmt.Printf("\n%d targets\n", many)
	var long []string
	for len(long) < many {
		long = append(long, targets[:min(len(targets), many-len(long))]...)
	}
	figures, err = rounded(1, names, long, truth)
	if err != nil {
		return err
	}
	table(names, figures, len(long))
	return nil
}

// rounded runs everybody rounds times, in changing order, and returns medians.
func rounded(rounds int, names, targets []string, truth map[string]string) (map[string]figure, error) {
	all := make(map[string][]figure)
	for round := range rounds {
		order := slices.Clone(names)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			f, err := race(name, targets, truth)
			if err != nil {
				return nil, err
			}
			all[name] = append(all[name], f)
		}
	}
	medians := make(map[string]figure)
	for name, list := range all {
		slices.SortFunc(list, func(a, b figure) int { return int(a.wall - b.wall) })
		m := list[len(list)/2]
		for _, f := range list {
			m.right, m.memory = min(m.right, f.right), max(m.memory, f.memory)
		}
		slices.SortFunc(list, func(a, b figure) int { return int(a.cpu - b.cpu) })
		m.cpu = list[len(list)/2].cpu
		medians[name] = m
	}
	return medians, nil
}

func table(names []string, figures map[string]figure, count int) {
	base := figures["crypto/tls loop"]
	fmt.Printf("%-20s %12s %9s %7s %9s %7s %9s\n", "", "right", "wall s", "x", "CPU s", "x", "peak MiB")
	for _, name := range names {
		f := figures[name]
		wall, cpu := "", ""
		if base.wall > 0 {
			wall = fmt.Sprintf("%.2f", f.wall.Seconds()/base.wall.Seconds())
			cpu = fmt.Sprintf("%.2f", f.cpu.Seconds()/base.cpu.Seconds())
		}
		fmt.Printf("%-20s %5d of %3d %9.2f %7s %9.2f %7s %9.1f\n", name, f.right, count, f.wall.Seconds(), wall, f.cpu.Seconds(), cpu, float64(f.memory)/10)
	}
}
