package schannel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/tlsprobe"
)

// fillSuites sets the suites and curves of o: the policy's list, else the local
// one, else the default of that Windows; without what FIPS mode, the algorithms
// that are switched off, and strong cryptography leave out.
func (c *Client) fillSuites(o *Offer, strong bool) {
	sys, sure := c.system()
	var known Suites
	if sys != nil && sys.Suites != nil {
		known = slices.Concat(sys.Suites, sys.More)
	}
	list, curves, from, policy := c.configured(known)
	switch {
	case policy:
	case sys == nil || sys.Suites == nil:
		o.SuitesFrom = Reason{Text: "The default order of suites is not known for this release of Windows.", Source: srcSuites}
		o.CurvesFrom = o.SuitesFrom
		if sys != nil {
			o.Curves = slices.Clone(sys.Curves)
			o.CurvesFrom = Reason{Text: "These are the default curves of " + sys.Name + ".", Confidence: min(sure, Low), Source: srcSuites}
		}
		return
	default:
		list = slices.Clone(sys.Suites)
		from = Reason{Text: "No order of suites is set: this is the default of " + sys.Name + ".", Key: keyPolicy, Value: valueFunctions, Confidence: sure, Source: srcSuites}
		if !c.get().Looked(keyPolicy) {
			from.Assumed = true
			from.Confidence = min(from.Confidence, Low)
			from.Text = "The policy for the order of suites was not looked at: without it this is the default of " + sys.Name + "."
		}
	}
	o.Suites, o.SuitesFrom, o.SuitesPolicy = list, from, policy
	c.fillCurves(o, curves)

	without := func(why string, drop func(name string) bool) {
		n := len(o.Suites)
		o.Suites = slices.DeleteFunc(o.Suites, func(s tlsprobe.Suite) bool { return drop(suiteName(s)) })
		if removed := n - len(o.Suites); removed > 0 {
			o.SuitesFrom.Text += fmt.Sprintf(" %s leaves out %d.", why, removed)
			o.SuitesPolicy = o.SuitesPolicy || why != strongText
		}
	}
	if c.fips() {
		without("FIPS mode", func(name string) bool { return !fipsSuite(name) })
		o.Curves = slices.DeleteFunc(o.Curves, func(g tlsprobe.Group) bool { return g == groupX25519 })
		o.CurvesPolicy = true
		o.CurvesFrom.Text += " FIPS mode leaves out X25519."
	}
	if off := c.algorithmsOff(); len(off) > 0 {
		without("What is switched off below SCHANNEL ("+strings.Join(off, ", ")+")", func(name string) bool {
			return slices.ContainsFunc(off, func(algorithm string) bool { return uses(name, algorithm) })
		})
	}
	if strong {
		without(strongText, weakName)
	}
}

const strongText = "Strong cryptography"

// configured returns the suites that the policy, or else the local list, names
// and this Windows knows, and the curves that they are written with.
func (c *Client) configured(known Suites) (list Suites, curves Groups, from Reason, ok bool) {
	for _, key := range []string{keyPolicy, keyLocalOrder} {
		v, found := c.get().Get(key, valueFunctions)
		if !found {
			continue
		}
		names, found := namesOf(v)
		if !found {
			continue
		}
		list = Suites{}
		unknown := 0
		for _, name := range names {
			s, curve, isSuite := suiteOf(strings.ToUpper(name))
			if !isSuite || known != nil && !slices.Contains(known, s) {
				unknown++
				continue
			}
			if !slices.Contains(list, s) {
				list = append(list, s)
			}
			if g, ok := curveNames["NIST"+curve]; ok && !slices.Contains(curves, g) {
				curves = append(curves, g)
			}
		}
		where := "The policy SSL Configuration Settings is"
		if key == keyLocalOrder {
			where = "The order of suites of this machine is"
		}
		from = Reason{Text: fmt.Sprintf("%s the whole list: %d suites.", where, len(list)), Key: key, Value: valueFunctions, Confidence: High, Source: srcSuites}
		if unknown > 0 {
			from.Text += fmt.Sprintf(" %d names in it are no suites of this Windows.", unknown)
		}
		if known == nil {
			from.Confidence = Medium
		}
		return list, curves, from, true
	}
	return nil, nil, Reason{}, false
}

