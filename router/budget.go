package router

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	wholeTry    = 1000           // the budget counts in thousandths of a try
	budgetCap   = 100 * wholeTry // what quiet times can save up
	alwaysASec  = 3              // extra tries a second that any route may make
	deepestDebt = -alwaysASec * wholeTry
	mostOwed    = -2 * budgetCap // by moves that were free and should not have been
)

// budget bounds the extra tries of a route: each call pays in a share of a
// try, each extra try takes out a whole one. What is always allowed is taken
// out too, if need be as a debt that later calls pay off, so that at volume
// the share holds exactly.
type budget struct {
	share  int64 // of a try, paid in by each call
	saved  atomic.Int64
	mu     sync.Mutex
	second int64
	spent  int // extra tries in that second
}

// call pays in for one call.
func (b *budget) call() {
	if b.saved.Load() < budgetCap {
		b.saved.Add(b.share)
	}
}

// owe takes out for a move that was let go free, to a target that seemed well
// and was not: when all targets fail at once, every call that is under way
// makes such moves, and later calls pay for them.
func (b *budget) owe() {
	if b.saved.Load() > mostOwed {
		b.saved.Add(-wholeTry)
	}
}

// take asks for one extra try.
func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := now.Unix(); s != b.second {
		b.second, b.spent = s, 0
	}
	saved := b.saved.Load()
	if saved < wholeTry && b.spent >= alwaysASec {
		return false
	}
	b.spent++
	if saved-wholeTry >= deepestDebt {
		b.saved.Add(-wholeTry)
	}
	return true
}
