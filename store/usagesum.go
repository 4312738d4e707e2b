package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// addEntries sums the entries of a span, which is shorter than an hour.
func (u *usageQuery) addEntries(ctx context.Context, s span) error {
	rows, err := u.tx.QueryContext(ctx, sumsQuery+"WHERE time >= ? AND time < ?", s.lo, s.hi)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	byUser := slices.Contains(u.GroupBy, "user")
	for rows.Next() {
		_, row, err := scanSums(rows.Scan)
		if err != nil {
			return err
		}
		id := groupID{part: int32(s.n), class: u.class(row.dim)}
		if id.class < 0 || u.Only.User != "" && row.user != u.Only.User {
			continue
		}
		if byUser {
			id.user = u.users.number(row.user)
		}
		for _, id.tag = range u.tagged(row.tagset) {
			u.group(id).add(&row.sums, 1)
		}
	}
	if err := rows.Err(); err != nil || s.lo%hour != 0 {
		return err
	}
	return u.addErased(ctx, s)
}

// addErased sums what was erased of the hour that a span begins: it counts at
// the hour's beginning, for nobody knows any more when in it that was.
func (u *usageQuery) addErased(ctx context.Context, s span) error {
	var pack []byte
	err := u.tx.QueryRowContext(ctx, "SELECT rows FROM erased WHERE day = ?", s.lo/day).Scan(&pack)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var parts [24]int32
	for i := range parts {
		parts[i] = -1
	}
	parts[s.lo%day/hour] = int32(s.n)
	return u.addPack(pack, &parts)
}

// addDays sums whole days.
func (u *usageQuery) addDays(ctx context.Context, spans []span) error {
	for _, s := range spans {
		var parts [24]int32
		for i := range parts {
			parts[i] = int32(s.n)
		}
		err := u.eachPack(ctx, "days", s.lo, s.hi, func(_ int64, pack []byte) error { return u.addPack(pack, &parts) })
		if err != nil {
			return err
		}
	}
	return nil
}

// addHours sums whole hours. Spans come in the order of time, several of a day.
func (u *usageQuery) addHours(ctx context.Context, spans []span) error {
	parts := map[int64]*[24]int32{}
	for _, s := range spans {
		for h := s.lo; h < s.hi; h++ {
			at := parts[h/24]
			if at == nil {
				at = new([24]int32)
				for i := range at {
					at[i] = -1
				}
				parts[h/24] = at
			}
			at[h%24] = int32(s.n)
		}
	}
	// Neighbouring days are read by one statement.
	for i := 0; i < len(spans); {
		lo, hi := spans[i].lo/24, ceilDiv(spans[i].hi, 24)
		for i++; i < len(spans) && spans[i].lo/24 <= hi; i++ {
			hi = max(hi, ceilDiv(spans[i].hi, 24))
		}
		err := u.eachPack(ctx, "hours", lo, hi, func(day int64, pack []byte) error {
			if parts[day] == nil {
				return nil
			}
			return u.addPack(pack, parts[day])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

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
