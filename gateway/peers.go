package gateway

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// peers counts the open connections: all of them, and those of each address,
// where that is bounded.
type peers struct {
	all  atomic.Int64
	mu   sync.Mutex
	open map[netip.Addr]int64
}

// enter counts a connection; false: its address has as many as it may.
func (p *peers) enter(a netip.Addr, most int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[a] >= most {
		return false
	}
	if p.open == nil {
		p.open = map[netip.Addr]int64{}
	}
	p.open[a]++
	return true
}

func (p *peers) leave(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[a]--; p.open[a] <= 0 {
		delete(p.open, a)
	}
}

// Connections is how many connections of callers are open.
func (g *Gateway) Connections() int64 { return g.peers.all.Load() }

// admit counts a new connection with others of its address; false: it is one
// too many, and closed. Trusted proxies may have any number. What counts as one
// address are the 64 bits of IPv6 that a customer is given.
func (l callerListener) admit(c *callerConn, peer netip.Addr) bool {
	s := &l.g.snap.Load().Settings
	if s.PeerConnections == 0 || containsAddr(s.TrustedProxies, peer) {
		return true
	}
	if peer.Is6() {
		network, _ := peer.Prefix(64) // of IPv6: it cannot fail
		peer = network.Addr()
	}
	if l.g.peers.enter(peer, s.PeerConnections) {
		c.counted.Store(&peer)
		return true
	}
	l.g.metrics.ConnectionRefused()
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // nothing of it is to stay behind
	}
	_ = c.Close() // it was never used
	return false
}
