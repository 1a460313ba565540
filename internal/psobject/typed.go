package psobject

import (
	"regexp"
	"strings"
)

// The prompts of PowerShell, of a remote session, of a debugger and of the
// Exchange Management Shell: "PS C:\>", "[ex01]: PS C:\>", "[PS] C:\>".
var prompt = regexp.MustCompile(`^(?:\([\w .-]{1,64}\) )?(?:\[PS\] [^<>"|?*]{0,512}|(?:\[[^\]]{1,256}\]: )?PS(?: [^<>"|?*]{0,512})?)>{1,3} ?`)

// trace is what a transcript writes in the place of a command when a command
// ran others.
var trace = regexp.MustCompile(`^(?:CommandInvocation|ParameterBinding|TerminatingError|NonTerminatingError)\(`)

// typed returns what was typed after the prompt with which line begins.
func typed(line string) (string, bool) {
	if !strings.Contains(line, ">") {
		return "", false
	}
	at := prompt.FindStringIndex(line)
	if at == nil {
		return "", false
	}
	return line[at[1]:], true
}

// Variables are those of a session, in lower case, with the commands whose
// objects they hold.
type variables map[string]string

// printed returns the cmdlet whose objects a line of input prints, and "" if
// there is none or it cannot be told: what an expression picks out of the
// objects is not the cmdlet's. Assigned reports that the objects went into a
// variable, so that nothing is to be seen of them.
func (vars variables) printed(input string) (command string, assigned bool) {
	found := ""
	for _, statement := range splitTyped(input, ';') {
		name, expression, isAssignment := assignment(statement)
		from := vars.pipeline(expression, 0)
		if isAssignment {
			if len(vars) < 1024 {
				vars[strings.ToLower(name)] = from
			}
			if found == "" && !assigned {
				command = from
			}
			assigned = true
			continue
		}
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if from == "" {
			return "", false
		}
		if found != "" && found != from {
			return "", false // two commands, and no telling where the first ends
		}
		found = from
	}
	if found != "" {
		return found, false
	}
	return command, assigned
}

var assigning = regexp.MustCompile(`^\s*(?:\[[\w.\[\]]+\]\s*)?\$([\w:]+)\s*\+?=([^=]|$)`)

// assignment splits $name = expression.
func assignment(s string) (name, expression string, ok bool) {
	m := assigning.FindStringSubmatchIndex(s)
	if m == nil {
		return "", s, false
	}
	return s[m[2]:m[3]], s[m[4]:], true
}

// passing are the cmdlets and aliases that pass their objects on.
var passing = func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields("where-object where ? sort-object sort select-object select format-list fl format-table ft " +
		"format-custom fc out-string oss out-host oh out-file out-default tee-object tee convertto-json convertto-csv convertto-xml " +
		"export-csv epcsv export-clixml get-unique gu more out-gridview ogv clip set-clipboard scb") {
		m[name] = true
	}
	return m
}()

// picking are the cmdlets and aliases of whose input nothing but parts or
// sums is printed.
var picking = func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields("foreach-object foreach % measure-object measure group-object group get-member gm " +
		"compare-object diff select-string sls format-wide fw join-string") {
		m[name] = true
	}
	return m
}()

var expanding = regexp.MustCompile(`(?i)\s-(?:expandproperty|expandpropert|expandproper|expandprope|expandprop|expandpro|expandpr|expandp|expand|expan|expa|exp)\b`)

var cmdletWord = regexp.MustCompile(`^[A-Za-z]+-[A-Za-z][A-Za-z0-9]*$`)

// pipeline returns the cmdlet whose objects come out of a pipeline.
func (vars variables) pipeline(s string, depth int) string {
	if depth > 16 {
		return ""
	}
	command := ""
	for i, stage := range splitTyped(s, '|') {
		stage = strings.TrimSpace(stage)
		stage = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(stage, "& "), ". "))
		if stage == "" {
			continue
		}
		if i == 0 {
			if inner, rest, ok := parenthesized(stage); ok {
				if rest = strings.TrimSpace(rest); rest != "" && !indexed(rest) {
					return ""
				}
				if command = vars.pipeline(inner, depth+1); command == "" {
					return ""
				}
				continue
			}
			if name, ok := strings.CutPrefix(stage, "$"); ok {
				word := name
				if at := strings.IndexFunc(name, func(r rune) bool { return !isLetterOrDigit(r) && r != '_' && r != ':' }); at >= 0 {
					word = name[:at]
					if !indexed(strings.TrimSpace(name[at:])) {
						return ""
					}
				}
				if command = vars[strings.ToLower(word)]; command == "" {
					return ""
				}
				continue
			}
		}
		word := stage
		if at := strings.IndexAny(stage, " \t\n"); at >= 0 {
			word = stage[:at]
		}
		lower := strings.ToLower(word[strings.LastIndexByte(word, '\\')+1:])
		switch {
		case passing[lower]:
			if strings.HasPrefix(lower, "select") && expanding.MatchString(stage) {
				return ""
			}
		case picking[lower]:
			return ""
		case lower == "invoke-command" || lower == "icm":
			open, end := strings.IndexByte(stage, '{'), strings.LastIndexByte(stage, '}')
			if open < 0 || end < open {
				return ""
			}
			if command = vars.pipeline(stage[open+1:end], depth+1); command == "" {
				return ""
			}
		case cmdletWord.MatchString(lower):
			command = properCommand(word[strings.LastIndexByte(word, '\\')+1:])
		default:
			return ""
		}
	}
	return command
}

// indexed reports whether s is an index such as [0], and nothing else.
func indexed(s string) bool {
	return strings.HasPrefix(s, "[") && strings.IndexByte(s, ']') == len(s)-1
}

// parenthesized splits "(inner) rest", with @, $ or & before it, and braces
// after &.
func parenthesized(s string) (inner, rest string, ok bool) {
	t := strings.TrimLeft(s, "@$&. ")
	if t == "" || t[0] != '(' && t[0] != '{' {
		return "", "", false
	}
	depth := 0
	var quote byte
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(' || c == '{' || c == '[':
			depth++
		case c == ')' || c == '}' || c == ']':
			if depth--; depth == 0 {
				return t[1:i], t[i+1:], true
			}
		}
	}
	return "", "", false
}

// splitTyped splits s at a letter that stands outside of quotes and
// parentheses.
func splitTyped(s string, at byte) []string {
	var parts []string
	depth, start := 0, 0
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '`':
			i++
		case c == '#' && at == ';' && (i == 0 || s[i-1] == ' '):
			return append(parts, s[start:i])
		case c == '(' || c == '{' || c == '[':
			depth++
		case c == ')' || c == '}' || c == ']':
			depth = max(0, depth-1)
		case c == at && depth == 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unfinished reports whether the command goes on with the next line.
func unfinished(s string) bool {
	s = strings.TrimRight(s, " \t")
	return strings.HasSuffix(s, "|") || strings.HasSuffix(s, "`") || strings.HasSuffix(s, ",")
}
