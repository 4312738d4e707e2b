package e2e

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// What is too much waits for its turn, and is refused when too many wait.
func TestRouteThrottle(t *testing.T) {
	var mu sync.Mutex
	var came []time.Time
	b := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, time.Now())
	}))
	t.Cleanup(b.Close)
	g := start(t, `routes:
  - {name: paced, match: {path: "/paced"}, backend: {http: {targets: ["`+b.URL+`"]}}, limits: {rate: 50/1s, per: ip, throttle: {delay: 20ms, queue: 100}}}
  - {name: slow, match: {path: "/slow"}, backend: {static: {body: x}}, limits: {rate: 2/1h, per: route, throttle: {after: 1, delay: 1h, queue: 1}}}
`+team)
	crowd := func(n int) (passed, refused int) {
		results := make(chan answer, n)
		for range n {
			go func() { results <- g.raw("GET", "/paced", "") }()
		}
		for range n {
			switch r := <-results; {
			case r.status == 200:
				passed++
			case r.status == 429 && r.header.Get("Retry-After") != "" && gjson.Get(r.body, "code").Str == "rate_limit_exceeded":
				refused++
			default:
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		return passed, refused
	}
	begun := time.Now()
	if passed, refused := crowd(100); passed != 100 || refused != 0 {
		t.Errorf("of 100 at once, with a queue for as many, %d passed and %d were refused", passed, refused)
	}
	mu.Lock()
	spaced(t, begun, came, 100)
	mu.Unlock()
	if passed, refused := crowd(400); passed < 100 || passed+refused != 400 || refused == 0 {
		t.Errorf("of 400 at once %d passed and %d were refused", passed, refused)
	}

	// One that waits and leaves makes room.
	if r := g.raw("GET", "/slow", ""); r.status != 200 {
		t.Fatalf("the first: %d", r.status)
	}
	said := make(chan string, 2) // of two, one waits and one is too many
	for range 2 {
		conn, err := net.Dial("tcp", g.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			fmt.Fprint(conn, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			line, _ := bufio.NewReader(conn).ReadString('\n')
			conn.Close()
			said <- line
		}()
	}
	if lines := <-said + <-said; strings.Count(lines, " 429 ") != 1 || strings.Count(lines, "HTTP/1.1") != 1 {
		t.Errorf("of two, these were answered: %q", lines)
	}
	if !eventually(10*time.Second, func() bool { return strings.Contains(g.stdout.String(), " 499 ") }) {
		t.Errorf("a caller that left still waits:\n%s", tail(g.stdout.String(), 1000))
	}
}

// spaced looks at when requests came that were to come 20 ms after one another. On
// a machine that is busy they come late, and together, but none before its turn.
func spaced(t *testing.T, begun time.Time, came []time.Time, n int) {
	t.Helper()
	slices.SortFunc(came, time.Time.Compare)
	if len(came) != n {
		t.Fatalf("%d came", len(came))
	}
	for i, at := range came {
		if took := at.Sub(begun); took < time.Duration(i)*20*time.Millisecond {
			t.Errorf("%d came within %v of the first being sent", i+1, took)
		}
	}
	var gaps []time.Duration
	for i := range n - 1 {
		gaps = append(gaps, came[i+1].Sub(came[i]))
	}
	slices.Sort(gaps)
	t.Logf("between two that came: %v in the median, %v to %v for nine of ten", gaps[len(gaps)/2], gaps[len(gaps)/20], gaps[len(gaps)*19/20])
}

// Wrong passwords of one address, and for one account, are no longer
// looked at; wrong keys are refused otherwise, and right ones pass.
func TestGuessing(t *testing.T) {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "right" {
			w.WriteHeader(401)
		}
	}))
	t.Cleanup(login.Close)
	config := strings.Replace(head, "drain: 10s", "drain: 10s, trusted_proxies: [127.0.0.0/8], failures: 20/1h", 1)
	g := newGateway(t, "")
	g.configure(config + `routes:
  - {name: login, match: {path: "/login"}, backend: {http: {targets: ["` + login.URL + `"]}}, limits: {failures: 10/1h}}
  - {name: keyed, match: {path: "/keyed"}, backend: {static: {body: x}}, auth: {require: [key]}}
` + team)
	g.start()
	attempt := func(ip, user, password string) answer {
		return g.raw("GET", "/login", "", "X-Forwarded-For", ip, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	if r := attempt("9.9.9.9", "Alice", "right"); r.status != 200 {
		t.Fatalf("the right password: %d %s", r.status, r.body)
	}
	if counts := g.guess("/login", 200, 10_000, func(int) string { return "alice" }); counts[401] != 10 || counts[429] != 9990 {
		t.Errorf("many addresses, one account: %v", counts)
	}
	if r := attempt("10.0.1.1", "ALICE", "right"); r.status != 429 || r.header.Get("Retry-After") == "" || gjson.Get(r.body, "origin").Str != "policy" {
		t.Errorf("the account from elsewhere: %d %s", r.status, r.body)
	}
	if r := attempt("9.9.9.9", "alice", "right"); r.status != 200 {
		t.Errorf("the account from where it was signed in to: %d", r.status)
	}
	if counts := g.guess("/login", 1, 10_000, func(i int) string { return fmt.Sprint("user", i) }); counts[401] != 10 || counts[429] != 9990 {
		t.Errorf("one address, many accounts: %v", counts)
	}
	for _, user := range []string{"user1", "user9999", "bob"} {
		if r := attempt("10.0.2.3", user, "right"); r.status != 200 {
			t.Errorf("%s from another address: %d", user, r.status)
		}
	}
	counts := map[int]int{}

	for path, body := range map[string]string{"/keyed": "code", "/v1/models": "error.code"} {
		clear(counts)
		ip := "10.0.3." + fmt.Sprint(len(path))
		for i := range 30 {
			r := g.raw("GET", path, "", "X-Forwarded-For", ip, "Authorization", fmt.Sprint("Bearer guess", i))
			counts[r.status]++
			if r.status == 429 && (gjson.Get(r.body, body).Str != "rate_limit_exceeded" || r.header.Get("Retry-After") == "") {
				t.Errorf("%s: %v %s", path, r.header, r.body)
			}
		}
		if counts[401] != 20 || counts[429] != 10 {
			t.Errorf("%s, wrong keys: %v", path, counts)
		}
		if r := g.raw("GET", path, "", "X-Forwarded-For", ip, "Authorization", "Bearer "+teamKey); r.status != 200 {
			t.Errorf("%s: a right key from there: %d %s", path, r.status, r.body)
		}
		for range 30 {
			if r := g.raw("GET", path, "", "X-Forwarded-For", "10.0.4.4"); r.status != 401 {
				t.Fatalf("%s without a key: %d", path, r.status)
			}
		}
	}
}

// Connections of one address are capped, slow callers are shed.
func TestSlowAndManyConnections(t *testing.T) {
	b := startBackend(t, "a")
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "drain: 10s", "drain: 10s, header_timeout: 1s, idle_timeout: 1s, connections_per_ip: 50, body_rate: 1kB, body_limit: 1MiB", 1) + `routes:
  - {name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["` + b.URL + `"]}}}
  - {name: fixed, match: {path: "/fixed"}, backend: {static: {body: x}}}
` + team)
	g.start()
	for name, request := range map[string]string{
		"nothing":           "",
		"headers":           "GET /svc/x HTTP/1.1\r\nHost: h\r\nX-Slow: ",
		"body":              "POST /svc/sum HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
		"chunks":            "POST /svc/sum HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
		"body of a model":   "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
		"body for no route": "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
		"body that is left": "POST /fixed HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.DialTimeout("tcp", g.listen, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, request)
			drip := time.NewTicker(100 * time.Millisecond)
			defer drip.Stop()
			closed := make(chan struct{})
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				close(closed)
			}()
			for end := time.After(20 * time.Second); ; {
				select {
				case <-closed:
					return
				case <-drip.C:
					if request != "" {
						_, _ = conn.Write([]byte("x"))
					}
				case <-end:
					t.Fatal("it is not shed")
				}
			}
		})
	}
	t.Run("cap", func(t *testing.T) {
		g.client.CloseIdleConnections()
		var open []net.Conn
		defer func() {
			for _, c := range open {
				c.Close()
			}
		}()
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}, Timeout: 5 * time.Second}
		served := func(c net.Conn) bool {
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			fmt.Fprint(c, "GET /fixed HTTP/1.1\r\nHost: h\r\n\r\n")
			line, _ := bufio.NewReader(c).ReadString('\n')
			return strings.Contains(line, " 200 ")
		}
		good := 0
		for range 200 {
			c, err := from.Dial("tcp", g.listen)
			if err != nil {
				continue
			}
			open = append(open, c)
			if served(c) {
				good++
			}
		}
		if good < 50 || good > 60 { // some were idle long enough to be closed, if the machine is slow
			t.Errorf("%d connections of one address were served", good)
		}
		if r := g.raw("GET", "/fixed", ""); r.status != 200 {
			t.Errorf("another address: %d", r.status)
		}
		for _, c := range open {
			c.Close()
		}
		if !eventually(5*time.Second, func() bool {
			c, err := from.Dial("tcp", g.listen)
			if err != nil {
				return false
			}
			defer c.Close()
			return served(c)
		}) {
			t.Error("connections that were closed still count")
		}
		if m, err := g.send("GET", "http://"+g.admin+"/metrics", ""); err != nil || strings.Contains(m.body, "sluice_connections_refused_total 0\n") {
			t.Errorf("refused connections are not counted: %v", err)
		}
	})
	large := strings.Repeat("x", 1<<20)
	if r := g.raw("GET", "/fixed", "", "X-Large", large); r.status != 431 {
		t.Errorf("headers of 1 MiB: %d", r.status)
	}
	if r := g.raw("POST", "/svc/sum", large+"x"); r.status != 413 {
		t.Errorf("a body over the limit: %d", r.status)
	}
}

