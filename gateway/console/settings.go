package console

import (
	"net/http"

	"sluice/gateway/admin"
)

// settings shows the replicas and what is wrong with them.
func (v *visit) settings() error { return v.showSettings(http.StatusOK, form{}) }

func (v *visit) showSettings(status int, f form) error {
	var h admin.Health
	if err := v.get("health", nil, &h); err != nil {
		return err
	}
	return v.show(status, "settings.html", page{Title: "Settings", Form: f, Data: &h})
}

// reload has the configuration read again; its faults are on the page that
// answers.
func (v *visit) reload() error {
	if err := v.do(http.MethodPost, "reload", nil, nil, nil); err != nil {
		f, err := refused("reload", v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showSettings(f.Status, f)
	}
	return v.goTo("/settings", "reloaded")
}
