package graphsignins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/graph"
	"github.com/crossprem/crossprem/signins"
)

// An Error reports that Microsoft Graph answered, and refused or failed: its
// fields Status, Code, Message, RequestID and RetryAfter tell how.
type Error = graph.Error

// A SignInError reports that the credential gave no token. Its field Err is
// the error of the credential.
type SignInError = graph.SignInError

var (
	// ErrPermission reports that a permission or a role is missing; the error
	// names it. Asking again helps once an administrator granted it.
	ErrPermission = errors.New("a permission is missing: an application needs AuditLog.Read.All, granted by an administrator; " +
		"a user needs it too, and the role Reports Reader or a higher one; some tenants ask for Directory.Read.All besides")

	// ErrLicence reports that the tenant has no licence for the sign-in log in
	// Microsoft Graph. The admin centre's download works without.
	ErrLicence = errors.New("the tenant has no licence: Microsoft Graph shows the sign-in log to tenants with Entra ID P1 or P2 only; " +
		"the download of the admin centre works in all of them")

	// ErrRetention reports that the log no longer has all that was asked for.
	// Ask for a later beginning.
	ErrRetention = errors.New("the log no longer reaches back so far")

	// ErrFilter reports that Microsoft Graph did not understand or did not
	// accept what was asked for.
	ErrFilter = errors.New("the filter was not accepted by Microsoft Graph")

	// ErrUnauthorized reports that Microsoft Graph refused one token after the
	// other, each of which was asked for anew.
	ErrUnauthorized = errors.New("the token is not accepted by Microsoft Graph, and new ones neither")

	// ErrPaging reports that next links led nowhere again and again. Asking
	// again later may help.
	ErrPaging = errors.New("the pages of a time slice cannot be read to their end")

	// ErrOtherQuery reports that a checkpoint is that of another question:
	// another tenant's address, version, filter or kind of event.
	ErrOtherQuery = errors.New("the checkpoint belongs to other settings")
)

// An IncompleteError reports that a time slice was read several times with
// different outcomes, so that nobody knows whether all of it was seen. It was
// not delivered. Asking again later may help.
type IncompleteError struct {
	Slice Slice
	Read  []int // records in each reading
	All   int   // different records in all readings together
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("graphsignins: %s: %d readings gave %v records, %d different ones; no two readings agree on all", e.Slice, len(e.Read), e.Read, e.All)
}

// Outcomes of a request that have to be told apart.
type outcome uint8

const (
	hopeless  outcome = iota // asking again is of no use
	storm                    // too much was asked for, or by too many
	transient                // asking again may help
	denied                   // the token is not accepted
	lost                     // the next link, or its token, is no good
)

// errLink reports a next link that cannot be followed.
var errLink = errors.New("the next link cannot be followed")

// judge tells the outcomes of a request apart. continues is whether a next
// link was followed.
func judge(err error, continues bool) outcome {
	var (
		answered *graph.Error
		signIn   *graph.SignInError
	)
	switch {
	case errors.As(err, &signIn):
		return hopeless
	case errors.Is(err, errLink):
		return lost
	case errors.Is(err, context.DeadlineExceeded):
		return storm
	case !errors.As(err, &answered): // the network's, or no page of sign-ins
		return transient
	}
	switch answered.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return storm
	case http.StatusUnauthorized:
		return denied
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone:
		if continues {
			return lost
		}
		return hopeless
	case http.StatusInternalServerError, http.StatusBadGateway:
		return transient
	}
	return hopeless
}

// explain says what an error means to whoever can do something about it.
func explain(err error) error {
	var answered *graph.Error
	if !errors.As(err, &answered) {
		return fmt.Errorf("graphsignins: %w", err)
	}
	code, message := strings.ToLower(answered.Code), strings.ToLower(answered.Message)
	meaning := error(nil)
	switch answered.Status {
	case http.StatusForbidden:
		meaning = ErrPermission
		// "Neither tenant is B2C or tenant doesn't have premium license".
		if strings.Contains(code, "nonpremiumtenant") || strings.Contains(message, "premium license") || strings.Contains(message, "premium licence") {
			meaning = ErrLicence
		}
	case http.StatusBadRequest:
		meaning = ErrFilter
	case http.StatusUnauthorized:
		meaning = ErrUnauthorized
	}
	if meaning == nil {
		return fmt.Errorf("graphsignins: %w", err)
	}
	return fmt.Errorf("graphsignins: %w: %w", meaning, err)
}

// retryAfter returns how long the answer asks to wait, and 0 if it does not.
func retryAfter(err error) time.Duration {
	var answered *graph.Error
	if errors.As(err, &answered) {
		return answered.RetryAfter
	}
	return 0
}

// statusOf returns the HTTP status of an error, 200 where an answer was no
// page, and 0 if there was no answer.
func statusOf(err error) int {
	var (
		answered *graph.Error
		inPage   *signins.GraphError
	)
	switch {
	case errors.As(err, &answered):
		return answered.Status
	case errors.Is(err, signins.ErrNotPage), errors.As(err, &inPage), errors.Is(err, errLink):
		return http.StatusOK
	}
	return 0
}
