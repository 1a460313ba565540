package connectversion

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A FleetServer is one server of a fleet: what its folder shows.
type FleetServer struct {
	Tenant  string  `json:"tenant,omitempty"` // the name of the tenant's folder, or ""
	Folder  string  `json:"folder"`           // within the fleet's, such as "contoso/SYNC1"
	Machine Machine `json:"machine"`
}

// name is the server's own, or that of its folder.
func (s FleetServer) name() string { return cmp.Or(s.Machine.Facts.Server, path.Base(s.Folder)) }

// maxFleetServers bounds how many folders of servers are read.
const maxFleetServers = 5000

// GatherFleet reads a folder that holds one for each tenant, which holds one
// for each server; each of these is read as [Gather] does. A folder that holds
// files and no folder is a server whose tenant is not known. Files beside the
// folders of a tenant's servers, such as saved answers of Microsoft Graph, are
// evidence of the tenant, in an element of their own.
//
// What cannot be read is the error, beside what could.
func GatherFleet(fsys fs.FS) ([]FleetServer, error) {
	var servers []FleetServer
	var errs []error
	gather := func(tenant, folder string, sub fs.FS) {
		m, err := Gather(sub)
		for i := range m.Evidence {
			m.Evidence[i].Where = folder + "/" + m.Evidence[i].Where
		}
		for i := range m.NotUnderstood {
			m.NotUnderstood[i].File = folder + "/" + m.NotUnderstood[i].File
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", folder, err))
		}
		servers = append(servers, FleetServer{tenant, folder, m})
	}
	tenants, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("connectversion: %w", err)
	}
	for _, t := range tenants {
		if !t.IsDir() {
			continue
		}
		inside, err := fs.ReadDir(fsys, t.Name())
		if err != nil {
			errs = append(errs, fmt.Errorf("connectversion: %w", err))
			continue
		}
		folders := slices.DeleteFunc(slices.Clone(inside), func(d fs.DirEntry) bool { return !d.IsDir() })
		if len(servers)+len(folders) >= maxFleetServers {
			errs = append(errs, fmt.Errorf("connectversion: more than %d servers", maxFleetServers))
			break
		}
		sub, err := fs.Sub(fsys, t.Name())
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("connectversion: %w", err))
		case len(folders) == 0:
			gather("", t.Name(), sub)
		default:
			if len(folders) < len(inside) {
				gather(t.Name(), t.Name(), filesOnly{sub})
			}
			for _, d := range folders {
				if server, err := fs.Sub(sub, d.Name()); err == nil {
					gather(t.Name(), t.Name()+"/"+d.Name(), server)
				}
			}
		}
	}
	return servers, errors.Join(errs...)
}

// filesOnly is a folder without the folders in it.
type filesOnly struct{ fs.FS }

func (f filesOnly) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, name)
	return slices.DeleteFunc(entries, fs.DirEntry.IsDir), err
}

// A Fleet is what many servers of many tenants come to.
type Fleet struct {
	// Installed has every installation once: what hurts first comes first.
	Installed []FleetInstallation `json:"installed"`

	// NotUnderstood lists the files from which nothing, or not everything, was taken.
	NotUnderstood []Unread `json:"notUnderstood"`
}

// A FleetInstallation is one product on one server of a tenant. The keys of
// findings are unique within a tenant.
type FleetInstallation struct {
	Tenant     string      `json:"tenant,omitempty"`
	Server     string      `json:"server,omitempty"`
	Component  string      `json:"component,omitempty"`
	Assessment Assessment  `json:"assessment"`
	Plan       UpgradePlan `json:"plan"`

	// Contradictions are the findings on the evidence of this installation.
	Contradictions []crossprem.Finding `json:"contradictions"`
}

// NextStep returns the next thing to do: the first step of the plan that the
// installed version does not simply stay for. False if there is none.
func (i FleetInstallation) NextStep() (Step, bool) {
	for _, s := range i.Plan.Steps {
		if len(s.Why) > 0 {
			return s, true
		}
	}
	return Step{}, false
}

