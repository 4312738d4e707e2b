package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fault is one way in which an attempt fails, and what becomes of it.
type fault struct {
	name, class, phase string
	target             string // provider/model; what makes it unique is appended
	whole, stream      bool   // of which answers it can be had
	status             int    // of a call that has nowhere else to go
	code               string // likewise
	moves, falls       bool   // on to the next target; to a fallback that names no classes
	named              bool   // instead, to a fallback that names its class
	billed             bool   // the failed attempt is paid for
}

var faults = []fault{
	{"connect refused", "connection", "connect", "dead/m", true, true, 502, "upstream_error", true, true, false, false},
	{"429", "rate_limited", "before", "up/fail-429", true, true, 429, "rate_limit_exceeded", true, true, false, false},
	{"529", "overloaded", "before", "up/fail-529", true, true, 503, "upstream_error", true, true, false, false},
	{"503", "overloaded", "before", "up/fail-503", true, true, 503, "upstream_error", true, true, false, false},
	{"500", "server_error", "before", "up/fail-500", true, true, 500, "upstream_error", true, true, false, false},
	{"401", "auth", "before", "up/fail-401", true, true, 502, "upstream_auth", true, true, false, false},
	{"no quota", "quota", "before", "up/quota", true, true, 429, "insufficient_quota", true, true, false, false},
	{"silence", "timeout", "before", "hasty/silent", true, true, 504, "upstream_timeout", true, true, false, true},
	{"408", "timeout", "before", "up/fail-408", true, true, 504, "upstream_timeout", true, true, false, false},
	{"too long", "context_length", "before", "up/context", true, true, 400, "context_length_exceeded", false, false, true, false},
	{"filtered", "content_filter", "before", "up/filter", true, true, 400, "content_filter", false, false, true, false},
	{"400", "invalid_request", "before", "up/fail-400", true, true, 400, "invalid_request", false, false, true, false},
	{"404", "not_found", "before", "up/fail-404", true, true, 404, "model_not_found", false, true, false, false},
	{"no answer at all", "invalid_output", "before", "up/garbage", true, true, 502, "upstream_error", false, true, false, false},
	{"cut before the first event", "connection", "before", "up/cut-0", false, true, 502, "upstream_error", true, true, false, false},
	{"silence before the first event", "timeout", "before", "hasty/hang-0", false, true, 504, "upstream_timeout", true, true, false, true},
	{"error as the first event", "server_error", "before", "up/break-0", false, true, 502, "upstream_error", true, true, false, false},

	{"cut in a whole answer", "connection", "middle", "up/cut-40", true, false, 502, "upstream_error", true, true, false, false},
	{"cut in a stream", "connection", "middle", "up/chunks-3_cut-3", false, true, 200, "upstream_error", false, false, false, true},
	{"error in a stream", "server_error", "middle", "up/chunks-3_break-3_pace-20", false, true, 200, "upstream_error", false, false, false, true},
	{"silence in a stream", "timeout", "middle", "hasty/chunks-3_hang-3", false, true, 200, "upstream_timeout", false, false, false, true},
	{"cut before the last event", "connection", "end", "up/chunks-3_cut-6", false, true, 200, "upstream_error", false, false, false, true},
	{"silence before the last event", "timeout", "end", "hasty/chunks-3_hang-6", false, true, 200, "upstream_timeout", false, false, false, true},
}

// strategies are the ways in which a model may have somewhere else to go.
var strategies = []struct{ name, config string }{
	{"alone", `{targets: [{model: TARGET}], retry: {attempts: 1}}`},
	{"ordered", `{targets: [{model: TARGET}, {model: ant/echo}], retry: {attempts: 1}}`},
	{"weighted", `{balance: weighted, targets: [{model: TARGET, weight: 1000}, {model: ant/echo}], retry: {attempts: 1}}`},
	{"fallback", `{targets: [{model: TARGET}], fallback: [{model: ant/echo}], retry: {attempts: 1}}`},
	{"named", `{targets: [{model: TARGET}], fallback: [{model: ant/echo, on: [CLASS]}], retry: {attempts: 1}}`},
	{"listed", `{targets: [{model: TARGET}, {model: ant/echo}], retry: {attempts: 1, on: [CLASS]}}`},
	{"again", `{targets: [{model: TARGET}, {model: ant/echo}], retry: {attempts: 2, backoff: 1ms}}`},
}

