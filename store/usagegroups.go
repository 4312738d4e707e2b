package store

import (
	"slices"
)

// groupID tells groups apart: an interval, the dims' values, tag and user, each
// by its number.
type groupID struct{ part, class, tag, user int32 }

// groups are the sums of groups, found by their numbers: in a table as long as
// that is of a decent size, else in a map.
type groups struct {
	parts, classes, tags int64 // how many there may be

	table []int32 // index in ids and sums + 1; 0: there is none yet
	other map[groupID]int32
	ids   []groupID
	sums  []*sums
	chunk []sums // where the next are made
}

const (
	// mostTable is how long the table of groups gets, of 4 bytes each.
	mostTable = 1 << 20
	// groupChunk is how many groups are made at once.
	groupChunk = 256
)

// slot is where the index of a group stands in the table; nil: not there.
func (g *groups) slot(id groupID) *int32 {
	at := ((int64(id.user)*g.classes+int64(id.class))*g.tags+int64(id.tag))*g.parts + int64(id.part)
	if at < int64(len(g.table)) {
		return &g.table[at]
	}
	if at >= mostTable {
		return nil
	}
	old := len(g.table)
	g.table = slices.Grow(g.table, int(at)+1-old)
	g.table = g.table[:min(cap(g.table), mostTable)]
	clear(g.table[old:])
	return &g.table[at]
}

// of is the sums of a group, made at its first use.
func (g *groups) of(id groupID) *sums {
	slot := g.slot(id)
	switch {
	case slot == nil:
		if i, ok := g.other[id]; ok {
			return g.sums[i]
		}
	case *slot != 0:
		return g.sums[*slot-1]
	}
	if len(g.chunk) == 0 {
		g.chunk = make([]sums, min(groupChunk, len(g.ids)+8))
	}
	s := &g.chunk[0]
	g.chunk = g.chunk[1:]
	g.put(id, slot, s)
	return s
}

// put makes s the sums of a group that has none yet.
func (g *groups) put(id groupID, slot *int32, s *sums) {
	if slot != nil {
		*slot = int32(len(g.ids) + 1)
	} else {
		if g.other == nil {
			g.other = map[groupID]int32{}
		}
		g.other[id] = int32(len(g.ids))
	}
	g.ids, g.sums = append(g.ids, id), append(g.sums, s)
}

// take adds the sums of a group, which are not the giver's any more.
func (g *groups) take(id groupID, s *sums) {
	slot := g.slot(id)
	there := slot != nil && *slot != 0
	if slot == nil {
		_, there = g.other[id]
	}
	if there {
		g.of(id).add(s, 1)
		return
	}
	g.put(id, slot, s)
}

// gatherer sums packs and entries into groups, one goroutine at a time. It only
// reads its query.
type gatherer struct {
	*usageQuery
	users  numbering
	groups groups

	reader    unpacker
	packUsers []int32 // of the pack that is read: see usersOf
}

func newGatherer(u *usageQuery) *gatherer {
	return &gatherer{usageQuery: u, groups: groups{parts: int64(len(u.parts)), classes: int64(max(1, len(u.values))), tags: int64(max(1, len(u.tags.text)))}}
}

// addPack sums what is selected of a pack.
func (g *gatherer) addPack(p *pile) error {
	before := len(g.groups.ids)
	if err := g.addRows(p.bytes, p.parts); err != nil {
		return err
	}
	return g.tooMany(p.shard, len(g.groups.ids)-before)
}

// addRows sums what is selected of a pack; parts are the intervals of its hours,
// -1: the hour is in none.
func (g *gatherer) addRows(pack []byte, parts *[24]int32) error {
	p := &g.reader
	if err := p.open(pack); err != nil {
		return err
	}
	users, some := g.usersOf(p)
	if !some {
		return nil
	}
	for p.nextDim() {
		id := groupID{class: g.class(p.dim)}
		if id.class < 0 {
			continue
		}
		for p.nextRow() {
			id.part = parts[p.hour]
			if id.part < 0 {
				continue
			}
			if users != nil {
				if id.user = users[p.user]; id.user == unknownUser {
					id.user = g.users.numberOf(p.users[p.user])
					users[p.user] = id.user
				}
				if id.user < 0 {
					continue
				}
			}
			for _, id.tag = range g.tagged(p.tagset) {
				p.addTo(g.groups.of(id))
			}
		}
	}
	return p.err
}

const (
	otherUser   = -1 // not selected
	unknownUser = -2 // has no number yet
)

// usersOf are the numbers of a pack's users; nil: it does not matter who they
// are. False: none is selected. Those who matter get their numbers at their
// first row, for most may have none that is selected.
func (g *gatherer) usersOf(p *unpacker) (numbers []int32, some bool) {
	if !g.byUser && g.Only.User == "" {
		return nil, true
	}
	g.packUsers = slices.Grow(g.packUsers[:0], len(p.users))
	for _, name := range p.users {
		number := int32(unknownUser)
		if g.Only.User != "" && string(name) != g.Only.User {
			number = otherUser
		} else if !g.byUser {
			number = 0
		}
		some = some || number != otherUser
		g.packUsers = append(g.packUsers, number)
	}
	return g.packUsers, some
}

// take adds what another has summed, who is done.
func (g *gatherer) take(o *gatherer) {
	numbers := make([]int32, max(1, len(o.users.text)))
	for i, name := range o.users.text {
		numbers[i] = g.users.number(name)
	}
	for i, id := range o.groups.ids {
		id.user = numbers[id.user]
		g.groups.take(id, o.groups.sums[i])
	}
}
