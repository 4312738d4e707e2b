package purge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQP is an exchange of a RabbitMQ, which each replica hears through a queue of
// its own, or a queue, each of whose messages goes to one replica. What is not
// there is made: a durable exchange of the kind fanout, or a durable queue.
type AMQP struct {
	URL      string // may hold a password
	Exchange string // empty: there is a Queue
	Key      string // by which its own queue is bound to the exchange
	Queue    string
}

// Check tells what is wrong with an address, and never shows a password.
func (a *AMQP) Check() (field string, err error) {
	u, err := url.Parse(a.URL)
	if err == nil && u.Hostname() != "" && (u.Scheme == "amqp" || u.Scheme == "amqps") {
		if _, err = amqp.ParseURI(a.URL); err == nil {
			return "", nil
		}
	}
	return "url", errors.New("want amqp://[USER:PASSWORD@]HOST[:PORT][/VHOST], or amqps:// for TLS")
}

// heartbeat is how often each side is to say something: one that is silent for
// twice as long is gone.
const heartbeat = 5 * time.Second

// listen hears what is published until ctx ends.
func (a *AMQP) listen(ctx context.Context, e *ear) {
	e.keep(ctx, func() error { return a.follow(ctx, e) })
}

// follow hears until the connection breaks.
func (a *AMQP) follow(ctx context.Context, e *ear) error {
	conn, err := amqp.DialConfig(a.URL, amqp.Config{Heartbeat: heartbeat, Dial: amqp.DefaultDial(5 * time.Second), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		Properties: amqp.Table{"connection_name": "sluice"}})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	channel, queue, err := a.queue(conn)
	if err != nil {
		return err
	}
	if err := channel.Qos(256, 0, false); err != nil {
		return err
	}
	messages, err := channel.ConsumeWithContext(ctx, queue, "", false, a.Queue == "", false, false, nil)
	if err != nil {
		return err
	}
	gone := channel.NotifyClose(make(chan *amqp.Error, 1))
	e.is(true, nil)
	for m := range messages {
		if e.hear(ctx, m.Body) != nil {
			err = m.Reject(false) // to where the queue has such go
		} else {
			err = m.Ack(false)
		}
		if err != nil {
			return err
		}
	}
	select {
	case why := <-gone:
		if why != nil {
			return why
		}
	default:
	}
	return errors.New("the server has ended it")
}

// queue finds, or makes, the queue to listen at.
func (a *AMQP) queue(conn *amqp.Connection) (*amqp.Channel, string, error) {
	if a.Queue != "" {
		channel, err := ready(conn,
			func(c *amqp.Channel) error {
				_, err := c.QueueDeclarePassive(a.Queue, true, false, false, false, nil)
				return err
			},
			func(c *amqp.Channel) error {
				_, err := c.QueueDeclare(a.Queue, true, false, false, false, nil)
				return err
			})
		return channel, a.Queue, err
	}
	channel, err := ready(conn,
		func(c *amqp.Channel) error {
			return c.ExchangeDeclarePassive(a.Exchange, amqp.ExchangeFanout, true, false, false, false, nil)
		},
		func(c *amqp.Channel) error {
			return c.ExchangeDeclare(a.Exchange, amqp.ExchangeFanout, true, false, false, false, nil)
		})
	if err != nil {
		return nil, "", err
	}
	own, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err == nil {
		err = channel.QueueBind(own.Name, a.Key, a.Exchange, false, nil)
	}
	return channel, own.Name, err
}

// ready is a channel on which something was found, or made where it is not there.
func ready(conn *amqp.Connection, find, create func(*amqp.Channel) error) (*amqp.Channel, error) {
	channel, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	err = find(channel)
	var no *amqp.Error
	if err == nil || !errors.As(err, &no) || no.Code != amqp.NotFound {
		return channel, err
	}
	if channel, err = conn.Channel(); err != nil { // a no ends the channel
		return nil, err
	}
	if err := create(channel); err != nil {
		return nil, fmt.Errorf("cannot make what is not there: %w", err)
	}
	return channel, nil
}
