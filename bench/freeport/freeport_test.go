package freeport

import (
	"net"
	"testing"
)

// What is given can be listened on, and is given once.
func TestAddr(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		addr, err := Addr()
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if seen[addr] {
			t.Errorf("%s again", addr)
		}
		seen[addr] = true
	}
}
