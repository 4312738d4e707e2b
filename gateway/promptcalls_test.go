package gateway_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/prompts"
)

const (
	sentiment = `---
model: say/m
input:
  schema: {text: "string, what the customer wrote", "language?": string, "times?": integer, "who?": {name: string, "age?": integer}, "tags?(array)": string}
  default: {language: English}
output:
  format: json
  schema: {"sentiment(enum)": [positive, neutral, negative], confidence: number}
sluice.path: /sentiment
%s---
{{language}}: {{text}}{{#if times}} x{{times}}{{/if}}{{#if who}} by {{who.name}} {{who.age}}{{/if}}{{#each tags}} #{{this}}{{/each}}
`
	echoing = `---
model: mock/echo
input:
  schema: {text: "string, what the customer wrote", "language?": string, "times?": integer, "who?": {name: string, "age?": integer}, "tags?(array)": string}
  default: {language: English}
sluice.path: /echo
%s---
{{language}}: {{text}}{{#if times}} x{{times}}{{/if}}{{#if who}} by {{who.name}} {{who.age}}{{/if}}{{#each tags}} #{{this}}{{/each}}
`
	goodOutput = `{"sentiment":"positive","confidence":0.9}`
	badOutput  = `{"sentiment":"jolly","confidence":"very"}`
)

// prompting is a rig with /echo, /sentiment, answered by what say says, and
// what else a test wants.
func prompting(t testing.TB, say script, sluice string, change ...func(*setup)) *rig {
	return newRig(t, append([]func(*setup){func(s *setup) {
		s.providers = append(s.providers, local("say", say, oneTwo))
		s.prompts["sentiment"] = fmt.Sprintf(sentiment, sluice)
		s.prompts["echo"] = fmt.Sprintf(echoing, sluice)
	}}, change...)...)
}

// An input is the same one as JSON, form, multipart or query.
func TestPromptInputs(t *testing.T) {
	r := prompting(t, saysAll(goodOutput), "")
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	for _, f := range [][2]string{{"text", "fine"}, {"times", "3"}, {"who.name", "Ann"}, {"who.age", "40"}, {"tags", "a"}, {"tags", "b"}} {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	form := url.Values{"text": {"fine"}, "times": {"3"}, "who.name": {"Ann"}, "who.age": {"40"}, "tags": {"a", "b"}}.Encode()
	object := `{"text":"fine","times":3,"who":{"name":"Ann","age":40},"tags":["a","b"]}`
	const want = "English: fine x3 by Ann 40 #a #b"
	for _, c := range []struct{ name, method, path, kind, body string }{
		{"JSON", "POST", "/echo", "application/json", object},
		{"JSON that says nothing of its kind", "POST", "/echo", "", object},
		{"JSON that curl calls a form", "POST", "/echo", "application/x-www-form-urlencoded", object},
		{"form", "POST", "/echo", "application/x-www-form-urlencoded", form},
		{"form with a charset", "POST", "/echo", "application/x-www-form-urlencoded; charset=utf-8", form},
		{"multipart", "POST", "/echo", w.FormDataContentType(), multi.String()},
		{"query", "GET", "/echo?" + form, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.on(t).bare(c.method, c.path, c.body, "Authorization", "Bearer "+testKey, "Content-Type", c.kind)
			if a.status != 200 || strings.TrimSpace(a.body) != want || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			if a.header.Get("X-Sluice-Prompt") != "echo@1" || a.header.Get("X-Sluice-Model") != "mock/echo" || a.header.Get("X-Sluice-Cost") == "" {
				t.Errorf("heads: %v", a.header)
			}
		})
	}
}

