package router

import "testing"

// Which of three candidates are tried, by which are healthy and the route's
// panic threshold.
func TestPanic(t *testing.T) {
	for _, c := range []struct {
		healthy string // + or - of each candidate
		panic   float64
		tried   string
	}{
		{"+++", 0, "+++"},
		{"-++", 0, "-++"},
		{"--+", 0, "--+"},
		{"---", 0, "+++"},
		{"---", -1, "---"},
		{"--+", -1, "--+"},
		{"-++", 0.5, "-++"},
		{"--+", 0.5, "+++"},
		{"---", 0.5, "+++"},
		{"-++", 1, "+++"},
	} {
		r := &Route{Name: "route r", Panic: c.panic}
		for i, state := range c.healthy {
			h := &Health{Name: "h"}
			h.down.Store(state == '-')
			r.Candidates = append(r.Candidates, Candidate{Target: NewRegistry(nil).Target(string(rune('a'+i)), Breaker{}), Health: h})
		}
		if err := r.Prepare(); err != nil {
			t.Fatal(err)
		}
		p := Plan{Route: r}
		tried := []byte("+++")
		for i, w := range p.Preview().Candidates {
			if w.State == unhealthy && p.out[i] {
				tried[i] = '-'
			}
		}
		if string(tried) != c.tried {
			t.Errorf("healthy %s, panic %v: tried %s, want %s", c.healthy, c.panic, tried, c.tried)
		}
		if c.tried == "---" {
			err := p.Do(t.Context(), func(*Attempt) error { t.Error("one was tried"); return nil })
			if err == nil || p.Preview().Chosen != "" {
				t.Errorf("with nothing healthy: %v", err)
			}
		}
	}
}

func TestForget(t *testing.T) {
	reg := NewRegistry(nil)
	reg.Target("a", Breaker{})
	reg.Target("b", Breaker{})
	h := reg.Health("a", usual, nil)
	if reg.Health("a", usual, nil) != h {
		t.Error("a place that is asked for again is another")
	}
	reg.Forget("a")
	if list := reg.Targets(realClock.Now()); len(list) != 1 || list[0].ID != "b" || len(reg.asked()) != 0 {
		t.Errorf("left: %v, %v", list, reg.asked())
	}
	if reg.Health("a", usual, nil) == h {
		t.Error("a place that was forgotten is back")
	}
}
