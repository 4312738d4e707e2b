package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/openai"
	"sluice/providers/schema"
)

// events are the data of a stream's events; comments begin with a colon.
func events(body string) []string {
	var list []string
	for block := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		for line := range strings.SplitSeq(block, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				list = append(list, data)
			} else if strings.HasPrefix(line, ":") {
				list = append(list, line)
			}
		}
	}
	return list
}

// said is the text of a stream in OpenAI's shape.
func said(body string) string {
	var b strings.Builder
	for _, e := range events(body) {
		b.WriteString(gjson.Get(e, "choices.0.delta.content").String())
	}
	return b.String()
}

// scripted is a rig with a provider "raw" that sends what send writes.
func scripted(t *testing.T, send func(w http.ResponseWriter)) *rig {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) { send(w) })
	return newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "raw", url+"/v1", &openai.Dialect, oneTwo))
	})
}

const rawStream = `{"model":"raw/m","messages":[{"role":"user","content":"hi"}],"stream":true`

// However the provider's bytes fall, and however large its frames are, the
// caller gets the same bytes.
func TestFramesPassAsTheyAre(t *testing.T) {
	big := strings.Repeat("x", 20<<10)
	huge := strings.Repeat("é", 200<<10)
	frames := []string{": hello\n\n", delta("a"), delta(big), delta("b"), delta(huge), "data: {\"x_vendor\":[1,2.50],\"choices\":[]}\n\n", stopChunk, usageChunk, doneEvent}
	whole := strings.Join(frames, "")
	for name, send := range map[string]func(w http.ResponseWriter){
		"a write each": func(w http.ResponseWriter) { sse(w, frames...) },
		"all in one":   func(w http.ResponseWriter) { sse(w, whole) },
		"in halves":    func(w http.ResponseWriter) { sse(w, whole[:len(whole)/2], whole[len(whole)/2:]) },
		"just before an end": func(w http.ResponseWriter) {
			at := len(whole) - len(doneEvent) - 1
			sse(w, whole[:at], whole[at:])
		},
		"byte by byte at the end": func(w http.ResponseWriter) {
			at := len(whole) - len(doneEvent) - len(usageChunk)
			sse(w, append([]string{whole[:at]}, strings.Split(whole[at:], "")...)...)
		},
		"in sizes of the buffer": func(w http.ResponseWriter) {
			for at := 0; at < len(whole); at += 16 << 10 {
				sse(w, whole[at:min(at+16<<10, len(whole))])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := scripted(t, send)
			a := r.call("POST", "/v1/chat/completions", rawStream+`,"stream_options":{"include_usage":true}}`)
			if a.status != 200 || a.body != whole {
				t.Errorf("%d, %d bytes, want %d", a.status, len(a.body), len(whole))
			}
			a = r.call("POST", "/v1/chat/completions", rawStream+`}`, "X-Request-Id", "plain")
			if want := strings.Replace(whole, usageChunk, "", 1); a.body != want {
				t.Errorf("without usage: %d bytes, want %d", len(a.body), len(want))
			}
			r.settled()
			if e := r.entry("plain"); e.Usage.Input != 7 || e.Usage.Output != 3 || e.Usage.Source != schema.UsageReported {
				t.Errorf("charged for %+v", e.Usage)
			}
		})
	}
}

// The explanation comes as one comment before the end, and never inside a
// frame, whatever the sizes.
func TestExplanationInStreams(t *testing.T) {
	for _, size := range []int{1, 100, 15 << 10, 16<<10 - 600, 16<<10 - 400, 16 << 10, 20 << 10, 100 << 10} {
		for _, merged := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, merged %v", size, merged), func(t *testing.T) {
				text := strings.Repeat("y", size)
				r := scripted(t, func(w http.ResponseWriter) {
					if merged {
						sse(w, delta(text)+stopChunk+usageChunk+doneEvent)
					} else {
						sse(w, delta(text), stopChunk, usageChunk, doneEvent)
					}
				})
				a := r.call("POST", "/v1/chat/completions", rawStream+`}`, "X-Sluice-Explain", "1")
				list := events(a.body)
				if said(a.body) != text || list[len(list)-1] != "[DONE]" {
					t.Fatalf("the text is damaged: %.300s … %s", a.body, a.body[max(0, len(a.body)-300):])
				}
				notes := 0
				for _, e := range list[:len(list)-1] {
					if strings.HasPrefix(e, ":") {
						notes++
						if e != ": sluice model=raw/m attempts=1 cost=0.000013" {
							t.Errorf("the note is %q", e)
						}
					} else if !gjson.Valid(e) {
						t.Errorf("a frame that is no JSON: %.200s", e)
					}
				}
				if notes != 1 {
					t.Errorf("%d notes", notes)
				}
				if h := a.header.Get("X-Sluice-Explain"); !gjson.Valid(h) || gjson.Get(h, "chosen").String() == "" {
					t.Errorf("the header is %q", h)
				}
			})
		}
	}
}

