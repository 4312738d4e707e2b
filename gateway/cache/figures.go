package cache

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/billing"
)

// Counts are figures since the start. The zero value is ready.
type Counts struct {
	kept, evicted, expired, purged atomic.Int64

	models sync.Map // name → *ModelCounts
}

// ModelCounts are the calls of one model that a cache applies to.
type ModelCounts struct{ hits, semantic, misses, saved atomic.Int64 }

// Of finds the counts of a model that has a cache.
func (c *Counts) Of(model string) *ModelCounts {
	if m, ok := c.models.Load(model); ok {
		return m.(*ModelCounts)
	}
	m, _ := c.models.LoadOrStore(strings.Clone(model), &ModelCounts{})
	return m.(*ModelCounts)
}

// The results of looking an answer up.
const (
	Hit      = "hit"
	Semantic = "semantic"
	Miss     = "miss"
)

// Count counts a call by its result.
func (m *ModelCounts) Count(result string, saved billing.Nano) {
	switch result {
	case Hit:
		m.hits.Add(1)
	case Semantic:
		m.semantic.Add(1)
	default:
		m.misses.Add(1)
	}
	m.saved.Add(int64(saved))
}

// Figures tell how a store stands. The counts are since the start.
type Figures struct {
	Entries  int64 `json:"entries"`
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Results
	Kept    int64          `json:"kept"`
	Evicted int64          `json:"evicted"` // for want of room
	Expired int64          `json:"expired"`
	Purged  int64          `json:"purged"`
	Models  []ModelFigures `json:"models"`
}

// Results are how calls fared.
type Results struct {
	Hits     int64        `json:"hits"`
	Semantic int64        `json:"semantic_hits"`
	Misses   int64        `json:"misses"`
	SavedUSD billing.Nano `json:"saved_usd"`
}

// ModelFigures are those of one name under models:.
type ModelFigures struct {
	Model   string `json:"model"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
	Results
}

// Figures takes out what has expired and tells how the store stands.
func (s *Store) Figures(now time.Time) Figures {
	f := Figures{MaxBytes: s.most * shards, Models: []ModelFigures{}}
	byModel := map[string]*ModelFigures{}
	of := func(name string) *ModelFigures {
		m := byModel[name]
		if m == nil {
			m = &ModelFigures{Model: name}
			byModel[name] = m
		}
		return m
	}
	s.sweep(func(a *Answer) bool {
		if !now.Before(a.Until) {
			s.Counts.expired.Add(1)
			return true
		}
		m := of(a.Key.Model)
		m.Entries++
		m.Bytes += a.Size()
		return false
	})
	c := &s.Counts
	c.models.Range(func(name, v any) bool {
		n, m := v.(*ModelCounts), of(name.(string))
		m.Results = Results{n.hits.Load(), n.semantic.Load(), n.misses.Load(), billing.Nano(n.saved.Load())}
		return true
	})
	for _, m := range byModel {
		f.Entries, f.Bytes = f.Entries+m.Entries, f.Bytes+m.Bytes
		f.Hits, f.Semantic, f.Misses, f.SavedUSD = f.Hits+m.Hits, f.Semantic+m.Semantic, f.Misses+m.Misses, f.SavedUSD+m.SavedUSD
		f.Models = append(f.Models, *m)
	}
	slices.SortFunc(f.Models, func(a, b ModelFigures) int { return strings.Compare(a.Model, b.Model) })
	f.Kept, f.Evicted, f.Expired, f.Purged = c.kept.Load(), c.evicted.Load(), c.expired.Load(), c.purged.Load()
	return f
}

// Size is the answers that are kept and their bytes, with those that have
// expired and are not taken out yet.
func (s *Store) Size() (entries, bytes int64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		entries, bytes = entries+int64(len(sh.items)), bytes+sh.bytes
		sh.mu.Unlock()
	}
	return entries, bytes
}
