package admin

import (
	"context"
	"net/http"
	"strconv"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// maxShare bounds a version's share of a split.
const maxShare = 1_000_000

// Splits keeps which versions share the calls of a prompt.
type Splits interface {
	// SetSplit replaces the split, whose figures begin anew; empty shares end it.
	SetSplit(ctx context.Context, name string, shares map[int]int) error
}

// putSplit shares the calls of a prompt's bare path among versions:
// {"3": 90, "4": 10}; {} ends it, and so does pointing production to a version.
// The figures of each version are those of usage?group_by=prompt,version.
func (a *api) putSplit(q *request) error {
	var in map[string]int
	if err := q.read(&in); err != nil {
		return err
	}
	if in == nil {
		return schema.Invalid("", `send the share of each version, such as {"3": 90, "4": 10}, or {} to end the split`)
	}
	if a.Splits == nil {
		return errConflict("prompts cannot be split here")
	}
	shares := make(map[int]int, len(in))
	for key, share := range in {
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 || strconv.Itoa(n) != key {
			return schema.Invalid(key, "%q is no version: it must be a number from 1 on", key)
		}
		if share < 1 || share > maxShare {
			return schema.Invalid(key, "the share of version %d must be from 1 to %d", n, maxShare)
		}
		shares[n] = share
	}
	name := q.PathValue("name")
	a.changes.Lock()
	defer a.changes.Unlock()
	versions, _, err := a.versions(q.Context(), name)
	if err != nil {
		return err
	}
	for n := range shares {
		if n > len(versions) {
			return errNotFound("prompt %q has no version %d", name, n)
		}
	}
	ctx := context.WithoutCancel(q.Context())
	if err := a.Splits.SetSplit(ctx, name, shares); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.answer(http.StatusOK, shares)
}

// splitOut is how a split goes. The ledger has more: usage?group_by=prompt,version.
type splitOut struct {
	Shares  map[int]int `json:"shares"`
	Stopped string      `json:"stopped"` // why it was stopped; empty: it goes on
	By      string      `json:"by"`      // what stopped it: errors, cost or judge; empty: nothing
	Arms    []armOut    `json:"arms"`
}

// armOut is what a version did since the split began.
type armOut struct {
	prompts.ArmFigures
	USD billing.Nano `json:"usd"`
}

// showSplit tells how a prompt's split goes, or why the one was stopped that
// was the last.
func (a *api) showSplit(q *request) error {
	var r *prompts.SplitReport
	if a.SplitReport != nil {
		r = a.SplitReport(q.PathValue("name"))
	}
	if r == nil {
		return errNotFound("prompt %q is not split", q.PathValue("name"))
	}
	out := splitOut{Shares: r.Shares, Stopped: r.Stopped, By: r.By, Arms: []armOut{}}
	for _, f := range r.Arms {
		out.Arms = append(out.Arms, armOut{f, billing.Nano(f.Nanos)})
	}
	return q.answer(http.StatusOK, out)
}
