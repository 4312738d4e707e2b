package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/tidwall/gjson"
)

// capture is an entry of the index of recorded traffic.
type capture struct {
	ID       string  `json:"id"`
	Provider string  `json:"provider"`
	Endpoint string  `json:"endpoint"`
	Kind     string  `json:"kind"`
	Stream   *string `json:"stream"`
	Source   struct {
		Repo string `json:"repo"`
		Path string `json:"path"`
	} `json:"source"`
	Request struct {
		BodyFile string `json:"body_file"`
	} `json:"request"`
	Response struct {
		Status   int               `json:"status"`
		Headers  map[string]string `json:"headers"`
		BodyFile string            `json:"body_file"`
	} `json:"response"`
	Expect *expected `json:"expect"`

	kind    string // of the provider in our configuration
	dialect string // the client dialect that is its own, or ""
	model   string
	request []byte // as recorded, or nil
	body    []byte // of the response
}

// recordedAs tells how a capture's provider is configured: its kind, the client
// dialect whose bytes pass unchanged, and whether it is of a chat at all.
func (c *capture) recordedAs() (kind, dialect, model string, ok bool) {
	switch c.Endpoint {
	case "messages":
		return "anthropic", "anthropic", "claude-sonnet-4-5", true
	case "generate":
		if c.Provider == "vertex" {
			return "vertex", "gemini", "gemini-2.5-flash", true
		}
		return "gemini", "gemini", "gemini-2.5-flash", true
	case "converse":
		return "bedrock", "", "anthropic.claude-sonnet-4-5-20250929-v1:0", true
	case "chat_native":
		return "ollama", "", "llama3.2", true
	case "responses":
		return "openai", "responses", responsesOnly, true
	case "chat":
		switch c.Provider {
		case "cohere", "mistral":
			return c.Provider, "", c.Provider, true
		case "azure":
			return "azure", "openai", "gpt-4.1", true
		}
		return "openai-compatible", "openai", "m", true // OpenAI itself would answer responses with responses
	}
	return "", "", "", false
}

// responsesOnly is a model that the catalogue knows to have no other API: a
// caller of any dialect reaches the Responses API through it.
const responsesOnly = "gpt-5-pro"

// leftOut are captures that are not one answer.
var leftOut = map[string]string{
	"anthropic-messages-stream-parallel_tool_calls_server_tool": "several streams, one after another",
}

// inWords are captures of code that the provider ran, which clients of a
// dialect get to read; the index has the other texts alone.
var inWords = map[string]string{"gemini-generate-code_execution_reasoning_signature": "anthropic"}

// TestConformance replays every recorded answer of a chat through the binary,
// for clients of every dialect: the provider is a server that gives the
// recorded bytes. A client of the provider's own dialect must get those bytes
// unchanged; the others what the index expects.
func TestConformance(t *testing.T) {
	all := captures(t, os.Getenv("SLUICE_WIRE"))
	config, env := replayed(t, all)
	g := newGateway(t, config+team)
	g.env = env
	g.start()
	table := conformance{}
	for i := range all {
		c := &all[i]
		for _, client := range dialects {
			ok := t.Run(c.ID+"/"+client.name, func(t *testing.T) { client.play(t, g, c, "c"+strconv.Itoa(i)) })
			table.add(c, client.name, ok)
		}
	}
	t.Logf("\n%s", table)
}

