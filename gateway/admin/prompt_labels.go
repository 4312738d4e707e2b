package admin

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"sluice/prompts"
	"sluice/providers/schema"
)

// publishesPrompt tells whether a prompt is the identity's own: everything is an
// admin's, what sluice.team gives its team a team-owner's.
func (a *api) publishesPrompt(id Identity, name string) bool {
	if id.Role == RoleAdmin {
		return true
	}
	for _, p := range a.View().Prompts {
		if p.Name == name {
			return p.Team != "" && p.Team == id.Team
		}
	}
	return false
}

// mayMove refuses a team-owner the labels that are protected, and prompts that
// its team does not publish.
func (a *api) mayMove(id Identity, name, label string) error {
	switch {
	case id.Role == RoleAdmin:
		return nil
	case !a.publishesPrompt(id, name):
		return forbidden("a team-owner may move labels of what its own team publishes (sluice.team) only")
	case label == prompts.LabelProduction || slices.Contains(a.View().ProtectedLabels, label):
		return forbidden("the label " + label + " is protected: only an admin may move it")
	}
	return nil
}

// putLabels points labels of a prompt to versions, or takes them away:
// {"production": 3, "beta": null}. Labels that are not named stay as they are.
func (a *api) putLabels(q *request) error {
	in, err := q.readLabels()
	if err != nil {
		return err
	}
	name := q.PathValue("name")
	a.changes.Lock()
	defer a.changes.Unlock()
	_, has, err := a.versions(q.Context(), name)
	if err != nil {
		return err
	}
	for _, label := range slices.Sorted(maps.Keys(in)) { // all may move, or none does
		if err := a.mayMove(q.id, name, label); err != nil {
			return err
		}
		if in[label] != nil {
			_, _, err = a.version(q.Context(), name, *in[label])
		} else if _, there := has[label]; !there {
			err = errNotFound("prompt %q has no label %q", name, label)
		}
		if err != nil {
			return err
		}
	}
	ctx := context.WithoutCancel(q.Context())
	for _, label := range slices.Sorted(maps.Keys(in)) {
		m := prompts.LabelMove{Label: label, By: q.id.by()}
		if in[label] != nil {
			m.To = *in[label]
		}
		if err := a.Prompts.MoveLabel(ctx, name, m); err != nil {
			return err
		}
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	labels, err := a.Prompts.Labels(ctx, name)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, labels)
}

// withdrawPrompt takes production away, so that the prompt is not served any
// more. Versions and other labels stay, for calls in the ledger name them.
func (a *api) withdrawPrompt(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	name := q.PathValue("name")
	a.changes.Lock()
	defer a.changes.Unlock()
	served := a.View().Prompts
	i := slices.IndexFunc(served, func(p Prompt) bool { return p.Name == name })
	switch {
	case i < 0:
		return errNotFound("no prompt %q is served", name)
	case served[i].Source == "file":
		return errConflict("prompt %q is its file's: delete that", name)
	}
	ctx := context.WithoutCancel(q.Context())
	if err := a.Prompts.MoveLabel(ctx, name, prompts.LabelMove{Label: prompts.LabelProduction, By: q.id.by()}); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.done()
}

func (q *request) readLabels() (map[string]*int, error) {
	var in map[string]*int
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, schema.Invalid("", `send the labels to set, such as {"production": 3}`)
	}
	for _, label := range slices.Sorted(maps.Keys(in)) {
		if err := checkName("label", label); err != nil {
			return nil, err
		}
		switch n := in[label]; {
		case label == prompts.LabelLatest:
			return nil, schema.Invalid(label, "label %q is reserved: it is always the newest version", label)
		case n == nil && label == prompts.LabelProduction:
			return nil, errConflict("label %q cannot be taken away: it is what callers get", label)
		case n != nil && *n < 1:
			return nil, schema.Invalid(label, "label %q must point to a version, from 1 on", label)
		}
	}
	return in, nil
}

// labelOut is a label of a prompt and how it came there.
type labelOut struct {
	Label   string              `json:"label"`
	Version int                 `json:"version"` // 0: it was taken away
	History []prompts.LabelMove `json:"history"` // newest first: what it can be rolled back to
}

// listLabels lists the labels of a prompt, those that were taken away too.
func (a *api) listLabels(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	name := q.PathValue("name")
	_, labels, err := a.versions(q.Context(), name)
	if err != nil {
		return err
	}
	moves, err := a.LabelMoves(q.Context(), name)
	if err != nil {
		return err
	}
	byLabel := map[string]*labelOut{}
	for label, n := range labels {
		byLabel[label] = &labelOut{Label: label, Version: n, History: []prompts.LabelMove{}}
	}
	for _, m := range slices.Backward(moves) {
		if byLabel[m.Label] == nil {
			byLabel[m.Label] = &labelOut{Label: m.Label}
		}
		byLabel[m.Label].History = append(byLabel[m.Label].History, m)
	}
	out := make([]labelOut, 0, len(byLabel))
	for _, l := range byLabel {
		out = append(out, *l)
	}
	l, err := page(values, out, func(l *labelOut) string { return l.Label })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}
