// Package regfile reads registry exports, the .reg files of regedit and
// "reg export", on any system.
//
// Both forms are read: "Windows Registry Editor Version 5.00", in UTF-16 or
// UTF-8, and REGEDIT4. All input is hostile: its size is bounded, it is read
// line by line, and errors name the line but never quote it, for a registry
// may hold secrets.
package regfile

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/crossprem/crossprem/internal/wintext"
)

// MaxSize bounds the export, in bytes.
const MaxSize = 64 << 20

// Keys are registry values by key and name. A key is written in full, as in
// the export: HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft. The default value has the
// name "". A value is a
//
//	string    REG_SZ and REG_EXPAND_SZ, not expanded
//	uint32    REG_DWORD
//	uint64    REG_QWORD
//	[]string  REG_MULTI_SZ
//	[]byte    any other type
//
// A key without values is there with an empty map. Names that the file deletes
// are not there, nor are keys, with all below them. Windows does not tell case apart in either; Keys
// hold them as they are first written.
type Keys map[string]map[string]any

// ErrNoExport reports that the input is not a registry export at all.
var ErrNoExport = errors.New("regfile: not a registry export: no header")

// Parse reads an export. Where a key or value is there several times, the last
// counts, as on import.
func Parse(r io.Reader) (Keys, error) {
	return ParseOnly(r, func(string) bool { return true })
}

// ParseOnly reads an export as [Parse] does, and keeps the keys for which keep
// returns true. The others take no memory, but their lines have to be right.
func ParseOnly(r io.Reader, keep func(key string) bool) (Keys, error) {
	limited := &io.LimitedReader{R: r, N: MaxSize + 1}
	p := parser{
		src: bufio.NewReader(wintext.NewReader(limited)), keep: keep,
		keys: make(Keys), opened: make(map[string]opened), deleted: make(map[string]int), names: make(map[string]map[string]string),
	}
	err := p.all()
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("regfile: larger than %d bytes", MaxSize)
	case errors.Is(p.err, wintext.ErrTorn): // of all errors the one that caused the others
		return nil, errors.New("regfile: breaks off within a UTF-16 character")
	case p.err != nil && !errors.Is(p.err, io.EOF):
		return nil, fmt.Errorf("regfile: %w", p.err)
	case err != nil:
		return nil, err
	}
	p.drop()
	return p.keys, nil
}

// all reads all lines, the header first.
func (p *parser) all() error {
	header, _ := p.line()
	switch strings.TrimSpace(header) {
	case "Windows Registry Editor Version 5.00":
	case "REGEDIT4":
		p.ansi = true
	default:
		return ErrNoExport
	}
	for {
		line, ok := p.line()
		if !ok {
			return nil
		}
		if err := p.entry(strings.TrimSpace(line)); err != nil {
			return fmt.Errorf("regfile: line %d: %w", p.number, err)
		}
	}
}

type parser struct {
	src    *bufio.Reader
	err    error // of src
	keep   func(key string) bool
	number int // of the line read last
	ansi   bool
	keys   Keys
	key    string // the key that values belong to, "" if none

	opened  map[string]opened            // by key in lower case
	deleted map[string]int               // by key in lower case: the last line that deletes it
	names   map[string]map[string]string // of each key: how a name, in lower case, is written
}

// opened says how a key was first written, and in which line.
type opened struct {
	key  string
	line int
}

// maxHeader is more than any header has: what is no export at all is not read
// any further.
const maxHeader = 200

// line reads a line. One that is not UTF-8 is taken for Latin-1, as good a
// guess as any in a file without a mark.
func (p *parser) line() (string, bool) {
	var line []byte
	for p.err == nil {
		var part []byte
		part, p.err = p.src.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(p.err, bufio.ErrBufferFull) {
			break
		}
		p.err = nil
		if p.number == 0 && len(line) > maxHeader {
			break
		}
	}
	if len(line) == 0 {
		return "", false
	}
	p.number++
	text := string(line)
	if !utf8.ValidString(text) {
		text = wintext.Latin1(line)
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), true
}

func (p *parser) entry(line string) error {
	switch {
	case line == "", line[0] == ';':
		return nil
	case line[0] == '[':
		return p.keyLine(line)
	case p.key == "":
		return errors.New("a value before any key, or under one that is deleted")
	}
	name := ""
	if line[0] == '@' {
		line = line[1:]
	} else {
		var err error
		if name, line, err = p.quoted(line); err != nil {
			return err
		}
	}
	line, found := strings.CutPrefix(strings.TrimSpace(line), "=")
	if !found {
		return errors.New("a name without a value")
	}
	value, err := p.value(strings.TrimSpace(line))
	if err != nil {
		return err
	}
	values, names := p.keys[p.key], p.names[p.key]
	if values == nil {
		return nil // a key that is not kept
	}
	fold := strings.ToLower(name)
	if first, ok := names[fold]; ok {
		delete(values, first)
		delete(names, fold)
	}
	if value != nil {
		values[name], names[fold] = value, name
	}
	return nil
}

