package admin

import "testing"

func TestRoutes(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	list := c.object(200, "GET", "/admin/v1/routes?limit=1", "")
	if data := list["data"].([]any); len(data) != 1 || data[0].(map[string]any)["name"] != "z" || list["next"] == nil {
		t.Errorf("the first page: %v", list)
	}
	if r := c.object(200, "GET", "/admin/v1/routes/z", ""); r["backend"] != "http" || r["targets"].([]any)[0].(map[string]any)["url"] != "http://h" {
		t.Errorf("shown as %v", r)
	}
	c.problem("GET", "/admin/v1/routes/x", "", 404, "not_found", "no route")
	c.problem("POST", "/admin/v1/routes", `{"name":"n"}`, 409, "conflict", "declared in the configuration")
	c.problem("DELETE", "/admin/v1/routes/z", "", 409, "conflict", "declared in the configuration")
	if e := c.object(200, "GET", "/admin/v1/explain?path=/x&host=h", ""); e["route"] != "GET h" || e["path"] != "/x" {
		t.Errorf("explained as %v", e)
	}
}
