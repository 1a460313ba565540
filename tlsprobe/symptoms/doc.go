// Package symptoms says what an error text about a connection means: which
// causes it can have, the likeliest first, what to check next and what to do.
//
//	d := symptoms.Diagnose("The request was aborted: Could not create SSL/TLS secure channel.")
//	for _, c := range d.Causes {
//		fmt.Println(c.ID, c.Confidence, c.Check)
//	}
//
// The text may be what somebody pasted: wrapped by a console or a mail, cut
// off at either end, HTML, lines of a log, several errors at once, in the
// language of the Windows that wrote it. Numbers count more than sentences,
// because they are not translated: HRESULT and SEC_E codes, event numbers,
// numbers of TLS alerts, codes of Entra ID.
//
// One sentence has many causes. "Could not create SSL/TLS secure channel" is a
// client without TLS 1.2 on one machine, and a server without a common cipher
// suite on the next. So a text alone seldom settles a cause, and Confidence
// says how far it does: the numbers are judgement from reports, not
// statistics. [Evidence] settles it: what the client offers, and what a probe
// of the server showed. A cause need not be in TLS at all: a retired host, a
// gallery that is out of order, a module that no longer exists.
//
// Nothing here sends a packet.
package symptoms

// AsOf is the day on which the catalogue was last compared with its sources.
const AsOf = "2026-11-25"
