package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

const balancing = `providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}}
  ant: {kind: anthropic, base_url: "UP", keys: [sk-ant], prices: {"*": {input: 1, output: 2}}}
  reads: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-reads], prices: {"*": {input: 0.1, output: 20}}}
  writes: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-writes], prices: {"*": {input: 20, output: 0.1}}}
models:
  turns: {balance: round-robin, targets: [{model: up/echo, weight: 9}, {model: ant/echo}, {model: reads/echo}]}
  busy: {balance: least-busy, targets: [{model: up/echo_delay-300}, {model: ant/echo_delay-300}, {model: reads/echo_delay-300}]}
  cheap: {balance: cheapest, targets: [{model: up/fail-500, weight: 1}, {model: reads/echo}, {model: writes/echo}]}
  quick: {balance: fastest, targets: [{model: up/echo_delay-120}, {model: ant/echo}]}
  user: {balance: sticky, sticky: {by: user}, targets: [{model: up/echo}, {model: ant/echo}, {model: reads/echo}, {model: writes/echo}]}
  session: {balance: round-robin, sticky: {by: session}, targets: [{model: up/echo}, {model: ant/echo}, {model: reads/echo}, {model: writes/echo}]}
  key: {balance: sticky, sticky: {by: key}, targets: [{model: up/echo}, {model: ant/echo}, {model: reads/echo}, {model: writes/echo}]}
  prefix: {balance: sticky, sticky: {by: prefix}, targets: [{model: up/echo}, {model: ant/echo}, {model: reads/echo}, {model: writes/echo}]}
  learns: {balance: adaptive, targets: [{model: up/echo_delay-40}, {model: reads/fail-500}, {model: ant/echo}], retry: {attempts: 1}, breaker: {failures: 100000, min_calls: 100000}}
  broken: {balance: sticky, sticky: {by: user}, targets: [{model: up/fail-500}, {model: reads/echo}, {model: writes/fail-503}], retry: {attempts: 1, budget: 1}}
` + team

// chosen is the target that answered, and what its choice was made of.
func (g *gateway) chosen(t *testing.T, body string, header ...string) (string, gjson.Result) {
	t.Helper()
	a := g.chat(body, append(header, "x-sluice-explain", "1")...)
	e := gjson.Parse(a.header.Get("x-sluice-explain"))
	target := a.header.Get("x-sluice-model")
	if a.status != 200 || e.Get("chosen").Str != target || len(e.Get("candidates").Array()) == 0 {
		t.Fatalf("%d by %q: %s %s", a.status, target, e.Raw, a.body)
	}
	return target, e
}

// why is what an explanation says of a target.
func why(e gjson.Result, target string) string {
	return e.Get(`candidates.#(target=="` + target + `").why`).Str
}

func TestBalances(t *testing.T) {
	g := newGateway(t, balancing)
	g.configure(strings.Replace(head+balancing, "providers:", "log: {level: debug}\nproviders:", 1))
	g.start()
	t.Run("round-robin", func(t *testing.T) {
		seen := map[string]int{}
		for range 30 {
			target, e := g.chosen(t, chatBody("turns", "hi", ""))
			seen[target]++
			if w := why(e, target); w != "each in turn" {
				t.Errorf("why: %s", w)
			}
		}
		if seen["up/echo"] != 10 || seen["ant/echo"] != 10 || seen["reads/echo"] != 10 {
			t.Errorf("%v", seen)
		}
	})
	t.Run("least-busy", g.leastBusy)
	t.Run("cheapest", g.cheapest)
	t.Run("fastest", func(t *testing.T) {
		seen := map[string]int{}
		for range 30 {
			target, e := g.chosen(t, chatBody("quick", "hi", ""))
			seen[target]++
			if e.Get("seed").Uint() == 0 || !strings.Contains(why(e, target), "in flight") {
				t.Errorf("explained by %s", e.Raw)
			}
		}
		if seen["ant/echo"] < 26 || seen["up/echo_delay-120"] == 0 {
			t.Errorf("%v", seen)
		}
	})
	t.Run("sticky", g.sticky)
	t.Run("adaptive", g.adaptive)
	t.Run("every sticky order ends well", func(t *testing.T) {
		for i := range 20 {
			if target, _ := g.chosen(t, chatBody("broken", "hi", fmt.Sprintf(`,"user":"u%d"`, i))); target != "reads/echo" {
				t.Errorf("answered by %s", target)
			}
		}
	})
	t.Run("admin", g.explained)
	if log := g.stderr.String(); !strings.Contains(log, "routed") || !strings.Contains(log, "adaptive") {
		t.Error("the log of all that goes on does not tell how targets were chosen")
	}
}