// broken is the body of a call of id broken whose stream breaks off once begun is
// closed: when the caller has read half.
func (r *rig) broken(path, body string, begun chan struct{}) string {
	r.t.Helper()
	req, err := http.NewRequest("POST", "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", "broken")
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var got strings.Builder
	for buf := make([]byte, 1); !strings.Contains(got.String(), "half"); {
		if _, err := res.Body.Read(buf); err != nil {
			r.t.Fatalf("%v after %q", err, got.String())
		}
		got.WriteByte(buf[0])
	}
	close(begun)
	_, _ = io.Copy(&got, res.Body)
	return got.String()
}

// A stream that breaks ends with an error event of the caller's dialect, and
// with nothing that stands for a proper end.
func TestBrokenStreams(t *testing.T) {
	breaks := map[string]func(w http.ResponseWriter, begun chan struct{}){
		"cut": func(w http.ResponseWriter, begun chan struct{}) {
			<-begun
			panic(http.ErrAbortHandler)
		},
		"cut in a frame": func(w http.ResponseWriter, begun chan struct{}) {
			<-begun
			sse(w, delta("lost")[:40])
			panic(http.ErrAbortHandler)
		},
		"ended early": func(w http.ResponseWriter, begun chan struct{}) { <-begun },
		"error event": func(w http.ResponseWriter, begun chan struct{}) {
			<-begun
			sse(w, "data: {\"error\":{\"message\":\"worn out\",\"type\":\"server_error\"}}\n\n", doneEvent)
		},
		"not JSON": func(w http.ResponseWriter, begun chan struct{}) {
			<-begun
			sse(w, "data: <html>\n\n")
		},
		"half of JSON": func(w http.ResponseWriter, begun chan struct{}) {
			<-begun
			sse(w, "data: {not html\n\n")
		},
	}
	for name, breakIt := range breaks {
		for _, shape := range []struct{ name, path, body, end, fault string }{
			{"openai", "/v1/chat/completions", rawStream + `}`, "[DONE]", "error.code"},
			{"anthropic", "/v1/messages", rawStream + `,"max_tokens":50}`, "message_stop", "error.type"},
			{"responses", "/v1/responses", `{"model":"raw/m","input":"hi","stream":true}`, "response.completed", "error.code"},
			{"gemini", "/v1beta/models/raw/m:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`, "STOP", "error.status"},
			{"prompt", "/prompts/raw?stream=1", `{"text":"hi"}`, "event: done", "code"},
			{"prompt as model", "/v1/chat/completions", strings.Replace(rawStream, "raw/m", "prompt/raw", 1) + `}`, "[DONE]", "error.code"},
		} {
			t.Run(shape.name+"/"+name, func(t *testing.T) {
				begun := make(chan struct{})
				url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
					sse(w, delta("half"))
					breakIt(w, begun)
				})
				r := newRig(t, func(s *setup) {
					s.providers = append(s.providers, remote(t, "raw", url+"/v1", &openai.Dialect, oneTwo))
					s.prompts["raw"] = strings.Replace(ask, "%s", "raw/m", 1)
				})
				got := r.broken(shape.path, shape.body, begun)
				if strings.Contains(got, shape.end) || strings.Contains(got, "html") {
					t.Errorf("it looks whole: %s", got)
				}
				lines := strings.Split(strings.TrimSpace(got), "\n")
				last := strings.TrimPrefix(lines[len(lines)-1], "data: ")
				if gjson.Get(last, shape.fault).String() == "" {
					t.Errorf("it does not end with an error: %s", got)
				}
				r.settled()
				if e := r.entry("broken"); e.Status != 200 || e.Code == "" || e.Cost <= 0 || e.Disconnect {
					t.Errorf("the entry is %+v", e)
				}
			})
		}
	}
}

// Gemini's clients that did not ask for events get one JSON array.
func TestStreamedArray(t *testing.T) {
	r := newRig(t)
	body := `{"contents":[{"parts":[{"text":"one two three"}]}]}`
	for _, model := range []string{"mock/echo", "up/chunks-7", "ant/chunks-7"} {
		a := r.call("POST", "/v1beta/models/"+model+":streamGenerateContent", body)
		if a.status != 200 || !gjson.Valid(a.body) || !gjson.Parse(a.body).IsArray() || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %v %s", model, a.status, a.header, a.body)
		}
		if n := len(gjson.Get(a.body, "#.candidates.0.content.parts.0.text").Array()); n < 3 {
			t.Errorf("%s: %d pieces: %s", model, n, a.body)
		}
	}
}

// What a stream's head says.
func TestStreamHead(t *testing.T) {
	r := newRig(t)
	a := r.call("POST", "/v1/chat/completions", chat("up/chunks-2", "hi", `,"stream":true`))
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Sluice-Model": "up/chunks-2",
		"X-Sluice-Attempts": "1", "X-Sluice-Cost": "", "X-Sluice-Explain": ""} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(a.body, ": sluice") {
		t.Errorf("a note that nobody asked for: %s", a.body)
	}
	a = r.call("POST", "/v1/chat/completions", chat("up/small", "hi", ""), "X-Sluice-Explain", "1")
	if a.header.Get("X-Sluice-Cost") == "" || !gjson.Get(a.header.Get("X-Sluice-Explain"), "candidates").IsArray() {
		t.Errorf("a whole answer's head: %v", a.header)
	}
}
