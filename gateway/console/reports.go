package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// reportPage is the page of reports: sums by one or two dimensions, and across
// a third.
type reportPage struct {
	Asked      string // the question, as the export takes it
	Report     *billing.Report
	Shares     []int64 // of the rows, by cost, in thousandths of the dearest
	Pivot      *pivot  // nil: nothing is asked across
	Cut        int     // rows that are not shown
	Dimensions []string
	Figures    []string
	Verified   *verified
	Month      string // the last that is over
}

// verified is the proof of every sum of the ledger.
type verified struct {
	OK          bool     `json:"ok"`
	Entries     int64    `json:"entries"`
	Differences []string `json:"differences"`
}

// pivot is one figure by the rows' dimensions and across another.
type pivot struct {
	By      []string
	Columns []string
	Rows    []pivotRow
	Totals  []string
	Total   string
}

type pivotRow struct {
	Values []string
	Cells  []string
	Total  string
	sum    int64
}

// Bounds of what a page shows; exports have everything.
const (
	mostRows    = 250
	mostColumns = 40
)

// narrowed are the fields of the report's form that the API takes as they are.
var narrowed = []string{"team", "key", "model", "provider", "prompt", "user", "tag"}

// pivoted are the figures that can be asked across a dimension.
var pivoted = []struct {
	name string
	of   func(*billing.Sums) int64
	text func(int64) string
}{
	{"cost", func(s *billing.Sums) int64 { return int64(s.USD) }, func(n int64) string { return usd(billing.Nano(n)) }},
	{"calls", func(s *billing.Sums) int64 { return s.Calls }, count},
	{"errors", func(s *billing.Sums) int64 { return s.Errors }, count},
	{"refused", func(s *billing.Sums) int64 { return s.Refused }, count},
	{"tokens", func(s *billing.Sums) int64 { return s.InputTokens + s.OutputTokens }, count},
	{"saved", func(s *billing.Sums) int64 { return int64(s.SavedUSD) }, func(n int64) string { return usd(billing.Nano(n)) }},
}

// question is what a report's form asks the API.
func (v *visit) question() url.Values {
	asked, q := v.URL.Query(), url.Values{}
	for _, name := range narrowed {
		if text := asked.Get(name); text != "" {
			q.Set(name, text)
		}
	}
	from, to := v.period(asked.Get("period"))
	for name, text := range map[string]string{"from": asked.Get("from"), "to": asked.Get("to")} {
		if text != "" {
			q.Set(name, v.c.moment(text))
		}
	}
	if !q.Has("from") && !q.Has("to") {
		setTime(q, "from", from)
		setTime(q, "to", to)
	}
	var by []string
	for _, name := range []string{"by", "and", "across"} {
		if d := asked.Get(name); d != "" && !slices.Contains(by, d) {
			by = append(by, d)
		}
	}
	if !asked.Has("by") {
		by = append(by, "team")
	}
	if len(by) > 0 {
		q.Set("group_by", strings.Join(by, ","))
	}
	return q
}

func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.Format(time.DateOnly))
	}
}

// period is when a named stretch of time begins and ends; zero: it does not.
func (v *visit) period(name string) (from, to time.Time) {
	now := v.c.Now().In(v.c.Location())
	day := func(back int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()-back, 0, 0, 0, 0, now.Location())
	}
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	switch name {
	case "last month":
		return month.AddDate(0, -1, 0), month
	case "today":
		return day(0), time.Time{}
	case "yesterday":
		return day(1), day(0)
	case "last 7 days":
		return day(6), time.Time{}
	case "last 30 days":
		return day(29), time.Time{}
	case "all":
		return time.Unix(0, 0), time.Time{}
	}
	return month, time.Time{}
}

