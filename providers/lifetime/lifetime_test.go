package lifetime

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestContext(t *testing.T) {
	l, left := &Context{}, errors.New("left")
	if l.Err() != nil || l.Over() != nil {
		t.Fatal("it is over before it has begun")
	}
	ran := make(chan string, 8)
	stopped := l.AfterFunc(func() { ran <- "stopped" })
	if !stopped() || stopped() {
		t.Error("a function that waits can be stopped once")
	}
	late := l.AfterFunc(func() { ran <- "own" })
	below, cancel := context.WithTimeout(l, time.Hour)
	defer cancel()
	context.AfterFunc(below, func() { ran <- "below" })
	done := l.Done()

	l.End(left)
	l.End(errors.New("another"))
	<-done
	<-l.Done()
	<-below.Done()
	got := map[string]bool{<-ran: true, <-ran: true}
	if !got["own"] || !got["below"] || len(ran) > 0 {
		t.Errorf("ran %v", got)
	}
	if late() {
		t.Error("a function that ran was stopped")
	}
	if l.Err() != context.Canceled || l.Over() != left {
		t.Errorf("it is over with %v, %v", l.Err(), l.Over())
	}
	l.AfterFunc(func() { ran <- "after" })
	if got := <-ran; got != "after" {
		t.Errorf("ran %s", got)
	}

	unasked := &Context{}
	unasked.End(nil)
	<-unasked.Done()
	if unasked.Over() != context.Canceled {
		t.Errorf("it is over with %v", unasked.Over())
	}
}

// A context ends with the one above it, whoever made that, and not the other
// way round.
func TestBelow(t *testing.T) {
	type key struct{}
	standard, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	defer cancel()
	own := &Context{}
	for name, c := range map[string]struct {
		above context.Context
		end   func()
	}{"ours": {own, func() { own.End(nil) }}, "standard": {standard, cancel}} {
		t.Run(name, func(t *testing.T) {
			first, second, third := &Context{}, &Context{}, &Context{}
			for _, l := range []*Context{first, second, third} {
				l.Begin(c.above)
			}
			ran := make(chan struct{}, 2)
			first.AfterFunc(func() { ran <- struct{}{} })
			first.End(nil)
			<-ran
			if first.Err() != context.Canceled || c.above.Err() != nil || second.Err() != nil {
				t.Fatalf("%v; above %v, beside %v", first.Err(), c.above.Err(), second.Err())
			}
			want, bound := c.above.Deadline()
			if at, ok := second.Deadline(); at != want || ok != bound || second.Value(key{}) != c.above.Value(key{}) {
				t.Errorf("until %v, %v; %v", at, ok, second.Value(key{}))
			}
			second.AfterFunc(func() { ran <- struct{}{} })
			done := second.Done()
			if !third.Rest() {
				t.Error("one that nobody waits for cannot rest")
			}
			c.end()
			<-done
			<-ran
			if second.Err() != context.Canceled {
				t.Errorf("it is over with %v", second.Err())
			}
		})
	}
}

// A context that has rested is as good as new, and holds nothing above.
func TestRest(t *testing.T) {
	above, l := &Context{}, &Context{}
	for range 3 {
		l.Begin(above)
		stop := l.AfterFunc(func() { t.Error("ran, though stopped") })
		if l.Err() != nil || !stop() {
			t.Fatal("it is over at its beginning")
		}
		l.End(nil)
		if !l.Rest() {
			t.Fatal("it cannot rest")
		}
	}
	l.Begin(above)
	stop := l.AfterFunc(func() { t.Error("ran, though stopped") })
	if l.Rest() {
		t.Error("it rests though a function waits for its end")
	}
	if !stop() || !l.Rest() {
		t.Error("it cannot rest when nothing waits any more")
	}
	above.End(nil)
	l.Begin(&Context{})
	if l.Err() != nil {
		t.Error("it ended with what was above it before")
	}
	if over := (&Context{}); true {
		over.Begin(above)
		<-over.Done()
		if over.Rest() {
			t.Error("one that what is above may yet end is no good")
		}
	}
}
