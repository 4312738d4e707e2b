package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/gateway/shared"
)

func TestModelsPage(t *testing.T) {
	w := newWorld()
	w.prices = []billing.SetPrice{{Provider: "openai", Model: "gpt-4o", Prices: &billing.PriceSpec{Input: "1.5", Output: "6"}, From: w.now, Source: "contract"}}
	b := signedIn(t, w.console(), "secret")
	b.want("/models", 200, "unpriced", "catalogue", "$2.00", "$8.00", "openai/o3", "found by another replica", `<button class="small-button" name="state" value="open">`, "contract", "$1.5", "Try a model")
	b.want("/models?explain=fast", 200, "What a call for fast is weighed between", "first in order")
	if rec := b.do("POST", "/models/openai/breakers/openai/o3", b.form(url.Values{"state": {"closed"}})); rec.Code != 303 || w.breaker != "openai/o3 2" {
		t.Errorf("breaker: %d %q %s", rec.Code, w.breaker, rec.Body)
	}
	for path, status := range map[string]int{"/models/openai/breakers/openai/none": 404, "/models/none/breakers/none/x": 404} {
		if rec := b.do("POST", path, b.form(url.Values{"state": {"open"}})); rec.Code != status {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := b.do("POST", "/models/openai/breakers/openai/o3", b.form(url.Values{"state": {"ajar"}})); rec.Code != 400 {
		t.Errorf("no such state: %d", rec.Code)
	}
}

func TestTryAModel(t *testing.T) {
	var got *http.Request
	var body []byte
	plane := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Sluice-Model", "openai/gpt-4o")
		w.Header().Set("X-Sluice-Cost", "0.0021")
		w.Header().Set("X-Request-Id", "c1")
		if r.Header.Get("Authorization") != "Bearer sk-good" {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"error":{"message":"no such key"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"<b>hi</b>"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`)
	}))
	defer plane.Close()
	w := newWorld()
	w.dataURL = plane.URL
	b := signedIn(t, w.console(), "secret")
	try := func(form url.Values, status int, parts ...string) {
		t.Helper()
		rec := b.do("POST", "/models/try", b.form(form))
		if rec.Code != status {
			t.Errorf("%v: %d %s", form, rec.Code, rec.Body)
		}
		for _, part := range parts {
			if !strings.Contains(rec.Body.String(), part) {
				t.Errorf("%v: %q is missing", form, part)
			}
		}
		if strings.Contains(rec.Body.String(), "sk-") && strings.Contains(rec.Body.String(), `value="sk-`) {
			t.Error("the key comes back")
		}
	}
	try(url.Values{"model": {"fast"}, "key": {" sk-good "}, "text": {"say \"hi\""}}, 200, "&lt;b&gt;hi&lt;/b&gt;", "openai/gpt-4o", "$0.0021", "3 tokens in and 2 out", `href="/requests/c1"`)
	if want := `{"messages":[{"content":"say \"hi\"","role":"user"}],"model":"fast"}`; string(body) != want || got.Header.Get("X-Sluice-Tags") != "console" {
		t.Errorf("sent %s", body)
	}
	try(url.Values{"model": {"fast"}, "key": {"sk-bad"}, "text": {"x"}}, 200, "401", "no such key")
	try(url.Values{"model": {"fast"}, "text": {"x"}}, 400, "try-key-fault")
	try(url.Values{"key": {"sk-good"}, "text": {"x"}}, 400, "try-model-fault")
	try(url.Values{"model": {"fast"}, "key": {"sk-good"}}, 400, "try-text-fault")
	plane.Close()
	try(url.Values{"model": {"fast"}, "key": {"sk-good"}, "text": {"x"}}, 400, "cannot be reached")
}

func TestReports(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/reports", 200, `title="85 dollars"`, "$85.00", "research", "1,230")
	if q := w.asked[len(w.asked)-1]; q.From.Format("2006-01-02") != "2026-11-01" || strings.Join(q.GroupBy, ",") != "team" {
		t.Errorf("asked %+v", q)
	}
	b.want("/reports?by=team&across=model&figure=cost&period=last+month&tag=x", 200, "<th class=\"num\">smart</th>", "<td class=\"num\">$84.00</td>", "<strong>$4.00</strong>", "$85.00")
	if q := w.asked[len(w.asked)-1]; q.From.Format("2006-01-02") != "2026-10-01" || q.To.Format("2006-01-02") != "2026-11-01" || q.Only.Tag != "x" {
		t.Errorf("asked %+v", q)
	}
	b.want("/reports?by=team&from=2026-11-02T10:00&period=all", 200)
	if q := w.asked[len(w.asked)-1]; q.From.Hour() != 10 || !q.To.IsZero() {
		t.Errorf("from goes before the period: %+v", q)
	}
	b.want("/reports?by=colour", 400, "cannot group by")
	b.want("/reports?by=team&verify=1", 200, "Every sum of the ledger is that of its 1,230 entries.")
	rec := b.do("GET", "/reports/export?by=team&period=all&format=csv", nil)
	if rec.Code != 200 || rec.Header().Get("Content-Disposition") != `attachment; filename="sluice-report.csv"` || !strings.HasPrefix(rec.Body.String(), "team,calls,") {
		t.Errorf("export: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	b.want("/reports/export?by=team&format=exe", 400, "none of json, csv, jsonl")
	if rec := b.do("GET", "/invoices/sales", nil); rec.Code != 200 || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("invoice: %d %v", rec.Code, rec.Header())
	}
	owner := signedIn(t, w.console(), "mine")
	owner.want("/reports", 200)
	if q := w.asked[len(w.asked)-1]; q.Team != "research" {
		t.Errorf("a team-owner asked %+v", q)
	}
	owner.want("/invoices/sales", 404)
	owner.want("/reports?verify=1", 403)
}

func TestRoutesPage(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/routes", 200, "/orders/**", "http://10.0.0.1:9001", "open to all", "100/1m per key")
	if !w.versionsSince.IsZero() {
		t.Error("versions are asked about though no route has any")
	}
	sunset := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	w.view.Routes[0].Versions = []admin.RouteVersion{{Version: "1", Sunset: &sunset, BrownOut: &admin.RouteBrownOut{Share: 0.1, Status: 503}}, {Version: "2"}}
	w.versionUses = []billing.VersionUse{{Route: "orders", Version: "2", Team: "sales", Key: "sales/crm", Requests: 9, Last: w.now}, {Route: "orders", Version: "1", Team: "research", Key: "research/ci", Requests: 4321, Refused: 17, Last: w.now}}
	page := b.want("/routes", 200, "Who asks for which version", "sunset 1 Jun 2027", "brown-out", "research/ci", "4,321", "17")
	if strings.Index(page, "research/ci") > strings.Index(page, "sales/crm") {
		t.Error("what is to go does not stand first")
	}
	if w.versionsSince != w.now.AddDate(0, 0, -30).Truncate(time.Second) {
		t.Errorf("asked since %v", w.versionsSince)
	}
	w.view.Routes = nil
	b.want("/routes", 200, "There is none")
}

func TestColumnsAreBounded(t *testing.T) {
	p := reportPage{Report: &billing.Report{GroupBy: []string{"team", "day"}, Total: billing.Sums{Calls: 100}}}
	for i := range 100 {
		p.Report.Rows = append(p.Report.Rows, billing.Row{Values: []string{"t", count(int64(100 + i))}, Sums: billing.Sums{Calls: 1}})
	}
	p.pivot("calls")
	if n := len(p.Pivot.Columns); n != mostColumns+1 || p.Pivot.Columns[n-1] != "60 more" || p.Pivot.Totals[n-1] != "60" || p.Pivot.Total != "100" || len(p.Pivot.Rows) != 1 {
		t.Errorf("pivot %+v", p.Pivot)
	}
}

func TestGuardsAndCache(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/guards", 200, "dry run", "would 7", "mask email")
	b.want("/cache", 200, "33 %", "1 the same, 0 alike, 2 not", "No answer of a route was kept", "0 B of 1.04 MB", "Redis is away", "Purges by other systems", "nats", "away", "Purge everything")
	for _, c := range []struct {
		form   url.Values
		status int
		want   []shared.Purge
	}{
		{url.Values{"model": {"fast"}, "tag": {" x "}}, 200, []shared.Purge{{Model: "fast", Tag: "x"}}},
		{url.Values{"all": {"yes"}}, 200, []shared.Purge{{}}},
		{url.Values{}, 400, nil},
	} {
		w.purged = nil
		rec := b.do("POST", "/cache/purge", b.form(c.form))
		if rec.Code != c.status || len(w.purged) != len(c.want) || len(c.want) > 0 && w.purged[0] != c.want[0] {
			t.Errorf("%v: %d, purged %+v", c.form, rec.Code, w.purged)
		}
	}
}

func TestPrompts(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/prompts", 200, `href="/prompts/sentiment"`, "New prompt")
	b.want("/prompts/sentiment", 200, "message 3", "version 3 {{text}}", `href="/prompts/sentiment?from=2&amp;to=3"`, "production")
	b.want("/prompts/sentiment?from=2&to=3", 200, `<span class="minus">-version 2 {{text}}</span>`, `<span class="plus">`)
	b.want("/prompts/sentiment?input={\"text\":\"Ada\"}&version=1", 200, "version 1 Ada")
	b.want("/prompts/sentiment?input={}", 422, "render-input-fault")
	b.want("/prompts/none", 404)
	b.want("/prompts-new", 200, "Write it")
	b.want("/prompts-new?name=fresh", 200, "it is there once it is published", "/prompts/fresh/edit")
	post := func(path string, status int, form url.Values, parts ...string) {
		t.Helper()
		rec := b.do("POST", path, b.form(form))
		if rec.Code != status {
			t.Errorf("%s %v: %d %s", path, form, rec.Code, rec.Body)
		}
		for _, part := range parts {
			if !strings.Contains(rec.Body.String(), part) {
				t.Errorf("%s %v: %q is missing in %s", path, form, part, rec.Body)
			}
		}
	}
	post("/prompts/sentiment/labels", 303, url.Values{"label": {"staging"}, "version": {"2"}})
	post("/prompts/sentiment/labels", 404, url.Values{"label": {"staging"}, "version": {"9"}}, "no version 9")
	post("/prompts/sentiment/labels", 400, url.Values{"label": {"a b"}, "version": {"1"}}, "label-label-fault")
	post("/prompts/sentiment/split", 303, url.Values{"split": {"2: 90, 3: 10"}})
	if w.labels["staging"] != 2 || w.split[2] != 90 || w.split[3] != 10 {
		t.Errorf("labels %v, split %v", w.labels, w.split)
	}
	post("/prompts/sentiment/split", 400, url.Values{"split": {"half"}}, "split-split-fault")
	post("/prompts/sentiment/split", 303, url.Values{"split": {""}})
	if len(w.split) != 0 {
		t.Errorf("split %v", w.split)
	}
	good := "---\r\nmodel: fast\r\n---\r\nHi\r\n"
	post("/prompts/sentiment/edit", 303, url.Values{"source": {good}, "message": {"short"}, "force": {"yes"}})
	if p := w.published; string(p.Source) != "---\nmodel: fast\n---\nHi\n" || p.Message != "short" || !p.Force || p.Author != "admin" {
		t.Errorf("published %+v", p)
	}
	post("/prompts/fresh/edit", 422, url.Values{"source": {"---\ninput: [\n---\n"}, "message": {"kept"}}, "has faults", `value="kept"`, "input: [")
	post("/prompts/fresh/edit", 200, url.Values{"source": {good}, "do": {"test"}, "model": {"smart"}}, "love is missing", "1 failed", "smart")
}
