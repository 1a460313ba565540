//go:build linux

// Serve answers ClickHouse's HTTP interface on loopback with the engine that
// the library libchdb.so holds. It prints its address, and ends when its
// standard input does.
//
//	CHDB_LIB_PATH=libchdb.so serve FOLDER
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	chdbpurego "github.com/chdb-io/chdb-go/chdb-purego"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("want one argument, the folder of the database")
	}
	conn, err := chdbpurego.NewConnectionFromConnString("file:" + args[0] + "?max_server_memory_usage=12000000000")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &engine{conn: conn}, ReadHeaderTimeout: time.Minute}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // the engine takes its time to stop, and keeps nothing that anybody needs
	}()
	return server.Serve(listener)
}

// An engine answers queries one after the other.
type engine struct {
	mutex sync.Mutex
	conn  chdbpurego.ChdbConn
}

// exceptionCode finds the number that ClickHouse begins its errors with.
var exceptionCode = regexp.MustCompile(`Code: (\d+)`)

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	query := r.URL.Query().Get("query") + string(body)
	format := r.URL.Query().Get("default_format")
	if format == "" {
		format = "TSV"
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	answer, err := e.conn.Query(query, format)
	if err != nil {
		code := "1002"
		if found := exceptionCode.FindStringSubmatch(err.Error()); found != nil {
			code = found[1]
		}
		w.Header().Set("X-ClickHouse-Exception-Code", code)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer answer.Free()
	w.Header().Set("X-ClickHouse-Format", format)
	body = answer.Buf()
	if version, _ := strconv.Atoi(r.URL.Query().Get("client_protocol_version")); version > 0 && format == "Native" {
		if body, err = inVersion(body, version); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("X-Rows-Read", fmt.Sprint(answer.RowsRead()))
	w.Header().Set("X-Bytes-Read", fmt.Sprint(answer.BytesRead()))
	_, _ = w.Write(body)
}

// inVersion writes blocks in the format Native as a server does for a client
// that speaks a version of the protocol: the library writes them as for a file.
func inVersion(blocks []byte, version int) ([]byte, error) {
	r := proto.NewReader(bytes.NewReader(blocks))
	var out proto.Buffer
	for {
		var block proto.Block
		var columns proto.Results
		if err := block.DecodeBlock(r, 0, columns.Auto()); errors.Is(err, io.EOF) {
			return out.Buf, nil
		} else if err != nil {
			return nil, err
		}
		var input []proto.InputColumn
		for _, c := range columns {
			data, ok := c.Data.(proto.Column)
			if !ok {
				return nil, fmt.Errorf("column %s cannot be written", c.Name)
			}
			input = append(input, proto.InputColumn{Name: c.Name, Data: data})
		}
		block.Info.BucketNum = -1
		if err := block.EncodeBlock(&out, version, input); err != nil {
			return nil, err
		}
	}
}
