package tlsprobe

import (
	"slices"
	"time"
)

// support tells what the log says about v so far.
func (e *endpoint) support(v Version) Support { return settleVersion(v, e.log, e.sure[v]).Support }

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

// versionsSettled tells whether all versions are, so that hellos still waiting
// cannot add anything.
func (e *endpoint) versionsSettled() bool {
	for _, v := range e.asked() {
		if e.support(v) == Unknown {
			return false
		}
	}
	return true
}

// doubtful returns the versions whose hellos were cut, the highest first.
func (e *endpoint) doubtful() []Version {
	var list []Version
	for _, v := range e.asked() {
		if e.support(v) != Unknown {
			continue
		}
		if slices.ContainsFunc(e.log, func(o outcome) bool { return o.hello.version == v && o.cut() }) {
			list = append(list, v)
		}
	}
	return list
}

// cut tells whether the connection was lost in a way that asking again may
// mend.
func (o outcome) cut() bool {
	return o.kind == nothing && (o.loss == lostClosed || o.loss == lostReset || o.loss == lostRefused)
}

// control returns a hello that the server has answered, with a ServerHello if
// there was one, to tell a server that does not want a version from one that is
// not answering at all just now.
func (e *endpoint) control() (hello, bool) {
	var best outcome
	for _, o := range e.log {
		if !o.answered() || o.shape == rare || o.shape == strong {
			continue
		}
		if !best.answered() || o.kind == chosen && (best.kind != chosen || o.hello.version > best.hello.version) {
			best = o
		}
	}
	best.again = false
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

// resolveDoubts asks again about versions whose hellos were cut. A connection
// may be cut because the server does not want the version (Windows does so),
// because it cannot stand the hello, because it counts connections, or because
// the path is bad.
func (e *endpoint) resolveDoubts() {
	list := e.doubtful()
	if len(list) == 0 {
		return
	}
	if !e.connectedOnce() {
		return // nothing listens there
	}
	// One connection after the other from here on, unless one hangs.
	e.pump(time.Now().Add(limitPause), func() bool { return !e.shaking })
	if _, ok := e.control(); !ok {
		e.askAllAgain(list)
		if list = e.doubtful(); len(list) == 0 {
			return
		}
		if _, ok := e.control(); !ok {
			return
		}
	}
	if e.confirm(list) {
		return
	}
	e.patient()
}

// connectedOnce tells whether any connection came about.
func (e *endpoint) connectedOnce() bool {
	return slices.ContainsFunc(e.log, func(o outcome) bool {
		return o.loss != lostRefused && o.loss != lostUnreachable && o.loss != lostProxy
	})
}

// askAllAgain asks once more, after a pause and in another shape too, a server
// that has not answered anything yet.
func (e *endpoint) askAllAgain(list []Version) {
	if !e.pause(limitPause) {
		return
	}
	for _, v := range list {
		if !e.askAgain(hello{version: v}).answered() {
			e.askAgain(otherShape(v))
		} else {
			e.flaky = true
		}
	}
}

// confirm asks the versions of list again at once, one hello after the other,
// with controls behind. A server that cuts every n-th connection does
// not cut two in a row; one that counts by the second cuts the controls too.
// So if all of the list is cut and the controls are not, the server does not
// want the versions. It tells whether nothing is left in doubt.
func (e *endpoint) confirm(list []Version) bool {
	control, _ := e.control()
	var order []hello
	for _, v := range list {
		order = append(order, hello{version: v}, hello{version: v}, otherShape(v))
	}
	order = append(order, control, control, control)
	for _, v := range list {
		order = append(order, hello{version: v})
	}
	order = append(order, control)
	for _, h := range order {
		if h != control && e.support(h.version) != Unknown {
			continue
		}
		switch o := e.askAgain(h); {
		case o.loss == lostCanceled:
			return true
		case h == control && !o.answered():
			e.flaky = true
			return false
		case h != control && h.shape == plain && o.answered():
			e.flaky = true
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
// the deadline comes. A version that is cut in three rounds, twice in a row,
// while the control at the end of the round is answered, was not cut for the
// number of connections.
func (e *endpoint) patient() {
	control, ok := e.control()
	if !ok {
		return
	}
	rounds := make(map[Version]int)
	for width := 3; ; {
		list := slices.DeleteFunc(e.doubtful(), func(v Version) bool { return e.sure[v] })
		if len(list) == 0 || !e.pause(limitPause) {
			return
		}
		slices.SortStableFunc(list, func(a, b Version) int { return rounds[a] - rounds[b] })
		var cut []Version
		for _, v := range list[:min(width, len(list))] {
			if e.askAgain(hello{version: v}).cut() && e.askAgain(otherShape(v)).cut() {
				cut = append(cut, v)
			}
		}
		if !e.askAgain(control).answered() {
			width = max(1, width/2) // some limits count what they cut
			continue
		}
		for _, v := range cut {
			if rounds[v]++; rounds[v] == 3 {
				e.sure[v] = true
			}
		}
	}
}

// resolveFaults asks again, one connection at a time, for the versions that got
// the alert "internal error". That may be how a busy server declines
// connections, so it counts only if the hello gets it again in a quiet moment,
// and one of the versions that are accepted is accepted right after.
func (e *endpoint) resolveFaults() {
	control, ok := e.control()
	if !ok || e.highest() == 0 {
		return
	}
	for _, v := range e.asked() {
		fault := func(o outcome) bool {
			return o.hello.version == v && o.shape == plain && o.kind == alerted && o.alert == alertInternalError
		}
		if e.ctx.Err() != nil || e.support(v) != Unknown || !slices.ContainsFunc(e.log, fault) {
			continue
		}
		e.pump(e.deadline, func() bool { return !e.shaking && len(e.pending) == 0 })
		for range 2 {
			o := e.askAgain(hello{version: v})
			if o.kind == chosen {
				e.flaky = true
			}
			if !fault(o) {
				break
			}
			if e.sure[v] = e.askAgain(control).kind == chosen; e.sure[v] || !e.pause(limitPause) {
				break
			}
		}
	}
}

// checkShort asks the full hello again where only the short one was answered:
// if it is answered now, something else was wrong.
func (e *endpoint) checkShort() {
	for _, v := range e.asked() {
		if e.ctx.Err() != nil || !settleVersion(v, e.log, false).Short {
			continue
		}
		began := time.Now()
		if e.askAgain(hello{version: v, shape: short}).kind != chosen {
			continue
		}
		// The full hello gets four times as long as the short one took.
		limit := time.Now().Add(4*time.Since(began) + 100*time.Millisecond)
		h := hello{version: v, again: true}
		e.send(h, 0)
		e.pump(limit, func() bool { return !e.pending[h] })
		if !settleVersion(v, e.log, false).Short {
			e.flaky = true
		}
	}
}
