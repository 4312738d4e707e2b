package billing

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSlidingWindow: a window always holds what a list of all that happened says.
func TestSlidingWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.SampledFrom([]*stretch{&minuteSpan, &daySpan}).Draw(t, "span")
		w := window{span: length}
		type event struct {
			second int64
			use
		}
		var all []event
		second := int64(1e9)
		for range rapid.IntRange(1, 300).Draw(t, "events") {
			second += rapid.Int64Range(0, 5*length.width).Draw(t, "pause")
			w.advance(second)
			e := event{second, use{1, rapid.Int64Range(0, 50).Draw(t, "in"), rapid.Int64Range(0, 50).Draw(t, "out")}}
			w.add(second, e.use)
			all = append(all, e)
			if i := rapid.IntRange(0, len(all)-1).Draw(t, "settled"); rapid.Bool().Draw(t, "settle") {
				back := use{0, -all[i].input, -all[i].output}
				w.settle(all[i].second, back)
				all[i].use.add(back)
			}
			var want, strict use
			for _, e := range all {
				if second/length.width-e.second/length.width < length.slots {
					want.add(e.use)
				}
				if second-e.second < (length.slots-1)*length.width {
					strict.add(e.use)
				}
			}
			if w.sum != want || w.sum.requests < strict.requests {
				t.Fatalf("at %d: %+v, want %+v", second, w.sum, want)
			}
			limit := want.requests
			if free := w.freeAt(requestsOf, 1, limit); free <= second {
				t.Fatalf("free at %d, which is not after %d", free, second)
			}
		}
	})
}
