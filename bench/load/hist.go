package load

import (
	"math/bits"
	"time"
)

// subBits gives 128 buckets for every power of two: an error below 0.8 %.
const subBits = 7

// Hist is a histogram of durations with logarithmic buckets. The zero value is
// empty. It is for one goroutine.
type Hist struct {
	buckets [64 << subBits]int64
	count   int64
	sum     time.Duration
	max     time.Duration
}

// Add counts d; a negative one counts as 0.
func (h *Hist) Add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucket(uint64(d))]++
	h.count++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds all of o.
func (h *Hist) Merge(o *Hist) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count is how many durations were added.
func (h *Hist) Count() int64 { return h.count }

// Max is the longest.
func (h *Hist) Max() time.Duration { return h.max }

// Mean is the average, or 0 if empty.
func (h *Hist) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}

// Quantile is the duration that a share q (0 to 1) stays within, rounded up to
// its bucket's edge, or 0 if empty.
func (h *Hist) Quantile(q float64) time.Duration {
	rank := int64(q*float64(h.count) + 0.5)
	rank = min(max(rank, 1), h.count)
	var seen int64
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(edge(i), h.max)
		}
	}
	return 0
}

// bucket is linear below 2^subBits and has 2^subBits steps an octave above.
func bucket(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// edge is the largest value of a bucket.
func edge(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	return time.Duration((uint64(i&(1<<subBits-1)|1<<subBits)+1)<<shift - 1)
}
