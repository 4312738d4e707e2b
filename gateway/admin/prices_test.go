package admin

import (
	"strings"
	"testing"
)

func TestSetPrice(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	made := c.object(201, "POST", "/admin/v1/prices", `{"provider":"mock","model":"echo","prices":{"input":0.5,"output":"2"},"source":"the page, 2026-11-24"}`)
	if made["state"] != "in force" || made["from"] != "2026-11-24T12:00:00Z" || made["version"] == "" || w.changed != 1 {
		t.Errorf("made %v, put in force %d times", made, w.changed)
	}
	c.object(201, "POST", "/admin/v1/prices", `{"provider":"mock","model":"echo","prices":{"input":"0.4","above":{"200000":{"input":1}}},"from":"2026-12-01"}`)
	c.object(201, "POST", "/admin/v1/prices", `{"provider":"mock","model":"echo","prices":{"input":"0.3"},"from":"2026-11-01T00:00:00Z"}`)
	c.object(201, "POST", "/admin/v1/prices", `{"provider":"mock","model":"*","prices":null}`)
	var states []string
	for _, p := range c.object(200, "GET", "/admin/v1/prices?provider=mock&model=echo", "")["data"].([]any) {
		states = append(states, p.(map[string]any)["state"].(string))
	}
	if got := strings.Join(states, ","); got != "coming,in force,past" {
		t.Errorf("the newest first: %s", got)
	}
	for body, field := range map[string]string{
		`{"model":"m","prices":{"input":1}}`:                                     "provider",
		`{"provider":"mokc","model":"m","prices":{"input":1}}`:                   "mokc",
		`{"provider":"mock","prices":{"input":1}}`:                               "model",
		`{"provider":"mock","model":"m","prices":{}}`:                            "prices",
		`{"provider":"mock","model":"m","prices":{"inptu":1}}`:                   "inptu",
		`{"provider":"mock","model":"m","prices":{"input":"-1"}}`:                "input",
		`{"provider":"mock","model":"m","prices":{"tiers":{"default":{}}}}`:      "tiers.default",
		`{"provider":"mock","model":"m","prices":{"above":{"5":{"output":[]}}}}`: "output",
		`{"provider":"mock","model":"m","prices":{"input":1},"from":"soon"}`:     "from",
		`{"provider":"mock","model":"m","prices":{"input":1},"source":"a\nb"}`:   "source",
	} {
		if rec := c.do("POST", "/admin/v1/prices", body); rec.Code != 400 || !strings.Contains(rec.Body.String(), field) {
			t.Errorf("%s: %d %s does not name %s", body, rec.Code, rec.Body, field)
		}
	}
	if len(w.prices) != 4 {
		t.Errorf("%d prices are stored", len(w.prices))
	}
	newClient(t, w, "viewer").object(200, "GET", "/admin/v1/prices", "")
	if rec := newClient(t, w, "viewer").do("POST", "/admin/v1/prices", `{}`); rec.Code != 403 {
		t.Errorf("a viewer sets prices: %d", rec.Code)
	}
}

func TestReprice(t *testing.T) {
	w := newWorld()
	w.entries[0].Target, w.entries[0].Usage.Input = "mock/echo", 1_000_000
	c := newClient(t, w, "viewer")
	out := c.object(200, "POST", "/admin/v1/usage/reprice", `{"from":"2026-11-01","to":"2026-12-01","prices":{"mock":{"*":{"input":3}}}}`)
	if total := out["total"].(map[string]any); total["usd"] != "0.25" || total["repriced_usd"] != "3" || total["difference_usd"] != "2.75" {
		t.Errorf("total %v", total)
	}
	for body, field := range map[string]string{
		`{}`: "prices", `{"from":"soon","prices":{"a":{}}}`: "from", `{"prices":{"a":{"m":{"inptu":1}}}}`: "inptu", `{"prices":{"a":{"m":{"input":"x"}}}}`: "a.m",
	} {
		if rec := c.do("POST", "/admin/v1/usage/reprice", body); rec.Code != 400 || !strings.Contains(rec.Body.String(), field) {
			t.Errorf("%s: %d %s does not name %s", body, rec.Code, rec.Body, field)
		}
	}
}
