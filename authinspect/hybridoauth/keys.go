package hybridoauth

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A keyCredential is one entry of keyCredentials.
type keyCredential struct {
	owner      Object
	part       string // keyId, or its place in the list
	kind       Value
	usage      Value
	ends       Value
	identifier Value
	der        []byte              // of the key, if its value was captured and is a certificate
	thumbprint exchange.Thumbprint // of der
	after      time.Time           // NotAfter of der
}

// keysOf returns the entries of an object, and why they are not known.
func keysOf(o Object) (keys []keyCredential, why string) {
	v := o.Get("keyCredentials")
	entries := v.list
	switch {
	case v.fields != nil: // ConvertTo-Json takes the list off a single entry
		entries = []Value{v}
	case !v.IsKnown():
		return nil, v.missing("keyCredentials")
	}
	for i, e := range entries {
		k := keyCredential{owner: o, part: strconv.Itoa(i + 1)}
		get := Object{Properties: e.fields}.Get
		if id := get("keyId").scalar(); id != "" {
			k.part = clean(id)
		}
		k.kind, k.usage, k.ends, k.identifier = get("type"), get("usage"), get("endDateTime"), get("customKeyIdentifier")
		if der := bytesOf(get("key")); len(der) > 0 {
			if block, _ := pem.Decode(der); block != nil {
				der = block.Bytes
			}
			if certificate, err := x509.ParseCertificate(der); err == nil {
				k.der, k.thumbprint, k.after = certificate.Raw, exchange.ThumbprintOf(certificate.Raw), certificate.NotAfter
			}
		}
		keys = append(keys, k)
	}
	return keys, ""
}

// bytesOf returns the bytes of a binary value: base64, or the list of numbers
// that ConvertTo-Json makes of bytes.
func bytesOf(v Value) []byte {
	if v.list == nil {
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v.scalar()), ""))
		if err != nil {
			return nil
		}
		return b
	}
	b := make([]byte, 0, len(v.list))
	for _, e := range v.list {
		n, err := strconv.ParseUint(e.scalar(), 10, 8)
		if err != nil {
			return nil
		}
		b = append(b, byte(n))
	}
	return b
}

const askForKeys = "the value of key was not captured; read one object with $select=keyCredentials"

// knows reports whether one of the entries holds a certificate: unknown where
// the value of some entry was not captured.
func holds(keys []keyCredential, t exchange.Thumbprint) crossprem.Answer {
	result := crossprem.No
	for _, k := range keys {
		switch {
		case k.thumbprint == t:
			return crossprem.Yes
		case k.der == nil:
			result = crossprem.AnswerUnknown
		}
	}
	return result
}

func thumbprints(keys []keyCredential) string {
	var texts []string
	for _, k := range keys {
		if k.der != nil {
			texts = append(texts, string(k.thumbprint))
		}
	}
	return firstText(strings.Join(texts, ", "), "none")
}

func (j *judge) holdsCertificate(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		keys, why := keysOf(o)
		switch {
		case why != "":
			return outcome{why: why}
		case len(keys) == 0:
			return outcome{answer: crossprem.No, found: "none", wanted: string(j.current.text)}
		case j.current.text == "":
			return outcome{why: "the current thumbprint was not captured (Get-AuthConfig)"}
		}
		return outcome{answer: holds(keys, j.current.text), why: askForKeys, found: thumbprints(keys), wanted: string(j.current.text)}
	})
}

func (j *judge) holdsNext(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		keys, why := keysOf(o)
		switch {
		case j.next.known && j.next.text == "":
			return outcome{answer: crossprem.Yes, found: "no next certificate"}
		case why != "":
			return outcome{why: why}
		case j.next.text == "":
			return outcome{why: "whether a next certificate is staged was not captured (Get-AuthConfig)"}
		}
		due := j.at
		for _, c := range j.c.Objects {
			if c.Kind == exchange.AuthConfig {
				due = j.effective(c)
			}
		}
		return outcome{answer: holds(keys, j.next.text), why: askForKeys, found: thumbprints(keys), wanted: string(j.next.text), due: due}
	})
}

