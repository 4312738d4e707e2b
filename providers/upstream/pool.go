package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// quiet is how long a connection may have been idle and still be trusted
// without a look at it.
const quiet = time.Second

// take gives an idle connection that still stands, or nil.
func (c *Client) take(now time.Time) *conn {
	for {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			return nil
		}
		k := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()

		age := now.Sub(k.idleSince)
		if age < c.opt.MaxIdleTime && (age < quiet || k.alive(now)) {
			k.reused = true
			return k
		}
		k.close()
	}
}

// put keeps a connection whose last answer was read to the end.
func (c *Client) put(k *conn) {
	k.idleSince = time.Now()
	c.mu.Lock()
	if c.closed || len(c.idle) >= c.opt.MaxIdle {
		c.mu.Unlock()
		k.close()
		return
	}
	c.idle = append(c.idle, k)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.opt.MaxIdleTime, c.expire)
	} else if len(c.idle) == 1 {
		c.sweep.Reset(c.opt.MaxIdleTime)
	}
	c.mu.Unlock()
}

// expire closes what has been idle for too long, and comes back while
// anything is left.
func (c *Client) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, old := time.Now(), 0
	for old < len(c.idle) && now.Sub(c.idle[old].idleSince) >= c.opt.MaxIdleTime {
		c.idle[old].close()
		old++
	}
	left := copy(c.idle, c.idle[old:])
	clear(c.idle[left:])
	c.idle = c.idle[:left]
	if left > 0 && !c.closed {
		c.sweep.Reset(max(c.opt.MaxIdleTime-now.Sub(c.idle[0].idleSince), time.Millisecond))
	}
}

// dial makes a fresh connection.
func (c *Client) dial(ctx context.Context, until time.Time) (*conn, error) {
	limit := time.Now().Add(c.opt.Connect)
	whole := !until.IsZero() && until.Before(limit)
	if whole {
		limit = until
	}
	dialCtx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	sock, err := c.opt.Dial(dialCtx, "tcp", c.address)
	if err != nil {
		return nil, c.dialError(ctx, dialCtx, whole, err)
	}
	k := newConn(sock, &c.open)
	if c.tls != nil {
		secure := tls.Client(sock, c.tls)
		if err := secure.HandshakeContext(dialCtx); err != nil {
			k.close()
			return nil, c.dialError(ctx, dialCtx, whole, err)
		}
		k.stream = secure
	}
	return k, nil
}

func (c *Client) dialError(ctx, dialCtx context.Context, whole bool, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return cancelled(ctx.Err())
	case whole && dialCtx.Err() != nil:
		return errTotal(err)
	case dialCtx.Err() != nil, asNetError(err, &timeout) && timeout.Timeout():
		return timedOut(err, "the provider took no connection within %v", c.opt.Connect)
	}
	if why := untrusted(err); why != "" {
		return broken(err, "%s", why)
	}
	return broken(err, "cannot connect to the provider")
}
