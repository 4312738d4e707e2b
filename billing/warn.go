package billing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-retry"
)

// Webhook is where events are posted.
type Webhook struct {
	URL    string
	Secret string // signs the bodies; empty: they are not signed
}

// SignatureHeader carries sha256=, and the HMAC-SHA256 of the body under the
// webhook's secret in hexadecimal digits.
const SignatureHeader = "X-Sluice-Signature"

// Warnings tells of budgets that have reached a level to warn at: in the log,
// and to a webhook, as JSON {event: "budget.warning", time, budget}.
type Warnings struct {
	log    *slog.Logger
	client *http.Client
	hook   atomic.Pointer[Webhook]
	queue  chan BudgetStatus
	told   Told // nil: nobody else tells
	// First is the wait before the second try, which doubles; four tries follow
	// the first.
	first time.Duration
}

// NewWarnings has no webhook yet. Run must be called for one.
func NewWarnings(log *slog.Logger) *Warnings {
	return &Warnings{log: log, client: &http.Client{Timeout: 10 * time.Second}, queue: make(chan BudgetStatus, 256), first: time.Second}
}

// Told is where the replicas of one store agree on who posts a warning: see
// store.Replays.
type Told interface {
	Replay(ctx context.Context, id [32]byte) (data []byte, expires time.Time, err error)
	SwapReplay(ctx context.Context, id [32]byte, expires time.Time, was, data []byte) (bool, error)
}

// Share has each warning posted by one of the replicas that notice it. Call it
// before Run.
func (w *Warnings) Share(t Told) { w.told = t }

// SetWebhook changes where warnings are posted; nil: nowhere.
func (w *Warnings) SetWebhook(h *Webhook) { w.hook.Store(h) }

// Tell tells of a budget. It does not wait: what the webhook is too slow for is
// in the log only.
func (w *Warnings) Tell(s BudgetStatus) {
	unit := s.Budget.Unit()
	resets := "never"
	if !s.Resets.IsZero() {
		resets = s.Resets.Format(time.RFC3339)
	}
	w.log.Warn("a budget has reached a level to warn at", "owner", s.Owner.String(), "level", s.Warned,
		"spent", unit.Text(s.Spent), "limit", unit.Text(s.Limit), "per", string(s.Budget.Per), "resets", resets)
	if w.hook.Load() == nil {
		return
	}
	select {
	case w.queue <- s:
	default:
		w.log.Error("the budget webhook is too slow: a warning was not posted", "owner", s.Owner.String())
	}
}

// Run posts what Tell queues, one after the other, until ctx ends.
func (w *Warnings) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-w.queue:
			if hook := w.hook.Load(); hook != nil {
				w.once(ctx, hook, s)
			}
		}
	}
}

func (w *Warnings) deliver(ctx context.Context, hook *Webhook, s BudgetStatus) (ok bool) {
	body, err := json.Marshal(map[string]any{"event": "budget.warning", "time": time.Now().UTC(), "budget": s})
	if err == nil {
		err = retry.Do(ctx, retry.WithMaxRetries(4, retry.NewExponential(w.first)), func(ctx context.Context) error {
			return hook.Post(ctx, w.client, body)
		})
	}
	if err != nil {
		w.log.Error("a budget's warning could not be posted", "owner", s.Owner.String(), "error", err)
	}
	return err == nil
}

// Post posts a JSON body, signed if there is a secret. An error that another try
// may mend is a retry.RetryableError: all but those of a webhook that has
// understood the request and refuses it.
func (h *Webhook) Post(ctx context.Context, client *http.Client, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.Secret != "" {
		mac := hmac.New(sha256.New, []byte(h.Secret))
		mac.Write(body)
		req.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := client.Do(req)
	if err != nil {
		return retry.RetryableError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is kept
	err = fmt.Errorf("the webhook answered %s", resp.Status)
	switch {
	case resp.StatusCode < 300:
		return nil
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return retry.RetryableError(err)
	}
	return err
}