// A file of a form is media.
func TestPromptFiles(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.prompts["look"] = "---\nmodel: up/echo\ninput: {schema: {pic: string}}\n---\nlook {{media url=pic}}\n"
	})
	picture := []byte("\x89PNG\r\n\x1a\n not much of one")
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="pic"; filename="a.png"`}, "Content-Type": {"image/png"}})
	if err != nil {
		t.Fatal(err)
	}
	part.Write(picture)
	w.Close()
	a := r.call("POST", "/prompts/look", multi.String(), "Content-Type", "")
	if a.status != 400 && a.status != 422 {
		t.Errorf("a form that says that it is JSON: %d %s", a.status, a.body)
	}
	a = r.bare("POST", "/prompts/look", multi.String(), "Authorization", "Bearer "+testKey, "Content-Type", w.FormDataContentType())
	if want := fmt.Sprintf("[image image/png %d]", base64.StdEncoding.EncodedLen(len(picture))); a.status != 200 || !strings.Contains(a.body, want) {
		t.Errorf("%d %s, want %s in it", a.status, a.body, want)
	}
}

// What is wrong with an input is told whole, with pointers; methods and
// broken bodies are refused.
func TestPromptRefusals(t *testing.T) {
	r := prompting(t, saysAll(goodOutput), "")
	for _, c := range []struct {
		name, method, path, kind, body string
		status                         int
		pointers                       string
	}{
		{"every fault", "POST", "/echo", "application/json", `{"times":"x","who":{"age":"old"}}`, 422, "/text /times /who/age /who/name"},
		{"form", "POST", "/echo", "application/x-www-form-urlencoded", "text=a&times=x", 422, "/times"},
		{"query", "GET", "/echo?times=1.5&text=a", "", "", 422, "/times"},
		{"nothing", "POST", "/echo", "application/json", "", 422, "/text"},
		{"not an object", "POST", "/echo", "application/json", `"text"`, 400, ""},
		{"not JSON", "POST", "/echo", "application/json", `{"text":`, 400, ""},
		{"JSON and more", "POST", "/echo", "application/json", `{"text":"a"} {}`, 400, ""},
		{"form with a clash", "POST", "/echo", "application/x-www-form-urlencoded", "text=a&who=x&who.name=y", 400, ""},
		{"no multipart", "POST", "/echo", "multipart/form-data; boundary=x", "hello", 400, ""},
		{"multipart without a boundary", "POST", "/echo", "multipart/form-data", "hello", 400, ""},
		{"method", "PUT", "/echo", "application/json", `{"text":"a"}`, 405, ""},
		{"another method", "DELETE", "/echo", "", "", 405, ""},
		{"no such path", "POST", "/ech", "application/json", `{"text":"a"}`, 404, ""},
		{"no such version", "POST", "/echo@9", "application/json", `{"text":"a"}`, 404, ""},
		{"no version", "POST", "/echo@x", "application/json", `{"text":"a"}`, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.on(t).bare(c.method, c.path, c.body, "Authorization", "Bearer "+testKey, "Content-Type", c.kind)
			if a.status != c.status || a.header.Get("Content-Type") != "application/problem+json" || a.get("status").Int() != int64(c.status) {
				t.Fatalf("%d %v %s, want %d", a.status, a.header, a.body, c.status)
			}
			var pointers []string
			for _, p := range a.get("errors.#.pointer").Array() {
				pointers = append(pointers, p.String())
			}
			for _, want := range strings.Fields(c.pointers) {
				if !strings.Contains(" "+strings.Join(pointers, " ")+" ", " "+want+" ") {
					t.Errorf("no fault at %s: %s", want, a.body)
				}
			}
			if c.status == 405 && a.header.Get("Allow") != "GET, POST" {
				t.Errorf("Allow: %q", a.header.Get("Allow"))
			}
			if c.status != 422 && a.get("errors").Exists() {
				t.Errorf("a list of faults: %s", a.body)
			}
		})
	}
}

// Output that breaks the schema is repaired, or refused at last; every turn is
// paid for.
func TestPromptRepairs(t *testing.T) {
	for _, c := range []struct {
		name, sluice string
		says         []string
		status       int
		cost         billing.Nano
	}{
		{"right at once", "", []string{goodOutput}, 200, 20_000},
		{"in a fence", "", []string{"Sure:\n```json\n" + goodOutput + "\n```"}, 200, 20_000},
		{"mended", "", []string{badOutput, goodOutput}, 200, 40_000},
		{"never right", "", []string{badOutput}, 502, 40_000},
		{"no JSON", "", []string{"I cannot"}, 502, 40_000},
		{"no repair", "sluice.repair: 0\n", []string{badOutput, goodOutput}, 502, 20_000},
		{"mended at last", "sluice.repair: 3\n", []string{badOutput, "", badOutput, goodOutput}, 200, 80_000},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %v", c.name, stream), func(t *testing.T) {
				r := prompting(t, saysAll(c.says...), c.sluice)
				path := "/sentiment"
				if stream {
					path += "?stream=1"
				}
				a := r.call("POST", path, `{"text":"I love it"}`, "X-Request-Id", "repair")
				r.settled()
				e := r.entry("repair")
				if e.Cost != c.cost || len(e.Attempts) != int(c.cost/20_000) || e.Usage.Output != 5*int64(len(e.Attempts)) || e.Prompt != "sentiment" || e.Version != 1 {
					t.Errorf("the entry is %+v", e)
				}
				if want := map[bool]string{true: "", false: "invalid_output"}[c.status == 200]; e.Code != want {
					t.Errorf("the code is %q", e.Code)
				}
				switch {
				case stream && c.status == 200:
					list := events(a.body)
					done := list[len(list)-1]
					if !strings.Contains(a.body, "event: done\ndata: "+done) || gjson.Get(done, "output").Raw != goodOutput ||
						gjson.Get(done, "cost").String() != e.Cost.String() || gjson.Get(done, "usage.output_tokens").Int() != e.Usage.Output ||
						gjson.Get(done, "version").Int() != 1 {
						t.Errorf("the stream is %s", a.body)
					}
				case stream:
					if !strings.Contains(a.body, "event: error\ndata: ") || strings.Contains(a.body, "event: done") || !strings.Contains(a.body, `"code":"invalid_output"`) {
						t.Errorf("the stream is %s", a.body)
					}
				case a.status != c.status || c.status == 200 && a.body != goodOutput || c.status != 200 && a.get("code").String() != "invalid_output":
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
	}
}

// A prompt's text streams as deltas, then comes whole.
func TestPromptStreams(t *testing.T) {
	r := prompting(t, saysAll(goodOutput), "")
	for _, c := range []struct{ method, path, accept, body string }{
		{"POST", "/echo?stream=1", "", `{"text":"one two three"}`},
		{"POST", "/echo", "text/event-stream", `{"text":"one two three"}`},
		{"GET", "/echo?text=one+two+three&stream=1", "", ""},
	} {
		a := r.call(c.method, c.path, c.body, "Accept", c.accept, "Prefer", "")
		list := events(a.body)
		var text strings.Builder
		for _, e := range list[:len(list)-1] {
			text.WriteString(gjson.Get(e, "delta").String())
		}
		if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || strings.TrimSpace(text.String()) != "English: one two three" ||
			gjson.Get(list[len(list)-1], "output").String() != text.String() || len(list) < 5 {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, a.status, a.header, a.body)
		}
	}
}

// The envelope, for those who prefer it.
func TestPromptEnvelope(t *testing.T) {
	r := prompting(t, saysAll(goodOutput), "")
	a := r.call("POST", "/sentiment", `{"text":"x"}`, "Prefer", "respond-async, return=envelope")
	if a.status != 200 || a.get("output.sentiment").String() != "positive" || a.get("usage.input_tokens").Int() != 10 || a.get("usage.output_tokens").Int() != 5 ||
		a.get("cost").String() != "0.00002" || a.get("model").String() != "say/m" || a.get("prompt").String() != "sentiment" || a.get("version").Int() != 1 ||
		a.header.Get("Preference-Applied") != "return=envelope" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a = r.call("POST", "/echo", `{"text":"x"}`, "Prefer", "return=envelope")
	if a.get("output").String() != "English: x\n" && a.get("output").String() != "English: x" {
		t.Errorf("a text: %s", a.body)
	}
}

// Versions and labels, by path and by header.
func TestPromptVersions(t *testing.T) {
	r := newRig(t, func(s *setup) { s.prompts["v"] = "---\nmodel: mock/echo\n---\nfirst" })
	if n := r.publish("v", "---\nmodel: mock/echo\n---\nsecond"); n != 2 {
		t.Fatalf("version %d", n)
	}
	if err := r.store.MoveLabel(t.Context(), "v", prompts.LabelMove{Label: "staging", To: 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.registry.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path    string
		header  []string
		status  int
		version string
	}{
		{"/prompts/v", nil, 200, "2"},
		{"/prompts/v@1", nil, 200, "1"},
		{"/prompts/v@2", nil, 200, "2"},
		{"/prompts/v@3", nil, 404, ""},
		{"/prompts/v@0", nil, 404, ""},
		{"/prompts/v", []string{"X-Prompt-Version", "1"}, 200, "1"},
		{"/prompts/v", []string{"X-Prompt-Version", "7"}, 404, ""},
		{"/prompts/v", []string{"X-Prompt-Version", "one"}, 400, ""},
		{"/prompts/v", []string{"X-Prompt-Label", "staging"}, 200, "1"},
		{"/prompts/v", []string{"X-Prompt-Label", "production"}, 200, "2"},
		{"/prompts/v", []string{"X-Prompt-Label", "latest"}, 200, "2"},
		{"/prompts/v", []string{"X-Prompt-Label", "nightly"}, 404, ""},
		{"/prompts/v@2", []string{"X-Prompt-Label", "staging"}, 200, "2"}, // the path says more
	} {
		a := r.call("POST", c.path, "{}", c.header...)
		if a.status != c.status || c.version != "" && (a.header.Get("X-Sluice-Prompt") != "v@"+c.version ||
			strings.TrimSpace(a.body) != map[string]string{"1": "first", "2": "second"}[c.version]) {
			t.Errorf("%s %v: %d %v %s", c.path, c.header, a.status, a.header, a.body)
		}
	}
	r.publish("v", "---\nmodel: mock/echo\n---\nthird")
	r.store.mu.Lock()
	r.store.down = true // and what is served, is served on
	r.store.mu.Unlock()
	if a := r.call("POST", "/prompts/v", "{}"); a.status != 200 || a.header.Get("X-Sluice-Prompt") != "v@3" {
		t.Errorf("with the store down: %d %v", a.status, a.header)
	}
	if a := r.call("POST", "/prompts/v@9", "{}"); a.status != 503 || a.get("code").String() != "unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("what must be read from a store that is down: %d %s", a.status, a.body)
	}
}

// Who may call which prompt.
func TestPromptAccess(t *testing.T) {
	r := newRig(t, func(s *setup) {
		for _, access := range []string{"public", "any-key", "subscribed"} {
			s.prompts[access] = "---\nmodel: mock/echo\nsluice.access: " + access + "\nsluice.limits: {rpm: 4}\n---\nhello"
		}
		s.key("one", func(k *billing.Key) { k.Prompts = []string{"subscribed"} })
		s.key("narrow", func(k *billing.Key) { k.Models = []string{"nothing"} }) // models do not grant prompts
	})
	for _, c := range []struct {
		prompt, key string
		status      int
	}{
		{"public", "", 200}, {"public", "k", 200}, {"public", "wrong", 401},
		{"any-key", "", 401}, {"any-key", "k", 200}, {"any-key", "one", 403}, {"any-key", "narrow", 200},
		{"subscribed", "", 401}, {"subscribed", "k", 403}, {"subscribed", "one", 200},
	} {
		var header []string
		if c.key != "" {
			header = as(c.key)
		}
		id := "access-" + c.prompt + "-" + c.key
		a := r.bare("POST", "/prompts/"+c.prompt, "{}", append(header, "X-Request-Id", id)...)
		if a.status != c.status {
			t.Errorf("%s by %q: %d %s, want %d", c.prompt, c.key, a.status, a.body, c.status)
		}
		if c.prompt == "public" && c.key == "" {
			r.settled()
			if e := r.entry(id); e.Team != "public" || e.Key != "public/anonymous" || e.Cost <= 0 {
				t.Errorf("a call without a key: %+v", e)
			}
		}
	}
	for range 3 { // of four a minute, two are used
		r.bare("POST", "/prompts/public", "{}")
	}
	if a := r.bare("POST", "/prompts/public", "{}"); a.status != 429 || a.get("origin").String() != "policy" || a.header.Get("Retry-After") == "" {
		t.Errorf("beyond the prompt's own limit: %d %v %s", a.status, a.header, a.body)
	}
	if a := r.call("POST", "/prompts/any-key", "{}"); a.status != 200 {
		t.Errorf("another prompt's limit: %d %s", a.status, a.body)
	}
}

// A prompt whose model is not served here, or that costs money its caller has
// not, says so.
func TestPromptsThatCannotRun(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.prompts["lost"] = "---\nmodel: nobody/m\n---\nhello"
		s.prompts["dear"] = "---\nmodel: mock/echo\n---\nhello"
		s.prompts["unpriced"] = "---\nmodel: free/small\n---\nhello"
		s.key("poor", func(k *billing.Key) { k.Budgets = hard(1) })
	})
	for _, c := range []struct {
		prompt string
		status int
		code   string
	}{{"lost", 503, "no_target"}, {"dear", 429, "insufficient_quota"}, {"unpriced", 403, "model_unpriced"}} {
		if a := r.bare("POST", "/prompts/"+c.prompt, "{}", as("poor")...); a.status != c.status || a.get("code").String() != c.code {
			t.Errorf("%s: %d %s", c.prompt, a.status, a.body)
		}
	}
	if a := r.call("POST", "/prompts/dear", "{}", "X-Sluice-Timeout", "never"); a.status != 400 {
		t.Errorf("a timeout that is none: %d %s", a.status, a.body)
	}
}
