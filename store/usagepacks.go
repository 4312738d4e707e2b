package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// eachPack reads the packs of days [lo, hi).
func (u *usageQuery) eachPack(ctx context.Context, column string, lo, hi int64, use func(day int64, pack []byte) error) error {
	text, args := "SELECT day, "+column+" FROM packs WHERE kind = ? AND day >= ? AND day < ?", []any{u.kind, lo, hi}
	if u.Only.User != "" {
		text, args = text+" AND shard IN (?, ?)", append(args, noShard, shardOf(u.Only.User))
	}
	rows, err := u.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var day int64
	var pack sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&day, &pack); err != nil {
			return err
		}
		if err := use(day, pack); err != nil {
			return fmt.Errorf("sums of day %d: %w", day, err)
		}
	}
	return rows.Err()
}

// addPack sums what is selected of a pack; parts are the intervals of its hours,
// -1: the hour is in none.
func (u *usageQuery) addPack(pack []byte, parts *[24]int32) error {
	p := &u.reader
	if err := p.open(pack); err != nil {
		return err
	}
	users, some := u.usersOf(p)
	if !some {
		return nil
	}
	if users != nil && u.alike(parts) {
		u.addUsers(p, users, parts[0])
		return cmp.Or(p.err, u.tooMany())
	}
	for p.nextDim() {
		id := groupID{class: u.class(p.dim)}
		if id.class < 0 {
			continue
		}
		for p.nextRow() {
			id.part = parts[p.hour]
			if id.part < 0 {
				continue
			}
			if users != nil {
				if id.user = users[p.user]; id.user < 0 {
					continue
				}
			}
			for _, id.tag = range u.tagged(p.tagset) {
				p.addTo(u.group(id))
			}
		}
	}
	return cmp.Or(p.err, u.tooMany())
}

// alike tells whether nothing but the user tells the rows of a pack apart.
func (u *usageQuery) alike(parts *[24]int32) bool {
	differs := slices.ContainsFunc(parts[1:], func(n int32) bool { return n != parts[0] })
	return len(u.values) == 1 && u.tagsOf == nil && u.Only.Tag == "" && !differs
}

// addUsers is addPack for rows that are alike: the group of each user is looked
// up once.
func (u *usageQuery) addUsers(p *unpacker, users []int32, part int32) {
	groups := make([]*sums, len(users))
	for p.nextDim() {
		if u.class(p.dim) < 0 {
			continue
		}
		for p.nextRow() {
			g := groups[p.user]
			if g == nil {
				if users[p.user] < 0 {
					continue
				}
				g = u.group(groupID{part: part, user: users[p.user]})
				groups[p.user] = g
			}
			p.addTo(g)
		}
	}
}

// usersOf are the numbers of a pack's users, -1: not selected; nil: it does not
// matter who they are. False: none is selected.
func (u *usageQuery) usersOf(p *unpacker) (numbers []int32, some bool) {
	byUser := slices.Contains(u.GroupBy, "user")
	if !byUser && u.Only.User == "" {
		return nil, true
	}
	u.packUsers = slices.Grow(u.packUsers[:0], len(p.users))
	for _, name := range p.users {
		number := int32(0)
		switch {
		case u.Only.User != "" && string(name) != u.Only.User:
			number = -1
		case byUser:
			number = u.users.numberOf(name)
		}
		some = some || number >= 0
		u.packUsers = append(u.packUsers, number)
	}
	return u.packUsers, some
}
