package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// switching answers a handshake; more is sent with its head.
func switching(more string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, conn net.Conn, in *bufio.Reader) {
		r, err := http.ReadRequest(in)
		if err != nil || r.Method != "GET" || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Version") != "13" || r.ContentLength != 0 {
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n%s",
			AcceptKey(r.Header.Get("Sec-WebSocket-Key")), r.Header.Get("X-A"), more)
		_, _ = io.Copy(conn, in) // an echo, until the other side closes
	}
}

func upgradeRequest() *Request {
	return &Request{Method: "GET", Path: "/realtime", Header: []dialect.Field{{Name: "X-A", Value: "b"}}}
}

func TestUpgrade(t *testing.T) {
	url, accepted := script(t, switching("at once"))
	c := client(t, Options{BaseURL: url, FirstByte: 50 * time.Millisecond, Total: time.Minute})
	for n := range 2 {
		tunnel, resp, err := c.Upgrade(context.Background(), upgradeRequest())
		if err != nil || resp != nil {
			t.Fatalf("%v %v", resp, err)
		}
		if tunnel.Protocol != "b" {
			t.Errorf("protocol is %q", tunnel.Protocol)
		}
		got := make([]byte, len("at once, echo"))
		if _, err := tunnel.Write([]byte(", echo")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(tunnel, got); err != nil || string(got) != "at once, echo" {
			t.Errorf("%q %v", got, err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := tunnel.Read(got)
			done <- err
		}()
		_ = tunnel.Close()
		if err := <-done; err == nil {
			t.Error("a closed tunnel gives bytes")
		}
		if int(accepted.Load()) != n+1 {
			t.Errorf("%d connections: one is used again", accepted.Load())
		}
	}
}

func TestUpgradeRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"a wrong proof":    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
		"another protocol": "HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n",
		"no HTTP":          "hello\r\n\r\n",
	} {
		url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
			if _, err := request(in); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
		})
		_, _, err := client(t, Options{BaseURL: url}).Upgrade(context.Background(), upgradeRequest())
		if schema.AsError(err).Class != schema.ClassInvalidOutput {
			t.Errorf("%s: %v", name, err)
		}
	}
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := request(in); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\nno")
		}
	})
	tunnel, resp, err := client(t, Options{BaseURL: url}).Upgrade(context.Background(), upgradeRequest())
	if err != nil || tunnel != nil || resp.Status != 403 {
		t.Fatalf("%v %v %v", tunnel, resp, err)
	}
	defer resp.Close()
	if body, err := resp.ReadAll(nil, 0); err != nil || string(body) != "no" {
		t.Errorf("%q %v", body, err)
	}
	bad := upgradeRequest()
	bad.Path = "no slash"
	if _, _, err := client(t, Options{BaseURL: url}).Upgrade(context.Background(), bad); err == nil {
		t.Error("a bad path is sent")
	}
}

// A switch that nobody asked for is no answer.
func TestSwitchUnasked(t *testing.T) {
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := request(in); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n")
		}
	})
	_, err := client(t, Options{BaseURL: url}).Do(context.Background(), post("x"))
	if schema.AsError(err).Class != schema.ClassInvalidOutput {
		t.Errorf("%v", err)
	}
}

func TestUpgradeCancelled(t *testing.T) {
	reached := make(chan struct{})
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := request(in); err == nil {
			close(reached)
			_, _ = io.Copy(io.Discard, in)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-reached; cancel() }()
	c := client(t, Options{BaseURL: url})
	if _, _, err := c.Upgrade(ctx, upgradeRequest()); schema.AsError(err).Class != schema.ClassCancelled {
		t.Errorf("%v", err)
	}
	if _, _, err := c.Upgrade(ctx, upgradeRequest()); schema.AsError(err).Class != schema.ClassCancelled {
		t.Errorf("%v", err)
	}
}
