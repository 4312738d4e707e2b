package purge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// NATS is a subject of a NATS server, whose messages each replica hears.
type NATS struct {
	URL     string // may name several servers, with commas between, and hold a password
	Subject string // may have wildcards
}

// Check tells what is wrong with an address or a subject, and never shows a
// password.
func (n *NATS) Check() (field string, err error) {
	for one := range strings.SplitSeq(n.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return "url", errors.New("want nats://[USER:PASSWORD@]HOST[:PORT], or tls:// for TLS; several with commas between")
		}
	}
	words := strings.Split(n.Subject, ".")
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " \t\r\n") || strings.ContainsAny(word, "*>") && len(word) > 1 || word == ">" && i < len(words)-1 {
			return "subject", errors.New("want a subject such as sluice.purge")
		}
	}
	return "", nil
}

// mostHeard bounds what was heard and is not carried out yet. Where it is more,
// everything is purged.
const mostHeard = 4096

// listen hears what is published until ctx ends.
func (n *NATS) listen(ctx context.Context, e *ear) {
	messages := make(chan *nats.Msg, mostHeard)
	lost := make(chan struct{}, 1)
	var subscribed atomic.Bool // before that, a connection is of no use
	conn, err := nats.Connect(n.URL, nats.Name("sluice"), nats.Timeout(5*time.Second), nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.CustomReconnectDelay(waitAfter), nats.NoCallbacksAfterClientClose(),
		nats.ConnectHandler(func(*nats.Conn) {
			if subscribed.Load() {
				e.is(true, nil)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { e.is(true, nil) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { e.is(false, orGone(err)) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { e.is(false, err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				select {
				case lost <- struct{}{}:
				default:
				}
				return
			}
			e.log.Warn("the source of purges complains", "error", err)
		}))
	if err == nil {
		defer conn.Close()
		_, err = conn.ChanSubscribe(n.Subject, messages)
		subscribed.Store(true)
	}
	if err != nil { // of what was checked: it cannot be told from here what helps
		e.is(false, fmt.Errorf("it is given up: %w", err))
		return
	}
	if conn.IsConnected() && conn.FlushTimeout(5*time.Second) == nil {
		e.is(true, nil)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-messages:
			_ = e.hear(ctx, m.Data) // counted and logged
		case <-lost:
			e.missed(ctx)
		}
	}
}

func orGone(err error) error {
	if err == nil {
		return errors.New("the connection has ended")
	}
	return err
}
