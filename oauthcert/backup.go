package oauthcert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Backup is what a directory showed before a change. As JSON it is one line,
// so that several runs may write into one file:
// the date, the collection that was about to be changed, and the object with
// the properties and the names of Microsoft Graph. It holds public
// certificates and no secret: the value of a key that is not a certificate is
// left out of it.
type Backup struct {
	Format     string     `json:"backup"` // backupFormat
	TakenAt    time.Time  `json:"takenAt"`
	Collection Collection `json:"collection"`
	Object     *Object    `json:"object"`
}

const backupFormat = "crossprem-oauthcert/1"

// writeBackup writes the object as one line.
func writeBackup(w io.Writer, o *Object, c Collection, at time.Time) error {
	data, err := json.Marshal(Backup{Format: backupFormat, TakenAt: at.UTC(), Collection: c, Object: o})
	if err != nil {
		return fmt.Errorf("oauthcert: backup: %w", err)
	}
	if n, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("oauthcert: backup: %w; nothing was written to the directory", err)
	} else if n <= len(data) {
		return fmt.Errorf("oauthcert: backup: %w; nothing was written to the directory", io.ErrShortWrite)
	}
	return nil
}

// maxBackups bounds the length of a file of backups.
const maxBackups = 16 * maxInput

// ReadBackup reads what [Applier.Apply] wrote. Of a file into which several
// runs wrote, it is the last one: what the directory showed before the latest
// change. [ReadBackups] reads them all.
func ReadBackup(r io.Reader) (*Backup, error) {
	all, err := ReadBackups(r)
	if err != nil {
		return nil, err
	}
	return all[len(all)-1], nil
}

// ReadBackups reads a file into which one or more runs wrote their backups,
// one after the other, in their order. There is at least one, or an error. If
// one cannot be read, those before it come with the error, which names it.
func ReadBackups(r io.Reader) ([]*Backup, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBackups+1))
	if err != nil {
		return nil, fmt.Errorf("oauthcert: backup: %w", err)
	}
	if len(data) > maxBackups {
		return nil, fmt.Errorf("oauthcert: backup: more than %d bytes", maxBackups)
	}
	if text, ok := asText(data); ok {
		data = []byte(text) // whoever looked at it may have saved it otherwise
	}
	var all []*Backup
	for in := json.NewDecoder(bytes.NewReader(data)); ; {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return all, fmt.Errorf("oauthcert: backup: number %d: %w", len(all)+1, err)
		}
		b, err := parseBackup(raw)
		if err != nil {
			return all, fmt.Errorf("oauthcert: backup: number %d: %w", len(all)+1, err)
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, errors.New("oauthcert: backup: the file is empty")
	}
	return all, nil
}

func parseBackup(data []byte) (*Backup, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("%d bytes; at most %d are read", len(data), maxInput)
	}
	var b Backup
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, err
	}
	switch {
	case b.Format != backupFormat:
		return nil, fmt.Errorf("format %.40q; %q is needed", b.Format, backupFormat)
	case b.Collection != Keys && b.Collection != Names:
		return nil, fmt.Errorf("collection %.40q", b.Collection)
	case b.Object == nil:
		return nil, errors.New("it holds no object")
	}
	b.Object = b.Object.public()
	return &b, b.Object.Target().Check()
}

