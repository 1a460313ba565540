package signins

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
)

// AsOf is the day on which the embedded tables of client apps, error codes and
// retirements were last compared with their sources. A value or a date that
// Microsoft announced later is not in them: see [LoadTables].
const AsOf = "2026-11-25"

//go:embed data/client-apps.json data/error-codes.json data/retirements.json
var embeddedTables embed.FS

// The files of tables.
const (
	clientAppsFile  = "client-apps.json"
	errorCodesFile  = "error-codes.json"
	retirementsFile = "retirements.json"
)

// maxTable bounds the size of the file of a table.
const maxTable = 16 << 20

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

// Tables say what client apps, user agents, request types and error codes in
// sign-in logs stand for, and what Microsoft switches off when. A nil *Tables
// stands for the embedded ones. Tables are never changed once they are made, so
// that any number of goroutines may use them.
type Tables struct {
	asOf map[string]string // by file

	clients                map[string]clientApp // by name, as it is written and normalised
	browser, mobileDesktop clientApp
	agents                 []string          // of Exchange Online's front ends
	requestTypes           map[string]string // class by request type, or by its first part with ":*", in lower case
	nativeMail             map[string]bool   // ids and names of mail apps, in lower case
	codes                  map[int32]code
	codeNames              map[string]int32 // codes by their names in unified audit's LogonError, in lower case
	retirements            []Retirement     // by date
}

// embedded returns the embedded tables, which are parsed once, when they are
// first asked. They are ours, so that a fault in them is a fault of the
// program; a test reads them through.
var embedded = sync.OnceValue(func() *Tables {
	files, err := fs.Sub(embeddedTables, "data")
	if err == nil {
		t := &Tables{asOf: make(map[string]string)}
		if err = t.load(files); err == nil {
			return t
		}
	}
	panic("signins: embedded table: " + err.Error())
})

func (t *Tables) orEmbedded() *Tables {
	if t == nil {
		return embedded()
	}
	return t
}

// AsOf returns the day ("2006-01-02") on which the tables were last compared
// with their sources, of several the earliest. Those that are embedded are of
// [AsOf].
func (t *Tables) AsOf() string { return slices.Min(slices.Collect(maps.Values(t.orEmbedded().asOf))) }

// LoadTables returns the embedded tables, replaced or extended by the files in
// the root of fsys:
//
//	client-apps.json  values, userAgents, requestTypes, nativeMailApps
//	error-codes.json  codes
//	retirements.json  retirements
//
// They have the form of the embedded ones, which are in the folder data of this
// package. Each has the day that it is of in "asOf". It replaces the embedded
// file of its name; with "extends": true, its rows are added to the embedded
// ones, and replace those with the same name, code or id. A file that is not
// there changes nothing, but one of them has to be: if not, the error is
// [fs.ErrNotExist]. Other errors name the file, and the row if it is one.
func LoadTables(fsys fs.FS) (*Tables, error) {
	base := embedded()
	t := &Tables{
		asOf: maps.Clone(base.asOf), clients: base.clients, browser: base.browser, mobileDesktop: base.mobileDesktop, agents: base.agents,
		requestTypes: base.requestTypes, nativeMail: base.nativeMail, codes: base.codes, codeNames: base.codeNames, retirements: base.retirements,
	}
	if err := t.load(fsys); err != nil {
		return nil, fmt.Errorf("signins: %w", err)
	}
	return t, nil
}

