package gateway_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/tidwall/gjson"

	"sluice/billing"
)

const greeting = `---
model: mock/echo
input: {schema: {text: string, "loud?": boolean, "times?": integer}}
sluice.path: /greet
sluice.cache: 10m
sluice.versions: {"1": {deprecated: 2026-01-01, sunset: 2099-01-01, link: "https://example.com/next"}}
sluice.tests: [{name: one, input: {text: "it's \"é\" \\ \n ` + "`here`" + `", loud: true, times: 2}, expect: {contains: "it"}}]
---
{{text}} {{loud}} {{times}}
`

// The document tells how a version goes out of use, where the answer to an
// array will be, and how caches know a GET's.
func TestOpenAPITellsOfTheWeb(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.prompts["greet"] = greeting
		s.prompts["closed"] = "---\nmodel: mock/echo\nsluice.access: subscribed\n---\nhi"
		s.key("granted", func(k *billing.Key) { k.Prompts = []string{"greet", "closed"} })
	})
	body := r.bare("GET", "/openapi.json", "", as("granted")...).body
	doc, err := openapi3.NewLoader().LoadFromData([]byte(body))
	if err == nil {
		err = doc.Validate(t.Context(), openapi3.EnableExamplesValidation())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	post, get := doc.Paths.Find("/greet").Post, doc.Paths.Find("/greet").Get
	if !post.Deprecated || !get.Deprecated || !strings.Contains(post.Description, "served until 2099-01-01") || post.Responses.Value("410") == nil {
		t.Errorf("its retirement: %v %q", post.Deprecated, post.Description)
	}
	if a := post.Responses.Value("202"); a == nil || a.Value.Headers["Location"] == nil {
		t.Error("there is no 202 with its place")
	}
	if get.Responses.Value("304") == nil || get.Responses.Value("202") != nil || get.Responses.Value("200").Value.Headers["ETag"] == nil ||
		get.Parameters.GetByInAndName("query", "text") == nil || !get.Parameters.GetByInAndName("query", "text").Required || get.RequestBody != nil {
		t.Errorf("its GET: %+v", get)
	}
	closed := doc.Paths.Find("/closed")
	if closed == nil {
		closed = doc.Paths.Find("/prompts/closed")
	}
	if closed.Get != nil || closed.Post.Deprecated || closed.Post.Extensions["x-sluice-access"] != "subscribed" {
		t.Errorf("what is subscribed: %+v", closed.Post)
	}
	a := r.call("GET", "/greet?text=x", "")
	if again := r.call("GET", "/greet?text=x", "", "If-None-Match", a.header.Get("ETag")); a.status != 200 || again.status != 304 || a.header.Get("Deprecation") == "" {
		t.Errorf("as it says: %d, then %d, %v", a.status, again.status, a.header)
	}
}

// The programs that the document has call the prompt as they stand.
func TestOpenAPISamplesRun(t *testing.T) {
	r := newRig(t, func(s *setup) { s.prompts["greet"] = greeting })
	want := r.call("POST", "/greet", "{\"text\":\"it's \\\"é\\\" \\\\ \\n `here`\",\"loud\":true,\"times\":2}").body
	list := gjson.Get(r.call("GET", "/openapi.json", "").body, "paths./greet.post.x-codeSamples").Array()
	if len(list) != 4 || want == "" {
		t.Fatalf("%d samples, %q", len(list), want)
	}
	for _, s := range list {
		program := map[string][]string{"Shell": {"sh"}, "Python": {"python3"}, "TypeScript": {"node"}, "Go": {"go", "run"}}[s.Get("lang").Str]
		suffix := map[string]string{"Shell": "sh", "Python": "py", "TypeScript": "mjs", "Go": "go"}[s.Get("lang").Str]
		t.Run(s.Get("label").Str, func(t *testing.T) {
			if _, err := exec.LookPath(program[0]); err != nil {
				t.Skip(err)
			}
			file := filepath.Join(t.TempDir(), "sample."+suffix)
			if err := os.WriteFile(file, []byte(s.Get("source").Str), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program[0], append(program[1:], file)...)
			cmd.Env = append(os.Environ(), "SLUICE_URL=http://"+r.addr, "SLUICE_KEY="+testKey)
			out, err := cmd.Output()
			if err != nil || strings.TrimSpace(string(out)) != strings.TrimSpace(want) {
				t.Errorf("%v: %q, want %q\n%s", err, out, want, s.Get("source").Str)
			}
		})
	}
}
