package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrUnknown is the answer about a rule that there is not.
var ErrUnknown = errors.New("there is no such rule")

// Mute keeps a rule from telling anybody that it fires until a time; a zero
// time ends that. The replica that looks at the alerts takes it in at its next Tick.
func (e *Engine) Mute(ctx context.Context, rule string, until time.Time) error {
	e.mu.Lock()
	known := slices.ContainsFunc(e.rules, func(r Rule) bool { return r.Name == rule })
	e.mu.Unlock()
	if !known {
		return ErrUnknown
	}
	e.keeping.Lock()
	defer e.keeping.Unlock()
	if e.shelf.Shared {
		if err := e.tell(ctx, rule, until); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed = true
	mute(e.muted, rule, until)
	return nil
}

func mute(all map[string]time.Time, rule string, until time.Time) {
	if until.IsZero() {
		delete(all, rule)
	} else {
		all[rule] = until
	}
}

// swapTries is how often it is tried to change what others change meanwhile.
const swapTries = 20

// tell changes what all replicas know is muted. Nothing is kept before one of them
// has looked.
func (e *Engine) tell(ctx context.Context, rule string, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, shelfTime)
	defer cancel()
	for range swapTries {
		b, err := e.shelf.Read(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		k := kept{}
		if err := json.Unmarshal(b, &k); err != nil {
			return fmt.Errorf("cannot read the alerts that were kept: %w", err)
		}
		k.Muted = k.muted()
		mute(k.Muted, rule, until)
		next, err := json.Marshal(k)
		if err != nil {
			return err
		}
		if ok, err := e.shelf.Swap(ctx, b, next); err != nil || ok {
			return err
		}
	}
	return errors.New("other replicas change what is kept of the alerts all the time")
}
