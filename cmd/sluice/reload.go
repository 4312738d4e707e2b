package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/gateway/audit"
	"sluice/gateway/cache"
	"sluice/providers/catalog"
)

// loadConfig reads the configuration: the file named, else ./sluice.yaml if
// there is one, else the embedded defaults. dataDir, if given, is where the
// store is.
func loadConfig(path, dataDir string) (*config.Config, error) {
	path, err := configFile(path)
	if err != nil {
		return nil, err
	}
	return config.Load(path, environ(path, dataDir), found(catalog.Load())...)
}

// configFile is the file that a path, or its absence, stands for; empty: none.
func configFile(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	const local = "sluice.yaml"
	_, err := os.Stat(local)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return local, err
}

// reload reads the configuration again and puts it in force. A faulty one is
// refused whole: the old one serves on. The error may be admin.PromptFaults, of
// files of prompts that are not served in their new state: all else is in force.
func (s *server) reload(ctx context.Context) error {
	if err := s.reloadConfig(ctx); err != nil {
		return err
	}
	if faults := s.testPrompts(ctx, true); len(faults) > 0 {
		return admin.PromptFaults(faults)
	}
	return nil
}

func (s *server) reloadConfig(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	cfg, err := s.load(ctx)
	if err != nil {
		return err
	}
	old := s.build.view().cfg
	if err := s.putInForce(ctx, cfg); err != nil {
		return err
	}
	s.warnOfBreaks(old, cfg)
	if !s.history.stored() {
		s.recordFile(ctx, cfg)
	}
	s.log.Info("configuration reloaded")
	return nil
}

// putInForce makes cfg what the gateway serves from.
func (s *server) putInForce(ctx context.Context, cfg *config.Config) error {
	s.warnOfFaults(s.publishPrompts(ctx, cfg))
	if err := s.rebuild(ctx, cfg); err != nil {
		return err
	}
	if err := s.encryptPlanes(cfg); err != nil {
		return err
	}
	s.warnOfStrangers()
	if late := needRestart(s.started, cfg); len(late) > 0 {
		s.log.Warn("changes that take a restart are not in force", "keys", strings.Join(late, ", "))
	}
	return nil
}

// needRestart are the keys that differ and are read at the start only.
func needRestart(was, now *config.Config) []string {
	var keys []string
	differ := func(key string, different bool) {
		if different {
			keys = append(keys, key)
		}
	}
	differ("server.listen", was.Server.Listen != now.Server.Listen)
	differ("server.admin", was.Server.Admin != now.Server.Admin)
	differ("server.tls", was.Server.TLS.On() != now.Server.TLS.On())
	differ("server.tls.acme.http", was.Server.TLS.ProvenAt() != now.Server.TLS.ProvenAt())
	differ("admin.tls", was.Admin.TLS.On() != now.Admin.TLS.On())
	differ("server.drain", was.Server.Drain != now.Server.Drain)
	differ("server.header_timeout", was.Server.HeaderTimeout != now.Server.HeaderTimeout)
	differ("server.idle_timeout", was.Server.IdleTimeout != now.Server.IdleTimeout)
	differ("config.lead", was.Lead.Lead != now.Lead.Lead)
	differ("admin.token", was.Admin.Token.Reveal() != now.Admin.Token.Reveal())
	differ("store", was.Store != now.Store)
	differ("shared", was.Shared != now.Shared)
	differ("purge", !reflect.DeepEqual(was.Purge, now.Purge))
	differ("log.level, log.format", was.Log.Level != now.Log.Level || was.Log.Format != now.Log.Format)
	differ("log.sinks", !reflect.DeepEqual(was.Log.Sinks, now.Log.Sinks))
	differ("telemetry.otlp", was.Telemetry.OTLP != now.Telemetry.OTLP || !maps.Equal(was.Telemetry.Headers, now.Telemetry.Headers))
	differ("telemetry.metrics", was.Telemetry.Metrics != now.Telemetry.Metrics)
	differ("billing.fsync", was.Billing.Fsync != now.Billing.Fsync)
	differ("billing.disk_full", was.Billing.DiskFull != now.Billing.DiskFull)
	differ("billing.time_zone", was.Billing.TimeZone.String() != now.Billing.TimeZone.String())
	differ("prompts.prefix", was.Prompts.Prefix != now.Prompts.Prefix)
	return keys
}

