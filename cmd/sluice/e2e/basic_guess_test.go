package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"
)

// nextGuesser is the last network of guessers that was used.
var nextGuesser atomic.Int32

// guess sends requests with wrong passwords, one after the other, from that many
// addresses in turn, which have guessed nothing before, and counts how they are
// answered.
func (g *gateway) guess(path string, addresses, n int, user func(i int) string) map[int]int {
	g.t.Helper()
	var by tally[int]
	network := nextGuesser.Add(1)
	from := make([]*crowd, addresses)
	for i := range from {
		from[i] = g.crowd(fmt.Sprintf("127.2.%d.%d", network, 1+i), 1)
	}
	for i := range n {
		from[i%addresses].ask(1, path, func(_ int, r *fasthttp.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user(i)+":wrong")))
		}, func(_ int, r *fasthttp.Response) { by.add(r.StatusCode()) })
	}
	return by.of
}

// Passwords that the gateway itself checks can be tried only so often.
func TestGuessingPasswords(t *testing.T) {
	const right, nobody = "$2a$04$H2OVO9ZYAFNlx12x2u0Je.FakPPESfbyNda/H5l96MemLKbxnv7n2", "$2a$04$W4Dl5vTIFVtqZbtP1Z1AduELVCQ0r2yS7NDVKwFXxy1nKEyrL1lCG"
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "drain: 10s", "drain: 10s, trusted_proxies: [127.0.0.0/8], failures: 20/1h", 1) + `auth: {basic: {staff: {users: {alice: "` + nobody + `", bob: "` + right + `"}}}}
routes: [{name: r, match: {path: "/r"}, backend: {static: {body: x}}, auth: {require: ["basic:staff"]}}]
` + team)
	g.start()
	for name, c := range map[string]struct {
		addresses int
		user      func(i int) string
	}{
		"many addresses": {200, func(int) string { return "alice" }},
		"many accounts":  {1, func(i int) string { return fmt.Sprint("user", i) }},
	} {
		if counts := g.guess("/r", c.addresses, 10_000, c.user); counts[401] != 20 || counts[429] != 9980 {
			t.Errorf("%s: %v", name, counts)
		}
	}
	if r := g.raw("GET", "/r", "", "X-Forwarded-For", "10.0.0.1", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bob:right"))); r.status != 200 {
		t.Errorf("a right password from elsewhere: %d %s", r.status, r.body)
	}
}
