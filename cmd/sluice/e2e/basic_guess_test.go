package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// Passwords that the gateway itself checks can be tried only so often.
func TestGuessingPasswords(t *testing.T) {
	const bcrypt = "$2a$04$W4Dl5vTIFVtqZbtP1Z1AduELVCQ0r2yS7NDVKwFXxy1nKEyrL1lCG" // no one's
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "drain: 10s", "drain: 10s, trusted_proxies: [127.0.0.0/8], failures: 20/1h", 1) + `auth: {basic: {staff: {users: {alice: "` + bcrypt + `"}}}}
routes: [{name: r, match: {path: "/r"}, backend: {static: {body: x}}, auth: {require: ["basic:staff"]}}]
` + team)
	g.start()
	for name, who := range map[string]func(i int) (ip, user string){
		"many addresses": func(i int) (string, string) { return fmt.Sprintf("10.0.0.%d", i), "alice" },
		"many accounts":  func(i int) (string, string) { return "10.0.1.1", fmt.Sprint("user", i) },
	} {
		counts := map[int]int{}
		for i := range 60 {
			ip, user := who(i)
			counts[g.raw("GET", "/r", "", "X-Forwarded-For", ip, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":wrong"))).status]++
		}
		if counts[401] != 20 || counts[429] != 40 {
			t.Errorf("%s: %v", name, counts)
		}
	}
}
