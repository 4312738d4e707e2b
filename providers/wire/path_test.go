package wire

import (
	"net/url"
	"strings"
	"testing"
)

func TestSegment(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4o": "gpt-4o", "a b": "a%20b", "a/../b": "a%2F..%2Fb", "..": "%2E%2E", ".": "%2E", "m:0": "m%3A0", "c@1": "c@1", "a?b#c%+": "a%3Fb%23c%25%2B", "é": "%C3%A9",
	} {
		if got := Segment(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func FuzzSegment(f *testing.F) {
	f.Add("a/b:c")
	f.Fuzz(func(t *testing.T, name string) {
		got := Segment(name)
		if strings.ContainsAny(got, "/?#: \r\n") || got == "." || got == ".." {
			t.Errorf("%q is %q", name, got)
		}
		if back, err := url.PathUnescape(got); err != nil || back != name {
			t.Errorf("%q is %q, which is %q, %v", name, got, back, err)
		}
	})
}