func (j *judge) noExpiredKeys(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		keys, why := keysOf(o)
		if why != "" {
			return outcome{why: why}
		}
		var expired []string
		unknown := false
		for _, k := range keys {
			switch end, ok := k.ends.time(); {
			case !ok:
				unknown = true
			case !end.After(j.at):
				expired = append(expired, k.part+" on "+end.Format(time.DateOnly))
			}
		}
		switch {
		case len(expired) > 0:
			return outcome{answer: crossprem.No, found: strings.Join(expired, ", ")}
		case unknown:
			return outcome{why: "the capture does not show when every key ends"}
		}
		return outcome{answer: crossprem.Yes, found: strconv.Itoa(len(keys)) + " entries, none expired"}
	})
}

func (j *judge) noForeignKeys(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		keys, why := keysOf(o)
		if why != "" {
			return outcome{why: why}
		}
		known := []exchange.Thumbprint{j.current.text, j.next.text, j.previous.text}
		var foreign []string
		unread := false
		for _, k := range keys {
			switch {
			case k.der == nil:
				unread = true
			case !slices.Contains(known, k.thumbprint):
				foreign = append(foreign, string(k.thumbprint))
			}
		}
		switch {
		case len(keys) == 0:
			return outcome{answer: crossprem.Yes, found: "no key at all"}
		case len(foreign) > 0 && j.current.known && j.next.known && j.previous.known:
			return outcome{answer: crossprem.No, found: strings.Join(foreign, ", ")}
		case len(foreign) > 0:
			return outcome{why: "the thumbprints of the auth configuration were not captured (Get-AuthConfig)"}
		case unread:
			return outcome{why: askForKeys}
		}
		return outcome{answer: crossprem.Yes, found: thumbprints(keys)}
	})
}

// roles are the application permissions that rules name, by the id that
// Microsoft gave where it is known.
var roles = map[string]string{
	"dc890d15-9560-4a4c-9b7f-a736ec74ec40": "full_access_as_app",
	"798ee544-9d2d-430c-a058-570e29e34338": "Calendars.Read",
	"40f97065-369a-49f4-947c-6a255697ae91": "MailboxSettings.Read",
}

// granted returns the names of the roles that were granted to the dedicated
// application, those that have no name in the capture, and whether the list
// is whole.
func (j *judge) granted() (names, nameless []string, whole bool) {
	found, whole := j.find("RoleAssignment", Entra)
	for _, o := range found {
		name := firstText(o.Get("appRoleValue").scalar(), o.Get("appRoleName").scalar(), roles[strings.ToLower(o.Get("appRoleId").scalar())])
		if name == "" {
			nameless = append(nameless, clean(o.Get("appRoleId").scalar()))
			continue
		}
		names = append(names, name)
	}
	return names, nameless, whole
}

// grantedTest asks about what was granted to every dedicated application.
func (j *judge) grantedTest(r *row, test func(names, nameless []string, whole bool) outcome) []outcome {
	names, nameless, whole := j.granted()
	out := outcome{why: "which application permissions were granted was not captured (GET /servicePrincipals/{id}/appRoleAssignments); requiredResourceAccess is only what was asked for"}
	if len(names)+len(nameless) > 0 || whole {
		out = test(names, nameless, whole)
	}
	out.subject = "dedicated hybrid application"
	if found, _ := j.find("DedicatedApplication", Entra); len(found) == 1 {
		out.subject = found[0].name()
		out.names = with(nil, found[0])
	}
	return []outcome{out}
}

func (j *judge) ewsGranted(r *row) []outcome {
	return j.grantedTest(r, func(names, nameless []string, whole bool) outcome {
		switch {
		case holdsFold(names, "full_access_as_app"):
			return outcome{answer: crossprem.Yes, found: strings.Join(names, ", ")}
		case !whole:
			return outcome{why: "the capture may not hold every app role assignment"}
		}
		return outcome{answer: crossprem.No, found: firstText(strings.Join(names, ", "), "nothing granted"), wanted: "full_access_as_app"}
	})
}