func (p *parser) keyLine(line string) error {
	key, found := strings.CutSuffix(line[1:], "]")
	if !found {
		return errors.New("a key without its closing bracket")
	}
	key, deleted := strings.CutPrefix(key, "-")
	if !strings.HasPrefix(key, "HKEY_") {
		return errors.New("a key outside every hive")
	}
	if strings.Count(key, `\`) > maxDepth {
		return fmt.Errorf("a key below more than %d others", maxDepth)
	}
	fold := strings.ToLower(key)
	if deleted {
		p.key, p.deleted[fold] = "", p.number
		return nil
	}
	if !p.keep(key) {
		p.key = key
		return nil
	}
	if first, ok := p.opened[fold]; ok {
		if !p.gone(fold, first.line) {
			p.key = first.key
			return nil
		}
		delete(p.keys, first.key)
	}
	p.key, p.opened[fold] = key, opened{key, p.number}
	p.keys[key], p.names[key] = make(map[string]any), make(map[string]string)
	return nil
}

// maxDepth is that of Windows (Registry Element Size Limits).
const maxDepth = 512

// gone reports whether a key, in lower case, or one above it is deleted in a
// later line than the one that opened it.
func (p *parser) gone(fold string, line int) bool {
	for end := len(fold); end > 0 && len(p.deleted) > 0; end = strings.LastIndexByte(fold[:end], '\\') {
		if p.deleted[fold[:end]] > line {
			return true
		}
	}
	return false
}

// drop takes out the keys that are gone in the end.
func (p *parser) drop() {
	for fold, first := range p.opened {
		if p.gone(fold, first.line) {
			delete(p.keys, first.key)
		}
	}
}

// quoted reads a text in quotation marks at the beginning of line, and more
// lines if it holds line ends, and returns what follows it.
func (p *parser) quoted(line string) (text, rest string, err error) {
	if line == "" || line[0] != '"' {
		return "", "", errors.New("neither a key nor a value")
	}
	var b strings.Builder
	for line = line[1:]; ; {
		i := strings.IndexAny(line, `"\`)
		switch {
		case i < 0:
			b.WriteString(line)
			next, ok := p.line()
			if !ok {
				return "", "", errors.New("a text that does not end")
			}
			b.WriteString("\r\n")
			line = next
		case line[i] == '"':
			b.WriteString(line[:i])
			return b.String(), line[i+1:], nil
		case i+1 == len(line):
			return "", "", errors.New("a text that ends in a backslash")
		default:
			b.WriteString(line[:i])
			b.WriteByte(line[i+1])
			line = line[i+2:]
		}
	}
}

// value reads what follows the equals sign; nil stands for a deletion. A
// comment may follow, as it does in files that people write.
func (p *parser) value(line string) (any, error) {
	if strings.HasPrefix(line, `"`) {
		text, rest, err := p.quoted(line)
		if err == nil && withoutComment(rest) != "" {
			err = errors.New("something after a text")
		}
		return text, err
	}
	if line = withoutComment(line); line == "-" {
		return nil, nil
	}
	kind, data, found := strings.Cut(line, ":")
	if !found || kind != "dword" && kind != "hex" && !strings.HasPrefix(kind, "hex(") {
		return nil, errors.New("a value of no known form")
	}
	if kind == "dword" {
		n, err := strconv.ParseUint(data, 16, 32)
		if err != nil || len(data) > 8 {
			return nil, errors.New("a dword that is not one")
		}
		return uint32(n), nil
	}
	raw, err := p.hex(data)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "hex", "hex(3)", "hex(0)":
		return raw, nil
	case "hex(1)", "hex(2)":
		return p.strings(raw)[0], nil
	case "hex(7)":
		all := p.strings(raw)
		return all[:len(all)-1], nil
	case "hex(4)":
		if len(raw) == 4 {
			return binary.LittleEndian.Uint32(raw), nil
		}
	case "hex(b)":
		if len(raw) == 8 {
			return binary.LittleEndian.Uint64(raw), nil
		}
	}
	return raw, nil
}

func withoutComment(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// hex reads comma-separated bytes that go on in the next line after a backslash.
func (p *parser) hex(data string) ([]byte, error) {
	var digits []byte
	for {
		data = withoutComment(data)
		part, more := strings.CutSuffix(data, `\`)
		for b := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(part), ","), ",") {
			switch b = strings.TrimSpace(b); {
			case b == "" && len(digits) == 0 && !more:
			case len(b) != 2:
				if strings.TrimSpace(part) == "" {
					continue // a line that holds nothing but the backslash
				}
				return nil, errors.New("bytes that are not two hexadecimal digits each")
			default:
				digits = append(digits, b...)
			}
		}
		if !more {
			break
		}
		var ok bool
		if data, ok = p.line(); !ok {
			return nil, errors.New("bytes that break off")
		}
	}
	raw := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(raw, digits); err != nil {
		return nil, errors.New("bytes that are not hexadecimal")
	}
	return raw, nil
}

// strings splits what is stored as texts, each of which ends with a zero. An
// empty one ends the list, so it is the last element, and the only one that
// can be empty.
func (p *parser) strings(raw []byte) []string {
	var text string
	if p.ansi {
		text = wintext.Latin1(raw)
	} else {
		text = wintext.UTF16(raw, binary.LittleEndian)
	}
	var all []string
	for part := range strings.SplitSeq(text+"\x00\x00", "\x00") {
		if all = append(all, part); part == "" {
			break
		}
	}
	return all
}

// Get returns a value. Case does not matter in key or name, as in Windows.
func (k Keys) Get(key, name string) (any, bool) {
	values, ok := k[key]
	if !ok {
		for other := range k {
			if strings.EqualFold(other, key) {
				values = k[other]
				break
			}
		}
	}
	if v, ok := values[name]; ok {
		return v, true
	}
	for other, v := range values {
		if strings.EqualFold(other, name) {
			return v, true
		}
	}
	return nil, false
}