func (g *gateway) leastBusy(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			a := g.chat(chatBody("busy", "hi", ""), "x-sluice-explain", "1")
			mu.Lock()
			defer mu.Unlock()
			seen[a.header.Get("x-sluice-model")]++
			if !strings.Contains(a.header.Get("x-sluice-explain"), "in flight for a weight of 1") {
				t.Errorf("explained by %s", a.header.Get("x-sluice-explain"))
			}
		})
	}
	wg.Wait()
	for target, n := range seen {
		if n < 2 || n > 6 {
			t.Errorf("12 calls at once: %s has %d of %v", target, n, seen)
		}
	}
}

// By this call's own tokens: a short answer to a long question is cheapest
// where reading is, a long answer where writing is. The target that fails is
// passed over, and what it would cost does not matter then.
func (g *gateway) cheapest(t *testing.T) {
	long := strings.Repeat("many words to read ", 200)
	for name, c := range map[string]struct{ text, extra, want string }{
		"reads":  {long, `,"max_tokens":1`, "reads/echo"},
		"writes": {"hi", `,"max_tokens":4000`, "writes/echo"},
	} {
		target, e := g.chosen(t, chatBody("cheap", c.text, c.extra))
		if target != c.want || !strings.Contains(why(e, target), "costs about 0.000") {
			t.Errorf("%s: %s by %s", name, target, e.Raw)
		}
	}
	// Without max_tokens what was learnt of the answers' sizes counts: echoes are short.
	for range 5 {
		g.chat(chatBody("reads/echo", "hi", ""))
		g.chat(chatBody("writes/echo", "hi", ""))
	}
	if target, e := g.chosen(t, chatBody("cheap", long, "")); target != "up/echo" && target != "reads/echo" {
		t.Errorf("%s by %s", target, e.Raw)
	}
}

func (g *gateway) sticky(t *testing.T) {
	turn := func(system, first, more string) string {
		return `"messages":[{"role":"system","content":"` + system + `"},{"role":"user","content":"` + first + `"}` + more + `]`
	}
	for model, vary := range map[string]func(i, again int) (body string, header []string){
		"user": func(i, again int) (string, []string) {
			return chatBody("user", fmt.Sprint("hi ", again), fmt.Sprintf(`,"user":"u%d"`, i)), nil
		},
		"session": func(i, again int) (string, []string) {
			return chatBody("session", fmt.Sprint("hi ", again), ""), []string{"x-session-id", fmt.Sprint("s", i)}
		},
		"prefix": func(i, again int) (string, []string) {
			more := strings.Repeat(`,{"role":"assistant","content":"yes"},{"role":"user","content":"go on"}`, again)
			return `{"model":"prefix",` + turn("be brief", fmt.Sprint("question ", i), more) + `}`, nil
		},
	} {
		seen := map[string]bool{}
		for i := range 24 {
			at := ""
			for again := range 3 {
				body, header := vary(i, again)
				target, e := g.chosen(t, body, header...)
				if at != "" && target != at {
					t.Errorf("%s %d: %s, then %s", model, i, at, target)
				}
				if w := why(e, target); w != "1 in the order of the call's "+model {
					t.Errorf("%s: why: %s", model, w)
				}
				at = target
			}
			seen[at] = true
		}
		if len(seen) < 3 {
			t.Errorf("%s: all at %v", model, seen)
		}
	}
	one, _ := g.chosen(t, chatBody("key", "hi", ""))
	for range 5 {
		if target, _ := g.chosen(t, chatBody("key", "ho", "")); target != one {
			t.Errorf("by key: %s, then %s", one, target)
		}
	}
	if target, e := g.chosen(t, chatBody("user", "hi", "")); !strings.Contains(why(e, target), "no user") {
		t.Errorf("without a user: %s", e.Raw)
	}
}

func (g *gateway) adaptive(t *testing.T) {
	seen := map[string]int{}
	for range 100 {
		target, e := g.chosen(t, chatBody("learns", "hi", ""))
		seen[target]++
		if e.Get("seed").Uint() == 0 || e.Get("candidates.0.score").Num <= 0 || !strings.Contains(why(e, target), "costs about") {
			t.Fatalf("explained by %s", e.Raw)
		}
	}
	if seen["ant/echo"] < 85 {
		t.Errorf("%v", seen)
	}
}

func (g *gateway) explained(t *testing.T) {
	for model, want := range map[string]string{"turns": "each in turn", "busy": "0 in flight for a weight of 1", "cheap": "costs about",
		"quick": "in flight", "user": "no user", "session": "each in turn", "learns": "go well"} {
		a := g.api("GET", "explain?model="+model, "")
		if a.status != 200 || a.get("chosen").Str == "" || !strings.Contains(a.get("candidates.#.why").Raw, want) {
			t.Errorf("%s: %d %s", model, a.status, a.body)
		}
	}
	a := g.api("GET", "models", "")
	for _, balance := range []string{"round-robin", "least-busy", "cheapest", "fastest", "sticky", "adaptive"} {
		if !strings.Contains(a.body, `"balance":"`+balance+`"`) {
			t.Errorf("models does not tell of %s: %s", balance, a.body)
		}
	}
}
