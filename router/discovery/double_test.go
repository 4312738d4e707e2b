package discovery

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follows is a watch under test: what it was told, in order.
type follows struct {
	*Watch
	t *testing.T

	mu    sync.Mutex
	sets  []string
	moved chan struct{}
}

func follow(t *testing.T, source Source) *follows {
	f := &follows{t: t, moved: make(chan struct{}, 100)}
	f.Watch = Start("test", source, func(Status) {})
	f.Deliver(func(list []Endpoint) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sets = append(f.sets, show(list))
		f.moved <- struct{}{}
	})
	t.Cleanup(f.Close)
	return f
}

// show writes a set as host:port*weight …
func show(list []Endpoint) string {
	var words []string
	for _, e := range list {
		word := strings.TrimPrefix(e.URL, "http://")
		if e.Weight > 1 {
			word += "*" + string(rune('0'+e.Weight))
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// next waits for a change and wants it to be to this set.
func (f *follows) next(want string) {
	f.t.Helper()
	select {
	case <-f.moved:
	case <-time.After(10 * time.Second):
		f.t.Fatalf("no change to %q came: %+v", want, f.Status())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.sets[0]
	f.sets = f.sets[1:]
	if got != want {
		f.t.Fatalf("the set is %q, want %q", got, want)
	}
}

// await waits for a state.
func (f *follows) await(state string) {
	f.t.Helper()
	for range 1000 {
		if f.Status().State == state {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.t.Fatalf("it is not %s: %+v", state, f.Status())
}

// registry is an HTTP double that can be down.
type registry struct {
	*httptest.Server
	mu   sync.Mutex
	down bool
	said []string // requests, as they came
}

func (r *registry) fail(down bool) {
	r.mu.Lock()
	r.down = down
	r.mu.Unlock()
	if down {
		r.CloseClientConnections()
	}
}

func (r *registry) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

func serve(t *testing.T, h http.HandlerFunc) *registry {
	r := &registry{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		down := r.down
		r.said = append(r.said, q.URL.String())
		r.mu.Unlock()
		if down {
			http.Error(w, "no leader", http.StatusInternalServerError)
			return
		}
		h(w, q)
	}))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}
