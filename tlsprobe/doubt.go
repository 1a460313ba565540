package tlsprobe

import (
	"bytes"
	"slices"
	"time"
)

// support tells what the log says about v so far.
func (e *endpoint) support(v Version) Support {
	return settleVersion(v, e.log, e.sure[v], e.finished()).Support
}

// asked returns the versions that were asked about, the highest first.
func (e *endpoint) asked() []Version {
	var list []Version
	for _, o := range e.log {
		if !slices.Contains(list, o.hello.version) {
			list = append(list, o.hello.version)
		}
	}
	for h := range e.pending {
		if !slices.Contains(list, h.version) {
			list = append(list, h.version)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

// versionsSettled reports whether all versions are, so that hellos still
// waiting cannot add anything.
func (e *endpoint) versionsSettled() bool {
	return !slices.ContainsFunc(e.asked(), func(v Version) bool { return e.support(v) == Unknown })
}

// unsettled returns the versions that are unknown and to one of whose hellos
// came what is wanted, the highest first.
func (e *endpoint) unsettled(want func(o outcome) bool) []Version {
	var list []Version
	for _, v := range e.asked() {
		if slices.ContainsFunc(e.log, func(o outcome) bool { return o.hello.version == v && want(o) }) && e.support(v) == Unknown {
			list = append(list, v)
		}
	}
	return list
}

// doubtful returns the versions whose hellos were cut, the highest first.
func (e *endpoint) doubtful() []Version { return e.unsettled(outcome.cut) }

// cut reports whether the connection was lost in a way that asking again may
// mend.
func (o outcome) cut() bool {
	return o.kind == nothing && (o.loss == lostClosed || o.loss == lostReset || o.loss == lostRefused)
}

// control returns a hello that the server answers, to tell a server that does
// not want a version from one that is not answering at all just now: one that
// was finished, or whose HelloRetryRequest can be followed up, or else one
// that got an alert.
func (e *endpoint) control() (hello, bool) {
	rank := func(o outcome) int {
		switch {
		case !o.answered() || o.shape == rare || o.shape == strong:
			return 0
		case o.kind == alerted:
			return 1
		case o.retry:
			return 2
		}
		return 3
	}
	var best outcome
	for _, o := range e.log {
		if rank(o) > rank(best) || rank(o) > 1 && rank(o) == rank(best) && o.hello.version > best.hello.version {
			best = o
		}
	}
	best.again = false
	if best.retry && keyShare(best.answer.group) != nil {
		return hello{version: TLS13, shape: share, keyOf: best.answer.group}, true
	}
	return best.hello, best.answered()
}

// otherShape returns another way to ask the same version.
func otherShape(v Version) hello {
	switch {
	case v == TLS13:
		return hello{version: v, shape: ordinary}
	case v > SSL30:
		return hello{version: v, shape: short}
	}
	return hello{version: v}
}

// askRare offers the rare suites to a server that found no common one. The
// hello for a version can be answered with a lower one, so those for lower
// versions need no such hello of their own, unless the server is seen to
// accept a lower version and does not choose it.
func (e *endpoint) askRare() {
	declined := e.unsettled(func(o outcome) bool {
		return o.hello.version < TLS13 && o.hello.version > SSL30 && o.shape != rare && o.kind == alerted && suitesAlert(o.alert)
	})
	for i, v := range declined {
		if i > 0 && !acceptedBelow(declined[0], e.log) {
			break
		}
		for _, h := range rareParts(v, rare) {
			if !e.second[h] {
				e.second[h] = true
				e.send(h, 0)
			}
		}
	}
	if len(declined) > 0 {
		e.pump(e.deadline, func() bool {
			return !slices.ContainsFunc(e.waiting(), func(h hello) bool { return h.shape == rare || h.shape == strong })
		})
	}
}

// waiting returns the hellos that have no answer yet.
func (e *endpoint) waiting() []hello {
	var list []hello
	for h := range e.pending {
		list = append(list, h)
	}
	return list
}

// finish follows up a HelloRetryRequest where nothing else is finished: it
// shows neither that the server knows the name, nor that it has a certificate.
// The ordinary handshake does so as well, if there is one.
func (e *endpoint) finish() {
	retried := func() (outcome, bool) {
		for _, o := range e.log {
			if o.kind == chosen && o.retry {
				return o, true
			}
		}
		return outcome{}, false
	}
	o, ok := retried()
	if !ok || e.finished() {
		return
	}
	e.pump(e.deadline, func() bool { return !e.shaking })
	h := hello{version: TLS13, shape: share, keyOf: o.answer.group}
	if e.finished() || e.second[h] || keyShare(h.keyOf) == nil {
		return
	}
	e.second[h] = true
	e.send(h, 0)
	e.pump(e.deadline, func() bool { return !e.pending[h] })
}

// resolvePutOff asks again what a mail server put off, and what a connection
// without STARTTLS could not ask while other connections had it.
func (e *endpoint) resolvePutOff() {
	for {
		putOff := e.unsettled(func(o outcome) bool { return o.loss == lostPutOff })
		list, pause := putOff, limitPause
		if len(list) == 0 && slices.ContainsFunc(e.log, func(o outcome) bool { return o.loss != lostNoStartTLS }) {
			list, pause = e.unsettled(func(o outcome) bool { return o.loss == lostNoStartTLS }), limitPause/10
		}
		if len(list) == 0 || !e.pause(pause) {
			return
		}
		for _, v := range list {
			o := e.askAgain(hello{version: v})
			if o.answered() && len(putOff) > 0 {
				e.flaky = true
			}
			if o.loss == lostPutOff || o.loss == lostCanceled {
				break // it wants to be left alone
			}
		}
	}
}

// resolveDoubts asks again about versions whose hellos were cut. A connection
// may be cut because the server does not want the version (Windows does so),
// because it does not know the server name, because it cannot stand the hello,
// because it counts connections, or because the path is bad.
func (e *endpoint) resolveDoubts() {
	list := e.doubtful()
	if len(list) == 0 || !e.connectedOnce() {
		return
	}
	// One connection after the other from here on, unless one hangs.
	e.pump(time.Now().Add(limitPause), func() bool { return !e.shaking })
	if !e.finished() {
		if e.nameMatters() {
			return
		}
		e.askAllAgain(list)
		e.finish()
		if list = e.doubtful(); len(list) == 0 {
			return
		}
		if !e.finished() { // no cut proves anything, but one for a limit can be waited out
			e.patient(1)
			e.finish()
			if list = e.doubtful(); len(list) == 0 || !e.finished() {
				return
			}
		}
	}
	if e.confirm(list) {
		return
	}
	e.patient(3)
}

// nameMatters asks without the server name where every hello was cut. It
// reports whether that is answered while the same hello with the name is cut
// once more, at once and after a pause: a path that cuts some connections, or
// a limit, would let one of them through.
func (e *endpoint) nameMatters() bool {
	if e.sni == "" || slices.ContainsFunc(e.log, func(o outcome) bool { return !o.cut() && o.hello.version > SSL30 }) {
		return false
	}
	for _, v := range []Version{TLS12, TLS11} {
		h := hello{version: v, noName: true}
		e.send(h, 0)
		e.pump(e.deadline, func() bool { return !e.pending[h] })
		if !slices.ContainsFunc(e.nameless, outcome.answered) {
			continue
		}
		named := hello{version: v}
		for _, pause := range []time.Duration{0, limitPause} {
			before := len(e.log)
			e.send(named, pause)
			e.pump(e.deadline, func() bool { return !e.pending[named] })
			if slices.ContainsFunc(e.log[before:], outcome.answered) {
				return false
			}
		}
		return true
	}
	return false
}

// connectedOnce reports whether any connection came about.
func (e *endpoint) connectedOnce() bool {
	return slices.ContainsFunc(e.log, func(o outcome) bool {
		return o.loss != lostRefused && o.loss != lostUnreachable && o.loss != lostProxy
	})
}

// askAllAgain asks once more, after a pause and in another shape too, a server
// that has finished no answer yet.
func (e *endpoint) askAllAgain(list []Version) {
	if !e.pause(limitPause) {
		return
	}
	for _, v := range list {
		if e.askAgain(hello{version: v}).answered() || e.askAgain(otherShape(v)).answered() && v == TLS13 {
			e.flaky = true
		}
	}
}

// quickly is the time within which no limit that counts by the second begins
// to count anew.
const quickly = 700 * time.Millisecond

// confirm asks the versions of list again at once, twice in a row, and then
// something that is answered. A server that cuts every n-th connection does not
// cut two in a row; one that counts by the second cuts the control too. So if
// all of the list is cut and the control is not, the server does not want the
// versions. A version below one that was cut like that needs no hellos of its
// own, if nothing below is accepted: the hello for the higher one could have
// been answered with it. It reports whether nothing is left in doubt.
func (e *endpoint) confirm(list []Version) bool {
	control, _ := e.control()
	asks := func(o hello) (goOn bool) {
		switch answer := e.askAgain(o); {
		case answer.loss == lostCanceled:
			return false
		case o == control && !answer.answered():
			e.flaky = true
			return false
		case o != control && o.shape == plain && answer.answered():
			e.flaky = true
		}
		return true
	}
	top := -1 // the first of those of TLS 1.2 and below
	var own []Version
	for i, v := range list {
		if v < TLS13 && top < 0 {
			top = i
		}
		if i == top || v == TLS13 || acceptedBelow(list[top], e.log) {
			own = append(own, v)
		}
	}
	for _, v := range own {
		twice := []hello{{version: v}, otherShape(v)}
		if v == TLS13 { // the other one can be answered with a lower version, which decides
			slices.Reverse(twice)
		}
		for _, h := range twice {
			if e.support(v) == Unknown && !asks(h) {
				return e.ctx.Err() != nil
			}
		}
	}
	order := []hello{control}
	if time.Since(e.began) > quickly {
		order = append(order, control)
		for _, v := range own {
			order = append(order, hello{version: v})
		}
		order = append(order, control)
	}
	for _, h := range order {
		if (h == control || e.support(h.version) == Unknown) && !asks(h) {
			return e.ctx.Err() != nil
		}
	}
	if e.flaky {
		return len(e.doubtful()) == 0
	}
	for _, v := range list {
		e.sure[v] = true
	}
	return true
}

// patient asks the doubtful versions again, slowly, until they are answered or
// the deadline comes. A version that is cut in so many rounds, twice in a row,
// while the control at the end of the round is answered, was not cut for the
// number of connections. Where the control is cut as well, a limit may count
// what it cuts, so the rounds become smaller and the pauses longer.
func (e *endpoint) patient(enough int) {
	control, ok := e.control()
	if !ok {
		return
	}
	rounds := make(map[Version]int)
	pause := limitPause
	for width := 3; ; {
		list := slices.DeleteFunc(e.doubtful(), func(v Version) bool { return e.sure[v] })
		if len(list) == 0 || !e.pause(pause) {
			return
		}
		slices.SortStableFunc(list, func(a, b Version) int { return rounds[a] - rounds[b] })
		var cut []Version
		for _, v := range list[:min(width, len(list))] {
			switch first := e.askAgain(hello{version: v}); {
			case first.answered():
				e.flaky = true
			case first.cut() && e.askAgain(otherShape(v)).cut():
				cut = append(cut, v)
			}
		}
		if !e.askAgain(control).answered() {
			if e.goesNoFurther(control) {
				return
			}
			width, pause = max(1, width/2), min(pause*3/2, 4*limitPause)
			continue
		}
		for _, v := range cut {
			if rounds[v]++; rounds[v] == enough {
				e.sure[v] = true
			}
		}
	}
}

// goesNoFurther reports whether control, which follows up a HelloRetryRequest,
// is cut while the hello that the request answered gets it again right after:
// then it is the name that matters. If that hello is cut too, so is everything.
func (e *endpoint) goesNoFurther(control hello) bool {
	if control.shape != share {
		return false
	}
	asked := slices.ContainsFunc(e.log, func(o outcome) bool { return o.answered() && o.shape == plain && o.hello.version == TLS13 })
	e.limited = asked && e.askAgain(hello{version: TLS13}).cut()
	return asked && !e.limited
}

// resolveFaults asks again, one connection at a time, for the versions that got
// the alert "internal error". That may be how a busy server declines
// connections, or how one declines a name, so it counts only if the hello gets
// it again in a quiet moment, and one of the versions that are accepted is
// accepted right after.
func (e *endpoint) resolveFaults() {
	fault := func(o outcome) bool {
		return o.shape == plain && o.kind == alerted && o.alert == alertInternalError
	}
	list := e.unsettled(fault)
	control, ok := e.control()
	if !ok || len(list) == 0 || !e.finished() {
		return
	}
	e.pump(e.deadline, func() bool { return !e.shaking && len(e.pending) == 0 })
	for try := 0; ; try++ {
		var again []Version
		for _, v := range list {
			o := e.askAgain(hello{version: v})
			if o.kind == chosen {
				e.flaky = true
			}
			if fault(o) {
				again = append(again, v)
			}
		}
		if len(again) == 0 {
			return
		}
		if e.askAgain(control).kind == chosen {
			for _, v := range again {
				e.sure[v] = true
			}
			return
		}
		if list = again; try == 1 || !e.pause(limitPause) {
			return
		}
	}
}

// sampleRounds asks every version rounds times more: each so often in a row, so
// that a balancer that takes turns gives the same hello to all its servers. If
// that would take longer than there is time, all versions are asked side by side.
func (e *endpoint) sampleRounds(rounds int) {
	questions := e.questions()
	for i, h := range questions {
		began := time.Now()
		for range rounds {
			if e.ctx.Err() != nil {
				return
			}
			if h.again = true; !e.pending[h] {
				e.askAgain(h)
			}
		}
		if left := questions[i+1:]; time.Duration(len(left))*time.Since(began) > time.Until(e.deadline) {
			e.sampleSideBySide(left, rounds)
			return
		}
	}
}

// sampleSideBySide sends all questions at once, rounds times. The order changes
// from one round to the next.
func (e *endpoint) sampleSideBySide(questions []hello, rounds int) {
	for range rounds {
		slices.Reverse(questions)
		for _, h := range questions {
			h.again = true
			if e.ctx.Err() == nil && !e.pending[h] {
				e.send(h, 0)
			}
		}
		e.pump(e.deadline, func() bool {
			return !slices.ContainsFunc(e.waiting(), func(h hello) bool { return h.again })
		})
	}
}

// resolveDifferences asks again what does not fit together: the servers behind
// one address may differ. If they do, everything is asked twice more.
func (e *endpoint) resolveDifferences() {
	if e.flaky {
		return // more connections would only be more lost ones
	}
	differ := func(v Version) bool { return e.support(v) == Contradictory }
	for _, v := range e.suspects() {
		for i := 0; i < 3 && e.ctx.Err() == nil && !differ(v); i++ {
			e.askAgain(hello{version: v})
		}
	}
	if slices.ContainsFunc(e.asked(), func(v Version) bool { return differ(v) || e.declinedInTwoWays(v) }) {
		e.sampleRounds(2)
	}
}

// declinedInTwoWays reports whether the same hello for v was refused with an
// alert one time and with a lower version another, which no single server does:
// those that answer so may differ in other versions as well.
func (e *endpoint) declinedInTwoWays(v Version) bool {
	alert, lower := false, false
	for _, a := range count(v, e.log, e.sure[v]).plainAnswers {
		alert = alert || a.Reason == SentAlert
		lower = lower || a.Reason == ChoseLower
	}
	return alert && lower
}

// suspects returns the versions whose answers one server would not give beside
// the other answers.
func (e *endpoint) suspects() []Version {
	var list []Version
	suspect := func(v Version) {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	asked := e.asked()
	support := make(map[Version]Support)
	for _, v := range asked {
		support[v] = e.support(v)
	}
	var leaf []byte
	for _, o := range e.log {
		if o.kind != chosen {
			if o.shape == plain && o.kind == alerted && support[o.hello.version] == Accepted {
				suspect(o.hello.version) // another hello was answered with it
			}
			continue
		}
		switch {
		case o.shape != plain || o.answer.version > o.hello.version:
		case o.hello.version == TLS12 && o.answer.version == TLS12 && (o.sentinel == TLS13) != (support[TLS13] == Accepted) && support[TLS13] != Unknown:
			suspect(TLS13) // who has it says so in the answer for TLS 1.2, and nobody else
		case o.answer.version < o.hello.version && o.hello.answersBelow():
			for v := o.answer.version + 1; v < o.hello.version; v++ {
				if support[v] == Accepted {
					suspect(o.hello.version) // it would have chosen v
				}
			}
		}
		if len(o.certs) == 0 {
			continue
		}
		if leaf != nil && !bytes.Equal(leaf, o.certs[0]) && sameKeyType(leaf, o.certs[0]) {
			suspect(o.hello.version)
		}
		leaf = o.certs[0]
	}
	for i, v := range asked {
		accepted := func(v Version) bool { return support[v] == Accepted }
		if support[v] == Refused && slices.ContainsFunc(asked[:i], accepted) && slices.ContainsFunc(asked[i:], accepted) {
			suspect(v) // a hole
		}
	}
	return list
}

// sameKeyType reports whether two certificates have keys of one type: a server
// may well have one for RSA and one for ECDSA.
func sameKeyType(a, b []byte) bool {
	one, _ := parseChain([][]byte{a})
	two, _ := parseChain([][]byte{b})
	return one != nil && two != nil && one[0].PublicKeyAlgorithm == two[0].PublicKeyAlgorithm
}

// checkShort asks the full hello again where only the short one was answered:
// if it is answered now, something else was wrong.
func (e *endpoint) checkShort() {
	isShort := func(v Version) bool { return settleVersion(v, e.log, false, e.finished()).Short }
	for _, v := range e.asked() {
		if e.ctx.Err() != nil || !isShort(v) {
			continue
		}
		began := time.Now()
		again := e.askAgain(hello{version: v, shape: short})
		if again.cut() {
			again = e.askAgain(hello{version: v, shape: short})
		}
		if again.kind != chosen {
			continue
		}
		// The full hello gets four times as long as the short one took.
		limit := time.Now().Add(4*time.Since(began) + 100*time.Millisecond)
		h := hello{version: v, again: true}
		e.send(h, 0)
		e.pump(limit, func() bool { return !e.pending[h] })
		if last := e.log[len(e.log)-1]; last.hello == h && last.cut() {
			e.askAgain(hello{version: v}) // who cuts every n-th connection does not cut two in a row
		}
		if !isShort(v) {
			e.flaky = true
		}
	}
}
