package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
)

// manyKeys is a call's surroundings with so many keys in force, and the keys.
func manyKeys(n int) (*Call, []string) {
	keys, callers := make([]string, n), make([]*Caller, n)
	for i := range n {
		keys[i] = fmt.Sprintf("sk-sl-%012d-%020d", i, i*7919)
		callers[i] = &Caller{Key: &billing.Key{ID: fmt.Sprint("key_", i), Team: fmt.Sprint("team-", i%1000), Name: "k", Hash: billing.HashKey(keys[i])}, Label: fmt.Sprintf("team-%d/k", i%1000)}
	}
	g := &Gateway{used: usedKeys{at: map[string]time.Time{}}}
	return &Call{g: g, snap: NewSnapshot(Parts{Callers: callers}), now: time.Now(), rc: &fasthttp.RequestCtx{}}, keys
}

// A key is found among very many, and none that is not there.
func TestManyKeys(t *testing.T) {
	c, keys := manyKeys(100_000)
	for range 1000 {
		i := rand.IntN(len(keys))
		c.rc.Request.Header.Set("Authorization", "Bearer "+keys[i])
		if err := c.authenticate(); err != nil || c.caller.Key.ID != fmt.Sprint("key_", i) {
			t.Fatalf("%s: %v", keys[i], err)
		}
		c.rc.Request.Header.Set("Authorization", "Bearer "+keys[i]+"x")
		if err := c.authenticate(); err == nil {
			t.Fatalf("%sx is taken for %s", keys[i], c.caller.Key.ID)
		}
	}
}

// BenchmarkManyKeys is what it takes to find who calls, with 100,000 keys in
// force, by another of them each time.
func BenchmarkManyKeys(b *testing.B) {
	c, keys := manyKeys(100_000)
	var took []time.Duration
	for b.Loop() {
		c.rc.Request.Header.Set("Authorization", "Bearer "+keys[rand.IntN(len(keys))])
		begin := time.Now()
		if err := c.authenticate(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(took[len(took)*999/1000].Nanoseconds()), "p99.9-ns")
}
