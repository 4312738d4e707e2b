package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// eureka is a double of a server: its registry, and the changes that it still
// tells.
type eureka struct {
	mu     sync.Mutex
	apps   map[string][]string // instances as instance writes them
	delta  map[string][]string
	hash   string
	silent bool // it tells no changes
}

func instance(ip, status string) string {
	return fmt.Sprintf(`{"instanceId":"%s:orders","hostName":"h-%s","app":"ORDERS","ipAddr":%q,"status":%q,"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"actionType":"ADDED"}`, ip, ip, ip, status)
}

// acted is an instance in a delta.
func acted(ip, status, action string) string {
	return strings.Replace(instance(ip, status), `"ADDED"`, `"`+action+`"`, 1)
}

func (e *eureka) set(f func(e *eureka)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
}

// applications writes those of a list; one alone stands for itself, as in what
// is made from XML.
func applications(of map[string][]string) string {
	alone := func(list []string) string {
		if len(list) == 1 {
			return list[0]
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	var all []string
	for name, list := range of {
		all = append(all, fmt.Sprintf(`{"name":%q,"instance":%s}`, name, alone(list)))
	}
	return alone(all)
}

func (e *eureka) serve(w http.ResponseWriter, q *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch q.URL.Path {
	case "/eureka/apps":
		fmt.Fprintf(w, `{"applications":{"versions__delta":"1","apps__hashcode":%q,"application":%s}}`, e.hash, applications(e.apps))
	case "/eureka/apps/delta":
		if e.silent {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"applications":{"versions__delta":"7","apps__hashcode":%q,"application":%s}}`, e.hash, applications(e.delta))
	case "/eureka/apps/orders": // names are read in capitals
		if len(e.apps["ORDERS"]) == 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"application":%s}`, applications(map[string][]string{"ORDERS": e.apps["ORDERS"]}))
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

// asked counts what was asked for at a path.
func (r *registry) asked(path string) (n int) {
	for _, q := range r.heard() {
		if q == path {
			n++
		}
	}
	return n
}

// settle waits until n more answers have been taken in that came from a path.
func (f *follows) settle(r *registry, path string, n int) {
	f.t.Helper()
	from := r.asked(path)
	for range 1000 {
		if r.asked(path) > from+n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.t.Fatalf("%s is not asked for: %v", path, r.heard())
}

func startEureka(t *testing.T, e *eureka) (*registry, *follows) {
	r := serve(t, e.serve)
	return r, follow(t, Eureka{URL: r.URL + "/eureka", App: "orders", Every: 100 * time.Millisecond, Scheme: "http"}.Watch)
}

// The whole registry is asked for once; from then on what has changed. An
// instance that goes DOWN is gone with the next poll, and a registry that is
// down leaves what was known.
func TestEureka(t *testing.T) {
	e := &eureka{hash: "STARTING_1_UP_3_", delta: map[string][]string{}, apps: map[string][]string{
		"ORDERS": {instance("10.0.0.1", "UP"), instance("10.0.0.2", "UP"), instance("10.0.0.3", "STARTING")}, "OTHER": {instance("10.9.9.9", "UP")}}}
	r, f := startEureka(t, e)
	f.next("10.0.0.1:8080 10.0.0.2:8080")

	polls := r.asked("/eureka/apps/delta")
	e.set(func(e *eureka) {
		e.delta = map[string][]string{"ORDERS": {acted("10.0.0.2", "DOWN", "MODIFIED")}}
		e.hash = "DOWN_1_STARTING_1_UP_2_"
	})
	f.next("10.0.0.1:8080")
	if n := r.asked("/eureka/apps/delta") - polls; n > 2 { // one may have been under way
		t.Errorf("it was gone after %d polls", n)
	}
	f.settle(r, "/eureka/apps/delta", 2) // the same again
	e.set(func(e *eureka) {
		e.delta["ORDERS"] = append(e.delta["ORDERS"], acted("10.0.0.3", "UP", "MODIFIED"), acted("10.0.0.4", "UP", "ADDED"), acted("10.0.0.1", "UP", "DELETED"))
		e.delta["OTHER"] = []string{acted("10.9.9.9", "OUT_OF_SERVICE", "MODIFIED")}
		e.hash = "DOWN_1_OUT_OF_SERVICE_1_UP_2_"
	})
	f.next("10.0.0.3:8080 10.0.0.4:8080")
	if n := r.asked("/eureka/apps"); n != 1 {
		t.Errorf("all of the registry was asked for %d times", n)
	}

	r.fail(true)
	f.await(Stale)
	if list, ok := f.Current(); !ok || show(list) != "10.0.0.3:8080 10.0.0.4:8080" {
		t.Errorf("while it is down: %v", list)
	}
	e.set(func(e *eureka) {
		e.delta, e.apps, e.hash = map[string][]string{}, map[string][]string{"ORDERS": {instance("10.0.0.5", "UP")}}, "UP_1_"
	})
	r.fail(false)
	f.next("10.0.0.5:8080")
	if s := f.Status(); s.State != Current || s.Error != "" {
		t.Errorf("when it is back: %+v", s)
	}
}

// Changes that were missed show in the hash: then all is asked for anew, within
// the same poll.
func TestEurekaDrift(t *testing.T) {
	e := &eureka{hash: "UP_1_", delta: map[string][]string{}, apps: map[string][]string{"ORDERS": {instance("10.0.0.1", "UP")}}}
	r, f := startEureka(t, e)
	f.next("10.0.0.1:8080")
	e.set(func(e *eureka) { // the server no longer tells how this came about
		e.apps["ORDERS"] = []string{instance("10.0.0.2", "UP"), instance("10.0.0.3", "DOWN"), instance("10.0.0.4", "UP")}
		e.hash = "DOWN_1_UP_2_"
	})
	f.next("10.0.0.2:8080 10.0.0.4:8080")
	heard := r.heard()
	i := slices.Index(heard[1:], "/eureka/apps") + 1
	if i < 1 || heard[i-1] != "/eureka/apps/delta" {
		t.Fatalf("asked for %v", heard)
	}
	f.settle(r, "/eureka/apps/delta", 2)
	if n := r.asked("/eureka/apps"); n != 2 {
		t.Errorf("all was asked for %d times, though the hash is right", n)
	}
}

// A server that tells no changes is asked for the application.
func TestEurekaWithoutDeltas(t *testing.T) {
	e := &eureka{silent: true, apps: map[string][]string{"ORDERS": {instance("10.0.0.1", "UP"), instance("10.0.0.2", "UP")}}}
	r, f := startEureka(t, e)
	f.next("10.0.0.1:8080 10.0.0.2:8080")
	e.set(func(e *eureka) { e.apps["ORDERS"] = []string{instance("10.0.0.1", "DOWN"), instance("10.0.0.2", "UP")} })
	f.next("10.0.0.2:8080")
	e.set(func(e *eureka) { e.apps["ORDERS"] = nil })
	f.next("")
	f.settle(r, "/eureka/apps/orders", 1)
	if all, deltas := r.asked("/eureka/apps"), r.asked("/eureka/apps/delta"); all != 1 || deltas != 1 {
		t.Errorf("all was asked for %d times, changes %d times", all, deltas)
	}
	e.set(func(e *eureka) { e.apps["ORDERS"] = []string{`{"port": 7}`} })
	f.await(Stale)
}

// A server whose hash is never ours is not asked for all of it again and again.
func TestEurekaCountsOtherwise(t *testing.T) {
	e := &eureka{hash: "9", delta: map[string][]string{}, apps: map[string][]string{"ORDERS": {instance("10.0.0.1", "UP")}}}
	r, f := startEureka(t, e)
	f.next("10.0.0.1:8080")
	f.settle(r, "/eureka/apps/orders", 2)
	e.set(func(e *eureka) { e.apps["ORDERS"] = []string{instance("10.0.0.2", "UP")} })
	f.next("10.0.0.2:8080")
	if all, deltas := r.asked("/eureka/apps"), r.asked("/eureka/apps/delta"); all != 3 || deltas != 3 {
		t.Errorf("all was asked for %d times, changes %d times", all, deltas)
	}
}

// Our hash is the one that servers write.
func TestEurekaHash(t *testing.T) {
	r := eurekaRegistry{}
	if got := r.hash(); got != "" {
		t.Errorf("that of nothing is %q", got)
	}
	for i, status := range []string{"UP", "DOWN", "UP", "OUT_OF_SERVICE", "DOWN"} {
		r[eurekaKey{"A", fmt.Sprint(i)}] = eurekaInstance{Status: status}
	}
	if got := r.hash(); got != "DOWN_2_OUT_OF_SERVICE_1_UP_2_" {
		t.Errorf("it is %q", got)
	}
}

// What a registry says may be anything.
func FuzzEureka(f *testing.F) {
	for _, text := range []string{`{}`, `{"applications":{"application":{"name":"ORDERS","instance":[` + instance("1.2.3.4", "UP") + `]}}}`,
		`{"applications":{"application":[{"name":"orders","instance":` + acted("::1", "UP", "DELETED") + `}]}}`, `{"applications":{"application":[{"name":"ORDERS","instance":[{"port":{"$":"80","@enabled":true},"status":"UP","ipAddr":"1"}]}]}}`,
		`{"applications":{"application":{"instance":[{"port":{"$":1e99}}]}}}`, `{"applications":{"apps__hashcode":7,"application":{"instance":[{"port":{"@enabled":{}}}]}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var all eurekaApps
		if json.Unmarshal(text, &all) != nil {
			return
		}
		known := eurekaRegistry{}
		for _, a := range all.Applications.Application {
			known.add(a)
		}
		_ = known.hash()
		for _, e := range ordered(Eureka{App: "ORDERS", Scheme: "http"}.endpoints(known)) {
			if e.Weight < 1 || e.URL == "" {
				t.Errorf("%s is read as %+v", text, e)
			}
		}
	})
}
