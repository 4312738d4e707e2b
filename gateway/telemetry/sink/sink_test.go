package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// fake is a Sender that does as it is told.
type fake struct {
	mu     sync.Mutex
	took   []string
	err    func(n int) error // of the nth try, from 1
	tries  int
	closed bool
}

func (f *fake) Send(_ context.Context, b Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.err != nil {
		if err := f.err(f.tries); err != nil {
			return err
		}
	}
	return b.Each(func(r []byte) error { f.took = append(f.took, string(r)); return nil })
}

func (f *fake) Close() error { f.closed = true; return nil }

func closeNow(q *Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q.Close(ctx)
}

func TestQueueKeepsOrderAcrossBatches(t *testing.T) {
	f := &fake{}
	q := NewQueue(Options{Name: "n", To: f, Batch: 10, Every: time.Hour})
	var want []string
	for i := range 100 {
		r := fmt.Sprintf("record-%d\n", i)
		want = append(want, r)
		q.Add([]byte(r))
	}
	closeNow(q)
	if strings.Join(f.took, "") != strings.Join(want, "") || len(f.took) != 100 {
		t.Errorf("took %q", f.took)
	}
	if q.Dropped() != 0 || !f.closed {
		t.Errorf("dropped %d, closed %v", q.Dropped(), f.closed)
	}
	q.Add([]byte("late"))
	if q.Dropped() != 1 {
		t.Error("what comes after the end is not counted")
	}
}

func TestQueueFailures(t *testing.T) {
	down := errors.New("down")
	f := func(name string, err func(int) error, within time.Duration, took int, dropped int64) {
		t.Run(name, func(t *testing.T) {
			s := &fake{err: err}
			q := NewQueue(Options{To: s, Every: time.Millisecond, Within: within})
			q.Add([]byte("a"))
			q.Add([]byte("b"))
			closeNow(q)
			if len(s.took) != took || q.Dropped() != dropped {
				t.Errorf("took %q, dropped %d after %d tries", s.took, q.Dropped(), s.tries)
			}
		})
	}
	f("back after a while", func(n int) error {
		if n < 3 {
			return down
		}
		return nil
	}, time.Minute, 2, 0)
	f("final", func(int) error { return &Final{down} }, time.Minute, 0, 2)
	f("given up", func(int) error { return down }, time.Nanosecond, 0, 2)
	f("asked to wait too long", func(int) error { return &Later{down, time.Hour} }, time.Minute, 0, 2)
}

func TestQueueCountsWhatWasRefusedInPart(t *testing.T) {
	s := &fake{err: func(int) error { return &Partial{Lost: 3, Why: "no"} }}
	q := NewQueue(Options{To: s, Every: time.Hour})
	q.Add(make([]byte, 9))
	closeNow(q)
	if q.Dropped() != 3 || s.tries != 1 {
		t.Errorf("dropped %d in %d tries", q.Dropped(), s.tries)
	}
}

// stalled is a Sender that takes nothing until it is let go.
type stalled struct {
	fake
	began chan struct{}
	let   chan struct{}
	once  sync.Once
}

func (s *stalled) Send(ctx context.Context, b Batch) error {
	s.once.Do(func() { close(s.began) })
	<-s.let
	return s.fake.Send(ctx, b)
}

func TestQueueIsBoundedAndRecovers(t *testing.T) {
	s := &stalled{began: make(chan struct{}), let: make(chan struct{})}
	q := NewQueue(Options{To: s, Most: 100, Batch: 10, Every: time.Hour})
	q.Add(make([]byte, 10))
	<-s.began // ten bytes are on their way, and count
	for range 20 {
		q.Add(make([]byte, 10))
	}
	if q.Dropped() != 11 {
		t.Errorf("dropped %d of 21 records where 10 have room", q.Dropped())
	}
	close(s.let)
	closeNow(q)
	if len(s.took) != 10 || q.Dropped() != 11 {
		t.Errorf("took %d, dropped %d", len(s.took), q.Dropped())
	}
}

