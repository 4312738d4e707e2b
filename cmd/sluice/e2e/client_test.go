package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// get reads a JSON path of the body.
func (a answer) get(path string) gjson.Result { return gjson.Get(a.body, path) }

// send makes a request; header is a list of names and values.
func (g *gateway) send(method, url, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := g.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}

// data calls the data plane with the gateway's key; a failed connection marks
// the test as failed and gives an empty answer.
func (g *gateway) data(method, path, body string, header ...string) answer {
	g.t.Helper()
	header = append([]string{"Authorization", "Bearer " + g.key, "Content-Type", "application/json"}, header...)
	a, err := g.send(method, "http://"+g.listen+path, body, header...)
	if err != nil {
		g.t.Errorf("%s %s: %v", method, path, err)
	}
	return a
}

// chat asks for a chat completion.
func (g *gateway) chat(body string, header ...string) answer {
	g.t.Helper()
	return g.data("POST", "/v1/chat/completions", body, header...)
}

// api calls the admin plane with the admin token.
func (g *gateway) api(method, path, body string) answer {
	g.t.Helper()
	a, err := g.send(method, "http://"+g.admin+"/admin/v1/"+path, body, "Authorization", "Bearer "+adminToken, "Content-Type", "application/json")
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// openStream is a stream that is being read.
type openStream struct {
	res    *http.Response
	in     *bufio.Reader
	cancel context.CancelFunc
}

// stream opens one; a status other than 200 is an error.
func (g *gateway) stream(body string, header ...string) (*openStream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+g.listen+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := g.client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &openStream{res, bufio.NewReader(res.Body), cancel}
	if res.StatusCode != 200 {
		b, _ := io.ReadAll(res.Body)
		s.close()
		return nil, fmt.Errorf("status %d: %s", res.StatusCode, b)
	}
	return s, nil
}

// next is the data of the next event; io.EOF ends a clean body.
func (s *openStream) next() (string, error) {
	for {
		line, err := s.in.ReadString('\n')
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			return data, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// rest reads to the end: the text of all chunks, and whether [DONE] came.
func (s *openStream) rest() (text string, done bool, err error) {
	var b strings.Builder
	for {
		data, err := s.next()
		switch {
		case err == io.EOF:
			return b.String(), done, nil
		case err != nil:
			return b.String(), done, err
		case data == "[DONE]":
			done = true
		case gjson.Get(data, "error").Exists():
			return b.String(), done, fmt.Errorf("error event: %s", data)
		default:
			b.WriteString(gjson.Get(data, "choices.0.delta.content").String())
		}
	}
}

// close leaves, as a client that is gone does.
func (s *openStream) close() {
	s.cancel()
	_ = s.res.Body.Close() // we are leaving
}

// entry is one line of GET /admin/v1/requests, as far as tests look.
type entry struct {
	Call       string      `json:"call"` // the gateway's own
	ID         string      `json:"id"`   // the caller's
	Model      string      `json:"model"`
	Target     string      `json:"target"`
	Status     int         `json:"status"`
	USD        json.Number `json:"usd"`
	Disconnect bool        `json:"disconnect"`
	Tags       []string    `json:"tags"`
}

// requests reads all pages of the request list.
func (g *gateway) requests(query string) []entry {
	g.t.Helper()
	var all []entry
	for after := ""; ; {
		a := g.api("GET", "requests?limit=500&after="+url.QueryEscape(after)+query, "")
		var page struct {
			Data []entry `json:"data"`
			Next *string `json:"next"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
			g.t.Fatalf("requests: status %d, %v: %.500s", a.status, err, a.body)
		}
		all = append(all, page.Data...)
		if page.Next == nil || *page.Next == "" {
			return all
		}
		after = *page.Next
	}
}

// waitCalls waits until the ledger counts n calls.
func (g *gateway) waitCalls(n int64) answer {
	g.t.Helper()
	var a answer
	if !eventually(10*time.Second, func() bool {
		a = g.api("GET", "usage", "")
		return a.get("total.calls").Int() == n
	}) {
		g.t.Fatalf("the ledger does not count %d calls: %d %s", n, a.status, a.body)
	}
	return a
}

// quote is a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(b)
}
