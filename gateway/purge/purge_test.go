package purge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"sluice/bench/freeport"
	"sluice/gateway/shared"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is a listener that remembers what it was told.
type replica struct {
	*Listener
	mu    sync.Mutex
	heard []string
}

// listening starts one, until the test ends.
func listening(t *testing.T, o Options) *replica {
	t.Helper()
	r := &replica{}
	o.Log = slog.New(slog.DiscardHandler)
	o.Purge = func(_ context.Context, p shared.Purge, alone bool) int64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = append(r.heard, fmt.Sprintf("%s%s%s %v", p.Tag, p.Key, p.Prefix, alone))
		return 1
	}
	r.Listener = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var over sync.WaitGroup
	over.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { cancel(); over.Wait() })
	return r
}

func (r *replica) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.heard)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *replica) isUp(t *testing.T, up bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("up is %v", up), func() bool { return r.Figures()[0].Up == up })
}

// line is a way to a server that can be cut.
type line struct {
	t     *testing.T
	addr  string
	to    string
	mu    sync.Mutex
	on    net.Listener
	conns []net.Conn
	under sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	addr, err := freeport.Addr() // where it is mended, too
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, to: to, addr: addr}
	l.mend()
	t.Cleanup(l.cut)
	return l
}

func (l *line) mend() {
	l.t.Helper()
	on, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.on = on
	l.under.Go(func() {
		for {
			near, err := on.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", l.to)
			if err != nil {
				near.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, near, far)
			l.mu.Unlock()
			l.under.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			l.under.Go(func() { _, _ = io.Copy(far, near); far.Close() })
		}
	})
}

func (l *line) cut() {
	l.on.Close()
	l.mu.Lock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
	l.mu.Unlock()
	l.under.Wait()
}

