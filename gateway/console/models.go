package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/router"
)

// modelsPage is the page of models and providers.
type modelsPage struct {
	Models    []admin.Model
	Providers []providerUse
	Set       []setPrice
	Explained string // the model whose candidates are shown
	Weighed   []router.Weighed
	Tried     *trial
}

// providerUse is a provider, and how its targets did in the last 24 hours.
type providerUse struct {
	admin.Provider
	Targets []targetUse
}

type targetUse struct {
	router.TargetStatus
	Use *billing.Sums // nil: it was not called
}

// Breaker is the state as people say it.
func (t targetUse) Breaker() string {
	if t.State == "half_open" {
		return "half open"
	}
	return t.State
}

// setPrice is a price that was set through the API.
type setPrice struct {
	Provider string             `json:"provider"`
	Model    string             `json:"model"`
	Prices   *billing.PriceSpec `json:"prices"`
	From     time.Time          `json:"from"`
	Source   string             `json:"source"`
	State    string             `json:"state"`
}

func (v *visit) models() error { return v.showModels(http.StatusOK, form{}, nil) }

func (v *visit) showModels(status int, f form, tried *trial) error {
	m := modelsPage{Tried: tried}
	var err error
	if m.Models, err = all[admin.Model](v, "models", nil); err != nil {
		return err
	}
	if err := m.providers(v); err != nil {
		return err
	}
	var prices list[setPrice]
	if err := v.get("prices", nil, &prices); err != nil {
		return err
	}
	m.Set = prices.Data
	if m.Explained = v.URL.Query().Get("explain"); m.Explained != "" {
		var e router.Explanation
		if err := v.explain(url.Values{"model": {m.Explained}}, &e); err != nil {
			var p *problem
			if !errors.As(err, &p) {
				return err
			}
			f = form{Error: p.Error()}
		}
		m.Weighed = e.Candidates
	}
	return v.show(status, "models.html", page{Title: "Models", Form: f, Data: m})
}

// providers fills in the providers with what their targets did.
func (m *modelsPage) providers(v *visit) error {
	list, err := all[admin.Provider](v, "providers", nil)
	if err != nil {
		return err
	}
	r, err := v.usage(v.c.Now().Add(-24*time.Hour), time.Time{}, "target")
	if err != nil {
		return err
	}
	used := map[string]*billing.Sums{}
	for i := range r.Rows {
		used[r.Rows[i].Values[0]] = &r.Rows[i].Sums
	}
	for _, p := range list {
		one := providerUse{Provider: p}
		for _, t := range p.Targets {
			one.Targets = append(one.Targets, targetUse{t, used[t.ID]})
		}
		m.Providers = append(m.Providers, one)
	}
	return nil
}

// setBreaker opens or closes the breaker of a target, or leaves it to itself.
func (v *visit) setBreaker() error {
	path := "providers/" + url.PathEscape(v.PathValue("name")) + "/breakers/" + (&url.URL{Path: v.PathValue("target")}).EscapedPath()
	if err := v.do(http.MethodPost, path, nil, map[string]string{"state": v.PostForm.Get("state")}, nil); err != nil {
		f, err := refused("breaker", v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showModels(f.Status, f, nil)
	}
	return v.goTo("/models", "breaker")
}
