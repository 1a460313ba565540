package graphoauthcert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/crossprem/crossprem/oauthcert"
)

// DedicatedPrefix begins the name of every dedicated hybrid application; the
// GUID of the Exchange organisation follows. Microsoft asks not to rename it.
//
// Source: CSS-Exchange, ConfigureExchangeHybridApplication.ps1.
const DedicatedPrefix = "ExchangeServerApp-"

// maxPages bounds the pages of one answer.
const maxPages = 100

// FindDedicated returns the dedicated hybrid applications of the tenant by
// their name, in the order of the directory: usually one, several where
// several Exchange organisations share the tenant, and none where there is
// none, or it was renamed. Their keys are not read; [Directory.Read] reads
// them for the Target of one.
//
// The error is a [*oauthcert.DirectoryError] if the directory refused.
func (d *Directory) FindDedicated(ctx context.Context) ([]*oauthcert.Object, error) {
	query := url.Values{"$filter": {"startswith(displayName,'" + DedicatedPrefix + "')"}, "$select": {"id,appId,displayName"}}
	path := "/v1.0/applications?" + query.Encode()
	var found []*oauthcert.Object
	for seen := map[string]bool{}; path != ""; {
		if seen[path] || len(seen) >= maxPages {
			return nil, errors.New("graphoauthcert: applications: the pages of the answer do not end")
		}
		seen[path] = true
		body, err := d.client.Get(ctx, path)
		if err != nil {
			return nil, explain(err)
		}
		var page struct {
			Value []json.RawMessage `json:"value"`
			Next  string            `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("graphoauthcert: applications: %w", err)
		}
		if page.Value == nil {
			return nil, errors.New("graphoauthcert: applications: the answer is no list")
		}
		for _, raw := range page.Value {
			object, err := oauthcert.ParseObject(oauthcert.Application, raw)
			if err != nil {
				return nil, fmt.Errorf("graphoauthcert: applications: %w", err)
			}
			if len(object.DisplayName) >= len(DedicatedPrefix) && strings.EqualFold(object.DisplayName[:len(DedicatedPrefix)], DedicatedPrefix) {
				found = append(found, object)
			}
		}
		path = page.Next
	}
	return found, nil
}