// PlanRestore compares an object with a backup of it, and returns what brings
// back everything that is gone since. Keys come back by value, and so with a
// new keyId, be they fit or not; with policy.DropExpired, expired ones do not.
// A key that had expired before its certificate is refused, since it would be
// valid again. What came since is kept, unless policy drops what is unused. The
// shared principal is guarded as in [PlanKeys].
//
// Without a current object or a backup the plan is refused.
func PlanRestore(current *Object, backup *Backup, policy Policy) *Plan {
	current = current.public()
	if backup == nil || backup.Object == nil {
		p := &Plan{Target: current.Target(), Collection: Keys, base: current}
		p.refuse(Step{Reason: NotRead, Why: "no backup was read"})
		return p
	}
	if !strings.EqualFold(current.ID, backup.Object.ID) || current.Kind != backup.Object.Kind {
		p := &Plan{Target: current.Target(), Collection: backup.Collection, base: current}
		p.refuse(Step{Reason: WrongKind, Why: "the backup is of another object: " + backup.Object.Target().String()})
		return p
	}
	if backup.Collection == Names {
		return planRestoreNames(current, backup.Object, policy)
	}
	var wanted []*Certificate
	extra := map[Thumbprint]KeyCredential{} // how each was written in the backup
	var lost []Step
	for _, k := range backup.Object.Keys {
		c, err := k.Certificate()
		there := slices.ContainsFunc(current.Keys, k.sameKey)
		switch {
		case policy.DropExpired && k.expired(policy.At):
		case err == nil && k.forAuthentication() && !k.lapsed(c, policy.At):
			wanted = append(wanted, c)
			extra[c.SHA1()] = k
		case there:
		case err == nil && k.forAuthentication():
			lost = append(lost, Step{Key: &k, Thumbprint: c.SHA1(), Reason: CannotKeep,
				Why: "it is gone, and had expired; brought back it would be valid again. Leave expired keys out (DropExpired)"})
		default:
			lost = append(lost, Step{Key: &k, Reason: NotInBackup, Why: "it is gone, and the backup does not hold its value"})
		}
	}
	p := PlanKeys(current, wanted, policy)
	for i, s := range p.Steps {
		switch {
		case s.Action == Dropped && s.Reason == Unused && slices.ContainsFunc(backup.Object.Keys, s.Key.sameKey):
			s.Action, s.Reason, s.Why = Kept, Wanted, "in the backup, and there"
			s.keep()
		case s.Action == Added, s.Reason == Unfit:
			s.Action, s.Reason, s.Why = Added, FromBackup, "in the backup, and not there"
			if !current.FirstParty() {
				key := s.Key.datedAs(extra[s.Thumbprint])
				s.Key = &key
			}
		}
		p.Steps[i] = s
	}
	for _, s := range lost {
		p.refuse(s)
	}
	return p
}

// sameKey reports whether two entries are the same key, perhaps brought anew.
func (k KeyCredential) sameKey(o KeyCredential) bool {
	return k.KeyID != "" && strings.EqualFold(k.KeyID, o.KeyID) ||
		k.Key != nil && bytes.Equal(k.Key, o.Key) && k.Type == o.Type && k.Usage == o.Usage && k.EndDateTime.Equal(o.EndDateTime)
}

// datedAs returns an entry for a certificate with the labels of an earlier
// one, and with its dates where they are narrower than the certificate's.
func (k KeyCredential) datedAs(o KeyCredential) KeyCredential {
	k.DisplayName, k.CustomKeyIdentifier = o.DisplayName, o.CustomKeyIdentifier
	if c, err := k.Certificate(); err == nil {
		if o.StartDateTime.After(c.NotBefore()) {
			k.StartDateTime = o.StartDateTime
		}
		if !o.EndDateTime.IsZero() && o.EndDateTime.Before(c.NotAfter()) {
			k.EndDateTime = o.EndDateTime
		}
	}
	return k
}

// planRestoreNames brings back names exactly as they were, Microsoft's included.
func planRestoreNames(current, backup *Object, policy Policy) *Plan {
	p := PlanNames(current, nil, policy)
	inBackup := func(name string) bool {
		return slices.ContainsFunc(backup.Names, func(b string) bool { return canonicalName(b) == canonicalName(name) })
	}
	for i, s := range p.Steps {
		if s.Action == Kept && policy.DropUnused && !inBackup(s.Name) && s.Reason != BuiltIn {
			p.Steps[i].Action, p.Steps[i].Reason, p.Steps[i].Why = Dropped, Unused, "not in the backup, and the policy drops what is not"
		}
	}
	for _, name := range backup.Names {
		if !slices.ContainsFunc(current.Names, func(n string) bool { return canonicalName(n) == canonicalName(name) }) {
			p.Steps = append(p.Steps, Step{Action: Added, Reason: FromBackup, Name: name, Why: "in the backup, and not there"})
		}
	}
	return p
}

// Restore reads a backup and brings back what is gone since, as [PlanRestore]
// plans it. The state before is backed up to next, as in [Applier.Apply].
func (a *Applier) Restore(ctx context.Context, dir Directory, backup io.Reader, policy Policy, next io.Writer) (*Report, error) {
	b, err := ReadBackup(backup)
	if err != nil {
		return nil, err
	}
	current, err := dir.Read(ctx, b.Object.Target())
	if err != nil {
		return nil, err
	}
	return a.Apply(ctx, dir, PlanRestore(current, b, policy), next)
}
