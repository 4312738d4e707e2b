package main

import (
	"context"
	"testing"
	"time"

	"sluice/billing"
)

type newest map[string]time.Time

func (n newest) Requests(_ context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	if at, ok := n[q.Key]; ok && q.Limit == 1 {
		return []billing.Entry{{Time: at}}, "", nil
	}
	return nil, "", nil
}

func TestLastUsed(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	keys := []billing.Key{{ID: "declared", Source: "file"}, {ID: "fresh", Source: "file"}, {ID: "stored", Source: "store", LastUsed: noon}}
	var l lastUsed
	l.show(keys)
	if !keys[0].LastUsed.IsZero() || !keys[2].LastUsed.Equal(noon) {
		t.Errorf("before anything is known: %+v", keys)
	}
	l.recall(t.Context(), keys, newest{"declared": noon, "stored": noon.Add(time.Hour)})
	l.note(map[string]time.Time{"declared": noon.Add(-time.Hour), "fresh": noon})
	if l.show(keys); !keys[0].LastUsed.Equal(noon) || !keys[1].LastUsed.Equal(noon) || !keys[2].LastUsed.Equal(noon) {
		t.Errorf("%+v", keys)
	}
	l.note(map[string]time.Time{"stored": noon.Add(time.Minute)})
	if l.show(keys); !keys[2].LastUsed.Equal(noon.Add(time.Minute)) {
		t.Errorf("a stored key that was used since: %+v", keys[2])
	}
}
