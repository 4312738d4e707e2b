package fetch

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAddresses goes through the addresses that tricks use.
func TestAddresses(t *testing.T) {
	tests := []struct {
		address          string
		public, inside   bool // fetched from with and without DenyPrivate
		what             string
		allowedByAnEntry string
	}{
		{"93.184.216.34", true, true, "a public address", ""},
		{"2606:2800:220:1:248:1893:25c8:1946", true, true, "a public IPv6 address", ""},
		{"::ffff:93.184.216.34", true, true, "a public address, mapped", ""},
		{"127.0.0.1", false, true, "loopback", "127.0.0.1"},
		{"127.8.9.10", false, true, "loopback", "127.0.0.0/8"},
		{"::1", false, true, "loopback", "[::1]"},
		{"::ffff:127.0.0.1", false, true, "loopback, mapped", "127.0.0.1"},
		{"::ffff:7f00:1", false, true, "loopback, mapped, in hexadecimal", "::ffff:127.0.0.0/104"},
		{"10.1.2.3", false, true, "private", "10.1.0.0/16"},
		{"172.16.0.1", false, true, "private", ""},
		{"172.31.255.255", false, true, "private", ""},
		{"192.168.1.1", false, true, "private", ""},
		{"fd12:3456::1", false, true, "unique local", "fd12:3456::/32"},
		{"100.64.0.1", false, true, "carrier-grade NAT", ""},
		{"169.254.169.254", false, false, "metadata of AWS, Azure and Google", "169.254.169.254"},
		{"::ffff:169.254.169.254", false, false, "the same, mapped", "169.254.169.254"},
		{"169.254.170.2", false, false, "credentials of ECS", ""},
		{"fd00:ec2::254", false, false, "metadata of AWS", ""},
		{"fd20:ce::254", false, false, "metadata of Google", ""},
		{"100.100.100.200", false, false, "metadata of Alibaba", ""},
		{"168.63.129.16", false, false, "Azure's wire server", ""},
		{"fe80::1", false, false, "link-local", ""},
		{"0.0.0.0", false, false, "unspecified: the machine itself", ""},
		{"0.1.2.3", false, false, "this network", ""},
		{"::", false, false, "unspecified", ""},
		{"224.0.0.1", false, false, "a group", ""},
		{"ff02::1", false, false, "a group", ""},
		{"255.255.255.255", false, false, "broadcast", ""},
		{"240.0.0.1", false, false, "reserved", ""},
		{"192.0.0.1", false, false, "protocol assignments", ""},
		{"192.0.2.1", false, false, "documentation", ""},
		{"198.18.0.1", false, false, "benchmarks", ""},
		{"198.51.100.1", false, false, "documentation", ""},
		{"203.0.113.9", false, false, "documentation", "203.0.113.9"},
		{"192.88.99.1", false, false, "6to4 relays", ""},
		{"64:ff9b::7f00:1", false, false, "loopback behind NAT64", "64:ff9b::/96"},
		{"64:ff9b:1::1", false, false, "NAT64 of a network's own", ""},
		{"::127.0.0.1", false, false, "IPv4-compatible", ""},
		{"2002:7f00:1::", false, false, "loopback by 6to4", ""},
		{"2001:0:7f00:1::", false, false, "Teredo", ""},
		{"2001:db8::1", false, false, "documentation", ""},
		{"fec0::1", false, false, "site-local", ""},
		{"100::1", false, false, "discard", ""},
		{"5f00::1", false, false, "segment routing", ""},
	}
	for _, tt := range tests {
		a := netip.MustParseAddr(tt.address)
		for _, private := range []bool{false, true} {
			g := guard{private: private}
			want := tt.public || private && tt.inside
			if got := g.may(a); got != want {
				t.Errorf("%s (%s), private addresses %v: may be fetched from is %v, want %v", tt.address, tt.what, private, got, want)
			}
			network := "tcp"
			at := netip.AddrPortFrom(a, 80).String()
			if err := g.control(network, at, nil); (err == nil) != want {
				t.Errorf("%s: a connection to %s gives %v", tt.what, at, err)
			}
			if tt.allowedByAnEntry == "" {
				continue
			}
			if err := g.add(tt.allowedByAnEntry); err != nil {
				t.Fatal(err)
			}
			if !g.may(a) {
				t.Errorf("%s is not fetched from though %s is allowed", tt.address, tt.allowedByAnEntry)
			}
		}
	}
	if (&guard{private: true}).may(netip.Addr{}) {
		t.Error("no address at all is fetched from")
	}
	if err := (&guard{}).control("tcp", "a.sock", nil); err == nil {
		t.Error("what is no address is connected to")
	}
	if (&guard{}).may(netip.MustParseAddr("fe80::1%eth0")) {
		t.Error("a zone hides a link-local address")
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		entry string
		yes   []string
		no    []string
	}{
		{"files.example.com", []string{"files.example.com", "FILES.example.COM", "files.example.com."}, []string{"example.com", "a.files.example.com", "files.example.com.evil.test"}},
		{"*.example.com", []string{"a.example.com", "a.b.example.com"}, []string{"example.com", "badexample.com", "example.com.evil.test"}},
		{"Store", []string{"store"}, []string{"store2"}},
	}
	for _, tt := range tests {
		var g guard
		if err := g.add(tt.entry); err != nil {
			t.Fatal(err)
		}
		for _, host := range tt.yes {
			if !g.named(host) {
				t.Errorf("%s does not allow %s", tt.entry, host)
			}
		}
		for _, host := range tt.no {
			if g.named(host) {
				t.Errorf("%s allows %s", tt.entry, host)
			}
		}
	}
}

func TestAllowable(t *testing.T) {
	for _, entry := range []string{"10.0.0.0/8", "::1", "[fd00::1]", "fd00::/8", "localhost", "*.internal", "my_host", "203.0.113.9"} {
		if err := Allowable(entry); err != nil {
			t.Errorf("%s: %v", entry, err)
		}
	}
	for _, entry := range []string{"", "*", "*.", "http://a.test", "a.test/x", "a.test:80", "10.0.0.0/33", "a b", "-a", "a*.test"} {
		err := Allowable(entry)
		if err == nil {
			t.Errorf("%q is taken", entry)
			continue
		}
		if _, err := New(Options{Allow: []string{entry}}); err == nil || !strings.Contains(err.Error(), entry) {
			t.Errorf("New with %q says %v", entry, err)
		}
	}
}

// FuzzAllowable: an entry is refused or allows something, and never all.
func FuzzAllowable(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "*.a.test", "::ffff:10.0.0.0/104", "a", "[::1]", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		var g guard
		if g.add(entry) != nil {
			return
		}
		if len(g.prefixes)+len(g.hosts) != 1 {
			t.Fatalf("%q adds %v and %v", entry, g.prefixes, g.hosts)
		}
		for _, p := range g.prefixes {
			if !p.IsValid() {
				t.Fatalf("%q adds no range", entry)
			}
		}
	})
}
