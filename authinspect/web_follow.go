package authinspect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// A Resolver answers questions to DNS. [net.Resolver] is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolver returns whom to ask, or nil for nobody: whoever replaces Dial has
// names of their own.
func (in *Inspector) resolver() Resolver {
	if in.Resolver == nil && in.Dial == nil {
		return net.DefaultResolver
	}
	return in.Resolver
}

// own reports whether host is in the registered domain of the organization.
func (v *visit) own(host string) bool { return domainOf(host) == v.domain }

// mayFollow reports whether an address that an answer named may be asked, and
// otherwise warns why not.
func (v *visit) mayFollow(what string, u *url.URL) bool {
	var why string
	switch port := u.Port(); {
	case u.Scheme != "https":
		why = "only https is"
	case port != "" && port != "443" && !slices.ContainsFunc(v.bases, func(base *url.URL) bool { return base.Port() == port }):
		why = "port " + port + " is neither 443 nor the port that was to be asked"
	case !v.own(u.Hostname()):
		why = "it lies outside of " + v.domain
	case !v.targetLocal() && v.isLocal(u.Hostname()):
		why = "its address is not one of the Internet, and that of the target is"
	default:
		v.guard(u.Hostname(), v.targetLocal())
		return true
	}
	v.warn("%s at %s was not asked: %s", what, shorten(u.Host), why)
	return false
}

// targetLocal reports whether one of the hosts that the caller gave has an
// address that is not of the Internet.
func (v *visit) targetLocal() bool {
	v.locality.Do(func() {
		for _, base := range v.bases {
			v.local = v.local || v.isLocal(base.Hostname())
		}
	})
	return v.local
}

// isLocal reports whether host is, or has, an address that is not of the
// Internet. Without a resolver only an address can tell.
func (v *visit) isLocal(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return isLocal(addr)
	}
	resolver := v.resolver()
	if resolver == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(v.ctx, v.timeout())
	defer cancel()
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(addrs, isLocal)
}

// guard makes connections to host, which an answer named, fail at an address
// that is not of the Internet, unless local ones are allowed: a name can have
// another address by the time it is dialled.
func (s *session) guard(host string, local bool) {
	if !local {
		s.guarded.Store(strings.ToLower(host), true)
	}
}

// dial opens a connection with the Dial of the caller, or to an address that
// a guarded host may have.
func (s *session) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if s.Dial != nil {
		return s.Dial(ctx, network, addr)
	}
	var dialer net.Dialer
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if _, ok := s.guarded.Load(strings.ToLower(host)); ok {
			dialer.Control = func(_, address string, _ syscall.RawConn) error {
				if ap, err := netip.ParseAddrPort(address); err != nil || isLocal(ap.Addr()) {
					return errors.New("the address of " + host + " is not one of the Internet")
				}
				return nil
			}
		}
	}
	return dialer.DialContext(ctx, network, addr)
}
