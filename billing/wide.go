package billing

import (
	"math"
	"math/bits"
)

// femtoPerNano is how many 1e-15 dollars make a Nano.
const femtoPerNano = 1_000_000

// wide is a sum of 1e-15 dollars, of 128 bits and never negative. The numbers
// of units are bounded (a quadrillion tokens, a trillion pictures), so that no
// sum of ten products overflows.
type wide struct{ hi, lo uint64 }

// add adds n units at a price in 1e-15 dollars.
func (w *wide) add(n, price int64) { w.product(min(max(n, 0), 1<<50), price) }

// addNano adds n units at a price in Nano.
func (w *wide) addNano(n, price int64) { w.product(min(max(n, 0), 1<<40)*femtoPerNano, price) }

func (w *wide) product(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi, _ = bits.Add64(w.hi, hi, carry)
}

// sub takes v away; nothing is left where v is more.
func (w *wide) sub(v wide) {
	lo, borrow := bits.Sub64(w.lo, v.lo, 0)
	hi, borrow := bits.Sub64(w.hi, v.hi, borrow)
	if borrow != 0 {
		hi, lo = 0, 0
	}
	w.hi, w.lo = hi, lo
}

// div is the whole number of times that price goes into w, at most
// math.MaxInt64.
func (w *wide) div(price int64) int64 {
	if w.hi >= uint64(price) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(w.hi, w.lo, uint64(price))
	return int64(min(q, math.MaxInt64))
}

// rounding is where an amount goes that is no whole Nano.
type rounding uint8

const (
	half rounding = iota // half up
	up
)

// of is what to add before the division by den.
func (r rounding) of(den uint64) uint64 {
	if r == up {
		return den - 1
	}
	return den / 2
}

// femtoPerShare is how many 1e-15 dollars times millionths make a Nano.
const femtoPerShare = femtoPerNano * uint64(Whole)

// scaled is a share of the sum in Nano; an amount beyond Nano's range is the
// largest Nano.
func (w wide) scaled(share PPM, r rounding) Nano {
	mid, low := bits.Mul64(w.lo, uint64(share))
	high, more := bits.Mul64(w.hi, uint64(share))
	mid, carry := bits.Add64(mid, more, 0)
	high += carry
	low, carry = bits.Add64(low, r.of(femtoPerShare), 0)
	mid, carry = bits.Add64(mid, 0, carry)
	high += carry
	if high > 0 || mid >= femtoPerShare {
		return math.MaxInt64
	}
	q, _ := bits.Div64(mid, low, femtoPerShare)
	return Nano(min(q, math.MaxInt64))
}

// unscaled is the largest sum of which a share, above nothing, is no more than
// w; w is an amount of money.
func (w wide) unscaled(share PPM) wide {
	hi, lo := bits.Mul64(w.lo, uint64(Whole))
	hi += w.hi * uint64(Whole)
	q, rest := hi/uint64(share), hi%uint64(share)
	low, _ := bits.Div64(rest, lo, uint64(share))
	return wide{hi: q, lo: low}
}

// nano is the sum in Nano after round (in 1e-15 dollars) is added; an amount
// beyond Nano's range is the largest Nano.
func (w wide) nano(round uint64) Nano {
	lo, carry := bits.Add64(w.lo, round, 0)
	w.hi, w.lo = w.hi+carry, lo
	return Nano(w.div(femtoPerNano))
}
