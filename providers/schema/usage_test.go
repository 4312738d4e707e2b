package schema

import "testing"

func TestTier(t *testing.T) {
	for word, want := range map[string]string{
		"": "", "auto": "", "default": "", "standard": "", "standard_only": "", "on_demand": "", "scale": "", "flex": "flex", "priority": "priority",
		"fast": "fast", "batch": "batch", "ultra-fast_2": "ultra-fast_2", "Flex": "", "a b": "", "\x00": "", "a-tier-of-a-name-that-nobody-would-give": "",
	} {
		if got := Tier(word); got != want {
			t.Errorf("%q is %q, want %q", word, got, want)
		}
	}
}
