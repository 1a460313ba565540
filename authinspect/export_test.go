package authinspect

import (
	"context"
	"net"
)

// DomainOf is domainOf.
var DomainOf = domainOf

// DialGuarded dials addr as a host that an answer named.
func DialGuarded(ctx context.Context, addr string) error {
	s := new(Inspector).newSession()
	defer s.close()
	host, _, _ := net.SplitHostPort(addr)
	s.guard(host, false)
	conn, err := s.dial(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err
}
