package httpcache

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// counts are figures since the start.
type counts struct {
	kept, evicted, purged atomic.Int64
	routes                sync.Map // name → *Results
}

// Results count how requests to a route fared.
type Results struct{ hits, stale, misses atomic.Int64 }

// Of finds the counts of a route.
func (s *Store) Of(route string) *Results {
	r, _ := s.counts.routes.LoadOrStore(route, &Results{})
	return r.(*Results)
}

// The results of looking an answer up.
const (
	Hit   = "hit"
	Stale = "stale"
	Miss  = "miss"
)

// Count counts a request by its result.
func (r *Results) Count(result string) {
	switch result {
	case Hit:
		r.hits.Add(1)
	case Stale:
		r.stale.Add(1)
	default:
		r.misses.Add(1)
	}
}

// Figures tell how a store stands. The counts are since the start.
type Figures struct {
	Entries  int64          `json:"entries"` // stale ones too
	Bytes    int64          `json:"bytes"`
	MaxBytes int64          `json:"max_bytes"`
	Kept     int64          `json:"kept"`
	Evicted  int64          `json:"evicted"` // for want of room
	Purged   int64          `json:"purged"`
	Routes   []RouteFigures `json:"routes"`
}

// RouteFigures are those of one route.
type RouteFigures struct {
	Route   string `json:"route"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
	Hits    int64  `json:"hits"`
	Stale   int64  `json:"stale"`
	Misses  int64  `json:"misses"`
}

// Figures tells how the store stands.
func (s *Store) Figures() Figures {
	f := Figures{MaxBytes: s.most * shards, Kept: s.counts.kept.Load(), Evicted: s.counts.evicted.Load(), Purged: s.counts.purged.Load(), Routes: []RouteFigures{}}
	by := map[string]*RouteFigures{}
	s.counts.routes.Range(func(name, v any) bool {
		r := v.(*Results)
		by[name.(string)] = &RouteFigures{Route: name.(string), Hits: r.hits.Load(), Stale: r.stale.Load(), Misses: r.misses.Load()}
		return true
	})
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for el := sh.order.Front(); el != nil; el = el.Next() {
			e := el.Value.(*Entry)
			if e.Status == 0 {
				continue
			}
			f.Entries, f.Bytes = f.Entries+1, f.Bytes+e.Size()
			if r := by[e.Route]; r != nil {
				r.Entries, r.Bytes = r.Entries+1, r.Bytes+e.Size()
			}
		}
		sh.mu.Unlock()
	}
	for _, r := range by {
		f.Routes = append(f.Routes, *r)
	}
	slices.SortFunc(f.Routes, func(a, b RouteFigures) int { return strings.Compare(a.Route, b.Route) })
	return f
}
