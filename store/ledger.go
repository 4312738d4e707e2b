package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"sluice/billing"
)

// Ledger is the billing.Ledger in the database.
type Ledger struct {
	*Store
	inserts           [2]insert // of entries with the usual columns, and with all
	dimFind, dimAdd   *sql.Stmt
	tagsFind, tagsAdd *sql.Stmt

	mu      sync.Mutex // guards those below, which only a writer uses
	dims    map[dimKey]int64
	tagsets map[string]int64
	tagged  map[tagsetTeam]bool
	tidier  tidier
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
	l := &Ledger{Store: s, dims: map[dimKey]int64{}, tagsets: map[string]int64{}, tagged: map[tagsetTeam]bool{}}
	statements := map[**sql.Stmt]string{
		&l.dimFind:  "SELECT id FROM dims WHERE (" + dimColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&l.dimAdd:   "INSERT INTO dims (" + dimColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
		&l.tagsFind: "SELECT id FROM tagsets WHERE tags = ?",
		&l.tagsAdd:  "INSERT INTO tagsets (tags) VALUES (?) RETURNING id",
	}
	for i, columns := range []string{usualColumns, usualColumns + ", " + rareColumns} {
		in := &l.inserts[i]
		in.width = strings.Count(columns, ",") + 1
		statements[&in.one], statements[&in.run] = insertEntries(columns, 1), insertEntries(columns, runLength)
	}
	for to, text := range statements {
		stmt, err := s.write.PrepareContext(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("cannot prepare %q: %w", text, err)
		}
		*to = stmt
	}
	if err := l.rebuild(ctx); err != nil {
		return nil, fmt.Errorf("cannot sum the entries: %w", err)
	}
	if err := l.findTagged(ctx); err != nil {
		return nil, fmt.Errorf("cannot find whose tags are: %w", err)
	}
	return l, nil
}

// insert are the statements that insert one entry, and a whole run of them.
type insert struct {
	one, run *sql.Stmt
	width    int   // values of an entry
	args     []any // of the run that gathers
}

// runLength is how many entries a statement inserts at once: what a statement
// costs beside its rows is spread, and more would not spread it much further.
const runLength = 16

func insertEntries(columns string, n int) string {
	row := "(?" + strings.Repeat(", ?", strings.Count(columns, ",")) + ")"
	return "INSERT INTO entries (" + columns + ") VALUES " + row + strings.Repeat(", "+row, n-1) +
		" ON CONFLICT (call, attempt) DO NOTHING"
}

// errKnown is what a run gives of which not every entry is new.
var errKnown = errors.New("some entries are in the ledger already")

// Append writes entries and their sums in one transaction. Batches of a few
// hundred to a few thousand are the fastest. An entry that is there already,
// by (Call, Attempt), changes nothing.
func (l *Ledger) Append(ctx context.Context, entries []billing.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.appendAll(ctx, entries, true)
	if errors.Is(err, errKnown) { // after a crash: go one by one, to see which
		err = l.appendAll(ctx, entries, false)
	}
	if err != nil {
		return fmt.Errorf("cannot append to the ledger: %w", inWords(err))
	}
	return nil
}

func (l *Ledger) appendAll(ctx context.Context, entries []billing.Entry, runs bool) error {
	var days tally
	err := l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		a := appender{Ledger: l, tx: tx, tally: tally{}, arms: armTally{}, runs: runs}
		for i, in := range l.inserts {
			a.inserts[i] = insert{one: tx.StmtContext(ctx, in.one), run: tx.StmtContext(ctx, in.run), width: in.width}
		}
		for i := range entries {
			if err := a.add(ctx, &entries[i]); err != nil {
				return fmt.Errorf("entry %q/%d: %w", entries[i].Call, entries[i].Attempt, err)
			}
		}
		for i := range a.inserts {
			if err := a.inserts[i].rest(ctx); err != nil {
				return err
			}
		}
		if err := a.arms.write(ctx, tx); err != nil {
			return err
		}
		days = a.tally
		return a.tally.write(ctx, tx)
	})
	if err != nil {
		l.forget()
		return err
	}
	// The entries and their sums are in. That packs could not be merged makes
	// reports slower, not wrong, and is tried again; Verify finds what is damaged.
	_ = l.tidy(ctx, days)
	return nil
}

