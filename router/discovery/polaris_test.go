package discovery

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// polaris is a double of a server: a question that names the revision that it
// has is answered without instances.
type polaris struct {
	mu        sync.Mutex
	revision  string
	instances string
	code      int // of an error
	unchanged int // answers that told of no change
	asked     []string
}

func (p *polaris) set(revision, instances string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision, p.instances, p.code = revision, instances, 0
}

func (p *polaris) fail(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code = code
}

func (p *polaris) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var q struct {
		Type    any
		Service struct{ Name, Namespace, Revision string }
	}
	if json.Unmarshal(body, &q) != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/Discover" || q.Type != 1.0 ||
		q.Service.Name != "orders" || q.Service.Namespace != "shop" || r.Header.Get("X-Polaris-Token") != "secret" || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	p.asked = append(p.asked, q.Service.Revision)
	service := fmt.Sprintf(`{"namespace":"shop","name":"orders","revision":%q}`, q.Service.Revision)
	switch {
	case p.code != 0:
		w.Header().Set("X-Polaris-Code", fmt.Sprint(p.code))
		w.WriteHeader(p.code / 1000)
		fmt.Fprintf(w, `{"code":%d,"info":"it is so","type":"INSTANCE","service":%s,"instances":[]}`, p.code, service)
	case q.Service.Revision == p.revision:
		p.unchanged++
		fmt.Fprintf(w, `{"code":200001,"info":"discover data is no change","type":"INSTANCE","service":%s,"instances":[],"routing":null}`, service)
	default:
		fmt.Fprintf(w, `{"code":200000,"info":"execute success","type":"INSTANCE","service":{"namespace":"shop","name":"orders","revision":%q},"instances":[%s]}`, p.revision, p.instances)
	}
}

// server is an instance; more is what else is told of it.
func server(host string, weight int, more string) string {
	return fmt.Sprintf(`{"id":"x","service":"orders","namespace":"shop","vpc_id":null,"host":%q,"port":8080,"protocol":"http","priority":0,"weight":%d,"healthy":true,"isolate":false,"metadata":{}%s}`, host, weight, more)
}

// Revisions, weights, what is not healthy or is isolated, a service that is not
// known, a registry that is down.
func TestPolaris(t *testing.T) {
	p := &polaris{revision: "r1", instances: server("10.0.0.1", 1, "") + "," + server("10.0.0.2", 5, "")}
	r := serve(t, p.serve)
	f := follow(t, Polaris{URL: r.URL, Service: "orders", Namespace: "shop", Token: "secret", Every: 100 * time.Millisecond, Scheme: "http"}.Watch)
	f.next("10.0.0.1:8080 10.0.0.2:8080*5")
	f.settle(r, "/v1/Discover", 2)
	p.mu.Lock()
	if p.unchanged == 0 {
		t.Errorf("what is known was asked for again: %q", p.asked)
	}
	p.mu.Unlock()
	p.set("r2", strings.Join([]string{server("10.0.0.1", 1, `,"healthy":false`), server("10.0.0.2", 1, `,"isolate":true`), server("10.0.0.3", 0, ""), server("10.0.0.4", 2, "")}, ","))
	f.next("10.0.0.4:8080*2")
	p.fail(400202)
	f.next("")
	p.set("r2", server("10.0.0.4", 2, "")) // it is there again, at the revision that was known
	f.next("10.0.0.4:8080*2")

	p.fail(500000)
	f.await(Stale)
	if s := f.Status(); s.Error != "polaris: the registry answered with code 500000: it is so" {
		t.Errorf("an error is told as %q", s.Error)
	}
	r.fail(true)
	if list, ok := f.Current(); !ok || show(list) != "10.0.0.4:8080*2" {
		t.Errorf("while it is down: %v", list)
	}
	p.set("r3", server("10.0.0.5", 1, ""))
	r.fail(false)
	f.next("10.0.0.5:8080")
	if s := f.Status(); s.State != Current || s.Error != "" {
		t.Errorf("when it is back: %+v", s)
	}
}

// What a registry says may be anything.
func FuzzPolaris(f *testing.F) {
	for _, text := range []string{`{}`, `{"code":200000,"service":null,"instances":[` + server("1.2.3.4", 1, "") + `]}`, `{"instances":[` + server("::1", -7, `,"port":99999999`) + `]}`,
		`{"instances":[{"host":"a","port":1,"weight":null,"healthy":true,"isolate":null}]}`, `{"instances":[{"weight":9223372036854775807,"healthy":true,"host":"h","port":1}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var a polarisAnswer
		if json.Unmarshal(text, &a) != nil {
			return
		}
		for _, e := range ordered(Polaris{Scheme: "http"}.endpoints(a.Instances)) {
			if e.Weight < 1 || e.Weight > mostWeight || e.URL == "" {
				t.Errorf("%s is read as %+v", text, e)
			}
		}
	})
}
