package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/billing"
)

// generate makes entries of a lively gateway: 20 teams, 100 keys, 8 models,
// some users and tags, one entry every step.
func generate(rng *rand.Rand, from, n int, start time.Time, step time.Duration) []billing.Entry {
	out := make([]billing.Entry, n)
	for i := range out {
		key, model := rng.IntN(100), rng.IntN(8)
		at := start.Add(time.Duration(from+i) * step)
		out[i] = entry(fmt.Sprintf("%016x%08x", at.UnixNano(), rng.Uint32()), at, func(e *billing.Entry) {
			e.Team, e.KeyID = fmt.Sprint("team", key%20), fmt.Sprint("k", key)
			e.Key = e.Team + "/" + e.KeyID
			e.Model = fmt.Sprint("model", model)
			e.Latency = time.Duration(rng.ExpFloat64() * float64(time.Second))
			if rng.IntN(20) == 0 {
				e.Status = 502
			}
			if rng.IntN(4) == 0 {
				e.User, e.Tags = fmt.Sprint("user", rng.IntN(50)), []string{"prod", fmt.Sprint("job", rng.IntN(5))}
			}
		})
	}
	return out
}

func BenchmarkAppend(b *testing.B) {
	l := testStore(b).Ledger()
	rng := rand.New(rand.NewPCG(1, 2))
	const batch = 1000
	done := 0
	for b.Loop() {
		b.StopTimer()
		entries := generate(rng, done, batch, noon, 10*time.Millisecond)
		b.StartTimer()
		add(b, l, entries...)
		done += batch
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkUsage(b *testing.B) {
	l := testStore(b).Ledger()
	rng := rand.New(rand.NewPCG(1, 2))
	const days, n = 30, 200_000
	for from := 0; from < n; from += 5000 {
		add(b, l, generate(rng, from, 5000, noon, days*24*time.Hour/n)...)
	}
	from, to := noon.Add(25*time.Hour+time.Minute), noon.Add(20*24*time.Hour+time.Minute)
	for _, by := range [][]string{nil, {"team", "model"}, {"day"}, {"day", "team"}, {"user"}, {"tag", "month"}, {"hour"}} {
		b.Run(fmt.Sprint(by), func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Usage(context.Background(), billing.Query{From: from, To: to, GroupBy: by}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("spent", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Usage(context.Background(), billing.Query{From: from, KeyID: "k1"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("requests of a key", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := l.Requests(context.Background(), billing.RequestQuery{Key: "k1"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
