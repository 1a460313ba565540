package tlsprobe

import (
	"context"
	"crypto/x509"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// limitPause is how long a probe waits before it asks again a server that
// seems to limit connections: limits count by the second.
const limitPause = 1100 * time.Millisecond

// An endpoint is the probe of one address. It is run by one goroutine; each
// connection has one more, which only reports to the channel outcomes.
type endpoint struct {
	target   Target
	address  string // what to dial
	sni      string
	verify   string // the name that the certificate shall have
	alpn     []string
	startTLS Protocol
	proxy    *url.URL
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	now      func() time.Time
	prober   *Prober

	ctx      context.Context
	began    time.Time // not by now, which may be another clock
	deadline time.Time
	outcomes chan outcome
	inflight int
	pending  map[hello]bool

	log      []outcome           // all that came back, in order
	nameless []outcome           // what came back without the server name, if that was tried
	sent     map[Version]int     // hellos sent
	second   map[hello]bool      // second opinions that were asked for
	flaky    bool                // a hello was lost, and the same one answered another time
	limited  bool                // what was answered before was cut when asked last
	sure     map[Version]bool    // the hello was cut, or answered with a fault, again and again, while others were answered
	overdue  bool                // the time to wait for first answers is over
	shaking  bool                // the ordinary handshake is going on
	shook    *handshake          // how it ended, if one was tried
	proved   []*x509.Certificate // a chain from a first flight that proves the key

	mu     sync.Mutex
	opened int                   // connections that were tried
	conns  map[net.Conn]struct{} // open ones, to be closed when the probe ends; nil after that
}

// An outcome is what became of one hello.
type outcome struct {
	hello
	answer
	loss   loss
	detail string // of the loss
	shake  *handshake
}

// answered reports whether the server spoke TLS.
func (o outcome) answered() bool { return o.kind == chosen || o.kind == alerted }

func (p *Prober) newEndpoint(target Target, host string) *endpoint {
	e := &endpoint{
		target: target, address: target.Addr, prober: p, proxy: p.Proxy, alpn: p.ALPN, startTLS: p.StartTLS,
		dial: p.Dial, now: p.Now, sni: p.SNI,
		outcomes: make(chan outcome),
		log:      make([]outcome, 0, len(fiveVersions)),
		pending:  make(map[hello]bool), second: make(map[hello]bool),
		sent: make(map[Version]int), sure: make(map[Version]bool),
		conns: make(map[net.Conn]struct{}),
	}
	noSNI := p.NoSNI
	if target.SNI != "" || target.NoSNI {
		e.sni, noSNI = target.SNI, target.NoSNI
	}
	if target.StartTLS != "" {
		e.startTLS = target.StartTLS
	}
	e.verify = e.sni
	if e.verify == "" {
		if addr, err := netip.ParseAddr(host); err == nil {
			e.verify = addr.WithZone("").String()
		} else {
			e.sni = trimDot(host)
			e.verify = e.sni
		}
	}
	if noSNI {
		e.sni = ""
	}
	if e.dial == nil {
		e.dial = dialer.DialContext
	}
	if e.now == nil {
		e.now = time.Now
	}
	return e
}

// dialer spares the system calls that set up keep-alives, as no connection
// lives that long.
var dialer = net.Dialer{KeepAlive: -1}

// trimDot takes off the dot of a rooted name, which RFC 6066 §3 forbids.
func trimDot(host string) string {
	if n := len(host); n > 1 && host[n-1] == '.' {
		return host[:n-1]
	}
	return host
}

// check refuses settings that make no sense.
func (e *endpoint) check() error {
	if e.startTLS != "" && !slices.Contains(Protocols(), e.startTLS) {
		return badSetting("no such protocol before TLS: %.40q", string(e.startTLS))
	}
	notASCII := func(r rune) bool { return r <= ' ' || r > '~' }
	bad := badSetting
	if e.prober.SNI == "" && e.target.SNI == "" {
		bad = badTarget
	}
	if len(e.sni) > 255 {
		return bad("the server name has %d bytes, and 255 are the most", len(e.sni))
	}
	if strings.ContainsFunc(e.sni, notASCII) {
		return bad("the server name %.80q is not ASCII; international names begin with xn--", e.sni)
	}
	if len(e.prober.EHLO) > 255 || strings.ContainsFunc(e.prober.EHLO, notASCII) {
		return badSetting("the name for EHLO %.80q is no name", e.prober.EHLO)
	}
	size := 0
	for _, name := range e.alpn {
		if size += len(name); name == "" || len(name) > 255 || size > 4096 {
			return badSetting("no such application protocol: %.40q", name)
		}
	}
	if e.proxy != nil {
		return checkProxy(e.proxy)
	}
	return nil
}

// run asks everything, under one deadline.
func (e *endpoint) run(ctx context.Context) *Result {
	timeout := e.prober.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	e.began = time.Now() // not e.now: this measures
	e.deadline = e.began.Add(timeout)
	r := &Result{Target: e.target.Addr, SNI: e.sni, StartTLS: e.startTLS, At: e.now().Round(0).UTC()}
	if _, err := netip.ParseAddrPort(e.address); err == nil {
		r.Address = e.address
	}

	ctx, cancel := context.WithDeadline(ctx, e.deadline)
	e.ctx = ctx
	stop := context.AfterFunc(ctx, e.closeAll)
	e.ask(timeout)
	stop()
	cancel()
	e.closeAll()
	for ; e.inflight > 0; e.inflight-- { // they end now
		if o := <-e.outcomes; o.shake == nil && o.loss != lostCanceled {
			e.log = append(e.log, o)
		}
	}

	e.settle(r)
	e.judgeChain(r)
	r.Took = time.Since(e.began)
	return r
}

// ask is the course of a probe: all hellos at once, then doubts, then the
// chain if it was not seen yet.
func (e *endpoint) ask(timeout time.Duration) {
	for _, h := range e.questions() {
		e.send(h, 0)
	}
	// Whoever has said nothing by now gets a hello of another length, while the
	// first one goes on waiting.
	if !e.pump(e.began.Add(timeout*2/5), func() bool { return len(e.pending) == 0 }) {
		e.overdue = true
		for h := range maps.Clone(e.pending) {
			if other := otherLength(h); other != h && h.shape == plain {
				e.send(other, 0)
			}
		}
	}
	e.resolvePutOff()
	e.askRare()
	e.finish()
	e.resolveDoubts()
	e.resolveFaults()
	e.sampleRounds(e.prober.Samples - 1)
	e.resolveDifferences()
	if e.wantsHandshake() {
		e.shakeHands(0)
	}
	e.pump(e.deadline, func() bool { return e.inflight == 0 || e.versionsSettled() })
	// Some servers answer our hellos and not the one of crypto/tls. The whole
	// deadline is spent on it only where no other chain can be had.
	patience := e.deadline
	if slices.ContainsFunc(e.log, func(o outcome) bool { return o.certs != nil }) {
		patience = time.Now().Add(max(timeout/4, 2*time.Since(e.began)))
	}
	e.pump(patience, func() bool { return e.inflight == 0 || e.versionsSettled() && !e.shaking })
	e.checkShort()
	if e.shook != nil && e.shook.lost() && e.flaky {
		e.shakeHands(limitPause) // once more, and more slowly
		e.pump(e.deadline, func() bool { return !e.shaking })
	}
}

// questions returns the first hellos.
func (e *endpoint) questions() []hello {
	var list []hello
	switch e.prober.Ask {
	case Only12:
		list = []hello{{version: TLS12}}
	case Modern:
		list = []hello{{version: TLS13}, {version: TLS12}, {version: TLS11}}
	default:
		for _, v := range fiveVersions {
			list = append(list, hello{version: v})
		}
	}
	if e.prober.SSL20 {
		list = append(list, hello{version: SSL20})
	}
	return list
}

// otherLength returns a hello for the same version of another length, or h
// itself if there is none.
func otherLength(h hello) hello {
	switch {
	case h.version == TLS13:
		h.shape = long
	case h.version > SSL30:
		h.shape = short
	}
	return h
}

// pump takes in outcomes until done is true, limit comes or the probe ends. It
// reports whether done was true.
func (e *endpoint) pump(limit time.Time, done func() bool) bool {
	if done() {
		return true
	}
	// A context and not a timer's channel: in the bubbles of synctest, a channel
	// whose time has come already upsets the race detector (golang/go#78156).
	ctx, cancel := context.WithDeadline(e.ctx, limit)
	defer cancel()
	for !done() {
		select {
		case o := <-e.outcomes:
			e.take(o)
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// pause lets time pass, and reports whether the probe still goes on.
func (e *endpoint) pause(d time.Duration) bool {
	e.pump(time.Now().Add(d), func() bool { return false })
	return e.ctx.Err() == nil
}

// take notes an outcome and sends what follows from it at once.
func (e *endpoint) take(o outcome) {
	e.inflight--
	if o.shake != nil {
		e.shook, e.shaking = o.shake, false
		return
	}
	delete(e.pending, o.hello)
	if o.loss == lostCanceled {
		return
	}
	if o.noName { // these were other connection parameters
		e.nameless = append(e.nameless, o)
		return
	}
	e.log = append(e.log, o)
	e.prove(o)
	for _, h := range e.followUps(o) {
		if !e.second[h] {
			e.second[h] = true
			e.send(h, 0)
		}
	}
	if e.wantsHandshake() {
		e.shakeHands(0)
	}
}

// followUps returns the second opinions that an answer calls for at once.
func (e *endpoint) followUps(o outcome) []hello {
	v := o.hello.version
	switch {
	case o.again, o.kind == alerted && o.alert == alertProtocolVersion:
		return nil
	case o.shape == rare && o.kind == chosen && o.answer.version == v && o.suite.Weak() && !e.prober.SkipChain,
		o.shape == strong && o.part == 0 && o.kind == alerted:
		return rareParts(v, strong)
	case o.shape != plain:
		return nil
	}
	var list []hello
	if e.prober.Ask == Modern && v == TLS11 { // the shortcut did not lead anywhere
		for _, lower := range fiveVersions {
			if lower < v {
				list = append(list, hello{version: lower})
			}
		}
	}
	switch {
	case o.kind == chosen:
		if o.answer.version == v && o.suite.Weak() && !e.prober.SkipChain {
			list = append(list, hello{version: v, shape: strong})
		}
	case o.kind == alerted && o.alert == alertUnrecognizedName && v == SSL30 && e.sni != "":
		list = append(list, hello{version: v, shape: long})
	case o.kind != alerted, o.alert == alertUnrecognizedName, v == SSL20:
	case v == TLS13:
		list = append(list, hello{version: v, shape: ordinary, flipALPN: o.alert == alertNoApplicationProt})
	case v > SSL30 && !suitesAlert(o.alert) && o.alert != alertInternalError:
		list = append(list, hello{version: v, shape: short, flipALPN: o.alert == alertNoApplicationProt})
	}
	return list
}

// send sends h on a connection of its own, after a pause.
func (e *endpoint) send(h hello, pause time.Duration) {
	e.inflight++
	e.pending[h] = true
	e.sent[h.version]++
	go func() {
		if pause > 0 && !sleep(e.ctx, pause) {
			e.outcomes <- outcome{hello: h, loss: lostCanceled}
			return
		}
		e.outcomes <- e.exchange(h)
	}()
}

// sleep waits for d, and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	pause, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pause.Done()
	return ctx.Err() == nil
}

// askAgain sends h, marked as a repetition, and waits for what becomes of it.
func (e *endpoint) askAgain(h hello) outcome {
	h.again = true
	before := len(e.log)
	e.send(h, 0)
	e.pump(e.deadline, func() bool { return !e.pending[h] })
	for _, o := range e.log[before:] {
		if o.hello == h {
			return o
		}
	}
	return outcome{hello: h, loss: lostCanceled}
}

var readBuffers = sync.Pool{New: func() any { return new([1024]byte) }}

// exchange sends one hello and reads the answer.
func (e *endpoint) exchange(h hello) outcome {
	o := outcome{hello: h}
	var sent []byte
	conn, err := e.open()
	if err == nil {
		defer e.release(conn)
		sent = helloSSL2()
		if h.version != SSL20 {
			name := e.sni
			if h.noName {
				name = ""
			}
			sent = h.bytes(name, e.offeredALPN(h))
		}
		_, err = conn.Write(sent)
	}
	reader := answerReader{ssl2: h.version == SSL20, flight: !e.prober.SkipChain}
	if conn != nil {
		buf := readBuffers.Get().(*[1024]byte)
		defer readBuffers.Put(buf)
		// Even if the hello could not be written, there may be an answer: a
		// server that closes at once may have said why.
		for more := true; more; {
			n, failed := conn.Read(buf[:])
			more = reader.feed(buf[:n])
			if failed != nil {
				if err == nil || lossOf(failed) == lostCanceled {
					err = failed
				}
				break
			}
		}
	}
	o.answer = reader.end()
	if o.proof != nil {
		o.proof.client = sent[helloRandom:][:32]
	}
	if o.kind == nothing {
		o.loss = lossOf(err)
		switch { // what we closed ourselves says nothing, or that time is up
		case e.expired():
			o.loss = lostSilent
		case e.ctx.Err() != nil:
			o.loss = lostCanceled
		}
		if err != nil {
			o.detail = err.Error()
		}
	}
	return o
}

// offeredALPN returns the application protocols that h offers.
func (e *endpoint) offeredALPN(h hello) []string {
	switch {
	case !h.flipALPN:
		return e.alpn
	case len(e.alpn) > 0:
		return nil
	}
	return []string{"h2", "http/1.1"}
}

// expired reports whether the deadline has passed.
func (e *endpoint) expired() bool { return !time.Now().Before(e.deadline) }

// track notes an open connection. It is false if the probe has ended.
func (e *endpoint) track(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		return false
	}
	e.conns[conn] = struct{}{}
	return true
}

// release closes a connection, or the one that it is wrapped around.
func (e *endpoint) release(conn net.Conn) {
	inner := conn
	for {
		switch c := inner.(type) {
		case *lineConn:
			inner = c.Conn
			continue
		case *tdsConn:
			inner = c.Conn
			continue
		}
		break
	}
	inner.Close()
	e.mu.Lock()
	delete(e.conns, inner)
	e.mu.Unlock()
}

// closeAll closes what is open, which ends all reads.
func (e *endpoint) closeAll() {
	e.mu.Lock()
	conns := e.conns
	e.conns = nil
	e.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
}
