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
			if err != nil || (ended["p"] != nil) != (c.stopped != "") || ended["p"] != nil && (ended["p"].Stopped != c.stopped || ended["p"].By != name) {
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
		`{by: team}`:           "by must be key, user or header:NAME",
		`{by: "header:a b"}`:   "by must be",
		`{stop: {errors: 2}}`:  "stop.errors must be a share",
		`{stop: {cost: 1}}`:    "stop.cost must be a number above 1",
		`{stop: {calls: 0}}`:   "stop.calls must be a whole number",
		`{stop: {latency: 1}}`: `unknown key "stop.latency"`,
		`{sticky: 1}`:          `unknown key "sticky"`,
		`[]`:                   "must be a mapping",
		`{stop: []}`:           "stop must be a mapping",
		`{stop: {judge: 3}}`:   "stop.judge must be a criterion",
		`{stop: {judge: {}}}`:  "stop.judge.criterion must say",
		`{stop: {judge: {criterion: x, pass: 2}}}`:    "stop.judge.pass must be a share",
		`{stop: {judge: {criterion: x, sample: 0}}}`:  "stop.judge.sample must be a share",
		`{stop: {judge: {criterion: x, answers: 0}}}`: "stop.judge.answers must be a whole number",
		`{stop: {judge: {criterion: x, model: 1}}}`:   "stop.judge.model must be the name",
		`{stop: {judge: {criterion: x, modle: a}}}`:   `unknown key "stop.judge.modle"; did you mean "model"?`,
		`{stop: {judge: is it right}}`:                "",
		`{by: "header:X-User"}`:                       "",
		`{by: key, stop: {errors: 0.05, cost: 1.5}}`:  "",
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

// stoppingSplit has the calls of p shared by versions 1 and 4, of which 4 is
// production and says when to stop.
func stoppingSplit(t *testing.T, stop string) (*shop, *splits, map[int]*Arm) {
	t.Helper()
	s, sp := threeVersions(t)
	source := "---\nmodel: m/x\nsluice.path: /at\nsluice.split: {stop: {" + stop + "}}\n---\nfour\n"
	if _, _, err := s.Publish(t.Context(), Publication{Name: "p", Source: []byte(source)}); err != nil {
		t.Fatal(err)
	}
	if err := sp.SetSplit(t.Context(), "p", map[int]int{1: 50, 4: 50}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, sp, armsOf(s.Registry)
}

func armsOf(r *Registry) map[int]*Arm {
	live, _ := r.Snapshot().ByName("p")
	arms := map[int]*Arm{}
	for i := 0; len(arms) < 2; i++ {
		a := r.Snapshot().Arm(live, fmt.Sprint("user", i))
		arms[a.Live.Version] = a
	}
	return arms
}

// A version whose answers a judge finds bad too often ends its split.
func TestSplitStopsByJudge(t *testing.T) {
	s, sp, arms := stoppingSplit(t, `judge: {criterion: is it right, sample: 1, pass: 0.75, answers: 8}`)
	if arms[4].Sampled() != nil {
		t.Error("an answer of production is judged")
	}
	j := arms[1].Sampled()
	if j == nil || j.Criterion != "is it right" || arms[1].JudgeModel(j) != "m/x" {
		t.Fatalf("the judge is %+v", j)
	}
	for i := range 8 {
		if s.SplitReport("p").Stopped != "" {
			t.Fatalf("stopped after %d answers", i)
		}
		if err := s.CountJudged(t.Context(), arms[1], i > 2); err != nil {
			t.Fatal(err)
		}
	}
	const why = "the judge found 62.5 % of 8 answers of p@1 good, 75.0 % must be"
	if r := s.SplitReport("p"); r.Stopped != why || r.By != StoppedByJudge || r.Arms[0].Judged != 8 || r.Arms[0].Good != 5 {
		t.Errorf("%+v", r)
	}
	if arms[1].Sampled() != nil {
		t.Error("answers are judged after the end")
	}
	if _, err := s.EndStopped(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := NewRegistry(s.store, s.now) // another process
	again.Splits = sp
	if err := again.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := again.SplitReport("p"); r == nil || r.Stopped != why || again.Snapshot().Split("p") != nil {
		t.Errorf("after a restart: %+v", r)
	}
}

// A split goes on from the figures that are stored; the same shares set again
// begin anew.
func TestSplitFiguresGoOn(t *testing.T) {
	s, sp, arms := stoppingSplit(t, "errors: 0.2, calls: 10")
	stored := map[int]ArmFigures{1: {Version: 1, Calls: 9, Errors: 9, Nanos: 5, Judged: 2, Good: 1}, 4: {Version: 4, Calls: 20}}
	state := sp.state["p"]
	state.Figures = stored
	sp.state["p"] = state
	arms[1].Count(false, 1)
	if err := s.Refresh(t.Context()); err != nil || s.SplitReport("p").Arms[0].Calls != 1 {
		t.Errorf("a refresh takes what lags behind: %+v, %v", s.SplitReport("p").Arms, err)
	}
	again := NewRegistry(s.store, s.now)
	again.Splits = sp
	if err := again.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := again.SplitReport("p"); r.Arms[0] != stored[1] || r.Arms[1] != stored[4] {
		t.Errorf("%+v, want %+v", r.Arms, stored)
	}
	armsOf(again)[1].Count(true, 1)
	if again.SplitReport("p").Stopped == "" {
		t.Error("the calls before the restart do not count")
	}
	if err := sp.SetSplit(t.Context(), "p", map[int]int{1: 50, 4: 50}); err != nil {
		t.Fatal(err)
	}
	if err := again.Refresh(t.Context()); err != nil || again.SplitReport("p").Stopped != "" || again.SplitReport("p").Arms[0].Calls != 0 {
		t.Errorf("set again: %+v, %v", again.SplitReport("p"), err)
	}
}
