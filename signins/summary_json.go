package signins

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// plainSummary has the fields of a Summary and none of its methods.
type plainSummary Summary

// MarshalJSON writes all of s, lists of users that follow from the rest
// included: "legacyUsers", "legacyUsersWithSuccess", "passwordRightButStopped"
// and "activeSync". The evidence for attacks is in "evidence", unless s is
// sealed. Equal summaries have equal JSON.
func (s Summary) MarshalJSON() ([]byte, error) {
	out := struct {
		plainSummary
		LegacyUsers             []string        `json:"legacyUsers"`
		LegacyUsersWithSuccess  []string        `json:"legacyUsersWithSuccess"`
		PasswordRightButStopped []string        `json:"passwordRightButStopped"`
		ActiveSync              ActiveSyncUsers `json:"activeSync"`
		Spray                   Spray           `json:"spray,omitzero"`
		Evidence                *evidenceJSON   `json:"evidence,omitempty"`
	}{
		plainSummary: plainSummary(s), LegacyUsers: s.LegacyUsers(), LegacyUsersWithSuccess: s.LegacyUsersWithSuccess(),
		PasswordRightButStopped: s.PasswordRightButStopped(), ActiveSync: s.ActiveSync(),
		Spray: s.evidence.settings, Evidence: s.evidence.json(),
	}
	for _, list := range []*[]Tally{&out.Clients, &out.Applications, &out.Countries, &out.Networks, &out.Days, &out.Hours} {
		if *list == nil {
			*list = []Tally{}
		}
	}
	if out.Attacks == nil {
		out.Attacks = []Attack{}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, checks it, and finds the attacks
// anew. What follows from the rest is not read. s is left as it was on error.
func (s *Summary) UnmarshalJSON(data []byte) error {
	var in struct {
		plainSummary
		Spray    Spray
		Evidence *evidenceJSON
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
	from.evidence = evidence{settings: in.Spray, sealed: in.Evidence == nil}
	if in.Evidence != nil {
		if err := from.evidence.read(in.Evidence); err != nil {
			return fmt.Errorf("signins: summary: %w", err)
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

// evidenceJSON is evidence as it is stored: texts once, cells as numbers.
type evidenceJSON struct {
	IPs      []addressJSON `json:"ips"`
	Accounts []string      `json:"accounts"`
	Agents   []string      `json:"agents"`
	Cells    [][10]int64   `json:"cells"` // minute, ip, account, agent, kind, protocol, address, count, first, last
	Found    []Attack      `json:"found,omitempty"`
}

type addressJSON struct {
	IP      string `json:"ip"`
	Country string `json:"country,omitempty"`
	Network uint32 `json:"network,omitempty"`
}

// json returns e in an order that does not depend on how it came together, or
// nil if it is sealed.
func (e *evidence) json() *evidenceJSON {
	if e.sealed {
		return nil
	}
	ips, newIP := renumber(&e.ips)
	accounts, newAccount := renumber(&e.accounts)
	agents, newAgent := renumber(&e.agents)
	out := &evidenceJSON{Accounts: accounts, Agents: agents, Found: e.found, Cells: [][10]int64{}}
	out.IPs = make([]addressJSON, len(ips))
	for old, n := range newIP[1:] {
		info := e.info[old+1]
		out.IPs[n-1] = addressJSON{ips[n-1], info.country, info.network}
	}
	for _, c := range e.cells {
		address := int64(0)
		if c.address {
			address = 1
		}
		out.Cells = append(out.Cells, [10]int64{int64(c.minute), newIP[c.ip], newAccount[c.account], newAgent[c.agent],
			int64(c.kind), int64(c.protocol), address, int64(c.count), int64(c.first), int64(c.last)})
	}
	slices.SortFunc(out.Cells, func(a, b [10]int64) int { return slices.Compare(a[:], b[:]) })
	return out
}

// renumber sorts the texts, and returns their new numbers by the old ones,
// counted from 1; 0 stays "".
func renumber(n *interned) ([]string, []int64) {
	order := make([]uint32, 0, len(n.text))
	for i := 1; i < len(n.text); i++ {
		order = append(order, uint32(i))
	}
	slices.SortFunc(order, func(a, b uint32) int { return strings.Compare(n.text[a], n.text[b]) })
	texts, numbers := make([]string, len(order)), make([]int64, len(order)+1)
	for i, old := range order {
		texts[i], numbers[old] = n.text[old], int64(i)+1
	}
	return texts, numbers
}

// read fills e, which is empty, with what was stored.
func (e *evidence) read(in *evidenceJSON) error {
	if len(in.Cells) > e.settings.orDefault().MaxEvidence {
		return errors.New("more evidence than its settings allow")
	}
	text := func(list []string, i int64) string {
		if i == 0 {
			return ""
		}
		return list[i-1]
	}
	for n, c := range in.Cells {
		limits := [10]int64{math.MaxInt32, int64(len(in.IPs)), int64(len(in.Accounts)), int64(len(in.Agents)),
			int64(stoppedModern), int64(OtherLegacy), 1, math.MaxUint32, math.MaxUint32, math.MaxUint32}
		for i, limit := range limits {
			if c[i] < 0 || c[i] > limit {
				return fmt.Errorf("evidence %d: number %d is out of range", n+1, i+1)
			}
		}
		if c[1] == 0 || in.IPs[c[1]-1].IP == "" || c[7] == 0 || c[8] > c[9] {
			return fmt.Errorf("evidence %d: it is of nothing", n+1)
		}
		if guess := evidenceKind(c[4]) == guessed; guess && (c[8]/60 != c[0] || c[9]/60 != c[0]) || !guess && c[0] != 0 {
			return fmt.Errorf("evidence %d: its times do not fit", n+1)
		}
		ip := in.IPs[c[1]-1]
		e.note(cell{
			cellKey: cellKey{minute: int32(c[0]), ip: e.ips.of(ip.IP), account: e.accounts.of(text(in.Accounts, c[2])),
				agent: e.agents.of(cut(text(in.Agents, c[3]))), kind: evidenceKind(c[4]), protocol: Protocol(c[5]), address: c[6] == 1},
			count: uint32(c[7]), first: uint32(c[8]), last: uint32(c[9]),
		}, ip.Country, ip.Network)
	}
	e.found = slices.Clone(in.Found)
	slices.SortStableFunc(e.found, func(a, b Attack) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	return nil
}
