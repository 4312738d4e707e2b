package router

import (
	"hash/fnv"
	"math"
	"strconv"
)

// identity is a hash of candidate i that is the same in every process. A
// target that stands in the route again counts as another.
func (r *Route) identity(i int) uint64 {
	again := 0
	for j := range i {
		if r.Candidates[j].Target != nil && r.Candidates[j].Target.ID == r.Candidates[i].Target.ID {
			again++
		}
	}
	h := fnv.New64a()
	h.Write([]byte(r.Candidates[i].Target.ID))
	if again > 0 {
		h.Write([]byte("\x00" + strconv.Itoa(again)))
	}
	return h.Sum64()
}

// rankByKey orders the candidates by rendezvous hashing, each by its weight:
// every key has an order of its own, in which the others close up when one is
// out. A candidate that comes or goes moves only the keys that are its own.
// The score that gives each its weight is that of Schindelhauer and Schomaker,
// "Weighted distributed hash tables" (SPAA 2005).
func (p *Plan) rankByKey(r *Route, key uint64) {
	for i := range r.Candidates {
		c := &r.Candidates[i]
		u := (float64(mix(key^c.id)>>11) + 0.5) / (1 << 53) // in (0, 1)
		p.scores = append(p.scores, float64(c.weight())/-math.Log(u))
	}
}

// mix spreads a hash over all bits: the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
