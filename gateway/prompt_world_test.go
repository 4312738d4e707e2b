package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp/fasthttputil"

	"sluice/billing"
	"sluice/gateway/telemetry"
	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/mock"
	"sluice/providers/schema"
	"sluice/router"
)

// script is a model within the process that says what the test wants.
type script struct {
	*mock.Mock
	mu    sync.Mutex
	asked []*schema.ChatRequest
	say   func(n int, req *schema.ChatRequest) (string, error) // nil: the mock's own answer
}

func (s *script) Chat(ctx context.Context, req *schema.ChatRequest) (*schema.ChatResponse, error) {
	s.mu.Lock()
	s.asked = append(s.asked, req)
	n, say := len(s.asked), s.say
	s.mu.Unlock()
	if say == nil {
		return s.Mock.Chat(ctx, req)
	}
	text, err := say(n, req)
	if err != nil {
		return nil, err
	}
	return &schema.ChatResponse{ID: "c", Model: req.Model, Choices: []schema.Choice{{FinishReason: "stop",
		Message: schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(text)}}},
		Usage: schema.Usage{Input: 10, Output: 5, Source: schema.UsageReported}}, nil
}

func (s *script) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// book is a ledger in memory.
type book struct {
	billing.Ledger // what is not called
	mu             sync.Mutex
	entries        []billing.Entry
}

var errUnused = errors.New("not used")

func (b *book) Append(_ context.Context, list []billing.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, list...)
	return nil
}

func (b *book) Usage(context.Context, billing.Query) (*billing.Report, error) { return nil, errUnused }
func (b *book) Requests(context.Context, billing.RequestQuery) ([]billing.Entry, string, error) {
	return nil, "", errUnused
}
func (b *book) Request(context.Context, string) (*billing.Entry, error) { return nil, errUnused }
func (b *book) Verify(context.Context) (int64, []string, error)         { return 0, nil, errUnused }

// versions is a prompts.Store in memory.
type versions struct {
	mu     sync.Mutex
	list   map[string][]prompts.Version
	labels map[string]map[string]int
	shares map[string]map[int]int
	since  int64
	judged []bool
}

func (v *versions) Split(_ context.Context, name string) (prompts.SplitState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return prompts.SplitState{Since: v.since, Shares: maps.Clone(v.shares[name])}, nil
}

func (v *versions) SetSplit(_ context.Context, name string, shares map[int]int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.since++
	v.shares = map[string]map[int]int{name: shares}
	return nil
}

func (v *versions) StopSplit(ctx context.Context, name string, _ *prompts.SplitReport) error {
	return v.SetSplit(ctx, name, nil)
}

func (v *versions) StoppedSplits(context.Context) (map[string]*prompts.SplitReport, error) {
	return map[string]*prompts.SplitReport{}, nil
}

func (v *versions) CountJudged(_ context.Context, _ string, since int64, _ int, good bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if since == v.since {
		v.judged = append(v.judged, good)
	}
	return nil
}

func (v *versions) Publish(_ context.Context, p prompts.Version) (int, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.list == nil {
		v.list, v.labels = map[string][]prompts.Version{}, map[string]map[string]int{}
	}
	p.N = len(v.list[p.Name]) + 1
	v.list[p.Name] = append(v.list[p.Name], p)
	if v.labels[p.Name] == nil {
		v.labels[p.Name] = map[string]int{}
	}
	v.labels[p.Name]["production"] = p.N
	return p.N, true, nil
}

func (v *versions) Versions(_ context.Context, name string) ([]prompts.Version, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.list[name]), nil
}

func (v *versions) Labels(_ context.Context, name string) (map[string]int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]int{}
	for k, n := range v.labels[name] {
		out[k] = n
	}
	return out, nil
}

func (v *versions) MoveLabel(_ context.Context, name string, m prompts.LabelMove) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.labels[name][m.Label] = m.To
	return nil
}

func (v *versions) Names(context.Context) ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return sorted(v.list), nil
}

// edge is a gateway with one scripted provider, reached over memory.
type edge struct {
	*Gateway
	t      *testing.T
	model  *script
	ledger *book
	store  *versions
	client *http.Client
}

// The keys of the tests: one that may call everything, one that may call the
// prompt label alone, one of a poor team.
const (
	testKey  = "sk-all"
	labelKey = "sk-label"
	poorKey  = "sk-poor"
)

func newEdge(t *testing.T, files map[string]string, change ...func(*Options)) *edge {
	t.Helper()
	e := &edge{t: t, model: &script{Mock: mock.New(mock.Options{})}, ledger: &book{}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	e.store = &versions{}
	registry := prompts.NewRegistry(e.store, time.Now)
	registry.Splits = e.store
	for _, name := range sorted(files) {
		if _, _, err := registry.Publish(t.Context(), prompts.Publication{Name: name, Source: []byte(files[name])}); err != nil {
			t.Fatal(err)
		}
	}
	spool, err := billing.OpenSpool(billing.SpoolOptions{Dir: t.TempDir(), Ledger: e.ledger, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Prompts: registry, Spool: spool, Ledger: e.ledger, Counter: billing.NewCounter(), Metrics: telemetry.New(), Log: log}
	for _, f := range change {
		f(&o)
	}
	e.Gateway = New(o, e.snapshot())
	ln := fasthttputil.NewInmemoryListener()
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ln.Dial() }}
	e.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-served
		if err := spool.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// snapshot has the test's keys and its provider.
func (e *edge) snapshot() *Snapshot {
	e.t.Helper()
	teams := []billing.Team{{Name: "t"}, {Name: "public"}, {Name: TesterID}, {Name: "poor", Limits: billing.Limits{RPM: 3}}}
	keys := []billing.Key{
		{ID: "all", Team: "t", Name: "all", Hash: billing.HashKey(testKey)},
		{ID: "label", Team: "t", Name: "label", Hash: billing.HashKey(labelKey), Prompts: []string{"label"}},
		{ID: "poor", Team: "poor", Name: "poor", Hash: billing.HashKey(poorKey)},
		{ID: "public", Team: "public", Name: "anonymous"},
		{ID: TesterID, Team: TesterID, Name: "prompts"},
	}
	owners, err := billing.NewBook(time.UTC, time.Now).Rebuild(teams, keys)
	if err != nil {
		e.t.Fatal(err)
	}
	prices, err := billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2"})
	if err != nil {
		e.t.Fatal(err)
	}
	p := &Provider{Name: "m", Client: providers.New(providers.Options{Name: "m", Local: e.model}), Pool: router.NewRegistry(nil).Pool("m"),
		Describe: func(string) Description { return Description{Prices: prices} }}
	parts := Parts{Settings: Settings{BodyLimit: 1 << 20, HoldTokens: 100, Location: time.UTC}, Owners: owners, Providers: []*Provider{p}}
	for i := range keys {
		k := &keys[i]
		parts.Callers = append(parts.Callers, &Caller{Key: k, Label: k.Team + "/" + k.Name, Owner: owners.Key(k.ID)})
	}
	return NewSnapshot(parts)
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) get(path string) gjson.Result { return gjson.Get(r.body, path) }

// call makes a request with the test's key; header is names and values.
func (e *edge) call(method, path, body string, header ...string) reply {
	e.t.Helper()
	req, err := http.NewRequest(method, "http://sluice.test"+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if req.Header.Get("Authorization") == "none" {
		req.Header.Del("Authorization")
	}
	res, err := e.client.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, path, err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// recorded are the ledger's entries so far.
func (e *edge) recorded() []billing.Entry {
	e.t.Helper()
	if err := e.spool.Flush(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	return slices.Clone(e.ledger.entries)
}
