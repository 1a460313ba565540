package oauthcerttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/crossprem/crossprem/oauthcert"
)

// TestDirectory checks that the directories made by open keep the promises of
// [oauthcert.Directory], and reports the first one that is broken. open makes
// a directory that holds what backend holds: an adapter is pointed at it as
// an [http.Handler], and a directory of its own kind is filled by what
// backend's Truth tells.
func TestDirectory(ctx context.Context, open func(backend *Directory) oauthcert.Directory) error {
	cert, second := AuthCertificate{}.Make(), AuthCertificate{}.Make()
	app := &oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		DisplayName: "ExchangeServerApp", Keys: []oauthcert.KeyCredential{cert.KeyCredential()}}
	sp := &oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: "0f1e2d3c-4b5a-4697-8877-665544332211", AppID: oauthcert.ExchangeOnline,
		Keys: []oauthcert.KeyCredential{}, Names: []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/"}}
	backend := New(1, app, sp)
	dir := open(backend)
	byApp := oauthcert.Target{Kind: oauthcert.Application, AppID: app.AppID}
	byID := oauthcert.Target{Kind: oauthcert.ServicePrincipal, ID: sp.ID}

	o, err := dir.Read(ctx, byApp)
	switch {
	case err != nil:
		return fmt.Errorf("Read by appId: %w", err)
	case o.ID != app.ID || o.AppID != app.AppID || o.Kind != oauthcert.Application || o.DisplayName != app.DisplayName:
		return fmt.Errorf("Read by appId: got %+v", o)
	case len(o.Keys) != 1 || !bytes.Equal(o.Keys[0].Key, cert.DER()):
		return errors.New("Read: the key is not shown with its value, encoded once")
	case o.Keys[0].CustomKeyIdentifier != cert.SHA1().String():
		return fmt.Errorf("Read: customKeyIdentifier %q; it must be the text of the JSON, %s", o.Keys[0].CustomKeyIdentifier, cert.SHA1())
	case !o.Keys[0].EndDateTime.Equal(cert.NotAfter()) || o.Keys[0].KeyID == "":
		return fmt.Errorf("Read: got %+v", o.Keys[0])
	}

	// A kept key goes back by reference, and stays what it was.
	kept := o.Keys[0]
	reference := kept
	reference.Key = nil
	if err := dir.WriteKeys(ctx, byApp, []oauthcert.KeyCredential{reference, second.KeyCredential()}); err != nil {
		return fmt.Errorf("WriteKeys with a key by reference: %w", err)
	}
	o, err = dir.Read(ctx, byApp)
	switch {
	case err != nil:
		return fmt.Errorf("Read after WriteKeys: %w", err)
	case len(o.Keys) != 2 || len(o.Find(cert)) != 1 || len(o.Find(second)) != 1:
		return fmt.Errorf("WriteKeys: %d keys are there in place of 2", len(o.Keys))
	case o.Find(cert)[0].KeyID != kept.KeyID:
		return errors.New("WriteKeys: a key kept by reference has another keyId")
	}
	altered := reference
	altered.DisplayName = "altered"
	if err := dir.WriteKeys(ctx, byApp, []oauthcert.KeyCredential{altered}); !errors.Is(err, oauthcert.ErrKeyNotUpdatable) {
		return fmt.Errorf("WriteKeys with an altered key: got %v in place of ErrKeyNotUpdatable", err)
	}

	// nil is a mistake; an empty slice empties.
	if err := dir.WriteKeys(ctx, byApp, nil); err == nil {
		return errors.New("WriteKeys takes nil")
	}
	if err := dir.WriteNames(ctx, byID, nil); err == nil {
		return errors.New("WriteNames takes nil")
	}
	if got := backend.Truth(byApp); len(got.Keys) != 2 {
		return errors.New("WriteKeys with nil wrote")
	}
	if err := dir.WriteKeys(ctx, byApp, []oauthcert.KeyCredential{}); err != nil {
		return fmt.Errorf("WriteKeys with no key: %w", err)
	}
	if o, err = dir.Read(ctx, byApp); err != nil || o.Keys == nil || len(o.Keys) != 0 {
		return fmt.Errorf("Read of an empty collection: %v, %v", o, err)
	}

	// Names, by object id.
	names := append(slices.Clone(sp.Names), "https://mail.contoso.test/")
	if err := dir.WriteNames(ctx, byID, names); err != nil {
		return fmt.Errorf("WriteNames: %w", err)
	}
	if o, err = dir.Read(ctx, byID); err != nil || !slices.Equal(o.Names, names) || o.Kind != oauthcert.ServicePrincipal {
		return fmt.Errorf("Read after WriteNames: %v, %v", o, err)
	}

	// Refusals are told as such.
	_, err = dir.Read(ctx, oauthcert.Target{Kind: oauthcert.Application, ID: "99999999-5e6f-4071-8293-a4b5c6d7e8f9"})
	var refused *oauthcert.DirectoryError
	if !errors.Is(err, oauthcert.ErrNoObject) || !errors.As(err, &refused) || refused.Code == "" {
		return fmt.Errorf("Read of no object: got %v in place of a DirectoryError with a code", err)
	}
	if _, err = dir.Read(ctx, oauthcert.Target{Kind: oauthcert.Application, ID: "../users"}); err == nil || errors.As(err, &refused) {
		return fmt.Errorf("Read of a target that is not a GUID: got %v; nothing may be sent", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := dir.WriteNames(done, byID, names); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("WriteNames with a cancelled context: got %v", err)
	}
	return nil
}
