package proxy

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/valyala/fasthttp"
)

// Steps may look into a body as far and as often as they like: what is sent on
// is all of it, once.
func TestPeekBody(t *testing.T) {
	all := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, length := range []int{0, 1, 99, 100, 101, 5000, 60_000, 100_000} {
		for _, size := range []int{length, -1} {
			for _, looks := range [][]int64{{}, {100}, {100, 100}, {100, 50, 4000}, {4000, 200_000}, {1, 2, 3, 99_999}} {
				body := all[:length]
				rc := new(fasthttp.RequestCtx)
				rc.Request.SetBodyStream(iotest.HalfReader(bytes.NewReader(body)), size)
				x := &Exchange{RC: rc}
				for _, n := range looks {
					begin, cut, err := x.peekBody(n)
					if want := body[:min(int64(length), n)]; err != nil || !bytes.Equal(begin, want) || cut != (int64(length) > n) {
						t.Fatalf("%d bytes (%d), looks %v: %d bytes of %d, cut %v, %v", length, size, looks, len(begin), n, cut, err)
					}
				}
				if err := x.takeBody(); err != nil {
					t.Fatal(err)
				}
				got := x.body.kept
				if x.body.from != nil {
					var err error
					if got, err = io.ReadAll(io.MultiReader(x)); err != nil {
						t.Fatal(err)
					}
				}
				if !bytes.Equal(got, body) {
					t.Errorf("%d bytes (%d), looks %v: %d are sent on", length, size, looks, len(got))
				}
			}
		}
	}
	// A body that is cut short is so at the first look.
	rc := new(fasthttp.RequestCtx)
	rc.Request.SetBodyStream(bytes.NewReader(all[:50]), 100)
	if _, _, err := (&Exchange{RC: rc}).peekBody(4000); err == nil {
		t.Error("half a body is taken for a whole one")
	}
}