// changed puts teams and keys of the store in force after the admin API
// changed them. They are stored, so it goes on when whoever asked has left, and
// what fails is tried again (catchUp): a revoked key must not stay in force.
func (s *server) changed(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	s.reloading.Lock()
	defer s.reloading.Unlock()
	defer func() { s.behind.Store(err != nil) }()
	if err := s.follow(ctx); err != nil {
		return err
	}
	if err := s.prompts.Refresh(ctx); err != nil {
		return err
	}
	return s.rebuild(ctx, s.build.view().cfg)
}

// catchUp puts in force what could not be when it was stored.
func (s *server) catchUp(ctx context.Context) {
	if !s.behind.Load() {
		return
	}
	if err := s.changed(ctx); err != nil {
		s.log.Error("a change was stored but is not in force", "error", err)
	}
}

// endSplits ends the splits that have stopped by themselves: their calls go to
// production already.
func (s *server) endSplits(ctx context.Context) {
	ended, err := s.prompts.EndStopped(ctx)
	for name, r := range ended {
		s.log.Warn("the split of a prompt was stopped: production serves all of its calls", "prompt", name, "by", r.By, "why", r.Stopped)
		s.metrics.SplitStopped(name, r.By)
		s.behind.Store(true)
		if err := s.trail.Note(ctx, audit.Record{Actor: "sluice", Action: "prompt.split", Resource: "prompts/" + name + "/split", Status: http.StatusOK,
			After: audit.State(map[string]string{"stopped": r.Stopped, "by": r.By})}); err != nil {
			s.log.Error("a split was stopped without a record", "prompt", name, "error", err)
		}
	}
	if err != nil {
		s.log.Error("a split that was stopped may come back when the process starts anew", "error", err)
	}
}

// settleSplits brings into the ledger, at start, what the last process left in
// the spool: splits go on from the figures there.
func (s *server) settleSplits(ctx context.Context) {
	has, err := s.store.Prompts().HasSplits(ctx)
	if err == nil && has {
		ctx, cancel := context.WithTimeout(ctx, flushTime)
		defer cancel()
		err = s.spool.Flush(ctx)
	}
	if err != nil {
		s.log.Warn("the figures of splits lack calls that are still in the usage spool", "records", s.spool.Pending(), "error", err)
	}
}

// rebuild makes a snapshot of cfg and swaps it in.
func (s *server) rebuild(ctx context.Context, cfg *config.Config) error {
	was := s.build.view().cfg
	snap, err := s.build.snapshot(ctx, s, cfg)
	if err != nil {
		return err
	}
	s.gateway.Swap(snap)
	s.setAlerts(cfg)
	if was != nil && !sameGuards(was, cfg) {
		s.gateway.PurgeCache(cache.Selection{}) // what was kept came past other guards
	}
	return nil
}

// defaultPrompts is the prompts.dir of the embedded defaults, which counts once
// it is there.
const defaultPrompts = "prompts"

// watch reloads on SIGHUP and when a file changes, and keeps the small things
// that are written now and then.
func (s *server) watch(ctx context.Context, hup <-chan os.Signal) {
	files := make(chan struct{}, 1)
	prompts := make(chan struct{}, 1)
	watched, stop := s.watched(), s.watchFiles(files, prompts)
	defer func() { stop() }()
	if slices.ContainsFunc(watched, func(name string) bool { return touched(name, s.begun) }) {
		s.tryReload(ctx, "file") // nobody was told of it
	}
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	look := time.NewTicker(200 * time.Millisecond) // for the default directory, which may still be made
	defer look.Stop()
	if s.build.view().cfg.Prompts.Dir != "" {
		look.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			s.tryReload(ctx, "signal")
		case <-s.changedSources: // they may be others now
		case <-files:
			s.tryReload(ctx, "file")
		case <-prompts:
			s.promptFilesChanged(ctx)
			continue
		case <-s.store.Changed():
			if err := s.changed(ctx); err != nil {
				s.log.Error("what a replica has changed is not in force", "error", err)
			}
			continue
		case <-second.C:
			s.endSplits(ctx)
			s.catchUp(ctx)
			continue
		case <-look.C:
			if _, err := os.Stat(defaultPrompts); err != nil {
				continue
			}
			look.Stop()
			s.tryReload(ctx, "file")
		case <-tick.C:
			s.keepUsed()
			continue
		}
		if now := s.watched(); !slices.Equal(now, watched) {
			stop()
			watched, stop = now, s.watchFiles(files, prompts)
			s.tryReload(ctx, "file") // what changed before they were watched
		}
	}
}

