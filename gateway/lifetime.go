package gateway

import (
	"context"
	"slices"
	"sync"
	"time"
)

// lifetime is the context of a call: it ends when the caller leaves or the
// gateway gives up on draining. Contexts of the standard library would hang
// every call on one parent, whose lock all calls then share, and make a channel
// for each that hardly any waits on.
type lifetime struct {
	mu    sync.Mutex
	cause error         // why it is over; nil: it is not
	done  chan struct{} // made when first asked for
	after []*func()
}

// Deadline is none: a call's own is in a context below.
func (l *lifetime) Deadline() (at time.Time, ok bool) { return at, false }

// Value is none.
func (l *lifetime) Value(any) any { return nil }

// Done is closed at the end.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.cause != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err is context.Canceled after the end.
func (l *lifetime) Err() error {
	if l.over() == nil {
		return nil
	}
	return context.Canceled
}

// over is why the lifetime has ended; nil: it has not.
func (l *lifetime) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// AfterFunc calls f in a goroutine of its own at the end, unless stop comes
// first: what context.AfterFunc, and a context below this one, ask for.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		go f()
		return func() bool { return false }
	}
	l.after = append(l.after, &f)
	return func() bool { return l.forget(&f) }
}

// forget tells whether f was still waiting.
func (l *lifetime) forget(f *func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.after, f)
	if i < 0 {
		return false
	}
	l.after = slices.Delete(l.after, i, i+1)
	return true
}

// end ends it, once; without a cause it is over because the call is.
func (l *lifetime) end(cause error) {
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
	l.after = nil
}
