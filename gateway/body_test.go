package gateway

import "testing"

// TestBodiesAreGivenBackOnce: a call that makes others gives the memory of its
// body back, and they do not: two later calls would share it.
func TestBodiesAreGivenBackOnce(t *testing.T) {
	e := newEdge(t, twoPrompts)
	for range 20 {
		if a := e.call("POST", "/label", `[{"text":"a"},{"text":"b"},{"text":"c"}]`); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	seen := map[*[]byte]bool{}
	for range 200 {
		b := bodyBuffers.Get().(*[]byte)
		if seen[b] {
			t.Fatal("two calls would share the memory of a body")
		}
		seen[b] = true
	}
}
