package discovery

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Endpoint is one server of a service.
type Endpoint struct {
	URL    string // scheme, host and port
	Weight int    // at least 1
	Name   string // that its certificate is for; empty: the host of the URL
}

// Tell takes the whole set that a source knows now.
type Tell func([]Endpoint)

// Source asks a registry until ctx ends or something goes wrong, and tells what
// it learns. It does not keep what it is told of by tell.
type Source func(ctx context.Context, tell Tell) error

// The states of a Watch.
const (
	Waiting = "waiting" // nothing was ever known
	Current = "current"
	Stale   = "stale" // the registry fails; what was known last holds
)

// Status is how a watch stands.
type Status struct {
	Registry  string    `json:"registry"` // dns, consul, eureka, nacos, polaris, kubernetes or file
	State     string    `json:"state"`    // waiting, current or stale
	Endpoints int       `json:"endpoints"`
	Changes   int64     `json:"changes"`          // of the set, the first included
	Changed   time.Time `json:"changed,omitzero"` // the last time; zero: never
	Heard     time.Time `json:"heard,omitzero"`   // when the registry last said anything
	Error     string    `json:"error,omitempty"`  // why it fails; empty: it does not
}

// Watch follows one service in its registry. It is safe for concurrent use.
type Watch struct {
	source Source
	news   func(Status) // told of each change of state; nil: nobody wants to know
	stop   context.CancelFunc
	done   chan struct{}
	known  chan struct{} // closed once anything is known

	mu      sync.Mutex // of what follows, and held while to is told
	status  Status
	current []Endpoint
	to      Tell
}

// Start begins to follow a service. news is told when the state changes.
func Start(registry string, source Source, news func(Status)) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{source: source, news: news, stop: stop, done: make(chan struct{}), known: make(chan struct{}),
		status: Status{Registry: registry, State: Waiting}}
	go w.run(ctx)
	return w
}

// Known is closed once the registry has answered.
func (w *Watch) Known() <-chan struct{} { return w.known }

// Deliver has to told of the set that is known now, if any is, and of each that
// is known later, in the place of whoever was told before. to is called by one
// goroutine at a time.
func (w *Watch) Deliver(to Tell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
	if w.status.State != Waiting {
		to(slices.Clone(w.current))
	}
}

// Current is the set that is known; false: none is.
func (w *Watch) Current() ([]Endpoint, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.current), w.status.State != Waiting
}

// Status is the watch as it stands.
func (w *Watch) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Close ends the watch, and waits for that.
func (w *Watch) Close() {
	w.stop()
	<-w.done
}

// The pauses after which a registry that fails is asked again.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

func (w *Watch) run(ctx context.Context) {
	defer close(w.done)
	pause := firstPause
	for {
		err := w.source(ctx, func(list []Endpoint) {
			pause = firstPause
			w.heard(list, time.Now())
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it has ended")
		}
		w.failed(err)
		if wait(ctx, pause/2+rand.N(pause/2)) != nil {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// wait is a pause that ctx may end.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// heard takes in a set.
func (w *Watch) heard(list []Endpoint, now time.Time) {
	list = ordered(list)
	w.mu.Lock()
	defer w.mu.Unlock()
	first, was := w.status.State == Waiting, w.status.State
	w.status.State, w.status.Error, w.status.Heard = Current, "", now
	if first || !slices.Equal(list, w.current) {
		w.current = list
		w.status.Endpoints, w.status.Changed = len(list), now
		w.status.Changes++
		if w.to != nil {
			w.to(slices.Clone(list))
		}
	}
	if first {
		close(w.known)
	}
	w.turned(was)
}

// turned tells of a change of state. The watch is locked.
func (w *Watch) turned(was string) {
	if w.news != nil && w.status.State != was {
		w.news(w.status)
	}
}

// longestTrouble bounds, in bytes, what is kept of an error.
const longestTrouble = 300

func (w *Watch) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, silent := w.status.State, w.status.Error == ""
	if was != Waiting {
		w.status.State = Stale
	}
	text := err.Error()
	w.status.Error = text[:min(len(text), longestTrouble)]
	if w.status.State == was && silent && w.news != nil { // it fails from the start
		w.news(w.status)
		return
	}
	w.turned(was)
}

// mostWeight bounds a weight.
const mostWeight = 1_000_000

// ordered sorts a set by address, each once, so that two that are the same are
// equal. Those without a weight have 1.
func ordered(list []Endpoint) []Endpoint {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Weight, b.Weight))
	})
	list = slices.CompactFunc(list, func(a, b Endpoint) bool { return a.URL == b.URL })
	for i := range list {
		list[i].Weight = min(max(list[i].Weight, 1), mostWeight)
	}
	return list
}
