package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// account is a provider's account with files and batches, which knows of no team.
type account struct {
	mu   sync.Mutex
	made []string // ids
}

func startAccount(t *testing.T) *httptest.Server {
	a := &account{made: []string{"file-outside"}}
	s := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(s.Close)
	return s
}

func (a *account) add(kind string) string {
	a.made = append(a.made, fmt.Sprintf("%s-%d", kind, len(a.made)))
	return a.made[len(a.made)-1]
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	tell := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch kind := map[string]string{"files": "file", "batches": "batch"}[parts[0]]; {
	case r.URL.Path == "/v1/chat/completions":
		tell(map[string]any{"id": "c", "object": "chat.completion", "model": "m", "choices": []any{map[string]any{"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": "read"}}}, "usage": map[string]any{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
	case len(parts) == 1 && r.Method == "POST":
		tell(a.shown(a.add(kind)))
	case len(parts) == 1:
		list := []any{}
		for _, id := range a.made {
			if strings.HasPrefix(id, kind) {
				list = append(list, a.shown(id))
			}
		}
		tell(map[string]any{"object": "list", "data": list, "has_more": false})
	case !slices.Contains(a.made, parts[1]):
		w.WriteHeader(404)
		tell(map[string]any{"error": map[string]any{"message": "no such thing"}})
	case r.Method == "DELETE":
		a.made = slices.DeleteFunc(a.made, func(id string) bool { return id == parts[1] })
		tell(map[string]any{"id": parts[1], "deleted": true})
	case strings.HasSuffix(r.URL.Path, "/content"):
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, "content of "+parts[1])
	default:
		tell(a.shown(parts[1]))
	}
}

// shown is a file, or a batch, whose results are a file as soon as it is there.
func (a *account) shown(id string) map[string]any {
	v := map[string]any{"id": id, "status": "processed"}
	if n, batch := strings.CutPrefix(id, "batch-"); batch {
		if v["output_file_id"] = "file-out" + n; !slices.Contains(a.made, "file-out"+n) {
			a.made = append(a.made, "file-out"+n)
		}
	}
	return v
}

// kept is what a tenant has at the data plane.
type kept struct{ secret, response, job, file, batch, output, replay string }

// reading are requests for what another has: status, method, path and body.
var reading = []string{
	"404 GET /v1/responses/RESPONSE", "404 DELETE /v1/responses/RESPONSE",
	`400 POST /v1/responses {"model":"up/echo","input":"more","previous_response_id":"RESPONSE"}`,
	"404 GET /v1/jobs/JOB",
	"404 GET /v1/files/FILE", "404 GET /v1/files/FILE/content", "404 DELETE /v1/files/FILE",
	"404 GET /v1/files/OUTPUT", "404 GET /v1/files/OUTPUT/content",
	"404 GET /v1/batches/BATCH", "404 POST /v1/batches/BATCH/cancel",
	`404 POST /v1/batches {"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24h"}`,
	`404 POST /v1/chat/completions {"model":"acct/m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"FILE"}}]}]}`,
	`404 POST /v1/chat/completions {"model":"acct/m","messages":[{"role":"user","content":[{"type":"file","file":{"file\u005fid":"OUTPUT"}}]}]}`,
	"200 GET /v1/files", "200 GET /v1/batches", "200 GET /v1/usage",
}

// Keys of one team do not reach what another has made at the data plane: kept
// answers, jobs, answers that are given again, files and batches of a provider's
// account that all share.
func TestTenantsData(t *testing.T) { tenantsData(t, newGateway(t, "")) }

func tenantsData(t *testing.T, g *gateway) {
	names := []string{"qqamber", "qqbirch", "qqcedar"}
	var list strings.Builder
	for _, n := range names {
		fmt.Fprintf(&list, "  %s: {keys: [{name: k, value: sk-e2e-%[1]s-0123456789}]}\n", n)
	}
	g.configure(head + "prompts: {dir: DIR/prompts}\n" + providers + `  acct: {kind: openai-compatible, base_url: "` + startAccount(t).URL + `/v1", keys: [sk-acct], prices: {"*": {input: 1, output: 2}}}
defaults: {files: acct, batches: acct}
teams:
` + list.String())
	g.prompt("say", sayText)
	g.start()
	as := func(secret, method, path, body string, header ...string) answer {
		t.Helper()
		return g.data(method, path, body, append([]string{"Authorization", "Bearer " + secret}, header...)...)
	}
	all := map[string]kept{}
	for _, n := range names {
		k := kept{secret: "sk-e2e-" + n + "-0123456789"}
		k.response = as(k.secret, "POST", "/v1/responses", `{"model":"up/echo","input":"a secret of `+n+`"}`).get("id").String()
		k.job = as(k.secret, "POST", "/prompts/say", `[{"text":"`+n+`"}]`, "Prefer", "respond-async").get("id").String()
		k.replay = as(k.secret, "POST", "/prompts/say", `{"text":"again `+n+`"}`, "Idempotency-Key", "the-same-for-all").body
		k.file = as(k.secret, "POST", "/v1/files", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--b--\r\n", "Content-Type", "multipart/form-data; boundary=b").get("id").String()
		k.batch = as(k.secret, "POST", "/v1/batches", `{"input_file_id":"`+k.file+`","endpoint":"/v1/chat/completions","completion_window":"24h"}`).get("id").String()
		k.output = as(k.secret, "GET", "/v1/batches/"+k.batch, "").get("output_file_id").String()
		if k.response == "" || k.job == "" || !strings.Contains(k.replay, n) || k.file == "" || k.batch == "" || k.output == "" {
			t.Fatalf("%+v", k)
		}
		all[n] = k
	}
	own := func(when string) {
		t.Helper()
		for n, k := range all {
			for path, holds := range map[string]string{"/v1/responses/" + k.response: n, "/v1/jobs/" + k.job: "", "/v1/files/" + k.file: k.file, "/v1/files/" + k.output + "/content": k.output,
				"/v1/batches/" + k.batch: k.batch, "/v1/files": k.output, "/v1/batches": k.batch, "/v1/files/file-outside": "file-outside"} {
				if a := as(k.secret, "GET", path, ""); a.status != 200 && a.status != 202 || !strings.Contains(a.body, holds) {
					t.Errorf("%s %s: %d %s", when, path, a.status, a.body)
				}
			}
			if a := as(k.secret, "POST", "/v1/chat/completions", `{"model":"acct/m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"`+k.file+`"}}]}]}`); a.status != 200 {
				t.Errorf("%s, a call with a file: %d %s", when, a.status, a.body)
			}
		}
	}
	own("before")
	fewChecks(t)
	crossed := func(r *rapid.T, line string, pair []string) {
		one, other := all[pair[0]], all[pair[1]]
		fill := strings.NewReplacer("RESPONSE", other.response, "JOB", other.job, "FILE", other.file, "BATCH", other.batch, "OUTPUT", other.output)
		ask := strings.SplitN(fill.Replace(line), " ", 4)
		a := as(one.secret, ask[1], ask[2], strings.Join(ask[3:], ""))
		if fmt.Sprint(a.status) != ask[0] {
			r.Errorf("%s: %d %s", line, a.status, a.body)
		}
		if a.status == 200 {
			for _, of := range []string{pair[1], other.response, other.job, `"` + other.file + `"`, `"` + other.batch + `"`, other.output} {
				if strings.Contains(a.body, of) {
					r.Errorf("%s tells %s: %s", line, of, a.body)
				}
			}
		} else if strings.Contains(a.body, pair[1]) || strings.Contains(a.body, "content of") {
			r.Errorf("%s tells: %s", line, a.body)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		pair := rapid.Permutation(names).Draw(r, "teams")
		for _, line := range rapid.Permutation(reading).Draw(r, "requests") {
			crossed(r, line, pair)
		}
	})
	own("after")
	g.stop()
	g.start()
	own("after a restart")
	first, last := all[names[0]], all[names[2]]
	if a := as(last.secret, "GET", "/v1/files/"+first.file, ""); a.status != 404 {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	calls := "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n" +
		`{"custom_id":"1","method":"POST","url":"/v1/responses","body":{"input":[{"role":"user","content":[{"type":"input_file","file_id":"` + first.file + `"}]}]}}` + "\r\n--b--\r\n"
	for secret, want := range map[string]int{first.secret: 200, last.secret: 404} {
		if a := as(secret, "POST", "/v1/files", calls, "Content-Type", "multipart/form-data; boundary=b"); a.status != want || want == 404 && a.get("error.param").Str != "file" {
			t.Errorf("calls of a batch with a file: %d %s, want %d", a.status, a.body, want)
		}
	}
	if a := as(first.secret, "DELETE", "/v1/files/"+first.file, ""); a.status != 200 {
		t.Errorf("its own is not deleted: %d %s", a.status, a.body)
	}
}
