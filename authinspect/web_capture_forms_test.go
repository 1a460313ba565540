package authinspect_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
)

// A reply is an answer to be shown in many forms.
type reply struct {
	status int
	fields [][2]string
}

func (r reply) line() string {
	return fmt.Sprintf("HTTP/1.1 %d %s", r.status, http.StatusText(r.status))
}

// lines returns every field between before and after.
func (r reply) lines(before, separator, after string) string {
	var b strings.Builder
	for _, f := range r.fields {
		b.WriteString(before + f[0] + separator + f[1] + after)
	}
	return b.String()
}

func (r reply) raw(eol string) string { return r.line() + eol + r.lines("", ": ", eol) + eol }

// joined returns each name once, in the order given, with its values.
func (r reply) joined() (names []string, values map[string][]string) {
	values = map[string][]string{}
	for _, f := range r.fields {
		if values[f[0]] == nil {
			names = append(names, f[0])
		}
		values[f[0]] = append(values[f[0]], f[1])
	}
	return names, values
}

// each returns every name with its values, made into text by show.
func (r reply) each(show func(name string, values []string) string, between string) string {
	names, values := r.joined()
	var parts []string
	for _, n := range names {
		parts = append(parts, show(n, values[n]))
	}
	return strings.Join(parts, between)
}

func quoteAll(values []string, quote func(string) string) string {
	var q []string
	for _, v := range values {
		q = append(q, quote(v))
	}
	return strings.Join(q, ", ")
}

func pythonQuote(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
}

func asJSON(v any, indent string) string {
	b, _ := json.MarshalIndent(v, "", indent)
	return string(b)
}

// broken breaks every line at the width of a console.
func broken(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for runes := []rune(strings.TrimRight(line, "\r\n")); ; {
			n := min(width, len(runes))
			b.WriteString(string(runes[:n]) + "\n")
			if runes = runes[n:]; len(runes) == 0 {
				break
			}
		}
	}
	return b.String()
}

// list is Format-List of PowerShell: the value's lines stand in a column, and
// are broken at the width.
func list(width int, pairs ...[2]string) string {
	column := 0
	for _, p := range pairs {
		column = max(column, len(p[0]))
	}
	var b strings.Builder
	for _, p := range pairs {
		before := fmt.Sprintf("%-*s : ", column, p[0])
		for line := range strings.Lines(p[1]) {
			for runes := []rune(strings.TrimRight(line, "\r\n")); ; {
				n := min(width-column-3, len(runes))
				b.WriteString(before + string(runes[:n]) + "\n")
				before = strings.Repeat(" ", column+3)
				if runes = runes[n:]; len(runes) == 0 {
					break
				}
			}
		}
	}
	return b.String()
}

func table(r reply, braces bool) string {
	width := 3
	for _, f := range r.fields {
		width = max(width, len(f[0]))
	}
	row := func(a, b string) string { return strings.TrimRight(fmt.Sprintf("%-*s %s", width, a, b), " ") + "\n" }
	return "\n" + row("Key", "Value") + row("---", "-----") + r.each(func(name string, values []string) string {
		value := strings.Join(values, ", ")
		if braces {
			value = "{" + value + "}"
		}
		return strings.TrimSuffix(row(name, value), "\n")
	}, "\n") + "\n\n"
}

func xxd(data string, wide bool) string {
	var b strings.Builder
	for i := 0; i < len(data); i += 16 {
		chunk := data[i:min(i+16, len(data))]
		shown := strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return '.'
			}
			return c
		}, chunk)
		groups := ""
		for j := range len(chunk) {
			groups += hex.EncodeToString([]byte{chunk[j]})
			if wide || j%2 == 1 {
				groups += " "
			}
			if wide && j == 7 {
				groups += " "
			}
		}
		if wide {
			fmt.Fprintf(&b, "%08x  %-49s |%s|\n", i, groups, shown)
		} else {
			fmt.Fprintf(&b, "%08x: %-40s %s\n", i, groups, shown)
		}
	}
	return b.String()
}

