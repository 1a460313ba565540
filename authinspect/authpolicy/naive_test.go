package authpolicy

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
)

// naive is a second evaluator, written from the vendor's words and not from
// the first: it tries every value that an unknown fact could have, decides
// each of these worlds with plain yes or no, and calls unknown what differs.
func naive(f Facts, p Protocol, at time.Time) (basic, modern, windows Verdict) {
	if f.Hosting == HostingUnknown {
		return VerdictUnknown, VerdictUnknown, VerdictUnknown
	}
	seen := map[int]map[Verdict]bool{0: {}, 1: {}, 2: {}}
	for _, w := range worlds(f, p, at) {
		b, m, n := w.decide(p, at)
		seen[0][b], seen[1][m], seen[2][n] = true, true, true
	}
	one := func(i int) Verdict {
		if len(seen[i]) == 1 {
			for v := range seen[i] {
				return v
			}
		}
		// Blocked or not offered: shut either way.
		return VerdictUnknown
	}
	return one(0), one(1), one(2)
}

// A world is one in which everything is known.
type world struct {
	cloud                                bool
	policy                               map[string]bool // nil: none
	mailbox                              map[string]Switch
	org                                  map[string]Switch
	reenabled, sd, ca, eas16             bool
	rollout                              bool // in the autumn of 2022: already switched off
	ewsDefault                           bool // since October 2026: already off where empty
	server                               Server
	auth                                 AuthServer
	offersBasic, offersWindows, offersOA bool
}

func both(a crossprem.Answer) []bool {
	switch a {
	case crossprem.Yes:
		return []bool{true}
	case crossprem.No:
		return []bool{false}
	}
	return []bool{true, false}
}

func switches(s Switch, relevant bool) []Switch {
	if s != SwitchUnknown || !relevant {
		return []Switch{s}
	}
	return []Switch{NotSet, False, True}
}

func worlds(f Facts, p Protocol, at time.Time) (all []world) {
	policies := func(a Assignment) []map[string]bool {
		switch {
		case a.Assigned == crossprem.No:
			return []map[string]bool{nil}
		case a.Assigned == crossprem.Yes && a.Policy != nil:
			m := map[string]bool{}
			for k, v := range a.Policy.Switches {
				m[k] = v == True
			}
			return []map[string]bool{m}
		}
		everything := map[string]bool{p.AllowBasic(): true, p.BlockLegacy(): true, p.BlockModern(): true}
		delete(everything, "")
		if a.Assigned == crossprem.Yes {
			return []map[string]bool{{}, everything}
		}
		return []map[string]bool{nil, {}, everything}
	}
	var chosen []map[string]bool
	for _, own := range policies(f.UserPolicy) {
		if own != nil {
			chosen = append(chosen, own)
		} else {
			chosen = append(chosen, policies(f.DefaultPolicy)...)
		}
	}
	mailboxSwitch := map[Protocol]string{ActiveSync: "ActiveSyncEnabled", IMAP: "ImapEnabled", POP: "PopEnabled", MAPI: "MAPIEnabled", RPC: "MAPIEnabled", EWS: "EwsEnabled", SMTP: "SmtpClientAuthenticationDisabled"}[p]
	orgSwitch := map[Protocol]string{EWS: "EwsEnabled", SMTP: "SmtpClientAuthenticationDisabled"}[p]
	bools := []bool{true, false}
	for _, policy := range chosen {
		for _, box := range switches(f.MailboxSwitches[mailboxSwitch], mailboxSwitch != "") {
			for _, org := range switches(f.OrgSwitches[orgSwitch], orgSwitch != "") {
				for _, oauth := range switches(f.OrgSwitches["OAuth2ClientProfileEnabled"], f.Hosting == OnPremises) {
					for _, reenabled := range both(f.SMTPBasicReenabled) {
						for _, sd := range both(f.SecurityDefaults) {
							for _, ca := range both(f.ConditionalAccessBlocks) {
								for _, eas := range both(f.ActiveSync16) {
									for _, late := range bools {
										for _, ob := range both(f.OffersBasic) {
											for _, ow := range both(f.OffersWindows) {
												for _, oo := range both(f.OffersOAuth) {
													w := world{cloud: f.Hosting == ExchangeOnline, policy: policy, reenabled: reenabled, sd: sd, ca: ca, eas16: eas,
														rollout: late, ewsDefault: late, server: f.Server, auth: f.AuthServer, offersBasic: ob, offersWindows: ow, offersOA: oo,
														mailbox: map[string]Switch{mailboxSwitch: box}, org: map[string]Switch{orgSwitch: org, "OAuth2ClientProfileEnabled": oauth}}
													all = append(all, w)
												}
											}
										}
									}
								}
							}
						}
					}
				}
			}
		}
	}
	return all
}

