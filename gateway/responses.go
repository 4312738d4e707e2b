package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/responses"
	"sluice/providers/schema"
)

// Conversations keeps the answers of the Responses API, each with the turns
// that led to it, so that a later request can go on from one by its id. What a
// team keeps only that team may read.
type Conversations interface {
	PutResponse(ctx context.Context, team, id string, at time.Time, body []byte) error
	// Response is billing.ErrNotFound if there is none.
	Response(ctx context.Context, team, id string) ([]byte, error)
	DeleteResponse(ctx context.Context, team, id string) error
}

// keptResponse is what is kept of an answer.
type keptResponse struct {
	Response json.RawMessage  `json:"response"`
	Stored   responses.Stored `json:"stored"`
}

// maxKept bounds what is kept of one answer; a longer one is not kept.
const maxKept = 8 << 20

// serveResponses is a call of OpenAI's Responses API.
func (c *Call) serveResponses() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	raw := c.rc.PostBody()
	for _, read := range []func([]byte) (string, stored, error){fromOpenAI, fromLiteLLM} {
		id, s, err := read(raw)
		if err != nil {
			return err
		}
		if s.usage = true; c.promptNamed(id) {
			return c.serveStored(s)
		}
	}
	var err error
	if raw, err = c.continued(raw); err != nil {
		return err
	}
	return c.serveBody(schema.OpChat, "", raw)
}

// continued is the body with the conversation that it goes on from. An id that
// we did not keep is left for the provider, which may have.
func (c *Call) continued(raw []byte) ([]byte, error) {
	previous := responses.PreviousOf(raw)
	if previous == "" {
		return raw, nil
	}
	kept, err := c.kept(previous)
	if errors.Is(err, billing.ErrNotFound) {
		return raw, nil
	}
	if err != nil {
		return nil, err
	}
	c.from.continues = strings.Clone(previous)
	return responses.Continue(kept.Stored, raw)
}

// canGoOn refuses a request that goes on from an answer which is not kept here,
// where the target would have to know it and cannot.
func (c *Call) canGoOn(t *Target) error {
	if c.speaks != &responses.Dialect || c.req.Unified != nil {
		return nil
	}
	previous := responses.PreviousOf(c.req.Raw)
	if previous == "" || t.Provider.Client.Raw(&c.req, t.Model) {
		return nil
	}
	return schema.Invalid("previous_response_id", "no response '%s' is kept here", label(previous))
}

func (c *Call) kept(id string) (keptResponse, error) {
	var k keptResponse
	ctx := billing.OnBehalf(c.g.ctx, billing.Behalf{Teams: []string{c.entry.Team}})
	body, err := c.g.responses.get(ctx, c.entry.Team, id)
	if err == nil {
		err = json.Unmarshal(body, &k)
	}
	if err != nil && !errors.Is(err, billing.ErrNotFound) {
		err = &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "kept responses cannot be read now", RetryAfter: 5 * time.Second, Cause: err}
	}
	return k, err
}

// keep keeps an answer. request is the whole body that it answers.
func (c *Call) keep(request, response []byte) {
	stored, err := responses.NewStored(request, response)
	if err != nil || stored.ID == "" {
		return // a failed answer
	}
	body, err := json.Marshal(keptResponse{Response: response, Stored: stored})
	if err == nil && len(body) <= maxKept {
		c.g.responses.put(c.entry.Team, stored.ID, c.now, body)
	}
}

// keeps tells whether the call's answer is to be kept: the caller may say not to.
func (c *Call) keeps() bool {
	return c.speaks == &responses.Dialect && c.g.responses != nil && !responses.NotStored(c.req.Raw)
}

// serveKeptResponse reads or deletes what was kept under an id.
func (c *Call) serveKeptResponse(id string) error {
	if err := c.authenticate(); err != nil {
		return err
	}
	k, err := c.keptOr404(id)
	if err != nil {
		return err
	}
	if c.from.method != "DELETE" {
		return c.sendJSON(k.Response)
	}
	if err := c.g.responses.delete(c.g.ctx, c.entry.Team, id); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"id": id, "object": "response", "deleted": true})
	if err != nil {
		return err
	}
	return c.sendJSON(body)
}

