package main

import (
	"strings"

	"github.com/crossprem/crossprem/authinspect"
)

// mail writes what a mail server names before TLS and over it.
func (p page) mail(r *authinspect.MailResult) {
	p.line("%s  %s", p.paint(bold, string(r.Protocol)+"://"+r.Target, 0), p.paint(dim, strings.Join(strings.Fields(r.Server.Product+" "+r.Server.Version+" "+r.Server.FrontEnd), " "), 0))
	p.mailState("before TLS", r.Clear)
	p.mailState("over TLS", r.Secure)
	p.line("  passwords: %s: %s", p.paint(map[authinspect.Strength]string{authinspect.Advertised: red, authinspect.Refused: green}[r.Password], r.Password.String(), 0), r.PasswordReason)
	p.line("  modern: %s: %s", p.modern(r.Modern, 0), r.ModernReason)
	for _, e := range r.Refusals {
		p.line("  refused: %s %s", e.Cause, e.Remedy)
	}
	p.notes(r.Warnings)
}

func (p page) mailState(where string, s *authinspect.MailState) {
	switch {
	case s == nil:
	case !s.Known:
		p.line("  %-10s  unknown", where)
	default:
		names := append(append(s.Tokens(), s.Windows()...), s.Passwords()...)
		if s.StartTLS {
			names = append([]string{"STARTTLS"}, names...)
		}
		if s.Login == authinspect.Refused {
			names = append(names, "LOGINDISABLED")
		}
		p.line("  %-10s  %s", where, orNone(strings.Join(names, "  ")))
	}
}
