package admin

import "testing"

func TestArms(t *testing.T) {
	c := newClient(t, newWorld(), "viewer")
	got := c.object(200, "GET", "/admin/v1/arms?model=slow&from=2026-11-01", "")
	idle := map[string]any{}
	for _, arm := range got["arms"].([]any) {
		a := arm.(map[string]any)
		idle[a["target"].(string)] = a["usd_per_call"]
	}
	if usd, ok := idle["mock/lorem-9"]; !ok || usd != nil || got["model"] != "slow" || got["from"] != "2026-11-01T00:00:00Z" {
		t.Errorf("%v", got)
	}
	c.problem("GET", "/admin/v1/arms", "", 400, "invalid_request", "model is required")
	c.problem("GET", "/admin/v1/arms?model=fast&from=yesterday", "", 400, "invalid_request", "yesterday")
	c.problem("GET", "/admin/v1/arms?model=fast&by=key", "", 400, "invalid_request", "by")
	w := newWorld()
	w.entries = nil
	newClient(t, w, "viewer").problem("GET", "/admin/v1/arms?model=none", "", 404, "not_found", "none")
}
