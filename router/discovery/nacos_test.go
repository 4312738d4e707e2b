package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// nacos is a double of a server, of version 3 or older, that wants a token.
type nacos struct {
	mu     sync.Mutex
	old    bool
	hosts  string
	token  string
	ttl    int
	logins int
	code   int
}

func (n *nacos) set(f func(n *nacos)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

func (n *nacos) serve(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	login, list, clusters, token := "/nacos/v3/auth/user/login", "/nacos/v3/client/ns/instance/list", "clusterName", r.Header.Get("accessToken")
	if n.old {
		login, list, clusters, token = "/nacos/v1/auth/login", "/nacos/v1/ns/instance/list", "clusters", r.URL.Query().Get("accessToken")
	}
	q := r.URL.Query()
	switch {
	case r.URL.Path == login && r.Method == http.MethodPost:
		if r.PostFormValue("username") != "gateway" || r.PostFormValue("password") != "a&b=c" {
			http.Error(w, "unknown user!", http.StatusForbidden)
			return
		}
		n.logins++
		fmt.Fprintf(w, `{"accessToken":%q,"tokenTtl":%d,"globalAdmin":false,"username":"gateway"}`, n.token, n.ttl)
	case r.URL.Path == list && token != n.token:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":403,"message":"token invalid!","data":null}`)
	case r.URL.Path == list && (q.Get("serviceName") != "orders" || q.Get("namespaceId") != "shop" || q.Get("groupName") != "web" || q.Get(clusters) != "east"):
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == list && n.old:
		fmt.Fprintf(w, `{"name":"web@@orders","groupName":"web","clusters":"east","cacheMillis":10000,"hosts":[%s],"lastRefTime":1,"checksum":"","allIPs":false,"valid":true}`, n.hosts)
	case r.URL.Path == list:
		fmt.Fprintf(w, `{"code":%d,"message":"success","data":[%s]}`, n.code, n.hosts)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"status":404,"error":"Not Found","path":%q}`, r.URL.Path)
	}
}

// host is an instance; more is what else is told of it.
func host(ip string, weight float64, more string) string {
	return fmt.Sprintf(`{"ip":%q,"port":8080,"weight":%v,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"east","serviceName":"web@@orders","metadata":{}%s}`, ip, weight, more)
}

func startNacos(t *testing.T, n *nacos, password string) (*registry, *follows) {
	r := serve(t, n.serve)
	return r, follow(t, Nacos{URL: r.URL + "/nacos", Service: "orders", Namespace: "shop", Group: "web", Clusters: []string{"east"},
		Username: "gateway", Password: password, Every: 100 * time.Millisecond, Scheme: "http"}.Watch)
}

// Both APIs, the same to those who follow: weights, what is not healthy or not
// enabled, a service that is gone, a registry that is down.
func TestNacos(t *testing.T) {
	for name, old := range map[string]bool{"3": false, "2": true} {
		t.Run(name, func(t *testing.T) {
			n := &nacos{old: old, token: "t1", ttl: 18000, hosts: host("10.0.0.1", 1, "") + "," + host("10.0.0.2", 3, "")}
			r, f := startNacos(t, n, "a&b=c")
			f.next("10.0.0.1:8080 10.0.0.2:8080*3")
			n.set(func(n *nacos) {
				n.hosts = strings.Join([]string{host("10.0.0.1", 1, `,"healthy":false`), host("10.0.0.2", 1, `,"enabled":false`), host("10.0.0.3", 0, ""),
					host("10.0.0.4", 1, ""), host("10.0.0.5", 1, `,"clusterName":"west"`)}, ",")
			})
			f.next("10.0.0.4:8080")
			n.set(func(n *nacos) { n.token = "t2" }) // the server has another secret now
			n.set(func(n *nacos) { n.hosts = host("10.0.0.6", 2, "") })
			f.next("10.0.0.6:8080*2")
			n.set(func(n *nacos) {
				if n.logins != 2 {
					t.Errorf("it signed in %d times", n.logins)
				}
			})
			n.set(func(n *nacos) { n.hosts = "" })
			f.next("")
			n.set(func(n *nacos) { n.hosts = host("10.0.0.7", 1, "") })
			f.next("10.0.0.7:8080")

			r.fail(true)
			f.await(Stale)
			if list, ok := f.Current(); !ok || show(list) != "10.0.0.7:8080" {
				t.Errorf("while it is down: %v", list)
			}
			n.set(func(n *nacos) { n.hosts = host("10.0.0.8", 1, "") })
			r.fail(false)
			f.next("10.0.0.8:8080")
			for _, q := range r.heard() {
				if strings.Contains(q, "password") || !old && strings.Contains(q, "accessToken") {
					t.Errorf("asked for %s", q)
				}
			}
		})
	}
}

// A token is got anew before its time is over.
func TestNacosToken(t *testing.T) {
	n := &nacos{token: "t", ttl: 0, hosts: host("10.0.0.1", 1, "")}
	r, f := startNacos(t, n, "a&b=c")
	f.next("10.0.0.1:8080")
	f.settle(r, "/nacos/v3/auth/user/login", 2)
}

// What is wrong is told, without what must not be.
func TestNacosRefuses(t *testing.T) {
	n := &nacos{token: "t", ttl: 18000}
	_, f := startNacos(t, n, "wrong")
	for range 1000 {
		if f.Status().Error != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s := f.Status(); s.State != Waiting || s.Error != "nacos: cannot sign in: the registry answered with status 403" {
		t.Errorf("a wrong password: %+v", s)
	}
	n = &nacos{token: "t", ttl: 18000, hosts: host("10.0.0.1", 1, "")}
	_, f = startNacos(t, n, "a&b=c")
	f.next("10.0.0.1:8080")
	n.set(func(n *nacos) { n.code = 30000 })
	f.await(Stale)
	if s := f.Status(); !strings.Contains(s.Error, "code 30000") {
		t.Errorf("a code: %+v", s)
	}
}

// Weights that are fractions keep their shares.
func TestNacosWeights(t *testing.T) {
	for text, want := range map[string]string{
		"1 2":       "1 2",
		"0.5 1":     "50 100",
		"0.001 0.5": "1 50",
		"1e300 1":   "1000000 1",
		"-1 2":      "2",
	} {
		var list []nacosInstance
		for word := range strings.FieldsSeq(text) {
			var i nacosInstance
			if err := json.Unmarshal([]byte(`{"ip":"10.0.0.`+fmt.Sprint(len(list))+`","port":1,"weight":`+word+`}`), &i); err != nil {
				t.Fatal(err)
			}
			list = append(list, i)
		}
		var got []string
		for _, e := range ordered(Nacos{Scheme: "http"}.endpoints(list)) {
			got = append(got, fmt.Sprint(e.Weight))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is read as %v, want %s", text, got, want)
		}
	}
}

// What a registry says may be anything.
func FuzzNacos(f *testing.F) {
	for _, text := range []string{`{}`, `{"data":[` + host("1.2.3.4", 0.1, "") + `]}`, `{"hosts":[` + host("::1", 1, `,"port":-1`) + `]}`,
		`{"hosts":[{"ip":"1.1.1.1","port":80,"valid":false}]}`, `{"data":[{"ip":"","port":70000,"weight":1e308}]}`, `{"code":-1,"data":null}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var list nacosList
		if json.Unmarshal(text, &list) != nil {
			return
		}
		for _, e := range ordered(Nacos{Scheme: "http"}.endpoints(append(list.Data, list.Hosts...))) {
			if e.Weight < 1 || e.Weight > mostWeight || e.URL == "" {
				t.Errorf("%s is read as %+v", text, e)
			}
		}
	})
}
