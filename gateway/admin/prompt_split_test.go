package admin

import (
	"context"
	"fmt"
	"testing"
)

// splits keeps the last split.
type splits struct{ set map[int]int }

func (s *splits) SetSplit(_ context.Context, _ string, shares map[int]int) error {
	s.set = shares
	return nil
}

func TestPutSplit(t *testing.T) {
	w, s := newWorld(), &splits{}
	o := w.options()
	o.Splits = s
	c := client{t, New(o), "admin"}
	if got := c.object(200, "PUT", "/admin/v1/prompts/mood/split", `{"1": 90, "2": 10}`); fmt.Sprint(got) != "map[1:90 2:10]" || s.set[1] != 90 || w.changed != 1 {
		t.Errorf("answered %v, set %v", got, s.set)
	}
	if c.object(200, "PUT", "/admin/v1/prompts/mood/split", `{}`); len(s.set) != 0 || w.changed != 2 {
		t.Errorf("ended: %v", s.set)
	}
	for body, code := range map[string]int{
		"": 400, `{"x": 1}`: 400, `{"01": 1}`: 400, `{"0": 1}`: 400, `{"1": 0}`: 400, `{"1": 1000001}`: 400, `{"1": "9"}`: 400, `{"1": 1.5}`: 400, `{"3": 1}`: 404,
	} {
		if rec := c.do("PUT", "/admin/v1/prompts/mood/split", body); rec.Code != code {
			t.Errorf("%s: %d %s, want %d", body, rec.Code, rec.Body, code)
		}
	}
	c.problem("PUT", "/admin/v1/prompts/none/split", `{"1": 1}`, 404, "not_found", "none")
	newClient(t, w, "admin").problem("PUT", "/admin/v1/prompts/mood/split", `{"1": 1}`, 409, "conflict", "split")
}
