package admin

import (
	"net/http"

	"sluice/billing"
	"sluice/providers/schema"
)

// repriceIn is a time, and other prices by provider and model, or pattern.
type repriceIn struct {
	From   string                                  `json:"from"`
	To     string                                  `json:"to"`
	Prices map[string]map[string]billing.PriceSpec `json:"prices"`
}

// repriceUsage tells what a time would have cost; it changes nothing.
func (a *api) repriceUsage(q *request) error {
	var in repriceIn
	if err := q.read(&in); err != nil {
		return err
	}
	span, err := billing.ParseQuery(in.From, in.To, "model", a.Now(), a.Location())
	if err != nil {
		return err
	}
	if len(in.Prices) == 0 {
		return schema.Invalid("prices", "prices are required: by provider, and in that by model or pattern")
	}
	price, err := billing.PricesOf(in.Prices)
	if err != nil {
		return schema.Invalid("prices", "%v", err)
	}
	a.flush(q.Context())
	out, err := billing.Reprice(q.Context(), a.Ledger, span.From, span.To, price)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, out)
}
