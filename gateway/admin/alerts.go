package admin

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"sluice/gateway/alert"
	"sluice/providers/schema"
)

// muteIn is how long a rule is muted: until a time, or for a duration.
type muteIn struct {
	Until time.Time `json:"until,omitzero"`
	For   string    `json:"for,omitempty"` // such as 2h
}

func (a *api) alerts() []alert.RuleStatus {
	if a.Alerts == nil {
		return nil
	}
	return a.Alerts.Status(a.Now())
}

func (a *api) listAlerts(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, a.alerts(), func(s *alert.RuleStatus) string { return s.Rule })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

func (a *api) muteAlert(q *request) error {
	var in muteIn
	if err := q.read(&in); err != nil {
		return err
	}
	until := in.Until
	if in.For != "" {
		d, err := time.ParseDuration(in.For)
		if err != nil || d <= 0 {
			return schema.Invalid("for", "for wants a duration such as 2h")
		}
		if !until.IsZero() {
			return schema.Invalid("for", "say until or for, not both")
		}
		until = a.Now().Add(d)
	}
	if !until.After(a.Now()) {
		return schema.Invalid("until", "say until when: until, a time to come, or for, a duration such as 2h")
	}
	return a.setMute(q, until)
}

func (a *api) unmuteAlert(q *request) error { return a.setMute(q, time.Time{}) }

func (a *api) setMute(q *request, until time.Time) error {
	name := q.PathValue("name")
	if a.Alerts == nil {
		return errNotFound("there is no alert rule %q", name)
	}
	if err := a.Alerts.Mute(q.Context(), name, until); errors.Is(err, alert.ErrUnknown) {
		return errNotFound("there is no alert rule %q", name)
	} else if err != nil {
		return err
	}
	a.Log.Info("an alert rule is muted, or not any more", "rule", name, "until", until)
	all := a.alerts()
	i := slices.IndexFunc(all, func(s alert.RuleStatus) bool { return s.Rule == name })
	if i < 0 { // the configuration has just changed
		return errNotFound("there is no alert rule %q", name)
	}
	return q.answer(http.StatusOK, all[i])
}
