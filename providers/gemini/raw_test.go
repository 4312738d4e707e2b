package gemini

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

func TestHead(t *testing.T) {
	body := `{"contents":[{"parts":[{"text":"hi"},{"inline_data":{"mime_type":"image/png","data":"AA"}}]}],"labels":{"team":"a"},
		"generation_config":{"max_output_tokens":9,"candidateCount":2},"tools":{"google_search":{}}}`
	h, err := head(schema.OpChat, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if h.MaxTokens != 9 || h.N != 2 || !h.HasMedia || len(h.Tags) != 1 || h.Tags[0] != "team:a" || h.PromptSize == 0 || !h.WantsUsage {
		t.Errorf("head is %+v", h)
	}
	if got := body[h.MaxTokensAt.From:h.MaxTokensAt.To]; got != "9" {
		t.Errorf("the limit stands at %q", got)
	}
}

func TestHeadRefuses(t *testing.T) {
	const contents = `"contents":[{"parts":[{"text":"hi"}]}]`
	for _, c := range []struct {
		op          schema.Operation
		body, param string
	}{
		{schema.OpChat, `{}`, "contents"},
		{schema.OpChat, `{"contents":[]}`, "contents"},
		{schema.OpChat, `{"contents":"hi"}`, "contents"},
		{schema.OpChat, `{` + contents + `,"Contents":[]}`, "contents"},
		{schema.OpChat, `{` + contents + `,` + contents + `}`, "contents"},
		{schema.OpChat, `{` + contents + `,"generationConfig":{},"generation_config":{}}`, "generationConfig"},
		{schema.OpChat, `{` + contents + `,"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}`, "generationConfig.maxOutputTokens"},
		{schema.OpChat, `{` + contents + `,"generationConfig":{"maxOutputTokens":0}}`, "generationConfig.maxOutputTokens"},
		{schema.OpChat, `{` + contents + `,"generationConfig":{"candidateCount":9}}`, "generationConfig.candidateCount"},
		{schema.OpChat, `{` + contents + `,"generationConfig":[]}`, "generationConfig"},
		{schema.OpChat, `{` + contents + `,"labels":{"a":1}}`, "labels"},
		{schema.OpChat, `{` + contents + `,"model":1}`, "model"},
		{schema.OpChat, `{` + contents + `,"tools":"x"}`, "tools"},
		{schema.OpChat, `{"generateContentRequest":{` + contents + `}}`, "generateContentRequest"},
		{schema.OpCount, `{` + contents + `,"generateContentRequest":{` + contents + `}}`, "contents"},
		{schema.OpEmbed, `{}`, "content"},
		{schema.OpEmbed, `{"requests":[]}`, "requests"},
		{schema.OpChat, `[]`, ""},
		{schema.OpChat, `{`, ""},
	} {
		_, err := head(c.op, []byte(c.body))
		if err == nil || schema.AsError(err).Param != c.param || schema.AsError(err).Status != 400 {
			t.Errorf("%s: error is %v, want one of %q", c.body, err, c.param)
		}
	}
}

func TestSplice(t *testing.T) {
	vertex := Quirks{Vertex: true, Path: VertexPath("p", "l")}
	plain := Quirks{Path: developerPath}
	for _, c := range []struct {
		q         Quirks
		raw, want string
		limit     int64
	}{
		{plain, `{"contents":[{}]}`, `{"contents":[{}]}`, 0},
		{plain, `{"contents":[{}]}`, `{"generationConfig":{"maxOutputTokens":5},"contents":[{}]}`, 5},
		{plain, `{"contents":[{}],"generationConfig":{}}`, `{"contents":[{}],"generationConfig":{"maxOutputTokens":5}}`, 5},
		{plain, `{"contents":[{}],"generationConfig":null}`, `{"contents":[{}],"generationConfig":{"maxOutputTokens":5}}`, 5},
		{plain, `{"generation_config": {"topK":1},"contents":[{}]}`, `{"generation_config": {"maxOutputTokens":5,"topK":1},"contents":[{}]}`, 5},
		{plain, `{"generationConfig":{"maxOutputTokens":99},"contents":[{}],"model":"models/x"}`,
			`{"generationConfig":{"maxOutputTokens":5},"contents":[{}],"model":"models/m"}`, 5},
		{plain, `{"model":"a","contents":[{}],"generationConfig":{"maxOutputTokens":null}}`,
			`{"model":"models/m","contents":[{}],"generationConfig":{"maxOutputTokens":5}}`, 5},
		{vertex, `{"model":"a","contents":[{}]}`, `{"model":"projects/p/locations/l/publishers/google/models/m","contents":[{}]}`, 0},
	} {
		h, err := head(schema.OpChat, []byte(c.raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(providertest.Spliced(c.q.splice, []byte(c.raw), &h, "m", c.limit)); got != c.want {
			t.Errorf("%s became %s, want %s", c.raw, got, c.want)
		}
	}
	wrapped := `{"generateContentRequest": {"contents":[{}],"model":"models/x"} }`
	h, err := head(schema.OpCount, []byte(wrapped))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(providertest.SplicedCount(plain.spliceCount, []byte(wrapped), &h, "m")); got != `{"generateContentRequest": {"contents":[{}],"model":"models/m"} }` {
		t.Errorf("the count became %s", got)
	}
	if got := string(providertest.SplicedCount(vertex.spliceCount, []byte(wrapped), &h, "m")); got != `{"contents":[{}],"model":"projects/p/locations/l/publishers/google/models/m"}` {
		t.Errorf("Vertex's count became %s", got)
	}
}

func TestPaths(t *testing.T) {
	vertex := New(Quirks{Vertex: true, Path: VertexPath("my-project", "europe-west4")})
	for got, want := range map[string]string{
		Dialect.Chat.Path("gemini-2.5-flash", false):              "/v1beta/models/gemini-2.5-flash:generateContent",
		Dialect.Chat.Path("models/gemini-2.5-flash", true):        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
		Dialect.Chat.Path("tunedModels/t-1", false):               "/v1beta/tunedModels/t-1:generateContent",
		Dialect.Chat.Path("../x?y#z", false):                      "/v1beta/models/..%2Fx%3Fy%23z:generateContent",
		Dialect.Chat.Path("..", false):                            "/v1beta/models/%2E:generateContent",
		Dialect.Chat.Path("a:deleteAll", false):                   "/v1beta/models/a%3AdeleteAll:generateContent",
		Dialect.Count.Path("m"):                                   "/v1beta/models/m:countTokens",
		vertex.Chat.Path("gemini-2.0-flash", true):                "/v1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-2.0-flash:streamGenerateContent?alt=sse",
		vertex.Chat.Path("endpoints/123", false):                  "/v1/projects/my-project/locations/europe-west4/endpoints/123:generateContent",
		New(Quirks{Path: VertexPath("a/b", "c")}).Count.Path("m"): "/v1/projects/a%2Fb/locations/c/publishers/google/models/m:countTokens",
	} {
		if got != want {
			t.Errorf("path is %s, want %s", got, want)
		}
	}
}

// scanAll passes a stream through the scanner as the gateway does.
func scanAll(t *testing.T, body []byte) (dialect.Tally, bool, error) {
	t.Helper()
	var tally dialect.Tally
	var split sse.Splitter
	s := Dialect.Chat.Scan(false)
	for len(body) > 0 {
		n, err := split.Next(body)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 { // a last frame without its blank line, or half a frame
			if !json.Valid(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("data:")))) {
				break
			}
			n = len(body)
		}
		if keep, err := s.Scan(body[:n], &tally); err != nil || !keep {
			return tally, false, err
		}
		body = body[n:]
	}
	return tally, s.(dialect.Ender).Ended(), nil
}

func TestScanRecorded(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "generate", "gemini", "vertex") {
		switch {
		case c.Response.Status != 200:
		case c.Stream == nil:
			var tally dialect.Tally
			if err := chatUsage(c.Answered, &tally); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			if want, _ := whole(t, &Dialect, c.Answered); tally.Usage != want.Usage || tally.Finish != want.Finish {
				t.Errorf("%s: tally is %+v, want %+v", c.ID, tally, want)
			}
		case *c.Stream == "sse":
			want, _ := streamed(t, &Dialect, c.Answered, nil)
			for _, body := range [][]byte{c.Answered, bytes.ReplaceAll(c.Answered, []byte("\n"), []byte("\r\n"))} {
				tally, ended, err := scanAll(t, body)
				if err != nil || !ended || tally.Usage != want.Usage || tally.Finish != want.Finish {
					t.Errorf("%s: tally is %+v (whole: %v, %v), want %+v", c.ID, tally, ended, err, want)
				}
			}
			if _, ended, _ := scanAll(t, c.Answered[:len(c.Answered)/2]); ended {
				t.Errorf("%s: cut in half, the stream looks whole", c.ID)
			}
		}
	}
}

