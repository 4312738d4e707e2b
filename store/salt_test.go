package store

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"sluice/billing"
)

// Two databases keep different hashes of the same key; the salt stays what it is.
func TestSaltIsOfTheInstallation(t *testing.T) {
	ctx := context.Background()
	address := testAddress(t)
	var rows [3][]byte
	for i, at := range []string{address, testAddress(t), address} {
		s, err := Open(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Tenants().PutKey(ctx, key("k1", "a")); err != nil {
			t.Fatal(err)
		}
		if err := s.read.QueryRowContext(ctx, "SELECT hash FROM keys").Scan(&rows[i]); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if string(rows[0]) == string(rows[1]) || string(rows[0]) != string(rows[2]) {
		t.Errorf("hashes of one key: %x, in another database %x, in the first again %x", rows[0], rows[1], rows[2])
	}
}

// What an older version wrote is salted when the database is opened; until then
// the key is the same.
func TestOldHashesAreSalted(t *testing.T) {
	ctx, address := context.Background(), testAddress(t)
	s, err := Open(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	k, other := key("k1", "a"), key("k2", "b")
	for _, put := range []billing.Key{k, other} {
		if err := s.Tenants().PutKey(ctx, put); err != nil {
			t.Fatal(err)
		}
	}
	err = s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE keys SET hash = ? WHERE id = 'k1'", k.Hash[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	salt := s.Tenants().Salt()
	for _, salted := range []bool{false, true} {
		keys, err := s.Tenants().Keys(ctx)
		if err != nil || len(keys) != 2 || keys[0].Salted != salted || !keys[1].Salted {
			t.Fatalf("%+v, %v", keys, err)
		}
		if keys[0].SaltedHash(&salt) != salt.Of(k.Hash) || keys[1].SaltedHash(&salt) != salt.Of(other.Hash) {
			t.Errorf("the hashes are of other keys: %+v", keys)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(ctx, address); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A replica of an older version, which does not say what it writes as, may not
// write what it would lose something of.
func TestOlderWriters(t *testing.T) {
	s := testStore(t)
	if s.postgres == nil {
		t.Skip("on SQLite there is one process")
	}
	db := s.postgres.open(nil)
	defer func() { _ = db.Close() }()
	for _, text := range []string{"UPDATE keys SET team = team", "UPDATE entries SET cost = cost"} {
		if _, err := db.ExecContext(t.Context(), text); err == nil || !strings.Contains(err.Error(), "older version may not write") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := s.write.ExecContext(t.Context(), text); err != nil {
			t.Errorf("%s, as this version does: %v", text, err)
		}
	}
}