// A sink that hears nothing does not hold up the end.
func TestCloseOfAStalledQueue(t *testing.T) {
	s := &stalled{began: make(chan struct{}), let: make(chan struct{})}
	q := NewQueue(Options{To: s, Every: time.Hour})
	q.Add([]byte("x"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	q.Close(ctx) // comes back
	close(s.let)
	<-q.done
}

func TestAddDoesNotAllocate(t *testing.T) {
	q := NewQueue(Options{To: &fake{}, Every: time.Hour, Most: 1 << 30, Batch: 1 << 30})
	defer closeNow(q)
	record := make([]byte, 200)
	q.pending.Bytes, q.pending.Ends = make([]byte, 0, 1<<20), make([]int, 0, 1<<10)
	if n := testing.AllocsPerRun(200, func() { q.Add(record) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "logs", "calls.jsonl")
	s := &File{Path: path, Max: 10, Keep: 2}
	send := func(text string) {
		t.Helper()
		if err := s.Send(context.Background(), Batch{Bytes: []byte(text), Ends: []int{len(text)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"one\n", "two\n", "three\n", "four four\n", "five five\n", "six\n"} {
		send(text)
	}
	want := map[string]string{path: "six\n", path + ".1": "five five\n", path + ".2": "four four\n"}
	for name, text := range want {
		if b, err := os.ReadFile(name); err != nil || string(b) != text {
			t.Errorf("%s holds %q, %v; want %q", name, b, err, text)
		}
	}
	if _, err := os.Stat(path + ".3"); !os.IsNotExist(err) {
		t.Errorf("more are kept than asked for: %v", err)
	}
	if err := os.Rename(path, path+".mine"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	send("seven\n")
	if b, _ := os.ReadFile(path); string(b) != "seven\n" {
		t.Errorf("after the file was taken away it holds %q", b)
	}
	_ = s.Close()
	if err := os.WriteFile(filepath.Join(dir, "no-folder"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := &File{Path: filepath.Join(dir, "no-folder", "x")}
	if err := bad.Send(context.Background(), Batch{Bytes: []byte("x"), Ends: []int{1}}); err == nil {
		t.Error("no error where no file can be")
	}
}

func TestHTTP(t *testing.T) {
	var mu sync.Mutex
	var got []string
	status, wait := 200, ""
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type")+" "+string(b))
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
	}))
	defer h.Close()
	s := &HTTP{URL: h.URL, Header: map[string]string{"Authorization": "Bearer x"}}
	defer s.Close()
	b := Batch{Bytes: []byte("{}\n{}\n"), Ends: []int{3, 6}}
	f := func(answer int, after string, final bool, later time.Duration) {
		t.Helper()
		mu.Lock()
		status, wait = answer, after
		mu.Unlock()
		err := s.Send(context.Background(), b)
		var isFinal *Final
		var isLater *Later
		if errors.As(err, &isFinal) != final || errors.As(err, &isLater) && isLater.After != later {
			t.Errorf("%d: %v", answer, err)
		}
		if answer < 300 && err != nil || answer >= 300 && err == nil {
			t.Errorf("%d: %v", answer, err)
		}
	}
	f(200, "", false, 0)
	f(204, "", false, 0)
	f(429, "7", false, 7*time.Second)
	f(503, "900", false, 30*time.Second)
	f(503, "soon", false, 0)
	f(400, "", true, 0)
	f(302, "", true, 0)
	f(501, "", true, 0)
	if got[0] != "Bearer x application/x-ndjson {}\n{}\n" {
		t.Errorf("it was sent %q", got[0])
	}
	h.Close()
	if err := s.Send(context.Background(), b); err == nil || strings.Contains(err.Error(), h.URL) {
		t.Errorf("an endpoint that is gone: %v", err)
	}
}

func TestNATS(t *testing.T) {
	url := os.Getenv("SLUICE_TEST_NATS")
	if url == "" {
		t.Skip("SLUICE_TEST_NATS is not set")
	}
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	subject := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	sub, err := conn.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	q := NewQueue(Options{To: &NATS{URL: url, Subject: subject}, Every: time.Hour})
	q.Add([]byte("{\"n\":1}\n"))
	q.Add(bytes.Repeat([]byte("x"), 2<<20)) // which no server takes that is not told to
	q.Add([]byte("{\"n\":2}\n"))
	closeNow(q)
	for _, want := range []string{`{"n":1}`, `{"n":2}`} {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil || string(m.Data) != want {
			t.Fatalf("got %v, %v, want %s", m, err, want)
		}
	}
	if q.Dropped() != 1 {
		t.Errorf("dropped %d", q.Dropped())
	}
	gone := NewQueue(Options{To: &NATS{URL: "nats://127.0.0.1:1", Subject: subject}, Every: time.Hour, Within: time.Nanosecond})
	gone.Add([]byte("x"))
	closeNow(gone)
	if gone.Dropped() != 1 {
		t.Errorf("dropped %d without a server", gone.Dropped())
	}
}
