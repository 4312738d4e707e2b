package proxy

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"sluice/providers/schema"
)

// networks is a set of addresses; nil: none is in it.
type networks struct{ table bart.Lite }

// newNetworks makes the set of all addresses of the prefixes. What is written as
// IPv4 within IPv6 (::ffff:10.0.0.0/104) is IPv4, as callers' addresses are.
func newNetworks(prefixes []netip.Prefix) *networks {
	if len(prefixes) == 0 {
		return nil
	}
	n := new(networks)
	for _, p := range prefixes {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		n.table.Insert(p.Masked())
	}
	return n
}

func (n *networks) has(a netip.Addr) bool { return n != nil && n.table.Contains(a) }

// Addresses lets those callers pass whose address is in allow, or any if that
// is empty, and is not in deny.
func Addresses(allow, deny []netip.Prefix) Step {
	in, out := newNetworks(allow), newNetworks(deny)
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			a, err := netip.ParseAddr(x.IP)
			if a = a.Unmap().WithZone(""); err == nil && (in == nil || in.has(a)) && !out.has(a) {
				return next(x)
			}
			return &schema.Error{Code: schema.CodePermissionDenied, Status: 403, Origin: schema.OriginPolicy,
				Message: "this route may not be used from " + x.IP}
		}
	}
}
