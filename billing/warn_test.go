package billing

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestWebhook: a warning is posted until it is taken, signed; one that is
// refused is not tried again, and the log tells.
func TestWebhook(t *testing.T) {
	type post struct{ body, signature string }
	posts := make(chan post, 10)
	answers := []int{503, 429, 200, 400, 200}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.WriteHeader(answers[0])
		answers = answers[1:]
		posts <- post{string(body), r.Header.Get(SignatureHeader)}
	}))
	defer server.Close()
	var log bytes.Buffer
	w := NewWarnings(slog.New(slog.NewTextHandler(&log, nil)))
	defer w.client.CloseIdleConnections()
	w.first = time.Millisecond
	status := BudgetStatus{Owner: OwnerName{Team: "a"}, Budget: Budget{USD: 10 * Dollar, Per: "day", WarnAt: []float64{0.8}}, Limit: int64(10 * Dollar), Spent: int64(8 * Dollar), Warned: 0.8}
	w.Tell(status) // there is no webhook yet
	w.SetWebhook(&Webhook{URL: server.URL, Secret: "s"})
	for range 3 {
		w.Tell(status)
		w.deliver(t.Context(), w.hook.Load(), <-w.queue)
	}
	for range 5 {
		p := <-posts
		mac := hmac.New(sha256.New, []byte("s"))
		mac.Write([]byte(p.body))
		if p.signature != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", p.signature)
		}
		if gjson.Get(p.body, "event").Str != "budget.warning" || gjson.Get(p.body, "budget.owner.team").Str != "a" || gjson.Get(p.body, "budget.spent").Str != "8" || gjson.Get(p.body, "budget.warned").Num != 0.8 {
			t.Errorf("posted %s", p.body)
		}
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 4 || strings.Count(text, "could not be posted") != 1 || !strings.Contains(text, "400") {
		t.Errorf("log:\n%s", text)
	}
}
