package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
)

// running is a server with the embedded defaults that does not listen.
func running(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	cfg, err := loadConfig("", dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dataDirFlag: dir}
	if err := s.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.spool.Close(); s.store.Close() })
	snap, err := s.build.snapshot(t.Context(), s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.gateway = gateway.New(gateway.Options{Prompts: s.prompts, Spool: s.spool, Ledger: s.store.Ledger(),
		Counter: s.counter, Metrics: s.metrics, Log: s.log}, snap)
	t.Cleanup(func() { _ = s.gateway.Shutdown(context.Background()) }) // nothing is open
	return s
}

// downLedger takes nothing.
type downLedger struct{ billing.Ledger }

func (downLedger) Append(context.Context, []billing.Entry) error { return errors.New("down") }

// A change that brings no budget waits for no ledger.
func TestChangesWithoutLedger(t *testing.T) {
	s := running(t)
	stuck, err := billing.OpenSpool(billing.SpoolOptions{Dir: t.TempDir(), Ledger: downLedger{}, Log: s.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stuck.Close() })
	if err := stuck.Append(&billing.Entry{Call: "1", Team: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Close(); err != nil {
		t.Fatal(err)
	}
	s.spool = stuck
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.reload(ctx); err != nil {
		t.Errorf("reload = %v", err)
	}
}

// A key that was revoked is out of force though the admin left before it was,
// or the first try failed.
func TestStoredChangesComeInForce(t *testing.T) {
	s := running(t)
	now := time.Now()
	hash := billing.HashKey("sk-1")
	tenants := s.store.Tenants()
	if err := tenants.PutTeam(t.Context(), billing.Team{Name: "t", Source: "store", Created: now}); err != nil {
		t.Fatal(err)
	}
	key := billing.Key{ID: "key_1", Hash: hash, Team: "t", Name: "k", Source: "store", Created: now}
	if err := tenants.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	inForce := func() bool { return s.gateway.Snapshot().Caller(hash, time.Now()) != nil }
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := s.changed(gone); err != nil || !inForce() {
		t.Fatalf("changed = %v for an admin who left; the new key is in force: %v", err, inForce())
	}
	key.Revoked = now
	if err := tenants.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	s.behind.Store(true) // as after a change that failed
	if s.catchUp(t.Context()); inForce() || s.behind.Load() {
		t.Error("the revoked key is in force")
	}
}