// AppendSums adds in one transaction what entries sum up to, and keeps none of
// them: so reports can be measured on more calls than one would write. Verify
// tells that the entries are missing.
func (l *Ledger) AppendSums(ctx context.Context, entries iter.Seq[*billing.Entry]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	days := tally{}
	err := l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		a := appender{Ledger: l, tx: tx, tally: days}
		for e := range entries {
			key, err := a.key(ctx, e)
			if err != nil {
				return err
			}
			a.sum(e, key)
		}
		return days.write(ctx, tx)
	})
	if err != nil {
		l.forget()
		return fmt.Errorf("cannot add to the sums: %w", inWords(err))
	}
	return l.tidy(ctx, days)
}

// forget drops the ids that were made in a transaction that failed.
func (l *Ledger) forget() {
	clear(l.dims)
	clear(l.tagsets)
	clear(l.tagged)
}

// appender is one transaction of Append.
type appender struct {
	*Ledger
	tx      *sql.Tx
	inserts [2]insert
	tally   tally
	arms    armTally
	runs    bool // insert in runs, which takes each entry to be new
}

// add inserts one entry, or lets it gather for a run, and adds it to the tally
// if it is new.
func (a *appender) add(ctx context.Context, e *billing.Entry) error {
	if e.Call == "" || e.Time.IsZero() {
		return errors.New("it has no call id or no time")
	}
	if user := a.text(e.User); user != e.User {
		cleaned := *e // its sums are by the same name
		cleaned.User, e = user, &cleaned
	}
	key, err := a.key(ctx, e)
	if err != nil {
		return err
	}
	detail, err := detailJSON(e)
	if err != nil {
		return err
	}
	in := &a.inserts[0]
	if hasRare(e, key.tagset) {
		in = &a.inserts[1]
	}
	in.args = usualArgs(in.args, e, key.dim, detail)
	if in == &a.inserts[1] {
		in.args = rareArgs(in.args, e, key.tagset)
	}
	switch {
	case !a.runs:
		isNew, err := in.first(ctx)
		if err != nil || !isNew {
			return err
		}
	case len(in.args) == runLength*in.width:
		if err := in.all(ctx); err != nil {
			return err
		}
	}
	if e.Split.Since != 0 {
		a.arms.add(e)
	}
	a.sum(e, key)
	return nil
}

// key is what an entry's sums are kept by, but for its hour.
func (a *appender) key(ctx context.Context, e *billing.Entry) (packKey, error) {
	dim, err := a.dim(ctx, a.tx, e)
	if err != nil {
		return packKey{}, err
	}
	tagset, err := a.tagset(ctx, a.tx, e.Tags)
	if err != nil {
		return packKey{}, err
	}
	return packKey{dim: dim, tagset: tagset, user: e.User}, a.tags(ctx, a.tx, tagset, e.Team)
}

// sum adds an entry to the tally.
func (a *appender) sum(e *billing.Entry, key packKey) {
	s := sumsOf(e)
	a.tally.add(e.Time.UnixNano(), key, &s)
}

// all inserts the run that has gathered.
func (in *insert) all(ctx context.Context) error {
	res, err := in.run.ExecContext(ctx, in.args...)
	in.args = in.args[:0]
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != runLength {
		return cmp.Or(err, errKnown)
	}
	return nil
}

// first inserts the first entry that has gathered, and tells whether it is new.
func (in *insert) first(ctx context.Context) (bool, error) {
	res, err := in.one.ExecContext(ctx, in.args[:in.width]...)
	in.args = append(in.args[:0], in.args[in.width:]...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// rest inserts what has gathered and is no whole run.
func (in *insert) rest(ctx context.Context) error {
	for len(in.args) > 0 {
		if isNew, err := in.first(ctx); err != nil || !isNew {
			return cmp.Or(err, errKnown)
		}
	}
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
