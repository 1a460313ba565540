// Package regfile reads registry exports, the .reg files of regedit and
// "reg export", on any system.
//
// Both forms are read: "Windows Registry Editor Version 5.00", in UTF-16 or
// UTF-8, and REGEDIT4. All input is hostile: size and number of values are
// bounded, and errors name the line but never quote it, for a registry may
// hold secrets.
package regfile

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
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
	raw, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("regfile: %w", err)
	}
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("regfile: larger than %d bytes", MaxSize)
	}
	text, err := decode(raw)
	if err != nil {
		return nil, err
	}
	p := parser{rest: text, keys: make(Keys), opened: make(map[string]opened), deleted: make(map[string]int), names: make(map[string]map[string]string)}
	header, _ := p.line()
	switch strings.TrimSpace(header) {
	case "Windows Registry Editor Version 5.00":
	case "REGEDIT4":
		p.ansi = true
	default:
		return nil, ErrNoExport
	}
	for {
		line, ok := p.line()
		if !ok {
			p.drop()
			return p.keys, nil
		}
		if err := p.entry(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("regfile: line %d: %w", p.number, err)
		}
	}
}

// decode makes UTF-8 of UTF-16 with a byte order mark. What is neither is
// taken for Latin-1, as good a guess as any for a file without a mark.
func decode(raw []byte) (string, error) {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}):
	case bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case utf8.Valid(raw):
		return strings.TrimPrefix(string(raw), "\ufeff"), nil
	default:
		return latin1(raw), nil
	}
	if len(raw)%2 != 0 {
		return "", errors.New("regfile: breaks off within a UTF-16 character")
	}
	units := make([]uint16, 0, len(raw)/2-1)
	for i := 2; i < len(raw); i += 2 {
		units = append(units, order.Uint16(raw[i:]))
	}
	return string(utf16.Decode(units)), nil
}

func latin1(raw []byte) string {
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return string(runes)
}

type parser struct {
	rest   string
	number int // of the line read last
	ansi   bool
	keys   Keys
	key    string // the key that values belong to, "" if none

	opened  map[string]opened            // by key in lower case
	deleted map[string]int               // by key in lower case: the last line that deletes it
	names   map[string]map[string]string // of each key: how a name, in lower case, is written
}

// opened tells how a key was first written, and in which line.
type opened struct {
	key  string
	line int
}

func (p *parser) line() (string, bool) {
	if p.rest == "" {
		return "", false
	}
	line, rest, _ := strings.Cut(p.rest, "\n")
	p.rest = rest
	p.number++
	return strings.TrimSuffix(line, "\r"), true
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

// gone tells whether a key, in lower case, or one above it is deleted in a
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
		text = latin1(raw)
	} else {
		units := make([]uint16, 0, len(raw)/2)
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, binary.LittleEndian.Uint16(raw[i:]))
		}
		text = string(utf16.Decode(units))
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
