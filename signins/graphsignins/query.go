package graphsignins

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Version is one of Microsoft Graph.
type Version uint8

const (
	// Beta shows all kinds of sign-ins with all that verdicts need. Microsoft
	// may change it without notice.
	Beta Version = iota

	// V1 shows interactive sign-ins of users only, without user agents,
	// authentication protocols and methods: much of what uses legacy
	// authentication is invisible in it.
	V1
)

// String returns "beta" or "v1.0".
func (v Version) String() string {
	if v == V1 {
		return "v1.0"
	}
	return "beta"
}

// Events is a set of kinds of sign-ins. The zero value stands for all that the
// version shows.
type Events uint8

const (
	Interactive Events = 1 << iota
	NonInteractive
	ServicePrincipals
	ManagedIdentities
)

var eventTypes = []struct {
	bit  Events
	name string
}{
	{Interactive, "interactiveUser"}, {NonInteractive, "nonInteractiveUser"},
	{ServicePrincipals, "servicePrincipal"}, {ManagedIdentities, "managedIdentity"},
}

const allEvents = Interactive | NonInteractive | ServicePrincipals | ManagedIdentities

// A Filter narrows down which sign-ins are asked for. The zero value does not.
// Texts are compared as a whole.
type Filter struct {
	ClientApps        []string // any of these clientAppUsed, such as "Authenticated SMTP"
	UserPrincipalName string   // in lower case, as the log has it
	UserID            string   // object id
	AppID             string
	ErrorCodes        []int32 // any of these status/errorCode; 0 is success
}

// A query is what a Source asks for besides the time.
type query struct {
	version  Version
	events   Events
	filter   Filter
	pageSize int
}

func newQuery(o *Options) (*query, error) {
	q := &query{version: o.Version, events: o.Events, filter: o.Filter, pageSize: o.PageSize}
	if q.pageSize == 0 {
		q.pageSize = 1000
	}
	switch {
	case q.version > V1:
		return nil, errors.New("graphsignins: no such version of Microsoft Graph")
	case q.events&^allEvents != 0:
		return nil, errors.New("graphsignins: no such kind of sign-ins")
	case q.version == V1 && q.events&^Interactive != 0:
		return nil, errors.New("graphsignins: v1.0 of Microsoft Graph shows interactive sign-ins only")
	case q.pageSize < 1 || q.pageSize > 1000:
		return nil, fmt.Errorf("graphsignins: a page size of %d is not between 1 and 1000", q.pageSize)
	}
	if q.events == 0 && q.version == Beta {
		q.events = allEvents
	}
	return q, nil
}

// terms returns the parts of the filter that are the same in every request.
func (q *query) terms() []string {
	var terms []string
	if q.version == Beta {
		var kinds []string
		for _, t := range eventTypes {
			if q.events&t.bit != 0 {
				kinds = append(kinds, "t eq "+quote(t.name))
			}
		}
		terms = append(terms, "signInEventTypes/any(t: "+strings.Join(kinds, " or ")+")")
	}
	anyOf := func(property string, values []string) {
		for i := range values {
			values[i] = property + " eq " + values[i]
		}
		switch len(values) {
		case 0:
		case 1:
			terms = append(terms, values[0])
		default:
			terms = append(terms, "("+strings.Join(values, " or ")+")")
		}
	}
	var apps, codes []string
	for _, app := range q.filter.ClientApps {
		apps = append(apps, quote(app))
	}
	for _, code := range q.filter.ErrorCodes {
		codes = append(codes, strconv.Itoa(int(code)))
	}
	anyOf("clientAppUsed", apps)
	anyOf("status/errorCode", codes)
	for _, one := range []struct{ property, value string }{
		{"userPrincipalName", q.filter.UserPrincipalName}, {"userId", q.filter.UserID}, {"appId", q.filter.AppID},
	} {
		if one.value != "" {
			anyOf(one.property, []string{quote(one.value)})
		}
	}
	return terms
}

// quote makes a text of OData.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// path returns the path of the collection.
func (q *query) path() string { return "/" + q.version.String() + "/auditLogs/signIns" }

// address returns the request for the first page of a slice, which begins with
// its oldest or newest records. It asks for
// a second more on both sides with the comparisons that are documented, ge and
// le, so that a service that rounds loses nothing; what is outside is dropped.
func (q *query) address(s Slice, newest bool) string {
	order := "createdDateTime asc"
	if newest {
		order = "createdDateTime desc"
	}
	terms := append([]string{
		"createdDateTime ge " + s.Start.Add(-time.Second).UTC().Format(time.RFC3339),
		"createdDateTime le " + s.End.Add(time.Second).UTC().Format(time.RFC3339),
	}, q.terms()...)
	return q.path() + "?$filter=" + escape(strings.Join(terms, " and ")) + "&$orderby=" + escape(order) + "&$top=" + strconv.Itoa(q.pageSize)
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// identity names what is asked for: two Sources with the same one may share a
// checkpoint.
func (q *query) identity() string { return q.path() + "?" + strings.Join(q.terms(), " and ") }

// A Slice is the time from Start to End, without End. Both are in UTC and whole
// seconds.
type Slice struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// String returns a text such as "2026-11-18T00:00:00Z to 2026-11-18T01:00:00Z".
func (s Slice) String() string {
	return s.Start.UTC().Format(time.RFC3339) + " to " + s.End.UTC().Format(time.RFC3339)
}

// Contains reports whether t is in s.
func (s Slice) Contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }
