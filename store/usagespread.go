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
	heaps   []*heap // that wait, for each goroutine
	size    int     // of these
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

// heap is packs that are added together, and where their bytes are.
type heap struct {
	piles []pile
	bytes []byte
}

// heaps are those that no report uses.
var heaps = sync.Pool{New: func() any { return &heap{} }}

func (h *heap) free() {
	h.piles, h.bytes = h.piles[:0], h.bytes[:0]
	heaps.Put(h)
}

// mostWorkers is how many goroutines sum one report.
const mostWorkers = 8

// Tests have them smaller.
var (
	// heapSize is how many bytes of packs wait for the goroutines, smallHeap
	// what is summed without any.
	heapSize  = 4 << 20
	smallHeap = 512 << 10
)

// worker is one of the goroutines.
type worker struct {
	*gatherer
	work chan *heap
	err  error
}

func newSpread(main *gatherer) *spread {
	s := &spread{main: main, heaps: make([]*heap, min(runtime.GOMAXPROCS(0), mostWorkers))}
	for i := range s.heaps {
		s.heaps[i] = heaps.Get().(*heap)
	}
	return s
}

// add adds a pack, some time. It keeps a copy of its bytes.
func (s *spread) add(p pile) error {
	n := int(p.day)
	if p.shard >= 0 {
		n = p.shard
	}
	h := s.heaps[n%len(s.heaps)]
	at := len(h.bytes)
	h.bytes = append(h.bytes, p.bytes...)
	p.bytes = h.bytes[at:]
	h.piles = append(h.piles, p)
	most := heapSize
	if s.workers == nil {
		most = 2 * smallHeap // so that they begin soon
	}
	if s.size += len(p.bytes); s.size < most {
		return nil
	}
	return s.flush()
}

// flush hands over what waits.
func (s *spread) flush() error {
	alone := len(s.heaps) == 1 || s.workers == nil && s.size < smallHeap
	if !alone && s.workers == nil {
		s.start()
	}
	s.size = 0
	for i, h := range s.heaps {
		if !alone {
			s.workers[i].work <- h
			s.heaps[i] = heaps.Get().(*heap)
			continue
		}
		if err := s.main.addPiles(h.piles); err != nil {
			return err
		}
		h.piles, h.bytes = h.piles[:0], h.bytes[:0]
	}
	if s.main.failed.Load() {
		return s.end()
	}
	return nil
}

func (s *spread) start() {
	for range s.heaps {
		w := &worker{gatherer: newGatherer(s.main.usageQuery), work: make(chan *heap, 1)}
		s.workers = append(s.workers, w)
		s.group.Go(func() {
			for h := range w.work {
				if w.err == nil {
					w.err = w.addPiles(h.piles)
				}
				if w.err != nil {
					w.failed.Store(true)
				}
				h.free()
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
	for _, h := range s.heaps {
		h.free()
	}
	s.heaps = nil
	return err
}

// finish adds what waits, and puts all that was summed together.
func (s *spread) finish() error {
	if err := s.flush(); err != nil {
		return cmp.Or(s.end(), err)
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
