package router

import (
	"context"
	"slices"

	"sluice/providers/schema"
)

// Resume drives further attempts at a call after Do, or Resume, had returned nil
// and the attempt, which was Late, has failed in the middle, as last says: of
// the targets of its route that were not tried yet, if the route tries again
// for such an error, then of the fallbacks. They count in the retry budget and
// pass breakers as those of Do. It returns nil once try has, and last if nothing
// else could be tried or all of it failed, which Results tell.
func (p *Plan) Resume(ctx context.Context, last *schema.Error, try func(*Attempt) error) error {
	at := p.last().Route
	p.resumes, p.won = true, nil
	if slices.Contains(at.Retry.On, last.Class) && p.route(ctx, at, try) == nil {
		return nil
	}
	for _, r := range slices.Backward(slices.Clone(p.visited)) {
		if ctx.Err() == nil && p.fallBack(ctx, r, last, try) == nil {
			return nil
		}
	}
	return last
}

// tried tells whether the call has tried a target.
func (p *Plan) tried(t *Target) bool {
	return slices.ContainsFunc(p.Results, func(r Result) bool { return r.Target == t })
}