// keptOr404 is kept for a caller who names a response in the path.
func (c *Call) keptOr404(id string) (k keptResponse, err error) {
	if c.g.responses == nil {
		return k, errNotFound(c.from.path)
	}
	k, err = c.kept(id)
	if errors.Is(err, billing.ErrNotFound) {
		err = &schema.Error{Code: schema.CodeNotFound, Status: 404, Origin: schema.OriginGateway, Param: "id",
			Message: "no response '" + label(id) + "' is kept"}
	}
	return k, err
}

// keptFrames watches a stream of the Responses API for its last event, which
// holds the whole answer, and keeps that before it is given.
type keptFrames struct {
	*providers.Stream
	c       *Call
	request []byte
	tail    []byte // frames that are not whole yet
	lost    bool   // too long to be kept
}

func (f *keptFrames) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if n > 0 && !f.lost {
		f.look(p[:n])
	}
	return n, err
}

func (f *keptFrames) look(piece []byte) {
	f.tail = append(f.tail, piece...)
	for {
		end, skip := bytes.Index(f.tail, []byte("\n\n")), 2
		if crlf := bytes.Index(f.tail, []byte("\r\n\r\n")); crlf >= 0 && (end < 0 || crlf < end) {
			end, skip = crlf, 4
		}
		if end < 0 {
			break
		}
		if response := responses.FinalResponse(f.tail[:end+skip]); response != nil {
			f.c.keep(f.request, response)
		}
		f.tail = f.tail[:copy(f.tail, f.tail[end+skip:])]
	}
	if f.lost = len(f.tail) > maxKept; f.lost {
		f.tail = nil
	}
}

// keeper writes kept responses behind the calls' backs: no call waits for the
// store. What is not written yet is found all the same.
type keeper struct {
	store Conversations
	log   func(msg string, args ...any)
	mu    sync.Mutex
	wait  map[keptKey]keptBody
	size  int
	kick  chan struct{}
}

type keptKey struct{ team, id string }

type keptBody struct {
	at   time.Time
	body []byte
}

// maxWaiting bounds what waits for a slow store; more is dropped, and said.
const maxWaiting = 64 << 20

func newKeeper(store Conversations, log func(string, ...any)) *keeper {
	return &keeper{store: store, log: log, wait: map[keptKey]keptBody{}, kick: make(chan struct{}, 1)}
}

func (k *keeper) put(team, id string, at time.Time, body []byte) {
	k.mu.Lock()
	full := k.size+len(body) > maxWaiting
	if !full {
		k.wait[keptKey{team, id}] = keptBody{at, body}
		k.size += len(body)
	}
	k.mu.Unlock()
	if full {
		k.log("a response is not kept: the store does not keep up", "response", id, "team", team)
		return
	}
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

func (k *keeper) get(ctx context.Context, team, id string) ([]byte, error) {
	if k == nil {
		return nil, billing.ErrNotFound
	}
	k.mu.Lock()
	b, ok := k.wait[keptKey{team, id}]
	k.mu.Unlock()
	if ok {
		return b.body, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return k.store.Response(ctx, team, id)
}

func (k *keeper) delete(ctx context.Context, team, id string) error {
	k.flush(ctx)
	return k.store.DeleteResponse(ctx, team, id)
}

// run writes until ctx ends, then what is left.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-k.kick:
			k.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			k.flush(last)
			cancel()
			return
		}
	}
}

func (k *keeper) flush(ctx context.Context) {
	k.mu.Lock()
	batch := make(map[keptKey]keptBody, len(k.wait))
	for key, b := range k.wait {
		batch[key] = b
	}
	k.mu.Unlock()
	for key, b := range batch {
		if err := k.store.PutResponse(ctx, key.team, key.id, b.at, b.body); err != nil {
			k.log("a response is not kept", "response", key.id, "team", key.team, "error", err)
		}
		k.mu.Lock()
		if now, ok := k.wait[key]; ok && now.at.Equal(b.at) {
			delete(k.wait, key)
			k.size -= len(b.body)
		}
		k.mu.Unlock()
	}
}
