package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/openai"
	"sluice/providers/responses"
)

// A response that fails midway goes on with its id, model, time and numbers,
// whether it is translated or passed on.
func TestBrokenResponses(t *testing.T) {
	created := "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":%d,\"response\":{\"id\":\"resp_9\",\"model\":\"m-1\",\"created_at\":77,\"output\":[]}}\n\n"
	text := "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":%d,\"delta\":\"half\"}\n\n"
	failed := "event: error\ndata: {\"type\":\"error\",\"sequence_number\":%d,\"code\":\"server_error\",\"message\":\"worn out\"}\n\n"
	begun, same := make(chan struct{}), make(chan struct{})
	url := rawServer(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/responses") {
			sse(w, fmt.Sprintf(created, 5), fmt.Sprintf(text, 6))
			<-same
			sse(w, fmt.Sprintf(failed, 7))
			return
		}
		sse(w, delta("half"))
		<-begun
	})
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "raw", url+"/v1", &openai.Dialect, oneTwo), remote(t, "same", url+"/v1", &responses.Dialect, oneTwo))
	})
	for model, begun := range map[string]chan struct{}{"raw/m": begun, "same/m": same} {
		body := r.broken("/v1/responses", fmt.Sprintf(`{"model":%q,"input":"hi","stream":true}`, model), begun)
		var first gjson.Result
		last, number := gjson.Result{}, int64(-1)
		for i, frame := range strings.Split(strings.TrimSpace(body), "\n\n") {
			_, data, _ := strings.Cut(frame, "data: ")
			last = gjson.Parse(data)
			n := last.Get("sequence_number").Int()
			if i > 0 && n != number+1 {
				t.Errorf("%s: %d comes after %d: %s", model, n, number, frame)
			}
			number = n
			switch last.Get("type").Str {
			case "response.created":
				first = last.Get("response")
			case "response.failed":
				f := last.Get("response")
				for _, field := range []string{"id", "model", "created_at"} {
					if f.Get(field).Raw != first.Get(field).Raw || first.Get(field).Raw == "" {
						t.Errorf("%s: %s was %s and is %s", model, field, first.Get(field).Raw, f.Get(field).Raw)
					}
				}
			}
		}
		if last.Get("type").Str != "error" || last.Get("error.code").Str == "" || !strings.Contains(body, "event: response.failed\n") {
			t.Errorf("%s: the stream is %s", model, body)
		}
	}
}

// An array that breaks midway is one all the same, with the failure as its last
// element.
func TestBrokenArray(t *testing.T) {
	begun := make(chan struct{})
	r := scripted(t, func(w http.ResponseWriter) {
		sse(w, delta("half"))
		<-begun
		sse(w, "data: {\"error\":{\"message\":\"worn out\",\"type\":\"server_error\"}}\n\n")
	})
	body := r.broken("/v1beta/models/raw/m:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, begun)
	list := gjson.Parse(body)
	if !gjson.Valid(body) || list.Get("0.candidates.0.content.parts.0.text").Str != "half" || list.Get("@reverse.0.error.status").Str == "" {
		t.Errorf("the array is %s", body)
	}
}

// Gemini's events are explained as others are; an array has no comments.
func TestGeminiExplained(t *testing.T) {
	r := scripted(t, func(w http.ResponseWriter) { sse(w, delta("whole"), stopChunk, usageChunk, doneEvent) })
	for query, notes := range map[string]int{"?alt=sse": 1, "": 0} {
		a := r.call("POST", "/v1beta/models/raw/m:streamGenerateContent"+query, `{"contents":[{"parts":[{"text":"hi"}]}]}`, "X-Sluice-Explain", "1")
		if n := strings.Count(a.body, ": sluice model=raw/m attempts=1 cost=0.000013\n\n"); n != notes {
			t.Errorf("%q: %d notes: %s", query, n, a.body)
		}
		if query == "" && !gjson.Valid(a.body) {
			t.Errorf("the array is %s", a.body)
		}
	}
}
