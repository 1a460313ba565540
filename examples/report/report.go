package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authpolicy"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// A report is what all packages said. Sections that nobody asked for are nil.
type report struct {
	AsOf        string                     `json:"asOf"` // the day judged for
	Findings    []crossprem.Finding        `json:"findings"`
	SignIns     *signins.Summary           `json:"signins,omitempty"`
	TLS         []*tlsprobe.Result         `json:"tls,omitempty"`
	Connect     *connectversion.Assessment `json:"connect,omitempty"`
	Certificate *oauthcert.Certificate     `json:"certificate,omitempty"`
	Endpoints   []*authinspect.Result      `json:"endpoints,omitempty"`
	Hybrid      *hybrid                    `json:"hybrid,omitempty"`
	Policy      []authpolicy.Decision      `json:"policy,omitzero"`
	Client      []*schannel.Negotiation    `json:"client,omitempty"`

	// Missing is what a collection lacks, by its part: nothing here is about it.
	Missing map[string]string `json:"missing,omitempty"`

	Partial bool `json:"partial,omitempty"` // it was interrupted, and holds what was known by then

	policyUnused []string            // files that say nothing about policies
	besides      []crossprem.Finding // on Entra Connect, beside those of Connect

	at      time.Time
	changes *crossprem.Changes // since another report, if one was given
	since   string             // the day of that report
}

// An asker asks the packages. The zero value but for at asks the world; the
// other fields let the demonstration ask its own servers.
type asker struct {
	at       time.Time
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	roots    *x509.CertPool
	timeout  time.Duration    // for one question to a server; 0: the packages decide
	progress func(read int64) // bytes of one file or folder of sign-ins so far; nil: nobody looks
	files    fs.FS            // where the names of files are looked up; nil: the system's
}

// all answers q. Servers are asked at the same time as the files are read.
func (a *asker) all(ctx context.Context, q *questions) (*report, error) {
	r := &report{AsOf: a.at.Format(time.DateOnly), Findings: []crossprem.Finding{}}
	var network sync.WaitGroup
	if len(q.probe) > 0 {
		network.Go(func() { r.TLS = a.probe(ctx, q.probe) })
	}
	if len(q.exchange) > 0 {
		network.Go(func() { r.Endpoints = a.inspect(ctx, q.exchange) })
	}
	var err error
	if len(q.signins) > 0 {
		r.SignIns, err = a.readSignIns(ctx, q.signins)
	}
	if q.cert != "" {
		var bad error
		r.Certificate, bad = a.readCertificate(q.cert)
		err = errors.Join(err, bad)
	}
	r.Missing = q.missing
	if q.hybrid != "" {
		var bad error
		r.Hybrid, bad = readHybrid(q.hybrid, a.at)
		err = errors.Join(err, bad)
	}
	if q.policy != "" {
		var bad error
		r.Policy, r.policyUnused, bad = decide(q.policy, r.SignIns, a.at)
		err = errors.Join(err, bad)
	}
	if q.evidence != "" && q.connect.IsZero() {
		var bad error
		r.Connect, r.besides, bad = readConnect(q.evidence, a.at)
		err = errors.Join(err, bad)
	}
	var client *schannel.Client
	if len(q.reg) > 0 {
		var bad error
		client, bad = schannel.ReadFiles(q.reg...)
		err = errors.Join(err, bad)
	}
	network.Wait()
	if client != nil {
		for _, result := range r.TLS {
			for _, app := range programs() {
				r.Client = append(r.Client, schannel.Negotiate(client.Offers(app), result))
			}
		}
	}
	if r.Partial = ctx.Err() != nil; err != nil && !r.Partial {
		return nil, err
	}
	if !q.connect.IsZero() {
		assessment := connectversion.Assess(connectversion.ConnectSync, q.connect, a.at, connectversion.Facts{})
		r.Connect = &assessment
	}
	r.judge(a.at)
	if r.Partial {
		return r, fmt.Errorf("interrupted; what was known by then is told: %w", context.Cause(ctx))
	}
	return r, nil
}

// compare compares the findings with those of an earlier report, as -json
// printed it.
func (r *report) compare(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var before struct {
		AsOf     string
		Findings []crossprem.Finding
	}
	if err := json.NewDecoder(io.LimitReader(f, maxReport)).Decode(&before); err != nil {
		return fmt.Errorf("%s: not a report: %w", name, err)
	}
	if before.AsOf == "" {
		return fmt.Errorf("%s: not a report: it names no day", name)
	}
	changes := crossprem.Compare(before.Findings, r.Findings)
	r.changes, r.since = &changes, before.AsOf
	return nil
}

// maxReport bounds an earlier report, in bytes.
const maxReport = 1 << 30

