package signins

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// plainSummary has the fields of a Summary and none of its methods.
type plainSummary Summary

// MarshalJSON writes all of s, lists of users that follow from the rest
// included: "legacyUsers", "legacyUsersWithSuccess", "passwordRightButStopped"
// and "activeSync". The evidence for attacks is in "evidence", unless s is
// sealed. Equal summaries have equal JSON.
func (s Summary) MarshalJSON() ([]byte, error) {
	var evidence *Evidence
	if !s.evidence.sealed {
		evidence = s.evidence.evidence()
	}
	out := struct {
		plainSummary
		LegacyUsers             []string        `json:"legacyUsers"`
		LegacyUsersWithSuccess  []string        `json:"legacyUsersWithSuccess"`
		PasswordRightButStopped []string        `json:"passwordRightButStopped"`
		ActiveSync              ActiveSyncUsers `json:"activeSync"`
		Spray                   Spray           `json:"spray,omitzero"`
		Evidence                *Evidence       `json:"evidence,omitempty"`
	}{
		plainSummary: plainSummary(s), LegacyUsers: s.LegacyUsers(), LegacyUsersWithSuccess: s.LegacyUsersWithSuccess(),
		PasswordRightButStopped: s.PasswordRightButStopped(), ActiveSync: s.ActiveSync(),
		Spray: s.evidence.settings, Evidence: evidence,
	}
	for _, list := range []*[]Tally{&out.Clients, &out.Applications, &out.Countries, &out.Networks, &out.Days, &out.Hours} {
		if *list == nil {
			*list = []Tally{}
		}
	}
	if out.Attacks == nil {
		out.Attacks = []Attack{}
	}
	for _, n := range []*Notes{&out.StaleDevices, &out.Forgot, &out.Possible} {
		if n.List == nil {
			n.List = []Note{}
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, checks it, and finds the attacks
// anew. What follows from the rest is not read. s is left as it was on error.
func (s *Summary) UnmarshalJSON(data []byte) error {
	var in struct {
		plainSummary
		Spray    Spray
		Evidence *storedEvidence
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	from := Summary(in.plainSummary)
	for name, u := range from.Users {
		if u == nil {
			return fmt.Errorf("signins: summary: user %.40q is null", name)
		}
	}
	from.evidence = collector{settings: in.Spray, sealed: in.Evidence == nil}
	if in.Evidence != nil {
		if err := from.evidence.read(in.Evidence); err != nil {
			return err
		}
	}
	fresh := newSummary(from.Definition)
	fresh.evidence.settings = in.Spray
	if err := fresh.Merge(&from); err != nil {
		return err
	}
	fresh.evidence.sealed = from.evidence.sealed
	*s = *fresh
	return nil
}

// storedEvidence is Evidence as it is stored, or as it was stored until November
// 2026: with cells of guesses by the minute in place of rows.
type storedEvidence struct {
	Evidence
	Cells [][10]int64 `json:"cells"` // minute, ip, account, agent, kind, protocol, address, count, first, last
}

// read fills e, which is empty, with what was stored.
func (e *collector) read(in *storedEvidence) error {
	for n, c := range in.Cells {
		for i, v := range c {
			if v < 0 || v > math.MaxUint32 || i == 5 && v > int64(OtherLegacy) {
				return fmt.Errorf("signins: summary: evidence %d: number %d is out of range", n+1, i+1)
			}
		}
		if c[4] > 4 {
			return fmt.Errorf("signins: summary: evidence %d: no such kind", n+1)
		}
		r := EvidenceRow{Kind: [...]EvidenceKind{WrongPassword, Accepted, PasswordStopped, Accepted, PasswordStopped}[c[4]],
			Address: uint32(c[1]), Account: uint32(c[2]), Agent: uint32(c[3]), Protocol: Protocol(c[5]),
			Count: uint32(c[7]), First: uint32(c[8]), Last: uint32(c[9])}
		if r.Kind == WrongPassword {
			r.Hour = uint32(c[0]) / 60
		}
		in.Rows = append(in.Rows, r)
	}
	if err := in.Check(); err != nil {
		return err
	}
	if len(in.Rows) > e.settings.orDefault().MaxEvidence {
		return errors.New("signins: summary: more evidence than its settings allow")
	}
	e.takeAll(&in.Evidence)
	slices.SortStableFunc(e.found.Attacks, func(a, b Attack) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	return nil
}
