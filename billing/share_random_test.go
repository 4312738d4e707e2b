package billing

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestRandomShares: calls of teams with random weights arrive at random. Each
// decision is checked against lists of all that was admitted and refused, and
// against water-filling as it is in the books: the teams that want the least
// for their weight are served first, and what is left is divided by weight.
func TestRandomShares(t *testing.T) {
	t.Logf("seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 2))
	for round := range 20 {
		limits := Limits{RPM: 1 + random.Int64N(100), TPM: 500 + random.Int64N(4000)}
		weights := make([]int64, 1+random.IntN(6))
		for i := range weights {
			weights[i] = 1 + random.Int64N(10)
		}
		n := newNaive(t, limits, weights)
		for range 3000 {
			if random.IntN(3) == 0 {
				n.s.now = n.s.now.Add(time.Duration(random.Int64N(int64(2 * time.Second))))
			}
			if random.IntN(300) == 0 {
				n.s.now = n.s.now.Add(time.Duration(random.Int64N(int64(2 * time.Minute))))
			}
			team := random.IntN(len(weights))
			if random.IntN(2) == 0 {
				team = 0 // one is busier
			}
			n.call(team, Ask{Input: random.Int64N(limits.TPM / 10)}, random.IntN(10) == 0)
		}
		if n.scarce == 0 && len(weights) > 2 {
			t.Errorf("round %d: no share was ever used up", round)
		}
	}
}

// naive is the lists, of a provider with limits of requests and tokens.
type naive struct {
	t        *testing.T
	s        *shared
	weights  []int64
	admitted []happened
	refused  []happened
	scarce   int
}

type happened struct {
	second int64
	team   int
	use
}

func newNaive(t *testing.T, limits Limits, weights []int64) *naive {
	return &naive{t: t, s: newShared(t, limits, weights...), weights: weights}
}

// sums are what each team has in a list at a second, and all of them together.
func (n *naive) sums(list []happened, second, slots int64) (teams []use, all use) {
	teams = make([]use, len(n.weights))
	for _, h := range list {
		if h.second+slots > second {
			teams[h.team].add(h.use)
			all.add(h.use)
		}
	}
	return teams, all
}

func (n *naive) call(team int, ask Ask, cancel bool) {
	second := n.s.now.Unix()
	u := use{1, ask.Input, 0}
	used, usedAll := n.sums(n.admitted, second, minuteSpan.slots)
	refused, refusedAll := n.sums(n.refused, second, minuteDemand.slots)
	full, unfair := false, false
	for _, b := range n.s.limit.bounds() {
		if b.limit == 0 {
			continue
		}
		need, taken := b.of(u), b.of(usedAll)
		full = full || taken+need > b.limit
		if need > 0 && taken+b.of(refusedAll)+need > b.limit {
			wants := make([]int64, len(used))
			for i := range used {
				wants[i] = min(b.of(used[i])+b.of(refused[i]), b.limit)
			}
			unfair = unfair || !n.below(team, b.of(used[team]), wants, b.limit)
		}
	}
	ticket, err := n.s.host.AdmitFor(n.s.keys[team], n.s.now, ask)
	if want := !full && !unfair; want != (err == nil) {
		n.t.Fatalf("team %d at %d: %v, but full is %v and its share used up %v", team, second, err, full, unfair)
	}
	switch {
	case err != nil:
		n.refused = append(n.refused, happened{second, team, u})
		if !full {
			n.scarce++
		}
	case cancel:
		ticket.Cancel()
	default:
		ticket.Done(ask)
		n.admitted = append(n.admitted, happened{second, team, u})
	}
}

// below tells whether a team that would take all there is has had less than
// water-filling gives it.
func (n *naive) below(team int, used int64, wants []int64, left int64) bool {
	var order []int
	weight := n.weights[team]
	for i := range wants {
		if i != team {
			order = append(order, i)
			weight += n.weights[i]
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(wants[i]*n.weights[j], wants[j]*n.weights[i]) })
	for _, i := range order {
		if wants[i]*weight > left*n.weights[i] {
			break
		}
		left -= wants[i]
		weight -= n.weights[i]
	}
	return used*weight < left*n.weights[team]
}
