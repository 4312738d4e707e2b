package proxy

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/httpcache"
	"sluice/router"
)

// What a hit takes, of 10 KB, and what 99 of 100 take at most.
func BenchmarkCacheHit(b *testing.B) {
	o := CacheOptions{Route: "r", Store: httpcache.New(1 << 20), Own: true, Recovered: func(what any) { panic(what) }, Policy: httpcache.Policy{TTL: time.Hour}}
	body := make([]byte, 10<<10)
	handle := Cache(o)(func(x *Exchange) error {
		x.RC.Response.SetBody(body)
		return nil
	})
	x := NewExchange()
	ask := func() string {
		x.RC, x.Edge, x.Plan, x.Method, x.Now = new(fasthttp.RequestCtx), alone{context.Background()}, new(router.Plan), "GET", time.Now()
		x.Caller = Caller{ID: "k", Key: "k", Team: "t"}
		if err := x.Path.Normalise([]byte("/a")); err != nil {
			b.Fatal(err)
		}
		x.RC.Request.SetRequestURI("/a?page=1")
		x.Query = []byte("page=1")
		x.RC.Request.Header.SetHost("h")
		if err := handle(x); err != nil {
			b.Fatal(err)
		}
		return string(x.RC.Response.Header.Peek("X-Sluice-Cache"))
	}
	ask()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if how := ask(); how != httpcache.Hit {
			b.Fatal(how)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}
