package shared

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ID is the place of a record in the log, as Redis gives it: a time in
// milliseconds and a number within it.
type ID struct{ At, N uint64 }

// ParseID reads an ID.
func ParseID(text string) (id ID, ok bool) {
	at, n, found := strings.Cut(text, "-")
	var err, errN error
	id.At, err = strconv.ParseUint(at, 10, 64)
	id.N, errN = strconv.ParseUint(n, 10, 64)
	return id, found && err == nil && errN == nil
}

// String is the ID as Redis writes it.
func (id ID) String() string { return fmt.Sprint(id.At, "-", id.N) }

func (id ID) compare(o ID) int { return cmp.Or(cmp.Compare(id.At, o.At), cmp.Compare(id.N, o.N)) }

// record is one of the log. A beginning purges nothing: it says that there was
// no log before it.
type record struct {
	id        ID
	purge     Purge
	beginning bool
}

// mostRecords bounds the log, in Redis (where it may be a little longer) and in
// memory. What was asked for before it begins is not given.
const mostRecords = 10_000

// history is what a replica knows of the log. The zero value knows nothing.
type history struct {
	mu    sync.RWMutex
	floor ID // what is older may have been purged by what is not known any more
	last  ID
	list  []record // by id
}

// known is the last record's id.
func (h *history) known() ID {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.last
}

func (h *history) find(id ID) (at int, found bool) {
	return slices.BinarySearchFunc(h.list, id, func(r record, id ID) int { return r.id.compare(id) })
}

// add takes in a record; false: it is there already.
func (h *history) add(r record) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, found := h.find(r.id)
	if found {
		return false
	}
	h.list = slices.Insert(h.list, at, r)
	h.last = h.list[len(h.list)-1].id
	if len(h.list) > mostRecords {
		h.floor = h.list[0].id
		h.list = slices.Delete(h.list, 0, 1)
	}
	return true
}

// load takes in the whole log, in the place of what was known.
func (h *history) load(list []record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = slices.Clone(list)
	h.floor, h.last = list[0].id, list[len(list)-1].id
}

// purged tells whether an answer that was asked for when mark was the last
// record may have been purged since; fits says whether a purge is of it.
func (h *history) purged(mark ID, fits func(Purge) bool) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if mark.compare(h.floor) < 0 {
		return true
	}
	at, found := h.find(mark)
	if found {
		at++
	}
	return slices.ContainsFunc(h.list[at:], func(r record) bool { return !r.beginning && fits(r.purge) })
}
