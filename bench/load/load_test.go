package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/bench/upstream"
)

var header = map[string]string{"Authorization": "Bearer x"}

func TestClosed(t *testing.T) {
	s := upstream.Start(t)
	for _, w := range []Work{
		{Path: "/v1/chat/completions", Header: header, Body: []byte(`{"model":"small","messages":[]}`), Marker: []byte(upstream.Marker)},
		{Path: "/v1/chat/completions", Header: header, Body: []byte(`{"model":"small","stream":true,"messages":[]}`), Stream: true, Chunks: 63},
		{Path: "/v1/chat/completions", Header: header, Body: []byte(`{"model":"chunks-3_pace-1","stream":true,"messages":[]}`), Stream: true, Chunks: 6},
	} {
		r := Do(context.Background(), Run{Work: &w, Addr: s.Addr(), Conns: 4, Length: 100 * time.Millisecond})
		if r.Errors != 0 || r.Requests == 0 || r.Latency.Count() != r.Requests {
			t.Fatalf("%s: %d right, %d wrong, %v", w.Body, r.Requests, r.Errors, r.Err)
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	s := upstream.Start(t)
	for body, want := range map[string]string{
		`{"model":"fail-500","messages":[]}`:              "status 500",
		`{"model":"big","messages":[]}`:                   "lacks",
		`{"model":"cut-5","messages":[]}`:                 "EOF",
		`{"model":"cut-5","stream":true,"messages":[]}`:   "EOF",
		`{"model":"small","stream":true,"messages":[]}`:   "data lines",
		`{"model":"chunks-4","stream":true,"messages":0}`: "data lines",
	} {
		w := Work{Path: "/v1/chat/completions", Header: header, Body: []byte(body), Stream: strings.Contains(body, "stream"), Chunks: 2}
		if !w.Stream {
			w.Marker = []byte("no such words")
		}
		r := Do(context.Background(), Run{Work: &w, Addr: s.Addr(), Conns: 1, Length: 20 * time.Millisecond})
		if r.Requests != 0 || r.Err == nil || !strings.Contains(r.Err.Error(), want) {
			t.Errorf("%s: %d right, %v; want %q", body, r.Requests, r.Err, want)
		}
	}
}

// A stall of the server shows in an open loop for every request that was due
// meanwhile, not only for the one that was under way.
func TestOpenCountsWaiting(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for i := 0; ; i++ {
			for line := "x"; line != "\r\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			if i == 10 {
				time.Sleep(200 * time.Millisecond) // the stall
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}()
	r := Do(context.Background(), Run{Work: &Work{Path: "/", Marker: []byte("ok")}, Addr: ln.Addr().String(),
		Conns: 1, Rate: 200, Length: 500 * time.Millisecond})
	if r.Errors != 0 || r.Requests != 100 {
		t.Fatalf("%d right, %d wrong: %v", r.Requests, r.Errors, r.Err)
	}
	if p80 := r.Latency.Quantile(0.8); p80 < 20*time.Millisecond {
		t.Fatalf("p80 is %v: waiting was not counted", p80)
	}
}

func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 200).Draw(t, "values")
		var a, b Hist
		for i, v := range values {
			if i%2 == 0 {
				a.Add(time.Duration(v))
			} else {
				b.Add(time.Duration(v))
			}
		}
		a.Merge(&b)
		slices.Sort(values)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		rank := min(max(int(q*float64(len(values))+0.5), 1), len(values))
		want := values[rank-1]
		got := int64(a.Quantile(q))
		if got < want || float64(got) > float64(want)*1.04+1 {
			t.Fatalf("quantile %v is %d, want %d", q, got, want)
		}
		if a.Max() != time.Duration(values[len(values)-1]) || a.Count() != int64(len(values)) {
			t.Fatalf("max %v, count %d", a.Max(), a.Count())
		}
	})
}
