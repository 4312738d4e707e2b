package billing

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestGenerateKey(t *testing.T) {
	shape := regexp.MustCompile(`^sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}$`)
	seen := map[string]bool{}
	for range 1000 {
		key := GenerateKey()
		prefix, ok := ParseKey(key)
		if !shape.MatchString(key) || !ok || prefix != key[:18] || ShownPrefix(key) != prefix || seen[key] {
			t.Fatalf("%q: prefix %q, %v", key, prefix, ok)
		}
		seen[key] = true
	}
}

func TestParseKeyRefuses(t *testing.T) {
	key := GenerateKey()
	flip := func(i int) string {
		c := byte('0')
		if key[i] == c {
			c = '1'
		}
		return key[:i] + string(c) + key[i+1:]
	}
	for _, bad := range []string{"", "sk-sl-", key[1:], key + "x", flip(0), flip(7), flip(25), flip(len(key) - 1),
		strings.Replace(key, "sk-sl-", "sk-ls-", 1), key[:20] + "é" + key[22:], key[:18] + "_" + key[19:]} {
		if _, ok := ParseKey(bad); ok {
			t.Errorf("%q is a key", bad)
		}
	}
}

func TestShownPrefixTellsLittle(t *testing.T) {
	for key, want := range map[string]string{"": "…", "abc": "…", "secret12": "se…", "a-long-imported-key-of-forty-characters": "a-long…"} {
		if got := ShownPrefix(key); got != want {
			t.Errorf("%q is shown as %q, want %q", key, got, want)
		}
	}
}

func TestHashKey(t *testing.T) {
	const want = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // sha256sum of "a"
	if got := HashKey("a"); hex.EncodeToString(got[:]) != want {
		t.Errorf("hash %x, want %s", got, want)
	}
}

func TestMatchModel(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"gpt-4o", "gpt-4o", true}, {"gpt-4o", "gpt-4o-mini", false}, {"claude/*", "claude/haiku", true}, {"claude/*", "claude/", true},
		{"claude/*", "claude", false}, {"*", "", true}, {"*", "a/b", true}, {"*-mini", "gpt-4o-mini", true}, {"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false}, {"", "", true}, {"", "x", false}, {"**x", "x", true}, {"*a*", "bab", true}, {"GPT-4o", "gpt-4o", false},
	} {
		if got := MatchModel([]string{"no", c.pattern}, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
	if MatchModel(nil, "x") {
		t.Error("no pattern matches")
	}
	if MatchModel([]string{strings.Repeat("*a", 50) + "b"}, strings.Repeat("a", 10_000)) { // exponential if done badly
		t.Error("it matches")
	}
}

func TestKeyRules(t *testing.T) {
	now := at(t, "2026-05-01T00:00:00Z")
	for _, c := range []struct {
		key  Key
		want bool
	}{
		{Key{}, true}, {Key{Expires: now}, false}, {Key{Expires: now.Add(1)}, true}, {Key{Revoked: now.Add(-1)}, false},
		{Key{Revoked: now.Add(time.Minute)}, true}, // a rotated key in its grace
	} {
		if got := c.key.InForce(now); got != c.want {
			t.Errorf("%+v is in force: %v", c.key, got)
		}
	}
	k := Key{Prompts: []string{"senti*"}, IPs: []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "nonsense"}}
	if !k.AllowsPrompt("sentiment") || k.AllowsPrompt("other") || !(&Key{}).AllowsPrompt("other") {
		t.Error("prompts are granted wrongly")
	}
	for ip, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "2001:db8::1": true, "192.0.2.7": true, "192.0.2.8": false} {
		if got := k.AllowsIP(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s may come in: %v", ip, got)
		}
	}
	if (&Key{IPs: []string{"10.0.0.0/8"}}).AllowsIP(netip.Addr{}) || !(&Key{}).AllowsIP(netip.Addr{}) {
		t.Error("an unknown address is let in, or kept out for nothing")
	}
}

func FuzzMatchModel(f *testing.F) {
	f.Add("a*b", "ab")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 64 || len(name) > 64 {
			return
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil || strings.ToValidUTF8(pattern+name, "") != pattern+name {
			return // regular expressions know valid text only
		}
		if got, want := MatchModel([]string{pattern}, name), re.MatchString(name); got != want {
			t.Fatalf("%q matches %q: %v", pattern, name, got)
		}
	})
}
