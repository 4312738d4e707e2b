package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

func instance(ip, status string) string {
	return fmt.Sprintf(`{"instanceId":"i","hostName":"h-%s","app":"ORDERS","ipAddr":%q,"status":%q,"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"}}`, ip, ip, status)
}

// An instance that goes DOWN is gone with the next poll, and a registry
// that is down leaves what was known.
func TestEureka(t *testing.T) {
	var answer atomic.Value
	answer.Store(`[` + instance("10.0.0.1", "UP") + `,` + instance("10.0.0.2", "UP") + `,` + instance("10.0.0.3", "STARTING") + `]`)
	r := serve(t, func(w http.ResponseWriter, q *http.Request) {
		text := answer.Load().(string)
		if q.URL.Path != "/eureka/apps/ORDERS" || q.Header.Get("Accept") != "application/json" || text == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"application":{"name":"ORDERS","instance":%s}}`, text)
	})
	f := follow(t, Eureka{URL: r.URL + "/eureka", App: "ORDERS", Every: 100 * time.Millisecond, Scheme: "http"}.Watch)
	f.next("10.0.0.1:8080 10.0.0.2:8080")
	answer.Store(`[` + instance("10.0.0.1", "UP") + `,` + instance("10.0.0.2", "DOWN") + `]`)
	f.next("10.0.0.1:8080")
	answer.Store(instance("10.0.0.2", "UP")) // one alone is no list
	f.next("10.0.0.2:8080")
	r.fail(true)
	f.await(Stale)
	if list, ok := f.Current(); !ok || show(list) != "10.0.0.2:8080" {
		t.Errorf("while it is down: %v", list)
	}
	r.fail(false)
	f.await(Current)
	answer.Store("")
	f.next("")
	answer.Store(`{"port": 7}`)
	f.await(Stale)
}

// What a registry says may be anything.
func FuzzEureka(f *testing.F) {
	for _, text := range []string{`{}`, `{"application":{"instance":[` + instance("1.2.3.4", "UP") + `]}}`, `{"application":{"instance":` + instance("::1", "UP") + `}}`,
		`{"application":{"instance":[{"port":{"$":"80","@enabled":true},"status":"UP","ipAddr":"1"}]}}`, `{"application":{"instance":[{"port":{"$":1e99}}]}}`, `{"application":{"instance":[{"port":{"@enabled":{}}}]}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var app eurekaApp
		if json.Unmarshal(text, &app) != nil {
			return
		}
		for _, e := range ordered(Eureka{Scheme: "http"}.endpoints(app.Application.Instance)) {
			if e.Weight < 1 || e.URL == "" {
				t.Errorf("%s is read as %+v", text, e)
			}
		}
	})
}
