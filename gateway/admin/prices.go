package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// priceIn is a price to set.
type priceIn struct {
	Provider string             `json:"provider"`
	Model    string             `json:"model"`  // or a pattern with *
	Prices   *billing.PriceSpec `json:"prices"` // null: what was set ends
	From     string             `json:"from"`   // a date or an RFC 3339 time; empty: now
	Source   string             `json:"source"`
}

// priceOut is a price that was set.
type priceOut struct {
	ID       int64              `json:"id"`
	Provider string             `json:"provider"`
	Model    string             `json:"model"`
	Prices   *billing.PriceSpec `json:"prices"` // null: from then on the file's or the catalogue's count again
	From     time.Time          `json:"from"`
	Source   string             `json:"source,omitempty"`
	Set      time.Time          `json:"set"`
	Version  string             `json:"version,omitempty"` // as calls at this price record it
	State    string             `json:"state"`             // in force, coming, or past
}

func showPriceOf(p *billing.SetPrice, state string) priceOut {
	out := priceOut{ID: p.ID, Provider: p.Provider, Model: p.Model, Prices: p.Prices, From: p.From.UTC(), Source: p.Source,
		Set: p.Set.UTC(), State: state}
	if p.Prices != nil {
		if ready, err := billing.ParsePrices(*p.Prices); err == nil && ready != nil {
			out.Version = ready.Version
		}
	}
	return out
}

// longestSource bounds what is kept of a price's origin.
const longestSource = 500

func (a *api) setPrice(q *request) error {
	var in priceIn
	if err := q.read(&in); err != nil {
		return err
	}
	p, err := in.price(a.Now())
	if err != nil {
		return err
	}
	view := a.View()
	if !slices.ContainsFunc(view.Providers, func(known Provider) bool { return known.Name == p.Provider }) {
		return schema.Invalid("provider", "there is no provider %.80q", p.Provider)
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	if p.ID, err = a.Prices.SetPrice(q.Context(), p); err != nil {
		return err
	}
	if err := a.Changed(q.Context()); err != nil {
		return err
	}
	state := "in force"
	if p.From.After(a.Now()) {
		state = "coming"
	}
	return q.answer(http.StatusCreated, showPriceOf(&p, state))
}

// lastYear is the last that times in nanoseconds reach.
const lastYear = 2261

// price checks what is to be set.
func (in *priceIn) price(now time.Time) (billing.SetPrice, error) {
	p := billing.SetPrice{Provider: in.Provider, Model: in.Model, Prices: in.Prices, Source: in.Source, From: now.UTC(), Set: now.UTC()}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case in.Provider == "":
		return p, schema.Invalid("provider", "provider is required")
	case in.Model == "" || len(in.Model) > 200 || strings.ContainsFunc(in.Model, control):
		return p, schema.Invalid("model", "model must be the name of a model, or a pattern such as *, of 1 to 200 characters")
	case len(in.Source) > longestSource || strings.ContainsFunc(in.Source, control):
		return p, schema.Invalid("source", "source must be one line of at most %d characters", longestSource)
	}
	if in.Prices != nil {
		ready, err := billing.ParsePrices(*in.Prices)
		if err != nil {
			return p, schema.Invalid("prices", "%v", err)
		}
		if ready == nil {
			return p, schema.Invalid("prices", "prices state none: null ends what was set")
		}
	}
	if in.From == "" {
		return p, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, in.From); err == nil {
			if t.Year() < 1970 || t.Year() > lastYear {
				return p, schema.Invalid("from", "from %.40q is not between the years 1970 and %d", in.From, lastYear)
			}
			p.From = t.UTC()
			return p, nil
		}
	}
	return p, schema.Invalid("from", "from %.40q is neither a date such as 2027-01-01 (UTC) nor an RFC 3339 time", in.From)
}

// listPrices lists what was set for each name, the newest first.
func (a *api) listPrices(q *request) error {
	values, err := q.query("provider", "model")
	if err != nil {
		return err
	}
	all, err := a.Prices.SetPrices(q.Context())
	if err != nil {
		return err
	}
	now := a.Now()
	inForce := map[[2]string]*billing.SetPrice{}
	for i := range all {
		p := &all[i]
		name := [2]string{p.Provider, p.Model}
		if was := inForce[name]; !p.From.After(now) && (was == nil || !p.From.Before(was.From)) {
			inForce[name] = p
		}
	}
	out := list[priceOut]{Data: []priceOut{}}
	for i := range all {
		p := &all[i]
		if provider := values.Get("provider"); provider != "" && provider != p.Provider {
			continue
		}
		if model := values.Get("model"); model != "" && model != p.Model {
			continue
		}
		state := "past"
		if p.From.After(now) {
			state = "coming"
		} else if inForce[[2]string{p.Provider, p.Model}] == p {
			state = "in force"
		}
		out.Data = append(out.Data, showPriceOf(p, state))
	}
	slices.SortStableFunc(out.Data, func(x, y priceOut) int {
		for _, c := range []int{strings.Compare(x.Provider, y.Provider), strings.Compare(x.Model, y.Model), y.From.Compare(x.From), int(y.ID - x.ID)} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return q.answer(http.StatusOK, out)
}
