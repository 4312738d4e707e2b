package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// armsOut compares the targets of a model, and its shadow.
type armsOut struct {
	Model string        `json:"model"`
	From  time.Time     `json:"from,omitzero"`
	To    time.Time     `json:"to,omitzero"`
	Arms  []billing.Arm `json:"arms"`
}

// arms compares how the targets of a model did, and its shadow. Those that the
// model has now are there without calls, too.
func (a *api) arms(q *request) error {
	values, err := q.query("model", "from", "to")
	if err != nil {
		return err
	}
	out := armsOut{Model: strings.TrimSpace(values.Get("model"))}
	if out.Model == "" {
		return schema.Invalid("model", "model is required: the name that calls ask for")
	}
	span, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return err
	}
	a.flush(q.Context())
	out.From, out.To = span.From, span.To
	if out.Arms, err = billing.Arms(q.Context(), a.Ledger, span, out.Model); err != nil {
		return err
	}
	models := a.View().Models
	i := slices.IndexFunc(models, func(m Model) bool { return m.ID == out.Model })
	if i < 0 && len(out.Arms) == 0 {
		return errNotFound("there is no model %q, and no call of one", out.Model)
	}
	if out.Arms == nil {
		out.Arms = []billing.Arm{}
	}
	if i >= 0 {
		out.idle(models[i].Targets)
	}
	return q.answer(http.StatusOK, out)
}

// idle adds the targets that have had no call.
func (out *armsOut) idle(targets []string) {
	for _, t := range targets {
		if !slices.ContainsFunc(out.Arms, func(a billing.Arm) bool { return a.Target == t && !a.Shadow }) {
			at := slices.IndexFunc(out.Arms, func(a billing.Arm) bool { return a.Target > t || a.Shadow })
			if at < 0 {
				at = len(out.Arms)
			}
			out.Arms = slices.Insert(out.Arms, at, billing.Arm{Target: t})
		}
	}
}