func (j *judge) graphGranted(r *row) []outcome {
	return j.grantedTest(r, func(names, nameless []string, whole bool) outcome {
		var missing []string
		for _, want := range r.texts {
			if !holdsFold(names, want) {
				missing = append(missing, want)
			}
		}
		switch {
		case len(missing) == 0:
			return outcome{answer: crossprem.Yes, found: strings.Join(names, ", ")}
		case !whole, len(nameless) > 0:
			return outcome{why: "the capture does not name every granted permission"}
		}
		return outcome{answer: crossprem.No, found: firstText(strings.Join(names, ", "), "nothing granted"), wanted: strings.Join(missing, ", ")}
	})
}

func (j *judge) noMoreGranted(r *row) []outcome {
	return j.grantedTest(r, func(names, nameless []string, whole bool) outcome {
		var extra []string
		for _, name := range names {
			if !holdsFold(r.texts, name) {
				extra = append(extra, name)
			}
		}
		switch {
		case len(extra) > 0:
			return outcome{answer: crossprem.No, found: strings.Join(extra, ", ")}
		case len(nameless) > 0:
			return outcome{why: "the capture does not name the permission " + strings.Join(nameless, ", ")}
		case !whole:
			return outcome{why: "the capture may not hold every app role assignment"}
		}
		return outcome{answer: crossprem.Yes, found: firstText(strings.Join(names, ", "), "nothing granted")}
	})
}

// hostsRegistered wants the name of every published host on the shared
// principal, with or without the final slash.
func (j *judge) hostsRegistered(r *row) []outcome {
	found, whole := j.find(r.Group, r.Side)
	if len(found) == 0 {
		return []outcome{j.none(r, whole)}
	}
	var outcomes []outcome
	for _, o := range found {
		names := o.Get(r.Property)
		var missing []string
		for _, host := range j.hosts {
			if !slices.ContainsFunc(names.Texts(), func(n string) bool { return exchange.SameAddress(n, "https://"+host) }) {
				missing = append(missing, host)
			}
		}
		out := outcome{subject: o.name(), names: with(nil, o)}
		switch {
		case !names.IsKnown() && (len(missing) > 0 || len(j.hosts) == 0):
			out.why = names.missing(r.Property)
		case len(j.hosts) == 0:
			out.why = "the published hosts are not told (virtual directories, or a list)"
		case len(missing) == 0:
			out.answer, out.found = crossprem.Yes, "there for "+strings.Join(j.hosts, ", ")
		default:
			for _, host := range missing {
				out.answer, out.part, out.found, out.wanted = crossprem.No, host, "without https://"+host+"/", "https://"+host+"/"
				outcomes = append(outcomes, out)
			}
			continue
		}
		outcomes = append(outcomes, out)
	}
	return outcomes
}

// namesAreHosts wants no name with a path, or without TLS, among those that
// the organization added.
func (j *judge) namesAreHosts(r *row) []outcome {
	return j.each(r, func(o Object) outcome {
		names := o.Get(r.Property)
		var bad []string
		for _, n := range names.Texts() {
			if pattern(r.text).MatchString(n) && !exchange.IsMicrosoft(exchange.HostOf(n)) {
				bad = append(bad, n)
			}
		}
		switch {
		case len(bad) > 0:
			return outcome{answer: crossprem.No, found: strings.Join(bad, ", ")}
		case !names.IsKnown():
			return outcome{why: names.missing(r.Property)}
		}
		return outcome{answer: crossprem.Yes, found: strconv.Itoa(len(names.Texts())) + " names, none such"}
	})
}

