package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sluice/billing"
)

// Ledger is the billing.Ledger in the database.
type Ledger struct {
	*Store
	insert, insertAll *sql.Stmt // with the usual columns, and with all
	dimFind, dimAdd   *sql.Stmt
	tagsFind, tagsAdd *sql.Stmt
	upserts           []*sql.Stmt // in the order of rollups

	mu      sync.Mutex // guards the two below, which only a writer uses
	dims    map[dimKey]int64
	tagsets map[string]int64
}

var _ billing.Ledger = (*Ledger)(nil)

// dimKey is what a row of dims holds.
type dimKey struct {
	team, keyID, key, model, provider, target, prompt string
	version, status                                   int
}

const dimColumns = "team, key_id, key, model, provider, target, prompt, version, status"

func (k *dimKey) args() []any {
	return []any{k.team, k.keyID, k.key, k.model, k.provider, k.target, k.prompt, k.version, k.status}
}

// maxInterned bounds each cache of ids; a full one starts anew.
const maxInterned = 100_000

// Flags of an entry.
const (
	flagRefused = 1 << iota
	flagStream
	flagDisconnect
	flagError
	flagServed
)

func newLedger(ctx context.Context, s *Store) (*Ledger, error) {
	l := &Ledger{Store: s, dims: map[dimKey]int64{}, tagsets: map[string]int64{}}
	l.upserts = make([]*sql.Stmt, len(rollups))
	statements := map[**sql.Stmt]string{
		&l.insert:    insertEntry(usualColumns),
		&l.insertAll: insertEntry(usualColumns + ", " + rareColumns),
		&l.dimFind:   "SELECT id FROM dims WHERE (" + dimColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&l.dimAdd:    "INSERT INTO dims (" + dimColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
		&l.tagsFind:  "SELECT id FROM tagsets WHERE tags = ?",
		&l.tagsAdd:   "INSERT INTO tagsets (tags) VALUES (?) RETURNING id",
	}
	for i, r := range rollups {
		statements[&l.upserts[i]] = r.upsert()
	}
	for to, text := range statements {
		stmt, err := s.write.PrepareContext(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("cannot prepare %q: %w", text, err)
		}
		*to = stmt
	}
	return l, nil
}

func insertEntry(columns string) string {
	return "INSERT INTO entries (" + columns + ") VALUES (?" + strings.Repeat(", ?", strings.Count(columns, ",")) +
		") ON CONFLICT (call, attempt) DO NOTHING"
}

// Append writes entries and their rollups in one transaction. Batches of a few
// hundred to a few thousand are the fastest. An entry that is there already,
// by (Call, Attempt), changes nothing.
func (l *Ledger) Append(ctx context.Context, entries []billing.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t := tally{}
		in := inserts{tx: tx, usual: tx.StmtContext(ctx, l.insert), all: tx.StmtContext(ctx, l.insertAll)}
		for i := range entries {
			if err := l.append(ctx, in, &entries[i], t); err != nil {
				return fmt.Errorf("entry %q/%d: %w", entries[i].Call, entries[i].Attempt, err)
			}
		}
		for i, r := range rollups {
			if err := t.write(ctx, r, tx.StmtContext(ctx, l.upserts[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		// Ids that were made in the failed transaction are void.
		clear(l.dims)
		clear(l.tagsets)
		return fmt.Errorf("cannot append to the ledger: %w", err)
	}
	return nil
}

// inserts are the statements of one transaction.
type inserts struct {
	tx         *sql.Tx
	usual, all *sql.Stmt
}

// append inserts one entry and, if it is new, adds it to the tally.
func (l *Ledger) append(ctx context.Context, in inserts, e *billing.Entry, t tally) error {
	if e.Call == "" || e.Time.IsZero() {
		return errors.New("it has no call id or no time")
	}
	dim, err := l.dim(ctx, in.tx, e)
	if err != nil {
		return err
	}
	tagset, err := l.tagset(ctx, in.tx, e.Tags)
	if err != nil {
		return err
	}
	args, err := usualArgs(e, dim)
	if err != nil {
		return err
	}
	insert := in.usual
	if rare := rareArgs(e, tagset); rare != nil {
		insert, args = in.all, append(args, rare...)
	}
	res, err := insert.ExecContext(ctx, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	t.add(e, dim, tagset)
	return nil
}

// dim is the id of an entry's dimensions.
func (l *Ledger) dim(ctx context.Context, tx *sql.Tx, e *billing.Entry) (int64, error) {
	k := dimKey{e.Team, e.KeyID, e.Key, e.Model, e.Provider, e.Target, e.Prompt, e.Version, e.Status}
	if id, ok := l.dims[k]; ok {
		return id, nil
	}
	var id int64
	err := tx.StmtContext(ctx, l.dimFind).QueryRowContext(ctx, k.args()...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.StmtContext(ctx, l.dimAdd).QueryRowContext(ctx, k.args()...).Scan(&id)
	}
	if err != nil {
		return 0, err
	}
	if len(l.dims) >= maxInterned {
		clear(l.dims)
	}
	l.dims[k] = id
	return id, nil
}

// tagset is the id of a set of tags; 0 is none.
func (l *Ledger) tagset(ctx context.Context, tx *sql.Tx, tags []string) (int64, error) {
	if len(tags) == 0 {
		return 0, nil
	}
	sorted := slices.Clone(tags)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	text, err := json.Marshal(sorted)
	if err != nil {
		return 0, err
	}
	if id, ok := l.tagsets[string(text)]; ok {
		return id, nil
	}
	var id int64
	err = tx.StmtContext(ctx, l.tagsFind).QueryRowContext(ctx, string(text)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		id, err = l.addTagset(ctx, tx, string(text), sorted)
	}
	if err != nil {
		return 0, err
	}
	if len(l.tagsets) >= maxInterned {
		clear(l.tagsets)
	}
	l.tagsets[string(text)] = id
	return id, nil
}

func (l *Ledger) addTagset(ctx context.Context, tx *sql.Tx, text string, tags []string) (id int64, err error) {
	if err := tx.StmtContext(ctx, l.tagsAdd).QueryRowContext(ctx, text).Scan(&id); err != nil {
		return 0, err
	}
	for _, tag := range tags {
		if _, err := tx.ExecContext(ctx, "INSERT INTO tags (tag, tagset) VALUES (?, ?)", tag, id); err != nil {
			return 0, err
		}
	}
	return id, nil
}
