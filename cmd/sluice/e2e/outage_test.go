package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Breakers that nothing opens, so that only the budget of retries bounds what
// the upstream sees.
const outageConfig = providers + `models:
  storm: {targets: [{model: up/fail-500_storm}, {model: up/fail-503_storm}, {model: ant/fail-529_storm}], fallback: [{model: spare}, {model: storm2}],
    retry: {attempts: 5, backoff: 1ms}, breaker: {failures: 1000000, ratio: 1, min_calls: 1000000}}
  storm2: {targets: [{model: up/fail-502_storm}], retry: {attempts: 5, backoff: 1ms}, breaker: {failures: 1000000, ratio: 1, min_calls: 1000000}}
  spare: {targets: [{model: ant/fail-500_storm}], retry: {attempts: 5, backoff: 1ms}, breaker: {failures: 1000000, ratio: 1, min_calls: 1000000}}
  down: {targets: [{model: up/fail-500_down}, {model: ant/fail-500_down}], retry: {attempts: 1}, breaker: {failures: 3, within: 60s, open_for: 40s}}
  heals: {targets: [{model: up/fail-500_times-3_pause}], retry: {attempts: 1}, breaker: {failures: 3, within: 60s, open_for: 100ms, probes: 2}}
` + team

// Where everything fails, a thousand calls are at most 1.2 thousand upstream,
// and three a second: whatever the targets and fallbacks.
func TestRetriesDoNotMultiplyAnOutage(t *testing.T) {
	g := start(t, outageConfig)
	const calls = 1000
	begin := time.Now()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range calls / 20 {
				if a := g.chat(chatBody("storm", "hi", "")); a.status < 500 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
	seconds := int64(time.Since(begin)/time.Second) + 2 // those that it touched
	stats := g.fake.Stats()
	seen := int64(0)
	for model, n := range stats.Models {
		if strings.HasSuffix(model, "_storm") {
			seen += n
		}
	}
	t.Logf("%d calls, %d upstream", calls, seen)
	if seen < calls || seen > calls*12/10+3*seconds {
		t.Errorf("%d calls were %d upstream: %v", calls, seen, stats.Models)
	}
}

// Once all breakers are open, the answer is 503 with retry-after, and nothing
// goes upstream; the breakers' state is in the metrics, the admin API and the
// log. After its time a breaker is probed, and closes.
func TestAllDown(t *testing.T) {
	g := start(t, outageConfig)
	for range 3 {
		if a := g.chat(chatBody("down", "hi", "")); a.status != 500 || a.header.Get("x-sluice-attempts") != "2" {
			t.Fatalf("%d after %s attempts: %s", a.status, a.header.Get("x-sluice-attempts"), a.body)
		}
	}
	before := g.fake.Stats()
	for range 20 {
		a := g.chat(chatBody("down", "hi", ""))
		if wait := a.header.Get("retry-after"); a.status != 503 || a.get("error.code").Str != "no_target" || wait != "40" && wait != "39" ||
			!strings.Contains(a.get("error.message").Str, "down") {
			t.Fatalf("%d, retry-after %s: %s", a.status, wait, a.body)
		}
	}
	if after := g.fake.Stats(); after.Done != before.Done {
		t.Errorf("%d calls went upstream", after.Done-before.Done)
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"up/fail-500_down", "ant/fail-500_down"} {
		if !strings.Contains(metrics.body, fmt.Sprintf("sluice_breaker_state{target=%q} 2", target)) {
			t.Errorf("the metrics tell nothing of %s", target)
		}
		if !g.logs("a breaker has changed") || !g.logs("target="+target) {
			t.Errorf("the log tells nothing of %s: %s", target, g.stderr)
		}
		provider, _, _ := strings.Cut(target, "/")
		if state := g.api("GET", "providers", "").get(fmt.Sprintf(`data.#(name==%q).targets.#(target==%q).state`, provider, target)).Str; state != "open" {
			t.Errorf("the admin API says %q of %s", state, target)
		}
	}
	for range 3 {
		g.chat(chatBody("heals", "hi", ""))
	}
	if a := g.chat(chatBody("heals", "hi", "")); a.status != 503 && a.status != 200 { // 200: the machine was slow
		t.Errorf("%d %s", a.status, a.body)
	}
	if !eventually(5*time.Second, func() bool { return g.chat(chatBody("heals", "hi", "")).status == 200 }) {
		t.Error("a target that works again is left out")
	}
	closed := func() bool {
		g.chat(chatBody("heals", "hi", ""))
		return g.api("GET", "providers", "").get(`data.#(name=="up").targets.#(target=="up/fail-500_times-3_pause").state`).Str == "closed"
	}
	if !eventually(5*time.Second, closed) {
		t.Error("the breaker does not close")
	}
}