// load replaces or extends the tables of t by those in fsys.
func (t *Tables) load(fsys fs.FS) error {
	found := 0
	for _, f := range []struct {
		name string
		load func(data []byte, extends bool) error
	}{{clientAppsFile, t.loadClientApps}, {errorCodesFile, t.loadErrorCodes}, {retirementsFile, t.loadRetirements}} {
		data, err := readTable(fsys, f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found++
		var about struct {
			AsOf    string
			Extends bool
		}
		if err == nil {
			err = json.Unmarshal(data, &about)
		}
		if err == nil {
			if _, err = time.Parse(time.DateOnly, about.AsOf); err != nil {
				err = fmt.Errorf("asOf %.20q is no day such as 2026-11-25", about.AsOf)
			}
		}
		if err == nil {
			err = f.load(data, about.Extends)
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", f.name, err)
		}
		t.asOf[f.name] = about.AsOf
	}
	if found == 0 {
		return fmt.Errorf("no table %s, %s or %s: %w", clientAppsFile, errorCodesFile, retirementsFile, fs.ErrNotExist)
	}
	return nil
}

func readTable(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err == nil && len(data) > maxTable {
		err = fmt.Errorf("it is larger than %d MiB", maxTable>>20)
	}
	return data, err
}

// cloned returns a copy of m to add to, or an empty map if m is replaced.
func cloned[K comparable, V any](m map[K]V, extends bool) map[K]V {
	if !extends || m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

func (t *Tables) loadClientApps(data []byte, extends bool) error {
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
	if err := json.Unmarshal(data, &apps); err != nil {
		return err
	}
	clients, requestTypes, nativeMail := cloned(t.clients, extends), cloned(t.requestTypes, extends), cloned(t.nativeMail, extends)
	agents := slices.Clone(t.agents)
	if !extends {
		agents = nil
	}
	clients[""] = clientApp{UnknownClass, UnknownProtocol, BlankClient}
	for i, v := range apps.Values {
		app := clientApp{protocol: v.Protocol, reason: ByClientApp}
		switch {
		case v.Legacy != "no" && v.Legacy != "yes" && v.Legacy != "conditional":
			return fmt.Errorf("value %d: legacy is %.20q, not yes, no or conditional", i+1, v.Legacy)
		case len(v.Names) == 0 || slices.Contains(v.Names, ""):
			return fmt.Errorf("value %d has no name", i+1)
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
			clients[name], clients[normalise(name)] = app, app
		}
	}
	for i, a := range apps.UserAgents {
		if a.Name == "" {
			return fmt.Errorf("user agent %d has no name", i+1)
		}
		if !slices.ContainsFunc(agents, func(have string) bool { return strings.EqualFold(have, a.Name) }) {
			agents = append(agents, a.Name)
		}
	}
	for i, r := range apps.RequestTypes {
		if r.Name == "" || !slices.Contains([]string{"legacy", "token", "page", "browser", "modern"}, r.Class) {
			return fmt.Errorf("request type %d has no name, or not the class legacy, token, page, browser or modern", i+1)
		}
		requestTypes[strings.ToLower(r.Name)] = r.Class
	}
	for _, a := range apps.NativeMailApps {
		for _, name := range append(a.Names, a.AppID) {
			if name != "" {
				nativeMail[strings.ToLower(name)] = true
			}
		}
	}
	t.clients, t.agents, t.requestTypes, t.nativeMail = clients, agents, requestTypes, nativeMail
	t.browser, t.mobileDesktop = t.known(browserName), t.known(mobileDesktopName)
	return nil
}

// known returns what a name of clientAppUsed stands for in a table that may
// lack it.
func (t *Tables) known(name string) clientApp {
	if app, ok := t.clients[name]; ok {
		return app
	}
	return clientApp{UnknownClass, UnknownProtocol, UnlistedClient}
}

func (t *Tables) loadErrorCodes(data []byte, extends bool) error {
	var file struct {
		Codes []struct {
			Code     int32
			Name     string
			Aliases  []string
			Outcome  Outcome
			Password crossprem.Answer
			Guess    bool
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	codes, names := cloned(t.codes, extends), cloned(t.codeNames, extends)
	for i, c := range file.Codes {
		if c.Outcome == UnknownOutcome || c.Code < 0 {
			return fmt.Errorf("code %d (%d) has no outcome, or is negative", i+1, c.Code)
		}
		codes[c.Code] = code{c.Outcome, c.Password, c.Guess}
		for _, name := range append(c.Aliases, c.Name) {
			if name != "" {
				names[strings.ToLower(name)] = c.Code
			}
		}
	}
	if c := codes[0]; c.outcome != Success {
		return errors.New("code 0 is not the one of success")
	}
	t.codes, t.codeNames = codes, names
	return nil
}

func (t *Tables) loadRetirements(data []byte, extends bool) error {
	var file struct {
		Retirements []struct {
			ID, Date, End, Precision, Title, Effect, Remedy string
			Certain, Password                               bool
			Protocols                                       []Protocol
			Sources                                         []string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	var all []Retirement
	if extends {
		all = slices.Clone(t.retirements)
	}
	for i, r := range file.Retirements {
		row := Retirement{ID: r.ID, Title: r.Title, Effect: r.Effect, Remedy: r.Remedy, Certain: r.Certain, MonthOnly: r.Precision == "month",
			Protocols: r.Protocols, Sources: r.Sources, password: r.Password}
		var err, endErr error
		row.Date, err = time.Parse(time.DateOnly, r.Date)
		if r.End != "" {
			row.End, endErr = time.Parse(time.DateOnly, r.End)
		}
		switch {
		case r.ID == "" || r.Title == "" || len(r.Sources) == 0:
			return fmt.Errorf("retirement %d has no id, no title or no sources", i+1)
		case err != nil || endErr != nil || r.End != "" && row.End.Before(row.Date):
			return fmt.Errorf("retirement %d (%.40s): date and end are not days such as 2026-12-31, one after the other", i+1, r.ID)
		case r.Precision != "" && r.Precision != "day" && r.Precision != "month":
			return fmt.Errorf("retirement %d (%.40s): precision is not day or month", i+1, r.ID)
		}
		all = slices.DeleteFunc(all, func(have Retirement) bool { return have.ID == r.ID })
		all = append(all, row)
	}
	slices.SortStableFunc(all, func(a, b Retirement) int { return a.Date.Compare(b.Date) })
	t.retirements = all
	return nil
}

// requestClass returns the class of a request type such as "Login:reprocess".
func (t *Tables) requestClass(requestType string) string {
	requestType = strings.ToLower(strings.TrimSpace(requestType))
	if class, ok := t.requestTypes[requestType]; ok {
		return class
	}
	family, _, _ := strings.Cut(requestType, ":")
	return t.requestTypes[family+":*"]
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
