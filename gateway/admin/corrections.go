package admin

import (
	"net/http"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// correctionOut is a correction of a call's cost.
type correctionOut struct {
	ID     string        `json:"id"`
	Call   string        `json:"call"`
	Time   time.Time     `json:"time"`
	Team   string        `json:"team"`
	Key    string        `json:"key"`
	USD    billing.Nano  `json:"usd"` // below 0: given back
	Reason string        `json:"reason"`
	Net    *billing.Nano `json:"net_usd,omitempty"` // what the call has cost, with all corrections
}

func showCorrection(e *billing.Entry) correctionOut {
	return correctionOut{ID: e.Call, Call: e.Corrects, Time: e.Time.UTC(), Team: e.Team, Key: e.Key, USD: e.Cost, Reason: e.Reason}
}

// correctionIn asks for a correction: of so many dollars, or a refund of all
// that is left.
type correctionIn struct {
	Call   string        `json:"call"`
	ID     string        `json:"id"` // the same
	USD    *billing.Nano `json:"usd"`
	Refund bool          `json:"refund"`
	Reason string        `json:"reason"`
	Key    string        `json:"idempotency_key"`
}

// correct adds a correction to the ledger: 201, or 200 if it is there already.
func (a *api) correct(q *request) error {
	var in correctionIn
	if err := q.read(&in); err != nil {
		return err
	}
	header := q.Header.Get("Idempotency-Key")
	switch {
	case in.Call != "" && in.ID != "":
		return schema.Invalid("id", "give either call or id, not both")
	case header != "" && in.Key != "" && header != in.Key:
		return schema.Invalid("idempotency_key", "idempotency_key is not what the header Idempotency-Key says")
	case in.USD != nil && in.Refund:
		return schema.Invalid("usd", "give either usd or refund, not both")
	}
	r := billing.CorrectionRequest{Call: in.Call + in.ID, Refund: in.Refund, Reason: in.Reason, Key: in.Key}
	if r.Key == "" {
		r.Key = header
	}
	if in.USD != nil {
		r.USD = *in.USD
	}
	if err := r.Check(); err != nil {
		return err
	}
	e, account, made, err := a.Correct(q.Context(), r)
	if err != nil {
		return err
	}
	out := showCorrection(&e)
	net := account.Net()
	out.Net = &net
	if !made {
		return q.answer(http.StatusOK, out)
	}
	return q.answer(http.StatusCreated, out)
}

// span is the time, and the team, of which entries are asked for: of this month
// if no time is given.
func (a *api) span(q *request) (billing.Query, error) {
	values, err := q.query("from", "to", "team")
	if err != nil {
		return billing.Query{}, err
	}
	query, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return query, err
	}
	query.Team, err = q.teamFilter(values.Get("team"))
	return query, err
}

// listCorrections lists those of a time, oldest first: of this month if none is
// given.
func (a *api) listCorrections(q *request) error {
	query, err := a.span(q)
	if err != nil {
		return err
	}
	a.flush(q.Context())
	l := list[correctionOut]{Data: []correctionOut{}}
	entries, err := a.Ledger.CorrectionsIn(q.Context(), query)
	if err != nil {
		return err
	}
	for i := range entries {
		l.Data = append(l.Data, showCorrection(&entries[i]))
	}
	return q.answer(http.StatusOK, l)
}
