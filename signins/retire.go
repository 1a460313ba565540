package signins

import (
	_ "embed"
	"slices"
	"sync"
	"time"
)

//go:embed data/retirements.json
var retirementsJSON []byte

// A Retirement is one announced end of something that users of a summary
// still use, and who they are.
type Retirement struct {
	ID     string    `json:"id"`    // stable, such as "smtp-auth-default-off"
	Date   time.Time `json:"date"`  // the day on which it begins to hurt, UTC
	Past   bool      `json:"past"`  // Date is not after the day that was asked for
	Title  string    `json:"title"` // one line
	Effect string    `json:"effect"`
	Remedy string    `json:"remedy"`

	// Certain tells that it hits all Users. Otherwise it depends on what a
	// sign-in log does not tell, and Effect says on what.
	Certain bool `json:"certain"`

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

var retirements = sync.OnceValue(func() []Retirement {
	var file struct {
		Retirements []struct {
			Retirement
			Date     string `json:"date"`
			Password bool   `json:"password"`
		}
	}
	mustUnmarshal(retirementsJSON, &file)
	var all []Retirement
	for _, r := range file.Retirements {
		date, err := time.Parse(time.DateOnly, r.Date)
		if err != nil {
			panic("signins: embedded table: " + err.Error())
		}
		r.Retirement.Date, r.Retirement.password = date, r.Password
		all = append(all, r.Retirement)
	}
	return all
})

// Retirements returns which announced retirements, as known on [AsOf], hit
// which users of s, earliest first. Those that hit nobody are left out. Only
// successful sign-ins count: who is merely attacked does not break.
func Retirements(s *Summary, at time.Time) []Retirement {
	if s == nil {
		s = new(Summary)
	}
	users := s.users()
	hit := []Retirement{}
	for _, r := range retirements() {
		r.Past = !r.Date.After(at)
		r.Protocols, r.Sources = slices.Clone(r.Protocols), slices.Clone(r.Sources)
		told := true
		for name, u := range users {
			if u == nil {
				continue
			}
			var last time.Time
			uses := false
			for _, p := range u.Protocols {
				if r.hits(&p) {
					last, uses = latest(last, p.LastSuccess), true
					told = told && (p.Passwords > 0 || !r.password)
				}
			}
			if !uses {
				continue
			}
			r.Users = append(r.Users, name)
			if !last.Before(r.Date) {
				r.SucceededSince = append(r.SucceededSince, name)
			}
		}
		if !told {
			r.Certain = false
			r.Effect += " Of some users the log does not tell whether they sent a password or a certificate, which is not hit."
		}
		if len(r.Users) > 0 {
			slices.Sort(r.Users)
			slices.Sort(r.SucceededSince)
			hit = append(hit, r)
		}
	}
	slices.SortStableFunc(hit, func(a, b Retirement) int { return a.Date.Compare(b.Date) })
	return hit
}

// hits reports whether the successful sign-ins of p are such as r ends. A
// certificate is not hit where passwords are, however often somebody else
// tried passwords.
func (r *Retirement) hits(p *ProtocolUse) bool {
	byCertificate := p.Successes == p.CertificateSuccesses || p.Records == p.Certificates
	return p.Successes > 0 && slices.Contains(r.Protocols, p.Protocol) && !(r.password && byCertificate)
}
