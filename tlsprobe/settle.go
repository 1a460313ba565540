package tlsprobe

import (
	"cmp"
	"slices"
)

// A tally is what the log of answers holds about one version, before anything
// is concluded from it.
type tally struct {
	version Version

	chosen  *outcome // a finished ServerHello with this version
	retried *outcome // a HelloRetryRequest for it
	after   *outcome // what came to the hello with a key share, if that was no ServerHello
	lower   *outcome // a ServerHello with a lower version to a hello for this one
	higher  *outcome // one with a version that was not offered
	alert   *outcome // the alert that says most
	foreign *outcome // bytes that are not TLS
	loss    *outcome // a connection that was lost

	protocolVersion bool // there was an alert 70
	common, rare    bool // the common suites, and all of the rare ones, were declined with an alert about suites
	sure            bool // it was cut or got an alert 80 again and again, while others were answered

	sentinel     Version
	strong       Support
	short        bool // only the short hello was accepted
	lost         int
	plainAnswers []sampled // to the plain hello
}

// A sampled is one answer to a plain hello that accepts or refuses.
type sampled struct {
	Sample
	alert Alert // as Sample.Alert, to be compared
}

// count makes the tally of v.
func count(v Version, log []outcome, sure bool) tally {
	t := tally{version: v, sure: sure}
	var declined, strongDeclined int // bits for the parts of the rare suites
	plainAnswered, shortAccepted, covered := false, false, rareCovered(v, log)
	for i := range log {
		o := &log[i]
		// A lower hello may be answered only with what it offers, so a
		// ServerHello for v counts whichever hello it came to.
		if o.kind == chosen && o.answer.version == v && (o.hello.version == v || o.hello.version > v && o.hello.answersBelow()) {
			switch {
			case o.retry:
				t.retried = o
			case t.chosen == nil, o.hello.version == v && t.chosen.suite.Weak() && o.shape == plain:
				t.chosen = o
			}
			shortAccepted = shortAccepted || o.shape == short
		}
		if o.hello.version != v {
			continue
		}
		plainAnswered = plainAnswered || o.shape != short && o.answered()
		if o.shape == plain {
			t.sample(o)
		}
		if o.kind == chosen {
			if o.sentinel > v {
				t.sentinel = max(t.sentinel, o.sentinel)
			} else if o.sentinel == v && o.answer.version < v {
				t.sentinel = o.sentinel
			}
		}
		switch {
		case o.shape == strong:
			switch {
			case o.kind == chosen && o.answer.version == v:
				t.strong = Accepted
			case o.answered():
				strongDeclined |= 1 << o.part
			}
		case o.kind == chosen && o.answer.version < v && o.hello.answersBelow():
			t.lower = o
		case o.kind == chosen && o.answer.version != v:
			t.higher = o
		case o.kind == chosen:
		case o.kind == alerted:
			t.protocolVersion = t.protocolVersion || o.alert == alertProtocolVersion
			if t.alert == nil || alertRank(o) > alertRank(t.alert) {
				t.alert = o
			}
			switch {
			case o.shape == rare:
				declined |= 1 << o.part
			case suitesAlert(o.alert):
				t.common = true
			}
		case o.kind == nothing:
			t.lost++
			t.loss = o
		default:
			t.foreign = o
		}
		if o.shape == share && o.kind != chosen {
			t.after = o
		}
	}
	t.rare = covered || declined == 1<<len(rareParts(v, rare))-1
	if t.common || t.alert != nil && t.alert.shape != rare {
		strongDeclined |= 1 // part 0 stands for the common ones
	}
	if t.chosen != nil && t.chosen.suite.Weak() && t.strong == Unknown && strongDeclined == 1<<(1+len(rareParts(v, strong)))-1 {
		t.strong = Refused
	}
	t.short = shortAccepted && !plainAnswered
	return t
}

// alertRank says which of several alerts to one version is told: the one that
// is about versions, then the first one to the plain hello.
func alertRank(o *outcome) int {
	switch {
	case o.alert == alertProtocolVersion:
		return 3
	case o.alert == alertUnrecognizedName:
		return 0
	case o.shape == plain:
		return 2
	}
	return 1
}

