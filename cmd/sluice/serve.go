package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/alert"
	"sluice/gateway/audit"
	"sluice/gateway/httpcache"
	"sluice/gateway/telemetry"
	"sluice/prompts"
	"sluice/store"
	"sluice/store/address"
)

// server is a running gateway: what serve makes once and reloads build on.
type server struct {
	configPath     string
	dataDirFlag    string // --data; empty: not given
	dataDir        string
	started        *config.Config // what was in force at the start
	reloading      sync.Mutex
	correcting     sync.Mutex
	behind         atomic.Bool // what the store holds is not in force yet
	history        history
	changedSources chan struct{} // by a change over the API
	begun          time.Time     // before the configuration was read
	log            *slog.Logger

	store    *store.Store
	trail    *audit.Trail
	spool    *billing.Spool
	book     *billing.Book
	warnings *billing.Warnings
	counter  *billing.Counter
	prompts  *prompts.Registry
	metrics  *telemetry.Metrics
	alerts   *alert.Engine
	gateway  *gateway.Gateway

	build           builder
	encryption      encryption // of the data plane
	adminEncryption encryption
	instance        string // of this process, for collectors
}

// serve runs the gateway until ctx ends or a signal asks for its end.
func serve(ctx context.Context, configPath, dataDir string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	begun := time.Now()
	s := &server{configPath: configPath, dataDirFlag: dataDir, begun: begun, changedSources: make(chan struct{}, 1)}
	if err := s.read(ctx); err != nil {
		return err
	}
	defer s.store.Close()
	if err := s.open(); err != nil {
		return err
	}
	return s.run(ctx)
}

// keptBytes bounds all answers of routes that are kept.
const keptBytes = 128 << 20

// read reads the configuration, and opens the store, which may lead it.
func (s *server) read(ctx context.Context) (err error) {
	if err := s.leader(); err != nil {
		return err
	}
	if !s.history.stored() {
		if s.started, err = loadConfig(s.configPath, s.dataDirFlag); err != nil {
			return err
		}
	}
	s.dataDir = cmp.Or(s.dataDirFlag, dataDirOf(s.history.store))
	if err := os.MkdirAll(s.dataDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	if s.store, err = store.Open(ctx, s.history.store); err != nil {
		return err
	}
	if err := s.store.Join(ctx); err != nil {
		return errors.Join(fmt.Errorf("cannot join the replicas at the store: %w", err), s.store.Close())
	}
	s.log = slog.Default()
	if s.started != nil {
		s.log = newLogger(s.started.Log)
	}
	if why := s.store.Unguarded(); why != nil {
		s.log.Warn("row-level security is off: teams are kept apart by what the gateway asks for alone", "why", why)
	}
	s.trail = &audit.Trail{Store: s.store.Audit(), Log: s.log, Revision: func() string { return s.build.view().revision }}
	if err := s.trail.Recover(ctx); err != nil {
		return errors.Join(err, s.store.Close())
	}
	if err := s.begin(ctx); err != nil {
		return errors.Join(err, s.store.Close())
	}
	s.log = newLogger(s.started.Log)
	s.trail.Log = s.log
	return nil
}

// dataDirOf is where what is not in the store lies.
func dataDirOf(address string) string {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		return filepath.Dir(path)
	}
	return "data"
}

// open makes everything else that outlives a reload.
func (s *server) open() (err error) {
	s.build.kept = httpcache.New(keptBytes)
	s.counter = billing.NewCounter()
	s.metrics = telemetry.New()
	s.build.uses = billing.NewVersionUses(s.store.VersionUses(), s.log)
	s.book = billing.NewBook(s.started.Billing.TimeZone, time.Now)
	if err := s.openShared(); err != nil {
		return err
	}
	s.openPurges()
	s.warnings = billing.NewWarnings(s.log)
	if address.OnPostgres(s.started.Store) {
		s.warnings.Share(s.store.Replays())
	}
	s.book.OnWarn(s.warnings.Tell)
	s.prompts = prompts.NewRegistry(s.store.Prompts(), time.Now)
	s.prompts.Prefix, s.prompts.Splits = s.started.Prompts.Prefix, s.store.Prompts()
	s.spool, err = billing.OpenSpool(billing.SpoolOptions{
		Dir: filepath.Join(s.dataDir, "spool"), Ledger: s.book.Noting(s.store.Ledger()),
		Always: s.started.Billing.Fsync == "always", Refuse: s.started.Billing.DiskFull == "refuse", Log: s.log,
	})
	return err
}

