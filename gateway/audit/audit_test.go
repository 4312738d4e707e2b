package audit

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestStateHasNoSecrets(t *testing.T) {
	secret := "sk-sl-abcdefghijkl-" + strings.Repeat("x", 38)
	got := string(State(map[string]any{"key": secret, "hash": "h", "list": []any{secret, "a<b"}, "in": map[string]any{"token": "t", "n": 1.5}, "prefix": "sk-sl-abcdefghijkl", "user": "ann"}))
	if want := `{"in":{"n":1.5},"list":["(secret)","a<b"],"prefix":"sk-sl-abcdefghijkl","user":"(user)"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := State(strings.Repeat("x", 1<<17)); len(got) > 100 {
		t.Errorf("%d bytes of a state", len(got))
	}
	if State(nil) != nil || State([]byte("no JSON")) != nil {
		t.Error("nothing is a state")
	}
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "1.1.1.1", "192.0.2.1"}, // anybody may say so
		{"10.0.0.1:5", "1.1.1.1, 2.2.2.2", "2.2.2.2"},
		{"10.0.0.1:5", "2.2.2.2, 10.0.0.9", "2.2.2.2"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"[::1]:5", "", "::1"},
		{"::1", "", "::1"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := ClientIP(r, trusted); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"key":"sk-sl-abcdefghijkl-12345678901234567890123456789012345678","a":[1,null,{"token":"x"}]}`))
	f.Add([]byte("[1e999]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := State(b)
		if s == nil {
			return
		}
		r := Record{After: s}
		body, err := r.Seal(1, "")
		if err != nil {
			t.Fatalf("%q cannot be sealed: %v", s, err)
		}
		if HashOf(body) != r.Hash {
			t.Fatal("another hash")
		}
	})
}
