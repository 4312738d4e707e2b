package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
)

// How packs grow: a transaction leaves one for each day and kind, levelSize of
// a level become one of the next, and all of a day that is over become one.
const (
	levelSize  = 16
	finalLevel = 99
	// patience is how many transactions a day that is over waits for stragglers.
	patience = 8
)

// tally gathers what a transaction adds to the packs.
type tally map[int64]*dayTally // by day

// dayTally is a row for each key: of a busy gateway's batch nearly all are alike.
type dayTally struct {
	rows []packRow
	at   map[packKey]int // in rows
	last int             // the row that was added to last
}

func (t tally) add(at int64, key packKey, s *sums) {
	key.hour = at % day / hour
	t.put(at/day, packRow{key, *s})
}

// put adds a row to those of a day.
func (t tally) put(d int64, row packRow) {
	of := t[d]
	if of == nil {
		of = &dayTally{at: map[packKey]int{}}
		t[d] = of
	}
	if len(of.rows) > 0 && of.rows[of.last].packKey == row.packKey {
		of.rows[of.last].sums.add(&row.sums, 1)
		return
	}
	i, known := of.at[row.packKey]
	if known {
		of.rows[i].sums.add(&row.sums, 1)
	} else {
		i = len(of.rows)
		of.at[row.packKey] = i
		of.rows = append(of.rows, row)
	}
	of.last = i
}

// pack makes a pack of rows in any order.
func pack(rows []packRow, k kind, hours bool) []byte {
	type ref struct {
		packKey
		n int
	}
	order := make([]ref, len(rows))
	for i := range rows {
		order[i] = ref{k.of(rows[i].packKey), i}
		if !hours {
			order[i].hour = 0
		}
	}
	slices.SortFunc(order, func(a, b ref) int { return a.compare(&b.packKey) })
	p := newPacker()
	for i := 0; i < len(order); {
		key := order[i].packKey
		s := rows[order[i].n].sums
		for i++; i < len(order) && order[i].packKey == key; i++ {
			s.add(&rows[order[i].n].sums, 1)
		}
		p.add(&key, &s)
	}
	return p.bytes()
}

const insertPack = "INSERT INTO packs (day, kind, level, shard, by_day, by_hour) VALUES (?, ?, ?, ?, ?, ?)"

// The users of a day that is over are spread over some packs, so that a report
// of one user reads the packs that it may be in.
const (
	userShards = 16
	noShard    = -1
)

func shardOf(user string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user)) // a hash never fails
	return int(h.Sum32() % userShards)
}

// write adds the packs of what was gathered.
func (t tally) write(ctx context.Context, tx *sql.Tx) error {
	for day, of := range t {
		for k := range kinds {
			if _, err := tx.ExecContext(ctx, insertPack, day, k, 0, noShard, pack(of.rows, k, false), pack(of.rows, k, true)); err != nil {
				return fmt.Errorf("cannot add to the sums: %w", err)
			}
		}
	}
	return nil
}

// tidier keeps packs few. The ledger's lock guards it.
type tidier struct {
	known bool          // loose has what earlier processes left
	fresh map[int64]int // transactions of a day since its levels were looked at
	loose map[int64]int // days with several packs → transactions to wait
	last  int64         // the newest day
}

// tidy merges packs after a transaction that wrote some days. Reports are right
// without it, only slower.
func (l *Ledger) tidy(ctx context.Context, days tally) error {
	t := &l.tidier
	if !t.known {
		t.fresh, t.loose = map[int64]int{}, map[int64]int{}
		if err := l.findLoose(ctx); err != nil {
			return err
		}
		t.known = true
	}
	for d := range t.loose {
		t.loose[d]--
	}
	for d := range days {
		t.last = max(t.last, d)
		t.loose[d] = patience
		if t.fresh[d]++; t.fresh[d] >= levelSize {
			delete(t.fresh, d)
			if err := l.mergeLevels(ctx, d); err != nil {
				return err
			}
		}
	}
	for d, wait := range t.loose {
		if d < t.last && wait <= 0 { // one a transaction: none takes long
			delete(t.loose, d)
			delete(t.fresh, d)
			return l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return mergeDay(ctx, tx, d) })
		}
	}
	return nil
}

// findLoose finds the days with more than one pack of a kind.
func (l *Ledger) findLoose(ctx context.Context) error {
	rows, err := l.read.QueryContext(ctx, "SELECT day FROM packs WHERE kind = 0 GROUP BY day HAVING count(*) > 1")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d int64
		if err := rows.Scan(&d); err != nil {
			return err
		}
		l.tidier.loose[d] = patience
	}
	return rows.Err()
}