// run listens, tells how to begin, and waits for the end.
func (s *server) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1) // from the first: a process that does not listen for it is killed by it
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// A start that fails for its ports must not make a key that is never shown.
	data, adminListener, err := s.listen()
	if err != nil {
		return err
	}
	var first string
	err = s.store.Alone(ctx, func() (err error) { first, err = s.firstStart(ctx); return err })
	if err != nil {
		return err
	}
	s.settleSplits(ctx)
	if err := s.prompts.Refresh(ctx); err != nil {
		return fmt.Errorf("cannot read the published prompts: %w", err)
	}
	for _, f := range s.publishPrompts(ctx, s.started) {
		s.log.Warn("prompt not served", "fault", f)
	}
	snap, err := s.build.snapshot(ctx, s, s.started)
	if err != nil {
		return err
	}
	s.gateway = gateway.New(gateway.Options{
		Prompts: s.prompts, Spool: s.spool, Ledger: s.store.Ledger(), Counter: s.counter, Metrics: s.metrics,
		Responses: s.store.Responses(), Replays: s.store.Replays(), Shared: s.build.shared,
		Log: s.log, AccessLog: os.Stdout, TextLog: s.started.Log.Format == "text",
		LogSinks: s.logSinks(), Exporter: s.exporter(),
		ReadTimeout: s.started.Server.HeaderTimeout, IdleTimeout: s.started.Server.IdleTimeout,
	}, snap)
	s.prompts.TestFiles()
	s.warnOfStrangers()
	s.metrics.AddGauges(s.gauges())
	s.alerts = s.newAlerts()
	s.setAlerts(s.started)
	plane, link, err := s.adminPlane(adminListener.Addr().String())
	if err != nil {
		return err
	}
	stopSharing := s.share()
	failed := make(chan error, 2)
	go func() { failed <- s.gateway.Serve(data) }()
	go func() { failed <- plane.Serve(adminListener) }()
	stopBackground := s.background(ctx, hup)
	s.greet(data.Addr().String(), link, first)
	go settleHeap()
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	stopBackground()
	err = errors.Join(err, s.shutdown(plane))
	stopSharing()
	return err
}

// background begins what goes on beside the calls; stop ends it, and waits for
// what uses the store.
func (s *server) background(ctx context.Context, hup <-chan os.Signal) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go s.watch(ctx, hup)
	go s.testPrompts(ctx, false) // of files that have changed since the last process
	go s.build.lastUsed.recall(ctx, s.build.view().keys, s.store.Ledger())
	go s.encryption.obtain(ctx, s.log)
	if s.build.purges != nil {
		go s.build.purges.Run(ctx)
	}
	var stored sync.WaitGroup
	stored.Go(func() { s.warnings.Run(ctx) })
	stored.Go(func() { s.store.Lead(ctx, s.retain) })
	stored.Go(func() { s.build.uses.Run(ctx) })
	stored.Go(func() { s.learn(ctx) })
	stored.Go(func() {
		s.store.Lead(ctx, func(ctx context.Context) { s.alerts.Run(ctx, s.alertsEvery, alert.NewSender()) })
	})
	return func() { cancel(); stored.Wait() }
}

// listen opens the listeners of the data plane and the admin plane.
func (s *server) listen() (data, admin net.Listener, err error) {
	if err := s.encryptPlanes(s.started); err != nil {
		return nil, nil, err
	}
	if data, err = net.Listen("tcp", s.started.Server.Listen); err != nil {
		return nil, nil, fmt.Errorf("cannot listen on server.listen: %w", err)
	}
	data = s.encryption.over(data)
	if admin, err = net.Listen("tcp", s.started.Server.Admin); err != nil {
		return nil, nil, fmt.Errorf("cannot listen on server.admin: %w", err)
	}
	return data, s.adminEncryption.over(admin), s.encryption.answer(s.started.Server.TLS)
}

// settleHeap gives back what starting took (the catalogue, the configuration),
// and has the heap collected when it has grown by 60 %: calls make so little
// garbage that it costs no time that can be measured, and many connections then
// take less memory. GOGC, if set, stands.
func settleHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(60)
	}
	debug.FreeOSMemory()
}

