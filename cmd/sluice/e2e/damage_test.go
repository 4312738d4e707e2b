package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The process is killed while its spool is full of records, and the segment is
// damaged before the next start: that one serves, brings in every record that
// can be read, once, keeps the damaged file, and says where it is damaged.
func TestDamagedSpool(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
		lost   int // the most records
		says   string
	}{
		{"garbage behind the end", func(b []byte) []byte { return append(b, "garbage behind the end"...) }, 0, "the end of a usage segment is no whole record"},
		{"zeros behind the end", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, 0, "the end of a usage segment is no whole record"},
		{"a tail that is cut", func(b []byte) []byte { return b[:len(b)-10] }, 1, "the end of a usage segment is no whole record"},
		{"a bit in the middle", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, 1, "a usage segment is damaged"},
		{"a beginning that is cut", func(b []byte) []byte { return b[5:] }, 1, "a usage segment is damaged"},
		{"a foreign file beside it", nil, 0, "its own: they are left alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, providers+budgeted)
			goOn := g.stopStore(writerLock)
			load := g.startLoad("damage-", 4, time.Millisecond)
			if !eventually(20*time.Second, func() bool { return load.soFar() > 200 }) {
				t.Fatal("no calls are made")
			}
			g.kill()
			complete, _ := load.stop()
			goOn()
			g.damageSpool(c.damage)
			g.start()
			g.reconcile(complete, c.lost)
			g.said(c.says, 1)
			kept, err := filepath.Glob(filepath.Join(g.dir, "data", "spool", "*.damaged"))
			if err != nil || (len(kept) == 1) != (c.damage != nil) {
				t.Errorf("%v is kept, %v", kept, err)
			}
			if n := g.count("sluice_spool_damaged_segments_total"); n != len(kept) {
				t.Errorf("%d damaged segments are counted, %d kept", n, len(kept))
			}
			if a := g.chat(chatBody("up/small", "hi", "")); a.status != 200 {
				t.Errorf("the next call: %d %s", a.status, a.body)
			}
			if code := g.stop(); code != 0 {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// damageSpool damages the segment with the most records, or puts a foreign file
// beside it.
func (g *gateway) damageSpool(damage func([]byte) []byte) {
	g.t.Helper()
	dir := filepath.Join(g.dir, "data", "spool")
	segments, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil || len(segments) == 0 {
		g.t.Fatalf("no segments: %v", err)
	}
	var largest []byte
	var path string
	for _, s := range segments {
		b, err := os.ReadFile(s)
		if err != nil {
			g.t.Fatal(err)
		}
		if len(b) > len(largest) {
			largest, path = b, s
		}
	}
	if damage == nil {
		path, damage = filepath.Join(dir, "notes.txt"), slices.Clone[[]byte]
	}
	if err := os.WriteFile(path, damage(bytes.Clone(largest)), 0o600); err != nil {
		g.t.Fatal(err)
	}
}
