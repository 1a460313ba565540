package signinstest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
)

// A Fault is something that Microsoft Graph does now and then in place of a
// good answer, or to it.
type Fault uint8

const (
	NoFault          Fault = iota
	Throttled              // 429 with Retry-After
	ThrottledMutely        // 429 without
	Unavailable            // 503
	GatewayTimeout         // 504
	InternalError          // 500
	Unauthorized           // 401
	UnauthorizedText       // 401 with a body of text/plain
	EmptyBody              // 200 with no body
	TextPage               // 200 with a page of HTML
	ErrorIn200             // 200 with an error in place of a page
	Truncated              // a body that ends too early
	Reset                  // a connection that breaks in the middle of a body
	SlowDrip               // a body that comes in small parts
	EmptyPage              // no rows, and a next link
	ShortPage              // fewer rows than asked for, and a next link
	Duplicates             // rows of the page, and of the one before, twice
	OutOfOrder             // rows in no order, some on the wrong page
	NullToken              // the skip token is called null, for once
	ExpiredToken           // the skip token is no longer good
	RepeatedLink           // the next link is the one that was just followed
	EmptyTokenLink         // the next link has an empty skip token
	NullLink               // the next link is null
	EarlyEnd               // rows are missing at the end, and no next link
	faults
)

var faultNames = [...]string{"none", "throttled", "throttled-mutely", "unavailable", "gateway-timeout", "internal-error", "unauthorized",
	"unauthorized-text", "empty-body", "text-page", "error-in-200", "truncated", "reset", "slow-drip", "empty-page", "short-page", "duplicates",
	"out-of-order", "null-token", "expired-token", "repeated-link", "empty-token-link", "null-link", "early-end"}

// String returns a name such as "gateway-timeout".
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return fmt.Sprintf("fault-%d", uint8(f))
}

// Faults returns every fault there is.
func Faults() []Fault {
	all := make([]Fault, 0, faults-1)
	for f := NoFault + 1; f < faults; f++ {
		all = append(all, f)
	}
	return all
}

// Schedule returns a function for [Graph.Fault] that lets a fault of kinds, or
// of all kinds if there are none given, befall each request with a chance of
// rate. The same arguments give the same schedule.
func Schedule(seed uint64, rate float64, kinds ...Fault) func(n int) Fault {
	if len(kinds) == 0 {
		kinds = Faults()
	}
	return func(n int) Fault {
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		if rng.Float64() >= rate {
			return NoFault
		}
		return kinds[rng.IntN(len(kinds))]
	}
}

// early are the faults that need no look at the request.
var early = map[Fault]func(w http.ResponseWriter){
	Throttled: func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "10")
		refuse(w, 429, "TooManyRequests", "Too many requests")
	},
	ThrottledMutely: func(w http.ResponseWriter) { refuse(w, 429, "TooManyRequests", "Too many requests") },
	Unavailable:     func(w http.ResponseWriter) { refuse(w, 503, "ServiceUnavailable", "The service is unavailable.") },
	GatewayTimeout:  func(w http.ResponseWriter) { refuse(w, 504, "GatewayTimeout", "The request timed out.") },
	InternalError:   func(w http.ResponseWriter) { refuse(w, 500, "UnknownError", "") },
	Unauthorized: func(w http.ResponseWriter) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
		refuse(w, 401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
	},
	UnauthorizedText: func(w http.ResponseWriter) { text(w, 401, "text/plain", "Unauthorized") },
	EmptyBody:        func(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/json"); w.WriteHeader(200) },
	TextPage: func(w http.ResponseWriter) {
		text(w, 200, "text/html", "<!DOCTYPE html><title>Service under maintenance</title>")
	},
	ErrorIn200: func(w http.ResponseWriter) {
		text(w, 200, "application/json", `{"error":{"code":"UnknownError","message":""}}`)
	},
}

func text(w http.ResponseWriter, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
