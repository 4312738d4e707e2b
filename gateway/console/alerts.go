package console

import (
	"net/http"
	"net/url"
	"strings"

	"sluice/gateway/admin"
	"sluice/gateway/alert"
)

// alerts shows every rule, what fires and whom it was told.
func (v *visit) alerts() error { return v.showAlerts(http.StatusOK, form{}, "") }

func (v *visit) showAlerts(status int, f form, done string) error {
	rules, err := all[alert.RuleStatus](v, "alerts", nil)
	if err != nil {
		return err
	}
	return v.show(status, "alerts.html", page{Title: "Alerts", Form: f, Done: done, Data: rules})
}

// muteAlert mutes a rule for a time, or ends that.
func (v *visit) muteAlert() error {
	path := "alerts/" + url.PathEscape(v.PathValue("name")) + "/mute"
	length := strings.TrimSpace(v.PostForm.Get("for"))
	method, in, done := http.MethodPost, any(map[string]string{"for": length}), "The rule is muted."
	if length == "" {
		method, in, done = http.MethodDelete, nil, "The rule is not muted any more."
	}
	var rule alert.RuleStatus
	if err := v.do(method, path, nil, in, &rule); err != nil {
		f, err := refused("mute", v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showAlerts(f.Status, f, "")
	}
	if method == http.MethodDelete && rule.MutedUntil != nil {
		done = "The configuration mutes the rule: mute_until."
	}
	return v.showAlerts(http.StatusOK, form{}, done)
}

// firing adds the alerts that fire.
func (g *glance) firing(v *visit) error {
	if !admin.May(v.who.Role, "GET /admin/v1/alerts") {
		return nil
	}
	rules, err := all[alert.RuleStatus](v, "alerts", nil)
	if err != nil {
		return err
	}
	for i := range rules {
		for j := range rules[i].Alerts {
			if a := &rules[i].Alerts[j]; a.State == alert.Firing {
				g.Trouble = append(g.Trouble, trouble{"Alert " + a.Title() + ": " + a.Text, "/alerts", a.Severity == "critical"})
			}
		}
	}
	return nil
}
