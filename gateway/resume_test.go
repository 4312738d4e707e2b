package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// Callers' dialects, and how each asks for a stream.
var resumeClients = []struct {
	d          *dialect.Dialect
	path, body string // %s is the model's name
}{
	{&openai.Dialect, "/v1/chat/completions", `{"model":"%s","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Tell it."}]}`},
	{&anthropic.Dialect, "/v1/messages", `{"model":"%s","stream":true,"max_tokens":2000,"messages":[{"role":"user","content":"Tell it."}]}`},
	{&gemini.Dialect, "/v1beta/models/%s:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"Tell it."}]}],"x":"%s"}`},
}

// Providers' dialects, with models that go on with a turn of their own and such
// that must be asked to.
var resumeTargets = []struct {
	d     *dialect.Dialect
	model string
}{{&openai.Dialect, "gpt-4o"}, {&anthropic.Dialect, "claude-sonnet-4-5"}, {&anthropic.Dialect, "claude-opus-4-6"}, {&gemini.Dialect, "gemini-2.5-flash"}, {&gemini.Dialect, "gemini-3.6-flash"}}

// story is a text in many scripts, of about so many words.
func story(rng *rand.Rand, words int) string {
	list := strings.Fields("river stone café naïve 日本語 мост light under 🚀 over \"quoted\" path\\way seven, green. window; ночь élan <tag> {brace} 42")
	var b strings.Builder
	for range words {
		b.WriteString(list[rng.IntN(len(list))])
		b.WriteString([]string{" ", " ", " ", "\n", "\n\n"}[rng.IntN(5)])
	}
	return b.String() + "The end."
}

// Streams cut at random bytes, in frames and in letters too, arrive whole: one
// beginning, one text, one end, and the usage of all parts, each of which is
// charged to its target.
func TestCutStreamsArriveWhole(t *testing.T) {
	const streams = 120
	rng := rand.New(rand.NewPCG(20261130, 5))
	type trial struct {
		tellers []*teller
		client  int
		name    string
	}
	var trials []trial
	r := newRig(t, func(s *setup) {
		for i := range streams {
			tr := trial{client: i % len(resumeClients), name: fmt.Sprintf("cut-%d", i)}
			text := story(rng, 5+rng.IntN(60))
			var targets []string
			for j := range 2 + i%2 {
				to := resumeTargets[rng.IntN(len(resumeTargets))]
				w := &teller{t: t, text: text, rng: rand.New(rand.NewPCG(uint64(i), uint64(j))), cut: rng.IntN(1000)}
				if j == 1+i%2 {
					w.cut = -1
				}
				name := fmt.Sprintf("p%d-%d", i, j)
				s.providers = append(s.providers, w.provider(name, to.d))
				tr.tellers, targets = append(tr.tellers, w), append(targets, name+"/"+to.model)
			}
			s.model(tr.name, targets...).Resume = true
			trials = append(trials, tr)
		}
	})
	parts := 0
	for _, tr := range trials {
		client := resumeClients[tr.client]
		path := client.path
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, tr.name)
		}
		a := r.call("POST", path, fmt.Sprintf(client.body, tr.name), "X-Request-Id", tr.name)
		o := readTold(client.d, a.body)
		if a.status != 200 || o.text != tr.tellers[0].text || len(o.faults) > 0 {
			t.Fatalf("%s (%s): %d %v\n%q, want\n%q\n%s", tr.name, client.d.Name, a.status, o.faults, o.text, tr.tellers[0].text, a.body)
		}
		r.settled()
		var input, output int64
		for _, e := range r.entries() {
			if e.RequestID != tr.name {
				continue
			}
			parts++
			if e.Cost != billing.Nano(e.Usage.Input*1000+e.Usage.Output*2000) {
				t.Errorf("%s: %v for %+v", tr.name, e.Cost, e.Usage)
			}
			if output += e.Usage.Output; e.Attempt == 1 || input == 0 {
				input = e.Usage.Input
			}
		}
		if o.input != input || o.output != output {
			t.Errorf("%s (%s): told %d and %d tokens, charged are %d and %d", tr.name, client.d.Name, o.input, o.output, input, output)
		}
	}
	t.Logf("%d streams in %d parts", streams, parts)
	if twice := r.ledger.twice; len(twice) > 0 || parts < streams*2 {
		t.Errorf("%d entries of %d streams, twice came %v", parts, streams, twice)
	}
}

// broken is a model that says things and breaks off, and one that could go on.
func broken(t *testing.T, s *setup, how string, events ...string) {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, events...)
		if how == "cut" {
			panic(http.ErrAbortHandler)
		}
	})
	s.providers = append(s.providers, remote(t, "bad", url+"/v1", &openai.Dialect, oneTwo), local("good", saysAll(" and the rest"), oneTwo))
	s.model("m", "bad/m", "good/m").Resume = true
}

