package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/crossprem/crossprem/tlsprobe"
)

func main() {
	for _, a := range os.Args[1:] {
		r, err := tlsprobe.Probe(context.Background(), a)
		if err != nil {
			fmt.Println(err)
			continue
		}
		b, _ := json.MarshalIndent(r, "", " ")
		fmt.Println(string(b))
	}
}
