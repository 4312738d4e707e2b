package httpcache

import (
	"container/list"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"sluice/gateway/shared"
)

// shards is how many locks the entries are spread over.
const shards = 16

// Store keeps entries in memory, those used last, within a bound of bytes. It is
// safe for concurrent use.
type Store struct {
	most   int64         // bytes of a shard
	level  *shared.Level // the second; nil: there is none
	seed   maphash.Seed
	purges atomic.Int64
	counts counts
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	items map[string]map[string]*resource // by what a place is at, then by its space
	open  map[string]*Flight
	tags  map[string]map[*list.Element]bool
	order list.List // of *Entry, used last first
	bytes int64
}

// resource is the entries of one place.
type resource struct {
	vary     []string // what the last answer varied by
	variants map[string]*list.Element
}

// New makes a store of at most so many bytes, of which an entry may take a
// sixteenth.
func New(most int64) *Store {
	s := &Store{most: most / shards, seed: maphash.MakeSeed()}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.items, sh.open, sh.tags = map[string]map[string]*resource{}, map[string]*Flight{}, map[string]map[*list.Element]bool{}
	}
	return s
}

func (s *Store) shard(key string) *shard { return &s.shards[maphash.String(s.seed, key)%shards] }

// lock locks the shard of a place, and gives what is kept there; nil: nothing.
func (s *Store) lock(p *Place) (*shard, *resource) {
	at := p.at()
	sh := s.shard(at)
	sh.mu.Lock()
	return sh, sh.items[at][p.Space]
}

// Find finds the entry at a place for a request, fresh or not; nil: there is
// none.
func (s *Store) Find(p *Place, h *fasthttp.RequestHeader) *Entry {
	sh, r := s.lock(p)
	defer sh.mu.Unlock()
	if r == nil {
		return nil
	}
	el := r.variants[ValuesOf(r.vary, h)]
	if el == nil {
		return nil
	}
	sh.order.MoveToFront(el)
	return el.Value.(*Entry)
}

// Varied tells whether something is kept at a place, for whatever request.
func (s *Store) Varied(p *Place) bool {
	sh, r := s.lock(p)
	defer sh.mu.Unlock()
	if r == nil {
		return false
	}
	for _, el := range r.variants {
		if el.Value.(*Entry).Status != 0 {
			return true
		}
	}
	return false
}

// Put keeps an entry that a flight has brought, in the place of what was there.
// It tells whether it did: not what is too large, nor what may be older than a
// purge.
func (s *Store) Put(e *Entry, f *Flight) bool {
	if !s.put(e, f) {
		return false
	}
	if f.further.mark != (shared.Mark{}) {
		s.pass(e, f)
	}
	return true
}

func (s *Store) put(e *Entry, f *Flight) bool {
	at, size := e.at(), e.Size()
	if size > s.most {
		return false
	}
	sh := s.shard(at)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.purges.Load() != f.purges || f.spoilt {
		return false
	}
	if r := sh.items[at][e.Space]; r != nil && !slices.Equal(r.vary, e.Vary) { // the others cannot be found any more
		for _, el := range r.variants {
			s.drop(sh, el)
		}
	} else if r != nil && r.variants[e.Values] != nil {
		s.drop(sh, r.variants[e.Values])
	}
	for sh.bytes+size > s.most {
		s.counts.evicted.Add(1)
		s.drop(sh, sh.order.Back())
	}
	if sh.items[at] == nil {
		sh.items[at] = map[string]*resource{}
	}
	r := sh.items[at][e.Space]
	if r == nil {
		r = &resource{vary: e.Vary, variants: map[string]*list.Element{}}
		sh.items[at][e.Space] = r
	}
	el := sh.order.PushFront(e)
	r.variants[e.Values] = el
	sh.bytes += size
	for _, tag := range e.Tags {
		if sh.tags[tag] == nil {
			sh.tags[tag] = map[*list.Element]bool{}
		}
		sh.tags[tag][el] = true
	}
	if e.Status != 0 {
		s.counts.kept.Add(1)
	}
	return true
}