func (w world) decide(p Protocol, at time.Time) (basic, modern, windows Verdict) {
	since := func(s string) bool { return !at.Before(day(s)) }
	shut := false
	switch p {
	case IMAP:
		shut = w.mailbox["ImapEnabled"] == False
	case POP:
		shut = w.mailbox["PopEnabled"] == False
	case ActiveSync:
		shut = w.mailbox["ActiveSyncEnabled"] == False
	case MAPI, RPC:
		shut = w.mailbox["MAPIEnabled"] == False
	case SMTP:
		if w.cloud {
			disabled := w.mailbox["SmtpClientAuthenticationDisabled"]
			if disabled == NotSet {
				disabled = w.org["SmtpClientAuthenticationDisabled"]
			}
			shut = disabled == True
		}
	case EWS:
		box, org := w.mailbox["EwsEnabled"], w.org["EwsEnabled"]
		if w.cloud && !since("2025-04-01") {
			shut = box == False || box != True && org == False
		} else {
			shut = box == False || org == False
		}
		if w.cloud && since("2027-04-01") || w.cloud && since("2026-10-01") && org == NotSet && w.ewsDefault {
			shut = true
		}
	}
	if !w.cloud {
		return w.here(p, shut)
	}
	if p == ActiveSync && since("2026-03-01") && !w.eas16 {
		shut = true
	}
	gone := p != SMTP && (since("2023-01-01") || since("2022-10-01") && w.rollout) || p == SMTP && since("2026-12-31") && !w.reenabled
	basic, modern = Allowed, Allowed
	if shut || gone || w.sd || w.ca || w.policy != nil && !w.policy[p.AllowBasic()] {
		basic = Blocked
	}
	if shut {
		modern = Blocked
	} else if p == RPC || p == MAPI && w.org["OAuth2ClientProfileEnabled"] == False {
		modern = NotOffered
	}
	return basic, modern, NotOffered
}

func (w world) here(p Protocol, shut bool) (basic, modern, windows Verdict) {
	if shut {
		return Blocked, Blocked, Blocked
	}
	verdict := func(offered, blocked bool) Verdict {
		switch {
		case !offered:
			return NotOffered
		case blocked:
			return Blocked
		}
		return Allowed
	}
	tokens := map[Protocol]bool{MAPI: true, ActiveSync: true, EWS: true, OAB: true, Autodiscover: true}[p] && w.offersOA && w.org["OAuth2ClientProfileEnabled"] == True &&
		(w.auth == Entra && w.server > Exchange2010 || w.auth == ADFS && w.server >= Exchange2019CU13)
	legacy := w.policy[p.BlockLegacy()] && w.server >= Exchange2019CU2
	return verdict(w.offersBasic, legacy), verdict(tokens, w.policy[p.BlockModern()] && w.server >= Exchange2019CU13), verdict(w.offersWindows, legacy)
}

