package cache

import (
	"container/list"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/shared"
	"sluice/providers/dialect"
)

// shards is how many locks the answers are spread over.
const shards = 16

// Store keeps answers in memory, those used last, within a bound of bytes. It
// is safe for concurrent use.
type Store struct {
	Index  Index
	Counts Counts

	level    *shared.Level // the second; nil: there is none
	dialects []*dialect.Dialect

	most   int64 // bytes of a shard
	seed   maphash.Seed
	purges atomic.Int64
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	items map[string]*list.Element // of *Answer, by key
	order list.List                // used last first
	open  map[string]*Flight       // by key
	bytes int64
}

// New makes a store of at most so many bytes, of which an answer may take a
// sixteenth.
func New(most int64) *Store {
	s := &Store{most: most / shards, seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].items, s.shards[i].open = map[string]*list.Element{}, map[string]*Flight{}
	}
	return s
}

func (s *Store) shard(key string) *shard { return &s.shards[maphash.String(s.seed, key)%shards] }

// Get finds the answer of a key that is no older than ttl; nil: there is none.
func (s *Store) Get(key string, ttl time.Duration, now time.Time) *Answer {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	el := sh.items[key]
	if el == nil {
		return nil
	}
	a := el.Value.(*Answer)
	if !now.Before(a.Until) {
		s.drop(sh, el)
		s.Counts.expired.Add(1)
		return nil
	}
	if !a.Fresh(ttl, now) { // the lifetime has been made shorter
		return nil
	}
	sh.order.MoveToFront(el)
	return a
}

// Purges counts the purges so far. An answer that was asked for before one must
// not be put after it.
func (s *Store) Purges() int64 { return s.purges.Load() }

// Put keeps an answer that was asked for when Purges was purges, in the place of
// what had its key. It tells whether it did: one that is too large is not kept.
func (s *Store) Put(a *Answer, purges int64) bool {
	size := a.Size()
	if size > s.most {
		return false
	}
	sh := s.shard(a.Key.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.purges.Load() != purges {
		return false
	}
	if el := sh.items[a.Key.Name]; el != nil {
		s.drop(sh, el)
	}
	for sh.bytes+size > s.most {
		last := sh.order.Back()
		if a.Made.Before(last.Value.(*Answer).Until) {
			s.Counts.evicted.Add(1)
		} else {
			s.Counts.expired.Add(1)
		}
		s.drop(sh, last)
	}
	sh.items[a.Key.Name] = sh.order.PushFront(a)
	sh.bytes += size
	if a.Point != nil {
		s.Index.add(a)
	}
	s.Counts.kept.Add(1)
	return true
}

// drop takes an answer out. The shard is locked.
func (s *Store) drop(sh *shard, el *list.Element) {
	a := el.Value.(*Answer)
	sh.order.Remove(el)
	delete(sh.items, a.Key.Name)
	sh.bytes -= a.Size()
	if a.Point != nil {
		s.Index.remove(a)
	}
}

// Remove takes out the answer of a key, where it is still this one.
func (s *Store) Remove(a *Answer) {
	sh := s.shard(a.Key.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if el := sh.items[a.Key.Name]; el != nil && el.Value.(*Answer) == a {
		s.drop(sh, el)
	}
}

// Selection says which answers to purge: those that fit every field that is not
// empty.
type Selection struct {
	Key    string // the whole name of a key
	Prefix string // how the name of a key begins
	Model  string // the name that was asked for
	Tag    string // one of the tags of the call that an answer was made for
}

func (q *Selection) fits(a *Answer) bool {
	if q.Key != "" && a.Key.Name != q.Key || q.Model != "" && a.Key.Model != q.Model || !strings.HasPrefix(a.Key.Name, q.Prefix) {
		return false
	}
	if q.Tag == "" {
		return true
	}
	for _, tag := range a.Tags {
		if tag == q.Tag {
			return true
		}
	}
	return false
}

// Purge takes out what is selected and tells how many answers that were. No
// answer that is under way is kept.
func (s *Store) Purge(q Selection) (n int64) {
	s.purges.Add(1)
	s.sweep(func(a *Answer) bool {
		if !q.fits(a) {
			return false
		}
		n++
		return true
	})
	s.Counts.purged.Add(n)
	return n
}

// sweep takes out the answers of which gone says so.
func (s *Store) sweep(gone func(*Answer) bool) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for el := sh.order.Front(); el != nil; {
			next := el.Next()
			if gone(el.Value.(*Answer)) {
				s.drop(sh, el)
			}
			el = next
		}
		sh.mu.Unlock()
	}
}