// moves tells whether a call with this fault goes on to the other target.
func (f *fault) movesOn(strategy string) bool {
	switch strategy {
	case "ordered", "weighted":
		return f.moves
	case "fallback":
		return f.falls
	case "named":
		return f.falls || f.named
	case "listed":
		return f.status != 200
	case "again":
		return f.moves
	}
	return false
}

// tries is how often the target is asked.
func (f *fault) tries(strategy string) int {
	if strategy == "again" && f.moves && !slices.Contains([]string{"rate_limited", "auth", "quota"}, f.class) { // those move on at once
		return 2
	}
	return 1
}

// Each class of error in each phase of a call, by each strategy: the answer,
// the attempts and the bill.
func TestFaultMatrix(t *testing.T) {
	config := `providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}}
  hasty: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-hasty], timeout: {first_byte: 150ms, idle: 150ms}, prices: {"*": {input: 1, output: 2}}}
  dead: {kind: openai-compatible, base_url: "http://` + freeAddr(t) + `/v1", keys: [sk-dead], prices: {"*": {input: 1, output: 2}}}
  ant: {kind: anthropic, base_url: "UP", keys: [sk-ant], prices: {"*": {input: 1, output: 2}}}
models:
`
	// Each call has a target of its own: what one has learnt changes no other.
	name := func(f int, strategy, form string) string { return fmt.Sprintf("m%d-%s-%s", f, strategy, form) }
	target := func(f int, strategy, form string) string {
		return fmt.Sprintf("%s_case%d%s%s", faults[f].target, f, strategy, form)
	}
	for i := range faults {
		for _, s := range strategies {
			for _, form := range []string{"whole", "stream"} {
				config += "  " + name(i, s.name, form) + ": " + strings.NewReplacer("TARGET", target(i, s.name, form), "CLASS", faults[i].class).Replace(s.config) + "\n"
			}
		}
	}
	g := start(t, config+team)
	for i := range faults {
		f := &faults[i]
		for _, s := range strategies {
			if f.whole {
				g.fault(f, s.name, name(i, s.name, "whole"), target(i, s.name, "whole"), "")
			}
			if f.stream {
				g.fault(f, s.name, name(i, s.name, "stream"), target(i, s.name, "stream"), `,"stream":true`)
			}
		}
	}
}

// fault makes one call of the matrix and checks all that is told of it.
func (g *gateway) fault(f *fault, strategy, model, target, stream string) {
	g.t.Helper()
	at := fmt.Sprintf("%s (%s, %s), %s%s", f.name, f.class, f.phase, strategy, stream)
	a := g.chat(chatBody(model, "hello", stream), "x-request-id", model)
	moved, status, attempts, answered := f.movesOn(strategy), f.status, strconv.Itoa(f.tries(strategy)), target
	if moved {
		status, attempts, answered = 200, strconv.Itoa(f.tries(strategy)+1), "ant/echo"
	}
	if a.status != status || a.header.Get("x-sluice-attempts") != attempts || a.header.Get("x-sluice-model") != answered {
		g.t.Errorf("%s: %d after %s attempts by %s, want %d, %s, %s: %s", at, a.status, a.header.Get("x-sluice-attempts"), a.header.Get("x-sluice-model"),
			status, attempts, answered, a.body)
	}
	if moved == strings.Contains(a.body, `"error"`) || !moved && !strings.Contains(a.body, `"`+f.code+`"`) {
		g.t.Errorf("%s: want %s: %s", at, f.code, a.body)
	}
	call := g.api("GET", "requests/"+model, "")
	first := call.get("attempts.0")
	if call.status != 200 || call.get("attempts.#").String() != attempts || first.Get("target").Str != target {
		g.t.Errorf("%s: recorded as %s", at, call.body)
	}
	if paid := first.Get("usd").String() != "0"; paid != f.billed {
		g.t.Errorf("%s: the failed attempt is billed: %v: %s", at, paid, call.body)
	}
	if moved && call.get("usd").String() == "0" {
		g.t.Errorf("%s: the answer is not billed: %s", at, call.body)
	}
}
