package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

var errDown = errors.New("down")

// memLedger is a ledger in memory that can be down.
type memLedger struct {
	billing.Ledger // what is not called
	mu             sync.Mutex
	entries        []billing.Entry
	twice          []string // ids that came again
	down           bool     // of reading
}

func (l *memLedger) Append(_ context.Context, entries []billing.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if slices.ContainsFunc(l.entries, func(o billing.Entry) bool { return o.Call == e.Call && o.Attempt == e.Attempt }) {
			l.twice = append(l.twice, e.Call)
			continue
		}
		e.Tags, e.Attempts = slices.Clone(e.Tags), slices.Clone(e.Attempts)
		l.entries = append(l.entries, e)
	}
	return nil
}

func (l *memLedger) all() []billing.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

func (l *memLedger) setDown(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
}

func (l *memLedger) Usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errDown
	}
	rep := &billing.Report{GroupBy: q.GroupBy}
	for i := range l.entries {
		e := &l.entries[i]
		if (q.KeyID == "" || e.KeyID == q.KeyID) && (q.Team == "" || e.Team == q.Team) {
			rep.Total.Calls++
			rep.Total.USD += e.Cost
		}
	}
	return rep, nil
}

func (l *memLedger) Requests(context.Context, billing.RequestQuery) ([]billing.Entry, string, error) {
	return nil, "", nil
}

func (l *memLedger) Request(context.Context, string) (*billing.Entry, error) {
	return nil, billing.ErrNotFound
}

func (l *memLedger) Verify(context.Context) (int64, []string, error) { return 0, nil, nil }

// memPrompts is a store of prompts in memory that can be down.
type memPrompts struct {
	mu       sync.Mutex
	versions map[string][]prompts.Version
	labels   map[string]map[string]int
	down     bool
}

func newMemPrompts() *memPrompts {
	return &memPrompts{versions: map[string][]prompts.Version{}, labels: map[string]map[string]int{}}
}

func (m *memPrompts) err() error {
	if m.down {
		return errDown
	}
	return nil
}

func (m *memPrompts) Publish(_ context.Context, v prompts.Version) (int, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v.N = len(m.versions[v.Name]) + 1
	m.versions[v.Name] = append(m.versions[v.Name], v)
	if m.labels[v.Name] == nil {
		m.labels[v.Name] = map[string]int{}
	}
	m.labels[v.Name]["production"] = v.N
	return v.N, true, m.err()
}

func (m *memPrompts) Versions(_ context.Context, name string) ([]prompts.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.versions[name]), m.err()
}

func (m *memPrompts) Labels(_ context.Context, name string) (map[string]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	labels := map[string]int{}
	for k, v := range m.labels[name] {
		labels[k] = v
	}
	return labels, m.err()
}

func (m *memPrompts) MoveLabel(_ context.Context, name string, l prompts.LabelMove) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.labels[name][l.Label] = l.To
	return m.err()
}

func (m *memPrompts) Names(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.versions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, m.err()
}

// script is a provider within the process that does what a test says.
type script struct {
	chat   func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error)
	stream func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error)
}

func (s script) Chat(ctx context.Context, r *schema.ChatRequest) (*schema.ChatResponse, error) {
	return s.chat(ctx, r)
}

func (s script) ChatStream(ctx context.Context, r *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
	return s.stream(ctx, r)
}

func (s script) Embed(context.Context, *schema.EmbedRequest) (*schema.EmbedResponse, error) {
	panic("embed")
}

// says is an answer with a text and a usage of 10 and 5 tokens.
func says(text string) *schema.ChatResponse {
	return &schema.ChatResponse{ID: "a", Model: "m", Created: 1, Usage: schema.Usage{Input: 10, Output: 5, Source: schema.UsageReported},
		Choices: []schema.Choice{{Message: schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(text)}, FinishReason: "stop"}}}
}

// saysAll answers with one text after the other, the last for ever.
func saysAll(texts ...string) script {
	var mu sync.Mutex
	n := 0
	next := func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return texts[min(n, len(texts))-1]
	}
	return script{
		chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) { return says(next()), nil },
		stream: func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
			return pieces(next()), nil
		},
	}
}

// pieces streams texts, the end and the usage of 10 and 5 tokens.
func pieces(texts ...string) func() (*schema.Chunk, error) {
	i := -1
	return func() (*schema.Chunk, error) {
		i++
		c := &schema.Chunk{ID: "a", Model: "m", Created: 1}
		switch {
		case i < len(texts):
			c.Choices = []schema.ChoiceDelta{{Text: texts[i]}}
		case i == len(texts):
			c.Choices = []schema.ChoiceDelta{{FinishReason: "stop"}}
		case i == len(texts)+1:
			c.Usage = &schema.Usage{Input: 10, Output: 5, Source: schema.UsageReported}
		default:
			return nil, io.EOF
		}
		return c, nil
	}
}

// rawServer answers every request by f: a provider that writes just these
// bytes.
func rawServer(t testing.TB, f func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// sse writes events, each flushed on its own.
func sse(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		fmt.Fprint(w, e)
		w.(http.Flusher).Flush()
	}
}

// delta is a chunk of OpenAI's stream.
func delta(text string) string {
	return fmt.Sprintf("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", text)
}

const (
	stopChunk  = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	usageChunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n"
	doneEvent  = "data: [DONE]\n\n"
)