// server is where a service of somebody else's is that a test needs.
func server(t *testing.T, name string) (address string, u *url.URL) {
	t.Helper()
	address = os.Getenv(name)
	if address == "" {
		t.Skip(name + " is not set")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return address, u
}

// through is an address by way of a line.
func through(u *url.URL, l *line) string {
	by := *u
	by.Host = l.addr
	return by.String()
}

const (
	event  = `{"tag":"orders"}`
	broken = `{"tags":"orders"}`
)

func TestNATS(t *testing.T) {
	address, u := server(t, "SLUICE_TEST_NATS")
	conn, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	subject := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	way := newLine(t, u.Host)
	way.cut() // they are there before the server is
	var replicas []*replica
	for range 3 {
		replicas = append(replicas, listening(t, Options{NATS: &NATS{URL: through(u, way), Subject: subject + ".>"}}))
	}
	replicas[0].isUp(t, false)
	say := func(text string) {
		t.Helper()
		if err := conn.Publish(subject+".shop", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := conn.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	heard := func(n int, refused int64) {
		t.Helper()
		for _, r := range replicas {
			eventually(t, fmt.Sprint(n, " purges"), func() bool { return len(r.all()) == n && r.Figures()[0].Refused == refused })
			if got := r.all()[n-1]; got != "orders false" {
				t.Errorf("heard %q", got)
			}
		}
	}
	way.mend()
	for _, r := range replicas {
		r.isUp(t, true)
	}
	say(broken)
	say(event)
	heard(1, 1)
	way.cut()
	for _, r := range replicas {
		r.isUp(t, false)
	}
	say(event) // nobody hears it: what is kept is bounded by its time alone
	way.mend()
	for _, r := range replicas {
		r.isUp(t, true)
	}
	say(event)
	heard(2, 1)
	if f := replicas[0].Figures()[0]; f != (Figures{Source: "nats", Up: true, Purges: 2, Refused: 1}) {
		t.Errorf("figures %+v", f)
	}
}

// A server that refuses the password is asked again until it takes it.
func TestNATSRefuses(t *testing.T) {
	if _, err := exec.LookPath("nats-server"); err != nil {
		t.Skip("nats-server is not installed")
	}
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	host, number, _ := net.SplitHostPort(addr)
	serve := func(password string) (end func()) {
		cmd := exec.Command("nats-server", "-a", host, "-p", number, "--user", "ann", "--pass", password)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		t.Cleanup(end)
		return end
	}
	end := serve("other")
	eventually(t, "a server", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	r := listening(t, Options{NATS: &NATS{URL: "nats://ann:own@" + addr, Subject: "s"}})
	eventually(t, "it is told that it is away", func() bool { return r.ears[0].told.Load() })
	end()
	serve("own")
	r.isUp(t, true)
	conn, err := nats.Connect("nats://ann:own@" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.Publish("s", []byte(event))
	_ = conn.Flush()
	eventually(t, "a purge", func() bool { return len(r.all()) == 1 })
}

// rabbit is a channel to publish by, and to end what a test has made.
func rabbit(t *testing.T, address string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

func TestAMQPExchange(t *testing.T) {
	address, u := server(t, "SLUICE_TEST_AMQP")
	channel := rabbit(t, address)
	name := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	t.Cleanup(func() { _ = channel.ExchangeDelete(name, false, false) })
	way := newLine(t, u.Host)
	way.cut()
	var replicas []*replica
	for range 3 {
		replicas = append(replicas, listening(t, Options{AMQP: &AMQP{URL: through(u, way), Exchange: name, Key: "#"}}))
	}
	say := func(text string) {
		t.Helper()
		if err := channel.Publish(name, "any", false, false, amqp.Publishing{Body: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	way.mend()
	for _, r := range replicas {
		r.isUp(t, true)
	}
	say(broken)
	say(event)
	for _, r := range replicas {
		eventually(t, "a purge", func() bool { return slices.Equal(r.all(), []string{"orders false"}) && r.Figures()[0].Refused == 1 })
	}
	way.cut()
	for _, r := range replicas {
		r.isUp(t, false)
	}
	way.mend()
	for _, r := range replicas {
		r.isUp(t, true)
	}
	say(event)
	for _, r := range replicas {
		eventually(t, "a second purge", func() bool { return len(r.all()) == 2 })
	}
}

// Each message of a queue goes to one replica, and waits while none is there.
func TestAMQPQueue(t *testing.T) {
	address, u := server(t, "SLUICE_TEST_AMQP")
	channel := rabbit(t, address)
	name := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	t.Cleanup(func() { _, _ = channel.QueueDelete(name, false, false, false) })
	way := newLine(t, u.Host)
	one, two := listening(t, Options{AMQP: &AMQP{URL: through(u, way), Queue: name}}), listening(t, Options{AMQP: &AMQP{URL: through(u, way), Queue: name}})
	both := func() []string { return slices.Concat(one.all(), two.all()) }
	say := func(text string) {
		t.Helper()
		if err := channel.Publish("", name, false, false, amqp.Publishing{Body: []byte(text), DeliveryMode: amqp.Persistent}); err != nil {
			t.Fatal(err)
		}
	}
	one.isUp(t, true)
	two.isUp(t, true)
	say(broken) // it is taken away, and not given again and again
	for range 4 {
		say(event)
	}
	eventually(t, "four purges", func() bool { return len(both()) == 4 })
	way.cut()
	one.isUp(t, false)
	two.isUp(t, false)
	say(event)
	way.mend()
	eventually(t, "what has waited", func() bool { return len(both()) >= 5 })
	if n := one.Figures()[0].Refused + two.Figures()[0].Refused; n != 1 {
		t.Errorf("%d were not understood", n)
	}
	for _, got := range both() {
		if got != "orders true" {
			t.Errorf("heard %q", got)
		}
	}
}

func TestChecks(t *testing.T) {
	for text, want := range map[string]string{
		"nats://h sluice.purge": "", "nats://ann:pw@h:4222,tls://i a.*.b.>": "", "http://h x": "url", "nats:// x": "url", "nats://h,ftp://i x": "url",
		"nats://h a..b": "subject", "nats://h ": "subject", "nats://h a.>.b": "subject", "nats://h a*": "subject",
	} {
		address, subject, _ := strings.Cut(text, " ")
		if field, err := (&NATS{URL: address, Subject: subject}).Check(); field != want || (err == nil) != (want == "") {
			t.Errorf("%s: %s, %v; want %q", text, field, err, want)
		}
	}
	for text, ok := range map[string]bool{"amqp://h": true, "amqps://ann:hunter2@h:5671/v": true, "amqp://": false, "redis://hunter2@h": false, "amqp://ann:hunter2@h:x": false} {
		if _, err := (&AMQP{URL: text}).Check(); (err == nil) != ok || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWaits(t *testing.T) {
	for tries, most := range map[int]time.Duration{0: firstWait, 1: firstWait, 2: 2 * firstWait, 4: 8 * firstWait, 100: mostWait} {
		if d := waitAfter(tries); d < most/2 || d > most {
			t.Errorf("after %d tries %v, want at most %v", tries, d, most)
		}
	}
	if New(Options{}) != nil || (*Listener)(nil).Figures() != nil {
		t.Error("there is a listener to nothing")
	}
}