// A flood from one address, of connections and of what is far too large, is
// turned away without memory, and others are served meanwhile.
func TestFlood(t *testing.T) {
	connections, bomb := 300, 10<<20
	if full {
		connections, bomb = 5000, 100<<20
	}
	b := startBackend(t, "a")
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "drain: 10s", "drain: 10s, connections_per_ip: 100, body_limit: 1MiB", 1) + `routes:
  - {name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["` + b.URL + `"]}}}
`)
	g.start()
	memory := func() float64 {
		var n float64
		if _, err := fmt.Sscan(g.metric("process_resident_memory_bytes"), &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := memory()
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, Timeout: 10 * time.Second}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range connections {
		if c, err := from.Dial("tcp", g.listen); err == nil {
			open = append(open, c)
		}
		if i%100 == 99 {
			if r := g.raw("GET", "/svc/x", ""); r.status != 200 {
				t.Errorf("another address, beside %d connections: %d", i+1, r.status)
			}
		}
	}
	held := 0
	for _, c := range open {
		_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); errors.As(err, &timeout) && timeout.Timeout() {
			held++
		}
	}
	if held != 100 {
		t.Errorf("%d of %d connections of one address are held, want 100", held, connections)
	}
	piece := strings.Repeat("x", 64<<10)
	for name, begin := range map[string]string{
		"431 headers": "GET /svc/x HTTP/1.1\r\nHost: h\r\nX-Large: ",
		"413 length":  fmt.Sprintf("POST /svc/sum HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", bomb),
		"413 chunks":  fmt.Sprintf("POST /svc/sum HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", bomb),
	} {
		conn, err := net.Dial("tcp", g.listen)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		said := make(chan string, 1)
		go func() {
			line, _ := bufio.NewReader(conn).ReadString('\n')
			said <- line
		}()
		_, err = io.WriteString(conn, begin)
		for n := 0; n < bomb && err == nil; n += len(piece) {
			_, err = io.WriteString(conn, piece)
		}
		if line := <-said; !strings.Contains(line, name[:3]) {
			t.Errorf("%s of %d bytes: %q", name, bomb, line)
		}
		conn.Close()
	}
	if after := memory(); after > before+64<<20 {
		t.Errorf("it takes %.0f MiB more than before the flood", (after-before)/(1<<20))
	}
}
