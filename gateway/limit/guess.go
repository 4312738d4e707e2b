package limit

import (
	"net/netip"
	"time"
)

// Guesses counts wrong credentials, by the address that they come from and by
// the account that they are for, so that neither one address with many accounts
// nor many addresses with one can go on guessing. Its memory is bounded. It is
// safe for concurrent use.
type Guesses struct {
	failed *Limiter
	known  *Limiter // by account and address: who has signed in before
}

// knownFor is how long an address is let in to an account that others attack.
const knownFor = 24 * time.Hour

// NewGuesses lets so many wrong credentials pass in any stretch of per.
func NewGuesses(most int64, per time.Duration) *Guesses {
	g := &Guesses{failed: New(Limit{Requests: most, Per: per}), known: New(Limit{Requests: 1, Per: knownFor})}
	g.failed.most, g.known.most = fewSubjects, fewSubjects // 12 MiB each, whoever attacks
	return g
}

// Attempt is somebody who signs in.
type Attempt struct {
	IP      string
	Account string // as the caller says; empty: it names none
}

// address names the attempt's address; those of a network of IPv6 that one
// customer is given are one.
func (a Attempt) address(dst []byte) []byte {
	dst = append(dst, "ip "...)
	if ip, err := netip.ParseAddr(a.IP); err == nil && ip.Is6() && !ip.Is4In6() {
		network, _ := ip.WithZone("").Prefix(64) // of IPv6: it cannot fail
		return network.AppendTo(dst)
	}
	return append(dst, a.IP...)
}

func (a Attempt) account(dst []byte) []byte { return append(append(dst, "account "...), a.Account...) }

func (a Attempt) both(dst []byte) []byte { return append(append(a.address(dst), ' '), a.Account...) }

// Blocked is how long the attempt has to wait until it is looked at; 0: it is
// now. An account that is under attack stays open to the addresses from which it
// was signed in to before.
func (g *Guesses) Blocked(a Attempt, now time.Time) time.Duration {
	var memory [160]byte
	if wait := g.failed.full(a.address(memory[:0]), now); wait > 0 || a.Account == "" {
		return wait
	}
	wait := g.failed.full(a.account(memory[:0]), now)
	if wait > 0 && g.known.full(a.both(memory[:0]), now) > 0 {
		return 0
	}
	return wait
}

// Failed counts an attempt that was wrong. It gives how long to wait before the
// next; 0: no time.
func (g *Guesses) Failed(a Attempt, now time.Time) time.Duration {
	var memory [160]byte
	v := g.failed.Take(a.address(memory[:0]), now)
	wait := v.Wait
	if a.Account != "" {
		v = g.failed.Take(a.account(memory[:0]), now)
		wait = max(wait, v.Wait)
	}
	return wait
}

// Succeeded remembers that an account was signed in to from an address.
func (g *Guesses) Succeeded(a Attempt, now time.Time) {
	if a.Account != "" {
		var memory [160]byte
		g.known.Take(a.both(memory[:0]), now)
	}
}

// full is how long until the subject may have one more; 0: it may now. Nothing
// is counted, and nobody is remembered for it.
func (l *Limiter) full(name []byte, now time.Time) time.Duration {
	sh, key := l.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.subjects[key]
	if s == nil {
		return 0
	}
	s.advance(l, now.UnixNano())
	if s.sum < l.Requests {
		return 0
	}
	return s.wait(l, now.UnixNano())
}
