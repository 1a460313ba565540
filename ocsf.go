package crossprem

import (
	"encoding/json"
	"io"
	"time"
)

// The version of the Open Cybersecurity Schema Framework that is written. Its
// attributes are those of the class Compliance Finding (class_uid 2003) and of
// the objects below it (schema.ocsf.io/1.3.0).
const ocsfVersion = "1.3.0"

type (
	ocsfFinding struct {
		ActivityID   int              `json:"activity_id"`
		ActivityName string           `json:"activity_name"`
		CategoryName string           `json:"category_name"`
		CategoryUID  int              `json:"category_uid"`
		ClassName    string           `json:"class_name"`
		ClassUID     int              `json:"class_uid"`
		TypeName     string           `json:"type_name"`
		TypeUID      int              `json:"type_uid"`
		Time         int64            `json:"time"` // milliseconds since 1970
		Severity     string           `json:"severity"`
		SeverityID   int              `json:"severity_id"`
		Status       string           `json:"status"`
		StatusID     int              `json:"status_id"`
		Message      string           `json:"message"`
		Metadata     ocsfMetadata     `json:"metadata"`
		FindingInfo  ocsfInfo         `json:"finding_info"`
		Compliance   ocsfCompliance   `json:"compliance"`
		Resources    []ocsfResource   `json:"resources"`
		Remediation  *ocsfRemediation `json:"remediation,omitempty"`
		Unmapped     map[string]any   `json:"unmapped,omitempty"`
	}
	ocsfMetadata struct {
		Version string      `json:"version"`
		Product ocsfProduct `json:"product"`
	}
	ocsfProduct struct {
		Name       string `json:"name"`
		VendorName string `json:"vendor_name"`
	}
	ocsfInfo struct {
		UID         string   `json:"uid"`
		Title       string   `json:"title"`
		Desc        string   `json:"desc,omitempty"`
		CreatedTime int64    `json:"created_time"`
		Types       []string `json:"types"`
	}
	ocsfCompliance struct {
		Control      string   `json:"control"`
		Standards    []string `json:"standards"`
		Status       string   `json:"status"`
		StatusID     int      `json:"status_id"`
		StatusDetail string   `json:"status_detail,omitempty"`
	}
	ocsfResource struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
		Type string `json:"type,omitempty"`
	}
	ocsfRemediation struct {
		Desc       string   `json:"desc"`
		References []string `json:"references,omitempty"`
	}
)

// WriteOCSF writes each finding as one line of JSON: an event of the class
// Compliance Finding (class_uid 2003) of the Open Cybersecurity Schema
// Framework 1.3. At is the time of the events.
//
// The key of a finding is finding_info.uid, its rule compliance.control, its
// sources compliance.standards. A finding that failed has compliance status
// Fail, one that passed Pass, and one that is unknown Unknown, each with the
// severity Informational unless it failed: then Critical, Medium or Low stand
// for critical, warning and info. Due and the values are in unmapped.
//
// It returns the error of w, and one for a finding with an invalid status or
// severity.
func WriteOCSF(w io.Writer, findings []Finding, at time.Time) error {
	enc := json.NewEncoder(w)
	for _, f := range findings {
		if _, err := f.Status.MarshalText(); err != nil {
			return err
		}
		if _, err := f.Severity.MarshalText(); err != nil {
			return err
		}
		if err := enc.Encode(ocsfOf(f, at)); err != nil {
			return err
		}
	}
	return nil
}

func ocsfOf(f Finding, at time.Time) ocsfFinding {
	event := ocsfFinding{
		ActivityID: 1, ActivityName: "Create", CategoryName: "Findings", CategoryUID: 2,
		ClassName: "Compliance Finding", ClassUID: 2003, TypeName: "Compliance Finding: Create", TypeUID: 200301,
		Time: at.UnixMilli(), Severity: "Informational", SeverityID: 1, Status: "New", StatusID: 1, Message: sentence(f),
		Metadata:    ocsfMetadata{Version: ocsfVersion, Product: ocsfProduct{Name: "crossprem", VendorName: "crossprem"}},
		FindingInfo: ocsfInfo{UID: f.Key(), Title: f.Title, Desc: f.Detail, CreatedTime: at.UnixMilli(), Types: []string{f.Rule}},
		Compliance:  ocsfCompliance{Control: f.Rule, Standards: append([]string{}, f.Sources...), Status: "Unknown", StatusDetail: f.Detail},
		Resources:   []ocsfResource{{Name: qualified(f), UID: f.Subject}},
	}
	switch f.Status {
	case Passed:
		event.Compliance.Status, event.Compliance.StatusID = "Pass", 1
	case Failed:
		event.Compliance.Status, event.Compliance.StatusID = "Fail", 3
		switch f.Severity {
		case Info:
			event.Severity, event.SeverityID = "Low", 2
		case Warning:
			event.Severity, event.SeverityID = "Medium", 3
		case Critical:
			event.Severity, event.SeverityID = "Critical", 5
		}
	}
	if f.Remedy != "" {
		event.Remediation = &ocsfRemediation{Desc: f.Remedy}
	}
	extra := make(map[string]any)
	if !f.Due.IsZero() {
		extra["due"] = f.Due.UTC().Format(time.DateOnly)
	}
	for _, v := range f.Values {
		extra[v.Name] = v.Text
	}
	if len(extra) > 0 {
		event.Unmapped = extra
	}
	return event
}
