package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sluice/billing"
	"sluice/prompts"
)

var _ prompts.Splits = (*Prompts)(nil)

// Split is a prompt's split; without shares it has none.
func (p *Prompts) Split(ctx context.Context, name string) (prompts.SplitState, error) {
	out := prompts.SplitState{Shares: map[int]int{}, Figures: map[int]prompts.ArmFigures{}}
	fail := func(err error) (prompts.SplitState, error) {
		return out, fmt.Errorf("cannot read the split of prompt %q: %w", name, err)
	}
	rows, err := p.read.QueryContext(ctx, "SELECT n, share, since, calls, errors, nanos, judged, good FROM prompt_splits WHERE name = ?", name)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var share int
		var f prompts.ArmFigures
		if err := rows.Scan(&f.Version, &share, &out.Since, &f.Calls, &f.Errors, &f.Nanos, &f.Judged, &f.Good); err != nil {
			return fail(err)
		}
		out.Shares[f.Version], out.Figures[f.Version] = share, f
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return out, nil
}

// SetSplit replaces a prompt's split, whose figures begin anew; empty shares end
// it. A version that is not there is billing.ErrNotFound, and nothing has
// changed then.
func (p *Prompts) SetSplit(ctx context.Context, name string, shares map[int]int) error {
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := endSplit(ctx, tx, name); err != nil {
			return err
		}
		if len(shares) > 0 {
			if _, err := tx.ExecContext(ctx, "DELETE FROM stopped_splits WHERE name = ?", name); err != nil {
				return err
			}
		}
		since := unix(p.now())
		for _, n := range slices.Sorted(maps.Keys(shares)) {
			if err := versionExists(ctx, tx, name, n); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO prompt_splits (name, n, share, since) VALUES (?, ?, ?, ?)", name, n, shares[n], since); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot split prompt %q: %w", name, err)
	}
	return nil
}

func endSplit(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM prompt_splits WHERE name = ?", name)
	return err
}

// HasSplits tells whether any prompt is split.
func (p *Prompts) HasSplits(ctx context.Context) (has bool, err error) {
	if err := p.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM prompt_splits)").Scan(&has); err != nil {
		return false, fmt.Errorf("cannot look for splits: %w", err)
	}
	return has, nil
}

// storedReport is a report as it is stored: with what the calls have cost.
type storedReport struct {
	prompts.SplitReport
	Nanos []int64 `json:"nanos"` // of each arm
}

// StopSplit ends a split and keeps how it ended.
func (p *Prompts) StopSplit(ctx context.Context, name string, r *prompts.SplitReport) error {
	stored := storedReport{SplitReport: *r}
	for _, a := range r.Arms {
		stored.Nanos = append(stored.Nanos, a.Nanos)
	}
	text, err := json.Marshal(&stored)
	if err == nil {
		err = p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if err := endSplit(ctx, tx, name); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO stopped_splits (name, report) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET report = excluded.report", name, string(text))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("cannot stop the split of prompt %q: %w", name, err)
	}
	return nil
}

// StoppedSplits are the splits that were stopped, by name.
func (p *Prompts) StoppedSplits(ctx context.Context) (map[string]*prompts.SplitReport, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT name, report FROM stopped_splits")
	if err != nil {
		return nil, fmt.Errorf("cannot read the splits that were stopped: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]*prompts.SplitReport{}
	for rows.Next() {
		var name, text string
		var stored storedReport
		err := rows.Scan(&name, &text)
		if err == nil {
			err = json.Unmarshal([]byte(text), &stored)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the splits that were stopped: %w", err)
		}
		for i := range min(len(stored.Nanos), len(stored.Arms)) {
			stored.Arms[i].Nanos = stored.Nanos[i]
		}
		out[name] = &stored.SplitReport
	}
	return out, rows.Err()
}

// CountJudged adds an answer that a judge has seen to the figures of a version;
// of a split that is over, it is nobody's.
func (p *Prompts) CountJudged(ctx context.Context, name string, since int64, version int, good bool) error {
	n := 0
	if good {
		n = 1
	}
	_, err := p.write.ExecContext(ctx, "UPDATE prompt_splits SET judged = judged + 1, good = good + ? WHERE (name, n, since) = (?, ?, ?)", n, name, version, since)
	return inWords(err)
}

// armKey is a version of a split.
type armKey struct {
	prompt  string
	version int
	since   int64
}

// armTally is what entries add to the figures of versions.
type armTally map[armKey]*prompts.ArmFigures

func (t armTally) add(e *billing.Entry) {
	k := armKey{e.Prompt, e.Version, e.Split.Since}
	f := t[k]
	if f == nil {
		f = &prompts.ArmFigures{}
		t[k] = f
	}
	f.Calls++
	f.Nanos += int64(e.Split.Cost)
	if e.Split.Failed {
		f.Errors++
	}
}

// write adds the tally to the figures; of a split that is over, they are
// nobody's.
func (t armTally) write(ctx context.Context, tx *sql.Tx) error {
	for k, f := range t {
		if _, err := tx.ExecContext(ctx, "UPDATE prompt_splits SET calls = calls + ?, errors = errors + ?, nanos = nanos + ? WHERE (name, n, since) = (?, ?, ?)",
			f.Calls, f.Errors, f.Nanos, k.prompt, k.version, k.since); err != nil {
			return err
		}
	}
	return nil
}

// versionExists is billing.ErrNotFound if a prompt has no such version.
func versionExists(ctx context.Context, tx *sql.Tx, name string, n int) error {
	var there bool
	row := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM prompt_versions WHERE name = ? AND n = ?)", name, n)
	if err := row.Scan(&there); err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("version %d: %w", n, billing.ErrNotFound)
	}
	return nil
}
