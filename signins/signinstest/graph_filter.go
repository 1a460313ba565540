package signinstest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// A filter is what a $filter says.
type filter struct {
	tests []func(s *signins.SignIn) bool
	typed bool // it says which event types
}

func (f *filter) keep(s *signins.SignIn) bool {
	for _, test := range f.tests {
		if !test(s) {
			return false
		}
	}
	return true
}

var (
	comparison = regexp.MustCompile(`^(createdDateTime|clientAppUsed|userId|appId|id|userPrincipalName|ipAddress|status/errorCode) (eq|ge|le|gt|lt) (.+)$`)
	startsWith = regexp.MustCompile(`^startsWith\((userPrincipalName|ipAddress), ?(.+)\)$`)
	anyType    = regexp.MustCompile(`^signInEventTypes/any\(([a-z]): ?(.+)\)$`)
)

var textProperties = map[string]func(s *signins.SignIn) string{
	"clientAppUsed":     func(s *signins.SignIn) string { return s.ClientAppUsed },
	"userId":            func(s *signins.SignIn) string { return s.UserID },
	"appId":             func(s *signins.SignIn) string { return s.AppID },
	"id":                func(s *signins.SignIn) string { return s.ID },
	"userPrincipalName": func(s *signins.SignIn) string { return s.UserPrincipalName },
	"ipAddress":         func(s *signins.SignIn) string { return s.IPAddress },
}

var eventTypes = map[string]signins.Category{
	"interactiveUser": signins.InteractiveUser, "nonInteractiveUser": signins.NonInteractiveUser,
	"servicePrincipal": signins.ServicePrincipal, "managedIdentity": signins.ManagedIdentity,
}

// parseFilter reads a $filter, and refuses what it does not know.
func parseFilter(text string, now time.Time, v1 bool) (*filter, error) {
	f := new(filter)
	parts, err := splitTop(text, " and ")
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		test, err := f.term(part, now, v1)
		if err != nil {
			return nil, err
		}
		f.tests = append(f.tests, test)
	}
	return f, nil
}

func (f *filter) term(part string, now time.Time, v1 bool) (func(s *signins.SignIn) bool, error) {
	if m := anyType.FindStringSubmatch(part); m != nil && !v1 {
		f.typed = true
		return eventFilter(m[1], m[2])
	}
	if inner, ok := strings.CutPrefix(part, "("); ok && strings.HasSuffix(inner, ")") {
		alternatives, err := splitTop(inner[:len(inner)-1], " or ")
		if err != nil {
			return nil, err
		}
		var tests []func(s *signins.SignIn) bool
		for _, a := range alternatives {
			test, err := compare(a, now)
			if err != nil {
				return nil, err
			}
			tests = append(tests, test)
		}
		return func(s *signins.SignIn) bool {
			return slices.ContainsFunc(tests, func(test func(s *signins.SignIn) bool) bool { return test(s) })
		}, nil
	}
	return compare(part, now)
}

func eventFilter(variable, inner string) (func(s *signins.SignIn) bool, error) {
	parts, err := splitTop(inner, " or ")
	if err != nil {
		return nil, err
	}
	var wanted []signins.Category
	for _, p := range parts {
		quoted, ok := strings.CutPrefix(p, variable+" eq ")
		value, err := unquote(quoted)
		category, known := eventTypes[value]
		if !ok || err != nil || !known {
			return nil, fmt.Errorf("event types %.60q", p)
		}
		wanted = append(wanted, category)
	}
	return func(s *signins.SignIn) bool { return slices.Contains(wanted, s.Category) }, nil
}

func compare(part string, now time.Time) (func(s *signins.SignIn) bool, error) {
	if m := startsWith.FindStringSubmatch(part); m != nil {
		value, err := unquote(m[2])
		if err != nil {
			return nil, err
		}
		property := textProperties[m[1]]
		return func(s *signins.SignIn) bool { return strings.HasPrefix(property(s), value) }, nil
	}
	m := comparison.FindStringSubmatch(part)
	if m == nil {
		return nil, fmt.Errorf("%.80q is not modelled", part)
	}
	name, operator, operand := m[1], m[2], m[3]
	if name == "createdDateTime" {
		at, err := time.Parse(time.RFC3339Nano, operand)
		if err != nil {
			return nil, fmt.Errorf("the time %.40q", operand)
		}
		if at.Before(now.AddDate(0, 0, -90)) {
			return nil, errors.New("the time is more than 90 days ago")
		}
		return func(s *signins.SignIn) bool {
			switch c := s.Time.Compare(at); operator {
			case "ge":
				return c >= 0
			case "gt":
				return c > 0
			case "le":
				return c <= 0
			case "lt":
				return c < 0
			}
			return s.Time.Equal(at)
		}, nil
	}
	if operator != "eq" {
		return nil, fmt.Errorf("%s supports eq only", name)
	}
	if name == "status/errorCode" {
		code, err := strconv.Atoi(operand)
		if err != nil {
			return nil, fmt.Errorf("the code %.40q", operand)
		}
		return func(s *signins.SignIn) bool { return int(s.ErrorCode) == code }, nil
	}
	value, err := unquote(operand)
	if err != nil {
		return nil, err
	}
	property := textProperties[name]
	return func(s *signins.SignIn) bool { return property(s) == value }, nil
}

// splitTop splits text at separators outside of parentheses and texts.
func splitTop(text, separator string) ([]string, error) {
	var parts []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted // two in a row stand for one, and come to the same
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return nil, errors.New("a parenthesis is closed that was not opened")
			}
		case depth == 0 && strings.HasPrefix(text[i:], separator):
			parts = append(parts, text[start:i])
			i += len(separator) - 1
			start = i + 1
		}
	}
	if depth != 0 || quoted {
		return nil, errors.New("it ends in the middle")
	}
	return append(parts, text[start:]), nil
}

// unquote reads a text in apostrophes, in which two stand for one.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' || strings.Contains(strings.ReplaceAll(s[1:len(s)-1], "''", ""), "'") {
		return "", fmt.Errorf("%.60q is no text", s)
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'"), nil
}
