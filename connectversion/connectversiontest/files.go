package connectversiontest

import (
	"encoding/binary"
	"fmt"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/internal/regfile"
	"github.com/crossprem/crossprem/internal/wintext"
)

// Executable returns a Windows executable that does nothing, with a version
// resource: number is its file and product version, and text, unless empty,
// its ProductVersion as Explorer shows it.
func Executable(number connectversion.Version, text string) []byte {
	const (
		peOffset   = 0x40
		headers    = 0x200
		rsrcRVA    = 0x1000
		optional   = 240 // of PE32+, with 16 data directories
		sizeOfFile = 20
	)
	le := binary.LittleEndian
	version := versionResource(number, text)
	tree := resourceTree(rsrcRVA, len(version))
	section := append(tree, version...)
	padded := (len(section) + 0x1ff) &^ 0x1ff

	b := make([]byte, headers+padded)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], peOffset)
	copy(b[peOffset:], "PE\x00\x00")
	file := b[peOffset+4:]
	le.PutUint16(file[0:], 0x8664) // x86-64
	le.PutUint16(file[2:], 1)      // one section
	le.PutUint16(file[16:], optional)
	le.PutUint16(file[18:], 0x22) // an executable image that knows large addresses
	opt := file[sizeOfFile:]
	le.PutUint16(opt[0:], 0x20b)           // PE32+
	le.PutUint32(opt[32:], 0x1000)         // section alignment
	le.PutUint32(opt[36:], 0x200)          // file alignment
	le.PutUint16(opt[48:], 6)              // subsystem version
	le.PutUint32(opt[56:], rsrcRVA+0x1000) // size of the image
	le.PutUint32(opt[60:], headers)        // size of the headers
	le.PutUint16(opt[68:], 3)              // console
	le.PutUint32(opt[108:], 16)            // data directories
	le.PutUint32(opt[112+2*8:], rsrcRVA)   // the third: resources
	le.PutUint32(opt[116+2*8:], uint32(len(section)))
	sec := opt[optional:]
	copy(sec, ".rsrc")
	le.PutUint32(sec[8:], uint32(len(section)))
	le.PutUint32(sec[12:], rsrcRVA)
	le.PutUint32(sec[16:], uint32(padded))
	le.PutUint32(sec[20:], headers)
	le.PutUint32(sec[36:], 0x40000040) // readable data
	copy(b[headers:], section)
	return b
}

// resourceTree returns the folders of type, name and language, each with one
// entry, and the data entry, which points right behind itself.
func resourceTree(rva uint32, size int) []byte {
	const folder, isFolder = 24, 1 << 31
	le := binary.LittleEndian
	b := make([]byte, 3*folder+16)
	for i, id := range []uint32{16, 1, 0x409} { // RT_VERSION, the first, English
		le.PutUint16(b[i*folder+14:], 1)
		le.PutUint32(b[i*folder+16:], id)
		next := uint32((i + 1) * folder)
		if i < 2 {
			next |= isFolder
		}
		le.PutUint32(b[i*folder+20:], next)
	}
	data := b[3*folder:]
	le.PutUint32(data, rva+uint32(len(b)))
	le.PutUint32(data[4:], uint32(size))
	return b
}

func versionResource(v connectversion.Version, text string) []byte {
	le := binary.LittleEndian
	fixed := make([]byte, 52)
	le.PutUint32(fixed, 0xfeef04bd)
	le.PutUint32(fixed[4:], 0x10000)
	for _, at := range []int{8, 16} {
		le.PutUint32(fixed[at:], uint32(v.Major)<<16|uint32(v.Minor))
		le.PutUint32(fixed[at+4:], uint32(v.Build)<<16|uint32(v.Revision))
	}
	le.PutUint32(fixed[36:], 1) // an application
	var children []byte
	if text != "" {
		children = node("StringFileInfo", true, nil, node("040904b0", true, nil, node("ProductVersion", true, append(wintext.EncodeUTF16(text), 0, 0), nil)))
	}
	return node("VS_VERSION_INFO", false, fixed, children)
}

// node lays out one block of a version resource. The lengths of texts count
// characters.
func node(name string, isText bool, value, children []byte) []byte {
	pad := func(b []byte) []byte {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		return b
	}
	b := make([]byte, 6)
	b = pad(append(append(b, wintext.EncodeUTF16(name)...), 0, 0))
	b = append(b, value...)
	if children != nil {
		b = append(pad(b), children...)
	}
	binary.LittleEndian.PutUint16(b, uint16(len(b)))
	binary.LittleEndian.PutUint16(b[2:], uint16(len(value)))
	if isText {
		binary.LittleEndian.PutUint16(b[2:], uint16(len(value)/2))
		binary.LittleEndian.PutUint16(b[4:], 1)
	}
	return pad(b)
}

// Export returns r as regedit exports it: UTF-16 with a byte order mark and
// Windows line ends, sorted. It panics if r holds a value that is neither a
// string nor a uint32.
func Export(r connectversion.Registry) []byte {
	for key, values := range r {
		for name, v := range values {
			switch v.(type) {
			case string, uint32:
			default:
				panic(fmt.Sprintf("connectversiontest: %s of %s is a %T", name, key, v))
			}
		}
	}
	return regfile.Encode(regfile.Keys(r))
}
