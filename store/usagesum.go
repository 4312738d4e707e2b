package store

import (
	"context"
	"database/sql"
	"errors"
)

// addEntries sums the entries of a span, which is shorter than an hour.
func (g *gatherer) addEntries(ctx context.Context, s span) error {
	rows, err := g.tx.QueryContext(ctx, sumsQuery+"WHERE time >= ? AND time < ?", s.lo, s.hi)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		_, row, err := scanSums(rows.Scan)
		if err != nil {
			return err
		}
		id := groupID{part: int32(s.n), class: g.class(row.dim)}
		if id.class < 0 || g.Only.User != "" && row.user != g.Only.User {
			continue
		}
		if g.byUser {
			id.user = g.users.number(row.user)
		}
		for _, id.tag = range g.tagged(row.tagset) {
			g.groups.of(id).add(&row.sums, 1)
		}
	}
	if err := rows.Err(); err != nil || s.lo%hour != 0 {
		return err
	}
	return g.addErased(ctx, s)
}

// addErased sums what was erased of the hour that a span begins: it counts at
// the hour's beginning, for nobody knows any more when in it that was.
func (g *gatherer) addErased(ctx context.Context, s span) error {
	var pack []byte
	err := g.tx.QueryRowContext(ctx, "SELECT rows FROM erased WHERE day = ?", s.lo/day).Scan(&pack)
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
	return g.addRows(pack, &parts)
}

// addDays sums whole days.
func (u *usageQuery) addDays(ctx context.Context, spans []span, to *spread) error {
	for _, s := range spans {
		var parts [24]int32
		for i := range parts {
			parts[i] = int32(s.n)
		}
		err := u.eachPack(ctx, "by_day", s.lo, s.hi, func(p pile) error {
			p.parts = &parts
			return to.add(p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addHours sums whole hours. Spans come in the order of time, several of a day.
func (u *usageQuery) addHours(ctx context.Context, spans []span, to *spread) error {
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
		err := u.eachPack(ctx, "by_hour", lo, hi, func(p pile) error {
			if p.parts = parts[p.day]; p.parts == nil {
				return nil
			}
			return to.add(p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachPack reads the packs of days [lo, hi), whose bytes stay as they are until
// use is done.
func (u *usageQuery) eachPack(ctx context.Context, column string, lo, hi int64, use func(pile) error) error {
	text, args := "SELECT day, shard, "+column+" FROM packs WHERE kind = ? AND day >= ? AND day < ?", []any{u.kind, lo, hi}
	if u.Only.User != "" {
		text, args = text+" AND shard IN (?, ?)", append(args, noShard, shardOf(u.Only.User))
	}
	rows, err := u.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var p pile
	for rows.Next() {
		if err := rows.Scan(&p.day, &p.shard, (*sql.RawBytes)(&p.bytes)); err != nil {
			return err
		}
		if err := use(p); err != nil {
			return err
		}
	}
	return rows.Err()
}
