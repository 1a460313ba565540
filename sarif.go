package crossprem

import (
	"encoding/json"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The parts of SARIF 2.1.0 that are written; sections are those of the OASIS
// standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		AutomationDetails sarifAutomation `json:"automationDetails"`
		Invocations       []sarifCall     `json:"invocations"`
		Results           []sarifResult   `json:"results"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifCall struct {
		Successful bool   `json:"executionSuccessful"`
		EndTimeUTC string `json:"endTimeUtc"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Version        string      `json:"version"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID                   string           `json:"id"`
		Name                 string           `json:"name"`
		ShortDescription     sarifText        `json:"shortDescription"`
		FullDescription      sarifText        `json:"fullDescription"`
		Help                 sarifText        `json:"help"`
		DefaultConfiguration sarifConfig      `json:"defaultConfiguration"`
		Properties           sarifRuleSources `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifRuleSources struct {
		Sources []string `json:"sources"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind"`  // §3.27.9
		Level        string            `json:"level"` // §3.27.10: "none" unless kind is "fail"
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   sarifExtra        `json:"properties"`
	}
	sarifLocation struct {
		Logical []sarifLogical `json:"logicalLocations"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifExtra struct {
		Finding Finding `json:"finding"`
	}
)

// sarifLevels are the levels of a failure (§3.27.10).
var sarifLevels = map[Severity]string{Info: "note", Warning: "warning", Critical: "error"}

// WriteSARIF writes findings as a log of SARIF 2.1.0 with one run. The rules
// are those that describe the findings; a finding of another rule brings a
// description made of itself. At is the day that was judged for.
//
// A failed finding is a result of kind "fail" with the level error, warning or
// note; one that passed is of kind "pass", one that is unknown of kind "open".
// The key of a finding is its partial fingerprint "findingKey/v1", so that a
// consumer recognizes it tomorrow, and the finding itself is in the property
// bag, so that nothing is lost. The subject is a logical location: findings
// are about servers and users, not about files.
//
// It returns the error of w, and one for a finding with an invalid status or
// severity.
func WriteSARIF(w io.Writer, findings []Finding, rules []Rule, at time.Time) error {
	var run sarifRun
	run.Tool.Driver = sarifDriver{Name: "crossprem", InformationURI: "https://github.com/crossprem/crossprem", Version: moduleVersion(), Rules: []sarifRule{}}
	run.AutomationDetails.ID = "crossprem/" + at.UTC().Format(time.DateOnly)
	run.Invocations = []sarifCall{{Successful: true, EndTimeUTC: at.UTC().Format(time.RFC3339)}}
	run.Results = []sarifResult{}

	byID := make(map[string]Rule, len(rules))
	for _, r := range rules {
		byID[r.ID] = r
	}
	index := make(map[string]int)
	for _, f := range findings {
		i, ok := index[f.Rule]
		if !ok {
			r, known := byID[f.Rule]
			if !known {
				r = Rule{ID: f.Rule, Severity: f.Severity, Title: f.Title, Remedy: f.Remedy, Sources: f.Sources}
			}
			i = len(run.Tool.Driver.Rules)
			index[f.Rule] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(r))
		}
		result := sarifResult{
			RuleID: f.Rule, RuleIndex: i, Kind: "open", Level: "none",
			Message:      sarifText{sentence(f)},
			Locations:    []sarifLocation{{[]sarifLogical{{Name: f.Subject, FullyQualifiedName: qualified(f), Kind: "resource"}}}},
			Fingerprints: map[string]string{"findingKey/v1": f.Key()},
			Properties:   sarifExtra{f},
		}
		switch f.Status {
		case Failed:
			result.Kind, result.Level = "fail", sarifLevels[f.Severity]
		case Passed:
			result.Kind = "pass"
		}
		run.Results = append(run.Results, result)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func sarifRuleOf(r Rule) sarifRule {
	help := r.Remedy
	if help == "" {
		help = "See the sources."
	}
	return sarifRule{
		ID: r.ID, Name: pascal(r.ID), ShortDescription: sarifText{period(r.Title)}, FullDescription: sarifText{period(r.Title)}, Help: sarifText{period(help)},
		DefaultConfiguration: sarifConfig{sarifLevels[r.Severity]}, Properties: sarifRuleSources{slices.Concat([]string{}, r.Sources)},
	}
}

// pascal makes "KeyOld" of "key-old": SARIF wants a second name of that form.
func pascal(id string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(id, func(r rune) bool { return r == '-' || r == '.' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// moduleVersion is the version of this module in the program that runs, or
// "0.0.0-devel" if it was built from a checkout.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if version, ok := strings.CutPrefix(m.Version, "v"); ok && m.Path == "github.com/crossprem/crossprem" {
				return version
			}
		}
	}
	return "0.0.0-devel"
}

// sentence is what a finding says to somebody who sees nothing else of it.
func sentence(f Finding) string {
	text := qualified(f) + ": " + period(f.Title)
	if f.Detail != "" {
		text += " " + period(f.Detail)
	}
	return text
}

// qualified names the subject together with its part.
func qualified(f Finding) string {
	if f.Part == "" {
		return f.Subject
	}
	return f.Subject + " (" + f.Part + ")"
}

// period ends a text as a sentence.
func period(s string) string {
	if s == "" {
		return s
	}
	switch s[len(s)-1] {
	case '.', '!', '?', ':':
		return s
	}
	return s + "."
}
