package console

import (
	"net/url"
	"slices"
	"testing"
)

func TestPart(t *testing.T) {
	list := []int{0, 1, 2, 3, 4}
	for _, c := range []struct {
		query string
		want  []int
		next  string
	}{
		{"", []int{0, 1}, "/p?n=2"},
		{"n=2&q=a&done=saved", []int{2, 3}, "/p?n=4&q=a"},
		{"n=4", []int{4}, ""},
		{"n=3", []int{3, 4}, ""},
		{"n=5", []int{}, ""},
		{"n=6", []int{0, 1}, "/p?n=2"},
		{"n=-1", []int{0, 1}, "/p?n=2"},
		{"n=x", []int{0, 1}, "/p?n=2"},
	} {
		q, _ := url.ParseQuery(c.query)
		if got, next := part("/p", q, "n", list, 2); !slices.Equal(got, c.want) || next != c.next {
			t.Errorf("%q: %v %q, want %v %q", c.query, got, next, c.want, c.next)
		}
	}
	if got, next := part("/p", nil, "n", []int(nil), 2); len(got) != 0 || next != "" {
		t.Errorf("of nothing: %v %q", got, next)
	}
}
