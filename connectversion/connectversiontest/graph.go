package connectversiontest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/crossprem/crossprem/connectversion"
)

// A Graph is what Microsoft Graph shows of a tenant's synchronisation: its
// organization, directory/onPremisesSynchronization and the private network
// connectors. It is an [http.Handler] for the three paths, which answers GET
// alone and does not ask who is calling.
//
// It models what package graphconnectversion asks for, and refuses every query
// option but the $select of organization.
type Graph struct {
	TenantID   string
	TenantName string

	// Version is the Connect Sync that exported last. If it is zero, the tenant
	// was never synchronised.
	Version    connectversion.Version
	Machine    string
	LastSync   time.Time
	Connectors []Connector
}

// A Connector is a private network connector.
type Connector struct{ ID, Machine, Version, Status string }

// GraphPaths are the paths that a [Graph] answers.
var GraphPaths = []string{
	"/v1.0/organization", "/beta/directory/onPremisesSynchronization", "/beta/onPremisesPublishingProfiles/applicationProxy/connectors",
}

// ServeHTTP implements [http.Handler].
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type object map[string]any
	answer := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body) // the client may have gone
	}
	refuse := func(status int, code, message string) {
		answer(status, object{"error": object{"code": code, "message": message}})
	}
	if r.Method != http.MethodGet {
		refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "only GET is modelled")
		return
	}
	for option := range r.URL.Query() {
		if option != "$select" || r.URL.Path != GraphPaths[0] {
			refuse(http.StatusBadRequest, "NotModelled", fmt.Sprintf("query option %q", option))
			return
		}
	}
	synchronised := g.Version != (connectversion.Version{})
	switch r.URL.Path {
	case GraphPaths[0]:
		o := object{"id": g.TenantID, "displayName": g.TenantName, "onPremisesSyncEnabled": nil, "onPremisesLastSyncDateTime": nil}
		if synchronised {
			o["onPremisesSyncEnabled"], o["onPremisesLastSyncDateTime"] = true, g.LastSync.UTC().Format(time.RFC3339)
		}
		answer(http.StatusOK, object{"value": []object{o}})
	case GraphPaths[1]:
		o := object{"id": g.TenantID}
		if synchronised {
			o["configuration"] = object{
				"applicationId": "1651564e-7ce4-4d99-88be-0a65050d8dc3", "synchronizationClientVersion": g.Version.String(),
				"currentExportData": object{"clientMachineName": g.Machine, "serviceAccount": "Sync_" + g.Machine + "_1a2b3c4d5e6f@contoso.onmicrosoft.com"},
			}
		}
		answer(http.StatusOK, object{"value": []object{o}})
	case GraphPaths[2]:
		all := []object{}
		for _, c := range g.Connectors {
			all = append(all, object{"id": c.ID, "machineName": c.Machine, "version": c.Version, "status": c.Status})
		}
		answer(http.StatusOK, object{"value": all})
	default:
		refuse(http.StatusNotFound, "Request_ResourceNotFound", "not modelled: "+r.URL.Path)
	}
}
