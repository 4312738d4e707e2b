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
	after []*func()

	above  context.Context // that it ends with; nil: none
	fall   func()          // how
	unhook func() bool     // from what is above; nil: nobody waits for it
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
	if l.unhook != nil && !l.unhook() {
		return false
	}
	l.cause, l.done, l.above, l.unhook = nil, nil, nil, nil
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
		l.hook()
	}
	return l.done
}

// hook sees to it that the end above is the end of this one too, once somebody
// waits for that. The lock is held.
func (l *Context) hook() {
	if l.above != nil && l.unhook == nil && l.cause == nil {
		l.unhook = AfterFunc(l.above, l.fall)
	}
}

// AfterFunc is context.AfterFunc, but asks a context that can do it itself
// directly: through the standard library it costs a context more.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(f func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
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
// first: what context.AfterFunc, and a context below this one, ask for.
func (l *Context) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		go f()
		return func() bool { return false }
	}
	l.after = append(l.after, &f)
	l.hook()
	return func() bool { return l.forget(&f) }
}

// forget tells whether f was still waiting.
func (l *Context) forget(f *func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.after, f)
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
	for _, f := range l.after {
		go (*f)()
	}
	clear(l.after)
	l.after = l.after[:0]
}
