package billing

// stretch is the length of a window: it is counted in slots, of which there is one
// more than the length has: the oldest counts whole until all of it is outside,
// so that no stretch of that length ever holds more than the limit.
type stretch struct {
	width int64 // seconds of a slot
	slots int64
}

var (
	minuteSpan = stretch{1, 61}
	daySpan    = stretch{600, 145}
)

// use is how many requests and tokens there were.
type use struct{ requests, input, output int64 }

func (u *use) add(v use) {
	u.requests += v.requests
	u.input += v.input
	u.output += v.output
}

// usedSlot is what happened in one slot.
type usedSlot struct {
	at int64 // its number since the epoch
	use
}

// window counts what happened in the last minute or day. It keeps only the
// slots in which something did, so that a window is as large as its use. One
// without a span counts nothing.
type window struct {
	span  *stretch
	sum   use
	ring  []usedSlot // a ring that grows
	first int32      // of the oldest slot
	n     int32
}

// dayWindow is the window of a day, which outlives a restart.
type dayWindow struct {
	window
	filled bool // it has what the ledger knows
}

// nth is a slot, 0 the oldest.
func (w *window) nth(i int32) *usedSlot { return &w.ring[(w.first+i)%int32(len(w.ring))] }

// advance forgets what is outside the window at a second.
func (w *window) advance(second int64) {
	for w.n > 0 && w.nth(0).at+w.span.slots <= second/w.span.width {
		old := w.nth(0).use
		w.sum.add(use{-old.requests, -old.input, -old.output})
		w.first = (w.first + 1) % int32(len(w.ring))
		w.n--
	}
}

// add counts at a second that is no older than those before it.
func (w *window) add(second int64, u use) {
	at := second / w.span.width
	if w.n == 0 || w.nth(w.n-1).at != at {
		if int(w.n) == len(w.ring) {
			w.grow()
		}
		w.n++
		*w.nth(w.n - 1) = usedSlot{at: at}
	}
	w.nth(w.n - 1).use.add(u)
	w.sum.add(u)
}

func (w *window) grow() {
	bigger := make([]usedSlot, min(max(2*len(w.ring), 1), int(w.span.slots)))
	for i := range w.n {
		bigger[i] = *w.nth(i)
	}
	w.ring, w.first = bigger, 0
}

// settle changes what was counted at a second, unless that has left the window.
func (w *window) settle(second int64, u use) {
	if w.n == 0 {
		return
	}
	at := second / w.span.width
	for i := w.n - 1; i >= 0 && w.nth(i).at >= at; i-- {
		if s := w.nth(i); s.at == at {
			s.use.add(u)
			w.sum.add(u)
		}
	}
}

// freeAt is the second in which need more fit below limit.
func (w *window) freeAt(of func(use) int64, need, limit int64) int64 {
	sum, at := of(w.sum), int64(0)
	for i := int32(0); i < w.n && sum+need > limit; i++ {
		sum -= of(w.nth(i).use)
		at = w.nth(i).at
	}
	return (at + w.span.slots) * w.span.width
}
