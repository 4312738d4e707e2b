package alert

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// row is what replicas share.
type row struct {
	data   []byte
	broken error // what a swap is answered, which is done all the same
	blind  error // what is answered who reads
}

func (r *row) shelf() Shelf {
	return Shelf{Shared: true,
		Read: func(context.Context) ([]byte, error) { return r.data, r.blind },
		Swap: func(_ context.Context, was, now []byte) (bool, error) {
			if !bytes.Equal(was, r.data) {
				return false, nil
			}
			r.data = now
			return r.broken == nil, r.broken
		}}
}

// The replica that looks next knows whom the last one has told, and what was under
// way when that was killed; and the last one, if it lives, changes nothing any more.
func TestReplicasHandOver(t *testing.T) {
	w, r := newWorld(), &row{}
	w.calls = []call{{at: w.now, team: "a", model: "m", status: 500}, {at: w.now, team: "a", model: "n", status: 500}}
	rule := Rule{Name: "failing", Severity: "critical", Deliver: []string{"ops"}, Each: "model",
		Condition: &Threshold{Figure: "failures", Bound: 0, Over: time.Hour}}
	var all []*Engine
	for range 2 {
		e := w.engine("", rule)
		e.shelf = r.shelf()
		all = append(all, e)
	}
	first, next := all[0], all[1]
	look := func(e *Engine, want int) []Notice {
		t.Helper()
		list := e.Tick(t.Context(), w.now)
		if len(list) != want {
			t.Fatalf("%d notices, want %d: %+v", len(list), want, list)
		}
		return list
	}
	if !first.follow(t.Context()) {
		t.Fatal("nobody looks")
	}
	list := look(first, 2)
	first.Done(&list[0], w.now, nil)
	first.keep(t.Context())

	if err := next.Mute(t.Context(), "failing", w.now.Add(-time.Hour)); err != nil || !next.follow(t.Context()) {
		t.Fatal("nobody takes over")
	}
	if again := look(next, 1); again[0].Alert.id() != list[1].Alert.id() || !again[0].Alert.Fired.Equal(list[1].Alert.Fired) {
		t.Errorf("%+v, want what was under way", again[0])
	} else {
		next.Done(&again[0], w.now, nil)
		next.keep(t.Context())
	}
	first.Done(&list[1], w.now, context.Canceled) // too late
	kept := r.data
	first.keep(t.Context())
	if !bytes.Equal(kept, r.data) {
		t.Error("who does not look any more has changed what is kept")
	}
	if !first.follow(t.Context()) {
		t.Fatal("nobody takes over")
	}
	look(first, 0)
}

// What is kept though the store says that it is not does not keep a replica from
// keeping what comes after.
func TestReplicaCatchesUp(t *testing.T) {
	w, r := newWorld(), &row{}
	w.add(10, call{model: "fast", status: 502})
	rule := failing("ops")
	rule.For, rule.Repeat = 0, time.Minute
	e := w.engine("", rule)
	e.shelf = r.shelf()
	if !e.follow(t.Context()) {
		t.Fatal("nobody looks")
	}
	r.broken, r.blind = errors.New("the connection is lost"), errors.New("no store")
	list := e.Tick(t.Context(), w.now)
	if len(list) != 1 || !bytes.Contains(r.data, []byte("fast")) {
		t.Fatalf("%d notices, kept %s", len(list), r.data)
	}
	r.blind = nil
	e.Done(&list[0], w.now, nil)
	e.keep(t.Context()) // what is kept is read
	r.broken = nil
	e.Tick(t.Context(), w.now)
	if !bytes.Contains(r.data, []byte(`"event":"firing"`)) {
		t.Errorf("what was told is not kept: %s", r.data)
	}
	e.keep(t.Context())
	if e.changed || e.lost || !bytes.Equal(e.shelved, r.data) {
		t.Errorf("changed %v, lost %v, kept %s", e.changed, e.lost, e.shelved)
	}
}

// What a replica kept before there was one store counts there, once; what it cannot
// read holds up nothing.
func TestReplicaMovesIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts.json")
	w, r := newWorld(), &row{}
	w.add(10, call{model: "fast", status: 502})
	rule := failing("ops")
	rule.For = 0
	alone := w.engine(file, rule)
	first := alone.Tick(t.Context(), w.now)
	alone.Done(&first[0], w.now, nil)
	alone.keep(t.Context())
	look := func(want int) {
		t.Helper()
		e := w.engine("", rule)
		e.shelf = r.shelf()
		e.shelf.Before = File(file).Read
		if !e.follow(t.Context()) {
			t.Fatal("nobody looks")
		}
		if list := e.Tick(t.Context(), w.now); len(list) != want {
			t.Errorf("%d notices, want %d", len(list), want)
		}
	}
	look(0)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	look(0) // the file is not read again
	r.data = nil
	look(1)
}

// What is muted, or not any more, at any replica counts at the one that looks, and
// undoes nothing of what that has told.
func TestReplicasMute(t *testing.T) {
	w, r := newWorld(), &row{}
	w.add(10, call{model: "fast", status: 502})
	rule := failing("ops")
	rule.For, rule.Repeat = 0, time.Minute
	var all []*Engine
	for range 2 {
		e := w.engine("", rule)
		e.shelf = r.shelf()
		all = append(all, e)
	}
	looks, other := all[0], all[1]
	mute := func(e *Engine, until time.Time) {
		t.Helper()
		if err := e.Mute(t.Context(), "failing", until); err != nil {
			t.Fatal(err)
		}
	}
	mute(looks, w.now.Add(time.Hour)) // before anybody looks
	if !looks.follow(t.Context()) {
		t.Fatal("nobody looks")
	}
	same(t, "muted where it looks later", w.tick(t, looks, nil))
	mute(other, time.Time{})
	same(t, "not muted elsewhere", w.tick(t, looks, nil), "firing ops failing (model=fast)")
	mute(other, w.now.Add(time.Hour))
	w.pass(2 * time.Minute)
	same(t, "muted elsewhere", w.tick(t, looks, nil))
	if s := looks.Status(w.now)[0]; s.MutedUntil == nil {
		t.Error("it is not shown where it looks")
	}
	mute(looks, time.Time{})
	same(t, "not muted where it looks", w.tick(t, looks, nil), "firing ops failing (model=fast)")
	looks.keep(t.Context())
	if !other.follow(t.Context()) {
		t.Fatal("nobody takes over")
	}
	same(t, "taken over", w.tick(t, other, nil))
	if s := other.Status(w.now)[0]; s.MutedUntil != nil {
		t.Error("what was undone at another replica counts again")
	}
	looks.Tick(t.Context(), w.now)
	if !looks.lost {
		t.Error("the last one does not know that another one looks")
	}
	r.blind = errors.New("no store")
	if err := looks.Mute(t.Context(), "failing", time.Time{}); !errors.Is(err, r.blind) {
		t.Errorf("without a store: %v", err)
	}
}
