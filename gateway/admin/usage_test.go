package admin

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

func TestUsage(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "viewer")
	report := c.object(200, "GET", "/admin/v1/usage?from=2026-11-01&to=2026-11-30&group_by=team,model", "")
	if total := report["total"].(map[string]any); total["usd"] != "0.25" || total["calls"] != 2.0 {
		t.Errorf("total %v", total)
	}
	if row := report["rows"].([]any)[0].(map[string]any); row["team"] != "research" || row["model"] != "fast" {
		t.Errorf("row %v", row)
	}
	if want := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC); !w.asked.To.Equal(want) {
		t.Errorf("asked to %v", w.asked.To)
	}
	csv := c.do("GET", "/admin/v1/usage?group_by=team&format=csv", "")
	if !strings.HasPrefix(csv.Body.String(), "team,calls,") || csv.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("csv %v %s", csv.Header(), csv.Body)
	}
	lines := c.do("GET", "/admin/v1/usage?group_by=team&format=jsonl", "")
	if strings.Count(lines.Body.String(), "\n") != 2 || lines.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("jsonl %v %s", lines.Header(), lines.Body)
	}
	c.object(200, "GET", "/admin/v1/usage?key=key_r&team=research", "")
	if w.asked.KeyID != "key_r" || w.asked.Team != "research" {
		t.Errorf("asked %+v", w.asked)
	}
	c.object(200, "GET", "/admin/v1/usage?key=research/ci&model=fast&provider=mock&target=mock/echo&prompt=mood&user=ann&tag=x", "")
	if want := (billing.Filter{Key: "research/ci", Model: "fast", Provider: "mock", Target: "mock/echo", Prompt: "mood", User: "ann", Tag: "x"}); w.asked.Only != want {
		t.Errorf("asked only %+v", w.asked.Only)
	}
	c.object(200, "GET", "/admin/v1/usage?from=2026-11-01&time_zone=Asia/Kolkata", "")
	if got := w.asked.From.UTC().Format(time.RFC3339); got != "2026-10-31T18:30:00Z" || w.asked.Location.String() != "Asia/Kolkata" {
		t.Errorf("from %s in %v", got, w.asked.Location)
	}
	c.problem("GET", "/admin/v1/usage?time_zone=Mars/Base", "", 400, "invalid_request", "time_zone")
	c.problem("GET", "/admin/v1/usage?group_by=colour", "", 400, "invalid_request", "colour")
	c.problem("GET", "/admin/v1/usage?format=xml", "", 400, "invalid_request", "xml")
	c.problem("GET", "/admin/v1/usage?from=yesterday", "", 400, "invalid_request", "yesterday")
	c.problem("GET", "/admin/v1/usage?groupby=team", "", 400, "invalid_request", `did you mean "group_by"?`)
}

// Who asks within the process has the report as it is, under the same rules.
func TestUsageWithinTheProcess(t *testing.T) {
	w := newWorld()
	ask := func(who Identity, query string) (*billing.Report, *httptest.ResponseRecorder) {
		out := &billing.Report{}
		r := httptest.NewRequest("GET", "/admin/v1/usage?"+query, nil)
		rec := httptest.NewRecorder()
		New(w.options()).ServeHTTP(rec, r.WithContext(Into(As(r.Context(), who), out)))
		return out, rec
	}
	viewer := Identity{Role: RoleViewer, Name: "v"}
	if r, rec := ask(viewer, "group_by=team,model"); rec.Code != 204 || rec.Body.Len() > 0 || r.Total.USD != billing.Dollar/4 || r.Rows[0].Values[0] != "research" || len(r.GroupBy) != 2 {
		t.Errorf("%d %s %+v", rec.Code, rec.Body, r)
	}
	if r, rec := ask(viewer, "group_by=team&format=csv"); !strings.HasPrefix(rec.Body.String(), "team,calls,") || len(r.Rows) > 0 {
		t.Errorf("CSV is written as ever: %d %s", rec.Code, rec.Body)
	}
	if r, rec := ask(viewer, "group_by=colour"); rec.Code != 400 || len(r.Rows) > 0 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if _, rec := ask(Identity{Role: RoleTeamOwner, Team: "sales"}, "team=research"); rec.Code < 400 {
		t.Errorf("another team's: %d", rec.Code)
	}
	if _, rec := ask(Identity{Role: RoleTeamOwner, Team: "sales"}, ""); rec.Code != 204 || w.asked.Team != "sales" {
		t.Errorf("its own: %d, asked of %q", rec.Code, w.asked.Team)
	}
}

func TestVerify(t *testing.T) {
	got := newClient(t, newWorld(), "viewer").object(200, "GET", "/admin/v1/usage/verify", "")
	if got["ok"] != true || got["entries"] != 2.0 {
		t.Errorf("verify %v", got)
	}
}

