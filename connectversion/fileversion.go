package connectversion

import (
	"cmp"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/crossprem/crossprem/internal/wintext"
)

// A FileVersion is what the version resource of an executable says.
type FileVersion struct {
	// File and Product are the two numbers of VS_FIXEDFILEINFO. Zero means
	// that the resource holds none.
	File, Product Version

	// ProductVersion is the text of that name, which Explorer shows as
	// "Product version"; ProductName and FileDescription are others. They are
	// empty if the resource does not hold them.
	ProductVersion  string
	ProductName     string
	FileDescription string
}

// Version returns the version of the product: the text if it is a version of
// four numbers, and otherwise the number.
func (f FileVersion) Version() Version {
	if v, err := Parse(f.ProductVersion); err == nil {
		return v
	}
	if !f.Product.IsZero() {
		return f.Product
	}
	return f.File
}

// ErrNoFileVersion reports that a file is an executable, but has no version
// resource.
var ErrNoFileVersion = errors.New("connectversion: no version resource")

const (
	maxExecutable = 256 << 20 // beyond, nothing is read
	maxResource   = 64 << 10  // of the version resource; real ones have 1 KB
	maxEntries    = 4096      // of a folder of resources
)

// ReadFileVersion reads the version resource of a Windows executable: on any
// system, and without running it. Programs from AzureADConnect.exe to a
// driver have one.
//
// The error wraps [ErrNoFileVersion] if the file is an executable without
// such a resource, and is another one if it is no executable or is damaged.
func ReadFileVersion(r io.ReaderAt) (FileVersion, error) {
	f, err := pe.NewFile(io.NewSectionReader(r, 0, maxExecutable))
	if err != nil {
		return FileVersion{}, fmt.Errorf("connectversion: not a Windows executable: %w", err)
	}
	defer f.Close()
	var folder pe.DataDirectory
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		folder = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_RESOURCE]
	case *pe.OptionalHeader64:
		folder = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_RESOURCE]
	default:
		return FileVersion{}, errors.New("connectversion: not a Windows executable: no optional header")
	}
	if folder.VirtualAddress == 0 {
		return FileVersion{}, ErrNoFileVersion
	}
	tree := resources{file: f, base: folder.VirtualAddress}
	raw, err := tree.version()
	if err != nil {
		return FileVersion{}, err
	}
	return parseVersionResource(raw)
}

// resources is the resource tree of an executable: folders of type, name and
// language, whose offsets count from base.
type resources struct {
	file *pe.File
	base uint32
}

var errDamaged = errors.New("connectversion: the resources of the executable are damaged")

// read returns n bytes at a virtual address.
func (t resources) read(address uint32, n int) ([]byte, error) {
	for _, s := range t.file.Sections {
		if address < s.VirtualAddress || uint64(address)+uint64(n) > uint64(s.VirtualAddress)+uint64(s.Size) {
			continue
		}
		b := make([]byte, n)
		if _, err := s.ReadAt(b, int64(address-s.VirtualAddress)); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return b, nil
	}
	return nil, errDamaged
}

const versionType = 16 // RT_VERSION

// version returns the bytes of the first version resource.
func (t resources) version() ([]byte, error) {
	types, err := t.entry(0, versionType)
	if err != nil {
		return nil, err
	}
	names, err := t.entry(types, 0)
	if err != nil {
		return nil, err
	}
	leaf, err := t.entry(names, 0)
	if err != nil {
		return nil, err
	}
	where, err := t.read(t.base+leaf, 8)
	if err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(where[4:])
	if size > maxResource {
		return nil, fmt.Errorf("%w: a version resource of %d bytes", errDamaged, size)
	}
	return t.read(binary.LittleEndian.Uint32(where), int(size))
}

// entry returns the offset that the entry with an ID, or the first one if id
// is 0, of the folder at offset points to.
func (t resources) entry(offset, id uint32) (uint32, error) {
	const isFolder = 1 << 31
	head, err := t.read(t.base+offset, 16)
	if err != nil {
		return 0, err
	}
	n := int(binary.LittleEndian.Uint16(head[12:])) + int(binary.LittleEndian.Uint16(head[14:]))
	if n > maxEntries {
		return 0, fmt.Errorf("%w: a folder of %d resources", errDamaged, n)
	}
	entries, err := t.read(t.base+offset+16, 8*n)
	if err != nil {
		return 0, err
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if id == 0 || binary.LittleEndian.Uint32(entries) == id {
			return binary.LittleEndian.Uint32(entries[4:]) &^ isFolder, nil
		}
	}
	return 0, ErrNoFileVersion
}

// A node of a version resource: a name, a value, and children.
type node struct {
	name     string
	value    []byte // of a text, without its terminating zero
	children []byte
}

// cutNode reads the node at the beginning of b and returns what follows it,
// aligned to 32 bits. The lengths of texts count characters, all others bytes.
func cutNode(b []byte) (n node, rest []byte, ok bool) {
	if len(b) < 6 {
		return n, nil, false
	}
	length, valueLength := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	isText := binary.LittleEndian.Uint16(b[4:]) == 1
	if length < 6 || length > len(b) {
		return n, nil, false
	}
	rest = b[min(align(length), len(b)):]
	b = b[:length]
	at := 6
	for ; at+2 <= len(b) && binary.LittleEndian.Uint16(b[at:]) != 0; at += 2 {
	}
	if at+2 > len(b) {
		return n, nil, false
	}
	n.name = wintext.UTF16(b[6:at], binary.LittleEndian)
	at = min(align(at+2), len(b))
	if isText {
		valueLength *= 2
	}
	valueLength = min(valueLength, len(b)-at)
	n.value = b[at : at+valueLength]
	n.children = b[min(align(at+valueLength), len(b)):]
	return n, rest, true
}

func align(n int) int { return (n + 3) &^ 3 }

// text returns the value as text, up to its first zero.
func (n node) text() string {
	end := 0
	for ; end+2 <= len(n.value) && binary.LittleEndian.Uint16(n.value[end:]) != 0; end += 2 {
	}
	return wintext.UTF16(n.value[:end], binary.LittleEndian)
}

// parseVersionResource reads a VS_VERSIONINFO.
func parseVersionResource(raw []byte) (FileVersion, error) {
	const signature = 0xfeef04bd
	root, _, ok := cutNode(raw)
	if !ok || root.name != "VS_VERSION_INFO" {
		return FileVersion{}, fmt.Errorf("%w: no VS_VERSION_INFO", errDamaged)
	}
	var f FileVersion
	if fixed := root.value; len(fixed) >= 24 && binary.LittleEndian.Uint32(fixed) == signature {
		f.File, f.Product = fixedVersion(fixed[8:]), fixedVersion(fixed[16:])
	}
	for info, rest, ok := cutNode(root.children); ok; info, rest, ok = cutNode(rest) {
		if info.name != "StringFileInfo" {
			continue
		}
		table, _, _ := cutNode(info.children) // the first language
		for text, rest, ok := cutNode(table.children); ok; text, rest, ok = cutNode(rest) {
			for name, field := range map[string]*string{"ProductVersion": &f.ProductVersion, "ProductName": &f.ProductName, "FileDescription": &f.FileDescription} {
				if text.name == name {
					*field = cmp.Or(*field, text.text())
				}
			}
		}
	}
	if f.Version().IsZero() {
		return FileVersion{}, ErrNoFileVersion
	}
	return f, nil
}

// fixedVersion reads two 32-bit numbers of two parts each, the higher first.
func fixedVersion(b []byte) Version {
	high, low := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	return Version{uint16(high >> 16), uint16(high), uint16(low >> 16), uint16(low)}
}
