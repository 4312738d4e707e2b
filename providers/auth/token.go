package auth

import (
	"context"
	"sync"
	"time"

	"sluice/providers/schema"
)

const (
	// renewBefore is how long before its end a token is renewed. Services give
	// tokens for an hour or so and give the same one again until minutes before.
	renewBefore = 4 * time.Minute
	// unusableBefore is how long before its end a token is no longer sent: it
	// could end on the way.
	unusableBefore = 15 * time.Second
	// retryAfter is how long the service is left alone after a failure.
	retryAfter = time.Second
	// fetchTime bounds one fetch.
	fetchTime = 15 * time.Second
)

// token is an access token.
type token struct {
	value string
	end   time.Time
}

// tokens keeps the access tokens of one provider, one for each secret.
type tokens struct {
	fetch func(ctx context.Context, secret string) (token, error)
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]*kept
}

type kept struct {
	token  token
	err    error     // of the last fetch
	retry  time.Time // not before
	flight chan struct{}
}

func newTokens(now func() time.Time, fetch func(context.Context, string) (token, error)) *tokens {
	return &tokens{fetch: fetch, now: clock(now), kept: map[string]*kept{}}
}

// sign is Sign.
func (t *tokens) sign(ctx context.Context, _ *Request, secret string) ([]Field, error) {
	value, err := t.get(ctx, secret)
	if err != nil {
		return nil, err
	}
	return bearer(value), nil
}

// get gives a token, and waits only where there is none to use.
func (t *tokens) get(ctx context.Context, secret string) (string, error) {
	t.mu.Lock()
	k := t.kept[secret]
	if k == nil {
		k = &kept{}
		t.kept[secret] = k
	}
	now := t.now()
	usable := k.token.value != "" && now.Before(k.token.end.Add(-unusableBefore))
	if usable && now.Before(k.token.end.Add(-renewBefore)) {
		defer t.mu.Unlock()
		return k.token.value, nil
	}
	if k.flight == nil {
		if now.Before(k.retry) && !usable {
			defer t.mu.Unlock()
			return "", copyError(k.err)
		}
		if !now.Before(k.retry) {
			k.flight = make(chan struct{})
			// The fetch is for all who wait, so no single caller's leaving ends it.
			go t.renew(context.WithoutCancel(ctx), k, secret)
		}
	}
	flight, old := k.flight, k.token.value
	t.mu.Unlock()
	if usable {
		return old, nil
	}
	select {
	case <-flight:
	case <-ctx.Done():
		return "", cancelled(ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.err != nil {
		return "", copyError(k.err)
	}
	return k.token.value, nil
}

// renew fetches a token and wakes those who wait for it.
func (t *tokens) renew(ctx context.Context, k *kept, secret string) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	fresh, err := t.fetch(ctx, secret)
	t.mu.Lock()
	defer t.mu.Unlock()
	k.err = err
	if err != nil {
		k.retry = t.now().Add(retryAfter)
	} else {
		k.token, k.retry = fresh, time.Time{}
	}
	close(k.flight)
	k.flight = nil
}

// copyError gives each caller an error of its own: callers complete it.
func copyError(err error) error {
	e := *schema.AsError(err)
	return &e
}