func curlTrace(r reply, ascii bool) string {
	var b strings.Builder
	b.WriteString("== Info: Connected to mail.contoso.test (192.0.2.1) port 443\n=> Send header, 64 bytes (0x40)\n")
	dump := func(data string) {
		width := 16
		if ascii {
			width = 64
		}
		if ascii {
			data = strings.TrimSuffix(data, "\r\n")
		}
		for i := 0; i < max(1, len(data)); i += width {
			chunk := data[min(i, len(data)):min(i+width, len(data))]
			if ascii {
				fmt.Fprintf(&b, "%04x: %s\n", i, chunk)
				continue
			}
			fmt.Fprintf(&b, "%04x: ", i)
			for j := range 16 {
				if j < len(chunk) {
					fmt.Fprintf(&b, "%02x ", chunk[j])
				} else {
					b.WriteString("   ")
				}
			}
			b.WriteString(strings.NewReplacer("\r", ".", "\n", ".").Replace(chunk) + "\n")
		}
	}
	dump("GET /EWS/Exchange.asmx HTTP/1.1\r\n")
	for line := range strings.Lines(r.raw("\r\n")) {
		fmt.Fprintf(&b, "<= Recv header, %d bytes (%#x)\n", len(line), len(line))
		dump(line)
	}
	return b.String() + "== Info: Connection #0 left intact\n"
}

func mergedJSON(r reply) map[string]any {
	names, values := r.joined()
	m := map[string]any{}
	for _, n := range names {
		m[n] = strings.Join(values[n], ", ")
	}
	return m
}

func listsJSON(r reply) map[string][]string {
	_, values := r.joined()
	return values
}

