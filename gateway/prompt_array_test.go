package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sluice/providers/schema"
)

const labelPrompt = `---
model: m/echo
input:
  schema: {text: string, "tone?": string}
output:
  format: json
  schema: {label: string}
sluice.path: /label
---
{{role "system"}}Label it.
{{role "user"}}{{text}}
`

const sayPrompt = `---
model: m/echo
input:
  schema: {text: string}
---
{{text}}
`

var twoPrompts = map[string]string{"label": labelPrompt, "say": sayPrompt}

func TestArrayOfInputs(t *testing.T) {
	e := newEdge(t, twoPrompts)
	var inputs, want []string
	for i := range 30 {
		inputs = append(inputs, fmt.Sprintf(`{"text":"n%d"}`, i))
		want = append(want, fmt.Sprintf(`"n%d"`, i))
	}
	a := e.call("POST", "/prompts/say", " ["+strings.Join(inputs, ",")+"]")
	if a.status != 200 || a.body != "["+strings.Join(want, ",")+"]" || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	if a.header.Get("X-Sluice-Prompt") != "say@1" || a.header.Get("X-Sluice-Cost") == "" || a.header.Get("X-Sluice-Model") == "" ||
		a.header.Get("X-Sluice-Attempts") != "30" {
		t.Errorf("headers: %v", a.header)
	}
	entries := e.recorded()
	ids := map[string]bool{}
	for _, en := range entries {
		ids[en.Call] = true
		if en.Prompt != "say" || en.Version != 1 || en.Key != "t/all" || en.Cost == 0 || en.Status != 200 || en.Model != "m/echo" ||
			en.RequestID != a.header.Get("X-Request-Id") {
			t.Errorf("entry %+v", en)
		}
	}
	if len(entries) != 30 || len(ids) != 30 {
		t.Errorf("%d entries of %d calls, want 30", len(entries), len(ids))
	}
	a = e.call("POST", "/label", `[{"text":"a"},{"text":"b"}]`, "Prefer", "return=envelope")
	if a.get("#").Int() != 2 || a.get("1.output.label").String() == "" || a.get("1.cost").String() == "" || a.get("1.version").Int() != 1 {
		t.Errorf("envelopes: %d %s", a.status, a.body)
	}
	if a = e.call("POST", "/label", `[]`); a.status != 200 || a.body != "[]" {
		t.Errorf("no input: %d %s", a.status, a.body)
	}
}