func TestRequests(t *testing.T) {
	w := newWorld()
	w.entries[0].Usage = schema.Usage{Input: 10, Output: 4, Source: schema.UsageReported}
	w.entries[0].TTFT = 30 * time.Millisecond
	c := newClient(t, w, "viewer")
	l := c.object(200, "GET", "/admin/v1/requests?limit=1", "")
	if l["next"] != "more" || len(l["data"].([]any)) != 1 {
		t.Errorf("list %v", l)
	}
	one := c.object(200, "GET", "/admin/v1/requests/c1", "")
	want := map[string]any{"id": "c1", "usd": "0.25", "delivered_tokens": 4.0, "ttft_ms": 30.0, "source": "reported", "key": "research/ci"}
	for field, value := range want {
		if one[field] != value {
			t.Errorf("%s is %v, want %v", field, one[field], value)
		}
	}
	if tokens := one["tokens"].(map[string]any); tokens["input"] != 10.0 || tokens["output"] != 4.0 {
		t.Errorf("tokens %v", tokens)
	}
	if list, ok := one["attempts"].([]any); !ok || len(list) != 0 {
		t.Errorf("attempts %v", one["attempts"])
	}
	c.object(200, "GET", "/admin/v1/requests?from=2026-11-01&to=2026-12-01&team=sales&key=sales/crm&model=fast&prompt=mood&status=500&tag=x&min_usd=0.1&q=c2&after=z", "")
	want2 := billing.RequestQuery{From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Team: "sales", Key: "sales/crm", Model: "fast", Prompt: "mood", Tag: "x", Status: 500, MinUSD: 100_000_000, Text: "c2", Limit: 100, After: "z"}
	if w.listed != want2 {
		t.Errorf("asked %+v", w.listed)
	}
	c.object(200, "GET", "/admin/v1/requests", "")
	if !w.listed.From.IsZero() || !w.listed.To.IsZero() {
		t.Errorf("a list is of all times unless told otherwise: %+v", w.listed)
	}
	c.problem("GET", "/admin/v1/requests/none", "", 404, "not_found", "none")
	c.problem("GET", "/admin/v1/requests?status=ok", "", 400, "invalid_request", "status")
	c.problem("GET", "/admin/v1/requests?min_usd=much", "", 400, "invalid_request", "min_usd")
}

func TestInvoice(t *testing.T) {
	c := newClient(t, newWorld(), "team-owner")
	got := c.object(200, "GET", "/admin/v1/invoices/research?month=2026-11", "")
	if got["number"] != "SL-202611-research" || got["total_usd"] != "0.25" || got["preliminary"] != true {
		t.Errorf("%v", got)
	}
	page := c.do("GET", "/admin/v1/invoices/research?month=2026-11&format=html", "")
	if page.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(page.Body.String(), "SL-202611-research") {
		t.Errorf("%v %s", page.Header(), page.Body)
	}
	c.problem("GET", "/admin/v1/invoices/sales", "", 404, "not_found", "sales")
	c.problem("GET", "/admin/v1/invoices/research?month=2026-13", "", 400, "invalid_request", "month")
	c.problem("GET", "/admin/v1/invoices/research?by=tag", "", 400, "invalid_request", "tag")
	c.problem("GET", "/admin/v1/invoices/research?format=pdf", "", 400, "invalid_request", "format")
}

func TestReconcileUsage(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "viewer")
	export := `{"data":[{"start_time":1793491200,"results":[{"input_tokens":5,"output_tokens":1,"model":"gpt-4o"}]}],"has_more":false}`
	got := c.object(200, "POST", "/admin/v1/usage/reconcile?provider=openai&to=2026-11-10", export)
	if got["from"] != "2026-11-01" || got["to"] != "2026-11-10" || got["tolerance_percent"] != "0" || got["rows"].([]any)[0].(map[string]any)["only"] != "there" {
		t.Errorf("%v", got)
	}
	if w.asked.Only.Provider != "openai" || w.asked.Location != time.UTC || !w.asked.To.Equal(time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %+v", w.asked)
	}
	if csv := c.do("POST", "/admin/v1/usage/reconcile?provider=openai&format=csv", export); !strings.HasPrefix(csv.Body.String(), "day,model,only,apart,input_tokens_here") || csv.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%v %s", csv.Header(), csv.Body)
	}
	for query, detail := range map[string]string{"": "provider is required", "?provider=openai&tolerance=x": "tolerance", "?provider=openai&format=pdf": "format",
		"?provider=openai&from=2027-01-01": "not before", "?provider=openai&form=csv": "unknown query parameter"} {
		c.problem("POST", "/admin/v1/usage/reconcile"+query, export, 400, "invalid_request", detail)
	}
	c.problem("POST", "/admin/v1/usage/reconcile?provider=openai", "a,b\n", 400, "invalid_request", "columns")
}
