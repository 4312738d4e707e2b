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
