package store

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// spread sums packs on several goroutines while more are read. Each has packs
// of its own days, or of its own users, so that little of what they sum is in
// common.
type spread struct {
	main    *gatherer
	piles   [][]pile // that wait, for each goroutine
	size    int      // of these
	workers []*worker
	group   sync.WaitGroup
}

// pile is a pack, and what it is added as.
type pile struct {
	day   int64
	shard int
	parts *[24]int32 // the intervals of its hours; -1: the hour is in none
	bytes []byte
}

const (
	// mostWorkers is how many goroutines sum one report.
	mostWorkers = 8
	// pileSize is how many bytes of packs wait for the goroutines, smallPile
	// what is summed without any.
	pileSize  = 4 << 20
	smallPile = 512 << 10
)

// worker is one of the goroutines.
type worker struct {
	*gatherer
	work chan []pile
	err  error
}

func newSpread(main *gatherer) *spread {
	return &spread{main: main, piles: make([][]pile, min(runtime.GOMAXPROCS(0), mostWorkers))}
}

// add adds a pack, some time.
func (s *spread) add(p pile) error {
	n := int(p.day)
	if p.shard >= 0 {
		n = p.shard
	}
	n %= len(s.piles)
	s.piles[n] = append(s.piles[n], p)
	if s.size += len(p.bytes); s.size < pileSize {
		return nil
	}
	return s.flush()
}

// flush hands over what waits.
func (s *spread) flush() error {
	if len(s.piles) == 1 || s.workers == nil && s.size < smallPile {
		for i, p := range s.piles {
			s.piles[i] = nil
			if err := s.main.addPiles(p); err != nil {
				return err
			}
		}
		s.size = 0
		return nil
	}
	if s.workers == nil {
		s.start()
	}
	for i, w := range s.workers {
		w.work <- s.piles[i]
		s.piles[i] = nil
	}
	s.size = 0
	if s.main.failed.Load() {
		return s.end()
	}
	return nil
}

func (s *spread) start() {
	for range s.piles {
		w := &worker{gatherer: newGatherer(s.main.usageQuery), work: make(chan []pile, 1)}
		s.workers = append(s.workers, w)
		s.group.Go(func() {
			for piles := range w.work {
				if w.err != nil {
					continue
				}
				if w.err = w.addPiles(piles); w.err != nil {
					w.failed.Store(true)
				}
			}
		})
	}
}

// addPiles adds packs, those of the same users one after the other: their sums
// are near then.
func (g *gatherer) addPiles(piles []pile) error {
	slices.SortStableFunc(piles, func(a, b pile) int { return cmp.Compare(a.shard, b.shard) })
	for i := range piles {
		if g.failed.Load() {
			return nil
		}
		if err := g.addPack(&piles[i]); err != nil {
			return fmt.Errorf("sums of day %d: %w", piles[i].day, err)
		}
	}
	return nil
}

// end waits for the goroutines, and gives the first error of one.
func (s *spread) end() error {
	var err error
	for _, w := range s.workers {
		close(w.work)
	}
	s.group.Wait()
	for _, w := range s.workers {
		err = cmp.Or(err, w.err)
	}
	s.workers = nil
	return err
}

// finish adds what waits, and puts all that was summed together.
func (s *spread) finish() error {
	if err := s.flush(); err != nil {
		return err
	}
	workers := s.workers
	if err := s.end(); err != nil {
		return err
	}
	for _, w := range workers {
		s.main.take(w.gatherer)
	}
	return s.main.tooMany(noShard, 0)
}