// forms are the ways in which people have an answer. Those whose name ends in
// "*" do not show the status.
var forms = map[string]func(r reply) string{
	"curl -i":        func(r reply) string { return r.raw("\r\n") },
	"curl -I in cmd": func(r reply) string { return r.raw("\r\r\n") },
	"with a body": func(r reply) string {
		return r.raw("\n") + "<html>\n<body>Unauthorized: Access is denied.</body>\n</html>\n"
	},
	"curl -v": func(r reply) string {
		return "* Connected to x\n> GET /EWS HTTP/1.1\n> User-Agent: curl\n> Authorization: Basic c2VjcmV0\n>\n< " + r.line() + "\n" + r.lines("< ", ": ", "\n") + "<\n* left intact\n"
	},
	"curl --trace-ascii": func(r reply) string { return curlTrace(r, true) },
	"curl --trace":       func(r reply) string { return curlTrace(r, false) },
	"xxd":                func(r reply) string { return xxd(r.raw("\r\n"), false) },
	"hexdump -C":         func(r reply) string { return xxd(r.raw("\r\n"), true) },
	"wget -S": func(r reply) string {
		return "--2026-11-25--  https://x/\nHTTP request sent, awaiting response...\n  " + r.line() + "\n" + r.lines("  ", ": ", "\n") + "\nUsername/Password Authentication Failed.\n"
	},
	"nmap http-headers*": func(r reply) string {
		return "PORT STATE SERVICE\n443/tcp open https\n| http-headers: \n" + r.lines("|   ", ": ", "\n") + "|   \n|_  (Request type: GET)\n"
	},
	"upper case": func(r reply) string { return r.line() + "\n" + strings.Join(upper(r), "\n") + "\n" },
	"lower case, merged": func(r reply) string {
		return r.line() + "\n" + r.each(func(n string, v []string) string { return strings.ToLower(n) + ": " + strings.Join(v, ", ") }, "\n") + "\n"
	},
	"folded": func(r reply) string {
		return r.line() + "\n" + r.each(func(n string, v []string) string { return n + ": " + strings.Join(v, ",\n\t") }, "\n") + "\n"
	},
	"quoted mail": func(r reply) string {
		return "Hi,\n\n> " + strings.ReplaceAll(strings.TrimSpace(r.raw("\n")), "\n", "\n> ") + "\n"
	},
	"mail quoted twice": func(r reply) string {
		return "> > " + strings.ReplaceAll(strings.TrimSpace(r.raw("\n")), "\n", "\n> > ") + "\n"
	},
	"curl -v, quoted": func(r reply) string {
		return "> * Connected\n> > GET / HTTP/1.1\n> > Host: x\n> < " + r.line() + "\n" + r.lines("> < ", ": ", "\n") + "> <\n"
	},
	"fence": func(r reply) string { return "Here it is:\n\n```http\n" + r.raw("\n") + "```\n" },
	"indented": func(r reply) string {
		return "    " + strings.ReplaceAll(strings.TrimSpace(r.raw("\n")), "\n", "\n    ") + "\n"
	},
	"Markdown list": func(r reply) string { return "- `" + r.line() + "`\n" + r.lines("- `", ": ", "`\n") },
	"Markdown, bold": func(r reply) string {
		return "**Status:** " + strconv.Itoa(r.status) + "\n" + r.lines("* **", ":** ", "\n")
	},
	"Markdown table*": func(r reply) string { return "| Header | Value |\n| --- | --- |\n" + r.lines("| ", " | ", " |\n") },
	"HTML entities":   func(r reply) string { return html.EscapeString(r.raw("\n")) },
	"HTML table*": func(r reply) string {
		return "<table>\n" + strings.ReplaceAll(htmlRows(r), "\n\n", "\n") + "</table>\n"
	},
	"typographic quotes": func(r reply) string {
		return strings.ReplaceAll(strings.ReplaceAll(r.raw("\n"), `="`, "=“"), `"`, "”")
	},
	"colours": func(r reply) string {
		return "\x1b[1m" + r.line() + "\x1b[0m\n" + r.lines("\x1b[36m", "\x1b[39m: \x1b[33m", "\x1b[0m\n")
	},
	"arrows*":      func(r reply) string { return r.lines("", " →", "\n") },
	"fat arrows*":  func(r reply) string { return r.lines("", " => ", "\n") },
	"thin arrows*": func(r reply) string { return r.lines("", " -> ", "\n") },
	"tabs*":        func(r reply) string { return r.lines("", "\t", "\n") },
	"Chrome": func(r reply) string {
		return "Request URL:\nhttps://x/\nStatus Code:\n" + strconv.Itoa(r.status) + " " + http.StatusText(r.status) + "\n" + r.lines("", ":\n", "\n")
	},
	"Firefox": func(r reply) string {
		return "Status\n\t" + strconv.Itoa(r.status) + " " + http.StatusText(r.status) + "\n" + r.lines("", "\n\t", "\n")
	},
	"httpclient's headers": func(r reply) string {
		return wireLog(r, `2026-11-17 08:14:02,110 DEBUG [c-1] org.apache.http.headers - http-outgoing-0 `, "", "")
	},
	"httpclient's wire": func(r reply) string {
		return wireLog(r, `2026/11/17 08:14:02:110 GMT [DEBUG] wire - http-outgoing-3 `, `"`, `[\r][\n]"`)
	},
	"KIO": func(r reply) string {
		return "kf5.kio.kio_http: " + strconv.Quote(r.line()) + "\n" + strings.Join(quotedLines(r, "kf5.kio.kio_http: "), "\n") + "\n"
	},
	"journal": func(r reply) string {
		return "Nov 17 08:14:02 host app[99]: " + r.line() + "\n" + r.lines("Nov 17 08:14:02 host app[99]: ", ": ", "\n")
	},
	"http.client": func(r reply) string {
		return "send: b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'\nreply: '" + r.line() + "\\r\\n'\n" + r.lines("header: ", ": ", "\n")
	},
	"bytes":    func(r reply) string { return "b'" + strings.ReplaceAll(r.raw("\n"), "\n", `\r\n`) + "'\n" },
	"one line": func(r reply) string { return r.line() + " " + strings.TrimSpace(r.lines("", ": ", " ")) + "\n" },
	"Python dict": func(r reply) string {
		return strconv.Itoa(r.status) + " {" + r.each(func(n string, v []string) string { return "'" + n + "': " + pythonQuote(strings.Join(v, ", ")) }, ", ") + "}\n"
	},
	"exchangelib": func(r reply) string {
		return "Status code: " + strconv.Itoa(r.status) + "\nRequest headers: {'User-Agent': 'x'}\nResponse headers: {" + r.each(func(n string, v []string) string { return "'" + n + "': " + pythonQuote(strings.Join(v, ", ")) }, ", ") + "}\n"
	},
	"Python tuples*": func(r reply) string {
		return "[" + strings.TrimSuffix(joinFields(r, func(n, v string) string { return "('" + n + "', " + pythonQuote(v) + "), " }), ", ") + "]\n"
	},
	"Python bytes*": func(r reply) string {
		return "[" + joinFields(r, func(n, v string) string { return "(b'" + n + "', b" + pythonQuote(v) + "), " }) + "]\n"
	},
	"CIMultiDict*": func(r reply) string {
		return "<CIMultiDictProxy(" + joinFields(r, func(n, v string) string { return "'" + n + "': " + pythonQuote(v) + ", " }) + ")>\n"
	},
	"Go map*": func(r reply) string {
		return "map[" + r.each(func(n string, v []string) string { return n + ":[" + strings.Join(v, " ") + "]" }, " ") + "]\n"
	},
	"Go %#v*": func(r reply) string {
		return "http.Header{" + r.each(func(n string, v []string) string {
			return strconv.Quote(n) + ":[]string{" + quoteAll(v, strconv.Quote) + "}"
		}, ", ") + "}\n"
	},
	"Go %q*": func(r reply) string {
		return "map[" + r.each(func(n string, v []string) string {
			return strconv.Quote(n) + ":[" + strings.ReplaceAll(quoteAll(v, strconv.Quote), ", ", " ") + "]"
		}, " ") + "]\n"
	},
	"Go response": func(r reply) string {
		return "&{Status:" + strconv.Itoa(r.status) + " " + http.StatusText(r.status) + " StatusCode:" + strconv.Itoa(r.status) + " Proto:HTTP/1.1 ProtoMajor:1 ProtoMinor:1 Header:map[" + r.each(func(n string, v []string) string { return n + ":[" + strings.Join(v, " ") + "]" }, " ") + "] Body:{} ContentLength:0}\n"
	},
	"Java map*": func(r reply) string {
		return "{" + r.each(func(n string, v []string) string { return n + "=[" + strings.Join(v, ", ") + "]" }, ", ") + "}\n"
	},
	"Java URLConnection": func(r reply) string {
		return "{null=[" + r.line() + "], " + r.each(func(n string, v []string) string { return n + "=[" + strings.Join(v, ", ") + "]" }, ", ") + "}\n"
	},
	"okhttp": func(r reply) string {
		return "--> GET https://x/EWS\nUser-Agent: okhttp\n--> END GET\n<-- " + strconv.Itoa(r.status) + " " + http.StatusText(r.status) + " https://x/EWS (12ms)\n" + r.lines("", ": ", "\n") + "<-- END HTTP\n"
	},
	"Ruby*": func(r reply) string {
		return "{" + r.each(func(n string, v []string) string {
			return strconv.Quote(strings.ToLower(n)) + "=>[" + quoteAll(v, strconv.Quote) + "]"
		}, ", ") + "}\n"
	},
	"Perl*": func(r reply) string {
		return "$VAR1 = {\n" + r.each(func(n string, v []string) string {
			return "  '" + strings.ToLower(n) + "' => [\n    " + strings.ReplaceAll(quoteAll(v, pythonQuote), "', '", "',\n    '") + "\n  ]"
		}, ",\n") + "\n};\n"
	},
	"print_r*": func(r reply) string {
		return "Array\n(\n" + r.each(func(n string, v []string) string {
			s := "    [" + n + "] => Array\n        (\n"
			for i, x := range v {
				s += fmt.Sprintf("            [%d] => %s\n", i, x)
			}
			return s + "        )\n"
		}, "\n") + ")\n"
	},
	"YAML*": func(r reply) string {
		return r.each(func(n string, v []string) string {
			s := n + ":\n"
			for _, x := range v {
				s += "  - " + pythonQuote(x) + "\n"
			}
			return s
		}, "")
	},
	"Node headers": func(r reply) string {
		return strconv.Itoa(r.status) + " {\n" + r.each(func(n string, v []string) string {
			return "  '" + strings.ToLower(n) + "': " + pythonQuote(strings.Join(v, ", "))
		}, ",\n") + "\n}\n"
	},
	"axios": func(r reply) string {
		return "{\n  status: " + strconv.Itoa(r.status) + ",\n  statusText: 'Unauthorized',\n  headers: AxiosHeaders {\n" + r.each(func(n string, v []string) string {
			return "    '" + strings.ToLower(n) + "': " + pythonQuote(strings.Join(v, ", "))
		}, ",\n") + "\n  },\n  config: { headers: { 'User-Agent': 'axios' } }\n}\n"
	},
	"Node rawHeaders*": func(r reply) string {
		return "[\n" + joinFields(r, func(n, v string) string { return "  '" + n + "',\n  " + pythonQuote(v) + ",\n" }) + "]\n"
	},
	"JSON, merged": func(r reply) string {
		return asJSON(map[string]any{"a": 1, "status": r.status, "headers": mergedJSON(r)}, "  ")
	},
	"JSON, lists": func(r reply) string {
		return asJSON(map[string]any{"StatusCode": r.status, "Headers": listsJSON(r)}, "  ")
	},
	"JSON, lists, one line": func(r reply) string {
		return asJSON(map[string]any{"StatusCode": r.status, "Headers": listsJSON(r)}, "")
	},
	"JSON, status behind":  func(r reply) string { return asJSON(map[string]any{"headers": listsJSON(r), "status": r.status}, " ") },
	"JSON pairs*":          func(r reply) string { return asJSON(pairs(r, "Key", "Value"), "  ") },
	"JSON pairs of names*": func(r reply) string { return asJSON(pairs(r, "name", "value"), "") },
	"JSON arrays*":         func(r reply) string { return asJSON(r.fields, "  ") },
	"HAR": func(r reply) string {
		return asJSON(map[string]any{"log": map[string]any{"entries": []any{map[string]any{"request": map[string]any{"method": "GET", "headers": []any{map[string]any{"name": "User-Agent", "value": "x"}}}, "response": map[string]any{"status": r.status, "httpVersion": "HTTP/1.1", "headers": pairs(r, "name", "value"), "_a": 0}}}}}, " ")
	},
	"JSON RawContent": func(r reply) string {
		return asJSON(map[string]any{"RawContent": r.raw("\r\n"), "StatusCode": r.status}, "  ")
	},
	"CSV*": func(r reply) string {
		return "\"Key\",\"Value\"\n" + joinFields(r, func(n, v string) string { return `"` + n + `","` + strings.ReplaceAll(v, `"`, `""`) + "\"\n" })
	},
	"PowerShell table":     func(r reply) string { return strconv.Itoa(r.status) + "\n" + table(r, true) },
	"PowerShell 5.1 table": func(r reply) string { return strconv.Itoa(r.status) + "\n" + table(r, false) },
	"Key and Value*": func(r reply) string {
		return "\n" + r.each(func(n string, v []string) string {
			return list(120, [2]string{"Key", n}, [2]string{"Value", "{" + strings.Join(v, ", ") + "}"})
		}, "\n")
	},
	"Name and Value*": func(r reply) string {
		return "\n" + r.each(func(n string, v []string) string {
			return list(80, [2]string{"Name", n}, [2]string{"Value", strings.Join(v, ", ")})
		}, "\n")
	},
	"Format-List": func(r reply) string {
		return "\n" + list(120, [2]string{"StatusCode", strconv.Itoa(r.status)}, [2]string{"StatusDescription", http.StatusText(r.status)}, [2]string{"RawContent", r.raw("\n")}, [2]string{"Headers", "{[Server, System.String[]], [Date, System.String[]]…}"}, [2]string{"RawContentLength", "0"})
	},
	"Format-List at 80": func(r reply) string {
		return "\n" + list(80, [2]string{"StatusCode", strconv.Itoa(r.status)}, [2]string{"Content", "{}"}, [2]string{"RawContent", r.raw("\n")}, [2]string{"RelationLink", "{}"})
	},
	"Format-List 5.1": func(r reply) string {
		return "\n" + list(5000, [2]string{"StatusCode", strconv.Itoa(r.status)}, [2]string{"Headers", "{" + r.each(func(n string, v []string) string { return "[" + n + ", " + strings.Join(v, ",") + "]" }, ", ") + "}"})
	},
	"Format-List, broken": func(r reply) string {
		return "\n" + list(100, [2]string{"StatusCode", strconv.Itoa(r.status)}, [2]string{"Headers", "{" + r.each(func(n string, v []string) string { return "[" + n + ", " + strings.Join(v, ",") + "]" }, ", ") + "}"})
	},
	"hashtable*": func(r reply) string {
		return "@{" + r.each(func(n string, v []string) string { return n + "=" + strings.Join(v, ", ") }, "; ") + "}\n"
	},
	".NET ToString": func(r reply) string {
		return "StatusCode: " + strconv.Itoa(r.status) + ", ReasonPhrase: 'Unauthorized', Version: 1.1, Content: System.Net.Http.X, Headers:\n{\n" + r.each(func(n string, v []string) string { return "  " + n + ": " + strings.Join(v, ", ") }, "\n") + "\n}\n"
	},
	"broken at 80":      func(r reply) string { return broken(r.raw("\n"), 80) },
	"broken at 120":     func(r reply) string { return broken(r.raw("\n"), 120) },
	"broken at 100, -v": func(r reply) string { return broken("< "+r.line()+"\n"+r.lines("< ", ": ", "\n"), 100) },
	"JSON broken at 80": func(r reply) string {
		return broken(asJSON(map[string]any{"StatusCode": r.status, "Headers": listsJSON(r)}, "  "), 80)
	},
	"UTF-16": func(r reply) string {
		s := "\xff\xfe"
		for _, u := range utf16.Encode([]rune(r.raw("\r\n"))) {
			s += string([]byte{byte(u), byte(u >> 8)})
		}
		return s
	},
	"UTF-16, no mark": func(r reply) string {
		s := ""
		for _, u := range utf16.Encode([]rune(r.raw("\r\n"))) {
			s += string([]byte{byte(u), byte(u >> 8)})
		}
		return s
	},
	"Fiddler": func(r reply) string {
		return "GET https://x/EWS HTTP/1.1\nHost: x\nAuthorization: Basic c2VjcmV0\n\n\n" + r.raw("\n") + "\n------------------------------------------------------------------\n"
	},
	"Fiddler's tree": func(r reply) string { return r.line() + "\nSecurity\n" + r.lines("    ", ": ", "\n") + "\n" },
}

