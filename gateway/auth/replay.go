package auth

import (
	"sync"
	"time"
)

// Replays remembers signatures for as long as they would be taken again. It
// outlives changes of the configuration.
type Replays struct {
	mu    sync.Mutex
	seen  map[[32]byte]int64 // until when, in Unix seconds
	sweep int64              // when it was last looked through
	most  int
}

// maxSignatures bounds the memory: 16 MiB or so. What is full forgets nothing,
// and takes no more until something is over.
const maxSignatures = 200_000

// NewReplays makes an empty memory.
func NewReplays() *Replays { return &Replays{seen: map[[32]byte]int64{}, most: maxSignatures} }

// note remembers a signature. fresh: it is seen for the first time. room: there
// was room for it.
func (p *Replays) note(sum [32]byte, until, now time.Time) (fresh, room bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end, ok := p.seen[sum]; ok && end >= now.Unix() {
		return false, true
	}
	if s := now.Unix(); s-p.sweep >= 60 || len(p.seen) >= p.most && s > p.sweep {
		p.sweep = s
		for k, end := range p.seen {
			if end < s {
				delete(p.seen, k)
			}
		}
	}
	if len(p.seen) >= p.most {
		return false, false
	}
	p.seen[sum] = until.Unix()
	return true, true
}
