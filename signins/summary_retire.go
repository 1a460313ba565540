package signins

import (
	"slices"
	"time"
)

// A Retirement is one announced end of something that users of a summary
// still use, and who they are.
type Retirement struct {
	ID     string    `json:"id"`           // stable, such as "smtp-auth-default-off"
	Date   time.Time `json:"date"`         // the day on which it begins to hurt, UTC
	Past   bool      `json:"past"`         // Date is not after the day that was asked for
	End    time.Time `json:"end,omitzero"` // the last day of a window in which it comes to tenants, UTC
	Title  string    `json:"title"`        // one line
	Effect string    `json:"effect"`
	Remedy string    `json:"remedy"`

	// Certain tells that it hits all Users. Otherwise it depends on what a
	// sign-in log does not tell, and Effect says on what.
	Certain bool `json:"certain"`

	// MonthOnly reports whether the announcement names a month, of which Date
	// is the first day that can be meant.
	MonthOnly bool `json:"monthOnly,omitempty"`

	Protocols []Protocol `json:"protocols"` // those it concerns

	// Users signed in successfully with one of Protocols. SucceededSince are
	// those of them who did so on Date or later: it has not hit them, be it
	// that their mailbox is elsewhere or that it has not come to them yet.
	// Both are sorted.
	Users          []string `json:"users"`
	SucceededSince []string `json:"succeededSince,omitempty"`

	Sources []string `json:"sources"`

	password bool // it hits sign-ins with a password only
}

// Retirements returns which announced retirements, as known on [AsOf], hit
// which users of s, earliest first. Those that hit nobody are left out. Only
// successful sign-ins count: who is merely attacked does not break.
func Retirements(s *Summary, at time.Time) []Retirement { return (*Tables)(nil).Retirements(s, at) }

// Retirements is [Retirements] by the retirements of t.
func (t *Tables) Retirements(s *Summary, at time.Time) []Retirement {
	hit := []Retirement{}
	for _, r := range t.retired(s, at, true) {
		slices.Sort(r.Users)
		slices.Sort(r.SucceededSince)
		hit = append(hit, r.Retirement)
	}
	return hit
}

// retired is a Retirement that counts users, and lists all of them, or some.
type retired struct {
	Retirement
	users, since someNames
}

func (t *Tables) retired(s *Summary, at time.Time, listed bool) []retired {
	if s == nil {
		s = new(Summary)
	}
	var all []retired
	for _, r := range t.Announced() {
		all = append(all, retired{Retirement: r})
	}
	last := make([]time.Time, len(all)) // of one user
	uses, told := make([]bool, len(all)), make([]bool, len(all))
	for i := range told {
		told[i] = true
	}
	people := s.people()
	each := func(hit func(r *retired, name string, since bool)) {
		for name, u := range people.each() {
			clear(last)
			clear(uses)
			for k := range u.Protocols {
				p := &u.Protocols[k]
				for i := range all {
					if r := &all[i]; r.hits(p) {
						last[i], uses[i] = latest(last[i], p.LastSuccess), true
						told[i] = told[i] && (p.Passwords > 0 || !r.password)
					}
				}
			}
			for i := range all {
				if uses[i] {
					hit(&all[i], name, !last[i].Before(all[i].Date))
				}
			}
		}
	}
	each(func(r *retired, name string, since bool) {
		r.users.add(name)
		if since {
			r.since.add(name)
		}
	})
	if listed { // once their number is known: lists of a million users that grow take thrice the memory
		for i := range all {
			r := &all[i]
			r.Users = make([]string, 0, r.users.n)
			if r.since.n > 0 {
				r.SucceededSince = make([]string, 0, r.since.n)
			}
		}
		each(func(r *retired, name string, since bool) {
			r.Users = append(r.Users, name)
			if since {
				r.SucceededSince = append(r.SucceededSince, name)
			}
		})
	}
	var hit []retired
	for i, r := range all {
		if r.users.n == 0 {
			continue
		}
		r.Past = !r.Date.After(at)
		if !told[i] {
			r.Certain = false
			r.Effect += " Of some users the log does not tell whether they sent a password or a certificate, which is not hit."
		}
		hit = append(hit, r)
	}
	return hit
}

// Announced returns all retirements of t, earliest first, with no users. Those
// without Protocols are about what no sign-in log shows.
func (t *Tables) Announced() []Retirement {
	all := slices.Clone(t.orEmbedded().retirements)
	for i := range all {
		all[i].Protocols, all[i].Sources = slices.Clone(all[i].Protocols), slices.Clone(all[i].Sources)
	}
	return all
}

// hits reports whether the successful sign-ins of p are such as r ends. A
// certificate is not hit where passwords are, however often somebody else
// tried passwords.
func (r *Retirement) hits(p *ProtocolUse) bool {
	byCertificate := p.Successes == p.CertificateSuccesses || p.Records == p.Certificates
	return p.Successes > 0 && slices.Contains(r.Protocols, p.Protocol) && !(r.password && byCertificate)
}