// DaysLeft returns the number of days from the day judged for until the
// installed version is no longer good, 0 if it is not now. False if it stays
// good up to the plan's horizon.
func (i FleetInstallation) DaysLeft() (int, bool) {
	s, ok := i.NextStep()
	if !ok {
		return 0, false
	}
	return i.Assessment.DaysLeft(s.From), true
}

// AssessFleet judges with the settings of the zero [Assessor] and the embedded
// catalogue.
func AssessFleet(at, horizon time.Time, servers ...FleetServer) Fleet {
	return new(Assessor).AssessFleet(at, horizon, servers...)
}

// AssessFleet judges every installation of every server for the day at, and
// plans for it until the horizon. The evidence of one tenant is compared as a
// whole, so that what the tenant says meets what its servers say.
func (a *Assessor) AssessFleet(at, horizon time.Time, servers ...FleetServer) Fleet {
	fleet := Fleet{Installed: []FleetInstallation{}, NotUnderstood: []Unread{}}
	byTenant := make(map[string][]FleetServer)
	for _, s := range servers {
		key := s.Tenant
		if key == "" {
			key = "\x00" + s.Folder // nothing says that two are of one tenant
		}
		byTenant[key] = append(byTenant[key], s)
		fleet.NotUnderstood = append(fleet.NotUnderstood, s.Machine.NotUnderstood...)
	}
	for _, group := range byTenant {
		var evidence []Evidence
		for _, s := range group {
			for _, e := range s.Machine.Evidence {
				if e.Server == "" && e.Origin != FromTenant {
					e.Server = s.name()
				}
				evidence = append(evidence, e)
			}
		}
		found := Reconcile(at, evidence...)
		for _, i := range found.Installed {
			facts := factsIn(group, i)
			one := FleetInstallation{Tenant: group[0].Tenant, Server: i.Server, Component: i.Component,
				Assessment: a.Assess(i.Product, i.Version, at, facts), Plan: a.Plan(i, facts, at, horizon), Contradictions: []crossprem.Finding{}}
			for _, f := range found.Findings {
				product, _, _ := strings.Cut(f.Part, "/")
				if f.Status != crossprem.Passed && sameServer(f.Subject, subjectOf(Evidence{Product: i.Product, Server: i.Server})) && product == i.Product.String() {
					one.Contradictions = append(one.Contradictions, f)
				}
			}
			fleet.Installed = append(fleet.Installed, one)
		}
	}
	slices.SortFunc(fleet.Installed, func(a, b FleetInstallation) int {
		return cmp.Or(crossprem.WorstFirst(a.worst(), b.worst()), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Server, b.Server),
			cmp.Compare(a.Assessment.Product, b.Assessment.Product), cmp.Compare(a.Component, b.Component))
	})
	slices.SortFunc(fleet.NotUnderstood, func(a, b Unread) int { return cmp.Compare(a.File, b.File) })
	return fleet
}

// factsIn returns what the folder of the installation's server says of it.
func factsIn(group []FleetServer, i Installed) Facts {
	for _, s := range group {
		if i.Server != "" && sameServer(i.Server, s.name()) {
			s.Machine.Facts.Server = cmp.Or(s.Machine.Facts.Server, i.Server)
			return s.Machine.FactsOf(i)
		}
	}
	for _, s := range group { // it is registered in the directory that one of them asked
		if facts := s.Machine.FactsOf(i); facts.ProxyAutoUpgrade != crossprem.AnswerUnknown {
			return facts
		}
	}
	return Machine{}.FactsOf(i)
}

// worst is the finding by which an installation is sorted, without what names it.
func (i FleetInstallation) worst() crossprem.Finding {
	all := slices.Concat(i.Assessment.Findings, i.Contradictions)
	if len(all) == 0 {
		return crossprem.Finding{}
	}
	f := slices.MinFunc(all, crossprem.WorstFirst)
	return crossprem.Finding{Status: f.Status, Severity: f.Severity, Due: f.Due}
}
