package signins

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"github.com/crossprem/crossprem"
)

// AsOf is the day on which the embedded tables of client apps, error codes and
// retirements were last compared with their sources. A value or a date that
// Microsoft announced later is not in them.
const AsOf = "2026-11-22"

var (
	//go:embed data/client-apps.json
	clientAppsJSON []byte
	//go:embed data/error-codes.json
	errorCodesJSON []byte
)

// A clientApp is what a value of clientAppUsed stands for.
type clientApp struct {
	class    Class
	protocol Protocol
	reason   Reason
}

// A code is what an AADSTS error code stands for.
type code struct {
	outcome  Outcome
	password crossprem.Answer // whether it shows that the password was right
	guess    bool
}

// What clientAppUsed says in nearly all records.
const (
	browserName       = "Browser"
	mobileDesktopName = "Mobile Apps and Desktop clients"
)

// The tables are parsed once, when they are first asked. Both are ours, so
// that a fault in them is a fault of the program; a test reads them through.
type tables struct {
	clients                map[string]clientApp // by name, as it is written and normalised
	browser, mobileDesktop clientApp
	agents                 []string          // of Exchange Online's front ends
	requestTypes           map[string]string // class by request type, or by its first part with ":*", in lower case
	nativeMail             map[string]bool   // ids and names of mail apps, in lower case
	codes                  map[int32]code
	codeNames              map[string]int32 // codes by their names in unified audit's LogonError, in lower case
}

var table = sync.OnceValue(func() *tables {
	var apps struct {
		Values []struct {
			Names    []string
			Protocol Protocol
			Legacy   string
		}
		UserAgents     []struct{ Name string }
		RequestTypes   []struct{ Name, Class string }
		NativeMailApps []struct {
			AppID string
			Names []string
		}
	}
	var errors struct {
		Codes []struct {
			Code     int32
			Name     string
			Aliases  []string
			Outcome  Outcome
			Password crossprem.Answer
			Guess    bool
		}
	}
	mustUnmarshal(clientAppsJSON, &apps)
	mustUnmarshal(errorCodesJSON, &errors)
	t := &tables{
		clients:      map[string]clientApp{"": {UnknownClass, UnknownProtocol, BlankClient}},
		requestTypes: make(map[string]string),
		nativeMail:   make(map[string]bool),
		codes:        make(map[int32]code, len(errors.Codes)),
		codeNames:    make(map[string]int32, len(errors.Codes)),
	}
	for _, v := range apps.Values {
		app := clientApp{protocol: v.Protocol, reason: ByClientApp}
		switch {
		case v.Legacy == "no":
			app.class = Modern
		case v.Legacy == "yes", v.Protocol == ExchangeActiveSync:
			app.class = Legacy // the documentation lists ActiveSync as legacy whatever it proves itself with
		case v.Protocol == UnknownProtocol:
			app.reason = BlankClient
		default:
			app.reason = AmbiguousClient
		}
		for _, name := range v.Names {
			t.clients[name], t.clients[normalise(name)] = app, app
		}
	}
	t.browser, t.mobileDesktop = t.clients[browserName], t.clients[mobileDesktopName]
	for _, a := range apps.UserAgents {
		t.agents = append(t.agents, a.Name)
	}
	for _, r := range apps.RequestTypes {
		t.requestTypes[strings.ToLower(r.Name)] = r.Class
	}
	for _, a := range apps.NativeMailApps {
		t.nativeMail[a.AppID] = true
		for _, name := range a.Names {
			t.nativeMail[strings.ToLower(name)] = true
		}
	}
	for _, c := range errors.Codes {
		t.codes[c.Code] = code{c.Outcome, c.Password, c.Guess}
		for _, name := range append(c.Aliases, c.Name) {
			t.codeNames[strings.ToLower(name)] = c.Code
		}
	}
	return t
})

// requestClass returns the class of a request type such as "Login:reprocess".
func (t *tables) requestClass(requestType string) string {
	requestType = strings.ToLower(strings.TrimSpace(requestType))
	if class, ok := t.requestTypes[requestType]; ok {
		return class
	}
	family, _, _ := strings.Cut(requestType, ":")
	return t.requestTypes[family+":*"]
}

func mustUnmarshal(data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic("signins: embedded table: " + err.Error())
	}
}

// normalise makes spellings of one client app equal: it joins white space,
// lowers letters, and takes "Other clients; IMAP", as logs of 2018 to 2020
// have it, for "IMAP".
func normalise(name string) string {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if rest, ok := strings.CutPrefix(name, "other clients;"); ok {
		return cmp.Or(strings.TrimSpace(rest), "other clients")
	}
	return name
}
