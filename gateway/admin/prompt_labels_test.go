package admin

import (
	"context"
	"fmt"
	"testing"

	"sluice/prompts"
)

func movesOfLabels(context.Context, string) ([]prompts.LabelMove, error) {
	return []prompts.LabelMove{{Label: "production", To: 1}, {Label: "beta", To: 2}, {Label: "production", From: 1, To: 2, By: "admin"}, {Label: "beta", From: 2}}, nil
}

// Labels that are reserved, protected or needed, and the history of each.
func TestLabels(t *testing.T) {
	w := newWorld()
	w.labels["mood"]["beta"] = 1
	o := w.options()
	publisher := "research"
	view := o.View
	o.View = func() View {
		v := view()
		v.Prompts[0].Team, v.ProtectedLabels = publisher, []string{"gold"}
		return v
	}
	c := client{t, New(o), "admin"}
	const path = "/admin/v1/prompts/mood/labels"
	newClient(t, w, "admin").problem("PUT", path, `{"staging":"x"}`, 400, "invalid_request", `staging must be a whole number, not "x"`)
	newClient(t, w, "admin").problem("PUT", "/admin/v1/prompts/mood/split", `{"1":50,"2":"50"}`, 400, "invalid_request", `2 must be a whole number, not "50"`)
	c.problem("PUT", path, `{"latest":1}`, 400, "invalid_request", "reserved")
	c.problem("PUT", path, `{"production":null}`, 409, "conflict", "cannot be taken away")
	c.problem("PUT", path, `{"gamma":null}`, 404, "not_found", "gamma")
	owner := c.as("team-owner")
	owner.problem("PUT", path, `{"production":1}`, 403, "permission_denied", "protected")
	owner.problem("PUT", path, `{"alpha":1,"gold":1}`, 403, "permission_denied", "gold")
	if got := owner.object(200, "PUT", path, `{"alpha":1,"beta":null}`); fmt.Sprint(got) != "map[alpha:1 production:2]" {
		t.Errorf("labels %v", got)
	}
	publisher = "sales"
	owner.problem("PUT", path, `{"alpha":1}`, 403, "permission_denied", "sluice.team")
	got := fmt.Sprint(c.object(200, "GET", path, "")["data"])
	const at = " time:0001-01-01T00:00:00Z"
	want := "[map[history:[] label:alpha version:1] map[history:[map[by: from:2 label:beta" + at + " to:0] map[by: from:0 label:beta" + at + " to:2]] label:beta version:0]" +
		" map[history:[map[by:admin from:1 label:production" + at + " to:2] map[by: from:0 label:production" + at + " to:1]] label:production version:2]]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
