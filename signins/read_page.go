package signins

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A Page is one page of Microsoft Graph's collection of sign-ins.
type Page struct {
	SignIns []SignIn

	// NextLink is the page's @odata.nextLink: the address of the next page.
	// It is "" on the last one. A page may be short or empty, and have one.
	NextLink string

	// Errors holds one error for each record that is not in SignIns.
	Errors []*RecordError
}

// ErrNotPage reports that an answer is no page of sign-ins, or not all of one.
// It never means that there are no more: ask again for the same page.
var ErrNotPage = errors.New("not a whole page of sign-ins")

// A GraphError is what Microsoft Graph answered in place of a page.
type GraphError struct {
	Code    string // such as "UnknownError"
	Message string
}

func (e *GraphError) Error() string {
	return fmt.Sprintf("signins: Microsoft Graph: %.100q: %.300q", e.Code, e.Message)
}

// maxPage bounds the records of a page. Graph gives 1,000 at most.
const maxPage = 100_000

// ReadPage reads a page with the settings of the zero [Reader].
func ReadPage(src io.Reader) (*Page, error) { return new(Reader).ReadPage(src) }

// ReadPage reads all of src, the body of an answer of Microsoft Graph to a
// request for auditLogs/signIns. Besides the errors of src, it returns a
// [GraphError] if the answer is one, and an error that wraps [ErrNotPage] if it
// is empty, not JSON, cut off, or has no list of records. It never returns part
// of a page: a missing end would read like the end of the log.
//
// [Reader.Read] reads pages as well, and does not care whether they are whole
// or what follows them. Whoever asks Graph for one page after the other needs
// to know.
func (r *Reader) ReadPage(src io.Reader) (*Page, error) {
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	p.format, p.known, p.columns = UnknownFormat, 0, nil

	page := new(Page)
	var last error
	s := newStream(r, p, func(signIn SignIn, err error) bool {
		var e *RecordError
		switch {
		case err == nil:
			page.SignIns = append(page.SignIns, signIn)
		case errors.As(err, &e):
			page.Errors = append(page.Errors, e)
		default:
			last = err
		}
		return len(page.SignIns)+len(page.Errors) < maxPage
	})
	s.src, s.page = src, new(pageOf)
	s.maxErrors = maxPage
	s.ahead(60)
	s.page.start = string(s.buf[s.pos:min(s.end, s.pos+60)])
	isObject := s.startsJSON() && s.buf[s.pos] == '{'
	whole := false
	if isObject {
		whole = s.container(s.multiline(), false)
		s.space()
	}
	switch {
	case s.err != nil:
		return nil, fmt.Errorf("signins: %w", s.err)
	case last != nil:
		return nil, last
	case s.page.failed != nil:
		return nil, s.page.failed
	case !whole || !s.page.hasValue:
		return nil, fmt.Errorf("signins: %w: it begins with %.60q", ErrNotPage, s.page.start)
	case s.pos < s.end:
		return nil, fmt.Errorf("signins: %w: something follows it", ErrNotPage)
	}
	page.NextLink = s.page.next
	return page, nil
}

// pageOf is what the object around a page's records says.
type pageOf struct {
	start    string // first bytes
	next     string
	hasValue bool
	failed   error
}

// member takes raw as the value of a member of the page.
func (p *pageOf) member(key string, raw []byte) {
	switch key {
	case "@odata.nextLink":
		// The last page has no such member; null and "" are a known fault of
		// the service, and not the end.
		var next *string
		switch err := json.Unmarshal(raw, &next); {
		case err != nil:
			p.failed = fmt.Errorf("signins: %w: its @odata.nextLink is no text", ErrNotPage)
		case next == nil || *next == "":
			p.failed = fmt.Errorf("signins: %w: its @odata.nextLink is null or empty", ErrNotPage)
		default:
			p.next = *next
		}
	case "error":
		failed := new(GraphError)
		if json.Unmarshal(raw, failed) == nil {
			p.failed = failed
		}
	}
}
