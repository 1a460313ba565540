//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "serve: the library is for Linux alone")
	os.Exit(1)
}
