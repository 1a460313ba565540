package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
)

// A capture is what pasted headers gave: the facts, and their verdicts.
type capture struct {
	*authinspect.Result
	Findings []crossprem.Finding
}

// A dialogue is what a pasted session with a mail server gave, in JSON.
type dialogue struct {
	Protocol  authinspect.Protocol `json:"protocol"`
	BeforeTLS []string             `json:"beforeTLS"` // null: not shown
	AfterTLS  []string             `json:"afterTLS"`
	StartTLS  *bool                `json:"startTLS"` // null: not shown
	Server    authinspect.Server   `json:"server"`
	Findings  []crossprem.Finding  `json:"findings"`
	Warnings  []string             `json:"warnings"`

	result *authinspect.MailResult
}

// explanation is what one line means, in JSON.
type explanation struct {
	ID      string                    `json:"id"`
	Meaning string                    `json:"meaning"`
	Cause   string                    `json:"cause"`
	Remedy  string                    `json:"remedy"`
	Sources []string                  `json:"sources"`
	Others  []authinspect.Explanation `json:"others,omitempty"` // rows that explain the line as well
}

// open opens a file, or returns standard input for "-".
func open(file string, stdin io.Reader) (r io.Reader, name string, done func(), err error) {
	if file == "-" {
		return stdin, "standard input", func() {}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", nil, err
	}
	return f, file, func() { f.Close() }, nil
}

// readLines reads a pasted session with a mail server.
func readLines(file string, protocol authinspect.Protocol, stdin io.Reader, at time.Time) (answer, error) {
	r, name, done, err := open(file, stdin)
	if err != nil {
		return answer{}, err
	}
	defer done()
	result, err := authinspect.ReadMailDialogue(r, protocol)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", name, err)
	}
	result.Target = name
	d := dialogue{Protocol: protocol, BeforeTLS: names(result.Clear), AfterTLS: names(result.Secure), Server: result.Server,
		Findings: authinspect.AssessMail(result, at), Warnings: append([]string{}, result.Warnings...), result: result}
	if result.StartTLS != authinspect.StrengthUnknown {
		offered := result.StartTLS != authinspect.Refused
		d.StartTLS = &offered
	}
	return answer{d, d.Findings}, nil
}

// names returns the mechanisms of a state and POP3's USER, nil where the state
// is not shown.
func names(s *authinspect.MailState) []string {
	if s == nil {
		return nil
	}
	list := append([]string{}, s.Mechanisms...)
	if slices.Contains(s.Capabilities, "USER") {
		list = append(list, "USER")
	}
	return list
}

// explainText explains one answer of a server. The numbers of Entra ID are
// explained for every protocol.
func explainText(text, protocol string) (answer, error) {
	if protocol == "aadsts" {
		protocol = string(authinspect.HTTP)
		if number := strings.TrimSpace(text); number != "" && strings.Trim(number, "0123456789") == "" {
			text = "AADSTS" + number + ":"
		}
	}
	all := authinspect.ExplainAll(authinspect.Protocol(protocol), text)
	if len(all) == 0 {
		return answer{}, errors.New("the text is not known")
	}
	return answer{explanation{all[0].ID, all[0].Meaning, all[0].Cause, all[0].Remedy, all[0].Sources, all[1:]}, nil}, nil
}

func (p page) dialogue(d dialogue) {
	s := d.Server
	p.line("%s  %s", p.paint(bold, d.result.Target, 0), p.paint(dim, strings.Join(strings.Fields(s.Product+" "+s.Version+" "+s.FrontEnd), " "), 0))
	p.mailState("before TLS", d.result.Clear)
	p.mailState("over TLS", d.result.Secure)
	offered := "not shown"
	if d.StartTLS != nil {
		offered = map[bool]string{true: "offered", false: "not offered"}[*d.StartTLS]
	}
	p.line("  STARTTLS: %s", offered)
	for _, e := range d.result.Refusals {
		p.line("  refused: %s %s", e.Cause, e.Remedy)
	}
	p.notes(d.Warnings)
}

func (p page) explanation(e explanation) {
	p.line("%s  %s", p.paint(bold, e.Meaning, 0), p.paint(dim, e.ID, 0))
	p.line("  %s", e.Cause)
	if e.Remedy != "" {
		p.line("  %s", e.Remedy)
	}
	for _, other := range e.Others {
		p.line("  also %s: %s", other.Meaning, other.Cause)
	}
}
