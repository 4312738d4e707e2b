package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// apiServer is a double of Kubernetes: its list, and the watch that is open.
type apiServer struct {
	*httptest.Server
	mu      sync.Mutex
	at      string // host:port of the service
	version int
	gone    bool     // the next watch is refused, for its version is gone
	lists   int      // that were asked for
	from    []string // versions that watches went on from
	lines   chan string
}

func startAPIServer(t *testing.T, at string) *apiServer {
	t.Helper()
	s := &apiServer{at: at, version: 1, lines: make(chan string)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// move has the list tell of another place, at a later version.
func (s *apiServer) move(at string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.gone = at, gone
	s.version += 10
}

func sliceAt(at string, version int) string {
	host, port, _ := net.SplitHostPort(at)
	return fmt.Sprintf(`{"metadata":{"name":"s","resourceVersion":"%d"},"addressType":"IPv4","endpoints":[{"addresses":[%q],"conditions":{"ready":true}}],"ports":[{"name":"http","port":%s}]}`, version, host, port)
}

func (s *apiServer) serve(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	list := fmt.Sprintf(`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"%d"},"items":[%s]}`, s.version, sliceAt(s.at, s.version))
	watch, gone := q.URL.Query().Get("watch") != "", s.gone
	if watch {
		s.from, s.gone = append(s.from, q.URL.Query().Get("resourceVersion")), false
	} else {
		s.lists++
	}
	s.mu.Unlock()
	switch {
	case !watch:
		fmt.Fprint(w, list)
		return
	case gone:
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"kind":"Status","code":410,"reason":"Expired"}`)
		return
	}
	flush := w.(http.Flusher).Flush
	flush()
	for {
		select {
		case line := <-s.lines:
			if line == "" { // the watch ends by itself
				return
			}
			for len(line) > 0 { // in pieces that end anywhere
				n := min(len(line), 17)
				_, _ = w.Write([]byte(line[:n]))
				flush()
				line = line[n:]
			}
			_, _ = w.Write([]byte("\n"))
			flush()
		case <-q.Context().Done():
			return
		}
	}
}

func (s *apiServer) asked() (lists int, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists, strings.Join(s.from, " ")
}

// While requests come, a watch brings changes in pieces and bookmarks, ends, goes
// on from the bookmark, and loses its version in both ways that there are: the
// gateway lists anew, and no request fails.
func TestRouteKubernetesGone(t *testing.T) {
	a, b, c := startCounter(t, "a"), startCounter(t, "b"), startCounter(t, "c")
	at := func(s *counter) string { return strings.TrimPrefix(s.url, "http://") }
	api := startAPIServer(t, at(a))
	g := start(t, `routes: [{name: r, match: {path: "/r/**"}, backend: {http: {discover: {kubernetes: {url: "`+api.URL+`", service: orders, namespace: shop, port: http}}}}}]`+"\n")
	leads := func(to *counter) {
		t.Helper()
		if !eventually(20*time.Second, func() bool { return g.data("GET", "/r/x", "").header.Get("X-Backend") == to.name }) {
			t.Fatalf("the route does not lead to %s: %s", to.name, g.api("GET", "routes/r", "").body)
		}
	}
	leads(a)
	var answers tally[string]
	stop := g.crowd("127.0.0.1", 8).endless(func(_ string, r *fasthttp.Response, err error) {
		if err != nil || r.StatusCode() != 200 || string(r.Body()) != "whole" {
			answers.add(fmt.Sprint("failed: ", err, " ", r.StatusCode(), " ", string(r.Body())))
			return
		}
		answers.add(string(r.Header.Peek("X-Backend")))
	}, "/r/x")

	api.lines <- `{"type":"MODIFIED","object":` + sliceAt(at(b), 2) + `}`
	leads(b)
	api.lines <- `{"type":"BOOKMARK","object":{"kind":"EndpointSlice","metadata":{"resourceVersion":"7","annotations":{}}}}`
	api.lines <- ""
	api.lines <- `{"type":"MODIFIED","object":` + sliceAt(at(c), 8) + `}`
	leads(c)
	if lists, from := api.asked(); lists != 1 || from != "1 7" {
		t.Errorf("%d lists, watches from %s", lists, from)
	}
	api.move(at(a), false)
	api.lines <- `{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 8 (11)","reason":"Expired","code":410}}`
	leads(a)
	api.move(at(b), true)
	api.lines <- "" // and the next one is refused
	leads(b)
	api.lines <- `{"type":"MODIFIED","object":` + sliceAt(at(c), 30) + `}`
	leads(c)
	n := stop()
	t.Logf("%d requests: %v", n, answers.of)
	for who := range answers.of {
		if len(who) > 1 {
			t.Errorf("%d requests %s", answers.of[who], who)
		}
	}
	if lists, from := api.asked(); lists != 3 || from != "1 7 11 11 21" {
		t.Errorf("%d lists, watches from %s", lists, from)
	}
	if r := g.api("GET", "routes/r", ""); r.get("discovery.state").Str != "current" || r.get("discovery.changes").Int() != 6 {
		t.Errorf("shown as %s", strconv.Quote(r.body))
	}
}