// What nobody can go on with ends with an error event, after one attempt.
func TestStreamsThatEndBroken(t *testing.T) {
	choice := func(delta string) string {
		return `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}` + "\n\n"
	}
	tool := choice(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}`)
	for name, c := range map[string]struct {
		events []string
		more   string
		change func(*gateway.Model)
		resume bool
	}{
		"text":                   {events: []string{delta("half")}, resume: true},
		"tools offered":          {events: []string{delta("half")}, more: `,"tools":[{"type":"function","function":{"name":"f"}}]`, resume: true},
		"thoughts and a text":    {events: []string{choice(`{"reasoning_content":"hm"}`), delta("half")}, resume: true},
		"a head alone":           {events: []string{choice(`{"role":"assistant","content":""}`)}, resume: true},
		"not set":                {events: []string{delta("half")}, change: func(m *gateway.Model) { m.Resume = false }},
		"a tool's call":          {events: []string{delta("half"), tool}},
		"thoughts":               {events: []string{choice(`{"reasoning_content":"hm"}`)}},
		"a refusal":              {events: []string{choice(`{"refusal":"I will not"}`)}},
		"sound":                  {events: []string{choice(`{"audio":{"id":"a","data":"AA=="}}`)}},
		"several answers":        {events: []string{delta("half")}, more: `,"n":2`},
		"a JSON schema":          {events: []string{delta("{")}, more: `,"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}`},
		"any JSON":               {events: []string{delta("{")}, more: `,"response_format":{"type":"json_object"}`},
		"probabilities":          {events: []string{delta("half")}, more: `,"logprobs":true`},
		"too much text":          {events: []string{delta(strings.Repeat("long ", 60_000))}},
		"filtered":               {events: []string{delta("half"), `data: {"error":{"message":"no","code":"content_filter","status":400}}` + "\n\n"}},
		"an event that is wrong": {events: []string{delta("half"), "data: {\"error\":{\"message\":\"worn out\",\"type\":\"server_error\"}}\n\n"}, resume: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *setup) {
				broken(t, s, "cut", c.events...)
				if c.change != nil {
					c.change(s.models[0])
				}
			})
			a := r.call("POST", "/v1/chat/completions", chat("m", "hi", `,"stream":true`+c.more), "X-Request-Id", "x")
			r.settled()
			if name == "filtered" && a.status == 400 {
				return // it came with the first bytes, and is the whole answer
			}
			list := events(a.body)
			last := list[len(list)-1]
			own := slices.DeleteFunc(r.entries(), func(e billing.Entry) bool { return e.Attempt > 0 })
			if c.resume {
				if last != "[DONE]" || !strings.HasSuffix(said(a.body), "and the rest") || own[0].Target != "good/m" || own[0].Code != "" {
					t.Errorf("it was not gone on with: %.300s %+v", a.body, own)
				}
				return
			}
			if gjson.Get(last, "error.code").String() == "" || strings.Contains(a.body, "[DONE]") || len(r.entries()) != 1 || own[0].Target != "bad/m" || len(own[0].Attempts) != 1 || own[0].Code == "" || own[0].Cost == 0 {
				t.Errorf("it does not end as it should: %.300s %+v", a.body, own)
			}
		})
	}
}

// Where all that could go on fail, the stream ends with why it broke, and its
// part is charged as ever.
func TestNobodyGoesOn(t *testing.T) {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("half"))
		panic(http.ErrAbortHandler)
	})
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "bad", url+"/v1", &openai.Dialect, oneTwo))
		s.model("m", "bad/m", "up/fail-503", "mock/fail-500").Resume = true
		s.model("off", "bad/m").Resume = true
	})
	for model, attempts := range map[string]int{"m": 3, "off": 1} {
		a := r.call("POST", "/v1/chat/completions", chat(model, "hi", `,"stream":true`), "X-Request-Id", model)
		if !strings.Contains(a.body, "ended before its end") && !strings.Contains(a.body, "error") || strings.Contains(a.body, "[DONE]") {
			t.Errorf("%s: %s", model, a.body)
		}
		r.settled()
		if e := r.entry(model); e.Target != "bad/m" || len(e.Attempts) != attempts || e.Usage.Output == 0 || e.Cost == 0 || e.Code != "upstream_error" || e.Attempts[0].Code == "" {
			t.Errorf("%s: the entry is %+v", model, e)
		}
	}
}

