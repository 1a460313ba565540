// Package hostport completes the names of servers on the command lines of the
// examples, which take them with and without a port.
package hostport

import (
	"net"
	"net/netip"
	"strings"
)

// ports are those that the protocols which lead to TLS are known by (the
// registry of IANA; of SQL Server, Microsoft's documentation).
var ports = map[string]string{"": "443", "smtp": "25", "imap": "143", "pop3": "110", "ldap": "389", "tds": "1433"}

// Complete returns target as host:port. Without a port it has that of
// protocol, one of those of STARTTLS or "" for HTTPS. What is no host name and
// no address comes back as it is, for the prober to refuse.
func Complete(target, protocol string) string {
	port, ok := ports[protocol]
	if !ok || target == "" || strings.HasPrefix(target, "-") {
		return target
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(target, "["), "]")
	if addr, err := netip.ParseAddr(bare); err == nil {
		return net.JoinHostPort(addr.String(), port)
	}
	if strings.ContainsFunc(target, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
	}) {
		return target
	}
	return net.JoinHostPort(target, port)
}
