package proxy

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"

	"sluice/providers/schema"
)

// passes tells whether a step lets an address pass.
func passes(t *testing.T, step Step, ip string) bool {
	t.Helper()
	passed := false
	err := step(func(*Exchange) error { passed = true; return nil })(&Exchange{IP: ip})
	var e *schema.Error
	if err != nil && (!errors.As(err, &e) || e.Status != 403 || e.Code != schema.CodePermissionDenied || e.Origin != schema.OriginPolicy) {
		t.Errorf("%s: refused with %v", ip, err)
	}
	if passed == (err != nil) {
		t.Errorf("%s: passed %v, and %v", ip, passed, err)
	}
	return passed
}

func prefixes(list ...string) []netip.Prefix {
	var made []netip.Prefix
	for _, p := range list {
		made = append(made, netip.MustParsePrefix(p))
	}
	return made
}

func TestAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		allow, deny []netip.Prefix
		pass, stop  []string
	}{
		"allow":       {prefixes("10.0.0.0/8", "2001:db8::/32"), nil, []string{"10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"}, []string{"11.0.0.1", "2001:db9::1", "::a01:203", "", "x"}},
		"deny":        {nil, prefixes("10.6.6.6/32", "fe80::/10"), []string{"10.6.6.7", "1.1.1.1", "::1"}, []string{"10.6.6.6", "::ffff:10.6.6.6", "fe80::1", "fe80::1%eth0", "x"}},
		"deny wins":   {prefixes("10.6.6.6/32"), prefixes("10.6.0.0/16"), nil, []string{"10.6.6.6", "10.7.1.1"}},
		"mapped":      {prefixes("::ffff:10.0.0.0/104"), nil, []string{"10.1.1.1"}, []string{"11.1.1.1", "::a01:101"}},
		"all of IPv6": {prefixes("::/0"), nil, []string{"::1"}, []string{"1.1.1.1"}},
	} {
		step := Addresses(test.allow, test.deny)
		for _, ip := range test.pass {
			if !passes(t, step, ip) {
				t.Errorf("%s: %s is refused", name, ip)
			}
		}
		for _, ip := range test.stop {
			if passes(t, step, ip) {
				t.Errorf("%s: %s passes", name, ip)
			}
		}
	}
}

// many are n networks of both kinds, and as many addresses, of which half are in
// one.
func many(n int) (nets []netip.Prefix, ips []string) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], 0x2000<<48|r.Uint64()>>3)
		a, bits := netip.AddrFrom16(b), 32+r.IntN(33)
		if i%2 == 0 {
			var b4 [4]byte
			binary.BigEndian.PutUint32(b4[:], r.Uint32())
			a, bits = netip.AddrFrom4(b4), 18+r.IntN(15)
		}
		nets = append(nets, netip.PrefixFrom(a, bits).Masked())
		ips = append(ips, a.String())
		if i%4 > 1 {
			ips[i] = a.Next().Next().String()
		}
	}
	return nets, ips
}

// A large set says what a walk over all of its networks says.
func TestManyNetworks(t *testing.T) {
	nets, ips := many(3000)
	set := newNetworks(nets)
	for _, ip := range ips {
		a, want := netip.MustParseAddr(ip), false
		for _, n := range nets {
			want = want || n.Contains(a)
		}
		if set.has(a) != want {
			t.Errorf("%s: %v", ip, !want)
		}
	}
}

func TestAddressesAllocate(t *testing.T) {
	nets, _ := many(1000)
	h := Addresses(nil, nets)(func(*Exchange) error { return nil })
	x := &Exchange{IP: "127.0.0.1"}
	if n := testing.AllocsPerRun(100, func() { _ = h(x) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAddresses is a look-up among 100,000 networks, with what it takes to
// read the address.
func BenchmarkAddresses(b *testing.B) {
	nets, ips := many(100_000)
	set, found, i := newNetworks(nets), 0, 0
	for b.Loop() {
		if a, err := netip.ParseAddr(ips[i%len(ips)]); err == nil && set.has(a) {
			found++
		}
		i += 7919
	}
	b.ReportMetric(float64(found)/float64(b.N), "found/op")
}
