package prompts

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync/atomic"
)

// Splits keeps which versions share the calls of a prompt, and how they do.
// Whatever points production to a version ends the split: the last word counts.
type Splits interface {
	// Split is a prompt's split; without shares it has none.
	Split(ctx context.Context, name string) (SplitState, error)
	// StopSplit ends a split and keeps how it ended until there is a new one.
	StopSplit(ctx context.Context, name string, r *SplitReport) error
	// StoppedSplits are the splits that were stopped, by name.
	StoppedSplits(ctx context.Context) (map[string]*SplitReport, error)
	// CountJudged adds an answer that a judge has seen to a split's figures.
	CountJudged(ctx context.Context, name string, since int64, version int, good bool) error
}

// SplitState is a split as it is stored.
type SplitState struct {
	Since   int64 // when it began, in Unix nanoseconds: it tells it from others
	Shares  map[int]int
	Figures map[int]ArmFigures // of the calls that are in the ledger
}

// sharing is the versions that share a prompt's calls, ready to be called.
type sharing struct {
	since   int64
	shares  map[int]int
	served  *Live  // what production points to
	arms    []*Arm // in the order of their versions
	stopped atomic.Pointer[stop]
}

// stop is why a split was stopped.
type stop struct{ by, why string }

// refreshSplit brings a name's split to what the store says.
func (r *Registry) refreshSplit(ctx context.Context, s *Set, name string) error {
	if r.Splits == nil {
		return nil
	}
	state, err := r.Splits.Split(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot read the split of prompt %q: %w", name, err)
	}
	if len(state.Shares) == 0 {
		delete(s.splits, name)
		return nil
	}
	served := s.byName[name]
	old := r.Snapshot().splits[name]
	if old != nil && old.since != state.Since {
		old = nil
	}
	if old != nil && old.served == served {
		s.splits[name] = old
		return nil
	}
	sp := &sharing{since: state.Since, shares: state.Shares, served: served}
	var sum uint64
	for _, n := range slices.Sorted(maps.Keys(state.Shares)) {
		l := served
		if n != served.Version {
			if l, err = r.version(ctx, name, n); err != nil {
				return err
			}
			l = l.at(served.Path)
		}
		sum += uint64(state.Shares[n])
		a := &Arm{Live: l, upTo: sum, of: sp}
		a.begin(state.Figures[n])
		if was := old.arm(n); was != nil { // what is stored lags behind
			a.begin(was.figures())
		}
		sp.arms = append(sp.arms, a)
	}
	s.splits[name] = sp
	return nil
}

// arm is that of a version; nil: it has none.
func (sp *sharing) arm(version int) *Arm {
	if sp == nil {
		return nil
	}
	for _, a := range sp.arms {
		if a.Live.Version == version {
			return a
		}
	}
	return nil
}

// Split is the share of each version of a prompt; nil: it is not split. The
// map must not be changed.
func (s *Set) Split(name string) map[int]int {
	if sp := s.splits[name]; sp != nil {
		return sp.shares
	}
	return nil
}

// Choose is the version that serves a caller who asked for none: of a split,
// always the same one for the same caller, as long as the split stands; else
// what production points to. No store is asked.
func (s *Set) Choose(l *Live, caller string) *Live {
	if a := s.Arm(l, caller); a != nil {
		return a.Live
	}
	return l
}

// Arm is Choose for calls whose figures are kept; nil: there is no split, or it
// has stopped.
func (s *Set) Arm(l *Live, caller string) *Arm {
	sp := s.splits[l.Name]
	if sp == nil || sp.stopped.Load() != nil {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.Name + "\x00" + caller)) // a hash takes everything
	at := spread(h.Sum64()) % sp.arms[len(sp.arms)-1].upTo
	for _, a := range sp.arms {
		if at < a.upTo {
			return a
		}
	}
	return nil // not reached: the last arm ends at the sum
}

// spread makes every bit of a hash count for all others (the finalizer of
// SplitMix64, Steele, Lea and Flood, 2014): FNV alone leaves names that differ
// in their last letter close together.
func spread(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