// reports sums what was used. The total is the ledger's own, over all rows.
func (v *visit) reports() error {
	q := v.question()
	p := reportPage{Asked: q.Encode(), Report: &billing.Report{}, Dimensions: append([]string{""}, billing.Dimensions...),
		Month: time.Date(v.c.Now().In(v.c.Location()).Year(), v.c.Now().In(v.c.Location()).Month()-1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")}
	for _, f := range pivoted {
		p.Figures = append(p.Figures, f.name)
	}
	status, f := http.StatusOK, form{Values: v.URL.Query(), Which: "report"}
	if err := v.get("usage", q, p.Report); err != nil {
		if f, err = refused("report", v.URL.Query(), err, append(narrowed, "from", "to")...); err != nil {
			return err
		}
		status = f.Status
	}
	if v.URL.Query().Has("verify") {
		p.Verified = &verified{}
		if err := v.get("usage/verify", nil, p.Verified); err != nil {
			return err
		}
	}
	if by := p.Report.GroupBy; len(by) > 0 && !timely(by[0]) {
		slices.SortStableFunc(p.Report.Rows, func(a, b billing.Row) int { return cmp.Compare(b.USD, a.USD) })
	}
	if across := v.URL.Query().Get("across"); across != "" && len(p.Report.GroupBy) > 0 {
		p.pivot(v.URL.Query().Get("figure"))
	}
	p.bound()
	return v.show(status, "reports.html", page{Title: "Reports", Form: f, Data: &p})
}

// bound cuts the rows to what a page can show, and scales their bars.
func (p *reportPage) bound() {
	if p.Pivot != nil {
		if n := len(p.Pivot.Rows); n > mostRows {
			p.Cut, p.Pivot.Rows = n-mostRows, p.Pivot.Rows[:mostRows]
		}
		return
	}
	rows := p.Report.Rows
	if n := len(rows); n > mostRows {
		p.Cut, rows = n-mostRows, rows[:mostRows]
	}
	p.Report.Rows = rows
	var most billing.Nano
	for i := range rows {
		most = max(most, rows[i].USD)
	}
	for i := range rows {
		var share int64
		if most > 0 {
			share = thousandths(rows[i].USD, most)
		}
		p.Shares = append(p.Shares, share)
	}
}

// pivot turns the last dimension into columns. More than mostColumns of them are
// summed up in one.
func (p *reportPage) pivot(figure string) {
	f := pivoted[0]
	for _, one := range pivoted {
		if one.name == figure {
			f = one
		}
	}
	last := len(p.Report.GroupBy) - 1
	seen := map[string]bool{}
	var columns []string
	for i := range p.Report.Rows {
		if c := p.Report.Rows[i].Values[last]; !seen[c] {
			seen[c] = true
			columns = append(columns, c)
		}
	}
	slices.Sort(columns)
	at := map[string]int{}
	for i, c := range columns {
		at[c] = min(i, mostColumns)
	}
	if len(columns) > mostColumns {
		columns = append(columns[:mostColumns:mostColumns], count(int64(len(columns)-mostColumns))+" more")
	}
	totals := make([]int64, len(columns))
	sums, order := map[string][]int64{}, []string{}
	out := &pivot{By: p.Report.GroupBy[:last], Columns: columns}
	for i := range p.Report.Rows {
		row := &p.Report.Rows[i]
		name := strings.Join(row.Values[:last], "\x00")
		if sums[name] == nil {
			sums[name] = make([]int64, len(columns))
			order = append(order, name)
			out.Rows = append(out.Rows, pivotRow{Values: row.Values[:last]})
		}
		n := f.of(&row.Sums)
		sums[name][at[row.Values[last]]] += n
		totals[at[row.Values[last]]] += n
	}
	for i, name := range order {
		var total int64
		for _, n := range sums[name] {
			total += n
			out.Rows[i].Cells = append(out.Rows[i].Cells, cell(n, f.text))
		}
		out.Rows[i].Total, out.Rows[i].sum = f.text(total), total
	}
	if last > 0 && !timely(p.Report.GroupBy[0]) {
		slices.SortStableFunc(out.Rows, func(a, b pivotRow) int { return cmp.Compare(b.sum, a.sum) })
	}
	for _, n := range totals {
		out.Totals = append(out.Totals, f.text(n))
	}
	out.Total = f.text(f.of(&p.Report.Total)) // a call with two tags stands in two rows
	p.Pivot = out
}

// timely tells whether the rows of a dimension stand in its own order.
func timely(dimension string) bool {
	return slices.Contains([]string{"hour", "day", "month"}, dimension)
}

// cell leaves zeros out, so that the eye finds what is there.
func cell(n int64, text func(int64) string) string {
	if n == 0 {
		return ""
	}
	return text(n)
}

// export hands out the report that the page shows, whole: CSV or JSON lines.
func (v *visit) export() error {
	q := v.question()
	format := v.URL.Query().Get("format")
	q.Set("format", format)
	return v.pass("usage", q, "sluice-report."+format)
}

// invoice hands out a team's invoice as a page, or as CSV.
func (v *visit) invoice() error {
	q := url.Values{"format": {"html"}}
	for _, name := range []string{"month", "by"} {
		if text := v.URL.Query().Get(name); text != "" {
			q.Set(name, text)
		}
	}
	return v.pass("invoices/"+url.PathEscape(v.PathValue("name")), q, "")
}
