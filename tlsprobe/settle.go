package tlsprobe

import (
	"slices"
)

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
	accepted := func() bool { return r.Highest() != 0 }
	for _, v := range asked {
		a := settleVersion(v, e.log, e.sure[v])
		a.Asked = e.sent[v]
		r.Versions[v] = a
	}
	for _, v := range asked {
		a := r.Versions[v]
		switch {
		case a.Support == Refused && a.Reason == SentAlert && *a.Alert != alertProtocolVersion && !accepted():
			// Nothing at all is accepted: it may be about suites, names or policy.
			a.Support = Unknown
			r.Versions[v] = a
		case a.Asked == 0 && r.Versions[TLS11].Support == Refused && r.Versions[TLS11].Reason == SentAlert:
			r.Versions[v] = Answer{Support: Refused, Reason: Implied, Alert: r.Versions[TLS11].Alert}
		}
	}
	e.classify(r)
}

// settleVersion tells what the log says about one version. If sure, the
// hellos for it were cut, or got an alert about a fault, again and again while
// others were answered.
func settleVersion(v Version, log []outcome, sure bool) Answer {
	var a Answer
	var lower, higher, loss, alert, other outcome
	var plainAlert, definite, plainAnswered bool
	var declined, weakOnly int // bits for the parts of the rare suites, and of those that are not weak
	for i := range log {
		o := &log[i]
		// A lower hello may be answered only with what it offers, so a
		// ServerHello for v counts whichever hello it came to.
		if o.kind == chosen && o.answer.version == v && (o.hello.version == v || o.hello.version > v && o.hello.answersBelow()) {
			if a.Support != Accepted || o.hello.version == v && a.Suite.Weak() && o.shape == plain {
				a.Support, a.Reason = Accepted, Chosen
				a.Suite, a.Retry, a.Group = o.suite, o.retry, o.group
			}
		}
		if o.hello.version != v {
			continue
		}
		plainAnswered = plainAnswered || o.shape != short && o.answered()
		switch {
		case o.shape == strong:
			switch {
			case o.kind == chosen && o.answer.version == v:
				a.Strong = Accepted
			case o.answered():
				weakOnly |= 1 << o.part
			}
		case o.kind == chosen && o.answer.version < v && o.hello.answersBelow():
			lower = *o
		case o.kind == chosen && o.answer.version != v:
			higher = *o
		case o.kind == alerted:
			if o.alert == alertProtocolVersion {
				definite, alert = true, *o
			} else if !definite && (alert.kind == nothing || o.shape == plain || alert.alert == alertUnrecognizedName) {
				alert = *o
			}
			if o.shape == rare {
				declined |= 1 << o.part
			} else {
				plainAlert = true
			}
		case o.kind == nothing:
			a.Lost++
			loss = *o
		case o.kind != chosen:
			other = *o
		}
		if o.kind == chosen && o.sentinel > v {
			a.Sentinel = max(a.Sentinel, o.sentinel)
		} else if o.kind == chosen && o.sentinel == v && o.answer.version < v {
			a.Sentinel = o.sentinel
		}
	}
	if a.Support == Accepted {
		if plainAlert { // to all the common ones
			weakOnly |= 1
		}
		if a.Suite.Weak() && a.Strong == Unknown && weakOnly == 1<<(1+len(rareParts(v, strong)))-1 {
			a.Strong = Refused
		}
		a.Short = !plainAnswered && slices.ContainsFunc(log, func(o outcome) bool {
			return o.hello.version == v && o.shape == short && o.kind == chosen && o.answer.version == v
		})
		return a
	}
	switch {
	case lower.kind == chosen:
		a.Support, a.Reason, a.Negotiated = Refused, ChoseLower, lower.answer.version
	case definite, alert.kind == alerted && suitesAlert(alert.alert) && plainAlert && declined == 1<<len(rareParts(v, rare))-1 &&
		(sure || alert.alert != alertInternalError):
		a.Support, a.Reason, a.Alert = Refused, SentAlert, new(alert.alert)
	case sure && loss.loss != notLost:
		a.Support, a.Reason = Refused, reasonOf(loss)
	case higher.kind == chosen:
		a.Reason, a.Negotiated = ChoseHigher, higher.answer.version
	case alert.kind == alerted:
		a.Reason, a.Alert = SentAlert, new(alert.alert)
	case other.kind != nothing:
		a.Reason = OtherProtocol
	case loss.loss != notLost:
		a.Reason = reasonOf(loss)
	}
	return a
}