// mergeLevels makes one pack of each level that is full.
func (l *Ledger) mergeLevels(ctx context.Context, d int64) error {
	return l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for k := range kinds {
			for level := 0; level < finalLevel-1; level++ {
				packs, err := readPacks(ctx, tx, "kind = ? AND day = ? AND level = ?", k, d, level)
				if err != nil {
					return err
				}
				if len(packs.ids) < levelSize {
					break
				}
				if err := packs.replace(ctx, tx, k, d, level+1); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// mergeDay makes one pack of all of a day, of each kind.
func mergeDay(ctx context.Context, tx *sql.Tx, d int64) error {
	for k := range kinds {
		packs, err := readPacks(ctx, tx, "kind = ? AND day = ?", k, d)
		if err != nil {
			return err
		}
		if len(packs.ids) > 1 {
			if err := packs.replace(ctx, tx, k, d, finalLevel); err != nil {
				return err
			}
		}
	}
	return nil
}

// packsRead are packs of one day and kind.
type packsRead struct {
	ids         []int64
	days, hours [][]byte
}

func readPacks(ctx context.Context, tx *sql.Tx, where string, args ...any) (p packsRead, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, by_day, by_hour FROM packs WHERE "+where+" ORDER BY id", args...)
	if err != nil {
		return p, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var days, hours []byte
		if err := rows.Scan(&id, &days, &hours); err != nil {
			return p, err
		}
		p.ids, p.days, p.hours = append(p.ids, id), append(p.days, days), append(p.hours, hours)
	}
	return p, rows.Err()
}

// replace puts one pack in place of these.
func (p *packsRead) replace(ctx context.Context, tx *sql.Tx, k kind, d int64, level int) error {
	shards := []int{noShard}
	if k.hasUsers() && level == finalLevel {
		shards = shards[:0]
		for i := range userShards {
			shards = append(shards, i)
		}
	}
	days, err := repackShards(p.days, len(shards))
	if err != nil {
		return err
	}
	hours, err := repackShards(p.hours, len(shards))
	if err != nil {
		return err
	}
	for _, id := range p.ids {
		if _, err := tx.ExecContext(ctx, "DELETE FROM packs WHERE id = ?", id); err != nil {
			return err
		}
	}
	for i, shard := range shards {
		if _, err = tx.ExecContext(ctx, insertPack, d, k, level, shard, days[i], hours[i]); err != nil {
			return err
		}
	}
	return nil
}

// rebuildChunk is how many entries make a pack while all are made anew.
const rebuildChunk = 20_000

// rebuild makes the packs of a ledger that has entries and none. Where another
// replica does it already, which may take minutes, it waits for that.
func (l *Ledger) rebuild(ctx context.Context) error {
	for {
		err := l.rebuildOnce(ctx)
		if err == nil || l.postgres == nil || wordsOf(err) != wordLocked || ctx.Err() != nil {
			return err
		}
	}
}

func (l *Ledger) rebuildOnce(ctx context.Context) error {
	var needed bool
	err := l.read.QueryRowContext(ctx, `SELECT (EXISTS (SELECT 1 FROM entries) OR EXISTS (SELECT 1 FROM erased))
		AND NOT EXISTS (SELECT 1 FROM packs)`).Scan(&needed)
	if err != nil || !needed {
		return err
	}
	return l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var done bool // by another replica
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM packs)").Scan(&done); err != nil || done {
			return err
		}
		return rebuildPacks(ctx, l.read, tx)
	})
}

// rebuildPacks reads from a database, as a transaction that writes between rows
// cannot.
func rebuildPacks(ctx context.Context, from querier, tx *sql.Tx) error {
	rows, err := from.QueryContext(ctx, sumsQuery+"ORDER BY time")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	gathered, n, last := tally{}, 0, int64(-1)
	put := func(next int64) error {
		if n < rebuildChunk && next == last {
			return nil
		}
		if err := gathered.write(ctx, tx); err != nil {
			return err
		}
		gathered, n = tally{}, 0
		if next != last && last >= 0 {
			return mergeDay(ctx, tx, last)
		}
		return nil
	}
	for rows.Next() {
		at, row, err := scanSums(rows.Scan)
		if err != nil {
			return err
		}
		if err := put(at / day); err != nil {
			return err
		}
		last = at / day
		gathered.add(at, row.packKey, &row.sums)
		n++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if err := put(-1); err != nil {
		return err
	}
	return rebuildErased(ctx, from, tx)
}
