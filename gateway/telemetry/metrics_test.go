package telemetry

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/billing"
	"sluice/providers/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape is what Prometheus would read, ours alone.
func scrape(t testing.TB, m *Metrics) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	var ours []string
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "sluice_") {
			ours = append(ours, strings.TrimSpace(line))
		}
	}
	return ours
}

// value is one series; empty: it is not there.
func value(lines []string, series string) string {
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, series+" "); ok {
			return v
		}
	}
	return ""
}

func entry(target, code string) *billing.Entry {
	e := &billing.Entry{Target: target, Code: code, Latency: 20 * time.Millisecond}
	e.Provider, _, _ = strings.Cut(target, "/")
	return e
}

func TestCounts(t *testing.T) {
	m := New()
	m.AddGauges(Gauges{SpoolRecords: func() int64 { return 3 }, LogDropped: func(yield func(string, int64)) { yield("file", 4) },
		SpoolMemory: func() int64 { return 2 }, SpoolStrained: func() bool { return true }, SpoolRefuses: func() bool { return false },
		SpoolDamaged: func() int64 { return 6 }, StoreDown: func() bool { return true }, CacheSize: func() (int64, int64) { return 3, 4096 }, OpenHolds: func() (int64, billing.Nano) { return 5, 3 * billing.Dollar / 2 },
		Connections: func() int64 { return 7 }, Upstream: func(yield func(string, float64)) { yield("up", 8) },
		Breakers: func(yield func(string, float64)) { yield("up/small", 2); yield("up/big", 0) }})
	good := entry("up/small", "")
	good.Usage = schema.Usage{Input: 10, CachedInput: 4, CacheWrite: 2, Output: 5, Reasoning: 1}
	good.Cost, good.TTFT = billing.Dollar/2, 3*time.Millisecond
	for range 2 {
		m.Call(good, time.Millisecond)
	}
	m.Call(entry("up/small", "upstream_error"), time.Millisecond)
	m.Call(entry("", "invalid_api_key"), time.Millisecond)
	m.Attempt("up/small", "up", "")
	m.Attempt("up/small", "up", "rate_limit_exceeded")
	m.Attempt("vendor/a/b", "vendor", "")
	m.SpoolFailed()
	hit := entry("up/small", "")
	hit.Cache, hit.Saved = "hit", billing.Dollar/4
	m.Call(hit, time.Millisecond)
	lines := scrape(t, m)
	for series, want := range map[string]string{
		`sluice_calls_total{code="",model="small",provider="up"}`:                                "3",
		`sluice_calls_total{code="upstream_error",model="small",provider="up"}`:                  "1",
		`sluice_calls_total{code="invalid_api_key",model="",provider=""}`:                        "1",
		`sluice_upstream_attempts_total{code="",model="small",provider="up"}`:                    "1",
		`sluice_upstream_attempts_total{code="rate_limit_exceeded",model="small",provider="up"}`: "1",
		`sluice_upstream_attempts_total{code="",model="a/b",provider="vendor"}`:                  "1",
		`sluice_call_duration_seconds_count{model="small",provider="up"}`:                        "3",
		`sluice_call_duration_seconds_bucket{model="small",provider="up",le="0.025"}`:            "3",
		`sluice_call_upstream_seconds_sum{model="small",provider="up"}`:                          "0.003",
		`sluice_connections`:                         "7",
		`sluice_upstream_connections{provider="up"}`: "8",
		`sluice_call_duration_seconds_bucket{model="small",provider="up",le="0.01"}`: "0",
		`sluice_ttft_seconds_count{model="small",provider="up"}`:                     "2",
		`sluice_tokens_total{kind="input"}`:                                          "20",
		`sluice_tokens_total{kind="cached_input"}`:                                   "8",
		`sluice_tokens_total{kind="cache_write"}`:                                    "4",
		`sluice_tokens_total{kind="output"}`:                                         "10",
		`sluice_tokens_total{kind="reasoning"}`:                                      "2",
		`sluice_cost_usd_total`:                                                      "1",
		`sluice_spool_failures_total`:                                                "1",
		`sluice_spool_records`:                                                       "3",
		`sluice_spool_memory_records`:                                                "2",
		`sluice_cache_calls_total{result="hit"}`:                                     "1", `sluice_cache_saved_usd_total`: "0.25", `sluice_cache_entries`: "3", `sluice_cache_bytes`: "4096",
		`sluice_spool_strained`:                   "1",
		`sluice_spool_refusing`:                   "0",
		`sluice_spool_damaged_segments_total`:     "6",
		`sluice_spool_store_down`:                 "1",
		`sluice_holds_open`:                       "5",
		`sluice_holds_usd`:                        "1.5",
		`sluice_log_dropped_total{sink="file"}`:   "4",
		`sluice_breaker_state{target="up/small"}`: "2",
		`sluice_breaker_state{target="up/big"}`:   "0",
	} {
		if got := value(lines, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
}

// Callers may name models that nobody knows: they make no more series than
// maxTargets, and one that stands for all others.
func TestSeriesAreBounded(t *testing.T) {
	m := New()
	m.Call(entry("up/real", ""), time.Millisecond)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				target := fmt.Sprintf("up/made-up-%d", (i+w*500)%2000)
				m.Attempt(target, "up", "not_found")
				m.Call(entry(target, ""), time.Millisecond)
				m.Call(entry(target, "model_not_found"), time.Millisecond)
			}
		})
	}
	wg.Wait()
	m.Call(entry("up/real", ""), time.Millisecond)
	models := map[string]bool{}
	name := regexp.MustCompile(`model="([^"]*)"`)
	lines := scrape(t, m)
	for _, l := range lines {
		if v := name.FindStringSubmatch(l); v != nil {
			models[v[1]] = true
		}
	}
	if len(models) > maxTargets+1 || !models["other"] {
		t.Errorf("%d models, other among them: %v", len(models), models["other"])
	}
	if v := value(lines, `sluice_calls_total{code="",model="real",provider="up"}`); v != "2" {
		t.Errorf("a model that came first has %q calls, want 2", v)
	}
	calls := 0
	for _, l := range lines {
		if strings.HasPrefix(l, "sluice_calls_total{code=\"\"") {
			n := 0
			if _, err := fmt.Sscan(l[strings.LastIndexByte(l, ' ')+1:], &n); err != nil {
				t.Fatal(err)
			}
			calls += n
		}
	}
	if calls != 4*2000+2 {
		t.Errorf("%d calls are counted, want %d", calls, 4*2000+2)
	}
}

// A name that is no UTF-8 must not stop Prometheus from reading the rest.
func TestNamesThatAreNoText(t *testing.T) {
	m := New()
	m.Call(entry("up/\xff\"\n\\", ""), time.Millisecond)
	m.Call(entry("up/\xff\"\n\\", "upstream_error"), time.Millisecond)
	m.Attempt("up/\xfe", "up", "upstream_error")
	m.Call(entry("up/small", ""), time.Millisecond)
	if v := value(scrape(t, m), `sluice_calls_total{code="",model="small",provider="up"}`); v != "1" {
		t.Errorf("small has %q calls", v)
	}
}

// What every call counts costs no allocation.
func TestCountingAllocatesNothing(t *testing.T) {
	m := New()
	e := entry("up/small", "")
	e.TTFT, e.Usage.Input, e.Cost = time.Millisecond, 10, billing.Dollar
	if n := testing.AllocsPerRun(100, func() {
		m.Attempt("up/small", "up", "")
		m.Call(e, time.Millisecond)
	}); n > 1 { // the look-up makes the name an any
		t.Errorf("%v allocations a call", n)
	}
}
