package alert

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// Shelf is where alerts are kept from one run, or from one replica that looks at
// them, to the next; the zero Shelf keeps none.
type Shelf struct {
	// Read gives what was kept last; nil: nothing was.
	Read func(context.Context) ([]byte, error)
	// Swap keeps something in the place of what was read or kept before; false:
	// another replica has kept something since.
	Swap func(ctx context.Context, was, now []byte) (bool, error)
	// Before gives what was kept elsewhere, before there was a shared shelf; nil: nothing
	// was. It is asked where Read gives nil.
	Before func(context.Context) ([]byte, error)
	// Shared tells that other replicas look at the alerts when this one does not.
	Shared bool
}

// File is a shelf of one process.
func File(name string) Shelf {
	return Shelf{
		Read: func(context.Context) ([]byte, error) {
			b, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return b, err
		},
		Swap: func(_ context.Context, _, now []byte) (bool, error) {
			err := os.WriteFile(name+".new", now, 0o600)
			if err == nil {
				err = os.Rename(name+".new", name)
			}
			return err == nil, err
		},
	}
}

// kept is what the shelf has.
type kept struct {
	Term   string               `json:"term,omitempty"` // in which it was kept: who had the lead before may not any more
	Alerts []*Alert             `json:"alerts"`
	Muted  map[string]time.Time `json:"muted,omitempty"`
}

// muted is never nil.
func (k *kept) muted() map[string]time.Time {
	if k.Muted == nil {
		return map[string]time.Time{}
	}
	return k.Muted
}

// shelfTime bounds what is done with the shelf.
const shelfTime = 5 * time.Second

// keep writes the alerts if they have changed, whole or not at all, however the
// caller fares meanwhile. What fails is told, and tried again at the next Tick.
func (e *Engine) keep(ctx context.Context) {
	e.keeping.Lock()
	defer e.keeping.Unlock()
	e.mu.Lock()
	changed := e.changed
	e.changed = false
	k := kept{Term: e.term, Alerts: []*Alert{}, Muted: e.muted}
	for _, id := range slices.Sorted(maps.Keys(e.alerts)) {
		k.Alerts = append(k.Alerts, e.alerts[id])
	}
	b, err := json.Marshal(k)
	e.mu.Unlock()
	if !changed || e.lost || e.shelf.Swap == nil {
		return
	}
	ok := false
	if err == nil {
		ok, err = e.swap(ctx, b)
	}
	if ok && err == nil {
		e.shelved = b
		return
	}
	if err != nil {
		e.log.Error("alerts are not kept yet: who looks at them next would tell of them again", "error", err)
	}
	e.catchUp(ctx)
	if !e.lost {
		e.mu.Lock()
		e.changed = true
		e.mu.Unlock()
	}
}

func (e *Engine) swap(ctx context.Context, b []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shelfTime)
	defer cancel()
	return e.shelf.Swap(ctx, e.shelved, b)
}

// catchUp reads what the shelf has, where that may be something else than what is
// known: what was to be kept may have been though that failed.
func (e *Engine) catchUp(ctx context.Context) {
	if !e.shelf.Shared {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shelfTime)
	defer cancel()
	var k kept
	b, err := e.shelf.Read(ctx)
	if err == nil && b != nil {
		err = json.Unmarshal(b, &k)
	}
	switch {
	case err != nil:
		e.log.Error("it is not known what is kept of the alerts", "error", err)
	case e.lost:
	case b != nil && k.Term != e.term:
		e.lost = true
		e.log.Warn("another replica looks at the alerts: what this one did last is not kept")
	case b == nil:
		e.shelved = nil
	case !bytes.Equal(b, e.shelved):
		e.shelved = b
		e.mu.Lock()
		e.muted = k.muted()
		e.mu.Unlock()
	}
}

// recall reads the alerts that were kept last. What another replica has kept takes
// the place of what is known here, and is this one's from then on.
func (e *Engine) recall(ctx context.Context) error {
	if e.shelf.Read == nil {
		return nil
	}
	e.keeping.Lock()
	defer e.keeping.Unlock()
	ctx, cancel := context.WithTimeout(ctx, shelfTime)
	defer cancel()
	b, err := e.shelf.Read(ctx)
	if err != nil {
		return err
	}
	var k kept
	if b != nil {
		if err := json.Unmarshal(b, &k); err != nil {
			return fmt.Errorf("cannot read the alerts that were kept: %w", err)
		}
	} else if e.shelf.Before != nil {
		k = e.before(ctx)
	}
	if k.Muted = k.muted(); b == nil {
		e.mu.Lock()
		maps.Copy(k.Muted, e.muted) // there was nowhere to keep it
		e.mu.Unlock()
	}
	if e.shelved = b; e.shelf.Shared {
		k.Term = rand.Text()
		next, err := json.Marshal(k)
		if err != nil {
			return err
		}
		if ok, err := e.shelf.Swap(ctx, b, next); err != nil || !ok {
			return errors.Join(errors.New("another replica has just kept alerts"), err)
		}
		e.shelved = next
	}
	e.lost = false
	e.mu.Lock()
	defer e.mu.Unlock()
	e.term, e.alerts, e.flying = k.Term, map[string]*Alert{}, map[string]bool{}
	for _, a := range k.Alerts {
		if a != nil {
			e.alerts[a.id()] = a
		}
	}
	e.muted = k.muted()
	return nil
}

// before is what was kept elsewhere. What cannot be read is told, and left there.
func (e *Engine) before(ctx context.Context) (k kept) {
	b, err := e.shelf.Before(ctx)
	if err == nil && b != nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil {
		e.log.Error("the alerts that were kept before there was one store are not known", "error", err)
		return kept{}
	}
	return k
}