// suitesAlert tells whether a is what servers send that do not want a version,
// if no suite is missing from the hello. GnuTLS and JSSE send 40; OpenSSL 3
// sends 80 for TLS 1.0 and 1.1 where its security level allows no signature of
// theirs, which is so by default.
func suitesAlert(a Alert) bool {
	return a == alertHandshakeFailure || a == alertInsufficient || a == alertInternalError
}

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
	case o.loss == lostProxy, o.loss == lostStartTLS:
		return NoTLSYet
	}
	return NotConnected
}

// classify finds the class of r from the log and r.Versions.
func (e *endpoint) classify(r *Result) {
	var count [lostCanceled + 1]int
	var foreignBytes, broken, alerts, names, truncated outcome
	for _, o := range e.log {
		switch o.kind {
		case alerted:
			alerts = o
			if o.alert == alertUnrecognizedName || o.alert == alertMissingExtension {
				names = o
			}
		case foreign:
			foreignBytes = o
		case malformed:
			broken = o
		case nothing:
			count[o.loss]++
			if o.partial {
				truncated = o
			}
		}
	}
	detail := func(l loss) string {
		for _, o := range e.log {
			if o.kind == nothing && o.loss == l {
				return o.detail
			}
		}
		return ""
	}
	for _, v := range fiveVersions {
		// Hung up on v, though something lower is there: not a way to decline.
		a := r.Versions[v]
		if a.Support == Refused && (a.Reason == HungUp || a.Reason == WasReset) && v > r.Highest() && r.Highest() != 0 {
			r.IntolerantOf = v
		}
	}
	short, unheard := false, false
	for _, a := range r.Versions {
		short = short || a.Short
		unheard = unheard || a.Asked > 0 && a.Asked == a.Lost
	}
	r.ClientCertificate = e.shook != nil && e.shook.asked
	for _, o := range e.log {
		r.ClientCertificate = r.ClientCertificate || o.asksCert
	}

	switch {
	case r.Highest() != 0 && r.IntolerantOf != 0:
		r.Class = Intolerant
	case r.Highest() != 0 && e.flaky:
		r.Class = RateLimited
	case r.Highest() != 0 && short:
		r.Class = ShortHelloOnly
	case r.Highest() != 0 && r.ClientCertificate:
		r.Class = ClientCertificateAsked
	case r.Highest() != 0:
		r.Class = TLS
	case foreignBytes.kind == foreign:
		r.Class, r.Protocol = NotTLS, foreignBytes.protocol
		if slices.Contains(Protocols(), Protocol(r.Protocol)) && e.startTLS == "" {
			r.Class = NeedsStartTLS
		}
	case names.kind == alerted: // whatever it says to the versions that it does not want anyhow
		r.Class, r.Detail = SNINeeded, "alert "+names.alert.String()
	case alerts.kind == alerted && !unheard:
		r.Class, r.Detail = Declined, "alert "+alerts.alert.String()
	case broken.kind == malformed:
		r.Class, r.Protocol = NotTLS, "unknown"
	case truncated.partial:
		r.Class, r.Detail = Closed, "the answer ends in the middle"
		if truncated.loss == lostSilent {
			r.Class = Silent
		}
	case count[lostStartTLS] > 0:
		r.Class, r.Detail = StartTLSRefused, detail(lostStartTLS)
	case count[lostProxy] > 0:
		r.Class, r.Detail = ProxyRefused, detail(lostProxy)
	case count[lostReset] > 0 && count[lostReset] >= count[lostClosed]:
		r.Class = Reset
	case count[lostClosed] > 0:
		r.Class, r.Detail = Closed, detail(lostClosed)
	case count[lostRefused] > 0:
		r.Class = ConnectionRefused
	case count[lostSilent] > 0:
		r.Class = Silent
	case count[lostUnreachable] > 0:
		r.Class, r.Detail = Unreachable, detail(lostUnreachable)
	}
	if alerts.kind == alerted && r.Detail == "" && r.Highest() == 0 {
		r.Detail = "some hellos are answered, with the alert " + alerts.alert.String()
	}
}
