package upstream

import (
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// Options of a fake. The zero value is ready to use.
type Options struct {
	Addr   string // where to listen; "": a free port of 127.0.0.1
	Record int    // how many requests to keep for Last, with counts by model and key; 0: none
}

// Server is a running fake. Its methods may be called from any goroutine.
type Server struct {
	counters counters
	static   sync.Map // what static plans answer, by staticKey
	http     *fasthttp.Server
	addr     string
	quit     chan struct{}
	once     sync.Once
	served   chan error
}

// New listens and serves until Close.
func New(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("cannot start fake upstream: %w", err)
	}
	s := &Server{addr: ln.Addr().String(), quit: make(chan struct{}), served: make(chan error, 1)}
	s.counters.keep = o.Record
	s.counters.models, s.counters.keys, s.counters.failed = map[string]int64{}, map[string]int64{}, map[string]int{}
	s.http = &fasthttp.Server{
		Handler: s.handle, Name: "fake", MaxRequestBodySize: 64 << 20, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		NoDefaultDate: true, CloseOnShutdown: true, Logger: quiet{},
	}
	go func() { s.served <- s.http.Serve(corkListener{ln.(*net.TCPListener)}) }()
	return s, nil
}

// T is the part of testing.TB that Start needs.
type T interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start runs a fake that records requests until the test ends.
func Start(t T) *Server {
	t.Helper()
	s, err := New(Options{Record: 64})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// URL is the fake's address: http://host:port, without a path.
func (s *Server) URL() string { return "http://" + s.addr }

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// Stats counts the calls so far.
func (s *Server) Stats() Stats { return s.counters.stats() }

// Last are the newest n recorded requests, the newest at the end.
func (s *Server) Last(n int) []Request { return s.counters.newest(n) }

// Close stops the fake; open calls are dropped.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.quit)
		_ = s.http.Shutdown() // it can only fail to close a listener that is closed
		<-s.served
	})
}

func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	path := string(ctx.Path())
	switch {
	case path == "/plain":
		writeJSON(ctx, 200, plainAnswer)
	case path == "/stats":
		writeJSON(ctx, 200, encode(s.Stats()))
	case path == "/last":
		writeJSON(ctx, 200, encode(s.Last(max(1, ctx.QueryArgs().GetUintOrZero("n")))))
	case strings.HasSuffix(path, "/chat/completions"):
		s.chat(ctx, &openaiFormat)
	case strings.HasSuffix(path, "/responses"):
		s.chat(ctx, &responsesFormat)
	case strings.HasSuffix(path, "/messages"):
		s.chat(ctx, &anthropicFormat)
	case strings.HasSuffix(path, "/messages/count_tokens"):
		a, _ := readAnthropic(path, string(ctx.PostBody()))
		a.readMessages()
		writeJSON(ctx, 200, encode(object{"input_tokens": a.words}))
	case strings.HasSuffix(path, "/embeddings"):
		s.embed(ctx, &openaiFormat, openaiEmbeddings)
	case strings.Contains(path, "/models/") && strings.Contains(path, ":"):
		s.gemini(ctx, path[strings.LastIndexByte(path, ':')+1:])
	case strings.Contains(path, "/model/"):
		s.bedrock(ctx, path[strings.LastIndexByte(path, '/')+1:])
	case strings.HasSuffix(path, "/models"):
		writeJSON(ctx, 200, modelList(path))
	default:
		writeJSON(ctx, 404, openaiError(404, "no such path: "+path))
	}
}

// plainAnswer is 1 KiB of a service that is no model.
var plainAnswer = []byte(`{"answer":"` + Marker + ` ` + strings.Repeat("x", 1024-len(Marker)-14) + `"}`)

func modelList(path string) []byte {
	var data []object
	if strings.HasPrefix(path, "/v1beta/") { // Gemini's
		for _, id := range []string{"small", "big", "echo"} {
			data = append(data, object{"name": "models/" + id, "displayName": id, "supportedGenerationMethods": []string{"generateContent"}})
		}
		return encode(object{"models": data})
	}
	for _, id := range []string{"small", "big", "echo"} {
		data = append(data, object{"id": id, "object": "model", "created": created, "owned_by": "fake"})
	}
	return encode(object{"object": "list", "data": data})
}

// embed answers a request for vectors with what make makes of its path and body.
func (s *Server) embed(ctx *fasthttp.RequestCtx, f *format, make func(path, body string) []byte) {
	s.counters.open.Add(1)
	defer s.counters.finish(wasDone)
	path, body := string(ctx.Path()), string(ctx.PostBody())
	a, _ := f.read(path, body)
	key := f.key(ctx)
	fault := f.check(ctx)
	switch {
	case a.model == "":
		fault = "the request has no model"
	case key == "":
		fault = "no key was given"
	}
	if fault != "" {
		writeJSON(ctx, 400, f.fault(400, fault))
		return
	}
	p := parsePlan(a.model)
	s.note(ctx, a.model, key)
	if s.failure(ctx, f, &p, a.model, key) {
		return
	}
	writeJSON(ctx, 200, make(path, body))
}

// note records a request if requests are recorded.
func (s *Server) note(ctx *fasthttp.RequestCtx, model, key string) {
	if s.counters.keep == 0 {
		return
	}
	r := Request{Method: string(ctx.Method()), Path: string(ctx.Path()), Query: string(ctx.URI().QueryString()), Body: string(ctx.PostBody()), Headers: map[string]string{}}
	for k, v := range ctx.Request.Header.All() {
		r.Headers[string(k)] = string(v)
	}
	s.counters.record(r, strings.Clone(model), key)
}

func writeJSON(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(body)
}

// quiet drops fasthttp's words about connections that we cut on purpose.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
