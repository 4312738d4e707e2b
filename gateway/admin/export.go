package admin

import (
	"bufio"
	"encoding/json"
	"net/http"

	"sluice/billing"
	"sluice/billing/export"
)

// listEntries streams whole entries of the ledger, a line of JSON each, oldest
// first. An answer that cannot be finished ends without its last chunk, so that
// no client takes it for whole.
func (a *api) listEntries(q *request) error {
	query, err := a.span(q)
	if err != nil {
		return err
	}
	if err := a.Flush(q.Context()); err != nil {
		return err // an export is kept: it must not miss entries
	}
	out := bufio.NewWriterSize(q.w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	q.w.Header().Set("Content-Type", "application/x-ndjson")
	err = a.Ledger.Each(q.Context(), query, func(e *billing.Entry) error {
		row := export.Of(e)
		return enc.Encode(&row)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.Log.Error("an export was broken off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
