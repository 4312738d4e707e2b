package billing

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// TestLiveKeys: 100,000 keys with limits, each used, take less than 100 MiB.
func TestLiveKeys(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	begin := heap()
	keys := make([]Key, 100_000)
	for i := range keys {
		keys[i] = Key{ID: fmt.Sprintf("key_%016x", i), Team: "lab", Name: fmt.Sprintf("k%d", i), Limits: Limits{RPM: 60, TPM: 1e5, Parallel: 5}}
	}
	before := heap()
	b := NewBook(time.UTC, nil)
	v, err := b.Rebuild([]Team{{Name: "lab", Limits: Limits{RPM: 1e9}}}, keys)
	if err != nil {
		t.Fatal(err)
	}
	keys = nil
	now := time.Unix(1e9, 0)
	for _, o := range v.keys {
		ticket, err := o.Admit(now, Ask{100, 100})
		if err != nil {
			t.Fatal(err)
		}
		ticket.Done(Ask{100, 50})
	}
	after := heap()
	t.Logf("100,000 live keys take %d MiB, %d of them what the configuration says", (after-begin)>>20, (before-begin)>>20)
	if after-begin > 100<<20 {
		t.Error("that is too much")
	}
	runtime.KeepAlive(b)
	runtime.KeepAlive(v)
}