// replayed starts a server that gives what was recorded, and tells how a
// gateway asks for it: the Nth capture is what provider cN answers.
func replayed(t *testing.T, all []capture) (config string, env []string) {
	byPath := map[string]*capture{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/computeMetadata/") { // Google's, which gives Vertex its tokens
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`)
			return
		}
		n, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		c := byPath[n]
		if c == nil {
			http.NotFound(w, r)
			return
		}
		for k, v := range c.Response.Headers {
			w.Header().Set(k, v)
		}
		w.WriteHeader(c.Response.Status)
		_, _ = w.Write(c.body) // a client that has left shows in the test
	}))
	t.Cleanup(server.Close)
	out := strings.Builder{}
	out.WriteString("providers:\n")
	for i := range all {
		name := "c" + strconv.Itoa(i)
		byPath[name] = &all[i]
		all[i].configure(&out, name, server.URL)
	}
	return out.String(), []string{"GCE_METADATA_HOST=" + strings.TrimPrefix(server.URL, "http://")}
}

// captures reads those of chats.
func captures(t *testing.T, dir string) (all []capture) {
	t.Helper()
	if dir == "" {
		t.Skip("SLUICE_WIRE names no folder of recorded traffic")
	}
	read := func(name string) []byte {
		if name == "" {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var index []capture
	if err := json.Unmarshal(read("index.json"), &index); err != nil {
		t.Fatal(err)
	}
	for _, c := range index {
		var ok bool
		if c.kind, c.dialect, c.model, ok = c.recordedAs(); !ok || leftOut[c.ID] != "" {
			continue
		}
		c.request, c.body = read(c.Request.BodyFile), read(c.Response.BodyFile)
		if c.Stream != nil && *c.Stream == "json-array" { // as the API sends it where no event stream is asked for
			var b bytes.Buffer
			gjson.ParseBytes(c.body).ForEach(func(_, v gjson.Result) bool {
				b.WriteString("data: " + strings.NewReplacer("\n", "", "\r", "").Replace(v.Raw) + "\r\n\r\n")
				return true
			})
			c.body, c.Response.Headers = b.Bytes(), map[string]string{"content-type": "text/event-stream"}
		}
		all = append(all, c)
	}
	return all
}

// configure writes the capture's own provider: errors of one do not rest on
// another's keys and breakers.
func (c *capture) configure(out *strings.Builder, name, url string) {
	base := url + "/" + name
	extra := ", keys: [sk-recorded]"
	switch c.kind {
	case "openai", "openai-compatible":
		base += "/v1"
	case "bedrock":
		extra = ", region: us-east-1, keys: [{id: AKIA, secret: s}]"
	case "vertex":
		extra = ", project: p, location: global"
	case "azure":
		extra += ", api_version: 2024-10-21"
	}
	fmt.Fprintf(out, "  %s: {kind: %s, base_url: %q%s, prices: {\"*\": {input: 1, output: 2}}}\n", name, c.kind, base, extra)
}

// conformance counts [passed, all] by provider, kind and client.
type conformance map[[3]string][2]int

func (s conformance) add(c *capture, client string, ok bool) {
	for _, kind := range []string{c.Kind, "all"} {
		n := s[[3]string{c.Provider, kind, client}]
		if n[1]++; ok {
			n[0]++
		}
		s[[3]string{c.Provider, kind, client}] = n
	}
}

// String is the table: a line for each provider and kind, a column for each
// client dialect.
func (s conformance) String() string {
	rows := map[[2]string]bool{}
	for k := range s {
		rows[[2]string{k[0], k[1]}] = true
	}
	var keys [][2]string
	for k := range rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int {
		return strings.Compare(a[0]+"\x00"+strings.Replace(a[1], "all", "\xff", 1), b[0]+"\x00"+strings.Replace(b[1], "all", "\xff", 1))
	})
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "provider\tkind")
	for _, d := range dialects {
		fmt.Fprint(w, "\t", d.name)
	}
	fmt.Fprintln(w)
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s", k[0], k[1])
		for _, d := range dialects {
			n := s[[3]string{k[0], k[1], d.name}]
			fmt.Fprintf(w, "\t%d/%d", n[0], n[1])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a Builder takes everything
	return out.String()
}

// play drives one capture through the binary for one client.
func (d *clientDialect) play(t *testing.T, g *gateway, c *capture, provider string) {
	stream := c.Stream != nil
	path, body := d.ask(provider+"/"+c.model, stream)
	own := d.name == c.dialect
	asked := true // for usage in the stream
	if own && gjson.ValidBytes(c.request) {
		path, body, asked = d.own(c, provider, path)
	}
	a := g.data("POST", path, body, "anthropic-version", "2023-06-01")
	if c.Response.Status >= 400 {
		if message := a.get("error.message"); a.status < 400 || message.String() == "" {
			t.Errorf("the recorded %d is %d %s", c.Response.Status, a.status, a.body)
		}
		return
	}
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, tail(a.body, 1000))
	}
	if own {
		sameBytes(t, c, a.body, asked)
	}
	if c.fails() {
		if frames := framesOf(a.body); !strings.Contains(frames[len(frames)-1], `"error":{`) {
			t.Errorf("a stream that fails ends with %s", frames[len(frames)-1])
		}
		return
	}
	var got told
	if stream {
		got = d.stream(a.body)
	} else {
		got = d.whole(a.get("@this"))
	}
	if c.Expect != nil {
		got.compare(t, c, d.name, asked)
	}
}

// fails tells whether the provider's own stream ends with an error.
func (c *capture) fails() bool {
	return c.Stream != nil && bytes.Contains(c.body, []byte("event: error\ndata: {\"error\":{"))
}

// own is the recorded request of a client of the provider's dialect, for our
// model; usage tells whether its stream is to hold usage.
func (d *clientDialect) own(c *capture, provider, path string) (string, string, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(c.request, &fields) != nil {
		return path, string(c.request), true
	}
	if d.name != "gemini" {
		fields["model"] = json.RawMessage(quote(provider + "/" + c.model))
	}
	if stream, ok := fields["stream"]; d.name != "gemini" && (c.Stream != nil) != (ok && string(stream) == "true") {
		fields["stream"] = json.RawMessage(strconv.FormatBool(c.Stream != nil))
	}
	delete(fields, "previous_response_id") // of an account that we do not have
	delete(fields, "conversation")
	b, err := json.Marshal(fields)
	if err != nil {
		return path, string(c.request), true
	}
	usage := d.name != "openai" || gjson.GetBytes(b, "stream_options.include_usage").Bool()
	return path, string(b), usage
}

// sameBytes wants the recorded bytes, less the frame that tells the usage
// where the client did not ask for it.
func sameBytes(t *testing.T, c *capture, got string, asked bool) {
	t.Helper()
	want := string(c.body)
	if c.Stream == nil {
		if got != want {
			t.Errorf("the body is changed:\n%s\nwas\n%s", tail(got, 2000), tail(want, 2000))
		}
		return
	}
	if got == want {
		return
	}
	recorded, passed := framesOf(want), framesOf(got)
	if n := len(recorded); c.fails() && len(passed) == n { // ours ends it, with what theirs says
		recorded, passed = recorded[:n-1], passed[:n-1]
	}
	if !asked {
		recorded = slices.DeleteFunc(recorded, func(f string) bool {
			_, data, _ := strings.Cut(f, "data: ")
			return gjson.Get(data, "usage").IsObject() && gjson.Get(data, "choices").IsArray() && len(gjson.Get(data, "choices").Array()) == 0
		})
	}
	if !slices.Equal(recorded, passed) {
		for i := range recorded {
			if i >= len(passed) || recorded[i] != passed[i] {
				t.Errorf("frame %d of %d (%d came) is changed, was\n%s\nnow\n%s", i, len(recorded), len(passed), recorded[i], strings.Join(passed[min(i, len(passed)):min(i+1, len(passed))], ""))
				return
			}
		}
		t.Errorf("%d frames came, %d were recorded; the first more: %s", len(passed), len(recorded), passed[len(recorded)])
	}
}

func framesOf(body string) []string {
	body = strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	return slices.DeleteFunc(strings.Split(body, "\n\n"), func(f string) bool { return strings.TrimSpace(f) == "" })
}
