package gateway_test

import (
	"net"
	"testing"
)

// A gateway that was shut down before it serves does not serve.
func TestShutdownBeforeServe(t *testing.T) {
	r := newRig(t)
	r.stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.g.Serve(ln); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		conn.Close() //nolint:errcheck // it should not be
		t.Error("the port is open")
	}
}
