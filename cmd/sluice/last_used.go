package main

import (
	"context"
	"sync"
	"time"

	"sluice/billing"
)

// lastUsed is when keys were last used, as far as the view in force does not
// know: it was read when something last changed, and the store has no row of a
// key that the file declares.
type lastUsed struct {
	mu sync.Mutex
	at map[string]time.Time // by id
}

// note takes times over those that are earlier.
func (l *lastUsed) note(used map[string]time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[string]time.Time{}
	}
	for id, at := range used {
		if at.After(l.at[id]) {
			l.at[id] = at
		}
	}
}

// show puts the times into keys that are shown.
func (l *lastUsed) show(keys []billing.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range keys {
		if at := l.at[keys[i].ID]; at.After(keys[i].LastUsed) {
			keys[i].LastUsed = at.UTC()
		}
	}
}

// requestLister lists calls of the ledger, newest first.
type requestLister interface {
	Requests(ctx context.Context, q billing.RequestQuery) ([]billing.Entry, string, error)
}

// recall finds in the ledger when the file's keys were last used before this
// start. What cannot be read, or only by a long search, stays unknown until the
// key is used again.
func (l *lastUsed) recall(ctx context.Context, keys []billing.Key, ledger requestLister) {
	for i := range keys {
		if keys[i].Source != "file" {
			continue
		}
		found, _, err := ledger.Requests(ctx, billing.RequestQuery{Key: keys[i].ID, Limit: 1})
		if err != nil {
			return
		}
		for _, e := range found {
			l.note(map[string]time.Time{keys[i].ID: e.Time})
		}
	}
}