func upper(r reply) (lines []string) {
	for _, f := range r.fields {
		lines = append(lines, strings.ToUpper(f[0])+": "+f[1])
	}
	return lines
}

func htmlRows(r reply) string {
	return joinFields(r, func(n, v string) string { return "<tr><td>" + n + "</td><td>" + html.EscapeString(v) + "</td></tr>\n" })
}

func joinFields(r reply, show func(name, value string) string) string {
	var b strings.Builder
	for _, f := range r.fields {
		b.WriteString(show(f[0], f[1]))
	}
	return b.String()
}

func pairs(r reply, name, value string) (list []map[string]string) {
	for _, f := range r.fields {
		list = append(list, map[string]string{name: f[0], value: f[1]})
	}
	return list
}

func wireLog(r reply, before, open, end string) string {
	return before + ">> " + open + "GET /EWS/Exchange.asmx HTTP/1.1" + end + "\n" + before + ">> " + open + "Authorization: Basic c2VjcmV0" + end + "\n" +
		before + "<< " + open + r.line() + end + "\n" + r.lines(before+"<< "+open, ": ", end+"\n")
}

func quotedLines(r reply, before string) (lines []string) {
	for _, f := range r.fields {
		lines = append(lines, before+strconv.Quote(f[0]+": "+f[1]))
	}
	return lines
}

