package discovery

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zone is a name server with the records that it is told.
type zone struct {
	mu      sync.Mutex
	records []string
	code    int
	cut     bool // over UDP: too long
	asked   int
}

func (z *zone) set(code int, records ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.code, z.records = code, records
}

// ServeDNS answers a question.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	a := new(dns.Msg)
	a.SetRcode(q, z.code)
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	if a.Truncated = z.cut && udp; !a.Truncated {
		for _, text := range z.records {
			r, err := dns.NewRR(text)
			if err != nil {
				panic(err)
			}
			switch h := r.Header(); {
			case h.Rrtype == q.Question[0].Qtype && h.Name == q.Question[0].Name:
				a.Answer = append(a.Answer, r)
			case h.Name == "extra.test." && q.Question[0].Qtype == dns.TypeSRV:
				a.Extra = append(a.Extra, r)
			}
		}
	}
	_ = w.WriteMsg(a)
}

// sockets are of one port for both: the other one of a port that is free for
// one may be somebody else's, so more than one is tried.
func sockets(t *testing.T) (net.PacketConn, net.Listener) {
	for range 100 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		tcp.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

func (z *zone) start(t *testing.T) string {
	udp, tcp := sockets(t)
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.ActivateAndServe()
		}()
		<-up
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-done
		})
	}
	return udp.LocalAddr().String()
}

// A new record is in use once the time of the old one is over, and a name
// that is gone for a while leaves what was known.
func TestDNS(t *testing.T) {
	z := &zone{}
	z.set(dns.RcodeSuccess, "orders.test. 0 IN A 10.0.0.1")
	f := follow(t, DNS{Name: "orders.test:9001", Server: z.start(t), Every: time.Hour, Scheme: "http"}.Watch)
	f.next("10.0.0.1:9001")
	z.set(dns.RcodeSuccess, "orders.test. 1 IN A 10.0.0.2", "orders.test. 1 IN A 10.0.0.1")
	f.next("10.0.0.1:9001 10.0.0.2:9001")
	z.set(dns.RcodeNameError)
	f.await(Stale)
	z.set(dns.RcodeSuccess) // no record of the kind
	if list, _ := f.Current(); len(list) != 2 {
		t.Errorf("while the name is gone: %v", list)
	}
	z.mu.Lock()
	z.cut = true
	z.mu.Unlock()
	z.set(dns.RcodeSuccess, "orders.test. 1 IN A 10.0.0.3")
	f.next("10.0.0.3:9001")
}

func TestSRV(t *testing.T) {
	z := &zone{}
	z.set(dns.RcodeSuccess,
		"_http._tcp.test. 60 IN SRV 10 3 8080 extra.test.", "_http._tcp.test. 60 IN SRV 10 0 8081 asked.test.",
		"_http._tcp.test. 60 IN SRV 20 1 8082 asked.test.", "_http._tcp.test. 60 IN SRV 10 1 8083 lost.test.",
		"extra.test. 60 IN A 10.0.0.1", "asked.test. 60 IN A 10.0.0.2")
	d := DNS{Name: "_http._tcp.test", SRV: true, Server: z.start(t), Every: 100 * time.Millisecond, Scheme: "http"}
	f := follow(t, d.Watch)
	f.next("10.0.0.1:8080*3 10.0.0.2:8081")
	if list, _ := f.Current(); list[0].Name != "extra.test" {
		t.Errorf("its name is %q", list[0].Name)
	}
	z.set(dns.RcodeSuccess, "_http._tcp.test. 60 IN SRV 20 1 8082 asked.test.", "asked.test. 60 IN A 10.0.0.2")
	f.next("10.0.0.2:8082")
	z.set(dns.RcodeSuccess, "_http._tcp.test. 60 IN SRV 0 0 0 .")
	f.await(Stale)
}
