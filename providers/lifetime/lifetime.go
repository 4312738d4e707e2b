// Package lifetime has the context of a call and of its attempts. Those of the
// standard library would hang every call on one parent, whose lock all calls
// then share, and make a channel for each that hardly any waits on.
package lifetime

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Context is that of a call, which ends when End is called, or that of an
// attempt within one. The zero Context has begun.
type Context struct {
	mu    sync.Mutex
	cause error         // why it is over; nil: it is not
	done  chan struct{} // made when first asked for
	after []waiting
	room  [2]waiting // of after, for as many as most have
	told  uint64     // ids

	above  context.Context // that it ends with; nil: none
	fall   func()          // how
	hooked bool            // to what is above: somebody waits for it
	hook   Wait
}

// waiting is what is called at the end.
type waiting struct {
	id uint64
	f  func()
}

// Wait is a function's wait for the end of a context.
type Wait struct {
	on   *Context
	id   uint64
	stop func() bool // where the context is none of ours
}

// Stop keeps the function from being called. It tells false if it was, or was
// stopped already, or the wait is the zero Wait.
func (w Wait) Stop() bool {
	if w.stop != nil {
		return w.stop()
	}
	return w.on != nil && w.on.forget(w.id)
}

// Begin has it end with a context, at the latest.
func (l *Context) Begin(above context.Context) {
	l.above = above
	if l.fall == nil {
		l.fall = func() { l.End(l.above.Err()) }
	}
}

// Rest readies it to begin anew, if nothing waits for its end any more.
func (l *Context) Rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.after) > 0 || l.done != nil && l.cause == nil {
		return false
	}
	if l.hooked && !l.hook.Stop() {
		return false
	}
	l.cause, l.done, l.above, l.hooked, l.hook = nil, nil, nil, false, Wait{}
	return true
}

// Deadline is that of the context above.
func (l *Context) Deadline() (at time.Time, ok bool) {
	if l.above == nil {
		return at, false
	}
	return l.above.Deadline()
}

// Value is that of the context above.
func (l *Context) Value(key any) any {
	if l.above == nil {
		return nil
	}
	return l.above.Value(key)
}

// Done is closed at the end.
func (l *Context) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.cause != nil {
			close(l.done)
		}
		l.hang()
	}
	return l.done
}

// hang sees to it that the end above is the end of this one too, once somebody
// waits for that. The lock is held.
func (l *Context) hang() {
	if l.above != nil && !l.hooked && l.cause == nil {
		l.hook, l.hooked = AfterFunc(l.above, l.fall), true
	}
}

// AfterFunc is context.AfterFunc, but costs a context of ours no memory.
func AfterFunc(ctx context.Context, f func()) Wait {
	if own, ok := ctx.(*Context); ok {
		return own.wait(f)
	}
	return Wait{stop: context.AfterFunc(ctx, f)}
}

// Err is context.Canceled after the end, or what the context above says.
func (l *Context) Err() error {
	if l.above != nil {
		if err := l.above.Err(); err != nil {
			return err
		}
	}
	if l.Over() == nil {
		return nil
	}
	return context.Canceled
}

// Over is why it has ended; nil: it has not.
func (l *Context) Over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// AfterFunc calls f in a goroutine of its own at the end, unless stop comes
// first: what context.AfterFunc, and a context of the standard library below
// this one, ask for.
func (l *Context) AfterFunc(f func()) (stop func() bool) { return l.wait(f).Stop }

func (l *Context) wait(f func()) Wait {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		go f()
		return Wait{}
	}
	if l.after == nil {
		l.after = l.room[:0]
	}
	l.told++
	l.after = append(l.after, waiting{l.told, f})
	l.hang()
	return Wait{on: l, id: l.told}
}

// forget tells whether a function was still waiting.
func (l *Context) forget(id uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.after, func(w waiting) bool { return w.id == id })
	if i < 0 {
		return false
	}
	l.after = slices.Delete(l.after, i, i+1)
	return true
}

// End ends it, once; without a cause it is over because the call is.
func (l *Context) End(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = cause
	if l.done != nil {
		close(l.done)
	}
	for _, w := range l.after {
		go w.f()
	}
	clear(l.after)
	l.after = l.after[:0]
}
