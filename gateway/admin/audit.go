package admin

import (
	"net/http"
	"strconv"

	"sluice/billing"
	"sluice/gateway/audit"
	"sluice/providers/schema"
)

// listAudit lists the records of changes, newest first. The cursor is the seq of
// the last one.
func (a *api) listAudit(q *request) error {
	values, err := q.query("from", "to", "actor", "action", "resource", "limit", "after")
	if err != nil {
		return err
	}
	query := audit.Query{Actor: values.Get("actor"), Action: values.Get("action"), Resource: values.Get("resource")}
	span, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return err
	}
	if values.Get("from") != "" || values.Get("to") != "" { // else it is of all times
		query.From, query.To = span.From, span.To
	}
	if query.Limit, err = limit(values); err != nil {
		return err
	}
	if after := values.Get("after"); after != "" {
		if query.Before, err = strconv.ParseInt(after, 10, 64); err != nil || query.Before < 1 {
			return schema.Invalid("after", "after is not a cursor of this list")
		}
	}
	page := query.Limit
	query.Limit++ // one more tells whether there is a next page
	records, err := a.Trail.Records(q.Context(), query)
	if err != nil {
		return err
	}
	l := list[audit.Record]{Data: records}
	if l.Data == nil {
		l.Data = []audit.Record{}
	}
	if len(records) > page {
		l.Data = records[:page]
		next := strconv.FormatInt(records[page-1].Seq, 10)
		l.Next = &next
	}
	return q.answer(http.StatusOK, l)
}

// verifyAudit looks at the whole chain.
func (a *api) verifyAudit(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	v, err := a.Trail.Verify(q.Context())
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, v)
}
