package purge

import (
	"context"
	"errors"
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

// listen hears what is published until ctx ends. A connection that breaks is made
// again by the client, one that it gives up, for a password that is wrong maybe,
// by us.
func (n *NATS) listen(ctx context.Context, e *ear) {
	e.keep(ctx, func() error { return n.follow(ctx, e) })
}

// follow hears until the connection is given up.
func (n *NATS) follow(ctx context.Context, e *ear) error {
	f := &following{e: e, messages: make(chan *nats.Msg, mostHeard), lost: make(chan struct{}, 1), closed: make(chan struct{})}
	conn, err := nats.Connect(n.URL, append(f.handlers(), nats.Name("sluice"), nats.Timeout(5*time.Second), nats.PingInterval(5*time.Second),
		nats.MaxPingsOutstanding(2), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.CustomReconnectDelay(waitAfter))...)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ChanSubscribe(n.Subject, f.messages); err != nil {
		return err
	}
	f.subscribed.Store(true)
	if conn.IsConnected() && conn.FlushTimeout(5*time.Second) == nil {
		e.is(true, nil)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-f.messages:
			_ = e.hear(ctx, m.Data) // counted and logged
		case <-f.lost:
			e.missed(ctx)
		case <-f.closed:
			return orGone(conn.LastError())
		}
	}
}

// following is what a connection tells.
type following struct {
	e          *ear
	messages   chan *nats.Msg
	lost       chan struct{} // some of them
	closed     chan struct{} // for good
	subscribed atomic.Bool   // before that, a connection is of no use
}

func (f *following) handlers() []nats.Option {
	there := func(*nats.Conn) {
		if f.subscribed.Load() {
			f.e.is(true, nil)
		}
	}
	away := func(_ *nats.Conn, err error) { f.e.is(false, orGone(err)) }
	return []nats.Option{nats.ConnectHandler(there), nats.ReconnectHandler(there), nats.DisconnectErrHandler(away), nats.ReconnectErrHandler(away),
		nats.ClosedHandler(func(*nats.Conn) { close(f.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrSlowConsumer) {
				f.e.log.Warn("the source of purges complains", "error", err)
				return
			}
			select {
			case f.lost <- struct{}{}:
			default:
			}
		})}
}

func orGone(err error) error {
	if err == nil {
		return errors.New("the connection has ended")
	}
	return err
}