// The rest is held for: a hard budget bounds it, or ends the stream.
func TestResumedStreamsKeepToTheBudget(t *testing.T) {
	w := &teller{t: t, text: strings.Repeat("abcdefgh ", 30) + "end", rng: rand.New(rand.NewPCG(1, 1)), cut: 900}
	rest := &teller{t: t, text: w.text, rng: w.rng, cut: -1}
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, w.provider("one", &openai.Dialect), rest.provider("two", &openai.Dialect))
		s.model("m", "one/gpt-4o", "two/gpt-4o").Resume = true
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		s.key("tight", func(k *billing.Key) { k.Budgets = hard(600_000) })
		s.key("poor", func(k *billing.Key) { k.Budgets = hard(300_000) })
	})
	for _, key := range []string{"rich", "tight", "poor"} {
		a := r.bare("POST", "/v1/chat/completions", chat("m", "hi", `,"stream":true,"max_tokens":400`), append(as(key), "X-Request-Id", key)...)
		r.settled()
		var spent billing.Nano
		for _, e := range r.entries() {
			if e.RequestID == key {
				spent += e.Cost
			}
		}
		owner := r.g.Snapshot().Caller(billing.HashKey("sk-test-"+key), time.Now()).Owner
		left, _ := owner.Left(billing.Called{})
		limit := map[string]billing.Nano{"rich": billing.Dollar, "tight": 600_000, "poor": 300_000}[key]
		if left != limit-spent || spent > limit {
			t.Errorf("%s: %v left of %v after %v", key, left, limit, spent)
		}
		sent := int64(0)
		if n := len(rest.asks); n > 0 {
			sent = gjson.Get(rest.asks[n-1], "max_completion_tokens").Int() + gjson.Get(rest.asks[n-1], "max_tokens").Int()
		}
		t.Logf("%s: spent %v, limit of the rest %d, %.80s", key, spent, sent, a.body[max(len(a.body)-80, 0):])
		if key == "poor" {
			if !strings.Contains(a.body, "insufficient_quota") || len(rest.asks) != 2 {
				t.Errorf("%s: it went on: %s", key, a.body)
			}
			continue
		}
		if said(a.body) != w.text || sent <= 0 || sent >= 400 {
			t.Errorf("%s: the rest may have %d tokens: %s", key, sent, a.body)
		}
	}
}

// An answer that reaches its limit where it breaks is over.
func TestBrokenAtItsLimit(t *testing.T) {
	r := newRig(t, func(s *setup) {
		broken(t, s, "cut", strings.Replace(delta("one two three four five"), `"delta":{`, `"delta":{"role":"assistant",`, 1))
	})
	a := r.call("POST", "/v1/chat/completions", chat("m", "hi", `,"stream":true,"max_tokens":5,"stream_options":{"include_usage":true}`), "X-Request-Id", "x")
	r.settled()
	o := readTold(&openai.Dialect, a.body)
	if o.text != "one two three four five" || o.ends != 1 || len(o.faults) > 0 || !strings.Contains(a.body, `"length"`) || o.output != r.entry("x").Usage.Output {
		t.Errorf("%v %s", o, a.body)
	}
}

// The guards of answers see one text, over the break too; a prompt's stream is
// gone on with as others are.
func TestResumedPrompt(t *testing.T) {
	r := newRig(t, func(s *setup) {
		broken(t, s, "cut", delta("half"))
		s.prompts["raw"] = strings.Replace(ask, "%s", "m", 1)
	})
	a := r.call("POST", "/prompts/raw?stream=1", `{"text":"hi"}`, "X-Request-Id", "x")
	r.settled()
	if !strings.Contains(a.body, "event: done") || !strings.Contains(a.body, "half and the rest") {
		t.Errorf("%s", a.body)
	}
	var sum int64
	for _, e := range r.entries() {
		if sum += e.Usage.Output; e.Usage.Source == schema.UsageNone {
			t.Errorf("%+v", e)
		}
	}
	if sum < 6 {
		t.Errorf("%d tokens were charged", sum)
	}
}

// A part that broke off is charged for what it said, whatever its provider told
// at its beginning.
func TestBrokenPartsAreCounted(t *testing.T) {
	text := story(rand.New(rand.NewPCG(3, 3)), 60)
	r := newRig(t, func(s *setup) {
		for i, to := range resumeTargets {
			first := &teller{t: t, text: text, rng: rand.New(rand.NewPCG(1, uint64(i))), cut: 800}
			name := fmt.Sprintf("p%d", i)
			s.providers = append(s.providers, first.provider(name, to.d))
			s.model(fmt.Sprintf("m%d", i), name+"/"+to.model, "up/fail-500").Resume = true
		}
	})
	for i, to := range resumeTargets {
		name := fmt.Sprintf("m%d", i)
		r.call("POST", "/v1/chat/completions", chat(name, "hi", `,"stream":true`), "X-Request-Id", name)
		r.settled()
		if e := r.entry(name); e.Usage.Output < 50 || e.Usage.Source != schema.UsageCounted {
			t.Errorf("%s/%s: charged for %+v", to.d.Name, to.model, e.Usage)
		}
	}
}
