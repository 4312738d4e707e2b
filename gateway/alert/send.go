package alert

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"

	"sluice/billing"
)

// Receiver is somebody who is told: by one of its fields.
type Receiver struct {
	Webhook *billing.Webhook
	Slack   string // address of an incoming webhook
	Email   *Email
}

// Sender delivers notices.
type Sender struct {
	Client *http.Client
	// First is the wait before the second try, which doubles; Tries follow the
	// first.
	First time.Duration
	Tries uint64
	// Timeout is of one try.
	Timeout time.Duration
}

// NewSender tries six times within half a minute.
func NewSender() *Sender {
	// Messages go nowhere else: a redirect is a refusal.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Sender{Client: client, First: time.Second, Tries: 5, Timeout: 10 * time.Second}
}

// Send delivers a notice, or gives it up.
func (s *Sender) Send(ctx context.Context, n *Notice) error {
	return retry.Do(ctx, retry.WithMaxRetries(s.Tries, retry.NewExponential(s.First)), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		return s.once(ctx, n)
	})
}

func (s *Sender) once(ctx context.Context, n *Notice) error {
	switch r := &n.to; {
	case r.Webhook != nil:
		body, err := n.json()
		if err != nil {
			return err
		}
		return r.Webhook.Post(ctx, s.Client, body)
	case r.Slack != "":
		body, err := n.slack()
		if err != nil {
			return err
		}
		return (&billing.Webhook{URL: r.Slack}).Post(ctx, s.Client, body)
	case r.Email != nil:
		return r.Email.send(ctx, n)
	}
	return errors.New("the receiver has no address")
}
