package router

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/providers/schema"
)

// Secret is one of a provider's keys. Its exported fields are not changed once
// it is in a Pool.
type Secret struct {
	Value  string
	Label  string   // what operators are shown: its name, or its last four characters
	Weight int      // share of the calls; 0 means 1
	Models []string // patterns with *; none: every model
	// Payload is what the caller needs to admit calls with it.
	Payload any

	// Under the pool's lock.
	current int // smooth weighted round robin
	rest
	number int // in its pool, from 1; not changed
}

// NewSecret is a secret with the label that may be shown of it: name, or the
// last four characters of a value that is long enough to hide the rest.
func NewSecret(value, name string, weight int, models []string) *Secret {
	if name == "" && len(value) >= 12 {
		name = unnamed + value[len(value)-4:]
	} else if name == "" {
		name = unnamed
	}
	return &Secret{Value: value, Label: name, Weight: weight, Models: models}
}

// digest stands for the secret where replicas tell each other of it.
func (s *Secret) digest() string {
	sum := sha256.Sum256([]byte(s.Value))
	return hex.EncodeToString(sum[:12])
}

// unnamed is how the label of a secret begins that is part of what it labels.
const unnamed = "…"

// told is what callers are shown of it: its name, or its number. They are not the
// provider's customers, and no character of a key is theirs to know.
func (s *Secret) told() string {
	if strings.HasPrefix(s.Label, unnamed) {
		return "#" + strconv.Itoa(s.number)
	}
	return s.Label
}

func (s *Secret) weight() int { return max(s.Weight, 1) }

func (s *Secret) fits(model string) bool {
	return len(s.Models) == 0 || slices.ContainsFunc(s.Models, func(p string) bool { return match(p, model) })
}

// Pool is the secrets of one provider. It is safe for concurrent use; a nil
// Pool is that of a provider without secrets.
type Pool struct {
	Name    string // the provider's
	mu      sync.Mutex
	secrets []*Secret
	tell    func(Change) // nil: nobody wants to know
}

// NewPool is a pool of its own, outside any Registry.
func NewPool(name string, secrets ...*Secret) *Pool {
	for i, s := range secrets {
		s.number = i + 1
	}
	return &Pool{Name: name, secrets: secrets}
}

// Secrets are all of the pool's; nil: it has none.
func (p *Pool) Secrets() []*Secret {
	if p == nil {
		return nil
	}
	return p.secrets
}

// pick chooses a secret for a model, by weight among those that fit, are not
// out, at the target or at all, and not in skip. The only one that fits never
// rests. Without one it returns nil and when the first comes back (0: none
// fits).
func (p *Pool) pick(now time.Time, t *Target, model string, skip []*Secret) (*Secret, time.Duration) {
	if len(p.secrets) == 1 && len(skip) == 0 && p.secrets[0].fits(model) {
		return p.secrets[0], 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	lone := p.only(model)
	if lone != nil {
		if slices.Contains(skip, lone) {
			return nil, 0
		}
		return lone, 0
	}
	var best *Secret
	var total int
	var wait time.Duration
	for _, s := range p.secrets {
		if !s.fits(model) {
			continue
		}
		if left := s.out(t, now); left > 0 {
			wait = sooner(wait, left)
			continue
		}
		if slices.Contains(skip, s) {
			continue
		}
		s.current += s.weight()
		total += s.weight()
		if best == nil || s.current > best.current {
			best = s
		}
	}
	if best == nil {
		return nil, wait
	}
	best.current -= total
	return best, 0
}

// out is how long the secret rests, at a target or at all.
func (s *Secret) out(t *Target, now time.Time) time.Duration {
	return max(s.left(now), t.look(s).wait(now))
}

// sooner is the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b < a {
		return b
	}
	return a
}

// ready tells whether pick would find a secret, and if not, after what time.
func (p *Pool) ready(now time.Time, t *Target, model string) (bool, time.Duration) {
	if p == nil {
		return true, 0
	}
	if len(p.secrets) == 1 && p.secrets[0].fits(model) {
		return true, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.only(model) != nil {
		return true, 0
	}
	var wait time.Duration
	for _, s := range p.secrets {
		if !s.fits(model) {
			continue
		}
		left := s.out(t, now)
		if left <= 0 {
			return true, 0
		}
		wait = sooner(wait, left)
	}
	return false, wait
}

// several tells whether more than one secret fits a model.
func (p *Pool) several(model string) bool {
	if p == nil || len(p.secrets) < 2 {
		return false
	}
	n := 0
	for _, s := range p.secrets {
		if s.fits(model) {
			n++
		}
	}
	return n > 1
}

// only is the one secret that fits, or nil if there are more or none.
func (p *Pool) only(model string) *Secret {
	var one *Secret
	for _, s := range p.secrets {
		if !s.fits(model) {
			continue
		}
		if one != nil {
			return nil
		}
		one = s
	}
	return one
}

// note lets a secret rest after an error about it, at whatever target, and
// forgets its errors after a success.
func (p *Pool) note(s *Secret, e *schema.Error, now time.Time) {
	if p == nil || s == nil || len(p.secrets) == 1 {
		return
	}
	if e != nil && !aboutKey(e.Class) {
		return
	}
	p.mu.Lock()
	s.rest.note(e, now)
	news := s.rest.news(now)
	p.mu.Unlock()
	p.told(s, news)
}

// told tells of a secret's rest, if there is news of it.
func (p *Pool) told(s *Secret, news *Change) {
	if news != nil && p.tell != nil {
		news.Provider, news.Key, news.Secret = p.Name, s.Label, s.digest()
		p.tell(*news)
	}
}

// SecretStatus is a secret as the admin API shows it, never its value.
type SecretStatus struct {
	Label string       `json:"key"`
	State string       `json:"state"` // ready or cooling
	Until time.Time    `json:"until,omitzero"`
	Why   schema.Class `json:"why,omitempty"`
	// Target is the only one at which it cools; empty: it does at all of them.
	Target string `json:"target,omitempty"`
	// Elsewhere tells that another replica has found it.
	Elsewhere bool `json:"elsewhere,omitempty"`

	Weight int      `json:"weight"`
	Models []string `json:"models,omitempty"` // patterns; none: every model
	Limits any      `json:"limits,omitempty"` // its own, as whoever set its Payload shows them
}

// Status lists the pool's secrets as they stand at now.
func (p *Pool) Status(now time.Time) []SecretStatus {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]SecretStatus, 0, len(p.secrets))
	for _, s := range p.secrets {
		st := SecretStatus{Label: s.Label, State: "ready", Weight: s.weight(), Models: s.Models}
		if s.until.After(now) {
			st.State, st.Until, st.Why, st.Elsewhere = "cooling", s.until, s.why, s.heard
		}
		out = append(out, st)
	}
	return out
}

// match tells whether s fits a pattern in which * stands for any characters.
func match(pattern, s string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s, rest = s[at+len(part):], more
	}
}