// A matrix of policy, switch, date and what is unknown, decided twice.
func TestAgreesWithANaiveEvaluator(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	days := []string{"2018-01-01", "2022-09-30", "2022-10-01", "2022-12-31", "2023-01-01", "2025-03-31", "2025-04-01", "2026-02-28", "2026-03-01", "2026-09-30", "2026-10-01", "2026-12-30", "2026-12-31", "2027-03-31", "2027-04-01", "2028-01-01"}
	answers := []crossprem.Answer{crossprem.AnswerUnknown, crossprem.No, crossprem.Yes}
	n, state := 0, uint32(1)
	pick := func(k int) int { // a small generator: the same matrix at every run
		state = state*1664525 + 1013904223
		return int(state>>16) % k
	}
	for range 20_000 {
		p := Protocols()[pick(len(Protocols()))]
		if p == PowerShell {
			continue // two names of one switch
		}
		assignment := func() Assignment {
			switch pick(5) {
			case 0:
				return Assignment{}
			case 1:
				return Assignment{Assigned: crossprem.Yes}
			case 2:
				s := map[string]Switch{}
				for _, name := range []string{p.AllowBasic(), p.BlockLegacy(), p.BlockModern()} {
					if name != "" && pick(2) == 0 {
						s[name] = SwitchOf(pick(2) == 0)
					}
				}
				return Assign(Policy{Switches: s})
			}
			return NoPolicy()
		}
		values := []Switch{SwitchUnknown, NotSet, False, True}
		f := Facts{Hosting: Hosting(1 + pick(2)), UserPolicy: assignment(), DefaultPolicy: assignment(),
			MailboxSwitches: map[string]Switch{"MapiHttpEnabled": NotSet, "MAPIBlockOutlookRpcHttp": NotSet}, OrgSwitches: map[string]Switch{"MapiHttpEnabled": NotSet},
			SMTPBasicReenabled: answers[pick(3)], SecurityDefaults: answers[pick(3)], ConditionalAccessBlocks: answers[pick(3)], ActiveSync16: answers[pick(3)],
			EWSAppIDsKnown: crossprem.Yes, Server: Server(1 + pick(7)), AuthServer: AuthServer(1 + pick(3)),
			OffersBasic: answers[pick(3)], OffersWindows: answers[pick(3)], OffersOAuth: answers[pick(3)]}
		for _, name := range []string{"ImapEnabled", "PopEnabled", "ActiveSyncEnabled", "MAPIEnabled", "EwsEnabled", "SmtpClientAuthenticationDisabled"} {
			f.MailboxSwitches[name] = values[pick(4)]
		}
		for _, name := range []string{"EwsEnabled", "SmtpClientAuthenticationDisabled", "OAuth2ClientProfileEnabled"} {
			f.OrgSwitches[name] = values[pick(4)]
		}
		if f.OrgSwitches["SmtpClientAuthenticationDisabled"] == NotSet {
			f.OrgSwitches["SmtpClientAuthenticationDisabled"] = SwitchUnknown // the organization's is never empty
		}
		at := day(days[pick(len(days))])
		d := f.Decide(p, at)
		b, m, w := naive(f, p, at)
		got := []Verdict{d.Basic.Verdict, d.Modern.Verdict, d.Windows.Verdict}
		// Where every world shuts the method, but not for one reason, both
		// words for it are right.
		for i, want := range []Verdict{b, m, w} {
			if want != got[i] && !(want == VerdictUnknown && shutInAllWorlds(f, p, at, i)) {
				t.Fatalf("%v on %s, method %d: %v, naively %v\n%+v\nuser policy %+v, default %+v\n%+v", p, at.Format(time.DateOnly), i, got[i], want, f, f.UserPolicy.Policy, f.DefaultPolicy.Policy, d)
			}
		}
		n++
	}
	t.Logf("%d decisions", n)
	assert.Greater(t, n, 15_000)
}

func shutInAllWorlds(f Facts, p Protocol, at time.Time, method int) bool {
	for _, w := range worlds(f, p, at) {
		b, m, n := w.decide(p, at)
		if v := []Verdict{b, m, n}[method]; v != Blocked && v != NotOffered {
			return false
		}
	}
	return true
}

func ExampleFacts_Decide() {
	f := Facts{
		User: "scanner@contoso.test", Hosting: ExchangeOnline,
		UserPolicy: NoPolicy(), DefaultPolicy: Assign(Policy{Name: "Block Basic"}),
		MailboxSwitches:  map[string]Switch{"SmtpClientAuthenticationDisabled": False},
		SecurityDefaults: crossprem.No, ConditionalAccessBlocks: crossprem.No,
	}
	d := f.Decide(SMTP, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	fmt.Println(d.Basic.Verdict, "by the", d.Basic.Decider)
	fmt.Println(d.Basic.Detail)
	fmt.Println(d.Modern.Verdict)
	// Output:
	// blocked by the default policy of the organization
	// The authentication policy Block Basic does not set AllowBasicAuthSmtp.
	// allowed
}