// someReply makes an answer up.
func someReply(r *rand.Rand) reply {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	a := reply{status: []int{401, 401, 401, 403, 200}[r.IntN(5)]}
	add := func(name, value string) { a.fields = append(a.fields, [2]string{name, value}) }
	add("Server", pick("Microsoft-IIS/10.0", "Microsoft-IIS/8.5"))
	add("request-id", fmt.Sprintf("%08x-9a8b-4c7d-8e6f-0a1b2c3d4e5f", r.Uint32()))
	add("X-OWA-Version", pick("15.2.1748.10", "15.1.2507.6", "15.2.2562.17"))
	challenges := []string{
		`Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"`,
		`Bearer client_id="00000002-0000-0ff1-ce00-000000000000", authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize"`,
		"Negotiate", "NTLM", `Basic realm="mail.contoso.test"`, `Digest realm="contoso", nonce="a1b2c3d4e5f6", qop="auth", algorithm=MD5`,
	}
	if r.IntN(2) == 0 {
		challenges = challenges[1:]
	} else {
		challenges = append(challenges[:1], challenges[2:]...)
	}
	for _, c := range challenges {
		if r.IntN(3) > 0 && a.status == 401 {
			add("WWW-Authenticate", c)
		}
	}
	if a.status == 401 && len(a.fields) == 3 {
		add("WWW-Authenticate", "Negotiate")
	}
	add("X-FEServer", pick("EX01", "EX02", "MBX-7"))
	if r.IntN(2) == 0 {
		add("X-Powered-By", "ASP.NET")
	}
	add("Content-Length", "0")
	add("Date", "Wed, 25 Nov 2026 10:00:00 GMT")
	return a
}

