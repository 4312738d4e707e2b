package billing

import "sync/atomic"

// openHolds counts what is held now, once, however many budgets a hold is in.
type openHolds struct{ n, usd atomic.Int64 }

func (h *openHolds) add(n int64, usd Nano) {
	h.n.Add(n)
	h.usd.Add(int64(usd))
}

// OpenHolds is how many holds are not settled, and their sum. Both are 0 while
// no call runs: else a hold has leaked, or was settled twice.
func (b *Book) OpenHolds() (n int64, usd Nano) { return b.holds.n.Load(), Nano(b.holds.usd.Load()) }
