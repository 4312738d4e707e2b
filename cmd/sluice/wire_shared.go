package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/billing"
	"sluice/billing/lease"
	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
	"sluice/gateway/telemetry"
	"sluice/router"
	"sluice/store/address"
)

// openShared makes the level of caches that replicas share, and what shares
// limits, budgets and health, if there is one. All are down until they run.
func (s *server) openShared() error {
	text := s.started.Shared.Reveal()
	if text == "" {
		return nil
	}
	if shared.OnMemcached(text) {
		addr, err := shared.ParseMemcached(text)
		if err == nil {
			s.openLevel(shared.Options{Memcached: addr})
			s.log.Info("memcached can count nothing for replicas: limits, budgets and health are each replica's own")
		}
		return err
	}
	redis, err := shared.ParseURL(text)
	if err != nil {
		return err
	}
	replica, err := replicaOf(s.dataDir)
	if err != nil {
		return err
	}
	s.openLevel(shared.Options{Redis: redis})
	s.build.news = shared.NewNews(redis, s.hearNews, s.log)
	s.metrics.Add(telemetry.News(s.build.news))
	s.build.lender = shared.NewLender(redis, s.log)
	s.build.leases = lease.New(lease.Options{Replica: replica, Exchange: s.build.lender.Lease, Up: s.build.lender.Up, Lost: s.build.lender.Lost})
	var common billing.Ledger
	if address.OnPostgres(s.started.Store) {
		common = s.store.Ledger()
	}
	s.book.Share(s.build.leases, common)
	s.metrics.Add(telemetry.Leases(s.build.leases))
	return nil
}

// openLevel makes the level of caches.
func (s *server) openLevel(o shared.Options) {
	o.Purge, o.Log = s.forget, s.log
	s.build.shared = shared.New(o)
	s.build.kept.Share(s.build.shared)
	s.metrics.Add(telemetry.Shared(s.build.shared))
}

// replicaOf tells this replica from all others, after restarts too: what it has
// spent, which its ledger knows, is counted once.
func replicaOf(dir string) (string, error) {
	name := filepath.Join(dir, "replica")
	switch b, err := os.ReadFile(name); {
	case err == nil && len(bytes.TrimSpace(b)) > 0:
		return string(bytes.TrimSpace(b)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	made := rand.Text()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return made, os.WriteFile(name, []byte(made+"\n"), 0o600)
}

// share has replicas share what they do, until stop, which gives back what this
// one has of limits: calls that end may still need it. It waits a while for Redis.
func (s *server) share() (stop func()) {
	if s.build.shared == nil {
		return func() {}
	}
	run := func(f func(context.Context)) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Go(func() { f(ctx) })
		return func() { cancel(); ended.Wait() }
	}
	stopLevel := run(s.build.shared.Run)
	if s.build.lender == nil {
		return stopLevel
	}
	stopLender, stopNews := run(s.build.lender.Run), run(s.build.news.Run)
	stopLeases, stopBook := run(s.build.leases.Run), run(s.book.Follow)
	for range 100 { // calls that come before would know nothing of others'
		if s.build.leases.Up() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return func() { stopBook(); stopLeases(); stopNews(); stopLender(); stopLevel() }
}

// hearNews takes in what another replica has found of a target or a key.
func (s *server) hearNews(text string, left, ago time.Duration) {
	c, ok := router.ParseNews(text, left, ago)
	if r := s.build.view().registry; r != nil && ok {
		r.Hear(c, time.Now())
	}
}

// openPurges makes the listener to purges by other systems, if there is one.
func (s *server) openPurges() {
	c := &s.started.Purge
	s.build.purges = purge.New(purge.Options{NATS: c.NATS.Source(), AMQP: c.AMQP.Source(), Purge: s.hearPurge, Log: s.log})
	if s.build.purges != nil {
		s.metrics.Add(telemetry.Purges(s.build.purges))
	}
}

// hearPurge carries out a purge by another system. What is said to one replica
// alone the others learn from it.
func (s *server) hearPurge(ctx context.Context, p shared.Purge, alone bool) int64 {
	switch {
	case s.build.shared == nil:
		return s.forget(p)
	case alone:
		return s.build.shared.Purge(ctx, p).Purged
	}
	return s.build.shared.Hear(ctx, p)
}

// forget takes out of memory what a purge fits, and tells how many answers that
// were.
func (s *server) forget(p shared.Purge) (n int64) {
	if p.Host != "" {
		s.build.kept.Forget(&httpcache.Place{Host: p.Host, URI: p.Key})
		return 0
	}
	if q, ok := cache.SelectionOf(p); ok {
		n += s.gateway.PurgeCache(q)
	}
	if q, ok := httpcache.SelectionOf(p); ok {
		n += s.build.kept.Purge(q)
	}
	return n
}

// purge takes out what a purge fits, in every replica.
func (s *server) purge(ctx context.Context, p shared.Purge) admin.Purged {
	if s.build.shared == nil {
		return admin.Purged{Purged: s.forget(p)}
	}
	told := s.build.shared.Purge(ctx, p)
	if told.Replicas < 0 {
		return admin.Purged{Purged: told.Purged}
	}
	return admin.Purged{Purged: told.Purged, Replicas: &told.Replicas}
}

// answersOf stands for all of a configuration that the answers of models depend
// on: replicas in which that differs share none.
func answersOf(cfg *config.Config) string {
	if cfg.Shared == "" {
		return ""
	}
	return digestOf(cfg.Models, cfg.Providers, cfg.Guards)
}

// digestOf stands for parts of a configuration, but for what is secret in them.
func digestOf(parts ...any) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(parts) // as String does
	return hex.EncodeToString(h.Sum(nil)[:16])
}
