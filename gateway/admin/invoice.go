package admin

import (
	"bytes"
	"net/http"

	"sluice/billing"
	"sluice/providers/schema"
)

// invoice is a team's, of a month.
func (a *api) invoice(q *request) error {
	values, err := q.query("month", "by", "format")
	if err != nil {
		return err
	}
	team, format := q.PathValue("name"), values.Get("format")
	if format == "" {
		format = "json"
	}
	types := map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8"}
	if types[format] == "" {
		return schema.Invalid("format", "format %.20q is none of json, csv, html", format)
	}
	if !q.id.Owns(team) {
		return errNotFound("there is no team %q", team)
	}
	view := a.View()
	a.flush(q.Context())
	ask := billing.InvoiceQuery{Team: team, Month: values.Get("month"), By: values.Get("by"), Teams: view.Teams, Now: a.Now(), Location: a.Location()}
	if format == "html" { // which has but the dearest of them
		ask.MostLines = billing.LongestReport
	}
	v, err := billing.NewInvoice(a.behalf(q, view.below(team)...), a.Ledger, ask)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := v.Render(&body, format); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", types[format])
	// The page is styled, and nothing else: names in it come from callers.
	q.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(body.Bytes()) // the client may have left
	return nil
}
