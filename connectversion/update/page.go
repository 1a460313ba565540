package main

import (
	"bytes"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

	"golang.org/x/net/html"

	"github.com/crossprem/crossprem/internal/wintext"
)

// A line is one block of a page: a heading, a paragraph, an item of a list or
// a row of a table, in the shape that Markdown has.
type line struct {
	number int // in the file, from 1
	text   string
}

// linesOf returns the blocks of a page in Markdown or HTML.
func linesOf(page []byte) ([]line, error) {
	text, err := wintext.Decode(page)
	if err != nil {
		return nil, errors.New("not text in UTF-8 or UTF-16")
	}
	if isHTML(text) {
		return htmlLines(text)
	}
	var lines []line
	fenced := false
	for i, s := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if s = strings.TrimSpace(s); strings.HasPrefix(s, "```") || strings.HasPrefix(s, "~~~") {
			fenced = !fenced // a sample is no heading
		}
		if fenced {
			s = ""
		}
		lines = append(lines, line{i + 1, s})
	}
	return lines, nil
}

func isHTML(text string) bool {
	head := strings.ToLower(text[:min(len(text), 4096)])
	head = strings.TrimSpace(head)
	return strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<!--") && strings.Contains(head, "<html") ||
		strings.HasPrefix(head, "<") && (strings.Contains(head, "<h1") || strings.Contains(head, "<h2") || strings.Contains(head, "<body"))
}

// blocks are the elements that begin a line of their own.
var blocks = map[string]bool{"p": true, "li": true, "div": true, "section": true, "article": true, "main": true, "ul": true, "ol": true, "blockquote": true,
	"table": true, "dl": true, "dt": true, "dd": true, "br": true, "hr": true, "header": true, "footer": true, "nav": true, "pre": true, "body": true}

// hidden are the elements whose text is none of the page's.
var hidden = map[string]bool{"script": true, "style": true, "noscript": true, "template": true, "svg": true, "title": true, "button": true, "select": true, "textarea": true}

// htmlLines makes lines of HTML as a browser saves it.
func htmlLines(text string) ([]line, error) {
	var lines []line
	var now strings.Builder
	var cells []string
	number, began, skip := 1, 1, ""
	prefix, inCell := "", false
	flush := func() {
		s := strings.Join(strings.Fields(now.String()), " ")
		now.Reset()
		if s != "" {
			lines = append(lines, line{began, prefix + s})
		}
		prefix, began = "", number
	}
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(1 << 20)
	for {
		kind := z.Next()
		raw := z.Raw()
		next := number + bytes.Count(raw, []byte("\n"))
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				return nil, errors.New("HTML that cannot be read")
			}
			flush()
			return lines, nil
		}
		name, _ := z.TagName()
		tag := string(name)
		switch {
		case skip != "":
			if kind == html.EndTagToken && tag == skip {
				skip = ""
			}
		case kind == html.TextToken:
			if strings.TrimSpace(now.String()) == "" {
				began = number + leadingLines(raw)
			}
			now.WriteString(html.UnescapeString(string(raw)))
		case kind == html.StartTagToken && hidden[tag]:
			skip = tag
		case tag == "tr":
			flush()
			if kind == html.EndTagToken && len(cells) > 0 {
				lines = append(lines, line{began, "| " + strings.Join(cells, " | ") + " |"})
			}
			cells, began = nil, number
		case tag == "td" || tag == "th":
			if kind == html.EndTagToken || inCell { // the end of a cell may be left out
				cells = append(cells, strings.ReplaceAll(strings.Join(strings.Fields(now.String()), " "), "|", "/"))
			}
			now.Reset()
			inCell = kind == html.StartTagToken
		case inCell:
			now.WriteString(" ")
		case len(tag) == 2 && tag[0] == 'h' && tag[1] >= '1' && tag[1] <= '6':
			flush()
			if kind == html.StartTagToken {
				prefix = strings.Repeat("#", int(tag[1]-'0')) + " "
			}
		case blocks[tag]:
			flush()
			if tag == "table" {
				lines = append(lines, line{number, ""})
			}
			if tag == "li" && kind == html.StartTagToken {
				prefix = "- "
			}
		}
		number = next
	}
}

// leadingLines counts the line ends before the first word.
func leadingLines(raw []byte) int {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	return bytes.Count(raw[:len(raw)-len(trimmed)], []byte("\n"))
}

// anAddress is where a saved page says that it is from.
var anAddress = regexp.MustCompile(`(?i)<(?:link|meta)\b[^>]*(?:rel=["']?canonical|property=["']?og:url)[^>]*?(?:href|content)=["']([^"']+)["']`)

// isPage reports whether a file is the page p: by its name, or if it is HTML,
// by the address that it names.
func isPage(p pageOf, file string, text []byte) bool {
	stem := strings.TrimSuffix(p.name, ".md")
	ext := strings.ToLower(path.Ext(file))
	if ext != ".md" && ext != ".html" && ext != ".htm" {
		return false
	}
	if strings.HasSuffix("/"+strings.TrimSuffix(file, path.Ext(file)), "/"+stem) {
		return true
	}
	if ext == ".md" || text == nil {
		return false
	}
	found := anAddress.FindSubmatch(text[:min(len(text), 64<<10)])
	if found == nil {
		return false
	}
	address, _, _ := strings.Cut(string(found[1]), "?")
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/"), ".html")
	return strings.HasSuffix(address, "/"+stem) || p.address != "" && strings.HasSuffix(address, "/"+p.address)
}
