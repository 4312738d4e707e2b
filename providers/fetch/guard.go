package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
)

// errDenied is a connection that must not be made.
var errDenied = errors.New("the address may not be fetched from")

// guard decides what may be connected to.
type guard struct {
	private  bool // private and loopback addresses may be fetched from
	prefixes []netip.Prefix
	hosts    []string // in lower case; "*.example.com" is all below it
}

var hostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$`)

// add reads an entry of Options.Allow.
func (g *guard) add(entry string) error {
	if p, err := netip.ParsePrefix(entry); err == nil {
		g.prefixes = append(g.prefixes, unmapped(p).Masked())
		return nil
	}
	if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		a = a.Unmap().WithZone("")
		g.prefixes = append(g.prefixes, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	host := strings.ToLower(entry)
	if !hostPattern.MatchString(host) {
		return fmt.Errorf("%q is neither a host such as files.example.com or *.example.com, nor an address, nor a range such as 10.1.0.0/16", entry)
	}
	g.hosts = append(g.hosts, host)
	return nil
}

// unmapped is a range of IPv4-mapped addresses as the range of IPv4 that it is.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// named tells whether a host is allowed by its name, whatever its address.
func (g *guard) named(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, h := range g.hosts {
		if below, ok := strings.CutPrefix(h, "*"); h == host || ok && strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}

// control is a net.Dialer's Control: it sees the address that is about to be
// connected to.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !g.may(at.Addr()) {
		return errDenied
	}
	return nil
}

// may tells whether an address may be fetched from.
func (g *guard) may(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	if !a.IsValid() || within(a, never) {
		return false
	}
	if g.private && (a.IsPrivate() || a.IsLoopback() || within(a, shared)) {
		return true
	}
	if a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	return !a.IsPrivate() && !a.IsLoopback() && !within(a, shared) && !within(a, special)
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	shared        = prefixes("100.64.0.0/10") // of carrier-grade NAT

	// never holds no media, in private networks neither: "this" network, where
	// 0.0.0.0 is the machine itself; links, where clouds tell a machine its
	// credentials; the other addresses where clouds do; groups and broadcast.
	never = prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32",
		"::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128")

	// special is what is neither private nor public.
	special = prefixes(
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
