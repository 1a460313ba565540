package authinspect

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Diagnostic is one field in which a server says why it refuses:
// x-ms-diagnostics, why Exchange did not take a token or an empty one, or
// X-AutoDiscovery-Error, which has a Reason alone.
type Diagnostic struct {
	Step     Step   `json:"step"`
	Code     int    `json:"code,omitempty"` // of x-ms-diagnostics
	Reason   string `json:"reason,omitempty"`
	Category string `json:"category,omitempty"`
	Meaning  string `json:"meaning,omitempty"` // in plain words; "" for one that is not known
	Remedy   string `json:"remedy,omitempty"`  // what to do; "" if nothing, or not known
}

const (
	diagnosticAudience     = 2000003
	diagnosticNotAvailable = 4000000
)

// String returns the diagnostic in the form of its field.
func (d Diagnostic) String() string {
	if d.Code == 0 && d.Category == "" {
		return d.Reason
	}
	return fmt.Sprintf("%d;reason=%q;error_category=%q", d.Code, d.Reason, d.Category)
}

var diagnosticField = regexp.MustCompile(`(?is)^\s*(\d{1,9})\s*(?:;|$)(?:.*?\breason\s*=\s*"((?:[^"\\]|\\.)*)")?(?:.*?\berror_category\s*=\s*"([^"]*)")?`)

// ParseDiagnostic reads an x-ms-diagnostics field, as in
// 2000003;reason="…";error_category="invalid_resource", and explains it. It
// returns false if the field does not begin with a number.
func ParseDiagnostic(field string) (Diagnostic, bool) {
	m := diagnosticField.FindStringSubmatch(field)
	if m == nil {
		return Diagnostic{}, false
	}
	code, err := strconv.Atoi(m[1])
	if err != nil {
		return Diagnostic{}, false
	}
	d := Diagnostic{Code: code, Reason: shorten(m[2]), Category: shorten(m[3])}
	if why, ok := ExplainResponse(HTTP, "x-ms-diagnostics: "+field); ok {
		d.Meaning, d.Remedy = why.Cause, why.Remedy
	}
	return d, true
}
