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
	lookDebt    = -budgetCap // what calls that looked in vain may leave behind
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

// take asks for one extra try. It gives what it took out, which is less than a
// try where the debt is deep.
func (b *budget) take(now time.Time) (taken int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := now.Unix(); s != b.second {
		b.second, b.spent = s, 0
	}
	if b.saved.Load() < wholeTry && b.spent >= alwaysASec {
		return 0, false
	}
	b.spent++
	return b.takeDownTo(deepestDebt), true
}

// takeDownTo takes a whole try out, unless the debt would be too deep.
func (b *budget) takeDownTo(debt int64) int64 {
	if b.saved.Load()-wholeTry < debt {
		return 0
	}
	b.saved.Add(-wholeTry)
	return wholeTry
}

// giveBack undoes take.
func (b *budget) giveBack(taken int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved.Add(taken)
	b.spent = max(b.spent-1, 0)
}
