package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/gateway/audit"
)

// auditPage is a page of the audit trail.
type auditPage struct {
	Records []auditRecord
	Verdict *audit.Verdict // nil: the chain was not looked at
	Newest  int64          // number of the newest record
	Older   string         // where the next page is; empty: there is none
	First   bool           // the newest are shown
	Asked   bool           // the list is narrowed
}

// auditRecord is a record for people.
type auditRecord struct{ audit.Record }

// Was and Is are the states before and after, over several lines.
func (r auditRecord) Was() string { return pretty(r.Before) }

func (r auditRecord) Is() string { return pretty(r.After) }

func pretty(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// auditFilters are the fields of the search, as the API calls them.
var auditFilters = []string{"from", "to", "actor", "action", "resource"}

// verifiedAtOnce is how many records are verified whenever the page is looked
// at: more take longer than people wait for a page.
const verifiedAtOnce = 5_000

// audit lists what was changed by whom, newest first, and whether the chain is
// whole.
func (v *visit) audit() error {
	asked := v.URL.Query()
	query, a := url.Values{"limit": {"50"}}, auditPage{First: !asked.Has("after")}
	for _, name := range auditFilters {
		if text := strings.TrimSpace(asked.Get(name)); text != "" {
			query.Set(name, text)
			a.Asked = true
		}
	}
	for _, name := range []string{"from", "to"} {
		if query.Has(name) {
			query.Set(name, v.c.moment(query.Get(name)))
		}
	}
	if after := asked.Get("after"); after != "" {
		query.Set("after", after)
	}
	p, status := page{Title: "Audit", Form: form{Values: asked, Which: "search"}}, http.StatusOK
	var l list[auditRecord]
	if err := v.get("audit", query, &l); err != nil {
		if p.Form, err = refused("search", asked, err, auditFilters...); err != nil {
			return err
		}
		status = p.Form.Status
	}
	a.Records = l.Data
	if l.Next != nil {
		next := clone(asked)
		next.Set("after", *l.Next)
		next.Del("verify")
		a.Older = "/audit?" + next.Encode()
	}
	if err := a.verify(v, asked.Has("verify")); err != nil {
		return err
	}
	p.Data = a
	return v.show(status, "audit.html", p)
}

// verify looks at the whole chain, if that is asked for or takes no time.
func (a *auditPage) verify(v *visit, asked bool) error {
	var newest list[auditRecord]
	if err := v.get("audit", url.Values{"limit": {"1"}}, &newest); err != nil {
		return err
	}
	if len(newest.Data) > 0 {
		a.Newest = newest.Data[0].Seq
	}
	if !asked && a.Newest > verifiedAtOnce { // unless most of them were removed
		var older list[auditRecord]
		if err := v.get("audit", url.Values{"limit": {"1"}, "after": {strconv.FormatInt(a.Newest-verifiedAtOnce+1, 10)}}, &older); err != nil || len(older.Data) > 0 {
			return err
		}
	}
	a.Verdict = &audit.Verdict{}
	return v.get("audit/verify", nil, a.Verdict)
}