// touched tells whether a file, or what is read of a directory, was changed after
// a time. No name is nothing.
func touched(name string, since time.Time) bool {
	changed := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.ModTime().After(since)
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return err == nil && changed(name)
	}
	later := false
	// The separator makes a link to a directory count as one.
	_ = filepath.WalkDir(name+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil: // what is gone is not read
			return nil
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && filepath.Clean(path) != filepath.Clean(name):
			return fs.SkipDir
		case !entry.IsDir() && filepath.Ext(path) != ".prompt":
			return nil
		}
		if later = changed(path); later {
			return fs.SkipAll
		}
		return nil
	})
	return later
}

// watched are the files and the directory that the configuration comes from.
func (s *server) watched() []string {
	cfg := s.build.view().cfg
	return append(slices.Clone(cfg.Sources()), cfg.Prompts.Dir)
}

// tryReload reloads because of a file or a signal, with a record of it; by is
// which.
func (s *server) tryReload(ctx context.Context, by string) {
	revision := func() json.RawMessage { return audit.State(map[string]string{"revision": s.build.view().revision}) }
	err := s.trail.Do(ctx, audit.Record{Actor: by, Action: "config.reload", Resource: "reload", Before: revision()}, func(r *audit.Record) {
		r.Status = http.StatusOK
		err := s.reloadConfig(ctx)
		if err == nil {
			go s.testPrompts(ctx, true) // those that wait, or failed
		}
		if err != nil {
			r.Status = http.StatusUnprocessableEntity
			for line := range strings.Lines(err.Error()) {
				s.log.Error("configuration refused, the old one serves on", "fault", strings.TrimSpace(line))
			}
		}
		r.After = revision()
	})
	if err != nil {
		s.log.Error("the configuration was not read again, as no record of it can be kept: the old one serves on", "error", err)
	}
}

// watchFiles tells of changes in the configuration's files and in prompts.dir.
func (s *server) watchFiles(files, prompts chan<- struct{}) (stop func()) {
	cfg := s.build.view().cfg
	tell := func(ch chan<- struct{}) func() {
		return func() {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
	var stops []func()
	keep := func(stop func(), err error) {
		if err != nil {
			s.log.Warn("changes of files are not noticed: send SIGHUP to reload", "error", err)
			return
		}
		stops = append(stops, stop)
	}
	if len(cfg.Sources()) > 0 {
		keep(config.Watch(tell(files), cfg.Sources()...))
	}
	if cfg.Prompts.Dir != "" {
		keep(config.WatchDir(cfg.Prompts.Dir, tell(prompts)))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// keepResponses is how long answers of the Responses API are kept: as long as
// OpenAI keeps them.
const keepResponses = 30 * 24 * time.Hour

// mostReplays bounds the answers to calls with an Idempotency-Key, and jobs,
// that are kept: newer ones push out older ones before their day is over.
const mostReplays = 500_000

// keepVersionUses is how many days it is kept who used which version of a route:
// more than a year, for some only ask once in one.
const keepVersionUses = 400

// keepUsed records when keys were last used, and forgets responses and answers
// to be given again that are too old.
func (s *server) keepUsed() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.store.Responses().ForgetResponses(ctx, time.Now().Add(-keepResponses)); err != nil {
		s.log.Warn("old responses are still kept", "error", err)
	}
	if err := s.store.Replays().ForgetReplays(ctx, time.Now(), mostReplays); err != nil {
		s.log.Warn("old answers are still kept to be given again", "error", err)
	}
	if err := s.store.VersionUses().ForgetVersionUses(ctx, time.Now().AddDate(0, 0, -keepVersionUses)); err != nil {
		s.log.Warn("it is still kept who used which version long ago", "error", err)
	}
	used := s.gateway.UsedKeys()
	if len(used) == 0 {
		return
	}
	s.build.lastUsed.note(used)
	if err := s.store.Tenants().TouchKeys(ctx, used); err != nil {
		s.log.Warn("cannot record when keys were used", "error", err)
	}
}

// sameGuards tells whether all models have the same guards in two configurations.
func sameGuards(a, b *config.Config) bool {
	for _, models := range []map[string]config.Model{a.Models, b.Models} {
		for name := range models {
			if !slices.Equal(a.Models[name].Guard, b.Models[name].Guard) {
				return false
			}
		}
	}
	return reflect.DeepEqual(a.Guards, b.Guards)
}