// In whatever form an answer is pasted, the verdict is the same.
func TestCaptureForms(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	replies := make([]reply, 12)
	for i := range replies {
		replies[i] = someReply(r)
	}
	verdict := func(text string) (string, *authinspect.Result) {
		answers, _, err := authinspect.ReadAnswers(strings.NewReader(text))
		if err != nil {
			return err.Error(), nil
		}
		status := 0
		for _, a := range answers {
			status = max(status, a.Status)
		}
		c := authinspect.Conclude("-", "", answers...)
		missing := findingStatus(c, "challenge-missing").String() + findingStatus(c, "challenge-malformed").String()
		issuer := ""
		if c.Issuer != nil {
			issuer = c.Issuer.Kind + " " + c.Issuer.AuthorizationURI
		}
		return fmt.Sprint(status, " ", len(answers), " ", c.Schemes, c.Modern, issuer, c.Server.Kind, c.Server.Version, c.Server.FrontEnd, missing), c
	}
	if dir := os.Getenv("FORMS"); dir != "" {
		for name, form := range forms {
			os.WriteFile(dir+"/"+strings.ReplaceAll(name, " ", "_"), []byte(form(replies[0])), 0o600)
		}
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			for _, a := range replies {
				text := form(a)
				want, _ := verdict(a.raw("\n"))
				if strings.HasSuffix(name, "*") {
					want = "0" + want[3:]
				}
				got, c := verdict(text)
				require.Equal(t, want, got, text)
				data, err := json.Marshal(c)
				require.NoError(t, err)
				require.NotContains(t, string(data), "c2VjcmV0")
			}
		})
	}
	t.Logf("%d forms", len(forms))
	assert.GreaterOrEqual(t, len(forms), 80)
}
