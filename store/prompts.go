package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice/billing"
	"sluice/prompts"
)

// production is the label that a prompt's bare path serves.
const production = "production"

// Prompts is the prompts.Store in the database.
type Prompts struct{ *Store }

var _ prompts.Store = (*Prompts)(nil)

// Publish makes v the next version of its name, whatever its N and Parent, and
// moves the label production to it, in one transaction. If production has the
// same digest already, nothing changes and its number comes back with created
// false.
func (p *Prompts) Publish(ctx context.Context, v prompts.Version) (n int, created bool, err error) {
	if v.Created.IsZero() {
		v.Created = p.now()
	}
	err = p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var digest string
		row := tx.QueryRowContext(ctx, "SELECT v.n, v.digest FROM prompt_labels l JOIN prompt_versions v USING (name, n) "+
			"WHERE l.name = ? AND l.label = ?", v.Name, production)
		if err := row.Scan(&v.Parent, &digest); errors.Is(err, sql.ErrNoRows) {
			v.Parent = 0
		} else if err != nil {
			return err
		} else if digest == v.Digest {
			n = v.Parent
			return nil
		}
		row = tx.QueryRowContext(ctx, "SELECT coalesce(max(n), 0) + 1 FROM prompt_versions WHERE name = ?", v.Name)
		if err := row.Scan(&n); err != nil {
			return err
		}
		source := v.Source
		if source == nil {
			source = []byte{}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO prompt_versions (name, n, digest, source, message, author, parent, created) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?)", v.Name, n, v.Digest, source, v.Message, v.Author, v.Parent, unix(v.Created))
		if err != nil {
			return err
		}
		created = true
		if err := endSplit(ctx, tx, v.Name); err != nil { // what is published is served
			return err
		}
		return moveLabel(ctx, tx, v.Name, prompts.LabelMove{Label: production, To: n, Time: v.Created, By: v.Author})
	})
	if err != nil {
		return 0, false, fmt.Errorf("cannot publish prompt %q: %w", v.Name, err)
	}
	return n, created, nil
}

// moveLabel makes a move, whose From it finds itself, and records it; a label
// that is there already stays unrecorded.
func moveLabel(ctx context.Context, tx *sql.Tx, name string, m prompts.LabelMove) error {
	row := tx.QueryRowContext(ctx, "SELECT n FROM prompt_labels WHERE name = ? AND label = ?", name, m.Label)
	if err := row.Scan(&m.From); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if m.From == m.To {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO prompt_labels (name, label, n) VALUES (?, ?, ?) "+
		"ON CONFLICT (name, label) DO UPDATE SET n = excluded.n", name, m.Label, m.To); err != nil {
		return err
	}
	return recordMove(ctx, tx, name, m)
}

func recordMove(ctx context.Context, tx *sql.Tx, name string, m prompts.LabelMove) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO prompt_label_moves (name, label, from_n, to_n, time, by) VALUES (?, ?, ?, ?, ?, ?)",
		name, m.Label, m.From, m.To, unix(m.Time), m.By)
	return err
}

// Versions are all versions of a name, oldest first; none: empty.
func (p *Prompts) Versions(ctx context.Context, name string) ([]prompts.Version, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT n, digest, source, message, author, parent, created "+
		"FROM prompt_versions WHERE name = ? ORDER BY n", name)
	if err != nil {
		return nil, fmt.Errorf("cannot list versions of prompt %q: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	var out []prompts.Version
	for rows.Next() {
		v := prompts.Version{Name: name}
		var created int64
		if err := rows.Scan(&v.N, &v.Digest, &v.Source, &v.Message, &v.Author, &v.Parent, &created); err != nil {
			return nil, fmt.Errorf("cannot list versions of prompt %q: %w", name, err)
		}
		v.Created = fromUnix(created)
		out = append(out, v)
	}
	return out, rows.Err()
}

// Labels are the labels of a name and the version each points to.
func (p *Prompts) Labels(ctx context.Context, name string) (map[string]int, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT label, n FROM prompt_labels WHERE name = ?", name)
	if err != nil {
		return nil, fmt.Errorf("cannot list labels of prompt %q: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]int{}
	for rows.Next() {
		var label string
		var n int
		if err := rows.Scan(&label, &n); err != nil {
			return nil, fmt.Errorf("cannot list labels of prompt %q: %w", name, err)
		}
		out[label] = n
	}
	return out, rows.Err()
}

// MoveLabel points a label to a version, or takes it away: billing.ErrNotFound
// if there is none. Who points production somewhere wants that served: a split
// ends. The move's From and, if it is zero, its Time are found here.
func (p *Prompts) MoveLabel(ctx context.Context, name string, m prompts.LabelMove) error {
	if m.Time.IsZero() {
		m.Time = p.now()
	}
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if m.To == 0 {
			return removeLabel(ctx, tx, name, m)
		}
		if err := versionExists(ctx, tx, name, m.To); err != nil {
			return err
		}
		if m.Label == production {
			if err := endSplit(ctx, tx, name); err != nil {
				return err
			}
		}
		return moveLabel(ctx, tx, name, m)
	})
	if err != nil {
		return fmt.Errorf("cannot move label %q of prompt %q: %w", m.Label, name, err)
	}
	return nil
}

// removeLabel takes a label away, and records it.
func removeLabel(ctx context.Context, tx *sql.Tx, name string, m prompts.LabelMove) error {
	row := tx.QueryRowContext(ctx, "DELETE FROM prompt_labels WHERE name = ? AND label = ? RETURNING n", name, m.Label)
	if err := row.Scan(&m.From); errors.Is(err, sql.ErrNoRows) {
		return billing.ErrNotFound
	} else if err != nil {
		return err
	}
	return recordMove(ctx, tx, name, m)
}

// Names are all names that have a version, sorted.
func (p *Prompts) Names(ctx context.Context) ([]string, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT DISTINCT name FROM prompt_versions ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("cannot list prompts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("cannot list prompts: %w", err)
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// Moves are all moves of a name's labels, oldest first.
func (p *Prompts) Moves(ctx context.Context, name string) ([]prompts.LabelMove, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT label, from_n, to_n, time, by FROM prompt_label_moves WHERE name = ? ORDER BY id", name)
	if err != nil {
		return nil, fmt.Errorf("cannot list label moves of prompt %q: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	var out []prompts.LabelMove
	for rows.Next() {
		var m prompts.LabelMove
		var at int64
		if err := rows.Scan(&m.Label, &m.From, &m.To, &at, &m.By); err != nil {
			return nil, fmt.Errorf("cannot list label moves of prompt %q: %w", name, err)
		}
		m.Time = fromUnix(at)
		out = append(out, m)
	}
	return out, rows.Err()
}
