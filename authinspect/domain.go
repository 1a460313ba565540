package authinspect

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// domainOf returns the domain that was registered for host, in lower case, by
// the public suffix list: contoso.co.uk for mail.contoso.co.uk. Of an IP
// address, and of a public suffix itself, it is the host.
func domainOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// isDomain reports whether s, in lower case, is a domain name of at least two
// labels and no IP address.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if _, err := netip.ParseAddr(s); err == nil || len(labels) < 2 || len(s) > 253 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// asciiHost converts a host name with letters outside ASCII to the form in
// which it is looked up (RFC 5891), and returns every other one as it is. It
// returns false for a name that cannot be converted.
func asciiHost(host string) (string, bool) {
	if strings.IndexFunc(host, func(c rune) bool { return c > 127 }) < 0 {
		return host, true
	}
	ascii, err := idna.Lookup.ToASCII(host)
	return ascii, err == nil
}

// asciiURL returns u with its host in the form in which it is looked up.
func asciiURL(u *url.URL) (*url.URL, bool) {
	host, ok := asciiHost(u.Hostname())
	if !ok || host == u.Hostname() {
		return u, ok
	}
	converted := *u
	if converted.Host = host; u.Port() != "" {
		converted.Host += ":" + u.Port()
	}
	return &converted, true
}

// otherForm returns target, a URL or a host, with its host in the other form of
// a name outside ASCII, or "" if it has only one.
func otherForm(target string) string {
	host := target
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		host = u.Hostname()
	}
	other, ok := asciiHost(host)
	if ok && other == host && strings.Contains(host, "xn--") {
		var err error
		if other, err = idna.Lookup.ToUnicode(host); err != nil {
			return ""
		}
	}
	if !ok || other == host {
		return ""
	}
	return strings.Replace(target, host, other, 1)
}

// isLocal reports whether an address is not one of the Internet: private,
// shared (RFC 6598), link-local, loopback, or none at all.
func isLocal(addr netip.Addr) bool {
	addr = addr.Unmap()
	return !addr.IsGlobalUnicast() || addr.IsPrivate() || shared.Contains(addr)
}

var shared = netip.MustParsePrefix("100.64.0.0/10")
