package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/tidwall/gjson"
)

// spoken is what a provider answers: a body and its media type.
type spoken struct{ body, media string }

// asked is a request as a provider saw it.
type asked struct {
	path   string // with the query, without the provider's prefix
	header http.Header
	body   string
}

// host plays many providers, each below a prefix of its own: /NAME/….
type host struct {
	*httptest.Server
	mu     sync.Mutex
	whole  map[string]spoken // by prefix
	stream map[string]spoken
	last   map[string]asked
}

func newHost(t *testing.T) *host {
	h := &host{whole: map[string]spoken{}, stream: map[string]spoken{}, last: map[string]asked{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.RequestURI(), "/"), "/")
	path = "/" + path
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[name] = asked{path, r.Header.Clone(), string(body)}
	answer, ok := h.whole[name]
	if strings.Contains(strings.ToLower(path), "stream") || gjson.GetBytes(body, "stream").Bool() {
		answer, ok = h.stream[name]
	}
	if path == "/api/tags" {
		answer, ok = spoken{`{"models":[{"name":"llama3.2:1b","model":"llama3.2:1b"}]}`, "application/json"}, true
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", answer.media)
	_, _ = io.WriteString(w, answer.body)
}

// answers sets what the provider below a prefix says from now on.
func (h *host) answers(name string, whole, stream spoken) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whole[name], h.stream[name] = whole, stream
}

func (h *host) asked(name string) asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[name]
}

// serviceAccount is a credentials file of Google's whose tokens the host gives.
func serviceAccount(t *testing.T, tokenURL string) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"type": "service_account", "project_id": "proj", "client_email": "sa@proj.example",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokenURL})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// events is a stream of Bedrock's: pairs of an event's type and its JSON.
func events(t *testing.T, pairs ...string) spoken {
	t.Helper()
	var b bytes.Buffer
	encoder := eventstream.NewEncoder()
	for i := 0; i+1 < len(pairs); i += 2 {
		m := eventstream.Message{Payload: []byte(pairs[i+1])}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue(pairs[i]))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		if err := encoder.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return spoken{b.String(), "application/vnd.amazon.eventstream"}
}

// sse is a stream of events with these data.
func sse(data ...string) spoken {
	return spoken{"data: " + strings.Join(data, "\n\ndata: ") + "\n\n", "text/event-stream"}
}

// named is a stream of events that are named after their JSON's type.
func named(data ...string) spoken {
	var b strings.Builder
	for _, d := range data {
		b.WriteString("event: " + gjson.Get(d, "type").String() + "\ndata: " + d + "\n\n")
	}
	return spoken{b.String(), "text/event-stream"}
}

func jsonBody(body string) spoken { return spoken{body, "application/json"} }

// recording is a recorded answer with a text, and that text.
type recording struct {
	spoken
	text string
}

// recorded finds the first recorded answer of a provider's endpoint that has a
// text, no call of a tool and no error; false: there is none.
func recorded(t *testing.T, provider, endpoint, framing string) (recording, bool) {
	t.Helper()
	dir := os.Getenv("SLUICE_WIRE")
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range gjson.ParseBytes(index).Array() {
		if e.Get("provider").String() != provider || e.Get("endpoint").String() != endpoint || e.Get("stream").String() != framing ||
			e.Get("response.status").Int() != 200 || e.Get("expect.text").String() == "" || strings.Contains(e.Get("kind").String(), "error") || len(e.Get("expect.tool_calls").Array()) > 0 {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Get("response.body_file").String()))
		if err != nil {
			t.Fatal(err)
		}
		media := map[string]string{"": "application/json", "sse": "text/event-stream", "ndjson": "application/x-ndjson",
			"eventstream": "application/vnd.amazon.eventstream"}[framing]
		return recording{spoken{string(body), media}, e.Get("expect.text").String()}, true
	}
	return recording{}, false
}
