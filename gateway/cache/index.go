package cache

import (
	"encoding/json"
	"math"
	"slices"
	"sync"

	"sluice/providers/schema"
)

// MaxPoints bounds the questions that one question is compared with: those of
// the same model, owner and context, the newest. Comparing with that many of
// 1,536 numbers takes about a millisecond.
const MaxPoints = 1000

// Point is a question as an embedding.
type Point struct {
	Group  [32]byte  // of questions that differ in their last words only
	Vector []float32 // of length 1
}

// NewPoint makes a point; nil of a vector that has no direction.
func NewPoint(group [32]byte, vector []float32) *Point {
	var sum float64
	for _, f := range vector {
		sum += float64(f) * float64(f)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil
	}
	norm := float32(1 / math.Sqrt(sum))
	p := &Point{Group: group, Vector: make([]float32, len(vector))}
	for i, f := range vector {
		p.Vector[i] = f * norm
	}
	return p
}

// rounding is what the cosine of a question with itself may lack of 1.
const rounding = 1e-6

// cosine is the cosine of the angle between two points; -1 where they cannot be
// compared.
func (p *Point) cosine(q *Point) float64 {
	if len(p.Vector) != len(q.Vector) {
		return -1
	}
	var sum float32
	for i, f := range p.Vector {
		sum += f * q.Vector[i]
	}
	return float64(sum) + rounding
}

// Index finds answers by what their questions mean. The zero value is ready.
type Index struct {
	mu     sync.RWMutex
	groups map[[32]byte][]*Answer // oldest first
}

func (x *Index) add(a *Answer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.groups == nil {
		x.groups = map[[32]byte][]*Answer{}
	}
	list := x.groups[a.Point.Group]
	if len(list) == MaxPoints {
		list = slices.Delete(list, 0, 1)
	}
	x.groups[a.Point.Group] = append(list, a)
}

func (x *Index) remove(a *Answer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.groups[a.Point.Group]
	i := slices.Index(list, a)
	if i < 0 {
		return
	}
	if len(list) == 1 {
		delete(x.groups, a.Point.Group)
		return
	}
	x.groups[a.Point.Group] = slices.Delete(list, i, i+1)
}

// Nearest is the answer whose question is nearest to p among those of its group,
// and for which fresh is true, if the cosine between them is at least threshold;
// nil: none is so near.
func (x *Index) Nearest(p *Point, threshold float64, fresh func(*Answer) bool) *Answer {
	x.mu.RLock()
	list := slices.Clone(x.groups[p.Group])
	x.mu.RUnlock()
	var best *Answer
	for _, a := range list {
		if c := p.cosine(a.Point); c >= threshold && fresh(a) {
			best, threshold = a, c
		}
	}
	return best
}

// Question is the words of a chat that are compared by what they mean, its last
// turn, and the group of those that all else is the same of. ok is false where
// the last turn is not the user's, or not text alone.
func (a *Ask) Question(req *schema.ChatRequest) (text string, group [32]byte, ok bool) {
	last := len(req.Messages) - 1
	if last < 0 || req.Messages[last].Role != schema.RoleUser {
		return "", group, false
	}
	for i := range req.Messages[last].Parts {
		if req.Messages[last].Parts[i].Type != schema.PartText {
			return "", group, false
		}
	}
	if text = req.Messages[last].Text(); text == "" {
		return "", group, false
	}
	e := essence(req)
	e.Messages[last].Parts = nil
	h := a.sum("semantic")
	if err := json.NewEncoder(h).Encode(e); err != nil {
		return "", group, false
	}
	return text, [32]byte(h.Sum(nil)), true
}
