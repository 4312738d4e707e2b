package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/gateway/cache"
	"sluice/gateway/shared"
	"sluice/gateway/telemetry"
	"sluice/gateway/telemetry/otlp"
	"sluice/prompts"
	"sluice/providers/anthropic"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/responses"
)

// Options are what a Gateway is made of.
type Options struct {
	Prompts   *prompts.Registry
	Spool     *billing.Spool
	Ledger    billing.Ledger // for GET /v1/usage
	Counter   *billing.Counter
	Responses Conversations // answers of the Responses API; nil: none are kept
	Replays   Replays       // answers that are given again, and jobs; nil: they end with the process
	Shared    *shared.Level // of kept answers, with other replicas; nil: none
	Metrics   *telemetry.Metrics
	Log       *slog.Logger
	AccessLog io.Writer      // a line a call; nil: none
	TextLog   bool           // access lines for people instead of machines
	LogSinks  []LogSink      // beside it
	Exporter  *otlp.Exporter // nil: no collector is told of calls

	ReadTimeout time.Duration // for a request to arrive, headers and body
	IdleTimeout time.Duration // of a connection between requests
}

// Gateway is the data plane. Its state is the snapshot; everything else is
// made once.
type Gateway struct {
	snap    atomic.Pointer[Snapshot]
	prompts *prompts.Registry
	spool   *billing.Spool
	ledger  billing.Ledger
	counter *billing.Counter

	responses *keeper // nil: none are kept
	keeping   sync.WaitGroup
	metrics   *telemetry.Metrics
	log       *slog.Logger
	access    *accessLog
	ids       *idSource
	watch     watcher
	peers     peers
	replays   replays
	jobs      jobs
	cache     *cache.Store
	shadows   shadows
	server    *fasthttp.Server
	portal    atomic.Pointer[Portal] // nil: there is none
	bodyPause time.Duration          // the longest that a caller may pause within a body that is passed on

	ctx      context.Context // of all calls; ends when draining takes too long
	cancel   context.CancelFunc
	draining atomic.Bool
	open     sync.WaitGroup // calls that are not finished

	used usedKeys
}

// New makes a gateway that serves first once it has a snapshot.
func New(o Options, first *Snapshot) *Gateway {
	g := &Gateway{
		prompts: o.Prompts, spool: o.Spool, ledger: o.Ledger, counter: o.Counter,
		metrics: o.Metrics, log: o.Log, ids: newIDSource(), used: usedKeys{at: map[string]time.Time{}}, cache: cache.New(cacheBytes), bodyPause: o.ReadTimeout,
	}
	if o.Shared != nil {
		g.cache.Share(o.Shared, &openai.Dialect, &openai.Completions, &anthropic.Dialect, &gemini.Dialect, &responses.Dialect)
	}
	g.Swap(first)
	if o.Responses != nil {
		g.responses = newKeeper(o.Responses, o.Log.Warn)
	}
	if o.Replays != nil {
		g.replays.kept = newReplayKeeper(o.Replays, o.Log)
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.access = newAccessLog(&o)
	g.server = &fasthttp.Server{
		Handler:      g.handle,
		ErrorHandler: g.serverError,
		// A request's size is bounded by the snapshot, so that a reload counts.
		HeaderReceived: func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
			return fasthttp.RequestConfig{MaxRequestBodySize: int(g.snap.Load().Settings.BodyLimit)}
		},
		ReadTimeout:                  o.ReadTimeout,
		IdleTimeout:                  o.IdleTimeout,
		ReadBufferSize:               16 << 10, // bounds the headers
		WriteBufferSize:              8 << 10,
		Concurrency:                  1 << 20,
		NoDefaultServerHeader:        true,
		NoDefaultDate:                false,
		CloseOnShutdown:              true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true, // what goes to a route may be passed on as it comes
		Logger:                       serverLogger{o.Log},
	}
	// Who proves a name by TLS-ALPN-01 (RFC 8737) has seen the certificate, and
	// may ask for nothing: it showed none of its own.
	g.server.NextProto("acme-tls/1", func(net.Conn) error { return nil })
	if g.responses != nil {
		g.keeping.Go(func() { g.responses.run(g.ctx) })
	}
	if g.replays.kept != nil {
		g.keeping.Go(func() { g.replays.kept.run(g.ctx) })
	}
	go g.watch.run(g.ctx)
	return g
}

// Swap puts a new snapshot in force for all calls that begin after it.
func (g *Gateway) Swap(s *Snapshot) {
	s.declare(g.metrics)
	g.snap.Store(s)
}

// Snapshot is the one in force.
func (g *Gateway) Snapshot() *Snapshot { return g.snap.Load() }

// Serve accepts connections until Shutdown, which may have come before.
func (g *Gateway) Serve(ln net.Listener) error {
	if g.draining.Load() { // the server did not know of ln, and has not closed it
		_ = ln.Close()
		return nil
	}
	if err := g.server.Serve(callerListener{ln, g}); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Shutdown stops accepting, lets open calls (streams included) finish until
// ctx ends, then cuts what is left. Every call's usage is in the spool when it
// returns.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.draining.Store(true)
	err := g.server.ShutdownWithContext(ctx)
	wait(ctx, &g.shadows.open)
	wait(ctx, &g.jobs.open)
	g.cancel()
	g.watch.end()
	// What is still open ends as an error, and is recorded. A caller who does not
	// read keeps its call from that until its connection is closed.
	if !g.quiet(time.Second) {
		g.watch.cut()
		if !g.quiet(time.Second) {
			g.log.Error("calls did not end after they were cut")
		}
	}
	g.keeping.Wait()
	if g.replays.kept != nil {
		g.replays.kept.close()
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer stop()
	g.access.close(last)
	return err
}

// quiet waits until no call is open; false: one still is after d.
func (g *Gateway) quiet(d time.Duration) bool {
	done := make(chan struct{})
	go func() { g.open.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// usedKeys are the keys used since they were last asked for, and when.
type usedKeys struct {
	mu sync.Mutex
	at map[string]time.Time
}

// touch remembers that a key was used.
func (g *Gateway) touch(c *Caller) {
	if !c.used.CompareAndSwap(false, true) {
		return
	}
	g.used.mu.Lock()
	g.used.at[c.Key.ID] = time.Now()
	g.used.mu.Unlock()
}

// UsedKeys are the keys used since the last call of UsedKeys, with a time.
func (g *Gateway) UsedKeys() map[string]time.Time {
	g.used.mu.Lock()
	used := g.used.at
	g.used.at = map[string]time.Time{}
	g.used.mu.Unlock()
	for _, c := range g.snap.Load().callers {
		if _, ok := used[c.Key.ID]; ok {
			c.used.Store(false)
		}
	}
	return used
}

// flushTime is how long sinks have at the end to take what waits for them.
const flushTime = 5 * time.Second

// LogDropped tells how much was lost of what is told of calls, by sink.
func (g *Gateway) LogDropped(yield func(sink string, n int64)) {
	g.access.dropped(yield)
}

// serverLogger hands fasthttp's own messages on, as debug: each is about one
// connection that broke.
type serverLogger struct{ log *slog.Logger }

func (l serverLogger) Printf(format string, args ...any) {
	l.log.Debug("connection", "error", sprintf(format, args))
}
