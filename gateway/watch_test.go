package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// tcpPair is a connection over loopback: the server's end and the client's.
func tcpPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

// lookUntil looks at the shards, as run does, until ctx ends or looks are used up.
func lookUntil(ctx context.Context, ws *watcher, looks int) bool {
	for range looks {
		for i := range ws.shards {
			ws.shards[i].look(time.Now())
		}
		select {
		case <-ctx.Done():
			return true
		case <-time.After(time.Millisecond):
		}
	}
	return false
}

func TestWatcherNoticesWhoLeft(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"close": func(c net.Conn) { c.Close() },
		"reset": func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := tcpPair(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			var ws watcher
			var w watched
			ws.add(&w, server, 1, cancel)
			if lookUntil(ctx, &ws, 5) {
				t.Fatal("a caller who is there was taken for gone")
			}
			leave(client)
			if !lookUntil(ctx, &ws, 2000) {
				t.Fatal("a caller who left was not noticed")
			}
			if context.Cause(ctx) != errCallerLeft {
				t.Fatalf("cause = %v", context.Cause(ctx))
			}
			ws.remove(&w)
		})
	}
}

// A call that goes on for a while is ended once that is over, and not before;
// one that goes on to its end is not.
func TestWatcherWaits(t *testing.T) {
	for _, c := range []struct {
		leaving Leaving
		after   time.Duration
		ends    bool
	}{
		{Leaving{Drain: true}, time.Hour, false},
		{Leaving{Drain: true, Time: time.Minute}, 59 * time.Second, false},
		{Leaving{Drain: true, Time: time.Minute}, time.Minute, true},
		{Leaving{}, 0, true},
	} {
		server, client := tcpPair(t)
		ctx, cancel := context.WithCancelCause(context.Background())
		var ws watcher
		w := watched{leaving: c.leaving}
		ws.add(&w, server, 1, cancel)
		client.Close()
		now := time.Now()
		for deadline := now.Add(10 * time.Second); !w.gone(); {
			if time.Now().After(deadline) {
				t.Fatal("a caller who left was not noticed")
			}
			time.Sleep(time.Millisecond)
		}
		look := func(at time.Time) { ws.shards[w.shard].look(at) }
		look(now) // too young
		look(now)
		look(now.Add(c.after))
		if ended := ctx.Err() != nil; ended != c.ends {
			t.Errorf("%+v: after %v it is over: %v", c.leaving, c.after, ended)
		}
		ws.remove(&w)
		cancel(nil)
	}
}

func TestWatcherToleratesPipelinedBytes(t *testing.T) {
	server, client := tcpPair(t)
	if _, err := client.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var ws watcher
	var w watched
	ws.add(&w, server, 1, cancel)
	if lookUntil(ctx, &ws, 20) {
		t.Fatal("bytes of a next request were taken for a caller who left")
	}
	ws.remove(&w)
}

func TestWatcherRemoveKeepsTheOthers(t *testing.T) {
	var ws watcher
	calls := make([]watched, 10)
	ctxs := make([]context.Context, len(calls))
	clients := make([]net.Conn, len(calls))
	for i := range calls {
		server, client := tcpPair(t)
		ctx, cancel := context.WithCancelCause(context.Background())
		ctxs[i], clients[i] = ctx, client
		ws.add(&calls[i], server, 7, cancel) // all in one shard
	}
	for i := 0; i < len(calls); i += 2 {
		ws.remove(&calls[i])
	}
	for _, c := range clients {
		c.Close()
	}
	for i, ctx := range ctxs {
		if i%2 == 1 && !lookUntil(ctx, &ws, 2000) {
			t.Errorf("call %d is still watched, and was not noticed", i)
		}
	}
	for i := 0; i < len(calls); i += 2 {
		if ctxs[i].Err() != nil {
			t.Errorf("call %d was cancelled after its watch had ended", i)
		}
	}
}

func TestWatcherTakesTLSAlertForLeaving(t *testing.T) {
	rawServer, rawClient := tcpPair(t)
	server := tls.Server(rawServer, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	client := tls.Client(rawClient, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var ws watcher
	var w watched
	ws.add(&w, server, 1, cancel)
	if lookUntil(ctx, &ws, 5) {
		t.Fatal("an open TLS connection was taken for gone")
	}
	if err := client.CloseWrite(); err != nil { // close_notify, the socket stays open
		t.Fatal(err)
	}
	if !lookUntil(ctx, &ws, 2000) {
		t.Fatal("close_notify was not noticed")
	}
	ws.remove(&w)
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
