package e2e

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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

const alertsConfig = `providers:
  dead: {kind: mock, fail: {status: 503, share: 1}}
models: {broken: dead/llama, fast: mock/echo}
teams:
  t: {budget: {requests: 4, per: month, hard: false}, keys: [{name: k, value: "` + teamKey + `"}]}
alerts:
  every: 1s
  receivers:
    ops: {webhook: {url: "HOOK/ops", secret: shh}}
    chat: {slack: "HOOK/chat"}
    mail: {email: {server: "SMTP", tls: none, from: sluice@example.com, to: ops@example.com}}
  rules:
    breaker: {threshold: {figure: breakers_open, above: 0}, each: target, severity: critical, summary: Look at the provider.}
    failing: {threshold: {figure: failures, above: 1, over: 10m}, each: model, receivers: ops}
    slo: {burn_rate: {objective: 0.99}, receivers: ops}
    spent: {budget: {used: 0.5}, receivers: ops}
    quiet: {threshold: {figure: calls, below: 1000, over: 5m}, receivers: ops, mute_until: 2099-01-01}
`

// outbox is what receivers got, a line each.
type outbox struct {
	mu    sync.Mutex
	lines []string
}

func (l *outbox) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *outbox) count(line string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, one := range l.lines {
		if strings.Contains(one, line) {
			n++
		}
	}
	return n
}

// wait waits until a line is there; the half minute is what alerts may take.
func (l *outbox) wait(t *testing.T, lines ...string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if !slices.ContainsFunc(lines, func(line string) bool { return l.count(line) == 0 }) {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Fatalf("of %q some were not told:\n%s", lines, strings.Join(l.lines, "\n"))
}

// Rules of every kind tell a webhook, Slack and a mailbox, once, and that it is
// over; not again after a restart.
func TestAlerts(t *testing.T) {
	var got outbox
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/chat" {
			got.add("chat " + gjson.GetBytes(b, "text").Str)
			return
		}
		mac := hmac.New(sha256.New, []byte("shh"))
		mac.Write(b)
		if r.Header.Get("X-Sluice-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			got.add("a wrong signature")
		}
		got.add(fmt.Sprintf("ops %s %s %s", gjson.GetBytes(b, "event").Str, gjson.GetBytes(b, "alert.rule").Str, gjson.GetBytes(b, "alert.labels").Raw))
	}))
	t.Cleanup(hook.Close)
	g := newGateway(t, strings.NewReplacer("HOOK", hook.URL, "SMTP", mailServer(t, &got)).Replace(alertsConfig))
	g.start()
	for range 3 {
		g.chat(chatBody("broken", "hi", ""))
	}
	got.wait(t, `ops alert.firing failing {"model":"broken"}`, "ops alert.firing slo {}", `ops alert.firing spent {"per":"month","team":"t"}`)
	const breakers = "providers/mock/breakers/echo"
	if a := g.api("POST", breakers, `{"state":"open"}`); a.status != 200 {
		t.Fatalf("breaker: %d %s", a.status, a.body)
	}
	got.wait(t, `ops alert.firing breaker {"target":"mock/echo"}`, "chat [firing] critical: breaker (target=mock/echo)", "mail Subject: Sluice [firing] critical: breaker (target=mock/echo)", "mail Look at the provider.")
	list := g.api("GET", "alerts", "").body
	for path, want := range map[string]string{`data.#(rule=="breaker").state`: "firing", `data.#(rule=="quiet").state`: "firing", `data.#(rule=="quiet").alerts.0.deliveries`: "{}"} {
		if have := gjson.Get(list, path); have.String() != want {
			t.Errorf("%s is %s, want %s:\n%s", path, have, want, list)
		}
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	for _, want := range []string{`sluice_alerts_firing{rule="breaker"}`, `sluice_alert_deliveries_total{receiver="mail",result="delivered"} `} {
		if err != nil || !strings.Contains(metrics.body, want) {
			t.Errorf("%s is not in the metrics: %v", want, err)
		}
	}

	// A restart closes breakers; what still holds is not told again.
	if code := g.stop(); code != 0 {
		t.Fatalf("stopped with %d", code)
	}
	g.start()
	got.wait(t, `ops alert.resolved breaker {"target":"mock/echo"}`, "chat [resolved] critical: breaker", "mail Subject: Sluice [resolved] critical: breaker")
	for _, line := range []string{"ops alert.firing failing", "ops alert.firing slo", "ops alert.firing spent", "ops alert.resolved breaker"} {
		if n := got.count(line); n != 1 {
			t.Errorf("%s was told %d times", line, n)
		}
	}
	if got.count("quiet") != 0 || got.count("signature") != 0 {
		t.Errorf("told:\n%s", strings.Join(got.lines, "\n"))
	}
	if a := g.api("DELETE", "alerts/quiet/mute", ""); a.status != 200 || gjson.Get(a.body, "muted_until").Str == "" {
		t.Errorf("the configuration's mute stands: %d %s", a.status, a.body)
	}
}

// mailServer takes mail without asking, and tells each line of it.
func mailServer(t *testing.T, got *outbox) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go takeMail(conn, got)
		}
	}()
	return ln.Addr().String()
}

func takeMail(conn net.Conn, got *outbox) {
	defer func() { _ = conn.Close() }()
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 mail")
	in, body := bufio.NewScanner(conn), false
	for in.Scan() {
		switch line := in.Text(); {
		case body:
			if body = line != "."; body {
				got.add("mail " + line)
			} else {
				say("250 taken")
			}
		case line == "DATA":
			body = true
			say("354 go on")
		case line == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
