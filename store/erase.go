package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"sluice/billing"
)

// eraseChunk is how many entries are erased in one transaction: other writers
// wait for no longer than that takes.
const eraseChunk = 5000

// LedgerTeams are all teams that have, or had, entries.
func (l *Ledger) LedgerTeams(ctx context.Context) ([]string, error) {
	rows, err := l.read.QueryContext(ctx, "SELECT DISTINCT team FROM dims ORDER BY team")
	if err != nil {
		return nil, fmt.Errorf("cannot list the teams of the ledger: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var teams []string
	for rows.Next() {
		var team string
		if err := rows.Scan(&team); err != nil {
			return nil, err
		}
		teams = append(teams, team)
	}
	return teams, rows.Err()
}

// Erase erases: see billing.Erasure. What it has done when an error comes stays
// done. Deleted bytes are overwritten, in the database and in its log. Clear the
// spool first: a record in it would come back with the next start.
func (l *Ledger) Erase(ctx context.Context, e billing.Erasure) (out billing.Erased, err error) {
	end := int64(math.MaxInt64)
	if !e.Before.IsZero() {
		end = unix(e.Before)
	}
	for from := int64(math.MinInt64); ; {
		first, ok, err := l.firstOf(ctx, e.Team, from)
		if err != nil {
			return out, fmt.Errorf("cannot erase: %w", err)
		}
		if !ok || first >= end {
			break
		}
		d := first / day
		for {
			n, err := l.erasePart(ctx, e, d, min(end, (d+1)*day), &out)
			if err != nil {
				return out, fmt.Errorf("cannot erase: %w", err)
			}
			if n < eraseChunk {
				break
			}
		}
		from = (d + 1) * day
	}
	if out.Entries > 0 {
		// The log holds pages as they were. While somebody reads, it is kept: then
		// the next checkpoint that is let do so clears it.
		if l.postgres == nil {
			_, _ = l.write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		}
	}
	return out, nil
}

// firstOf is the time of a team's first entry from a time on.
func (l *Ledger) firstOf(ctx context.Context, team string, from int64) (int64, bool, error) {
	var first sql.NullInt64
	err := l.read.QueryRowContext(ctx, `SELECT min(first) FROM (SELECT
		(SELECT min(time) FROM entries WHERE dim = d.id AND time >= ?) AS first FROM dims d WHERE team = ?) AS firsts`, from, team).Scan(&first)
	return first.Int64, first.Valid, err
}

// erasePart erases some of a day, in one transaction.
func (l *Ledger) erasePart(ctx context.Context, e billing.Erasure, d, end int64, out *billing.Erased) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var usd int64
	err = l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ids, err := toErase(ctx, tx, e, d, end)
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		p := erasing{keep: e.User != "", day: d}
		if err := p.read(ctx, tx, string(list)); err != nil {
			return err
		}
		usd = p.usd
		return p.write(ctx, tx, string(list))
	})
	if err == nil {
		out.Entries, out.USD = out.Entries+int64(n), out.USD+billing.Nano(usd)
	}
	return n, err
}

// toErase selects entries. Corrections only lose their user.
func toErase(ctx context.Context, tx *sql.Tx, e billing.Erasure, d, end int64) (ids []int64, err error) {
	var w where
	w.and("dim IN (SELECT id FROM dims WHERE team = ?)", e.Team)
	w.and("time >= ? AND time < ?", d*day, end)
	if e.User != "" {
		w.and(`"user" = ?`, e.User)
	} else {
		w.and(`(attempt <> -1 OR "user" NOT IN ('', ?))`, billing.ErasedUser)
	}
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT id FROM entries INDEXED BY entries_dim%v LIMIT %d", &w, eraseChunk), w.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// erasing is one transaction of Erase.
type erasing struct {
	keep  bool // entries stay, and lose their users
	day   int64
	usd   int64
	moved []packRow // from users' names to none
	gone  []packRow
}

func (p *erasing) read(ctx context.Context, tx *sql.Tx, ids string) error {
	rows, err := tx.QueryContext(ctx, "SELECT attempt = -1, "+sumsQuery[len("SELECT "):]+"WHERE id IN (SELECT value FROM json_each(?))", ids)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var correction bool
		_, row, err := scanSums(func(to ...any) error { return rows.Scan(append([]any{&correction}, to...)...) })
		if err != nil {
			return err
		}
		p.usd += row.sums[iUSD]
		if row.user != "" && row.user != billing.ErasedUser {
			away := row
			away.sums = sums{}
			away.sums.add(&row.sums, -1)
			row.user = billing.ErasedUser
			p.moved = append(p.moved, away, row)
		}
		if !p.keep && !correction {
			p.gone = append(p.gone, row)
		}
	}
	return rows.Err()
}

func (p *erasing) write(ctx context.Context, tx *sql.Tx, ids string) error {
	const these = " WHERE id IN (SELECT value FROM json_each(?))"
	if _, err := tx.ExecContext(ctx, `UPDATE entries SET "user" = ?, request_id = ''`+these+` AND "user" <> ''`, billing.ErasedUser, ids); err != nil {
		return err
	}
	if !p.keep {
		if _, err := tx.ExecContext(ctx, "DELETE FROM entries"+these+" AND attempt <> -1", ids); err != nil {
			return err
		}
	}
	if len(p.moved) > 0 {
		for _, k := range []kind{byUser, byUserAlone} {
			if err := p.move(ctx, tx, k); err != nil {
				return err
			}
		}
	}
	if len(p.gone) == 0 {
		return nil
	}
	before, err := erasedOf(ctx, tx, p.day)
	if err != nil {
		return err
	}
	all, err := repack(append(before, pack(p.gone, byUser, true)))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO erased (day, rows) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET rows = excluded.rows", p.day, all)
	return err
}

// move has the day's sums of a kind tell no user any more who is erased.
func (p *erasing) move(ctx context.Context, tx *sql.Tx, k kind) error {
	packs, err := readPacks(ctx, tx, "kind = ? AND day = ?", k, p.day)
	if err != nil {
		return err
	}
	packs.days, packs.hours = append(packs.days, pack(p.moved, k, false)), append(packs.hours, pack(p.moved, k, true))
	return packs.replace(ctx, tx, k, p.day, finalLevel)
}

// erasedOf are the sums of what was erased of a day: one pack, or none.
func erasedOf(ctx context.Context, tx *sql.Tx, d int64) ([][]byte, error) {
	var pack []byte
	err := tx.QueryRowContext(ctx, "SELECT rows FROM erased WHERE day = ?", d).Scan(&pack)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return [][]byte{pack}, err
}

// rebuildErased adds what was erased to packs that are made anew.
func rebuildErased(ctx context.Context, from querier, tx *sql.Tx) error {
	rows, err := from.QueryContext(ctx, "SELECT day, rows FROM erased")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	gathered := tally{}
	for rows.Next() {
		var d int64
		var pack []byte
		if err := rows.Scan(&d, &pack); err != nil {
			return err
		}
		m, err := mergePacks([][]byte{pack})
		if err != nil {
			return err
		}
		for {
			ok, err := m.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			gathered.put(d, m.row)
		}
		if err := gathered.write(ctx, tx); err != nil {
			return err
		}
		clear(gathered)
	}
	return rows.Err()
}
