package connectversion

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/crossprem/crossprem"
)

// A jsonDay is a day as "2026-11-22"; zero is null.
type jsonDay time.Time

func (d jsonDay) MarshalJSON() ([]byte, error) {
	if time.Time(d).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(time.Time(d).Format(time.DateOnly))
}

func (d *jsonDay) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	if text == nil {
		*d = jsonDay{}
		return nil
	}
	t, err := time.Parse(time.DateOnly, *text)
	if err != nil {
		return fmt.Errorf("connectversion: %.40q is no day such as 2026-11-22", *text)
	}
	*d = jsonDay(t)
	return nil
}

// A jsonVersion is a version as text; zero is null.
type jsonVersion Version

func (v jsonVersion) MarshalJSON() ([]byte, error) {
	if Version(v).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(Version(v))
}

func (v *jsonVersion) UnmarshalJSON(b []byte) error {
	*v = jsonVersion{}
	if string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, (*Version)(v))
}

type jsonAssessment struct {
	Product              Product             `json:"product"`
	Version              Version             `json:"version"`
	At                   string              `json:"at"`
	AsOf                 jsonDay             `json:"asOf"`
	Support              Support             `json:"support"`
	SupportUntil         jsonDay             `json:"supportUntil"`
	Basis                string              `json:"basis,omitempty"`
	Printed              jsonDay             `json:"printed,omitzero"`
	Computed             jsonDay             `json:"computed,omitzero"`
	Latest               jsonVersion         `json:"latest"`
	Stopped              []string            `json:"stopped"`
	Upcoming             []Upcoming          `json:"upcoming"`
	MissingSecurityFixes []Version           `json:"missingSecurityFixes"`
	Findings             []crossprem.Finding `json:"findings"`
	Axes                 map[string]Axis     `json:"axes"`
}

// IsZero reports whether there is no day.
func (d jsonDay) IsZero() bool { return time.Time(d).IsZero() }

// MarshalJSON writes
//
//	{"product","version","at","asOf","support","supportUntil","basis","printed","computed","latest",
//	 "stopped":[rule],"upcoming":[{"rule","date"}],"missingSecurityFixes":[version],
//	 "findings":[…],"axes":{rule:axis}}
//
// with days as "2026-11-22", and null for an unknown supportUntil, asOf and
// latest; basis, printed and computed are left out if they are not known.
func (a Assessment) MarshalJSON() ([]byte, error) {
	out := jsonAssessment{a.Product, a.Version, a.At.Format(time.DateOnly), jsonDay(a.AsOf), a.Support, jsonDay(a.SupportUntil), a.Basis,
		jsonDay(a.Printed), jsonDay(a.Computed), jsonVersion(a.Latest),
		append([]string{}, a.Stopped...), append([]Upcoming{}, a.Upcoming...),
		append([]Version{}, a.MissingSecurityFixes...), append([]crossprem.Finding{}, a.Findings...), a.Axes}
	if out.Axes == nil {
		out.Axes = map[string]Axis{}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. Lists without elements become nil.
func (a *Assessment) UnmarshalJSON(b []byte) error {
	var in jsonAssessment
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	at, err := time.Parse(time.DateOnly, in.At)
	if err != nil {
		return fmt.Errorf("connectversion: an assessment is for %.40q, which is no day such as 2026-11-22", in.At)
	}
	*a = Assessment{in.Product, in.Version, at, time.Time(in.AsOf), in.Support, time.Time(in.SupportUntil), in.Basis,
		time.Time(in.Printed), time.Time(in.Computed), Version(in.Latest),
		orNil(in.Stopped), orNil(in.Upcoming), orNil(in.MissingSecurityFixes), orNil(in.Findings), in.Axes}
	if len(a.Axes) == 0 {
		a.Axes = nil
	}
	return nil
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

type jsonUpcoming struct {
	Rule string  `json:"rule"`
	Date jsonDay `json:"date"`
}

// MarshalJSON writes {"rule","date"}.
func (u Upcoming) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonUpcoming{u.Rule, jsonDay(u.Date)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (u *Upcoming) UnmarshalJSON(b []byte) error {
	var in jsonUpcoming
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*u = Upcoming{in.Rule, time.Time(in.Date)}
	return nil
}

type jsonStep struct {
	From    jsonDay     `json:"from"`
	Until   jsonDay     `json:"until"`
	Version jsonVersion `json:"version"`
	Why     []string    `json:"why"`
}

// MarshalJSON writes {"from","until","version","why":[rule]}, with a null
// version where no release would do.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonStep{jsonDay(s.From), jsonDay(s.Until), jsonVersion(s.Version), append([]string{}, s.Why...)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Step) UnmarshalJSON(b []byte) error {
	var in jsonStep
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*s = Step{time.Time(in.From), time.Time(in.Until), Version(in.Version), orNil(in.Why)}
	return nil
}

type jsonDeadline struct {
	Rule string  `json:"rule"`
	Date jsonDay `json:"date"`
	What string  `json:"what"`
}

// MarshalJSON writes {"rule","date","what"}.
func (d Deadline) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonDeadline{d.Rule, jsonDay(d.Date), d.What})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Deadline) UnmarshalJSON(b []byte) error {
	var in jsonDeadline
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*d = Deadline{in.Rule, time.Time(in.Date), in.What}
	return nil
}

type jsonPlan struct {
	At         jsonDay          `json:"at"`
	Horizon    jsonDay          `json:"horizon"`
	Steps      []Step           `json:"steps"`
	Deadlines  []Deadline       `json:"deadlines"`
	Target     jsonVersion      `json:"target"`
	Newest     jsonVersion      `json:"newest"`
	Besides    []string         `json:"besides"`
	Automation crossprem.Status `json:"automation"`
	Why        string           `json:"why"`
}

// MarshalJSON writes {"at","horizon","steps":[…],"deadlines":[…],"target",
// "newest","besides":[…],"automation","why"}, with null for a version that
// there is none.
func (p UpgradePlan) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonPlan{jsonDay(p.At), jsonDay(p.Horizon), append([]Step{}, p.Steps...), append([]Deadline{}, p.Deadlines...),
		jsonVersion(p.Target), jsonVersion(p.Newest), append([]string{}, p.Besides...), p.Automation, p.Why})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *UpgradePlan) UnmarshalJSON(b []byte) error {
	var in jsonPlan
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*p = UpgradePlan{time.Time(in.At), time.Time(in.Horizon), orNil(in.Steps), orNil(in.Deadlines),
		Version(in.Target), Version(in.Newest), orNil(in.Besides), in.Automation, in.Why}
	return nil
}
