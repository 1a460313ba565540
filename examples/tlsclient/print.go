package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

func names(versions []tlsprobe.Version) string {
	if len(versions) == 0 {
		return "nothing that is known for sure"
	}
	list := make([]string, len(versions))
	for i, v := range versions {
		list[i] = v.String()
	}
	return strings.Join(list, ", ")
}

func accepted(r *tlsprobe.Result) (list []tlsprobe.Version) {
	for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
		if r.Versions[v].Support == tlsprobe.Accepted {
			list = append(list, v)
		}
	}
	return list
}

// printAnswer writes, in this order, what the client offers, whether it meets
// the server, what the text means, and what to do.
func printAnswer(w io.Writer, a *answer, e symptoms.Evidence, asked bool) error {
	var b strings.Builder
	if len(a.Offers) > 0 {
		system, _ := e.Client.System()
		if system == "" {
			system = "an unknown Windows"
		}
		fmt.Fprintf(&b, "What this client offers (%s):\n", system)
		for _, o := range a.Offers {
			fmt.Fprintf(&b, "  %-48s %s (%s)\n", o.App.Label(), names(o.Set()), o.Confidence)
		}
		for _, why := range a.Offers[0].Why {
			fmt.Fprintf(&b, "    %s\n", why.Text)
		}
		if assumed := a.Offers[0].Assumed(); len(assumed) > 0 {
			fmt.Fprintf(&b, "    Not looked at, and taken for absent: %s\n", strings.Join(assumed, "; "))
		}
		b.WriteByte('\n')
	}
	if r := a.Server; r != nil {
		fmt.Fprintf(&b, "The server %s (%s) accepts %s.\n", r.Target, r.Class, names(accepted(r)))
	}
	if n := a.Negotiation; n != nil {
		switch n.Meets {
		case crossprem.Yes:
			fmt.Fprintf(&b, "%s meets it: %s, %s.\n", n.App.Label(), n.Version, n.Suite)
		case crossprem.No:
			fmt.Fprintf(&b, "%s does not meet it (%s); who has to change something: %s.\n", n.App.Label(), n.Cause, n.Mover)
		default:
			fmt.Fprintf(&b, "Whether %s meets it is not known.\n", n.App.Label())
		}
		if n.Explanation != "" {
			fmt.Fprintf(&b, "  %s\n", n.Explanation)
		}
	}
	if a.Server != nil {
		b.WriteByte('\n')
	}
	if asked || len(a.Causes) > 0 {
		b.WriteString("What it means:\n")
		if asked && len(a.Symptoms) == 0 {
			b.WriteString("  The text is not known.\n")
		}
		for _, s := range a.Symptoms {
			fmt.Fprintf(&b, "  %s: %s\n", s.ID, s.Where)
			if s.Partial {
				b.WriteString("    Only a part of this message is there.\n")
			}
			if s.Note != "" {
				fmt.Fprintf(&b, "    %s\n", s.Note)
			}
		}
		for _, c := range a.Causes {
			fmt.Fprintf(&b, "  %3.0f %%  %s: %s\n", 100*c.Confidence, c.ID, c.Title)
			for _, why := range c.Why {
				fmt.Fprintf(&b, "         %s\n", why)
			}
		}
		for _, x := range a.RuledOut {
			fmt.Fprintf(&b, "  ruled out: %s: %s\n", x.ID, x.Why)
		}
		b.WriteByte('\n')
	}
	if len(a.Causes) > 0 {
		b.WriteString("What to do:\n")
		for i, c := range a.Causes[:min(3, len(a.Causes))] {
			fmt.Fprintf(&b, "  %d. Check: %s\n", i+1, c.Check)
			fmt.Fprintf(&b, "     If so: %s\n", c.Fix)
			if c.Confidence >= symptoms.Settled {
				break
			}
		}
		for _, t := range a.Traps {
			fmt.Fprintf(&b, "  Beware: %s\n", t)
		}
		printMending(&b, a.Mending)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printMending(b *strings.Builder, m *schannel.Mending) {
	if m == nil {
		return
	}
	for _, n := range m.Notes {
		fmt.Fprintf(b, "  %s\n", n)
	}
	if m.Session != "" {
		fmt.Fprintf(b, "\n  In the running Windows PowerShell:\n\n%s\n", m.Session)
	}
	if m.Reg != "" {
		fmt.Fprintf(b, "\n  For the machine, as a .reg file (restart: %s):\n\n%s", m.Restart, strings.ReplaceAll(m.Reg, "\r\n", "\n"))
	}
	for _, l := range m.Losses {
		fmt.Fprintf(b, "  What would break: %s\n", l.Text)
	}
}

// printEndpoint writes one line for one host.
func printEndpoint(w io.Writer, e endpoint) error {
	state := "answers " + names(e.Accepted)
	switch {
	case e.Error != "":
		state = e.Error
	case len(e.Accepted) == 0:
		state = "does not answer in TLS: " + e.Class.String()
	}
	if e.Inspected == crossprem.Yes {
		state += "; INSPECTED, the certificate is from " + e.Issuer
	}
	if e.Meets == crossprem.No {
		state += "; THIS CLIENT DOES NOT MEET IT: " + e.Why
	}
	_, err := fmt.Fprintf(w, "%-52s %-8s %s\n", e.Target, e.Need, state)
	return err
}
