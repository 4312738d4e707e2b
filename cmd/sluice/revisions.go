package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/providers/catalog"
	"sluice/store/address"
)

// history is what the configuration was, is, and who leads it.
type history struct {
	lead    string // file, or store
	store   string // that is open
	file    string // that leads, or began; empty: none
	dir     string // of the file, as it was given: what a text names beside it is what the file names
	maskKey []byte
	running admin.Revision // guarded by server.reloading
}

func (h *history) stored() bool { return h.lead == "store" }

// mask names a secret by what nobody can guess it from.
func (h *history) mask(secret string) string {
	mac := hmac.New(sha256.New, h.maskKey)
	mac.Write([]byte(secret))
	return hex.EncodeToString(mac.Sum(nil)[:12])
}

// environ is the environment as the configuration sees it, whose file is at path:
// a data directory is where the store is, unless that is a server.
func environ(path, dataDir string) []string {
	env := os.Environ()
	if dataDir == "" {
		return env
	}
	if l, err := config.ReadLeader(path, env); err != nil || !address.OnPostgres(l.Store) {
		env = append(env, "SLUICE_STORE=sqlite:"+filepath.Join(dataDir, "sluice.db"))
	}
	return env
}

// leader tells who leads and where the store is, before either is opened.
func (s *server) leader() error {
	path, err := configFile(s.configPath)
	if err != nil {
		return err
	}
	l, err := config.ReadLeader(path, environ(path, s.dataDirFlag))
	if err != nil {
		_, all := loadConfig(s.configPath, s.dataDirFlag)
		return cmp.Or(all, err)
	}
	s.history.dir = filepath.Dir(path)
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	s.history.lead, s.history.file, s.history.store = l.Lead.Lead, path, l.Store
	return nil
}

// openHistory readies what the store knows of the configuration.
func (s *server) openHistory(ctx context.Context) error {
	key, err := s.store.Revisions().MaskKey(ctx)
	s.history.maskKey = []byte(key)
	return err
}