func TestArrayFaults(t *testing.T) {
	e := newEdge(t, twoPrompts)
	a := e.call("POST", "/label", `[{"text":"a"},{"text":1},7,{"tone":"x"}]`)
	var got []string
	for _, p := range a.get("errors.#.pointer").Array() {
		got = append(got, p.String())
	}
	if a.status != 422 || strings.Join(got, " ") != "/1/text /2 /3/text" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for name, c := range map[string]struct {
		body, header string
		status       int
	}{
		"not JSON": {`[{"text":"a"}`, "", 400},
		"streamed": {`[{"text":"a"}]`, "text/event-stream", 400},
		"too many": {"[" + strings.Repeat(`{"text":"a"},`, maxInputs) + `{"text":"a"}]`, "", 400},
	} {
		if a := e.call("POST", "/label", c.body, "Accept", c.header); a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if e.model.calls() != 0 {
		t.Error("the model was asked although inputs were faulty")
	}
}

// The first element that fails ends the array; what was asked is charged.
func TestArrayFails(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		if req.Messages[0].Text() == "bad" {
			return "", &schema.Error{Code: schema.CodeUpstream, Status: 400, Origin: schema.OriginProvider, Class: schema.ClassInvalidRequest, Message: "no such thing"}
		}
		return "fine", nil
	}
	a := e.call("POST", "/prompts/say", `[{"text":"a"},{"text":"bad"},{"text":"c"}]`)
	if a.status != 400 || !strings.Contains(a.get("detail").String(), "input 1 of the array: no such thing") {
		t.Errorf("%d %s", a.status, a.body)
	}
	bad := 0
	for _, en := range e.recorded() {
		if en.Code != "" && en.Code != "client_closed" {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("%d failed entries, want 1", bad)
	}
	e = newEdge(t, twoPrompts)
	a = e.call("POST", "/prompts/say", `[{"text":"a"},{"text":"b"},{"text":"c"},{"text":"d"}]`, "Authorization", "Bearer "+poorKey)
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("each element counts against the limits: %d %s", a.status, a.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.model.say = func(n int, _ *schema.ChatRequest) (string, error) { return fmt.Sprintf(`{"label":"%d"}`, n), nil }
	first := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k1")
	again := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k1")
	if first.status != 200 || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("first %d %s, again %s %v", first.status, first.body, again.body, again.header)
	}
	if again.header.Get("X-Sluice-Prompt") != "label@1" || again.header.Get("X-Sluice-Cost") != first.header.Get("X-Sluice-Cost") ||
		again.header.Get("X-Sluice-Attempts") != "1" {
		t.Errorf("headers of the replay: %v", again.header)
	}
	if a := e.call("POST", "/label", `{"text":"b"}`, "Idempotency-Key", "k1"); a.status != 409 || a.get("code").String() != "conflict" {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	for _, other := range [][]string{
		{"/label", `{"text":"a"}`, "Idempotency-Key", "k2"},
		{"/label", `{"text":"a"}`, "Idempotency-Key", "k1", "Authorization", "Bearer " + labelKey},
	} {
		if a := e.call("POST", other[0], other[1], other[2:]...); a.status != 200 || a.body == first.body {
			t.Errorf("%v: %d %s", other, a.status, a.body)
		}
	}
	served := 0
	for _, en := range e.recorded() {
		if !en.Refused {
			served++
		}
	}
	if served != 3 {
		t.Errorf("%d calls in the ledger, want 3: a replay is none", served)
	}
	for name, header := range map[string][2]string{"stream": {"Accept", "text/event-stream"}, "long": {"Idempotency-Key", strings.Repeat("x", 256)}} {
		if a := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k3", header[0], header[1]); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A call that failed may be tried again; calls at once are one call.
func TestIdempotencyRaces(t *testing.T) {
	e := newEdge(t, twoPrompts)
	fail := true
	e.model.say = func(int, *schema.ChatRequest) (string, error) {
		if fail {
			return "", &schema.Error{Code: schema.CodeUpstream, Status: 400, Origin: schema.OriginProvider, Class: schema.ClassInvalidRequest, Message: "no"}
		}
		return `{"label":"x"}`, nil
	}
	if a := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k"); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	fail = false
	begun, release := make(chan struct{}, 1), make(chan struct{})
	e.model.say = func(int, *schema.ChatRequest) (string, error) {
		begun <- struct{}{}
		<-release
		return `{"label":"y"}`, nil
	}
	var wg sync.WaitGroup
	replayed := make(chan bool, 20)
	ask := func() {
		a := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k")
		if a.status != 200 || a.body != `{"label":"y"}` {
			t.Errorf("%d %s", a.status, a.body)
		}
		replayed <- a.header.Get("Idempotency-Replayed") == "true"
	}
	wg.Go(ask)
	<-begun
	for range 19 {
		wg.Go(ask)
	}
	close(release)
	wg.Wait()
	close(replayed)
	n := 0
	for r := range replayed {
		if r {
			n++
		}
	}
	if n != 19 || e.model.calls() != 2 {
		t.Errorf("%d replays and %d calls, want 19 and 2", n, e.model.calls())
	}
}

func TestReplaysAreBounded(t *testing.T) {
	var r replays
	now := testTime
	for i := range 100 {
		p, mine := r.begin(fmt.Sprint(i), [32]byte{}, now)
		if !mine {
			t.Fatal("a new id is not new")
		}
		r.end(p, &savedAnswer{body: make([]byte, 1<<20)})
	}
	if r.bytes > replayBytes || len(r.byID) != r.order.Len() || len(r.byID) < 50 {
		t.Errorf("%d bytes, %d answers", r.bytes, len(r.byID))
	}
	if _, mine := r.begin("99", [32]byte{1}, now); mine {
		t.Error("another request is taken for the first")
	}
	if _, mine := r.begin("99", [32]byte{1}, now.Add(replayFor)); !mine {
		t.Error("after a day an id is not new")
	}
	p, _ := r.begin("big", [32]byte{}, now)
	r.end(p, &savedAnswer{body: make([]byte, replayBytes)})
	if r.byID["big"] != nil {
		t.Error("an answer that takes all the room is kept")
	}
}
