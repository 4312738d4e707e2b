package prompts

import (
	"fmt"
	"strings"
	"testing"
)

// A version that fails more, or costs more, than production ends its split;
// the store learns it, and a refresh keeps the figures of one that goes on.
func TestSplitStops(t *testing.T) {
	for name, c := range map[string]struct {
		stop          string
		fails, dear   bool
		calls         int
		stopped, told string
	}{
		"errors":        {"errors: 0.2, calls: 10", true, false, 10, "p@1 failed in 100.0 % of 10 calls, production in 0.0 %", ""},
		"cost":          {"cost: 2, calls: 10", false, true, 10, "a call of p@1 costs 3.00 times one of production, over 10 calls", ""},
		"too few calls": {"errors: 0.2, cost: 2, calls: 10", true, true, 9, "", ""},
		"other measure": {"cost: 2, calls: 10", true, false, 50, "", ""},
		"none":          {"", true, true, 500, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, sp := threeVersions(t)
			source := "---\nmodel: m/x\nsluice.path: /at\nsluice.split: {by: user, stop: {" + c.stop + "}}\n---\nfour\n"
			if c.stop == "" {
				source = "---\nmodel: m/x\nsluice.path: /at\n---\nfour\n"
			}
			if _, _, err := s.Publish(t.Context(), Publication{Name: "p", Source: []byte(source)}); err != nil {
				t.Fatal(err)
			}
			if err := sp.SetSplit(t.Context(), "p", map[int]int{1: 50, 4: 50}); err != nil {
				t.Fatal(err)
			}
			if err := s.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			live, _ := s.Snapshot().ByName("p")
			arms := map[int]*Arm{}
			for i := 0; len(arms) < 2; i++ {
				a := s.Snapshot().Arm(live, fmt.Sprint("user", i))
				arms[a.Live.Version] = a
			}
			for range c.calls {
				cost := int64(100)
				if c.dear {
					cost = 300
				}
				arms[4].Count(false, 100)
				arms[1].Count(c.fails, cost)
			}
			if err := s.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := s.SplitReport("p")
			if r.Stopped != c.stopped || r.Arms[0].Calls != int64(c.calls) || r.Arms[1].Nanos != int64(100*c.calls) {
				t.Errorf("%+v", r)
			}
			if got := s.Snapshot().Arm(live, "user1"); (got == nil) != (c.stopped != "") {
				t.Errorf("after that, arm %v", got)
			}
			ended, err := s.EndStopped(t.Context())
			if err != nil || ended["p"] != c.stopped {
				t.Errorf("ended %v, %v", ended, err)
			}
			if err := s.Refresh(t.Context()); err != nil || (c.stopped != "") != (s.Snapshot().Split("p") == nil) || s.SplitReport("p").Stopped != c.stopped {
				t.Errorf("at last: %v, %v", err, s.SplitReport("p"))
			}
		})
	}
}

func TestSplitSettings(t *testing.T) {
	for text, want := range map[string]string{
		`{by: team}`:            "by must be key, user or header:NAME",
		`{by: "header:a b"}`:    "by must be",
		`{stop: {errors: 2}}`:   "stop.errors must be a share",
		`{stop: {cost: 1}}`:     "stop.cost must be a number above 1",
		`{stop: {calls: 0}}`:    "stop.calls must be a whole number",
		`{stop: {latency: 1}}`:  `unknown key "stop.latency"`,
		`{sticky: 1}`:           `unknown key "sticky"`,
		`[]`:                    "must be a mapping",
		`{stop: []}`:            "stop must be a mapping",
		`{by: "header:X-User"}`: "",
		`{by: key, stop: {errors: 0.05, cost: 1.5}}`: "",
	} {
		tmpl, faults := Parse("p", []byte("---\nmodel: m/x\nsluice.split: "+text+"\n---\nx"), ParseOptions{File: "p.prompt"})
		if want == "" && len(faults) == 0 {
			if s := tmpl.Sluice.Split; s.Header != "X-User" && s.Stop.Calls != leastCalls {
				t.Errorf("%s: %+v", text, s)
			}
		} else if want == "" || !strings.Contains(faults.Error(), "p.prompt:3: sluice.split: "+want) {
			t.Errorf("%s: %v, want %q", text, faults, want)
		}
	}
}
