package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"sluice/bench/upstream"
	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/proxy"
	"sluice/gateway/telemetry"
	"sluice/gateway/telemetry/otlp"
	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/mock"
	"sluice/providers/openai"
	transport "sluice/providers/upstream"
	"sluice/router"
)

func TestMain(m *testing.M) {
	// The server's clock never ends; its cleaner of idle workers does at its next
	// look, ten seconds on.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// testKey is the key of the team "t" that every rig has.
const testKey = "sk-test-k"

// setup is what a rig is built from; tests add to it.
type setup struct {
	settings  gateway.Settings
	teams     []billing.Team
	keys      []billing.Key // whose secret is "sk-test-" and their name
	providers []*gateway.Provider
	models    []*gateway.Model
	list      []gateway.ModelInfo
	bare      map[string]string
	routes    *proxy.Tree
	fake      string            // URL of the fake
	prompts   map[string]string // sources by name
	access    io.Writer         // nil: a buffer
	text      bool
	sinks     []gateway.LogSink
	exporter  *otlp.Exporter
}

// key adds a key of the team t.
func (s *setup) key(name string, with func(*billing.Key)) {
	k := billing.Key{ID: "key_" + name, Team: "t", Name: name, Hash: billing.HashKey("sk-test-" + name)}
	if with != nil {
		with(&k)
	}
	s.keys = append(s.keys, k)
}

// provider finds one by its name.
func (s *setup) provider(name string) *gateway.Provider {
	for _, p := range s.providers {
		if p.Name == name {
			return p
		}
	}
	panic("no provider " + name)
}

// model adds a name with targets, each tried once.
func (s *setup) model(name string, targets ...string) *gateway.Model {
	m := &gateway.Model{Name: name, Route: &router.Route{Name: name, Retry: router.Retry{Attempts: 1}}}
	for _, full := range targets {
		p, model, _ := strings.Cut(full, "/")
		t := gateway.NewTarget(s.provider(p), model)
		m.Targets = append(m.Targets, t)
		m.Route.Candidates = append(m.Route.Candidates, router.Candidate{
			Target: router.NewTarget(t.Name, router.Breaker{}), Pool: t.Provider.Pool, Model: t.Model, Payload: t})
	}
	if err := m.Route.Prepare(); err != nil {
		panic(err)
	}
	s.models = append(s.models, m)
	return m
}

// rig is a gateway on a listener of its own, with all that it stands on in
// memory but for the spool.
type rig struct {
	t        testing.TB
	g        *gateway.Gateway
	addr     string
	ledger   *memLedger
	spool    *billing.Spool
	book     *billing.Book
	owners   *billing.Owners // of the last snapshot
	registry *prompts.Registry
	store    *memPrompts
	metrics  *telemetry.Metrics
	access   *buffer
	log      *panics
	fake     *upstream.Server
	counter  *billing.Counter
	client   *http.Client
	snapshot func() *gateway.Snapshot
	stop     func()
}

var oneTwo = price("1", "2")

func price(in, out string) *billing.Prices {
	p, err := billing.ParsePrices(billing.PriceSpec{Input: in, Output: out})
	if err != nil {
		panic(err)
	}
	return p
}

// newRig starts a gateway with the providers mock, up (OpenAI's API) and ant
// (Anthropic's), both the fake, and free, which is up without prices.
func newRig(t testing.TB, change ...func(*setup)) *rig {
	t.Helper()
	r := &rig{t: t, ledger: &memLedger{}, store: newMemPrompts(), metrics: telemetry.New(), access: &buffer{},
		fake: upstream.Start(t), counter: sharedCounter}
	r.log = &panics{t: t}
	log := slog.New(r.log)
	s := &setup{settings: gateway.Settings{BodyLimit: 1 << 20, HoldTokens: 100, Unpriced: billing.UnpricedBlock, Location: time.UTC},
		fake: r.fake.URL(), teams: []billing.Team{{Name: "t"}, {Name: "public"}}, prompts: map[string]string{}}
	s.key("k", nil)
	s.keys = append(s.keys, billing.Key{ID: "public", Team: "public", Name: "anonymous"})
	s.providers = []*gateway.Provider{
		local("mock", mock.New(mock.Options{Count: func(text string) int64 { return r.counter.Count("mock", text) }}), oneTwo),
		remote(t, "up", r.fake.URL()+"/v1", &openai.Dialect, oneTwo),
		remote(t, "ant", r.fake.URL(), &anthropic.Dialect, oneTwo),
		remote(t, "free", r.fake.URL()+"/v1", &openai.Dialect, nil),
	}
	for _, f := range change {
		f(s)
	}
	r.start(s, log)
	return r
}

// sharedCounter loads each tokenizer once for all tests.
var sharedCounter = billing.NewCounter()

func (r *rig) start(s *setup, log *slog.Logger) {
	t := r.t
	var err error
	r.spool, err = billing.OpenSpool(billing.SpoolOptions{Dir: filepath.Join(t.TempDir(), "spool"), Ledger: r.ledger, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r.registry = prompts.NewRegistry(r.store, time.Now)
	for name, source := range s.prompts {
		r.publish(name, source)
	}
	for _, p := range r.registry.Snapshot().All() {
		if l := p.Template.Sluice.Limits; l != (prompts.Limits{}) {
			s.teams = append(s.teams, billing.Team{Name: gateway.PromptOwner(p.Name), Limits: billing.Limits(l)})
		}
	}
	r.book = billing.NewBook(time.UTC, time.Now)
	r.snapshot = func() *gateway.Snapshot {
		owners, err := r.book.Rebuild(s.teams, s.keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.models {
			if l := owners.Team(gateway.ModelOwner(m.Name)); m.Limits != l { // calls may be reading it
				m.Limits = l
			}
		}
		for _, p := range s.providers {
			if l := owners.Team(gateway.ProviderOwner(p.Name)); p.Limits != l {
				p.Limits = l
			}
		}
		r.owners = owners
		parts := gateway.Parts{Settings: s.settings, Owners: owners, Models: s.models, Providers: s.providers, List: s.list, Bare: s.bare, Routes: s.routes}
		for i := range s.keys {
			k := &s.keys[i]
			parts.Callers = append(parts.Callers, &gateway.Caller{Key: k, Label: k.Team + "/" + k.Name, Owner: owners.Key(k.ID)})
		}
		return gateway.NewSnapshot(parts)
	}
	var access io.Writer = r.access
	if s.access != nil {
		access = s.access
	}
	r.g = gateway.New(gateway.Options{Prompts: r.registry, Spool: r.spool, Ledger: r.ledger, Counter: r.counter, Metrics: r.metrics, Log: log,
		AccessLog: access, TextLog: s.text, LogSinks: s.sinks, Exporter: s.exporter, ReadTimeout: time.Minute, IdleTimeout: time.Minute}, r.snapshot())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.g.Serve(ln) }()
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	r.stop = sync.OnceFunc(func() {
		r.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.g.Shutdown(ctx); err != nil {
			t.Errorf("the gateway did not drain: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := r.spool.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
		for _, p := range s.providers {
			p.Client.Close()
		}
	})
	t.Cleanup(r.stop)
}

// past is a time long gone.
var past = time.Unix(1_500_000_000, 0)

// hard is a hard budget in total.
func hard(usd billing.Nano) billing.Budgets {
	return billing.Budgets{{USD: usd, Per: billing.PeriodTotal, Hard: true}}
}

// on is the rig for a subtest.
func (r *rig) on(t testing.TB) *rig {
	c := *r
	c.t = t
	return &c
}

// local is a provider within the process; prices nil: none known.
func local(name string, l providers.Local, prices *billing.Prices) *gateway.Provider {
	return &gateway.Provider{Name: name, Kind: "mock", Client: providers.New(providers.Options{Name: name, Local: l}),
		Describe: func(string) gateway.Description { return gateway.Description{Prices: prices} }, Dearest: prices}
}

// remote is a provider at a URL.
func remote(t testing.TB, name, url string, d *dialect.Dialect, prices *billing.Prices) *gateway.Provider {
	t.Helper()
	c, err := transport.New(transport.Options{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	auth := providers.Bearer()
	if d == &anthropic.Dialect {
		auth = providers.SecretHeader("X-Api-Key")
	}
	return &gateway.Provider{Name: name, Kind: d.Name, BaseURL: url, Dearest: prices,
		Client:   providers.New(providers.Options{Name: name, Dialect: d, Upstream: c, Auth: auth}),
		Pool:     router.NewPool(name, router.NewSecret("sk-provider-secret", "", 1, nil)),
		Describe: func(string) gateway.Description { return gateway.Description{Prices: prices} }}
}

// publish makes a version of a prompt.
func (r *rig) publish(name, source string) int {
	r.t.Helper()
	n, _, err := r.registry.Publish(context.Background(), prompts.Publication{Name: name, Source: []byte(source)})
	if err != nil {
		r.t.Fatalf("prompt %s: %v", name, err)
	}
	return n
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// get reads a JSON path of the body.
func (a answer) get(path string) gjson.Result { return gjson.Get(a.body, path) }

// bare sends a request with these headers alone: names and values in turn.
func (r *rig) bare(method, path, body string, header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v after %q", method, path, err, b)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// call sends a request with the rig's key.
func (r *rig) call(method, path, body string, header ...string) answer {
	r.t.Helper()
	return r.bare(method, path, body, append([]string{"Authorization", "Bearer " + testKey, "Content-Type", "application/json"}, header...)...)
}

// as is the header of another key.
func as(name string) []string { return []string{"Authorization", "Bearer sk-test-" + name} }

// chat is a body in OpenAI's shape, which is Anthropic's too with max_tokens.
func chat(model, text, more string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]%s}`, model, text, more)
}

// entries are the ledger's, once all that was appended is there.
func (r *rig) entries() []billing.Entry {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.spool.Flush(ctx); err != nil {
		r.t.Fatal(err)
	}
	return r.ledger.all()
}

// entry is the only one with a request id; it fails if there is not one.
func (r *rig) entry(id string) billing.Entry {
	r.t.Helper()
	var found []billing.Entry
	for _, e := range r.entries() {
		if e.RequestID == id {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("%d entries of request %s, want one: %+v", len(found), id, found)
	}
	return found[0]
}

// settled waits until no call is open: then every entry is written.
func (r *rig) settled() { r.g.Settle() }

// buffer is a writer that may be read while others write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// panics is a log handler that fails the test when a call panicked and none
// was to, or when the log has an error.
type panics struct {
	t       testing.TB
	mu      sync.Mutex
	allowed bool
	lines   []string
}

func (h *panics) Enabled(context.Context, slog.Level) bool { return true }

func (h *panics) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Message
	rec.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
	if rec.Level >= slog.LevelError && !h.allowed {
		h.t.Errorf("logged: %s", line)
	}
	return nil
}

// allow says that errors are expected from here on.
func (h *panics) allow() {
	h.mu.Lock()
	h.allowed = true
	h.mu.Unlock()
}

// tell makes t the test that fails.
func (h *panics) tell(t testing.TB) {
	h.mu.Lock()
	h.t = t
	h.mu.Unlock()
}

func (h *panics) has(word string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(strings.Join(h.lines, "\n"), word)
}

func (h *panics) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *panics) WithGroup(string) slog.Handler      { return h }
