package billing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestWebhook: a warning is posted until it is taken, signed; one that is
// refused is not tried again, and the log tells.
func TestWebhook(t *testing.T) {
	type post struct{ body, signature string }
	posts := make(chan post, 10)
	answers := []int{503, 429, 200, 400, 200}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.WriteHeader(answers[0])
		answers = answers[1:]
		posts <- post{string(body), r.Header.Get(SignatureHeader)}
	}))
	defer server.Close()
	var log bytes.Buffer
	w := NewWarnings(slog.New(slog.NewTextHandler(&log, nil)))
	defer w.client.CloseIdleConnections()
	w.first = time.Millisecond
	status := BudgetStatus{Owner: OwnerName{Team: "a"}, Budget: Budget{USD: 10 * Dollar, Per: "day", WarnAt: []float64{0.8}}, Limit: int64(10 * Dollar), Spent: int64(8 * Dollar), Warned: 0.8}
	w.Tell(status) // there is no webhook yet
	w.SetWebhook(&Webhook{URL: server.URL, Secret: "s"})
	for range 3 {
		w.Tell(status)
		w.deliver(t.Context(), w.hook.Load(), <-w.queue)
	}
	for range 5 {
		p := <-posts
		mac := hmac.New(sha256.New, []byte("s"))
		mac.Write([]byte(p.body))
		if p.signature != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", p.signature)
		}
		if gjson.Get(p.body, "event").Str != "budget.warning" || gjson.Get(p.body, "budget.owner.team").Str != "a" || gjson.Get(p.body, "budget.spent").Str != "8" || gjson.Get(p.body, "budget.warned").Num != 0.8 {
			t.Errorf("posted %s", p.body)
		}
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 4 || strings.Count(text, "could not be posted") != 1 || !strings.Contains(text, "400") {
		t.Errorf("log:\n%s", text)
	}
}

// claims are what replicas share.
type claims struct {
	mu   sync.Mutex
	data map[[32]byte][]byte
	till map[[32]byte]time.Time
	down bool
}

func (r *claims) Replay(_ context.Context, id [32]byte) ([]byte, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return nil, time.Time{}, errors.New("down")
	}
	if r.data[id] == nil {
		return nil, time.Time{}, ErrNotFound
	}
	return r.data[id], r.till[id], nil
}

func (r *claims) SwapReplay(_ context.Context, id [32]byte, expires time.Time, was, data []byte) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return false, errors.New("down")
	}
	if !bytes.Equal(was, r.data[id]) {
		return false, nil
	}
	r.data[id], r.till[id] = data, expires
	return true, nil
}

// One of the replicas that notice a warning posts it; another one does where that
// was killed before it had. Where they cannot agree, each does.
func TestWarningsOnce(t *testing.T) {
	var posts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posts.Add(1) }))
	defer server.Close()
	r := &claims{data: map[[32]byte][]byte{}, till: map[[32]byte]time.Time{}}
	hook := &Webhook{URL: server.URL}
	var all []*Warnings
	for range 3 {
		w := NewWarnings(slog.New(slog.DiscardHandler))
		defer w.client.CloseIdleConnections()
		w.Share(r)
		all = append(all, w)
	}
	now := time.Now()
	status := func(level float64) BudgetStatus {
		return BudgetStatus{Owner: OwnerName{Team: "a"}, Budget: Budget{USD: 10 * Dollar, Per: PeriodDay}, Warned: level,
			Since: now.Truncate(24 * time.Hour), Resets: now.Truncate(24 * time.Hour).Add(24 * time.Hour)}
	}
	told := func(s BudgetStatus, want int64, what string) {
		t.Helper()
		before := posts.Load()
		var running sync.WaitGroup
		for _, w := range all {
			running.Go(func() { w.once(t.Context(), hook, s) })
		}
		running.Wait()
		for _, w := range all { // what was claimed by another is looked at again
			w.once(t.Context(), hook, s)
		}
		if n := posts.Load() - before; n != want {
			t.Errorf("%s: %d posts, want %d", what, n, want)
		}
	}
	told(status(0.8), 1, "a level")
	told(status(0.8), 0, "the same again")
	told(status(0.95), 1, "another level")
	next := status(0.8)
	next.Since, next.Resets = next.Resets, next.Resets.Add(24*time.Hour)
	told(next, 1, "another day")

	made := func(created time.Time, key string) BudgetStatus {
		total := Budgets{{USD: 10 * Dollar, Per: PeriodTotal}}
		_, v := book(t, &clock{now}, []Team{{Name: "a", Created: created, Budgets: total}}, []Key{{ID: "key_" + key, Team: "a", Name: "k", Budgets: total}})
		if key != "" {
			return v.Key("key_" + key).OwnBudgets(now)[0]
		}
		return v.Team("a").OwnBudgets(now)[0]
	}
	told(made(now, ""), 1, "a team's in total")
	told(made(now, ""), 0, "the same team's again")
	told(made(now.Add(time.Hour), ""), 1, "that of a team that was made anew")
	told(made(now, "1"), 1, "a key's in total")
	told(made(now, "2"), 1, "that of a key that was made anew")

	// One has claimed it and is gone.
	gone := status(0.5)
	id, _ := warningOf(&gone, now)
	if mine, _, err := all[0].claim(t.Context(), id, []byte("claim x")); !mine || err != nil {
		t.Fatal(mine, err)
	}
	told(gone, 0, "while another may yet post it")
	r.till[id] = now
	told(gone, 1, "when that is late")
	r.down = true
	told(status(0.9), 6, "without a store")
}
