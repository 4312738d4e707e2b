package admin

import (
	"bufio"
	"encoding/json"
	"net/http"

	"sluice/billing"
	"sluice/billing/export"
	"sluice/providers/schema"
)

// listEntries streams whole entries of the ledger, a line of JSON each, oldest
// first. An answer that cannot be finished ends without its last chunk, so that
// no client takes it for whole.
func (a *api) listEntries(q *request) error {
	values, err := q.query("from", "to", "team")
	if err != nil {
		return err
	}
	query, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return schema.Invalid("", "%v", err)
	}
	if query.Team, err = q.teamFilter(values.Get("team")); err != nil {
		return err
	}
	walker, ok := a.Ledger.(billing.Walker)
	if !ok {
		return errNotFound("this ledger cannot be exported")
	}
	if err := a.Flush(q.Context()); err != nil {
		return err // an export is kept: it must not miss entries
	}
	out := bufio.NewWriterSize(q.w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	q.w.Header().Set("Content-Type", "application/x-ndjson")
	err = walker.Each(q.Context(), query, func(e *billing.Entry) error {
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
