package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/oauthcert"
)

// change makes the plans that the arguments ask for, prints them, and, if
// told so, applies or verifies them.
func (o *options) change(ctx context.Context, stdout, stderr io.Writer) error {
	if o.write && (o.command == "plan" || o.command == "verify") {
		return errUsage(o.command + " changes nothing; -write is for apply, cleanup and restore")
	}
	if o.write && o.snapshot != "" {
		return errUsage("a snapshot cannot be changed; give -tenant")
	}
	p, err := o.open(stderr)
	if err != nil {
		return err
	}
	plans, err := o.plans(ctx, p)
	if err != nil {
		return err
	}
	a := &oauthcert.Applier{Interval: p.interval, Patience: o.patience, Steady: o.steadiness}
	if p.steady > 0 {
		a.Steady, a.Patience = p.steady, p.patience
	}
	for i, plan := range plans {
		if !o.json {
			if err := printPlan(stdout, plan); err != nil {
				return err // nobody has seen what would be done
			}
		}
		switch {
		case o.command == "verify":
			err = o.verify(ctx, a, p.dir, plan, stdout)
		case o.write:
			if !o.json {
				a.Progress = func(p oauthcert.Progress) { fmt.Fprintf(stderr, "%s: %s\n", p.Stage, p.Note) }
			}
			err = o.apply(ctx, a, p.dir, plan, o.backupName(i, plan), stdout)
		default:
			err = o.dry(plan, stdout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plans returns one plan for each collection that the arguments are about.
func (o *options) plans(ctx context.Context, p *place) ([]*oauthcert.Plan, error) {
	if o.command == "restore" {
		return o.planRestore(ctx, p)
	}
	current, err := p.dir.Read(ctx, p.target)
	if err != nil {
		return nil, err
	}
	wanted, err := o.wanted(ctx, p)
	if err != nil {
		return nil, err
	}
	policy := oauthcert.Policy{
		At: o.at, DropExpired: o.dropExpired, AllowKeysOn: o.allowKeysOn, Situation: oauthcert.Situation(o.situation),
		DropUnused: o.command == "cleanup",
	}
	keys, names := policy, policy
	for _, d := range o.drop {
		if strings.ContainsAny(d, "./") {
			names.Drop = append(names.Drop, d)
		} else {
			keys.Drop = append(keys.Drop, d)
		}
	}
	hosts := o.hosts
	if len(wanted) == 0 && len(hosts) == 0 && o.command != "cleanup" {
		hosts = p.hosts
	}
	var plans []*oauthcert.Plan
	if len(wanted) > 0 || len(keys.Drop) > 0 || o.dropExpired || o.command == "cleanup" {
		plans = append(plans, oauthcert.PlanKeys(current, wanted, keys))
	}
	if len(hosts) > 0 || len(names.Drop) > 0 {
		plans = append(plans, oauthcert.PlanNames(current, hosts, names))
	}
	if plans == nil {
		return nil, errUsage(o.command + " needs -cert, -config, -host, -drop or -drop-expired")
	}
	return plans, nil
}

func (o *options) planRestore(ctx context.Context, p *place) ([]*oauthcert.Plan, error) {
	if o.backup == "" {
		return nil, errUsage("restore needs -backup")
	}
	f, err := os.Open(o.backup)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	backup, err := oauthcert.ReadBackup(f)
	if err != nil {
		return nil, err
	}
	current, err := p.dir.Read(ctx, backup.Object.Target())
	if err != nil {
		return nil, err
	}
	o.backup = "" // the state before goes to a file of its own
	policy := oauthcert.Policy{At: o.at, DropExpired: o.dropExpired, AllowKeysOn: o.allowKeysOn, Situation: oauthcert.Situation(o.situation)}
	return []*oauthcert.Plan{oauthcert.PlanRestore(current, backup, policy)}, nil
}

// wanted returns the certificates that the arguments name.
func (o *options) wanted(ctx context.Context, p *place) ([]*oauthcert.Certificate, error) {
	reader, err := o.reader()
	if err != nil {
		return nil, err
	}
	var wanted []*oauthcert.Certificate
	for _, name := range o.certs {
		c, err := reader.ReadFile(name)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, c)
	}
	if o.config != "" {
		config, err := o.authConfig()
		if err != nil {
			return nil, err
		}
		if config.NextUnknown {
			_, err := config.Select(oauthcert.Next)
			return nil, err
		}
		for _, t := range []oauthcert.Thumbprint{config.Current, config.Next} {
			if t.IsZero() {
				continue
			}
			c, err := o.find(ctx, reader, t)
			if err != nil {
				return nil, err
			}
			wanted = append(wanted, c)
		}
	}
	if wanted == nil && o.command != "cleanup" {
		wanted = p.wanted
	}
	return wanted, nil
}

// dry prints a plan as JSON, if asked to, and says what it would take.
func (o *options) dry(plan *oauthcert.Plan, stdout io.Writer) error {
	if o.json {
		if err := json.NewEncoder(stdout).Encode(plan); err != nil {
			return err
		}
	}
	if err := plan.Err(); err != nil {
		return err
	}
	if !o.json && plan.Changes() {
		command := o.command
		if command == "plan" {
			command = "apply"
		}
		fmt.Fprintf(stdout, "Nothing was changed; \"authcert %s\" with -write does it.\n", command)
	}
	return nil
}

// backupName returns the file for the backup of the i-th plan.
func (o *options) backupName(i int, plan *oauthcert.Plan) string {
	name := o.backup
	if name == "" {
		name = "authcert-" + time.Now().UTC().Format("20060102T150405.000Z") + ".json"
	}
	if i == 0 {
		return name
	}
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + "-" + string(plan.Collection) + ext
}

// apply writes a plan after its backup.
func (o *options) apply(ctx context.Context, a *oauthcert.Applier, dir oauthcert.Directory, plan *oauthcert.Plan, name string, stdout io.Writer) error {
	backup := &lateFile{name: name}
	report, err := a.Apply(ctx, dir, plan, backup)
	if report != nil && o.json {
		err = errors.Join(err, json.NewEncoder(stdout).Encode(report))
	}
	if err != nil {
		return err
	}
	if !o.json {
		if report.Writes == 0 {
			fmt.Fprintln(stdout, "Nothing was to be done.")
		} else {
			fmt.Fprintf(stdout, "Done, and shown by the directory. The state before is in %s.\n", name)
		}
	}
	return nil
}

// verify asks whether the directory shows what the plan leads to.
func (o *options) verify(ctx context.Context, a *oauthcert.Applier, dir oauthcert.Directory, plan *oauthcert.Plan, stdout io.Writer) error {
	report, err := a.Verify(ctx, dir, plan)
	if report == nil {
		return err
	}
	if o.json {
		return errors.Join(err, json.NewEncoder(stdout).Encode(report))
	}
	if err == nil {
		fmt.Fprintln(stdout, "The directory shows it.")
	}
	if report.After != nil && plan.Collection == oauthcert.Keys {
		findings := oauthcert.AssessObject(report.After, oauthcert.Expected{}, o.at)
		// Whether the wanted keys are there is what the plan has told.
		printFindings(stdout, slices.DeleteFunc(findings, func(f crossprem.Finding) bool {
			return f.Rule == "entra-key-current" || strings.HasPrefix(f.Rule, "entra-name")
		}))
	}
	return err
}

// printPlan prints each step on a line.
func printPlan(w io.Writer, plan *oauthcert.Plan) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %s:\n", plan.Target, plan.Collection)
	for _, s := range plan.Steps {
		fmt.Fprintln(&b, " ", s)
	}
	if len(plan.Steps) == 0 {
		fmt.Fprintln(&b, "  nothing is there, and nothing is to be done")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// A lateFile is made when something is first written to it, and never
// overwrites another.
type lateFile struct{ name string }

func (f *lateFile) Write(data []byte) (int, error) {
	if err := writeNew(f.name, data); err != nil {
		return 0, err
	}
	return len(data), nil
}
