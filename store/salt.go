package store

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"fmt"

	"sluice/billing"
)

// saltedMark begins the hash of a key that is salted: those that older versions
// wrote are the SHA-256 of the key and nothing else.
const saltedMark = 1

// saltedRow is a salted hash as it is stored.
func saltedRow(hash [32]byte) []byte { return append([]byte{saltedMark}, hash[:]...) }

// readHash takes a hash as it was stored; false: it is none.
func readHash(k *billing.Key, row []byte) bool {
	switch {
	case len(row) == len(k.Hash)+1 && row[0] == saltedMark:
		k.Hash, k.Salted = [32]byte(row[1:]), true
	case len(row) == len(k.Hash):
		k.Hash, k.Salted = [32]byte(row), false
	default:
		return false
	}
	return true
}

// saltKeys reads the installation's salt, and salts what an older version has
// written: that takes the hash only, not the key.
func (s *Store) saltKeys(ctx context.Context) error {
	secret, err := s.Revisions().MaskKey(ctx)
	if err != nil {
		return err
	}
	salt, err := hkdf.Key(sha256.New, []byte(secret), nil, "sluice: hashes of keys", len(s.salt))
	if err != nil {
		return fmt.Errorf("cannot derive the salt of keys: %w", err)
	}
	s.salt = billing.Salt(salt)
	old, err := unsalted(ctx, s.read)
	if err != nil || len(old) == 0 {
		return err
	}
	err = s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		old, err := unsalted(ctx, tx) // another replica may have been here
		if err != nil {
			return err
		}
		for id, hash := range old {
			if _, err := tx.ExecContext(ctx, "UPDATE keys SET hash = ? WHERE id = ?", saltedRow(s.salt.Of(hash)), id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot salt the hashes of keys: %w", err)
	}
	return nil
}

// unsalted are the hashes of keys, by their ids, that are not salted yet.
func unsalted(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) (map[string][32]byte, error) {
	rows, err := from.QueryContext(ctx, "SELECT id, hash FROM keys WHERE length(hash) = 32")
	if err != nil {
		return nil, fmt.Errorf("cannot list the hashes of keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string][32]byte{}
	for rows.Next() {
		var id string
		var hash []byte
		if err := rows.Scan(&id, &hash); err != nil {
			return nil, fmt.Errorf("cannot list the hashes of keys: %w", err)
		}
		out[id] = [32]byte(hash)
	}
	return out, rows.Err()
}

// Salt is what keys are salted with.
func (t *Tenants) Salt() billing.Salt { return t.salt }
