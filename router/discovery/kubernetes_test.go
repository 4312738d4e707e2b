package discovery

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// kube is a double of an API server: its list, and the lines of its watches.
type kube struct {
	mu      sync.Mutex
	items   string
	version int
	lines   chan string // each goes to the watch that is open; "" ends it
	refuse  int         // status that the next watch is refused with
}

func (k *kube) set(version int, items string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version, k.items = version, items
}

func (k *kube) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path != "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" || q.Get("labelSelector") != "kubernetes.io/service-name=orders" || r.Header.Get("Authorization") != "Bearer tok" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	k.mu.Lock()
	refuse := k.refuse
	list := fmt.Sprintf(`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"%d"},"items":[%s]}`, k.version, k.items)
	if q.Get("watch") != "" {
		k.refuse = 0
	}
	k.mu.Unlock()
	if q.Get("watch") == "" {
		fmt.Fprint(w, list)
		return
	}
	if refuse != 0 {
		w.WriteHeader(refuse)
		return
	}
	w.(http.Flusher).Flush()
	for {
		select {
		case line := <-k.lines:
			if line == "" {
				return
			}
			fmt.Fprintln(w, line)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// piece is an EndpointSlice; addresses with a ! are not ready.
func piece(name string, version int, addresses ...string) string {
	var list []string
	for _, a := range addresses {
		ready := "true"
		if strings.HasPrefix(a, "!") {
			ready, a = "false", a[1:]
		}
		list = append(list, fmt.Sprintf(`{"addresses":[%q],"conditions":{"ready":%s}}`, a, ready))
	}
	return fmt.Sprintf(`{"metadata":{"name":%q,"resourceVersion":"%d"},"addressType":"IPv4","endpoints":[%s],"ports":[{"name":"metrics","port":9100},{"name":"http","port":8080}]}`,
		name, version, strings.Join(list, ","))
}

func event(kind, object string) string { return fmt.Sprintf(`{"type":%q,"object":%s}`, kind, object) }

// List, watch, resume, and a list anew after 410 in both its forms.
func TestKubernetes(t *testing.T) {
	k := &kube{version: 10, items: piece("a", 5, "10.0.0.1", "!10.0.0.2"), lines: make(chan string)}
	r := serve(t, k.serve)
	f := follow(t, Kubernetes{URL: r.URL, Namespace: "shop", Service: "orders", Port: "http", Token: "tok", Scheme: "http"}.Watch)
	f.next("10.0.0.1:8080")
	k.lines <- event("MODIFIED", piece("a", 11, "10.0.0.1", "10.0.0.2"))
	f.next("10.0.0.1:8080 10.0.0.2:8080")
	k.lines <- event("ADDED", piece("b", 12, "10.0.0.2", "10.0.0.3")) // one of them in both
	f.next("10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080")
	k.lines <- event("BOOKMARK", `{"metadata":{"resourceVersion":"20"}}`)
	k.lines <- event("SOMETHING", `{}`)
	k.lines <- "" // the watch ends by itself
	k.lines <- event("DELETED", piece("a", 21))
	f.next("10.0.0.2:8080 10.0.0.3:8080")
	resumed := r.heard()
	if last := resumed[len(resumed)-1]; !strings.Contains(last, "resourceVersion=20&") {
		t.Errorf("it went on from %s", last)
	}

	k.set(40, piece("c", 30, "10.0.0.4"))
	k.lines <- event("ERROR", `{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}`)
	f.next("10.0.0.4:8080")
	k.set(50, piece("c", 45, "10.0.0.5"))
	k.mu.Lock()
	k.refuse = http.StatusGone
	k.mu.Unlock()
	k.lines <- ""
	f.next("10.0.0.5:8080")
	if s := f.Status(); s.State != Current {
		t.Errorf("a version that is gone counts as a failure: %+v", s)
	}

	r.fail(true)
	f.await(Stale)
	if list, _ := f.Current(); show(list) != "10.0.0.5:8080" {
		t.Errorf("while it is down: %v", list)
	}
	k.set(60, piece("c", 55, "10.0.0.6"))
	r.fail(false)
	f.next("10.0.0.6:8080")
}

func TestKubernetesPorts(t *testing.T) {
	s := slice{}
	if (Kubernetes{}).port(s) != 0 {
		t.Error("a slice without ports has one")
	}
	s.Ports = append(s.Ports, struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	}{"a", 1}, struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	}{"b", 2})
	for port, want := range map[string]int{"": 1, "b": 2, "2": 2, "c": 0} {
		if got := (Kubernetes{Port: port}).port(s); got != want {
			t.Errorf("port %q is %d, want %d", port, got, want)
		}
	}
}
