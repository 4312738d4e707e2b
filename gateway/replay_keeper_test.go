package gateway

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// shelf is a store of replays that outlives a gateway.
type shelf struct {
	mu   sync.Mutex
	data map[[32]byte][]byte
	err  error
}

func (s *shelf) PutReplay(_ context.Context, id [32]byte, _ time.Time, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		if s.data == nil {
			s.data = map[[32]byte][]byte{}
		}
		s.data[id] = data
	}
	return s.err
}

func (s *shelf) Replay(_ context.Context, id [32]byte) ([]byte, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, time.Time{}, s.err
	}
	if data, ok := s.data[id]; ok {
		return data, time.Now().Add(time.Hour), nil
	}
	return nil, time.Time{}, billing.ErrNotFound
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// count is how many answers are kept.
func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.data)
}

// kept has what is given again kept on a shelf.
func kept(on *shelf) func(*Options) { return func(o *Options) { o.Replays = on } }

// says answers every call the same.
func (e *edge) says(text string) {
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return text, nil }
}

// Another process gives the first answer again, to the same request alone, and
// asks no model for it.
func TestReplaysOutliveTheProcess(t *testing.T) {
	on := &shelf{}
	first := newEdge(t, twoPrompts, kept(on))
	first.says(`{"label":"first"}`)
	a := first.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k")
	if a.status != 200 || on.count() != 1 {
		t.Fatalf("%d %s, %d kept", a.status, a.body, on.count())
	}
	if first.call("POST", "/label", `{"text":"a"}`); on.count() != 1 {
		t.Error("a call without an idempotency key is kept")
	}
	second := newEdge(t, twoPrompts, kept(on))
	second.says(`{"label":"second"}`)
	b := second.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k")
	if b.status != 200 || b.body != a.body || b.header.Get("Idempotency-Replayed") != "true" || b.header.Get("X-Sluice-Cost") != a.header.Get("X-Sluice-Cost") {
		t.Errorf("again: %d %v %s", b.status, b.header, b.body)
	}
	if second.model.calls() != 0 || len(second.recorded()) != 0 {
		t.Errorf("%d calls of a model, ledger %v", second.model.calls(), second.recorded())
	}
	if b := second.call("POST", "/label", `{"text":"b"}`, "Idempotency-Key", "k"); b.status != 409 {
		t.Errorf("another request: %d %s", b.status, b.body)
	}
	if b := second.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k", "Authorization", "Bearer "+labelKey); b.body != `{"label":"second"}` {
		t.Errorf("another key: %d %s", b.status, b.body)
	}
}

// Calls go on when the store does not answer; a call that comes again within
// the process gets its answer all the same.
func TestReplaysWithoutTheStore(t *testing.T) {
	on := &shelf{}
	on.fail(errors.New("down"))
	e := newEdge(t, twoPrompts, kept(on))
	e.says(`{"label":"x"}`)
	for i := range 2 {
		if a := e.call("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "k"); a.status != 200 || (a.header.Get("Idempotency-Replayed") == "true") != (i == 1) {
			t.Errorf("call %d: %d %v %s", i, a.status, a.header, a.body)
		}
	}
	if e.model.calls() != 1 {
		t.Errorf("%d calls of the model", e.model.calls())
	}
}

// A job's answer is there in the next process; one that its process did not end
// is said to have failed, and why.
func TestJobsOutliveTheProcess(t *testing.T) {
	on := &shelf{}
	first := newEdge(t, twoPrompts, kept(on))
	hold := make(chan struct{})
	first.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		if strings.Contains(req.Messages[len(req.Messages)-1].Text(), "wait") {
			<-hold
		}
		return `{"label":"x"}`, nil
	}
	begin := func(text string) string {
		t.Helper()
		a := first.call("POST", "/label", `[{"text":"`+text+`"}]`, "Prefer", "respond-async", "Idempotency-Key", text)
		if a.status != 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.header.Get("Location")
	}
	done, cut := begin("a"), begin("wait")
	for first.call("GET", done, "").status == 202 {
	}
	second := newEdge(t, twoPrompts, kept(on)) // as if the first had been killed
	if a := second.call("GET", done, ""); a.status != 200 || a.body != `[{"label":"x"}]` || a.header.Get("X-Sluice-Prompt") != "label@1" {
		t.Errorf("done: %d %v %s", a.status, a.header, a.body)
	}
	if a := second.call("GET", cut, ""); a.status != 503 || !strings.Contains(a.get("detail").String(), "the gateway stopped before the array was done") {
		t.Errorf("cut: %d %s", a.status, a.body)
	}
	if a := second.call("GET", done, "", "Authorization", "Bearer "+poorKey); a.status != 404 {
		t.Errorf("another's: %d %s", a.status, a.body)
	}
	if a := second.call("POST", "/label", `[{"text":"a"}]`, "Prefer", "respond-async", "Idempotency-Key", "a"); a.status != 202 || a.header.Get("Location") != done {
		t.Errorf("begun again: %d %v", a.status, a.header)
	}
	close(hold)
	for first.call("GET", cut, "").status == 202 {
	}
	third := newEdge(t, twoPrompts, kept(on))
	if a := third.call("GET", cut, ""); a.status != 200 {
		t.Errorf("ended after all: %d %s", a.status, a.body)
	}
}

func TestReplayData(t *testing.T) {
	request := [32]byte{1, 31: 2}
	for _, a := range []*savedAnswer{
		{contentType: "application/json", body: []byte(`{"a":1}`)},
		{status: 503, contentType: "text/plain", header: [][2]string{{"X-A", "b\u00e9"}}, body: []byte{}},
	} {
		got, b, err := decodeReplay(encodeReplay(request, a))
		if err != nil || got != request || !reflect.DeepEqual(a, b) {
			t.Errorf("%v: %v %v %v", a, got, b, err)
		}
	}
}

// FuzzReplayData: what is no kept answer is refused, what is one comes back.
func FuzzReplayData(f *testing.F) {
	f.Add(encodeReplay([32]byte{7}, &savedAnswer{status: 202, contentType: "a/b", header: [][2]string{{"A", "b"}}, body: []byte("x")}))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		request, a, err := decodeReplay(data)
		if err != nil {
			return
		}
		again, b, err := decodeReplay(encodeReplay(request, a))
		if err != nil || again != request || !bytes.Equal(a.body, b.body) || a.status != b.status || len(a.header) != len(b.header) {
			t.Errorf("%v %v, %v", a, b, err)
		}
	})
}
