package authinspecttest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// DNS answers questions to DNS from tables, by name in lower case without a
// dot at the end; what they do not hold does not exist. It serves as
// Inspector.Resolver.
type DNS struct {
	SRV map[string][]*net.SRV // by name, such as "_autodiscover._tcp.contoso.test"
	MX  map[string][]*net.MX
	IP  map[string][]netip.Addr

	mu    sync.Mutex
	asked []string
}

// Asked returns the questions so far, as in "SRV _autodiscover._tcp.contoso.test".
func (d *DNS) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func lookUp[T any](d *DNS, kind, name string, table map[string][]T) ([]T, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	d.mu.Lock()
	d.asked = append(d.asked, kind+" "+name)
	d.mu.Unlock()
	if records := table[name]; len(records) > 0 {
		return slices.Clone(records), nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// LookupSRV answers from SRV.
func (d *DNS) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	full := "_" + service + "._" + proto + "." + name
	records, err := lookUp(d, "SRV", full, d.SRV)
	return full, records, err
}

// LookupMX answers from MX.
func (d *DNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return lookUp(d, "MX", name, d.MX)
}

// LookupNetIP answers from IP, whatever the network.
func (d *DNS) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return lookUp(d, "IP", host, d.IP)
}
