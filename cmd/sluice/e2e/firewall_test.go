package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Attacks are refused where a route says so, and told where it says that.
func TestRouteFirewall(t *testing.T) {
	b := startBackend(t, "a")
	target := `{http: {targets: ["` + b.URL + `"]}}`
	g := start(t, `routes:
  - {name: block, match: {path: "/block/**"}, backend: `+target+`, waf: {rules: owasp-crs, paranoia: 1}}
  - {name: strict, match: {path: "/strict/**"}, backend: `+target+`, waf: {paranoia: 3, mode: block}}
  - {name: detect, match: {path: "/detect/**"}, backend: `+target+`, waf: {mode: detect}}
  - {name: heads, match: {path: "/heads/**"}, backend: `+target+`, waf: {body: 0}}
  - {name: left, match: {path: "/left/**"}, backend: `+target+`, waf: {exclude: [942100]}}
  - {name: plain, match: {path: "/plain/**"}, backend: `+target+`}
`+team)
	const injection, script, form = "1' OR '1'='1", "<script>alert(1)</script>", "application/x-www-form-urlencoded"
	escaped := url.QueryEscape(injection)
	jsonBody := `{"order": {"id": "` + injection + `", "n": 1}}`
	far := `{"pad": "` + strings.Repeat("a ", 20<<10) + `", "id": "` + injection + `"}`
	prompt := `{"model": "m", "messages": [{"role": "user", "content": "Why is SELECT * FROM users WHERE id = '1' OR '1'='1' bad? ` + script + `"}], "id": "7"}`
	for _, c := range []struct {
		name, method, path, body, kind string
		status                         int
	}{
		{"query", "GET", "/block/x?id=" + escaped, "", "", 403},
		{"script", "GET", "/block/x?q=" + url.QueryEscape(script), "", "", 403},
		{"path", "GET", "/block/.git/config", "", "", 403},
		{"form", "POST", "/block/x", "id=" + escaped, form, 403},
		{"JSON", "POST", "/block/x", jsonBody, "application/json", 403},
		{"JSON under another name", "POST", "/block/x", jsonBody, "text/plain", 403},
		{"JSON in a list", "PUT", "/block/x", `[["` + script + `"]]`, "application/vnd.api+json", 403},
		{"text", "POST", "/block/x", script, "text/plain", 403},
		{"XML", "POST", "/block/x", "<a><b>1' OR '1'='1</b></a>", "application/xml", 403},
		{"multipart", "POST", "/block/x", "--B\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n" + injection + "\r\n--B--\r\n", "multipart/form-data; boundary=B", 403},
		{"prompt", "POST", "/block/x", prompt, "application/json", 200},
		{"prompt with an attack beside it", "POST", "/block/x", strings.Replace(prompt, `"7"`, `"`+injection+`"`, 1), "application/json", 403},
		{"harmless", "PATCH", "/block/x?page=2&sort=-name", `{"name": "Ann O'Neill", "note": "select one & call me"}`, "application/merge-patch+json", 200},
		{"binary", "POST", "/block/x", "\x00\x01\x02\xff", "application/octet-stream", 200},
		{"higher level", "GET", "/block/x?q=a%27b%3Bc", "", "", 200},
		{"higher level, asked for", "GET", "/strict/x?q=" + url.QueryEscape("a';b--\"c"), "", "", 403},
		{"told", "POST", "/detect/x", jsonBody, "application/json", 200},
		{"heads only, body", "POST", "/heads/x", jsonBody, "application/json", 200},
		{"heads only, query", "GET", "/heads/x?id=" + escaped, "", "", 403},
		{"left out", "GET", "/left/x?id=" + url.QueryEscape("1 OR 1=1"), "", "", 200},
		{"not left out", "GET", "/block/x?id=" + url.QueryEscape("1 OR 1=1"), "", "", 403},
		{"plain", "GET", "/plain/x?id=" + escaped, "", "", 200},
		{"beyond what is looked into", "POST", "/block/x", far, "application/json", 200},
	} {
		before := b.hits.Load()
		r := g.raw(c.method, c.path, c.body, "Content-Type", c.kind, "User-Agent", "okhttp/4.12.0", "Accept", "*/*")
		if r.status != c.status || r.status == 200 && b.hits.Load() != before+1 || r.status != 200 && b.hits.Load() != before {
			t.Errorf("%s: %d %.300s", c.name, r.status, r.body)
		}
		if r.status == 403 && (gjson.Get(r.body, "code").Str != "request_blocked" || gjson.Get(r.body, "origin").Str != "policy" || r.header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: %v %s", c.name, r.header, r.body)
		}
	}
	logged := g.stderr.String()
	if !strings.Contains(logged, "942100") || !strings.Contains(logged, "mode=detect") || !strings.Contains(logged, "route=block") || strings.Contains(logged, "'1'='1") || strings.Contains(logged, "alert(1)") {
		t.Errorf("logged:\n%s", logged)
	}
	m, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(m.body, `sluice_waf_requests_total{mode="detect",route="detect"} 1`) || !strings.Contains(m.body, `code="request_blocked",route="block",status="403"}`) {
		t.Errorf("metrics: %v", err)
	}

	// What was looked into arrives as it came, whatever its length.
	for _, size := range []int{1, 1000, 16 << 10, 16<<10 + 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		for _, chunked := range []bool{false, true} {
			body := strings.Repeat("0123456789", size/10+1)[:size]
			var from io.Reader = strings.NewReader(body)
			if chunked {
				from = io.MultiReader(from) // of a length that is not known
			}
			req, err := http.NewRequest("POST", "http://"+g.listen+"/block/sum", from)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/octet-stream")
			res, err := g.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if want := fmt.Sprintf("%d %x", size, sha256.Sum256([]byte(body))); string(said) != want {
				t.Errorf("%d bytes, chunked %v: %d %s, want %s", size, chunked, res.StatusCode, said, want)
			}
		}
	}
}