// rareCovered reports whether the rare suites that v has were declined in
// hellos for a higher version that could have been answered with v.
func rareCovered(v Version, log []outcome) bool {
	for w := v + 1; w <= TLS12; w++ {
		declined := 0
		for _, o := range log {
			if o.hello.version == w && o.shape == rare && o.kind == alerted {
				declined |= 1 << o.part
			}
		}
		if declined != 0 && declined == 1<<len(rareParts(w, rare))-1 && !acceptedBelow(w, log) {
			return true
		}
	}
	return false
}

// acceptedBelow reports whether a version below w was accepted. If so, a server
// that declines or cuts the hello for w does not choose lower ones from it.
func acceptedBelow(w Version, log []outcome) bool {
	return slices.ContainsFunc(log, func(o outcome) bool { return o.kind == chosen && o.answer.version < w })
}

// sample notes an answer to the plain hello that accepts or refuses.
func (t *tally) sample(o *outcome) {
	s := sampled{Sample: Sample{Count: 1}}
	switch {
	case o.kind == chosen && o.answer.version == t.version:
		s.Support, s.Reason, s.Suite = Accepted, Chosen, o.suite
	case o.kind == chosen && o.answer.version < t.version && o.hello.answersBelow():
		s.Support, s.Reason, s.Negotiated = Refused, ChoseLower, o.answer.version
	case o.kind == alerted && (o.alert == alertProtocolVersion || suitesAlert(o.alert)):
		s.Support, s.Reason, s.alert = Refused, SentAlert, o.alert
		s.Alert = new(o.alert)
	default:
		return
	}
	for i := range t.plainAnswers {
		have := &t.plainAnswers[i]
		if have.Support == s.Support && have.Reason == s.Reason && have.Suite == s.Suite && have.Negotiated == s.Negotiated && have.alert == s.alert {
			have.Count++
			return
		}
	}
	t.plainAnswers = append(t.plainAnswers, s)
}

// contradictory reports whether the same hello was accepted and refused.
func (t *tally) contradictory() bool {
	is := func(s Support) bool {
		return slices.ContainsFunc(t.plainAnswers, func(a sampled) bool { return a.Support == s })
	}
	return is(Accepted) && is(Refused)
}

// A ruling is one row of the decision table: if its condition holds, the
// version has this support, for this reason. The first that holds decides.
type ruling struct {
	when    func(t *tally, finished bool) bool
	support Support
	reason  func(t *tally) Reason
}

// decisions is the standard of proof: the table in the package comment, row by
// row, and a last one for what was not asked. Finished means that under the same connection parameters some
// version led to a ServerHello that was no HelloRetryRequest.
var decisions = []ruling{
	{func(t *tally, _ bool) bool { return t.contradictory() }, Contradictory, always(AnswersDiffer)},
	{func(t *tally, _ bool) bool { return t.chosen != nil }, Accepted, always(Chosen)},
	{func(t *tally, finished bool) bool { return t.retried != nil && finished }, Accepted, always(Chosen)},
	{func(t *tally, _ bool) bool { return t.retried != nil }, Unknown, always(RetryOnly)},
	{func(t *tally, _ bool) bool { return t.lower != nil }, Refused, always(ChoseLower)},
	{func(t *tally, _ bool) bool { return t.protocolVersion }, Refused, always(SentAlert)},
	{func(t *tally, finished bool) bool {
		return t.alert != nil && t.version != TLS13 && t.common && t.rare && finished
	}, Refused, always(SentAlert)},
	{func(t *tally, finished bool) bool {
		return t.alert != nil && t.alert.alert == alertInternalError && t.sure && finished
	}, Refused, always(SentAlert)},
	{func(t *tally, finished bool) bool { return t.alert == nil && t.loss != nil && t.sure && finished }, Refused, lossReason},
	{func(t *tally, _ bool) bool { return t.higher != nil }, Unknown, always(ChoseHigher)},
	{func(t *tally, _ bool) bool { return t.alert != nil }, Unknown, always(SentAlert)},
	{func(t *tally, _ bool) bool { return t.foreign != nil }, Unknown, always(OtherProtocol)},
	{func(t *tally, _ bool) bool { return t.loss != nil }, Unknown, lossReason},
	{func(*tally, bool) bool { return true }, Unknown, always(NotAsked)},
}

