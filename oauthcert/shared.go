package oauthcert

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
)

// SharedTarget is the service principal of Exchange Online, which every tenant
// shares with Microsoft: see [ExchangeOnline].
func SharedTarget() Target { return Target{Kind: ServicePrincipal, AppID: ExchangeOnline} }

// SharedKeys is what was found of keys on the shared principal of one tenant.
// It is a plain value, and can be stored as JSON and read back.
type SharedKeys struct {
	Tenant string           `json:"tenant"`
	At     time.Time        `json:"at"`    // when it was asked
	Holds  crossprem.Answer `json:"holds"` // whether there is any key; unknown if it could not be asked
	Keys   int              `json:"keys"`
	Valid  int              `json:"valid"` // of Keys, those not expired at At

	// Since is the earliest start of the keys' validity, zero if it is not
	// told. The directory does not keep when a key was added: that was not
	// before it was made, and may have been later.
	Since time.Time `json:"since,omitzero"`

	Until time.Time `json:"until,omitzero"`  // the latest end of a key; zero if it is not told
	Error string    `json:"error,omitempty"` // why Holds is unknown, in one line
}

// sharedKeys counts the keys of an object whose keys were read.
func sharedKeys(o *Object, at time.Time) SharedKeys {
	s := SharedKeys{At: at, Holds: crossprem.AnswerOf(len(o.Keys) > 0), Keys: len(o.Keys)}
	for _, k := range o.Keys {
		if !k.expired(at) {
			s.Valid++
		}
		start, end := k.StartDateTime, k.EndDateTime
		if c, err := k.Certificate(); err == nil && start.IsZero() {
			start = c.NotBefore()
		}
		if !start.IsZero() && (s.Since.IsZero() || start.Before(s.Since)) {
			s.Since = start.UTC()
		}
		if end.After(s.Until) {
			s.Until = end.UTC()
		}
	}
	return s
}

// A Fleet asks many tenants. Its fields are set before use.
type Fleet struct {
	// Open returns the directory of a tenant. It may be called by several
	// goroutines at once.
	Open func(ctx context.Context, tenant string) (Directory, error)

	// Concurrency is how many tenants are asked at once. If zero, 4.
	Concurrency int
}

// SharedKeys asks each tenant with one read whether its shared principal still
// holds keys, and yields the answers as they come, one for each tenant. A
// tenant that cannot be asked does not stop the others: its answer is unknown,
// and says why. One that has no such principal holds no keys.
//
// Of earlier, the results of a run that was cut short, those with an answer
// come first, as they are, and their tenants are not asked again.
//
// It ends when ctx is done, or the loop; then some tenants have no result.
func (f Fleet) SharedKeys(ctx context.Context, tenants []string, earlier []SharedKeys) iter.Seq[SharedKeys] {
	return func(yield func(SharedKeys) bool) {
		known := map[string]SharedKeys{}
		for _, e := range earlier {
			if e.Holds != crossprem.AnswerUnknown {
				known[e.Tenant] = e
			}
		}
		var rest []string
		seen := map[string]bool{}
		for _, tenant := range tenants {
			if seen[tenant] {
				continue
			}
			seen[tenant] = true
			if e, ok := known[tenant]; !ok {
				rest = append(rest, tenant)
			} else if !yield(e) {
				return
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		work, results := make(chan string), make(chan SharedKeys)
		var workers sync.WaitGroup
		for range min(orElse(f.Concurrency, 4), len(rest)) {
			workers.Go(func() {
				for tenant := range work {
					s := f.ask(ctx, tenant)
					if ctx.Err() != nil {
						return
					}
					select {
					case results <- s:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		workers.Go(func() {
			defer close(work)
			for _, tenant := range rest {
				select {
				case work <- tenant:
				case <-ctx.Done():
					return
				}
			}
		})
		go func() {
			workers.Wait()
			close(results)
		}()
		defer func() {
			cancel()
			for range results { // until the workers have ended
			}
		}()
		for s := range results {
			if !yield(s) {
				return
			}
		}
	}
}

func (f Fleet) ask(ctx context.Context, tenant string) SharedKeys {
	s := SharedKeys{Tenant: tenant, At: time.Now().UTC()}
	var dir Directory
	err := errors.New("oauthcert: the fleet has no Open")
	if f.Open != nil {
		dir, err = f.Open(ctx, tenant)
	}
	if err == nil {
		var o *Object
		switch o, err = read(ctx, dir, SharedTarget()); {
		case errors.Is(err, ErrNoObject):
			s.Holds = crossprem.No
			return s
		case err == nil && o.Keys == nil:
			err = errors.New("oauthcert: the directory did not show the keys")
		case err == nil:
			s = sharedKeys(o, s.At)
			s.Tenant = tenant
			return s
		}
	}
	s.Error = oneLine(err.Error(), 500)
	return s
}

// A Cover says whether a directory's object has a key that serves one
// certificate of one server.
type Cover struct {
	Server      string           `json:"server"`
	Certificate Thumbprint       `json:"certificate"`
	Held        crossprem.Answer `json:"held"`            // whether the server has the certificate, with its private key if that was told
	Covered     crossprem.Answer `json:"covered"`         // whether Entra ID accepts what is signed with it; unknown if not every key was shown
	KeyID       string           `json:"keyId,omitempty"` // of the key that serves it, or ""
	Until       time.Time        `json:"until,omitzero"`  // when that key ends; zero if it is not told
}

// Coverage compares the certificates of servers with the keys of an object on
// the day of at: what a server signs with and no key of the object serves,
// Entra ID refuses. Each server is told with each of the wanted certificates,
// usually the current and the next one, or, if none is given, with every
// certificate that it holds and has a private key of, or may have.
func Coverage(servers []Server, o *Object, at time.Time, wanted ...Thumbprint) []Cover {
	o = o.public()
	hidden := o.Keys == nil
	keys := map[Thumbprint]KeyCredential{}
	for _, k := range o.Keys {
		c, err := k.Certificate()
		if k.Key == nil {
			hidden = true
		}
		if err == nil && k.serves(c) && !k.expired(at) {
			if other, twice := keys[c.SHA1()]; !twice || k.EndDateTime.After(other.EndDateTime) {
				keys[c.SHA1()] = k
			}
		}
	}
	var out []Cover
	for _, s := range mergeServers(servers) {
		certificates := wanted
		if len(wanted) == 0 {
			certificates = nil
			for t, key := range s.Held {
				if key.Presence != KeyAbsent {
					certificates = append(certificates, t)
				}
			}
			sortThumbprints(certificates)
		}
		for _, t := range certificates {
			c := Cover{Server: s.Name, Certificate: t, Covered: crossprem.No}
			if key, held := s.Held[t]; s.Held != nil {
				c.Held = crossprem.AnswerOf(held && key.Presence != KeyAbsent)
			}
			if k, ok := keys[t]; ok {
				c.Covered, c.KeyID, c.Until = crossprem.Yes, k.KeyID, k.EndDateTime
			} else if hidden {
				c.Covered = crossprem.AnswerUnknown
			}
			out = append(out, c)
		}
	}
	return out
}
