package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/graphsignin"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// A place is the directory and the object to work on.
type place struct {
	dir    oauthcert.Directory
	target oauthcert.Target

	// What the demonstration and a snapshot do differently.
	wanted                     []*oauthcert.Certificate
	hosts                      []string
	interval, steady, patience time.Duration
}

func (o *options) open(stderr io.Writer) (*place, error) {
	target, err := o.target()
	if err != nil {
		return nil, err
	}
	switch {
	case o.tenant != "" && o.snapshot != "":
		return nil, errUsage("-tenant and -snapshot exclude each other")
	case o.tenant != "":
		if target == (oauthcert.Target{}) && o.command != "restore" {
			return nil, errUsage("a tenant needs -app, -shared or -principal")
		}
		dir, err := o.signedIn(stderr)
		return &place{dir: dir, target: target}, err
	case o.snapshot != "":
		object, err := readSnapshot(o.snapshot)
		if err != nil {
			return nil, err
		}
		if target != (oauthcert.Target{}) && (target.Kind != object.Kind || !strings.EqualFold(target.AppID, object.AppID)) {
			return nil, errUsage(fmt.Sprintf("the snapshot holds %ss(appId='%s'), not %s", object.Kind, object.AppID, target))
		}
		return &place{dir: snapshot{object}, target: object.Target(), interval: 1, steady: 1, patience: 1}, nil
	}
	return demonstration(target), nil
}

// target returns the object that the arguments name, or the zero Target.
func (o *options) target() (oauthcert.Target, error) {
	var targets []oauthcert.Target
	if o.app != "" {
		targets = append(targets, oauthcert.Target{Kind: oauthcert.Application, AppID: o.app})
	}
	if o.shared {
		targets = append(targets, oauthcert.Target{Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline})
	}
	if o.principal != "" {
		targets = append(targets, oauthcert.Target{Kind: oauthcert.ServicePrincipal, AppID: o.principal})
	}
	switch {
	case len(targets) > 1:
		return oauthcert.Target{}, errUsage("-app, -shared and -principal exclude each other")
	case o.app != "" && o.command == "cleanup":
		// The hybrid deployment lives on these keys.
		return oauthcert.Target{}, errUsage("cleanup drops every key, and is not for the dedicated application; name keys with apply -drop")
	case o.principal != "" && o.command == "cleanup" && !(&oauthcert.Object{AppID: o.principal}).FirstParty():
		// The keys of other principals sign somebody's SAML tokens.
		return oauthcert.Target{}, errUsage("cleanup is for the principals of Microsoft that had the auth certificate; name keys with apply -drop")
	case len(targets) == 1:
		if err := targets[0].Check(); err != nil {
			return oauthcert.Target{}, errUsage(strings.TrimPrefix(err.Error(), "oauthcert: "))
		}
		return targets[0], nil
	case o.command == "cleanup":
		return oauthcert.Target{Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline}, nil
	}
	return oauthcert.Target{}, nil
}

// signedIn returns the directory of a live tenant. It signs in when it is
// first asked.
func (o *options) signedIn(stderr io.Writer) (oauthcert.Directory, error) {
	var c crossprem.Cloud
	if err := c.UnmarshalText([]byte(o.cloud)); err != nil {
		return nil, errUsage("-cloud: " + err.Error())
	}
	if c == crossprem.CloudUnknown {
		return nil, errUsage("-cloud: which cloud?")
	}
	credential, err := graphsignin.New(o.signIn, o.tenant, graphoauthcert.Authority(c), stderr)
	if err != nil {
		return nil, errUsage(err.Error())
	}
	return graphoauthcert.New(credential, graphoauthcert.Options{Cloud: c})
}

// A snapshot is a directory that was saved to a file. It cannot be changed.
type snapshot struct{ object *oauthcert.Object }

func readSnapshot(name string) (*oauthcert.Object, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	object, err := oauthcert.ParseObject(oauthcert.UnknownKind, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return object, nil
}

var errSnapshot = errors.New("a snapshot cannot be changed")

func (s snapshot) Read(_ context.Context, t oauthcert.Target) (*oauthcert.Object, error) {
	if t.Kind != s.object.Kind || t.ID != "" && t.ID != s.object.ID {
		return nil, fmt.Errorf("the snapshot holds %s, not %s", s.object.Target(), t)
	}
	return s.object, nil
}

func (s snapshot) WriteKeys(context.Context, oauthcert.Target, []oauthcert.KeyCredential) error {
	return errSnapshot
}

func (s snapshot) WriteNames(context.Context, oauthcert.Target, []string) error { return errSnapshot }

// demonstration makes the directory of contoso: the dedicated application
// holds the current certificate and one that has expired, the shared
// principal still holds keys and a host of the past.
func demonstration(target oauthcert.Target) *place {
	now := time.Now()
	current := oauthcerttest.AuthCertificate{NotBefore: now.AddDate(-4, -11, 0)}.Make()
	next := oauthcerttest.AuthCertificate{}.Make()
	old := oauthcerttest.AuthCertificate{NotBefore: now.AddDate(-9, 0, 0)}.Make()
	const app = "c0ffee12-7a3b-4d5e-8f90-1234567890ab"
	dir := oauthcerttest.New(uint64(now.UnixNano()),
		&oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: app,
			DisplayName: "ExchangeServerApp-8d4e1b7a-22c3-4f5d-9b60-aa11bb22cc33",
			Keys:        []oauthcert.KeyCredential{old.KeyCredential(), current.KeyCredential()}},
		&oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: "0f1e2d3c-4b5a-4697-8877-665544332211", AppID: oauthcert.ExchangeOnline,
			DisplayName: "Office 365 Exchange Online",
			Keys:        []oauthcert.KeyCredential{old.KeyCredential(), current.KeyCredential()},
			Names: []string{oauthcert.ExchangeOnline, oauthcert.ExchangeOnline + "/outlook.com", "https://outlook.office365.com/",
				"https://outlook.office.com/", "https://mail.fabrikam.com/", "https://autodiscover.contoso.com/"}})
	dir.Lag, dir.FirstPartyReferences = 200*time.Millisecond, true
	p := &place{dir: dir, target: target, interval: 100 * time.Millisecond, steady: 400 * time.Millisecond, patience: time.Second}
	if target == (oauthcert.Target{}) {
		p.target = oauthcert.Target{Kind: oauthcert.Application, AppID: app}
	}
	if p.target.Kind == oauthcert.Application {
		p.wanted = []*oauthcert.Certificate{current, next}
	} else {
		p.hosts = []string{"mail.contoso.com", "autodiscover.contoso.com"}
	}
	return p
}
