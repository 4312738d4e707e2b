package alert

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// row is what replicas share.
type row struct{ data []byte }

func (r *row) shelf() Shelf {
	return Shelf{Shared: true,
		Read: func(context.Context) ([]byte, error) { return r.data, nil },
		Swap: func(_ context.Context, was, now []byte) (bool, error) {
			if !bytes.Equal(was, r.data) {
				return false, nil
			}
			r.data = now
			return true, nil
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

	if err := next.Mute("failing", w.now.Add(-time.Hour)); err != nil || !next.follow(t.Context()) {
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