// namesOf returns the names in a comma-separated text or a list.
func namesOf(v any) (names []string, ok bool) {
	switch v := v.(type) {
	case string:
		names = strings.Split(v, ",")
	case []string:
		for _, s := range v {
			names = append(names, strings.Split(s, ",")...)
		}
	default:
		return nil, false
	}
	for i := range names {
		names[i] = strings.Trim(names[i], " \t\r\n\x00")
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	return names, len(names) > 0
}

// curveNames are those of Windows, in upper case.
var curveNames = map[string]tlsprobe.Group{
	"CURVE25519": groupX25519, "NISTP256": groupP256, "NISTP384": groupP384, "NISTP521": groupP521,
}

// fillCurves sets the curves: of the policy ECC Curve Order, of the local list,
// of the suites' own names on Windows up to 8.1, or the default.
func (c *Client) fillCurves(o *Offer, named Groups) {
	sys, sure := c.system()
	for _, key := range []string{keyPolicy, keyLocalOrder} {
		v, found := c.get().Get(key, valueCurves)
		names, ok := namesOf(v)
		if !found || !ok || sys != nil && sys.From < 10240 {
			continue
		}
		o.Curves = Groups{}
		for _, name := range names {
			if g, ok := curveNames[strings.ToUpper(name)]; ok && !slices.Contains(o.Curves, g) {
				o.Curves = append(o.Curves, g)
			}
		}
		o.CurvesPolicy = true
		o.CurvesFrom = Reason{Text: fmt.Sprintf("The order of curves is set: %d curves.", len(o.Curves)), Key: key, Value: valueCurves, Confidence: High, Source: srcSuites}
		return
	}
	switch {
	case len(named) > 0 && (sys == nil || sys.From < 10240):
		o.Curves, o.CurvesPolicy = named, true
		o.CurvesFrom = Reason{Text: "The names of the suites that are set say which curves are used.", Key: o.SuitesFrom.Key, Value: valueFunctions, Confidence: High, Source: srcSuites}
	case sys != nil:
		o.Curves = slices.Clone(sys.Curves)
		o.CurvesFrom = Reason{Text: "No order of curves is set: these are the default curves of " + sys.Name + ".", Key: keyPolicy, Value: valueCurves, Confidence: min(sure, Medium), Source: srcSuites}
		if !c.get().Looked(keyPolicy) {
			o.CurvesFrom.Assumed = true
			o.CurvesFrom.Confidence = Low
		}
	default:
		o.CurvesFrom = Reason{Text: "The default curves are not known, as the release of Windows is not.", Source: srcSuites}
	}
}

// fips reports whether the policy for FIPS-compliant algorithms is on.
func (c *Client) fips() bool {
	if n, ok, _ := c.number(keyFIPS, valueEnabled); ok {
		return n != 0
	}
	n, _, _ := c.number(keyLSA, valueFIPS)
	return n != 0
}

// fipsSuite reports whether a suite is used in FIPS mode: AES or triple DES,
// with SHA.
func fipsSuite(name string) bool {
	return (strings.Contains(name, "_AES_") || strings.Contains(name, "_3DES_")) && !strings.Contains(name, "MD5")
}

// weakName reports whether strong cryptography refuses a suite.
func weakName(name string) bool {
	return slices.ContainsFunc([]string{"_RC4_", "_DES_", "_NULL_", "_EXPORT", "_MD5"}, func(part string) bool { return strings.Contains(name, part) })
}

// algorithmsOff returns the algorithms below SCHANNEL whose value Enabled is 0.
func (c *Client) algorithmsOff() (off []string) {
	for _, above := range []string{keyCiphers, keyHashes, keyExchanges} {
		for _, name := range c.get().SubKeys(above) {
			if n, ok, _ := c.number(above+`\`+name, valueEnabled); ok && n == 0 {
				off = append(off, registryName(above)+`\`+name)
			}
		}
	}
	return off
}

func registryName(key string) string { return key[strings.LastIndexByte(key, '\\')+1:] }

// uses reports whether a suite uses an algorithm by its key's name, such as
// `Ciphers\RC4 128/128`. Suites of TLS 1.3 name no key exchange, and their
// hash is not a key of its own.
func uses(suite, algorithm string) bool {
	has := func(part string) bool { return strings.Contains(suite, part) }
	kind, name, _ := strings.Cut(strings.ToUpper(algorithm), `\`)
	tls13 := !has("_WITH_")
	switch kind {
	case "CIPHERS":
		switch {
		case strings.HasPrefix(name, "RC4 128"):
			return has("_RC4_128_")
		case strings.HasPrefix(name, "RC4 56"):
			return has("_RC4_56_")
		case strings.HasPrefix(name, "RC4 40"):
			return has("_RC4_40_")
		case strings.HasPrefix(name, "TRIPLE DES"):
			return has("_3DES_")
		case strings.HasPrefix(name, "DES 56"):
			return has("_DES_CBC")
		case strings.HasPrefix(name, "AES 128"):
			return has("_AES_128_")
		case strings.HasPrefix(name, "AES 256"):
			return has("_AES_256_")
		case name == "NULL":
			return has("_NULL_")
		}
	case "HASHES":
		switch name {
		case "MD5":
			return strings.HasSuffix(suite, "_MD5")
		case "SHA":
			return strings.HasSuffix(suite, "_SHA")
		case "SHA256":
			return strings.HasSuffix(suite, "_SHA256") && !tls13
		case "SHA384":
			return strings.HasSuffix(suite, "_SHA384") && !tls13
		}
	case "KEYEXCHANGEALGORITHMS":
		switch name {
		case "DIFFIE-HELLMAN":
			return has("_DHE_")
		case "ECDH":
			return has("_ECDHE_")
		case "PKCS":
			return strings.HasPrefix(suite, "TLS_RSA_")
		}
	}
	return false
}

// suiteFits reports whether a suite can be used with a version: those of
// TLS 1.3 there alone, those with SHA-2 or GCM in TLS 1.2 alone (RFC 5246
// §1.2), and elliptic curves from TLS 1.0 on (RFC 8422 §1).
func suiteFits(name string, v tlsprobe.Version) bool {
	tls13 := !strings.Contains(name, "_WITH_")
	switch {
	case v == tlsprobe.TLS13 || tls13:
		return tls13 && v == tlsprobe.TLS13
	case v == tlsprobe.SSL20:
		return false
	case v == tlsprobe.SSL30 && strings.Contains(name, "ECDH"):
		return false
	case v == tlsprobe.TLS12:
		return true
	}
	return !strings.HasSuffix(name, "_SHA256") && !strings.HasSuffix(name, "_SHA384") && !strings.Contains(name, "_GCM_")
}

// SuitesOf returns the suites that are offered with v, by priority. It is nil
// if the suites are not known.
func (o *Offer) SuitesOf(v tlsprobe.Version) Suites {
	if o == nil || o.Suites == nil {
		return nil
	}
	list := Suites{}
	for _, s := range o.Suites {
		if suiteFits(suiteName(s), v) {
			list = append(list, s)
		}
	}
	return list
}

// elliptic reports whether a suite needs a curve.
func elliptic(s tlsprobe.Suite) bool {
	name := suiteName(s)
	return strings.Contains(name, "ECDHE") || !strings.Contains(name, "_WITH_")
}
