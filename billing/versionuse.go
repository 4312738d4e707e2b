package billing

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// VersionUse is how often those with one key asked for a version of a route.
type VersionUse struct {
	Route    string
	Version  string // empty: one that there is not
	Team     string // empty: they came without one
	Key      string // team/name; likewise
	Requests int64
	Refused  int64 // of them: the version is gone, or was switched off for a while
	Last     time.Time
}

// VersionQuery selects uses; what is empty selects everything. Times count in
// whole hours: that of From and that before To are in it.
type VersionQuery struct {
	From, To         time.Time
	Route, Team, Key string
	Most             int // rows; a report of more is BadQuery. 0: any number
}

// VersionStore keeps who asked for which version.
type VersionStore interface {
	// AddVersionUses adds to what is kept, each in the hour of its Last.
	AddVersionUses(ctx context.Context, uses []VersionUse) error
	// VersionUses are the sums over a time, by route and version, those who ask
	// most first.
	VersionUses(ctx context.Context, q VersionQuery) ([]VersionUse, error)
}

// mostVersionSeats bounds what is counted apart before it is written: those who
// come later are counted without their names.
const mostVersionSeats = 100_000

// versionSeat is what is counted apart.
type versionSeat struct {
	route, version, team, key string
	hour                      int64
}

type versionCount struct {
	requests, refused int64
	last              time.Time
}

// VersionUses counts who asks for which version in memory, and writes that to a
// store now and then. It is safe for concurrent use.
type VersionUses struct {
	store VersionStore
	log   *slog.Logger

	seed    maphash.Seed
	shards  [versionShards]versionShard
	apart   atomic.Int64 // how many are counted apart
	writing sync.Mutex   // one at a time: what could not be written goes back
}

// versionShards keep requests from waiting for each other.
const versionShards = 16

type versionShard struct {
	mu     sync.Mutex
	counts map[versionSeat]*versionCount
}

// NewVersionUses counts for a store.
func NewVersionUses(to VersionStore, log *slog.Logger) *VersionUses {
	return &VersionUses{store: to, log: log, seed: maphash.MakeSeed()}
}

// Count counts one use, of which Requests and Refused are those to be added. A
// nil VersionUses counts nothing.
func (u *VersionUses) Count(use VersionUse) {
	if u == nil {
		return
	}
	seat := versionSeat{use.Route, use.Version, use.Team, use.Key, use.Last.Unix() / 3600}
	if !u.add(seat, &use, u.apart.Load() < mostVersionSeats) {
		seat.team, seat.key = "", ""
		u.add(seat, &use, true)
	}
}

// add counts a use at its seat, if that is there or may be made.
func (u *VersionUses) add(seat versionSeat, use *VersionUse, may bool) bool {
	s := &u.shards[maphash.Comparable(u.seed, seat)%versionShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[seat]
	if c == nil {
		if !may {
			return false
		}
		if s.counts == nil {
			s.counts = map[versionSeat]*versionCount{}
		}
		c = &versionCount{}
		s.counts[seat] = c
		u.apart.Add(1)
	}
	c.requests += use.Requests
	c.refused += use.Refused
	if use.Last.After(c.last) {
		c.last = use.Last
	}
	return true
}

// Flush writes what was counted. What cannot be written is tried again the next
// time.
func (u *VersionUses) Flush(ctx context.Context) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	list := u.take()
	if len(list) == 0 {
		return nil
	}
	err := u.store.AddVersionUses(ctx, list)
	if err == nil {
		return nil
	}
	for i := range list {
		u.Count(list[i])
	}
	return fmt.Errorf("cannot write who uses which version: %w", err)
}

// take is what was counted since the last time.
func (u *VersionUses) take() (list []VersionUse) {
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		counts := s.counts
		s.counts = nil
		s.mu.Unlock()
		u.apart.Add(-int64(len(counts)))
		for seat, c := range counts {
			list = append(list, VersionUse{Route: seat.route, Version: seat.version, Team: seat.team, Key: seat.key, Requests: c.requests, Refused: c.refused, Last: c.last})
		}
	}
	return list
}

// versionsEvery is how often counts are written: a process that is killed loses
// those since.
const versionsEvery = 2 * time.Second

// Run writes what is counted until ctx ends.
func (u *VersionUses) Run(ctx context.Context) {
	tick := time.NewTicker(versionsEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := u.Flush(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			u.log.Warn("who uses which version is not kept yet: the store takes nothing", "error", err)
		}
		failed = err != nil
	}
}

// Sum is what was used in a time, with what was counted until now.
func (u *VersionUses) Sum(ctx context.Context, q VersionQuery) ([]VersionUse, error) {
	if err := u.Flush(ctx); err != nil {
		u.log.Warn("a report of versions misses the latest requests", "error", err)
	}
	return u.store.VersionUses(ctx, q)
}
