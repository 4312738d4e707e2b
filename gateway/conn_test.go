package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestWritesToWhoDoesNotReadEnd(t *testing.T) {
	server, client := tcpPair(t)
	client.(*net.TCPConn).SetReadBuffer(4 << 10)
	c := &callerConn{Conn: server, stall: 100 * time.Millisecond}
	_, err := c.Write(make([]byte, 32<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Write = %v, want its deadline", err)
	}
}

func TestSlowReadersGetAll(t *testing.T) {
	server, client := tcpPair(t)
	c := &callerConn{Conn: server, stall: 2 * time.Second}
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // takes longer than one deadline
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		server.Close()
		written <- err
	}()
	var got bytes.Buffer
	for buf := make([]byte, 128<<10); ; time.Sleep(25 * time.Millisecond) {
		n, err := io.ReadFull(client, buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if err := <-written; err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("wrote %v; %d of %d bytes came", err, got.Len(), len(want))
	}
}

// deadlines is a connection that keeps the deadlines for reading set on it.
type deadlines struct {
	net.Conn
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.set = append(d.set, t); return nil }
func (d *deadlines) SetDeadline(t time.Time) error     { d.set = append(d.set, t); return nil }
func (d *deadlines) Read([]byte) (int, error)          { return 0, nil }

// TestReadDeadline has a connection on which many requests come: a deadline is
// set when it is needed, never earlier than asked for, and late by an eighth at
// most.
func TestReadDeadline(t *testing.T) {
	under := &deadlines{}
	c := &callerConn{Conn: under}
	read := func(until time.Time, want int) {
		t.Helper()
		_ = c.SetReadDeadline(until)
		if _, err := c.Read(nil); err != nil || len(under.set) != want {
			t.Fatalf("%d deadlines set, %v; want %d", len(under.set), err, want)
		}
	}
	now := time.Now()
	read(time.Time{}, 0)
	read(now.Add(time.Minute), 1)
	if late := under.set[0].Sub(now.Add(time.Minute)); late < 0 || late > time.Minute/8 {
		t.Errorf("the deadline is %v late", late)
	}
	read(now.Add(time.Minute+time.Second), 1)
	read(now.Add(time.Minute+7*time.Second), 1)
	read(now.Add(time.Minute+8*time.Second), 2) // the first would be early
	read(now.Add(time.Second), 3)               // and the second far too late
	read(now.Add(-time.Second), 4)
	if !under.set[3].Equal(now.Add(-time.Second)) {
		t.Error("a deadline in the past is put off")
	}
	read(time.Time{}, 5)
	read(now.Add(time.Minute), 6)
	if _ = c.SetDeadline(time.Time{}); len(under.set) != 7 {
		t.Error("SetDeadline waits")
	}
	read(time.Time{}, 7)

	// After a long one, a short one is not stretched by the long one's eighth.
	read(now.Add(10*time.Minute), 8)
	if read(now.Add(10*time.Minute+70*time.Second), 8); len(under.set) != 8 {
		t.Error("a deadline as late as an eighth allows was set again")
	}
	c.readSet = now.Add(70 * time.Second)
	read(now.Add(5*time.Second), 9)
}
