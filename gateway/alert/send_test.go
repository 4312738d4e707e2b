package alert

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
)

func notice(event State, to Receiver) *Notice {
	at := time.Date(2026, 11, 24, 13, 45, 0, 0, time.UTC)
	return &Notice{Event: event, Receiver: "r", Time: at, to: to, Alert: Alert{Rule: "errors", Kind: "threshold", Severity: "critical", Condition: "failure_share above 5 %",
		Labels: map[string]string{"model": "<!channel>\r\nBcc: x"}, State: event, Text: "failure_share is 20 %", Since: at, Resolved: at, Deliveries: map[string]Delivery{"other": {Error: "secret"}}}}
}

// post is what a webhook got.
type post struct{ body, signature string }

// hook answers with statuses, one after the other.
func hook(t *testing.T, statuses ...int) (url string, posts chan post) {
	t.Helper()
	posts = make(chan post, 10)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status := statuses[0]
		statuses = statuses[1:]
		if status == http.StatusFound {
			rw.Header().Set("Location", "http://127.0.0.1:1/")
		}
		rw.WriteHeader(status)
		posts <- post{string(body), r.Header.Get(billing.SignatureHeader)}
	}))
	t.Cleanup(s.Close)
	return s.URL, posts
}

func sender(t *testing.T) *Sender {
	s := NewSender()
	s.First = time.Millisecond
	t.Cleanup(s.Client.CloseIdleConnections)
	return s
}

// A webhook gets signed JSON until it takes it; what it refuses is given up.
func TestWebhook(t *testing.T) {
	url, posts := hook(t, 503, 429, 200, 400, 302)
	s, n := sender(t), notice(Firing, Receiver{Webhook: &billing.Webhook{URL: url, Secret: "s"}})
	if err := s.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p := <-posts
		mac := hmac.New(sha256.New, []byte("s"))
		mac.Write([]byte(p.body))
		if p.signature != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", p.signature)
		}
		if gjson.Get(p.body, "event").Str != "alert.firing" || gjson.Get(p.body, "alert.rule").Str != "errors" || strings.Contains(p.body, "secret") {
			t.Errorf("posted %s", p.body)
		}
	}
	for _, what := range []string{"400", "302"} {
		if err := s.Send(t.Context(), n); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		<-posts
	}
}

// A webhook that is down is given up in the end.
func TestGivesUp(t *testing.T) {
	url, posts := hook(t, 500, 500, 500)
	s := sender(t)
	s.Tries = 2
	if err := s.Send(t.Context(), notice(Firing, Receiver{Webhook: &billing.Webhook{URL: url}})); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	if len(posts) != 3 {
		t.Errorf("%d tries", len(posts))
	}
}

// Slack's shape; a name cannot mention anybody.
func TestSlack(t *testing.T) {
	url, posts := hook(t, 200)
	if err := sender(t).Send(t.Context(), notice(Resolved, Receiver{Slack: url})); err != nil {
		t.Fatal(err)
	}
	p := <-posts
	if text := gjson.Get(p.body, "text").Str; !strings.HasPrefix(text, "[resolved] critical: errors (model=&lt;!channel&gt;") || gjson.Get(p.body, "attachments.0.color").Str != "#2e7d32" {
		t.Errorf("posted %s", p.body)
	}
}

// smtpServer takes one message; it offers STARTTLS only by word.
func smtpServer(t *testing.T, offer string, refuse string) (addr string, lines chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines = make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serveSMTP(conn, offer, refuse, lines)
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-ended })
	return ln.Addr().String(), lines
}

func serveSMTP(conn net.Conn, offer, refuse string, lines chan string) {
	defer func() { _ = conn.Close() }()
	say := func(text string) { _, _ = fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 mail")
	in := bufio.NewScanner(conn)
	body := false
	for in.Scan() {
		line := in.Text()
		lines <- line
		switch {
		case body && line == ".":
			body = false
			say("250 taken")
		case body:
		case refuse != "" && strings.HasPrefix(line, refuse):
			say("550 no")
		case strings.HasPrefix(line, "EHLO"):
			say("250-mail\r\n250-AUTH PLAIN\r\n250 " + offer)
		case line == "DATA":
			body = true
			say("354 go on")
		case strings.HasPrefix(line, "AUTH"):
			say("235 in")
		case line == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestEmail(t *testing.T) {
	addr, lines := smtpServer(t, "SIZE 1000000", "")
	email := &Email{Server: addr, TLS: "none", User: "u", Password: "p", From: "Sluice <ops@example.com>", To: []string{"a@example.com", "b@example.com"}}
	if err := sender(t).Send(t.Context(), notice(Firing, Receiver{Email: email})); err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range lines {
		if all = append(all, line); line == "QUIT" {
			break
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"AUTH PLAIN AHUAcA==", "MAIL FROM:<ops@example.com>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "\nFrom: Sluice <ops@example.com>\n",
		"\nSubject: Sluice [firing] critical: errors (model=3D<!channel>  Bcc: x)\n", "\nfailure_share is 20 %\n"} {
		if want = strings.ReplaceAll(want, "model=3D", "model="); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\nBcc") {
		t.Error("a name began a header")
	}
}

// What cannot get better is not tried again: no TLS where it is wanted, a
// mailbox that is refused.
func TestEmailGivenUp(t *testing.T) {
	for _, c := range []struct{ tls, refuse, want string }{{"starttls", "", "no STARTTLS"}, {"none", "RCPT", "550"}, {"none", "MAIL", "550"}} {
		addr, lines := smtpServer(t, "SIZE 1", c.refuse)
		err := sender(t).Send(t.Context(), notice(Firing, Receiver{Email: &Email{Server: addr, TLS: c.tls, From: "a@example.com", To: []string{"b@example.com"}}}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
		hellos := 0
		for len(lines) > 0 {
			if strings.HasPrefix(<-lines, "EHLO") {
				hellos++
			}
		}
		if hellos != 1 {
			t.Errorf("%+v: %d tries", c, hellos)
		}
	}
}

// A server that says nothing holds nobody up for longer than a try may take.
func TestSilentMailServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	s := sender(t)
	s.Tries, s.Timeout = 1, 20*time.Millisecond
	err = s.Send(context.Background(), notice(Firing, Receiver{Email: &Email{Server: ln.Addr().String(), TLS: "none", From: "a@example.com", To: []string{"b@example.com"}}}))
	if err == nil {
		t.Error("sent to nobody")
	}
}