// keys asks test about every key credential of the applications and principals
// that concern Exchange.
func (j *judge) keys(r *row, test func(k keyCredential) outcome) []outcome {
	var outcomes []outcome
	seen := 0
	for _, name := range []string{"DedicatedApplication", "DedicatedPrincipal", "SharedPrincipal", "TeamsPrincipal"} {
		found, _ := j.find(name, Entra)
		for _, o := range found {
			keys, why := keysOf(o)
			if why != "" {
				continue
			}
			seen++
			for _, k := range keys {
				out := test(k)
				out.subject, out.part = o.name(), k.part
				outcomes = append(outcomes, out)
			}
		}
	}
	switch {
	case seen == 0:
		return []outcome{{subject: "keyCredential", why: "no keyCredentials were captured of an application or principal that concerns Exchange"}}
	case len(outcomes) == 0:
		return []outcome{{subject: "keyCredential", answer: crossprem.Yes, found: "empty"}}
	}
	return outcomes
}

func (j *judge) keyKinds(r *row) []outcome {
	return j.keys(r, func(k keyCredential) outcome {
		if !k.kind.IsKnown() || !k.usage.IsKnown() {
			return outcome{why: "the capture does not show type and usage"}
		}
		return outcome{answer: crossprem.AnswerOf(strings.EqualFold(k.kind.scalar(), r.fields["type"]) && strings.EqualFold(k.usage.scalar(), r.fields["usage"])),
			found: shown(k.kind) + ", " + shown(k.usage), wanted: r.fields["type"] + ", " + r.fields["usage"]}
	})
}

func (j *judge) keyDates(r *row) []outcome {
	return j.keys(r, func(k keyCredential) outcome {
		end, ok := k.ends.time()
		switch {
		case !ok:
			return outcome{why: k.ends.missing(r.Property)}
		case k.der == nil:
			return outcome{why: askForKeys}
		}
		return outcome{answer: crossprem.AnswerOf(!end.After(k.after)), found: end.Format(time.RFC3339), wanted: k.after.UTC().Format(time.RFC3339) + " or earlier"}
	})
}

// keyIdentifiers wants the thumbprint as its 40 digits, or nothing. PowerShell
// decodes those digits as if they were base64, into 30 bytes.
func (j *judge) keyIdentifiers(r *row) []outcome {
	return j.keys(r, func(k keyCredential) outcome {
		v := k.identifier
		text := v.scalar()
		switch {
		case v.isEmpty():
			return outcome{answer: crossprem.Yes, found: "empty"}
		case !v.IsKnown():
			return outcome{why: v.missing(r.Property)}
		case v.list != nil:
			text = base64.StdEncoding.EncodeToString(bytesOf(v))
		}
		t, err := exchange.ParseThumbprint(text)
		return outcome{answer: crossprem.AnswerOf(err == nil && (k.der == nil || k.thumbprint == t)), found: text}
	})
}

func (j *judge) oneKeyPerCertificate(r *row) []outcome {
	var outcomes []outcome
	for _, name := range []string{"DedicatedApplication", "DedicatedPrincipal", "SharedPrincipal", "TeamsPrincipal"} {
		found, _ := j.find(name, Entra)
		for _, o := range found {
			keys, why := keysOf(o)
			if why != "" {
				continue
			}
			out := outcome{subject: o.name(), answer: crossprem.Yes, found: strconv.Itoa(len(keys)) + " entries"}
			count, unread := map[exchange.Thumbprint]int{}, 0
			for _, k := range keys {
				if k.der == nil {
					unread++
				} else if count[k.thumbprint]++; count[k.thumbprint] > 1 {
					out.answer, out.found = crossprem.No, string(k.thumbprint)+" more than once"
				}
			}
			if out.answer == crossprem.Yes && unread > 0 && len(keys) > 1 {
				out.answer, out.why = crossprem.AnswerUnknown, askForKeys
			}
			outcomes = append(outcomes, out)
		}
	}
	if len(outcomes) == 0 {
		return []outcome{{subject: "keyCredential", why: "no keyCredentials were captured of an application or principal that concerns Exchange"}}
	}
	return outcomes
}