// shutdown drains: no new calls, open ones finish, usage is brought in.
func (s *server) shutdown(plane *http.Server) error {
	s.log.Info("shutting down", "drain", s.started.Server.Drain.String())
	ctx, cancel := context.WithTimeout(context.Background(), s.started.Server.Drain)
	defer cancel()
	if err := s.gateway.Shutdown(ctx); err != nil {
		s.log.Warn("calls were cut at the end of server.drain", "error", err)
	}
	s.build.standing.replace(&standingRoutes{})
	s.build.checks.Close()
	s.keepUsed()
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.build.uses.Flush(last); err != nil {
		s.log.Warn("it is not kept who used which version last", "error", err)
	}
	err := s.spool.Drain(last)
	plane.Close()
	if s.encryption.plain != nil {
		s.encryption.plain.Close()
	}
	switch {
	case err != nil && s.spool.Unwritten() > 0:
		return fmt.Errorf("usage is lost, as the log tells: %w", err)
	case err != nil:
		// Nothing is lost: the records are on disk, the next start brings them in.
		s.log.Warn("usage stays in the spool until the next start", "records", s.spool.Pending(), "error", err)
	}
	return nil
}

// firstStart makes the team and key of someone who has none yet, and gives the
// key to be shown, once.
func (s *server) firstStart(ctx context.Context) (string, error) {
	tenants := s.store.Tenants()
	teams, err := tenants.Teams(ctx)
	if err != nil {
		return "", err
	}
	keys, err := tenants.Keys(ctx)
	if err != nil {
		return "", err
	}
	if len(s.started.Teams)+len(teams)+len(keys) > 0 {
		return "", nil
	}
	now := time.Now()
	if err := tenants.PutTeam(ctx, billing.Team{Name: "default", Source: "store", Created: now}); err != nil {
		return "", err
	}
	secret := billing.GenerateKey()
	key := billing.Key{ID: "key_" + strings.ToLower(rand.Text()[:16]), Hash: billing.HashKey(secret), Prefix: billing.ShownPrefix(secret),
		Team: "default", Name: "first", Created: now, Source: "store"}
	if err := tenants.PutKey(ctx, key); err != nil {
		return "", err
	}
	return secret, s.trail.Note(ctx, audit.Record{Actor: "sluice", Action: "key.create", Resource: "keys/" + key.ID, Status: http.StatusCreated,
		After: audit.State(map[string]string{"id": key.ID, "prefix": key.Prefix, "team": key.Team, "name": key.Name})})
}

// greet tells on stderr where things are and how to make a first call.
func (s *server) greet(data, link, key string) {
	var b strings.Builder
	address := s.dataURL(data)
	fmt.Fprintf(&b, "sluice %s serves %s\n", version, address)
	fmt.Fprintf(&b, "console  %s\n", link)
	auth := `"Authorization: Bearer $SLUICE_KEY"` // with a key that exists already
	if key != "" {
		fmt.Fprintf(&b, "key      %s   (team default; shown this once)\n", key)
		auth = "'Authorization: Bearer " + key + "'"
	}
	fmt.Fprintf(&b, "try\n\ncurl %s/v1/chat/completions -H %s \\\n"+
		"  -H 'Content-Type: application/json' \\\n"+
		"  -d '{\"model\": \"mock/echo\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello, Sluice!\"}]}'\n\n", address, auth)
	fmt.Fprint(os.Stderr, b.String())
}

// adminToken is the configured one, else the one of an earlier start, else a
// new one, kept in the data directory and shown once.
func (s *server) adminToken() (string, error) {
	if t := s.started.Admin.Token.Reveal(); t != "" {
		return t, nil
	}
	path := filepath.Join(s.dataDir, "admin-token")
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the admin token: %w", err)
	}
	var raw [24]byte
	rand.Read(raw[:])
	token := "sl-admin-" + base64.RawURLEncoding.EncodeToString(raw[:])
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("cannot keep the admin token: %w", err)
	}
	fmt.Fprintf(os.Stderr, "admin    %s   (token of the admin API, kept in %s)\n", token, path)
	return token, nil
}

func newLogger(l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked by config
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, o))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, o))
}
