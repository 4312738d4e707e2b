package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/tidwall/gjson"
)

// registries is a double of Consul, Eureka, Nacos (of versions 3 and 2), Polaris,
// Kubernetes and a name server, which all know the same service at one address.
type registries struct {
	*httptest.Server
	names string // host:port of the name server

	mu      sync.Mutex
	down    bool
	at      string // host:port of the service
	version int
	moved   chan struct{}
}

func startRegistries(t *testing.T, at string) *registries {
	t.Helper()
	r := &registries{moved: make(chan struct{})}
	r.move(at)
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: socket, Handler: dns.HandlerFunc(r.resolve)}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = socket.Close() })
	r.names = socket.LocalAddr().String()
	return r
}

func (r *registries) move(at string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = strings.TrimPrefix(at, "http://")
	r.version++
	close(r.moved)
	r.moved = make(chan struct{})
}

func (r *registries) fail() {
	r.mu.Lock()
	r.down = true
	r.mu.Unlock()
	r.CloseClientConnections()
}

func (r *registries) state() (host, port string, version int, moved chan struct{}, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	host, port, _ = net.SplitHostPort(r.at)
	return host, port, r.version, r.moved, r.down
}

func (r *registries) serve(w http.ResponseWriter, q *http.Request) {
	host, port, version, moved, down := r.state()
	slice := fmt.Sprintf(`{"metadata":{"name":"s","resourceVersion":"%d"},"addressType":"IPv4","endpoints":[{"addresses":[%q]}],"ports":[{"name":"http","port":%s}]}`, version, host, port)
	switch {
	case down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case strings.HasPrefix(q.URL.Path, "/v1/health/service/"):
		if since := q.URL.Query().Get("index"); since == strconv.Itoa(version) {
			select {
			case <-moved:
			case <-q.Context().Done():
			}
			host, port, version, _, _ = r.state()
		}
		w.Header().Set("X-Consul-Index", strconv.Itoa(version))
		fmt.Fprintf(w, `[{"Node":{"Address":%q},"Service":{"Port":%s,"Weights":{"Passing":1}}}]`, host, port)
	case strings.HasPrefix(q.URL.Path, "/eureka/apps"):
		instance := `{"instanceId":"%d","ipAddr":%q,"hostName":"h","status":"UP","port":{"$":%s,"@enabled":"true"},"actionType":"%s"}`
		list := fmt.Sprintf(instance, version, host, port, "ADDED")
		if strings.HasSuffix(q.URL.Path, "/delta") {
			list += "," + fmt.Sprintf(instance, version-1, host, port, "DELETED")
		}
		fmt.Fprintf(w, `{"applications":{"versions__delta":"1","apps__hashcode":"UP_1_","application":[{"name":"ORDERS","instance":[%s]}]}}`, list)
	case q.URL.Path == "/nacos/v3/auth/user/login", q.URL.Path == "/old/v1/auth/login":
		if q.PostFormValue("username") != "gateway" || q.PostFormValue("password") != "hushhush" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"accessToken":"tok","tokenTtl":18000,"globalAdmin":false}`)
	case q.URL.Path == "/nacos/v3/client/ns/instance/list" && q.Header.Get("accessToken") == "tok":
		fmt.Fprintf(w, `{"code":0,"message":"success","data":[{"ip":%q,"port":%s,"weight":2.0,"healthy":true,"enabled":true,"clusterName":"DEFAULT"}]}`, host, port)
	case q.URL.Path == "/old/v1/ns/instance/list" && q.URL.Query().Get("accessToken") == "tok":
		fmt.Fprintf(w, `{"name":"DEFAULT_GROUP@@orders","hosts":[{"ip":%q,"port":%s,"weight":2.0,"healthy":true,"enabled":true,"clusterName":"DEFAULT"}]}`, host, port)
	case strings.HasPrefix(q.URL.Path, "/old/"), strings.HasPrefix(q.URL.Path, "/nacos/"):
		w.WriteHeader(http.StatusNotFound)
	case q.URL.Path == "/v1/Discover":
		body, _ := io.ReadAll(q.Body)
		if gjson.GetBytes(body, "service.revision").Str == strconv.Itoa(version) {
			fmt.Fprint(w, `{"code":200001,"info":"discover data is no change","type":"INSTANCE","instances":[]}`)
			return
		}
		fmt.Fprintf(w, `{"code":200000,"type":"INSTANCE","service":{"revision":"%d"},"instances":[{"host":%q,"port":%s,"weight":100,"healthy":true,"isolate":false}]}`, version, host, port)
	case q.URL.Query().Get("watch") != "":
		w.(http.Flusher).Flush()
		select {
		case <-moved:
			host, port, version, _, _ = r.state()
			fmt.Fprintf(w, `{"type":"MODIFIED","object":{"metadata":{"name":"s","resourceVersion":"%d"},"endpoints":[{"addresses":[%q]}],"ports":[{"name":"http","port":%s}]}}`, version, host, port)
		case <-q.Context().Done():
		}
	default:
		fmt.Fprintf(w, `{"metadata":{"resourceVersion":"%d"},"items":[%s]}`, version, slice)
	}
}

func (r *registries) resolve(w dns.ResponseWriter, q *dns.Msg) {
	host, port, _, _, down := r.state()
	a := new(dns.Msg)
	a.SetReply(q)
	record := "svc.test. 1 IN A " + host
	if q.Question[0].Qtype == dns.TypeSRV {
		record = q.Question[0].Name + " 1 IN SRV 1 1 " + port + " svc.test."
	}
	if answer, err := dns.NewRR(record); err == nil && !down {
		a.Answer = append(a.Answer, answer)
	} else {
		a.Rcode = dns.RcodeServerFailure
	}
	_ = w.WriteMsg(a)
}

var discoverers = []string{"srv", "consul", "eureka", "nacos", "nacos2", "polaris", "kubernetes", "file"}

func (r *registries) routes() string {
	text := "routes:\n"
	for name, discover := range map[string]string{
		"srv":        `dns: {name: _http._tcp.svc.test, type: SRV, server: "` + r.names + `"}`,
		"consul":     `consul: {url: "` + r.URL + `", service: orders}`,
		"eureka":     `eureka: {url: "` + r.URL + `/eureka", app: ORDERS, every: 100ms}`,
		"nacos":      `nacos: {url: "` + r.URL + `/nacos", service: orders, username: gateway, password: hushhush, every: 100ms}`,
		"nacos2":     `nacos: {url: "` + r.URL + `/old", service: orders, username: gateway, password: hushhush, every: 100ms}`,
		"polaris":    `polaris: {url: "` + r.URL + `", service: orders, every: 100ms}`,
		"kubernetes": `kubernetes: {url: "` + r.URL + `", service: orders, namespace: shop, port: http}`,
		"file":       `file: targets.yaml`,
	} {
		text += "  - {name: " + name + `, match: {path: "/` + name + `/**"}, backend: {http: {discover: {` + discover + "}}}}\n"
	}
	return text
}

// Targets come from registries; a change is followed with no failed
// request, a registry that is down leaves what was known, and one that was
// never up is told of.
func TestRouteDiscovery(t *testing.T) {
	a, b := startBackend(t, "a"), startBackend(t, "b")
	r := startRegistries(t, a.URL)
	g := newGateway(t, "")
	file := func(url string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(g.dir, "targets.yaml"), []byte("- {url: \""+url+"\", weight: 2}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file(a.URL)
	configuration := head + r.routes() + team
	g.configure(configuration)
	g.start()
	await := func(want string) {
		t.Helper()
		for _, name := range discoverers {
			where := func() bool { return g.data("GET", "/"+name+"/x", "").header.Get("X-Backend") == want }
			if !eventually(10*time.Second, where) {
				t.Fatalf("%s does not lead to %s: %s", name, want, g.api("GET", "routes/"+name, "").body)
			}
		}
	}
	await("a")

	var failed, made atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for _, name := range discoverers {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				made.Add(1)
				if res := g.data("POST", "/"+name+"/x", "body"); res.status != 200 {
					failed.Add(1)
				}
			}
		})
	}
	r.move(b.URL)
	file(b.URL)
	await("b")
	for i := range 3 { // reloads that change something else
		g.configure(configuration + fmt.Sprintf("log: {level: info}\n# %d\n", i))
		if r := g.api("POST", "reload", ""); r.status != 200 {
			t.Error(r.body)
		}
	}
	r.move(a.URL)
	file(a.URL)
	await("a")
	close(stop)
	load.Wait()
	if failed.Load() > 0 || made.Load() < 50 {
		t.Errorf("%d of %d requests failed while targets changed", failed.Load(), made.Load())
	}
	for name, weight := range map[string]int64{"nacos": 2, "nacos2": 2, "polaris": 100} {
		if got := g.api("GET", "routes/"+name, "").body; gjson.Get(got, "targets.0.weight").Int() != weight {
			t.Errorf("%s: the weight is lost: %s", name, got)
		}
	}
	shown := g.api("GET", "routes/consul", "").body
	if at := gjson.Get(shown, "targets.0.url").Str; at != a.URL || gjson.Get(shown, "targets.#").Int() != 1 || gjson.Get(shown, "discovery.state").Str != "current" || gjson.Get(shown, "discovery.registry").Str != "consul" {
		t.Errorf("shown as %s", shown)
	}

	r.fail()
	if err := os.Remove(filepath.Join(g.dir, "targets.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, name := range discoverers {
		if !eventually(10*time.Second, func() bool { return gjson.Get(g.api("GET", "routes/"+name, "").body, "discovery.state").Str == "stale" }) {
			t.Errorf("%s: %s", name, g.api("GET", "routes/"+name, "").body)
		}
	}
	await("a")
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(metrics.body, `sluice_discovery_current{registry="eureka",route="eureka"} 0`) || !strings.Contains(metrics.body, `sluice_discovery_endpoints{registry="file",route="file"} 1`) {
		t.Errorf("metrics do not tell: %v", err)
	}
	if !g.logs("a registry fails: a route keeps the targets that were known last") {
		t.Error("the log does not tell")
	}

	g.stop()
	g.spawn()
	g.waitReady()
	for _, name := range discoverers {
		if r := g.data("GET", "/"+name+"/x", ""); r.status != 503 || gjson.Get(r.body, "code").Str != "unavailable" || r.header.Get("Retry-After") == "" {
			t.Errorf("%s without its registry at the start: %d %s", name, r.status, r.body)
		}
	}
	if e := g.api("GET", "explain?path=/"+discoverers[0]+"/x", ""); e.status != 200 {
		t.Errorf("explain: %d %s", e.status, e.body)
	}
}

// A records with the port in the name, and a certificate for that name.
func TestRouteDiscoveryTLS(t *testing.T) {
	ours := newAuthority(t, "ours")
	secure := ours.secure(t, "svc.test", time.Now().Add(time.Hour), nil)
	r := startRegistries(t, strings.TrimPrefix(secure.URL, "https://"))
	u, err := url.Parse(secure.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, "")
	if err := os.WriteFile(filepath.Join(g.dir, "ca.pem"), ours.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	g.configure(head + `routes: [{name: r, match: {path: /r}, backend: {http: {tls: {ca: ca.pem}, discover: {dns: {name: "svc.test:` + u.Port() + `", server: "` + r.names + `"}}}}}]` + "\n" + team)
	g.start()
	if res := g.data("GET", "/r", ""); res.status != 200 || res.body != "hello nobody" {
		t.Errorf("%d %s", res.status, res.body)
	}
}
