package admin

import (
	"net/http"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// erasureIn asks for what is to be erased.
type erasureIn struct {
	Team   string `json:"team"`
	User   string `json:"user"`
	Before string `json:"before"` // a date of the calendar in force, or RFC 3339
}

// erasureOut is what was erased.
type erasureOut struct {
	Team   string     `json:"team"`
	User   string     `json:"user,omitempty"`
	Before *time.Time `json:"before,omitempty"`
	billing.Erased
}

// erase erases entries of a team, or a user's name in them. The sums stay.
func (a *api) erase(q *request) error {
	var in erasureIn
	if err := q.read(&in); err != nil {
		return err
	}
	e := billing.Erasure{Team: in.Team, User: in.User}
	if in.Before != "" {
		span, err := billing.ParseQuery("", in.Before, "", a.Now(), a.Location())
		if err != nil {
			return schema.Invalid("before", "before %.40q is neither a date such as 2026-11-01 nor a time such as 2026-11-01T08:00:00Z", in.Before)
		}
		e.Before = span.To
	}
	if err := e.Check(a.Now()); err != nil {
		return err
	}
	erased, err := a.Erase(q.Context(), e)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, erasureOut{e.Team, e.User, timeOf(e.Before), erased})
}

// timeOf is a time for JSON; nil: it is zero.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
