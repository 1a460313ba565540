package tlsprobe

import "slices"

// A roll is what the log of answers holds about the endpoint as a whole,
// before it is classified.
type roll struct {
	lost      [lostCanceled + 1]int
	details   [lostCanceled + 1]string // of the first of each
	truncated *outcome
	foreign   *outcome // some other protocol
	malformed *outcome // framed like TLS, and not TLS
	alert     *outcome // the last one
	name      *outcome // an alert about the server name

	versionAlert bool // an alert 70 to a hello of TLS 1.0 or above
	faultAlert   bool // an alert 80
	retry        bool // a HelloRetryRequest
	afterRetry   *outcome
}

func (e *endpoint) callRoll() roll {
	var c roll
	for i := range e.log {
		o := &e.log[i]
		switch o.kind {
		case alerted:
			c.alert = o
			switch {
			case o.alert == alertUnrecognizedName, o.alert == alertMissingExtension:
				c.name = o
			case o.alert == alertProtocolVersion && o.hello.version > SSL30:
				c.versionAlert = true
			case o.alert == alertInternalError:
				c.faultAlert = true
			}
		case foreign:
			c.foreign = o
		case malformed:
			c.malformed = o
		case chosen:
			c.retry = c.retry || o.retry
		case nothing:
			if c.lost[o.loss]++; c.details[o.loss] == "" {
				c.details[o.loss] = o.detail
			}
			if o.partial {
				c.truncated = o
			}
		}
		if o.shape == share && o.kind != chosen {
			c.afterRetry = o
		}
	}
	return c
}

// unknownName reports whether the server speaks TLS, agrees on a version, and
// then goes no further, which is how servers answer for a name that they do
// not know: with an alert that says so, or a HelloRetryRequest and then anything
// but an alert about suites.
func (c *roll) unknownName() bool {
	switch o := c.afterRetry; {
	case c.name != nil:
		return true
	case c.retry && o != nil && (o.kind == alerted && !suitesAlert(o.alert) || o.kind == nothing && (o.loss == lostClosed || o.loss == lostReset)):
		return true
	}
	return false
}

// classify finds the class of r from the log and r.Versions.
func (e *endpoint) classify(r *Result) {
	c := e.callRoll()
	short, unheard, differ := false, false, false
	stuck := false // some versions got the alert 80, or were cut, every time
	for _, v := range fiveVersions {
		a := r.Versions[v]
		// Hung up on v, though something lower is there: not a way to decline.
		if a.Support == Refused && (a.Reason == HungUp || a.Reason == WasReset) && v > r.Highest() && r.Highest() != 0 {
			r.IntolerantOf = v
		}
		short = short || a.Short
		unheard = unheard || a.Asked > 0 && a.Asked == a.Lost
		differ = differ || a.Support == Contradictory
		stuck = stuck || v > SSL30 && a.Support == Unknown && (a.Reason == HungUp || a.Reason == WasReset || a.Alert != nil && *a.Alert == alertInternalError)
	}
	r.ClientCertificate = e.shook != nil && e.shook.asked || slices.ContainsFunc(e.log, func(o outcome) bool { return o.asksCert })
	answered := c.lost[lostNoStartTLS] < len(e.log) && slices.ContainsFunc(e.log, outcome.answered)
	r.StartTLSVaries = c.lost[lostNoStartTLS] > 0 && answered

	for _, row := range []struct {
		when   bool
		class  Class
		detail string
	}{
		{r.answered() && differ, BackendsDiffer, "the same hello was accepted one time and refused another"},
		{r.answered() && r.IntolerantOf != 0, Intolerant, ""},
		{r.answered() && e.flaky, RateLimited, ""},
		{r.answered() && short, ShortHelloOnly, ""},
		{r.answered() && r.ClientCertificate, ClientCertificateAsked, ""},
		{r.answered(), TLS, ""},
		{c.foreign != nil, NotTLS, ""},
		{slices.ContainsFunc(e.nameless, outcome.answered), SNINeeded, "hellos with the server name are cut, and one without it is answered"},
		{e.limited, RateLimited, "what was answered before is cut now"},
		{c.unknownName() || c.versionAlert && stuck, SNINeeded, c.nameDetail()},
		{c.alert != nil && !unheard, Declined, ""},
		{c.malformed != nil, NotTLS, ""},
		{c.truncated != nil && c.truncated.loss == lostSilent, Silent, "the answer ends in the middle"},
		{c.truncated != nil, Closed, "the answer ends in the middle"},
		{c.lost[lostPutOff] > 0, TemporarilyUnavailable, c.details[lostPutOff]},
		{c.lost[lostEHLO] > 0, EHLORefused, c.details[lostEHLO]},
		{c.lost[lostNoStartTLS] > 0, StartTLSRefused, c.details[lostNoStartTLS]},
		{c.lost[lostStartTLS] > 0, StartTLSRefused, c.details[lostStartTLS]},
		{c.lost[lostProxy] > 0, ProxyRefused, c.details[lostProxy]},
		{c.lost[lostReset] > 0 && c.lost[lostReset] >= c.lost[lostClosed], Reset, ""},
		{c.lost[lostClosed] > 0, Closed, c.details[lostClosed]},
		{c.lost[lostRefused] > 0, ConnectionRefused, ""},
		{c.lost[lostSilent] > 0, Silent, ""},
		{c.lost[lostUnreachable] > 0, Unreachable, c.details[lostUnreachable]},
		{true, Unclassified, ""},
	} {
		if row.when {
			r.Class, r.Detail = row.class, row.detail
			break
		}
	}
	switch {
	case r.Class == NotTLS && c.foreign != nil:
		r.Protocol = c.foreign.protocol
		if slices.Contains(Protocols(), Protocol(r.Protocol)) && e.startTLS == "" {
			r.Class = NeedsStartTLS
		}
	case r.Class == NotTLS:
		r.Protocol = "unknown"
	case r.Class == Declined:
		r.Detail = "alert " + c.alert.alert.String()
	case c.alert != nil && r.Detail == "" && !r.answered():
		r.Detail = "some hellos are answered, with the alert " + c.alert.alert.String()
	}
}

func (c *roll) nameDetail() string {
	switch {
	case c.name != nil:
		return "alert " + c.name.alert.String()
	case c.afterRetry != nil && c.afterRetry.kind == alerted:
		return "a HelloRetryRequest, and then the alert " + c.afterRetry.alert.String()
	case c.retry:
		return "a HelloRetryRequest, and then the connection was cut"
	case c.faultAlert:
		return "some versions are declined, and others get the alert " + alertInternalError.String()
	}
	return "some versions are declined, and the hellos for others are cut"
}
