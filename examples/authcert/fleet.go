package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/oauthcert"
)

// coverage prints which certificates of which servers the keys of an object
// serve.
func (o *options) coverage(ctx context.Context, stdout, stderr io.Writer) error {
	if len(o.servers) == 0 {
		return errUsage("coverage needs -servers")
	}
	var servers []oauthcert.Server
	for _, name := range o.servers {
		data, err := readFile(name)
		if err != nil {
			return err
		}
		some, err := oauthcert.ReadServers(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		servers = append(servers, some...)
	}
	var wanted []oauthcert.Thumbprint
	if o.config != "" {
		config, err := o.authConfig()
		if err != nil {
			return err
		}
		for _, t := range []oauthcert.Thumbprint{config.Current, config.Next} {
			if !t.IsZero() {
				wanted = append(wanted, t)
			}
		}
	}
	p, err := o.open(stderr)
	if err != nil {
		return err
	}
	object, err := p.dir.Read(ctx, p.target)
	if err != nil {
		return err
	}
	words := map[crossprem.Answer]string{crossprem.Yes: "yes", crossprem.No: "NO", crossprem.AnswerUnknown: "unknown"}
	if !o.json {
		fmt.Fprintf(stdout, "%-24s %-40s %-7s %s\n", "Server", "Certificate", "Held", "Key in "+p.target.String())
	}
	for _, c := range oauthcert.Coverage(servers, object, o.at, wanted...) {
		if o.json {
			if err := json.NewEncoder(stdout).Encode(c); err != nil {
				return err
			}
			continue
		}
		until := ""
		if !c.Until.IsZero() {
			until = " until " + c.Until.Format(time.DateOnly)
		}
		fmt.Fprintf(stdout, "%-24s %-40s %-7s %s%s\n", terminal.Line(c.Server), c.Certificate, words[c.Held], words[c.Covered], until)
	}
	return nil
}

// sharedKeys asks tenants whether their shared principal still holds keys.
func (o *options) sharedKeys(ctx context.Context, stdout, stderr io.Writer) error {
	fleet := oauthcert.Fleet{Open: func(_ context.Context, tenant string) (oauthcert.Directory, error) {
		one := *o
		one.tenant = tenant
		return one.signedIn(stderr)
	}}
	if o.signIn == "browser" || o.signIn == "device" {
		fleet.Concurrency = 1 // a person signs in
	}
	tenants := []string{"contoso.example"}
	if o.tenants == "" {
		fleet.Open = func(context.Context, string) (oauthcert.Directory, error) {
			return demonstration(oauthcert.SharedTarget()).dir, nil
		}
	} else {
		data, err := readFile(o.tenants)
		if err != nil {
			return err
		}
		if tenants = strings.Fields(string(data)); len(tenants) == 0 {
			return fmt.Errorf("%s: no tenant in here", o.tenants)
		}
	}
	earlier, err := o.earlierResults()
	if err != nil {
		return err
	}
	asked := 0
	for s := range fleet.SharedKeys(ctx, tenants, earlier) {
		asked++
		if o.json {
			if err := json.NewEncoder(stdout).Encode(s); err != nil {
				return err
			}
			continue
		}
		switch s.Holds {
		case crossprem.Yes:
			fmt.Fprintf(stdout, "%s: %d keys, %d of them valid", terminal.Line(s.Tenant), s.Keys, s.Valid)
			if !s.Since.IsZero() {
				fmt.Fprintf(stdout, ", the oldest from %s", s.Since.Format(time.DateOnly))
			}
			fmt.Fprintln(stdout)
		case crossprem.No:
			fmt.Fprintf(stdout, "%s: no key\n", terminal.Line(s.Tenant))
		default:
			fmt.Fprintf(stdout, "%s: unknown: %s\n", terminal.Line(s.Tenant), s.Error)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w; %d of %d tenants have a result", err, asked, len(tenants))
	}
	return nil
}

// earlierResults reads what shared -json printed before.
func (o *options) earlierResults() ([]oauthcert.SharedKeys, error) {
	if o.earlier == "" {
		return nil, nil
	}
	data, err := readFile(o.earlier)
	if err != nil {
		return nil, err
	}
	var all []oauthcert.SharedKeys
	for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
		var s oauthcert.SharedKeys
		switch err := decoder.Decode(&s); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // the run was cut short in a line
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", o.earlier, err)
		}
		all = append(all, s)
	}
}
