package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

const (
	forcibly = "System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception.\n ---> System.Net.Sockets.SocketException (10054): An existing connection was forcibly closed by the remote host."
	uri      = "WARNING: Unable to download from URI 'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''."
)

// export writes the registry of a Windows as a .reg file.
func export(t *testing.T, windows string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "client.reg")
	require.NoError(t, os.WriteFile(name, tlsprobetest.Export(tlsprobetest.Registry(windows)), 0o600))
	return name
}

func ask(t *testing.T, in io.Reader, args ...string) (a answer, code int, notes string) {
	t.Helper()
	var out, err strings.Builder
	code = run(t.Context(), append([]string{"-json"}, args...), in, &out, &err, new(tlsprobe.Prober))
	if out.Len() > 0 {
		require.NoError(t, json.Unmarshal([]byte(out.String()), &a), "%s", out.String())
	}
	return a, code, err.String()
}

func TestTextAlone(t *testing.T) {
	a, code, _ := ask(t, nil, uri)
	assert.Equal(t, explained, code)
	assert.Equal(t, "client-no-tls12", a.Causes[0].ID)
	assert.NotEmpty(t, a.Causes[0].Check)
	assert.NotEmpty(t, a.Causes[0].Fix)
	assert.Nil(t, a.Offers)
	assert.Nil(t, a.Negotiation)

	a, code, _ = ask(t, strings.NewReader(uri), "-")
	assert.Equal(t, explained, code)
	assert.Equal(t, "client-no-tls12", a.Causes[0].ID)

	a, code, _ = ask(t, nil, "-2146893016")
	assert.Equal(t, explained, code)
	assert.Equal(t, "cert-time", a.Causes[0].ID)

	a, code, notes := ask(t, nil, "the weather is fine")
	assert.Equal(t, couldNot, code)
	assert.NotNil(t, a.Causes)
	assert.Contains(t, notes, "not known")
}

func TestClientAndServer(t *testing.T) {
	only13 := (&tlsprobetest.Server{MinVersion: tlsprobe.TLS13}).Start()
	defer only13.Close()
	a, code, _ := ask(t, nil, "-reg", export(t, "Windows Server 2016"), "-probe", only13.Addr, forcibly)
	assert.Equal(t, explained, code)
	assert.Equal(t, "client-no-tls13", a.Causes[0].ID, "%+v", a.Causes)
	require.NotEmpty(t, a.Offers)
	assert.Equal(t, "PowerShell 7", a.Offers[0].App.Label())
	assert.Equal(t, crossprem.No, a.Negotiation.Meets)

	both := (&tlsprobetest.Server{}).Start()
	defer both.Close()
	a, _, _ = ask(t, nil, "-reg", export(t, "Windows Server 2016"), "-probe", both.Addr, uri)
	assert.Equal(t, "client-no-tls12", a.Causes[0].ID)
	require.NotNil(t, a.Mending)
	assert.Contains(t, a.Mending.Reg, "SchUseStrongCrypto")
	a, _, _ = ask(t, nil, "-reg", export(t, "Windows 11 23H2"), uri, "-probe", both.Addr)
	assert.Equal(t, "down", a.Causes[0].ID)

	var out, notes strings.Builder
	require.Equal(t, explained, run(t.Context(), []string{"-reg", export(t, "Windows Server 2016"), "-probe", both.Addr, uri}, nil, &out, &notes, new(tlsprobe.Prober)))
	last := -1
	for _, part := range []string{"What this client offers (Windows 10 1607 / Windows Server 2016)", "does not meet it", "What it means:", "What to do:", "SystemDefaultTlsVersions"} {
		i := strings.LastIndex(out.String(), part)
		assert.Greater(t, i, last, "%q in its place: %s", part, out.String())
		last = i
	}
}

func TestEndpoints(t *testing.T) {
	srv := (&tlsprobetest.Server{}).Start()
	defer srv.Close()
	for _, cloud := range crossprem.Clouds() {
		p := &tlsprobe.Prober{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "login.") {
				return nil, errors.New("no way")
			}
			return new(net.Dialer).DialContext(ctx, network, srv.Addr)
		}}
		var out, notes strings.Builder
		require.Equal(t, explained, run(t.Context(), []string{"-json", "-endpoints", cloud.String(), "-timeout", "2s", "-reg", export(t, "Windows Server 2016")}, nil, &out, &notes, p), notes.String())
		var a answer
		require.NoError(t, json.Unmarshal([]byte(out.String()), &a))
		answers, inspected, missed := 0, 0, 0
		for _, e := range a.Endpoints {
			if e.Answers == crossprem.Yes {
				answers++
			}
			if e.Inspected == crossprem.Yes {
				inspected++
			}
			if e.Meets == crossprem.No {
				missed++
			}
		}
		assert.Positive(t, answers, cloud)
		assert.True(t, slices.ContainsFunc(a.Endpoints, func(e endpoint) bool { return e.Target == "www.powershellgallery.com:443" }), cloud)
		assert.Positive(t, inspected, "the test's own authority on hosts of Microsoft: %v", cloud)
		assert.Positive(t, missed, "Windows PowerShell of Server 2016: %v", cloud)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWrongUsageAndFailures(t *testing.T) {
	for _, args := range [][]string{nil, {"-nonsense"}, {"-endpoints", "mars"}, {"-at", "soon", "x"}, {"-starttls", "gopher", "x"}, {"-probe", "a:b:c", "x"}, {"-timeout", "0s", "x"}} {
		_, code, _ := ask(t, nil, args...)
		assert.Equal(t, wrongUsage, code, args)
	}
	junk := filepath.Join(t.TempDir(), "junk.reg")
	require.NoError(t, os.WriteFile(junk, []byte("MZ\x90\x00\x03 not a registry"), 0o600))
	_, code, notes := ask(t, nil, "-reg", junk, "x")
	assert.Equal(t, couldNot, code)
	assert.Equal(t, 1, strings.Count(notes, "\n"), notes)
	assert.Equal(t, couldNot, run(t.Context(), []string{uri}, nil, full{}, io.Discard, new(tlsprobe.Prober)))
	assert.Equal(t, couldNot, run(t.Context(), []string{"-json", uri}, nil, full{}, io.Discard, new(tlsprobe.Prober)))
	assert.Equal(t, explained, run(t.Context(), []string{"-h"}, nil, io.Discard, io.Discard, new(tlsprobe.Prober)))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reader, writer := io.Pipe()
	defer writer.Close()
	assert.Equal(t, couldNot, run(ctx, []string{"-"}, reader, io.Discard, io.Discard, new(tlsprobe.Prober)))
	reader.Close()
}