func always(r Reason) func(*tally) Reason { return func(*tally) Reason { return r } }

func lossReason(t *tally) Reason { return reasonOf(*t.loss) }

// settleVersion decides about one version. Sure means that the hellos for it
// were cut, or got the alert 80, again and again while others were answered.
func settleVersion(v Version, log []outcome, sure, finished bool) Answer {
	t := count(v, log, sure)
	i := slices.IndexFunc(decisions, func(d ruling) bool { return d.when(&t, finished) })
	a := Answer{Support: decisions[i].support, Reason: decisions[i].reason(&t), Lost: t.lost, Sentinel: t.sentinel}
	switch a.Reason {
	case Chosen:
		o := cmp.Or(t.chosen, t.retried)
		a.Suite, a.Group, a.Retry = o.suite, o.group, t.retried != nil
		if t.retried != nil && a.Group == 0 {
			a.Group = t.retried.group
		}
		a.Strong, a.Short = t.strong, t.short
	case RetryOnly:
		a.Suite, a.Group, a.Retry = t.retried.suite, t.retried.group, true
		if t.after != nil && t.after.kind == alerted {
			a.Alert = new(t.after.alert)
		}
	case ChoseLower:
		a.Negotiated = t.lower.answer.version
	case ChoseHigher:
		a.Negotiated = t.higher.answer.version
	case SentAlert:
		a.Alert = new(t.alert.alert)
	case AnswersDiffer:
		for _, s := range t.plainAnswers {
			a.Samples = append(a.Samples, s.Sample)
		}
		slices.SortStableFunc(a.Samples, func(x, y Sample) int { return int(x.Support) - int(y.Support) })
	}
	return a
}

// suitesAlert reports whether a is what servers send that find no suite: as
// well as some that do not want a version, such as GnuTLS and JSSE with 40.
func suitesAlert(a Alert) bool { return a == alertHandshakeFailure || a == alertInsufficient }

func reasonOf(o outcome) Reason {
	switch {
	case o.partial:
		return Truncated
	case o.loss == lostClosed:
		return HungUp
	case o.loss == lostReset:
		return WasReset
	case o.loss == lostSilent:
		return NoAnswer
	case o.loss == lostProxy, o.loss == lostStartTLS, o.loss == lostPutOff, o.loss == lostEHLO:
		return NoTLSYet
	}
	return NotConnected
}

// settle turns what came back into the facts of r.
func (e *endpoint) settle(r *Result) {
	r.Versions = make(Versions)
	asked := e.asked()
	if e.prober.Ask == Modern {
		for _, v := range fiveVersions {
			if !slices.Contains(asked, v) {
				asked = append(asked, v)
			}
		}
	}
	finished := e.finished()
	for _, v := range asked {
		a := settleVersion(v, e.log, e.sure[v], finished)
		a.Asked = e.sent[v]
		r.Versions[v] = a
	}
	for _, v := range asked {
		a, above := r.Versions[v], r.Versions[TLS11]
		if a.Asked == 0 && a.Support == Unknown && above.Support == Refused && above.Reason == SentAlert {
			r.Versions[v] = Answer{Support: Refused, Reason: Implied, Alert: above.Alert}
		}
	}
	r.Connections = e.opened
	e.classify(r)
}

// finished reports whether an answer under the connection parameters of the
// probe went further than a HelloRetryRequest. The hello for SSL 3.0 carries no
// server name, so it proves nothing about one.
func (e *endpoint) finished() bool {
	if e.shook != nil && (e.shook.chain != nil || e.shook.err == nil) {
		return true
	}
	return slices.ContainsFunc(e.log, e.finishedBy)
}

func (e *endpoint) finishedBy(o outcome) bool {
	return o.kind == chosen && !o.retry && o.answer.version <= o.hello.version &&
		(o.hello.version > SSL30 || o.hello.shape == long || e.sni == "")
}
