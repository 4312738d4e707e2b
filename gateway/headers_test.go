package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/providers/openai"
)

// What has no price is not free: nothing tells what it cost.
func TestCostThatIsNotKnown(t *testing.T) {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("hi"), stopChunk, usageChunk, doneEvent)
	})
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "raw", url+"/v1", &openai.Dialect, nil))
	})
	a := r.call("POST", "/v1/chat/completions", chat("free/small", "hi", ""))
	if cost, told := a.header["X-Sluice-Cost"]; a.status != 200 || told {
		t.Errorf("%d: it cost %s", a.status, cost)
	}
	a = r.call("POST", "/v1/chat/completions", rawStream+`}`, "X-Sluice-Explain", "1")
	if !strings.Contains(a.body, ": sluice model=raw/m attempts=1\n\n") {
		t.Errorf("the stream is %s", a.body)
	}
}

// A prompt says which it is also where its input is too long to be read.
func TestPromptIsNamedInEveryAnswer(t *testing.T) {
	r := newRig(t, func(s *setup) { s.prompts["echo"] = strings.Replace(ask, "%s", "mock/echo", 1) })
	for status, body := range map[int]string{200: `{"text":"hi"}`, 400: `{`, 413: `{"text":"` + strings.Repeat("x", 2<<20) + `"}`} {
		a := r.call("POST", "/prompts/echo", body)
		if a.status != status || a.header.Get("X-Sluice-Prompt") != "echo@1" {
			t.Errorf("%d, want %d: %v", a.status, status, a.header)
		}
	}
}

// A wish that nobody knows is told, and not passed over.
func TestUnknownWish(t *testing.T) {
	r := newRig(t)
	for wish, status := range map[string]int{"off": 200, "zzz": 400} {
		a := r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""), "X-Sluice-Fallback", wish)
		if a.status != status || status == 400 && a.get("error.param").Str != "x-sluice-fallback" {
			t.Errorf("%s: %d %s", wish, a.status, a.body)
		}
	}
}