// drop takes an entry out. The shard is locked.
func (s *Store) drop(sh *shard, el *list.Element) {
	e := el.Value.(*Entry)
	at := e.at()
	sh.order.Remove(el)
	sh.bytes -= e.Size()
	for _, tag := range e.Tags {
		if delete(sh.tags[tag], el); len(sh.tags[tag]) == 0 {
			delete(sh.tags, tag)
		}
	}
	r := sh.items[at][e.Space]
	delete(r.variants, e.Values)
	if len(r.variants) > 0 {
		return
	}
	delete(sh.items[at], e.Space)
	if len(sh.items[at]) == 0 {
		delete(sh.items, at)
	}
}

// Forget takes out all that is kept at a place, for whomever: it has changed.
// What is under way there is not kept.
func (s *Store) Forget(p *Place) {
	at := p.at()
	sh := s.shard(at)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, f := range sh.open {
		f.spoilt = f.spoilt || f.at == at
	}
	for _, r := range sh.items[at] {
		for _, el := range r.variants {
			s.drop(sh, el)
		}
	}
}

// Selection says which entries to purge: those that fit every field that is not
// empty.
type Selection struct {
	URI    string // path and query
	Prefix string // how they begin
	Tag    string
}

func (q *Selection) fits(e *Entry) bool {
	return (q.URI == "" || e.URI == q.URI) && strings.HasPrefix(e.URI, q.Prefix) && (q.Tag == "" || slices.Contains(e.Tags, q.Tag))
}

// Purge takes out what is selected and tells how many entries that were. No
// answer that is under way is kept.
func (s *Store) Purge(q Selection) (n int64) {
	s.purges.Add(1)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for el := range sh.among(q.Tag) {
			if e := el.Value.(*Entry); q.fits(e) {
				s.drop(sh, el)
				if e.Status != 0 {
					n++
				}
			}
		}
		sh.mu.Unlock()
	}
	s.counts.purged.Add(n)
	return n
}

// among are the entries with a tag; empty: all. The shard is locked, and what was
// given may be dropped.
func (sh *shard) among(tag string) iter.Seq[*list.Element] {
	if tag != "" {
		return maps.Keys(sh.tags[tag])
	}
	return func(yield func(*list.Element) bool) {
		for el := sh.order.Front(); el != nil; {
			next := el.Next()
			if !yield(el) {
				return
			}
			el = next
		}
	}
}

// Size is the entries that are kept, and their bytes.
func (s *Store) Size() (entries, bytes int64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		entries, bytes = entries+int64(sh.order.Len()), bytes+sh.bytes
		sh.mu.Unlock()
	}
	return entries, bytes
}

// Flight is a request under way whose answer others wait for.
type Flight struct {
	at, key string
	purges  int64 // when it began
	spoilt  bool  // what it brings may be old; under the shard's lock
	further further

	done  chan struct{}
	entry *Entry
	again bool
}

// Join tells which request is under way for a place, and for what its headers of
// these names hold. leads is true for whoever has to make it now, and to End it.
func (s *Store) Join(p *Place, vary []string, h *fasthttp.RequestHeader) (f *Flight, leads bool) {
	at := p.at()
	key := at + "\x00" + p.Space + "\x00" + ValuesOf(vary, h)
	sh := s.shard(at)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f = sh.open[key]; f != nil {
		return f, false
	}
	f = &Flight{at: at, key: key, purges: s.purges.Load(), done: make(chan struct{})}
	sh.open[key] = f
	return f, true
}

// End tells all who wait how it went: the entry; or without one that they are to
// join again, for the request did not go on (its caller left), or that each is
// to go on by itself.
func (s *Store) End(f *Flight, e *Entry, again bool) {
	sh := s.shard(f.at)
	sh.mu.Lock()
	delete(sh.open, f.key)
	sh.mu.Unlock()
	f.entry, f.again = e, again
	close(f.done)
}

// Done is closed when the flight is over.
func (f *Flight) Done() <-chan struct{} { return f.done }

// Outcome is that of a flight which is over; see End.
func (f *Flight) Outcome() (e *Entry, again bool) { return f.entry, f.again }
