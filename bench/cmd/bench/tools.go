package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/bench/load"
	"sluice/bench/upstream"
)

// serveUpstream runs the fake provider until a signal comes.
func serveUpstream(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench upstream", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:9000", "where to listen")
	record := fs.Int("record", 64, "how many requests GET /last can give")
	if err := parse(fs, args); err != nil {
		return err
	}
	s, err := upstream.New(upstream.Options{Addr: *addr, Record: *record})
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println(s.URL())
	<-ctx.Done()
	return nil
}

// serveProxy is the least that a proxy on fasthttp can do: requests and
// answers pass as they are, streams chunk by chunk.
func serveProxy(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench proxy", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:0", "where to listen")
	to := fs.String("to", "", "host:port to pass requests to")
	if err := parse(fs, args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("cannot start proxy: %w", err)
	}
	whole := &fasthttp.HostClient{Addr: *to, MaxConns: 4096, ReadBufferSize: 16 << 10}
	streamed := &fasthttp.HostClient{Addr: *to, MaxConns: 4096, ReadBufferSize: 16 << 10, StreamResponseBody: true}
	server := &fasthttp.Server{MaxRequestBodySize: 64 << 20, Handler: func(c *fasthttp.RequestCtx) {
		client := whole
		if bytes.Contains(c.PostBody(), []byte(`"stream":true`)) {
			client, c.Response.ImmediateHeaderFlush = streamed, true
		}
		if err := client.Do(&c.Request, &c.Response); err != nil {
			c.Error(err.Error(), fasthttp.StatusBadGateway)
		}
	}}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown() // the process ends with it
	}()
	return server.Serve(ln)
}

// drive sends one body again and again.
func drive(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench load", flag.ContinueOnError)
	target := fs.String("url", "http://127.0.0.1:8080/v1/chat/completions", "where to send")
	key := fs.String("key", "x", "bearer key")
	body := fs.String("body", `{"model":"mock/echo","messages":[{"role":"user","content":"hello"}]}`, "request body, or @file")
	marker := fs.String("marker", "", "what every answer must hold")
	stream := fs.Bool("stream", false, "the answer is an event stream")
	conns := fs.Int("conns", 32, "connections")
	rate := fs.Float64("rate", 0, "requests a second, open loop; 0: closed loop")
	seconds := fs.Float64("seconds", 5, "how long")
	if err := parse(fs, args); err != nil {
		return err
	}
	u, err := url.Parse(*target)
	if err != nil || u.Host == "" || *conns < 1 {
		return fmt.Errorf("%w: -url %q, -conns %d", errUsage, *target, *conns)
	}
	w := &load.Work{Path: u.RequestURI(), Header: map[string]string{"Authorization": "Bearer " + *key},
		Body: []byte(*body), Marker: []byte(*marker), Stream: *stream}
	if name, ok := bytes.CutPrefix(w.Body, []byte("@")); ok {
		if w.Body, err = os.ReadFile(string(name)); err != nil {
			return fmt.Errorf("cannot read body: %w", err)
		}
	}
	r := load.Do(ctx, load.Run{Work: w, Addr: u.Host, Conns: *conns, Rate: *rate, Length: time.Duration(*seconds * float64(time.Second))})
	fmt.Printf("%d right, %d wrong, %.0f/s; mean %v, p50 %v, p90 %v, p99 %v, p99.9 %v, max %v\n", r.Requests, r.Errors, r.Rate(),
		r.Latency.Mean(), r.Latency.Quantile(0.5), r.Latency.Quantile(0.9), r.Latency.Quantile(0.99), r.Latency.Quantile(0.999), r.Latency.Max())
	return r.Err
}
