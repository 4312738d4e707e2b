package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/billing"
)

// Replays keeps answers that are given again, and what became of jobs, past the
// end of the process.
type Replays interface {
	PutReplay(ctx context.Context, id [32]byte, expires time.Time, data []byte) error
	// Replay is billing.ErrNotFound if there is none.
	Replay(ctx context.Context, id [32]byte) (data []byte, expires time.Time, err error)
}

// Bounds of the work with a slow store.
const (
	replayWrite = 500 * time.Millisecond // how long an answer waits to be kept before it goes out
	replayRead  = 2 * time.Second
	replayQueue = 64 << 20 // bytes that wait to be written; more is not kept
)

// replayKeeper writes replays to the store, one after the other, and reads
// those of an earlier process. Only calls with an Idempotency-Key and jobs come
// here.
type replayKeeper struct {
	store Replays
	log   *slog.Logger
	mu    sync.Mutex
	wait  map[[32]byte]*keptReplay
	size  int
	kick  chan struct{}
}

// keptReplay waits to be written.
type keptReplay struct {
	expires time.Time
	data    []byte
	done    chan struct{} // closed when it is written, or cannot be
}

func newReplayKeeper(store Replays, log *slog.Logger) *replayKeeper {
	return &replayKeeper{store: store, log: log, wait: map[[32]byte]*keptReplay{}, kick: make(chan struct{}, 1)}
}

// put has data kept, and waits for that as long as it does not take too long.
// What is not written yet is found all the same.
func (k *replayKeeper) put(ctx context.Context, id [32]byte, expires time.Time, data []byte) {
	r := &keptReplay{expires: expires, data: data, done: make(chan struct{})}
	k.mu.Lock()
	old := k.wait[id]
	if old != nil {
		k.size -= len(old.data)
	}
	full := k.size+len(data) > replayQueue
	if full {
		delete(k.wait, id)
	} else {
		k.wait[id] = r
		k.size += len(data)
	}
	k.mu.Unlock()
	if old != nil {
		close(old.done)
	}
	if full {
		k.log.Warn("an answer will not be given again after a restart: the store does not keep up")
		return
	}
	select {
	case k.kick <- struct{}{}:
	default:
	}
	t := time.NewTimer(replayWrite)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// get is what is kept under an id; false: nothing is, or it cannot be read, and
// the call is served as if it were the first.
func (k *replayKeeper) get(ctx context.Context, id [32]byte) (data []byte, expires time.Time, ok bool) {
	k.mu.Lock()
	r := k.wait[id]
	k.mu.Unlock()
	if r != nil {
		return r.data, r.expires, true
	}
	ctx, cancel := context.WithTimeout(ctx, replayRead)
	defer cancel()
	data, expires, err := k.store.Replay(ctx, id)
	if err != nil && !errors.Is(err, billing.ErrNotFound) {
		k.log.Warn("answers of an earlier process cannot be given again now", "error", err)
	}
	return data, expires, err == nil
}

// close writes what is left when run has ended.
func (k *replayKeeper) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	k.flush(ctx)
}

// run writes until ctx ends.
func (k *replayKeeper) run(ctx context.Context) {
	for {
		select {
		case <-k.kick:
			k.flush(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// flush writes all that waits.
func (k *replayKeeper) flush(ctx context.Context) {
	for ctx.Err() == nil {
		var id [32]byte
		var r *keptReplay
		k.mu.Lock()
		for id, r = range k.wait {
			break
		}
		k.mu.Unlock()
		if r == nil {
			return
		}
		if err := k.store.PutReplay(context.WithoutCancel(ctx), id, r.expires, r.data); err != nil {
			k.log.Warn("an answer will not be given again after a restart", "error", err)
		}
		k.mu.Lock()
		mine := k.wait[id] == r
		if mine {
			delete(k.wait, id)
			k.size -= len(r.data)
		}
		k.mu.Unlock()
		if mine {
			close(r.done)
		}
	}
}

// recall brings back into memory what is kept under an id and is not there: of
// an earlier process, or of this one, which has needed the room since.
func (g *Gateway) recall(id string, now time.Time) {
	if g.replays.kept == nil || g.replays.has(id) {
		return
	}
	data, expires, ok := g.replays.kept.get(g.ctx, sha256.Sum256([]byte(id)))
	if !ok || !now.Before(expires) {
		return
	}
	request, answer, err := decodeReplay(data)
	if err != nil {
		g.log.Warn("a kept answer cannot be read", "error", err)
		return
	}
	g.replays.bringBack(id, request, expires, answer)
}

// keepReplay keeps an answer past the end of the process.
func (g *Gateway) keepReplay(ctx context.Context, p *replay, answer *savedAnswer) {
	if g.replays.kept == nil || answer == nil || answer.size() > mostReplay {
		return
	}
	g.replays.kept.put(ctx, sha256.Sum256([]byte(p.id)), p.expires, encodeReplay(p.request, answer))
}

// replayHead is what is kept before an answer's body.
type replayHead struct {
	Request     []byte      `json:"request"`
	Status      int         `json:"status,omitempty"`
	ContentType string      `json:"content_type"`
	Header      [][2]string `json:"header,omitempty"`
}

// encodeReplay is the length of the head, the head as JSON, and the body.
func encodeReplay(request [32]byte, a *savedAnswer) []byte {
	head, err := json.Marshal(replayHead{request[:], a.status, a.contentType, a.header})
	if err != nil {
		panic(err) // texts and numbers alone
	}
	b := binary.AppendUvarint(make([]byte, 0, len(head)+len(a.body)+4), uint64(len(head)))
	return append(append(b, head...), a.body...)
}

var errReplay = errors.New("it is no kept answer")

func decodeReplay(data []byte) (request [32]byte, a *savedAnswer, err error) {
	n, at := binary.Uvarint(data)
	if at <= 0 || n > uint64(len(data)-at) {
		return request, nil, errReplay
	}
	end := at + int(n)
	var h replayHead
	if err := json.Unmarshal(data[at:end], &h); err != nil {
		return request, nil, errors.Join(errReplay, err)
	}
	if copy(request[:], h.Request) != len(request) || len(h.Request) != len(request) {
		return request, nil, errReplay
	}
	return request, &savedAnswer{status: h.Status, contentType: h.ContentType, header: h.Header, body: data[end:]}, nil
}
