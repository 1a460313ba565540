package authinspect

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Inspector holds the settings of inspections. The zero value is ready to
// use, and one Inspector may serve many goroutines.
type Inspector struct {
	// Mailbox is the address that the third request names, so that Exchange
	// applies the policy of this mailbox. If empty, there is no third request.
	// It is sent over trusted TLS only.
	Mailbox string

	// Dial opens connections. If nil, a zero net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Roots are the authorities that certificates must lead to. If nil, those
	// of the system. A chain that does not is told in the result, and the
	// inspection goes on without naming the mailbox.
	Roots *x509.CertPool

	// Allow is asked before every request; an error means that the URL must
	// not be asked. If nil, every URL may be.
	Allow func(*url.URL) error

	// Proxy returns the proxy for a request, as in http.Transport. If nil,
	// there is none; the environment is not consulted. Mail servers are not
	// asked through it: there Dial decides.
	Proxy func(*http.Request) (*url.URL, error)

	// Timeout bounds one request with its answer. If zero, 30 seconds do:
	// Exchange takes its time, up to 17 seconds before some refusals.
	Timeout time.Duration

	// Concurrency bounds the requests of one inspection, or one organization,
	// that run at a time. If zero, 64.
	Concurrency int

	// SkipNTLM leaves the request with the first NTLM message out.
	SkipNTLM bool

	// Login and Outlook are the hosts of the sign-in service and of Exchange
	// Online, which InspectOrganization asks about a domain. If empty,
	// login.microsoftonline.com and outlook.office365.com.
	Login, Outlook string

	// Hosts are the hosts, each with a port or without, that
	// InspectOrganization asks for a domain, that of Exchange first. If nil,
	// mail and autodiscover in the domain, and the domain itself.
	Hosts []string

	// Paths are the paths that InspectOrganization asks at each host. If nil,
	// it asks the usual ones, and whatever else it describes; otherwise
	// nothing but these.
	Paths []string

	// Resolver answers the questions to DNS. If nil, net.DefaultResolver does,
	// or nobody where Dial is set: who replaces one replaces both.
	Resolver Resolver

	// Progress is called when InspectOrganization is through with an endpoint
	// that answered, one call at a time. If nil, nobody is told.
	Progress func(*Result)

	// Now tells the time at which certificates are judged and answers arrive.
	// If nil, time.Now does.
	Now func() time.Time
}

// ErrBadTarget reports a target that cannot be asked: not an http or https
// URL, or one with a user name or password in it.
var ErrBadTarget = errors.New("authinspect: bad target")

// ErrNotAllowed reports that the Allow function of the caller refused a URL.
var ErrNotAllowed = errors.New("authinspect: not allowed")

// An UnreachableError reports that no request to Target was answered. Asking
// again may help.
type UnreachableError struct {
	Target string
	Err    error // of the first request
}

// Error tells the target and the reason.
func (e *UnreachableError) Error() string {
	return "authinspect: " + e.Target + " gave no answer: " + e.Err.Error()
}

// Unwrap returns the error of the first request.
func (e *UnreachableError) Unwrap() error { return e.Err }

func (in *Inspector) concurrency() int {
	if in.Concurrency > 0 {
		return in.Concurrency
	}
	return 64
}

func (in *Inspector) now() time.Time {
	if in.Now != nil {
		return in.Now()
	}
	return time.Now()
}

func (in *Inspector) timeout() time.Duration {
	if in.Timeout > 0 {
		return in.Timeout
	}
	return 30 * time.Second
}

// quoteTarget makes a bad target fit to be shown. What stands before an "@"
// may be a password.
func quoteTarget(target string) string {
	if i := strings.LastIndexByte(target, '@'); i >= 0 {
		target = "…" + target[i:]
	}
	return shorten(strconv.Quote(target))
}
