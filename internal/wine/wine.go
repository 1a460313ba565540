// Package wine runs the Windows tests of a package for real, from a normal
// test on Linux: they are compiled with GOOS=windows and run under Wine, with
// a registry, certificate stores and a file system of their own.
//
//	//go:build linux
//
//	func TestOnWindows(t *testing.T) { wine.Test(t, ".", "^TestWindows") }
//
// It needs Debian's packages wine64 and gcc-mingw-w64-x86-64. The latter
// compiles one small library: Go's runtime wants ProcessPrng of
// bcryptprimitives.dll, which Wine has only since its version 9.
//
// A Wine prefix takes ten seconds to make. One is made per machine and user,
// in the temporary folder, and never run again; each call works on a copy,
// which shares files that nobody writes and is removed at the end. Tests of
// several packages may thus run at once and change what they like.
package wine
