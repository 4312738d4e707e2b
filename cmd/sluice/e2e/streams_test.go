package e2e

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// Two hundred streams, half of them left by their clients, some while the
// provider is silent: their upstream calls end within a second, nobody gets
// another's bytes, and the ledger has every call.
func TestAbandonedStreams(t *testing.T) {
	g := start(t, providers+team)
	warm := g.chat(chatBody("up/small", "hi", ""))
	if warm.status != 200 {
		t.Fatalf("%d %s", warm.status, warm.body)
	}
	before := g.goroutines()
	const streams = 200
	var wg sync.WaitGroup
	var mu sync.Mutex
	var lastLeft int64 // Unix milliseconds
	for i := range streams {
		wg.Go(func() {
			mark := fmt.Sprintf("mark-%04d-%c", i, 'a'+i%26)
			model := "up/echo_chunks-60_pace-20"
			if i%4 == 1 {
				model = "up/echo_chunks-60_hang-2" // silent after two chunks
			}
			s, err := g.stream(chatBody(model, mark, `,"stream":true`), "x-sluice-tags", "first")
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
				return
			}
			defer s.close()
			if i%2 == 1 {
				if _, err := s.next(); err != nil {
					t.Errorf("stream %d: %v", i, err)
				}
				s.close()
				mu.Lock()
				lastLeft = max(lastLeft, time.Now().UnixMilli())
				mu.Unlock()
				return
			}
			if text, done, err := s.rest(); err != nil || !done || text != strings.Repeat(mark+" ", 60) {
				t.Errorf("stream %d: done %v, %v, %.200s", i, done, err, text)
			}
		})
	}
	wg.Wait()
	if !eventually(5*time.Second, func() bool { s := g.fake.Stats(); return s.Cancelled == streams/2 && s.Open == 0 }) {
		t.Fatalf("upstream calls are not cancelled: %+v", g.fake.Stats())
	}
	if late := g.fake.Stats().LastCancelMS - lastLeft; late > 1000 {
		t.Errorf("the last cancellation came %d ms after the last client left", late)
	}
	g.ownBytes(200)
	g.waitCalls(1 + streams + 200)
	left := 0
	for _, e := range g.requests("&tag=first") {
		if e.Disconnect {
			left++
		}
		if e.USD == "" || e.USD == "0" {
			t.Errorf("call %s is without a cost", e.ID)
		}
	}
	if left != streams/2 {
		t.Errorf("%d calls are marked as left by the client, want %d", left, streams/2)
	}
	g.client.CloseIdleConnections()
	if !eventually(30*time.Second, func() bool { return g.goroutines() <= before+20 }) {
		t.Errorf("%d goroutines, %d at the start", g.goroutines(), before)
	}
}

// ownBytes makes n calls at once, half of them streams, that each must get
// their own mark and no other.
func (g *gateway) ownBytes(n int) {
	t := g.t
	t.Helper()
	marks := regexp.MustCompile(`mark-\d+-\w`)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			mark := fmt.Sprintf("mark-%04d-%c", 5000+i, 'a'+i%26)
			var text string
			if i%2 == 0 {
				text = g.chat(chatBody("up/echo", mark, "")).get("choices.0.message.content").String()
			} else if s, err := g.stream(chatBody("up/echo_chunks-5", mark, `,"stream":true`)); err != nil {
				t.Errorf("call %d: %v", i, err)
			} else {
				text, _, err = s.rest()
				s.close()
				if err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
			found := marks.FindAllString(text, -1)
			if len(found) == 0 {
				t.Errorf("call %d got %q", i, text)
			}
			for _, f := range found {
				if f != mark {
					t.Errorf("call %d (%s) got the bytes of %s", i, mark, f)
				}
			}
		})
	}
	wg.Wait()
}

// goroutines is what /metrics says, or 0 if it does not.
func (g *gateway) goroutines() int {
	g.t.Helper()
	a, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil {
		g.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)`).FindStringSubmatch(a.body)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// A stream that its provider cuts ends with an error event, never cleanly, at
// whatever frame it is cut, in either dialect.
func TestCutStreams(t *testing.T) {
	g := start(t, providers+team)
	for _, provider := range []string{"up", "ant"} {
		for cut := 1; cut < 9; cut++ {
			s, err := g.stream(chatBody(fmt.Sprintf("%s/chunks-8_cut-%d", provider, cut), "hi", `,"stream":true`))
			if err != nil { // nothing was passed on yet: a whole error answer is right too
				continue
			}
			text, done, err := s.rest()
			s.close()
			if done || err == nil {
				t.Errorf("%s cut after %d frames: done %v, %v, %q", provider, cut, done, err, text)
			}
		}
	}
}

// Usage in a stream comes only to those who asked; unknown fields survive.
func TestStreamFrames(t *testing.T) {
	g := start(t, providers+team)
	for _, asked := range []bool{true, false} {
		extra := `,"stream":true`
		if asked {
			extra += `,"stream_options":{"include_usage":true}`
		}
		for _, provider := range []string{"up", "ant"} {
			s, err := g.stream(chatBody(provider+"/chunks-3_in-5", "hi", extra))
			if err != nil {
				t.Fatal(err)
			}
			usage, frames := 0, 0
			for {
				data, err := s.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				frames++
				if u := gjson.Get(data, "usage"); u.IsObject() {
					usage++
					if u.Get("prompt_tokens").Int() != 5 || u.Get("completion_tokens").Int() != 3 {
						t.Errorf("%s: %s", provider, data)
					}
				}
				if provider == "up" && data != "[DONE]" && gjson.Get(data, "system_fingerprint").String() != "fp_fake" {
					t.Errorf("a field of the provider is lost: %s", data)
				}
			}
			s.close()
			if (usage == 1) != asked {
				t.Errorf("%s: usage asked for %v, came %d times in %d frames", provider, asked, usage, frames)
			}
		}
	}
}

// What the client sends reaches a provider of the same dialect untouched.
func TestUnknownFieldsSurvive(t *testing.T) {
	g := start(t, providers+team)
	body := `{"model":"up/small", "messages":[{"role":"user","content":"é\u00e9 \ud83d\ude00","x_vendor":{"a":[1,2.50]}}],"temperature":0,"x_new": null}`
	if a := g.chat(body); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	want := strings.Replace(body, "up/small", "small", 1)
	if got := g.fake.Last(1)[0]; got.Body != want || got.Headers["Authorization"] != "Bearer sk-up" {
		t.Errorf("upstream got\n%s\nwant\n%s\nwith %s", got.Body, want, got.Headers["Authorization"])
	}
}