func TestScan(t *testing.T) {
	tally, ended, err := scanAll(t, []byte("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"index\":0},{\"index\":1}]}\n\n: hi\n\ndata: {\"candidates\":\ndata: [{\"index\":1,\"finishReason\":\"STOP\"}]}\n\n"))
	if err != nil || ended || tally.Text.Bytes != 4 {
		t.Errorf("tally is %+v, whole: %v, %v", tally, ended, err)
	}
	tally, ended, err = scanAll(t, []byte("data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}}],\"usageMetadata\":{\"trafficType\":\"ON_DEMAND\"}}\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"))
	if err != nil || !ended || tally.Finish != "tool_calls" || tally.Usage.Source != schema.UsageNone {
		t.Errorf("tally is %+v, whole: %v, %v", tally, ended, err)
	}
	if tally, ended, _ = scanAll(t, []byte("data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n")); !ended || tally.Finish != "content_filter" {
		t.Errorf("a blocked prompt: tally is %+v, whole: %v", tally, ended)
	}
	for _, body := range []string{"data: {\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n", "{\"error\":{\"code\":429,\"message\":\"m\"}}\n"} {
		if _, _, err := scanAll(t, []byte(body)); err == nil || schema.AsError(err).Class != schema.ClassRateLimited {
			t.Errorf("%q gives %v", body, err)
		}
	}
}

func TestArray(t *testing.T) {
	var a Array
	out := a.Frames(nil, []byte("data: {\"a\":1}\r\n\r\n: comment\n\n"))
	out = a.Frames(out, []byte("data: {\"b\":2}\n\n"))
	out = a.Frames(out, Dialect.Client.StreamError(nil, &schema.Error{Code: schema.CodeUpstream, Status: 503, Message: "m"}, ""))
	got := string(a.End(out))
	if !strings.HasPrefix(got, "[{\"a\":1},\n{\"b\":2},\n{\"error\":{\"code\":503,") || !strings.HasSuffix(got, "}]") {
		t.Errorf("the array is %s", got)
	}
	if got := string(new(Array).End(nil)); got != "[]" {
		t.Errorf("no frames give %s", got)
	}
}
