package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRouteBrownOut(t *testing.T) {
	now := time.Now().UTC()
	around := func(from, to time.Duration) string {
		return "[{from: " + now.Add(from).Format(time.RFC3339) + ", to: " + now.Add(to).Format(time.RFC3339) + "}]"
	}
	const fate = `deprecated: 2026-06-01, sunset: 2999-01-01, link: "https://example.com/migrate", brownout: `
	g := start(t, `routes:
  - {name: aged, match: {path: "/aged"}, backend: {static: {body: served}}, auth: {require: [key]}, versioning: {by: query, default: "5", versions: {
      "1": {`+fate+`{windows: `+around(-time.Hour, time.Hour)+`}},
      "2": {`+fate+`{windows: `+around(time.Hour, 2*time.Hour)+`}},
      "3": {`+fate+`{share: 0.5, status: 410}},
      "4": {deprecated: 2998-01-01, sunset: 2999-01-01, brownout: {share: 0.999}}}}}
`+team)
	r := g.data("GET", "/aged?version=1", "")
	if r.status != 503 || r.get("code").Str != "brown_out" || r.get("sunset").Str != "2999-01-01T00:00:00Z" || r.get("link").Str != "https://example.com/migrate" ||
		!strings.Contains(r.get("detail").Str, "for ever on 2999-01-01: see https://example.com/migrate") || r.header.Get("Content-Type") != "application/problem+json" ||
		r.header.Get("Sunset") == "" || len(r.header.Get("Retry-After")) != 4 {
		t.Errorf("browned out: %d %v %s", r.status, r.header, r.body)
	}
	if r, _ = g.send("GET", "http://"+g.listen+"/aged?version=1", "", "Authorization", "Bearer nobody's"); r.status != 503 {
		t.Errorf("without a key of ours: %d %s", r.status, r.body)
	}
	for _, path := range []string{"/aged?version=2", "/aged?version=4", "/aged"} {
		if r := g.data("GET", path, ""); r.status != 200 || r.body != "served" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	refused := 0
	for range 100 {
		switch r := g.data("GET", "/aged?version=3", ""); r.status {
		case 410:
			if refused++; r.header.Get("Retry-After") != "" {
				t.Error("410 says when to come again")
			}
		case 200:
		default:
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if refused < 10 || refused > 90 { // of 100 at one half: never
		t.Errorf("%d of 100 were refused", refused)
	}
	m, _ := g.send("GET", "http://"+g.admin+"/metrics", "")
	for _, line := range []string{`{route="aged",team="t",version="1"} 1`, `{route="aged",team="",version="1"} 1`, fmt.Sprintf(`{route="aged",team="t",version="3"} %d`, refused)} {
		if !strings.Contains(m.body, "sluice_route_brownouts_total"+line) {
			t.Errorf("no %s", line)
		}
	}
	if b := g.api("GET", "routes/aged", "").get("versions"); b.Get("#").Int() != 5 || b.Get("2.brownout.share").Num != 0.5 || b.Get("0.brownout.windows.#").Int() != 1 {
		t.Errorf("versions shown: %s", b)
	}
	g.configure(head + `routes:
  - {name: a, match: {path: /a}, backend: {static: {}}, versioning: {by: header, versions: {
      "1": {brownout: {share: 0.5}}, "2": {sunset: 2999-01-01, brownout: {}}, "3": {sunset: 2999-01-01, brownout: {share: 2, status: 500}},
      "4": {deprecated: 2998-01-01, sunset: 2999-01-01, brownout: {windows: [{from: 2027-01-02, to: 2027-01-01}, {to: 2027-01-01}, {from: 2999-02-01, to: 2999-03-01}, {from: 2027-01-01, to: 2027-01-02}]}}}}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"versions[1].brownout: want a sunset", "versions[2].brownout: want share below 1", "versions[3].brownout.share: want a share", "versions[3].brownout.status: want 503 or 410",
		"versions[4].brownout.windows[0].to: want a time after", "windows[1].from: is needed", "windows[2].from: the version is gone", "windows[3].to: the version is not deprecated"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check says nothing of %q: %s", want, out)
		}
	}
}

func TestRouteVersionReport(t *testing.T) {
	g := newGateway(t, `routes:
  - {name: orders-1, match: {path: /orders, version: "1"}, backend: {static: {body: one}}, versioning: {by: header, default: "2", versions: {"1": {sunset: 2999-01-01}, "0": {sunset: 2020-01-01}}}}
  - {name: orders-2, match: {path: /orders, version: "2"}, backend: {static: {body: two}}, auth: {require: [key]}}
  - {name: orders-0, match: {path: /orders, version: "0"}, backend: {static: {body: never}}, auth: {require: [key]}}
  - {name: plain, match: {path: /plain}, backend: {static: {body: x}}}
`+team)
	g.start()
	ask := func(version string, status, times int) {
		t.Helper()
		for range times {
			if r := g.data("GET", "/orders", "", "X-API-Version", version); r.status != status {
				t.Errorf("version %s: %d %s", version, r.status, r.body)
			}
		}
	}
	ask("2", 200, 3)
	ask("1", 200, 2)
	ask("0", 410, 4)
	g.data("GET", "/plain", "")
	began := time.Now()
	rows := func(query string, want ...string) {
		t.Helper()
		r := g.api("GET", "route-versions"+query, "")
		var got []string
		for _, w := range r.get("rows").Array() {
			got = append(got, fmt.Sprint(w.Get("route").Str, " ", w.Get("version").Str, " ", w.Get("key").Str, " ", w.Get("requests"), " ", w.Get("refused")))
			if last, err := time.Parse(time.RFC3339, w.Get("last").Str); err != nil || last.Before(began.Add(-time.Minute)) || last.After(time.Now()) {
				t.Errorf("last: %v %s", err, w)
			}
		}
		if r.status != 200 || strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: %d %q, want %q", query, r.status, got, want)
		}
	}
	// Who is refused for the version has its name all the same; a route that is
	// open to all asks nobody for it.
	all := []string{"orders-0 0 t/k 4 4", "orders-1 1  2 0", "orders-2 2 t/k 3 0"}
	rows("", all...)
	rows("?team=t&route=orders-2", all[2])
	rows("?from=2020-01-01&to=2020-02-01")
	g.stop()
	g.start()
	rows("", all...)
	ask("2", 200, 1)
	out, _, code := g.sluice("route", "versions", "orders-2", "--csv")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 || !strings.HasPrefix(lines[1], "orders-2,2,t,t/k,4,0,2") {
		t.Errorf("%d %s", code, out)
	}
	out, _, code = g.sluice("route", "versions", "--key", "t/k")
	if code != 0 || !strings.Contains(out, "REFUSED") || strings.Contains(out, "orders-1") || !strings.Contains(out, "orders-0") {
		t.Errorf("%d %s", code, out)
	}
}
