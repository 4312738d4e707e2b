package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"sluice/billing"
	"sluice/gateway/admin"
)

// Revisions is the history of the configuration in the database.
type Revisions struct{ *Store }

// Revisions is the store of revisions of the configuration.
func (s *Store) Revisions() *Revisions { return &Revisions{s} }

// AddRevision adds a revision, gives it its number, and drops the oldest so
// that no more than keep are there, with the secrets that none of the others
// names. secrets are by name.
func (s *Revisions) AddRevision(ctx context.Context, r admin.RevisionText, secrets map[string]string, keep int64) (n int64, err error) {
	err = s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, "INSERT INTO config_revisions (created, author, message, digest, source, body) VALUES (?, ?, ?, ?, ?, ?) RETURNING n",
			r.Created.UnixNano(), r.Author, r.Message, r.Digest, r.Source, r.Text)
		if err := row.Scan(&n); err != nil {
			return err
		}
		for name, secret := range secrets {
			if _, err := tx.ExecContext(ctx, "INSERT INTO config_secrets (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, secret); err != nil {
				return err
			}
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM config_revisions WHERE n <= (SELECT n FROM config_revisions ORDER BY n DESC LIMIT 1 OFFSET ?)", keep)
		if err != nil {
			return err
		}
		if gone, err := res.RowsAffected(); err != nil || gone == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM config_secrets WHERE name <> '' AND NOT EXISTS
			(SELECT 1 FROM config_revisions WHERE instr(body, '${kept:' || name || '}') > 0)`)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot write a revision of the configuration: %w", err)
	}
	return n, nil
}

// DropRevision takes a revision back that did not come in force.
func (s *Revisions) DropRevision(ctx context.Context, n int64) error {
	if err := s.exec(ctx, "DELETE FROM config_revisions WHERE n = ?", n); err != nil {
		return fmt.Errorf("cannot take back revision %d of the configuration: %w", n, err)
	}
	return nil
}

// ListRevisions lists all revisions, the newest first, without their texts.
func (s *Revisions) ListRevisions(ctx context.Context) ([]admin.Revision, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT n, created, author, message, digest, source FROM config_revisions ORDER BY n DESC")
	if err != nil {
		return nil, fmt.Errorf("cannot list the revisions of the configuration: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []admin.Revision
	for rows.Next() {
		var r admin.Revision
		var created int64
		if err := rows.Scan(&r.N, &created, &r.Author, &r.Message, &r.Digest, &r.Source); err != nil {
			return nil, fmt.Errorf("cannot list the revisions of the configuration: %w", err)
		}
		r.Created = fromUnix(created)
		out = append(out, r)
	}
	return out, rows.Err()
}

// RevisionText is a revision with its text; n of 0 is the newest.
func (s *Revisions) RevisionText(ctx context.Context, n int64) (r admin.RevisionText, err error) {
	var created int64
	err = s.read.QueryRowContext(ctx, `SELECT n, created, author, message, digest, source, body FROM config_revisions
		WHERE n = ?1 OR ?1 = 0 ORDER BY n DESC LIMIT 1`, n).Scan(&r.N, &created, &r.Author, &r.Message, &r.Digest, &r.Source, &r.Text)
	r.Created = fromUnix(created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r, fmt.Errorf("there is no revision %d of the configuration: %w", n, billing.ErrNotFound)
	case err != nil:
		return r, fmt.Errorf("cannot read a revision of the configuration: %w", err)
	}
	return r, nil
}

// KeptSecrets are the secrets that revisions name.
func (s *Revisions) KeptSecrets(ctx context.Context) (map[string]string, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT name, secret FROM config_secrets WHERE name <> ''")
	if err != nil {
		return nil, fmt.Errorf("cannot read the secrets of the configuration: %w", err)
	}
	defer func() { _ = rows.Close() }()
	kept := map[string]string{}
	for rows.Next() {
		var name, secret string
		if err := rows.Scan(&name, &secret); err != nil {
			return nil, fmt.Errorf("cannot read the secrets of the configuration: %w", err)
		}
		kept[name] = secret
	}
	return kept, rows.Err()
}

// MaskKey is a secret of the installation, made once. Secrets are named with it:
// without it a short one could be guessed from its name. Keys are salted with
// another that is derived from it.
func (s *Revisions) MaskKey(ctx context.Context) (key string, err error) {
	if s.read.QueryRowContext(ctx, "SELECT secret FROM config_secrets WHERE name = ''").Scan(&key) == nil {
		return key, nil
	}
	err = s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO config_secrets (name, secret) VALUES ('', ?) ON CONFLICT (name) DO NOTHING", strings.ToLower(rand.Text()))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT secret FROM config_secrets WHERE name = ''").Scan(&key)
	})
	if err != nil {
		return "", fmt.Errorf("cannot read what secrets of the configuration are named with: %w", err)
	}
	return key, nil
}
