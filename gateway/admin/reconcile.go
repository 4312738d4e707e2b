package admin

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"sluice/billing"
	"sluice/billing/reconcile"
	"sluice/providers/schema"
)

// longestExport bounds the export of a provider that is sent.
const longestExport = 64 << 20

// reconcileUsage compares the ledger with a provider's own export, which is the
// body. It changes nothing.
func (a *api) reconcileUsage(q *request) error {
	values, err := q.query("provider", "from", "to", "tolerance", "format")
	if err != nil {
		return err
	}
	provider, format := values.Get("provider"), values.Get("format")
	if provider == "" {
		return schema.Invalid("provider", "provider is required: the name that the export's provider has in the configuration")
	}
	if format == "" {
		format = "json"
	}
	types := map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
	if types[format] == "" {
		return schema.Invalid("format", "format %.20q is none of json, csv, jsonl", format)
	}
	text := values.Get("tolerance")
	if text == "" {
		text = "0"
	}
	tolerance, err := reconcile.Percent(text)
	if err != nil {
		return schema.Invalid("tolerance", "tolerance: %v", err)
	}
	export, err := q.export()
	if err != nil {
		return err
	}
	from, to, err := reconcile.Days([]*reconcile.Export{export}, values.Get("from"), values.Get("to"))
	if err != nil {
		return schema.Invalid("", "%v", err)
	}
	a.flush(q.Context())
	report, err := a.Ledger.Usage(q.Context(), billing.Query{From: from, To: to, GroupBy: []string{"target", "day"}, Location: time.UTC,
		Only: billing.Filter{Provider: provider}})
	if err != nil {
		return err
	}
	here, err := reconcile.Here(report)
	if err != nil {
		return err
	}
	result, err := reconcile.Compare(here, []*reconcile.Export{export}, from, to, tolerance)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := result.Render(&body, format); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", types[format])
	_, _ = q.w.Write(body.Bytes()) // the client may have left
	return nil
}

// export reads the body.
func (q *request) export() (*reconcile.Export, error) {
	body, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, longestExport))
	if err != nil {
		return nil, err // too large a body has an answer of its own
	}
	e, err := reconcile.Parse(body)
	if err != nil {
		return nil, schema.Invalid("", "the export cannot be read: %v", err)
	}
	return e, nil
}
