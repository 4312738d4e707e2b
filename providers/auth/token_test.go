package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

// source is an identity service whose answers the test gives.
type source struct {
	mu    sync.Mutex
	calls int
	wait  chan struct{} // nil: answer at once
	err   error
	life  time.Duration
}

func (s *source) fetch(ctx context.Context, secret string) (token, error) {
	s.mu.Lock()
	s.calls++
	n, wait, err, life := s.calls, s.wait, s.err, s.life
	s.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return token{}, unavailable(ctx.Err(), "too slow")
		}
	}
	if err != nil {
		return token{}, err
	}
	return token{value: secret + string(rune('0'+n)), end: time.Now().Add(life)}, nil
}

func (s *source) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func wantToken(t *testing.T, ts *tokens, secret, want string) {
	t.Helper()
	got, err := ts.get(context.Background(), secret)
	if err != nil || got != want {
		t.Errorf("the token is %q, %v; want %q", got, err, want)
	}
}

func TestTokensAreKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour}
		ts := newTokens(nil, s.fetch)
		wantToken(t, ts, "a", "a1")
		wantToken(t, ts, "a", "a1")
		wantToken(t, ts, "b", "b2")
		time.Sleep(time.Hour - renewBefore + time.Second)
		s.set(func() { s.wait = make(chan struct{}) })
		wantToken(t, ts, "a", "a1") // nobody waits while the old one will do
		wantToken(t, ts, "a", "a1")
		synctest.Wait()
		if s.calls != 3 {
			t.Errorf("the token was asked for %d times, want 3", s.calls)
		}
		close(s.wait)
		synctest.Wait()
		wantToken(t, ts, "a", "a3")
	})
}

func TestTokensAreFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour, wait: make(chan struct{})}
		ts := newTokens(nil, s.fetch)
		ctx, leave := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { // the one whose call began the fetch leaves
			_, err := ts.get(ctx, "a")
			if schema.AsError(err).Class != schema.ClassCancelled {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() { wantToken(t, ts, "a", "a1") })
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(s.wait)
		wg.Wait()
		if s.calls != 1 {
			t.Errorf("the token was asked for %d times", s.calls)
		}
	})
}

func TestTokensWhenTheServiceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour, err: unavailable(errors.New("down"), "the service is down")}
		ts := newTokens(nil, s.fetch)
		for range 3 {
			_, err := ts.get(context.Background(), "a")
			if e := schema.AsError(err); e.Status != 503 || e.Code != schema.CodeUnavailable {
				t.Errorf("got %v", err)
			}
			schema.AsError(err).Message = "changed by a caller"
		}
		if s.calls != 1 {
			t.Errorf("a failing service was asked %d times within a second", s.calls)
		}
		time.Sleep(retryAfter)
		s.set(func() { s.err = nil })
		wantToken(t, ts, "a", "a2")

		// Down at the time of renewal: the old token is used to its end.
		time.Sleep(time.Hour - renewBefore)
		s.set(func() { s.err = unavailable(nil, "the service is down") })
		wantToken(t, ts, "a", "a2")
		synctest.Wait()
		wantToken(t, ts, "a", "a2")
		time.Sleep(renewBefore - unusableBefore)
		if _, err := ts.get(context.Background(), "a"); schema.AsError(err).Message != "the service is down" {
			t.Errorf("a token at its end: %v", err)
		}
	})
}

func TestTokensDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour, wait: make(chan struct{})}
		ts := newTokens(nil, s.fetch)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := ts.get(ctx, "a")
		if schema.AsError(err).Class != schema.ClassTimeout {
			t.Errorf("got %v", err)
		}
		_, err = ts.get(context.Background(), "a") // the fetch has a limit of its own
		if schema.AsError(err).Status != 503 {
			t.Errorf("got %v", err)
		}
	})
}