// loadStored reads the revision that the store leads by; nil: there is none
// yet, and the file will be the first.
func (s *server) loadStored(ctx context.Context) (*config.Config, *admin.RevisionText, error) {
	r, err := s.store.Revisions().RevisionText(ctx, 0)
	if errors.Is(err, billing.ErrNotFound) || err == nil && r.Source != "store" {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	cfg, err := s.loadText(ctx, fmt.Sprintf("revision %d", r.N), []byte(r.Text))
	if err != nil {
		return nil, nil, err
	}
	return cfg, &r, nil
}

// loadText reads a configuration that is no file.
func (s *server) loadText(ctx context.Context, name string, text []byte) (*config.Config, error) {
	kept, err := s.store.Revisions().KeptSecrets(ctx)
	if err != nil {
		return nil, err
	}
	return config.LoadText(config.Text{Name: name, Dir: s.history.dir, YAML: text, Store: s.history.store,
		Kept: func(name string) (string, bool) { secret, ok := kept[name]; return secret, ok }},
		environ(s.history.file, s.dataDirFlag), found(catalog.Load())...)
}

// load reads the configuration that is to be in force: the store's last
// revision, or the file.
func (s *server) load(ctx context.Context) (*config.Config, error) {
	if s.history.stored() {
		if cfg, _, err := s.loadStored(ctx); cfg != nil || err != nil {
			return cfg, err
		}
	}
	return loadConfig(s.configPath, s.dataDirFlag)
}

// begin is load at the start. What is not recorded yet is recorded: where the
// store leads, the file's text is its first revision.
func (s *server) begin(ctx context.Context) error {
	if err := s.openHistory(ctx); err != nil {
		return err
	}
	if !s.history.stored() {
		s.recordFile(ctx, s.started)
		return nil
	}
	cfg, r, err := s.loadStored(ctx)
	if err != nil {
		return err
	}
	if r != nil {
		s.started, s.history.running = cfg, r.Revision
		return nil
	}
	if s.started == nil {
		if s.started, err = loadConfig(s.configPath, s.dataDirFlag); err != nil {
			return err
		}
	}
	message := "the embedded defaults"
	if s.history.file != "" {
		message = s.history.file
	}
	_, err = s.record(ctx, s.started, admin.ConfigEdit{Author: "file", Message: message})
	return err
}

// recordFile notes what the file says, if it is not what it said before. That
// it cannot be noted makes no configuration worse.
func (s *server) recordFile(ctx context.Context, cfg *config.Config) {
	doc, err := s.document(cfg)
	if err == nil {
		var last admin.RevisionText
		last, err = s.store.Revisions().RevisionText(ctx, 0)
		if err == nil && last.Digest == doc.Digest() && last.Source == "file" {
			s.history.running = last.Revision
			return
		}
		if err == nil || errors.Is(err, billing.ErrNotFound) {
			_, err = s.record(ctx, cfg, admin.ConfigEdit{Author: "file", Message: s.history.file})
		}
	}
	if err != nil {
		s.log.Warn("this state of the configuration is not in its history", "error", err)
	}
}

func (s *server) document(cfg *config.Config) (*config.Document, error) {
	return config.ReadDocument("the configuration", cfg.Written(), s.history.mask)
}

// record writes a revision, which then counts as the one that runs. Secrets are
// kept only where the store leads: a file has its own.
func (s *server) record(ctx context.Context, cfg *config.Config, e admin.ConfigEdit) (was admin.Revision, err error) {
	was = s.history.running
	doc, err := s.document(cfg)
	if err != nil {
		return was, err
	}
	text, err := doc.YAML()
	if err != nil {
		return was, err
	}
	r := admin.RevisionText{Revision: admin.Revision{Created: time.Now().UTC(), Author: e.Author, Message: e.Message, Digest: doc.Digest(), Source: s.history.lead},
		Text: string(text)}
	var secrets map[string]string
	if s.history.stored() {
		secrets = doc.Kept()
	}
	if r.N, err = s.store.Revisions().AddRevision(ctx, r, secrets, cfg.Lead.Keep); err != nil {
		return was, err
	}
	s.history.running = r.Revision
	return was, nil
}

// configuration is what the admin plane knows and does of the configuration.
func (s *server) configuration() admin.Configuration {
	return admin.Configuration{Shown: s.shownConfig, Put: s.putConfig,
		Validate: func(ctx context.Context, text []byte) error {
			_, err := s.stated(ctx, text)
			return err
		},
		Diff:      s.diffConfig,
		Revisions: s.revisions, Revision: s.revision,
	}
}

func (s *server) shownConfig(_ context.Context, effective bool) (admin.ConfigShown, error) {
	s.reloading.Lock()
	cfg, running := s.build.view().cfg, s.history.running
	s.reloading.Unlock()
	doc, err := s.document(cfg)
	if err != nil {
		return admin.ConfigShown{}, err
	}
	c := admin.ConfigShown{JSON: doc.JSON(), Digest: doc.Digest(), Lead: s.history.lead, File: s.history.file, Revision: running.N}
	if effective {
		c.JSON, err = cfg.Effective(s.history.mask)
		return c, err
	}
	c.YAML, err = doc.YAML()
	return c, err
}

// sent names a text that came over the API in faults.
const sent = "sent"

// candidate reads a text that may come in force. Its faults are the API's.
func (s *server) candidate(ctx context.Context, text []byte) (*config.Config, error) {
	if !s.history.stored() {
		cfg, err := s.loadAsFile(text)
		return cfg, faultsOf(err)
	}
	cfg, err := s.loadText(ctx, sent, text)
	return cfg, faultsOf(err)
}

// stated is the candidate of a text that was sent, which must say something.
func (s *server) stated(ctx context.Context, text []byte) (*config.Config, error) {
	if err := config.Stated(sent, text); err != nil {
		return nil, faultsOf(err)
	}
	return s.candidate(ctx, text)
}

// loadAsFile reads a text as if it were what the file says.
func (s *server) loadAsFile(text []byte) (*config.Config, error) {
	return config.LoadText(config.Text{Name: sent, Dir: s.history.dir, YAML: text, Led: true, Kept: s.keptByFile},
		environ(s.history.file, s.dataDirFlag), found(catalog.Load())...)
}

// keptByFile finds a secret by its name in what the file says now: what was
// shown of it may come back.
func (s *server) keptByFile(name string) (string, bool) {
	doc, err := s.document(s.build.view().cfg)
	if err != nil {
		return "", false
	}
	secret, ok := doc.Kept()[name]
	return secret, ok
}

func faultsOf(err error) error {
	var faults config.Faults
	if !errors.As(err, &faults) {
		return err
	}
	out := make(admin.ConfigFaults, len(faults))
	for i, f := range faults {
		out[i] = admin.ConfigFault{Line: f.Line, Message: f.Message}
		if f.File != sent {
			out[i].File = f.File
		}
	}
	return out
}

func (s *server) diffConfig(ctx context.Context, text []byte) (admin.ConfigDiff, error) {
	to, err := s.stated(ctx, text)
	if err != nil {
		return admin.ConfigDiff{}, err
	}
	from := s.build.view().cfg
	broken, err := breaks(from, to)
	return admin.ConfigDiff{Changes: s.changes(from, to), Breaks: append([]string{}, broken...)}, err
}

func (s *server) changes(from, to *config.Config) []admin.ConfigChange {
	out := []admin.ConfigChange{}
	for _, c := range config.Diff(from, to, s.history.mask) {
		made := admin.ConfigChange{Op: c.Op, Object: c.Object, Fields: make([]admin.ConfigField, len(c.Fields))}
		for i, f := range c.Fields {
			made.Fields[i] = admin.ConfigField{Path: f.Path, From: json.RawMessage(config.Shown(f.From)), To: json.RawMessage(config.Shown(f.To))}
		}
		out = append(out, made)
	}
	return out
}

// putConfig puts a text, or an earlier revision, in force: whole, or not at
// all. It is stored first, for what is in force must still be so after a crash.
func (s *server) putConfig(ctx context.Context, text []byte, e admin.ConfigEdit) (out admin.ConfigApplied, err error) {
	if !s.history.stored() {
		return out, admin.ErrConfigLed{File: s.history.file}
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	err = s.store.Alone(ctx, func() (err error) {
		out, err = s.putAlone(ctx, text, e)
		return err
	})
	return out, err
}

func (s *server) putAlone(ctx context.Context, text []byte, e admin.ConfigEdit) (out admin.ConfigApplied, err error) {
	if err := s.follow(ctx); err != nil { // another replica may have been first
		return out, err
	}
	if e.Match != "" && e.Match != s.history.running.Digest {
		return out, admin.ErrConfigMoved{Digest: s.history.running.Digest}
	}
	read := s.stated
	if e.To > 0 {
		read = s.candidate // a revision may be that of a gateway without a file
		r, err := s.store.Revisions().RevisionText(ctx, e.To)
		if err != nil {
			return out, err
		}
		if text = []byte(r.Text); e.Message == "" {
			e.Message = fmt.Sprintf("back to revision %d", e.To)
		}
	}
	cfg, err := read(ctx, text)
	if err != nil {
		return out, err
	}
	old := s.build.view().cfg
	out.Changes = s.changes(old, cfg)
	doc, err := s.document(cfg)
	if err != nil {
		return out, err
	}
	out.Restart = needRestart(s.started, cfg)
	if doc.Digest() != s.history.running.Digest {
		if !e.Force && e.To == 0 { // what was in force once may be again at any time
			broken, err := breaks(old, cfg)
			if err != nil {
				return out, err
			}
			if len(broken) > 0 {
				return out, admin.ErrConfigBreaks{Changes: broken}
			}
		}
		if err := s.takeOver(ctx, cfg, old, e); err != nil {
			return out, err
		}
	}
	out.Revision, out.Digest = s.history.running.N, s.history.running.Digest
	return out, nil
}

// takeOver records a configuration and puts it in force, or leaves all as it was.
func (s *server) takeOver(ctx context.Context, cfg, old *config.Config, e admin.ConfigEdit) error {
	was, err := s.record(ctx, cfg, e)
	if err != nil {
		return err
	}
	if err := s.putInForce(ctx, cfg); err != nil {
		dropped := s.store.Revisions().DropRevision(ctx, s.history.running.N)
		s.history.running = was
		return errors.Join(err, dropped, s.putInForce(ctx, old))
	}
	s.log.Info("configuration changed", "revision", s.history.running.N, "author", e.Author)
	s.moved()
	return nil
}

// follow puts in force what another replica has put into the store. The reloading
// lock is held.
func (s *server) follow(ctx context.Context) error {
	if !s.history.stored() || s.store.Changed() == nil {
		return nil
	}
	list, err := s.store.Revisions().ListRevisions(ctx)
	if err != nil || len(list) == 0 || list[0].Source != "store" || list[0].N == s.history.running.N {
		return err
	}
	cfg, r, err := s.loadStored(ctx)
	if err != nil || r == nil {
		return err
	}
	if err := s.putInForce(ctx, cfg); err != nil {
		return err
	}
	s.history.running = r.Revision
	s.log.Info("configuration of another replica taken over", "revision", r.N, "author", r.Author)
	s.moved()
	return nil
}

// moved tells the watch that other files may count now.
func (s *server) moved() {
	select {
	case s.changedSources <- struct{}{}:
	default:
	}
}

func (s *server) revisions(ctx context.Context) ([]admin.Revision, error) {
	list, err := s.store.Revisions().ListRevisions(ctx)
	running := s.runningRevision()
	for i := range list {
		list[i].Running = list[i].N == running
	}
	return list, err
}

func (s *server) revision(ctx context.Context, n int64) (admin.RevisionText, error) {
	r, err := s.store.Revisions().RevisionText(ctx, n)
	if err != nil {
		return r, err
	}
	r.Running = n == s.runningRevision()
	doc, err := config.ReadDocument(fmt.Sprintf("revision %d", n), []byte(r.Text), s.history.mask)
	if err != nil {
		return r, err
	}
	r.Config = json.RawMessage(strings.TrimSpace(string(doc.JSON())))
	return r, nil
}

func (s *server) runningRevision() int64 {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.history.running.N
}
