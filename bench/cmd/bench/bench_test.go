package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/bench/upstream"
)

// Every work is answered by the fake as the driver expects.
func TestWorks(t *testing.T) {
	fake := upstream.Start(t)
	direct := &target{name: "direct", addr: fake.Addr()}
	for i := range works {
		w := &works[i]
		if got := len(w.request(direct).Body); got < w.in || got > w.in+400 {
			t.Errorf("%s sends %d bytes", w.name, got)
		}
		o := options{rounds: 1, conns: 2, seconds: 0.05}
		if s := o.once(context.Background(), direct, w); s.err != nil || s.result.Err != nil || s.result.Requests == 0 {
			t.Errorf("%s: %d right, %v, %v", w.name, s.result.Requests, s.result.Err, s.err)
		}
	}
	ours := &target{name: "sluice", ours: true}
	if m := gjson.GetBytes(works[0].request(ours).Body, "model").String(); m != "bench-small" {
		t.Errorf("Sluice is asked for %s", m)
	}
}

func TestVerdict(t *testing.T) {
	r := newReport(&options{rounds: 1}, works)
	r.Targets = []string{"nginx", "sluice"}
	r.Cells = []*cell{
		{Target: "nginx", Work: "small", CPU: []float64{10}},
		{Target: "sluice", Work: "small", CPU: []float64{31, 30, 29}, Ratio: 3},
	}
	r.Memory = []memoryFigure{{"nginx", "small", 500}, {"sluice", "small", 120}}
	if err := r.verdict(false); err != nil {
		t.Errorf("without -check goals do not count: %v", err)
	}
	err := r.verdict(true)
	if err == nil || !strings.Contains(err.Error(), "small costs 3.00") || !strings.Contains(err.Error(), "120 MiB") {
		t.Errorf("missed goals: %v", err)
	}
	r.fault("sluice", "small", errors.New("status 500"))
	if err := r.verdict(false); err == nil || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("wrong answers: %v", err)
	}
	var out strings.Builder
	r.print(&out)
	if !strings.Contains(out.String(), "30.0  ×3.00") {
		t.Errorf("printed:\n%s", out.String())
	}
}

// What was lost is read from the gateway's own figures: a sink that is to take
// nothing, and lost nothing, was none.
func TestLosses(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE sluice_log_dropped_total counter\nsluice_log_dropped_total{sink=\"access\"} 0\nsluice_log_dropped_total{sink=\"file\"} 1.5e+06\n"+
			"sluice_log_dropped_total{sink=\"http\"} 7\nsluice_log_dropped_total{sink=\"otlp\"} 0\nsluice_log_dropped_total{sink=\"traces\"} 8\n")
	}))
	defer admin.Close()
	r := newReport(&options{rounds: 1}, works)
	r.losses(&target{name: "stalled", admin: admin.Listener.Addr().String(), sinks: []io.Closer{io.NopCloser(nil)}})
	if len(r.Lost) != 4 || r.Lost[2] != (lossFigure{"stalled", "file", 1500000}) || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "otlp") {
		t.Errorf("%v %v", r.Lost, r.Notes)
	}
	r.losses(&target{name: "sluice"})
	if len(r.Faults)+len(r.Lost) != 4 {
		t.Errorf("a target without sinks: %v %v", r.Faults, r.Lost)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"-only", "nonsense"}, {"-rounds", "0"}, {"-rate", "-1"}, {"extra"}, {"-nonsense"}, {"-targets", "apache"}} {
		if err := compare(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestScaleArguments(t *testing.T) {
	for _, args := range [][]string{{"-share", "0"}, {"-share", "2"}, {"-rounds", "0"}, {"-conns", "0"}, {"-seconds", "-1"}, {"extra"}} {
		if err := scale(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestRedisCounts(t *testing.T) {
	const info = "# Commandstats\r\ncmdstat_eval:calls=2,usec=9\r\ncmdstat_evalsha:calls=40,usec=7,failed_calls=0\r\ncmdstat_config|get:calls=5,usec=1\r\n"
	if scripts, all := sumOf(scriptCalls, info), sumOf(allCalls, info); scripts != 42 || all != 47 {
		t.Errorf("%d scripts, %d commands", scripts, all)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v", values, got)
		}
	}
}
