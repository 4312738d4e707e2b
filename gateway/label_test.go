package gateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/billing"
)

func TestLabelsAreBounded(t *testing.T) {
	for _, s := range []string{"", "team-a", strings.Repeat("x", maxLabel), strings.Repeat("é", maxLabel), "x" + strings.Repeat("世", maxLabel)} {
		got := label(s)
		if len(got) > maxLabel || !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(s) <= maxLabel && got != s {
			t.Errorf("label of %d bytes has %d, valid %v", len(s), len(got), utf8.ValidString(got))
		}
	}
	if got := label(strings.Repeat("\x80", 2*maxLabel)); len(got) < maxLabel-utf8.UTFMax {
		t.Errorf("what is no UTF-8 is cut to %d bytes", len(got))
	}
	if got := labels(strings.Split(strings.Repeat("t,", 5000), ",")); len(got) != maxLabels {
		t.Errorf("%d tags", len(got))
	}
}

func TestLongNamesAreNoModels(t *testing.T) {
	p := &Provider{Name: "p", Describe: func(string) Description { return Description{Prices: &billing.Prices{}} }}
	s := NewSnapshot(Parts{Providers: []*Provider{p}})
	if _, err := s.Resolve("p/" + strings.Repeat("x", maxName)); err == nil {
		t.Error("a name of more than maxName bytes is kept")
	}
	if _, err := s.Resolve("p/m"); err != nil {
		t.Error(err)
	}
}