// judge collects the findings of all sections, worst first.
func (r *report) judge(at time.Time) {
	if r.SignIns != nil {
		r.Findings = append(r.Findings, signins.Assess(r.SignIns, at)...)
	}
	for _, result := range r.TLS {
		r.Findings = append(r.Findings, tlsprobe.Assess(result, tlsprobe.RoleOf(result.Target), at)...)
	}
	for _, result := range r.Endpoints {
		r.Findings = append(r.Findings, authinspect.Assess(result, at)...)
	}
	if r.Connect != nil {
		r.Findings = append(r.Findings, r.Connect.Findings...)
	}
	r.Findings = append(r.Findings, r.besides...)
	if r.Hybrid != nil {
		r.Findings = append(r.Findings, r.Hybrid.findings...)
	}
	if r.Policy != nil {
		r.Findings = append(r.Findings, authpolicy.Assess(r.Policy)...)
	}
	for _, n := range r.Client {
		r.Findings = append(r.Findings, schannel.AssessNegotiation(n))
	}
	if r.Certificate != nil {
		r.Findings = append(r.Findings, oauthcert.Assess(r.Certificate, at)...)
	}
	slices.SortStableFunc(r.Findings, crossprem.WorstFirst)
}

func (r *report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// readSignIns summarises files and folders. Records that cannot be read are
// counted; files named by the caller that are not there, or no log at all, are
// an error that names them all.
func (a *asker) readSignIns(ctx context.Context, names []string) (*signins.Summary, error) {
	var bad error
	seq := func(yield func(signins.SignIn, error) bool) {
		for _, name := range names {
			read, folder, err := a.open(ctx, name)
			if err != nil {
				bad = errors.Join(bad, err)
				continue
			}
			for s, err := range read {
				if record := new(signins.RecordError); errors.As(err, &record) { // name the file as the caller did
					at := *record
					at.File = name
					if folder {
						at.File = filepath.Join(name, filepath.FromSlash(record.File))
					}
					err = &at
				}
				if errors.Is(err, signins.ErrNotLog) && !folder {
					bad = errors.Join(bad, err)
				}
				if !yield(s, err) {
					return
				}
			}
		}
	}
	summary, err := signins.Summarize(signins.Dedupe(seq, 0))
	if err = errors.Join(err, bad); err != nil {
		return nil, err
	}
	summary.Seal() // nothing will be merged into it
	return summary, nil
}

// open returns the sign-ins of the file or folder called name.
func (a *asker) open(ctx context.Context, name string) (seq iter.Seq2[signins.SignIn, error], folder bool, err error) {
	fsys, path := a.files, name
	if fsys == nil {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, false, err
		case info.IsDir():
			fsys, path = os.DirFS(name), "."
		default:
			fsys, path = os.DirFS(filepath.Dir(name)), filepath.Base(name)
		}
	}
	info, err := fs.Stat(fsys, path)
	var reader signins.Reader
	if a.progress != nil {
		reader.Progress = func(p signins.Progress) { a.progress(p.Bytes) }
	}
	switch {
	case err != nil:
		return nil, false, err
	case info.IsDir():
		if fsys, err = fs.Sub(fsys, path); err != nil {
			return nil, false, err
		}
		return reader.ReadFiles(ctx, fsys), true, nil
	default:
		return reader.ReadFiles(ctx, oneFile{fsys, path}), false, nil
	}
}

// oneFile is a file system in which there is only one file.
type oneFile struct {
	fs.FS
	name string
}

func (o oneFile) Open(name string) (fs.File, error) {
	if name != "." && name != o.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.FS.Open(name)
}

func (o oneFile) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.FS, o.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// probe asks every target; one that cannot be asked at all is unknown, and
// says why.
func (a *asker) probe(ctx context.Context, targets []string) []*tlsprobe.Result {
	prober := &tlsprobe.Prober{Dial: a.dial, Roots: a.roots, Timeout: a.timeout}
	results := make([]*tlsprobe.Result, len(targets))
	var asking sync.WaitGroup
	for i, target := range targets {
		asking.Go(func() {
			result, err := prober.Probe(ctx, target)
			if err != nil {
				result = &tlsprobe.Result{Target: target, At: time.Now(), Detail: err.Error()}
			}
			results[i] = result
		})
	}
	asking.Wait()
	return results
}

// inspect asks every URL; one that gives no answer is unknown, and says why.
func (a *asker) inspect(ctx context.Context, urls []string) []*authinspect.Result {
	inspector := &authinspect.Inspector{Dial: a.dial, Roots: a.roots, Timeout: a.timeout}
	results := make([]*authinspect.Result, len(urls))
	var asking sync.WaitGroup
	for i, url := range urls {
		asking.Go(func() {
			result, err := inspector.Inspect(ctx, url)
			if err != nil {
				result = authinspect.Conclude(url, "", authinspect.Answer{Step: authinspect.StepAnonymous, Err: err})
				result.Warnings = append(result.Warnings, err.Error())
			}
			results[i] = result
		})
	}
	asking.Wait()
	return results
}

func (a *asker) readCertificate(name string) (*oauthcert.Certificate, error) {
	if a.files == nil {
		return oauthcert.ReadFile(name)
	}
	data, err := fs.ReadFile(a.files, name)
	if err != nil {
		return nil, err
	}
	return oauthcert.Parse(data)
}
