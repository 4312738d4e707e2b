package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers"
	"sluice/providers/openai"
	"sluice/providers/schema"
	transport "sluice/providers/upstream"
	"sluice/router"
)

// impatient is a provider that is waited for no longer than a moment.
func impatient(t *testing.T, name, url string) *gateway.Provider {
	t.Helper()
	c, err := transport.New(transport.Options{BaseURL: url, FirstByte: 40 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p := remote(t, name, url, &openai.Dialect, oneTwo)
	p.Client = providers.New(providers.Options{Name: name, Dialect: &openai.Dialect, Upstream: c, Auth: providers.Bearer()})
	return p
}

// An attempt that we give up on while the provider has the request in hand is
// charged for as an entry of its own, out of the same budgets; what the provider
// refuses is not.
func TestAttemptsGivenUpAreCharged(t *testing.T) {
	quiet := rawServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, impatient(t, "quiet", quiet+"/v1"))
		s.model("next", "quiet/m", "up/in-10_out-5")
		s.model("again", "quiet/m").Route.Retry = router.Retry{Attempts: 2, Backoff: 1, On: router.DefaultRetryOn, Budget: 1}
		s.model("errors", "up/fail-503", "up/in-10_out-5")
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		s.key("tight", func(k *billing.Key) { k.Budgets = hard(50_000) })
	})
	for _, c := range []struct {
		key, model, more string
		status           int
		attempts         []int // of the entries beside the call's own
	}{
		{"rich", "next", "", 200, []int{1}},
		{"rich", "next", `,"stream":true`, 200, []int{1}},
		{"rich", "quiet/m", "", 504, []int{1, 2}},
		{"rich", "again", "", 504, []int{1, 2}},
		{"rich", "errors", "", 200, nil},
		{"tight", "next", `,"max_tokens":1000`, 200, []int{1}},
	} {
		name := c.key + " " + c.model + c.more
		a := r.bare("POST", "/v1/chat/completions", chat(c.model, "hello there", c.more), append(as(c.key), "X-Request-Id", strings.ReplaceAll(name, " ", "-"))...)
		if a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		r.settled()
		var own billing.Entry
		var tried []int
		var sum billing.Nano
		for _, e := range r.entries() {
			if e.RequestID != a.header.Get("X-Request-Id") {
				continue
			}
			sum += e.Cost
			if e.Attempt == 0 {
				own = e
				continue
			}
			tried = append(tried, e.Attempt)
			if e.Target != "quiet/m" || e.Usage.Input == 0 || e.Usage.Source != schema.UsageEstimated || e.Cost != billing.Nano(e.Usage.Input*1000) ||
				e.Code != "upstream_timeout" || e.Status != 504 || len(e.Attempts) != 1 || e.Attempts[0].USD != e.Cost {
				t.Errorf("%s: the attempt's entry is %+v", name, e)
			}
		}
		if len(tried) != len(c.attempts) {
			t.Errorf("%s: charged attempts %v, want %v", name, tried, c.attempts)
		}
		if c.status == 200 && (own.Target != "up/in-10_out-5" || own.Cost != 20_000 && c.key == "rich" || len(own.Attempts) != 2) {
			t.Errorf("%s: the call's entry is %+v", name, own)
		}
		if c.status == 200 && c.more == "" && a.header.Get("X-Sluice-Cost") != sum.String() {
			t.Errorf("%s: told to cost %s, it was %v", name, a.header.Get("X-Sluice-Cost"), sum)
		}
		if c.key == "tight" && own.Cost+sum == 0 {
			t.Errorf("%s: nothing was charged", name)
		}
	}
	for _, key := range []string{"rich", "tight"} {
		var spent billing.Nano
		for _, e := range r.entries() {
			if strings.HasSuffix(e.Key, "/"+key) {
				spent += e.Cost
			}
		}
		owner := r.g.Snapshot().Caller(billing.HashKey("sk-test-"+key), time.Now()).Owner
		left, _ := owner.Left(billing.Called{})
		if of := map[string]billing.Nano{"rich": billing.Dollar, "tight": 50_000}[key]; left != max(of-spent, 0) {
			t.Errorf("%s: %v left of %v after %v was charged", key, left, of, spent)
		}
	}
}
