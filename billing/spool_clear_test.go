package billing

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// After Clear no file holds what was appended before it, and appending goes on.
func TestClear(t *testing.T) {
	dir, l := t.TempDir(), newSink()
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	if err := s.Clear(t.Context()); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 50 {
				appendCalls(t, s, "other"+string(rune('0'+i%10)))
			}
		})
	}
	appendCalls(t, s, "secret-call")
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it went meanwhile
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("secret-call")) {
			t.Errorf("%s holds it still", name)
		}
	}
	wg.Wait()
	if err := s.Clear(t.Context()); err != nil || !l.has("secret-call", "other0") {
		t.Errorf("Clear: %v", err)
	}
	appendCalls(t, s, "later")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Clear(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
