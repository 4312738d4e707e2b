package gemini

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

// seeds adds the sections of the scenario files with these names.
func seeds(f *testing.F, names ...string) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range txtar.Parse(raw).Files {
			for _, name := range names {
				if section.Name != name {
					continue
				}
				text := string(section.Data)
				if _, body, ok := strings.Cut(text, "\n\n{"); name == "upstream" && ok {
					text = "{" + body
				}
				for frame := range strings.SplitSeq(text, "\n\n") {
					f.Add([]byte(strings.TrimPrefix(frame, "data: ")))
				}
			}
		}
	}
}

// FuzzDecode reads any answer; what is read can be written for every client.
func FuzzDecode(f *testing.F) {
	seeds(f, "response", "stream", "error")
	f.Fuzz(func(t *testing.T, body []byte) {
		var tally dialect.Tally
		usageErr := chatUsage(body, &tally)
		resp, err := decode(body)
		if (err == nil) != (usageErr == nil) {
			t.Errorf("decode says %v, usage says %v", err, usageErr)
		}
		if err == nil {
			for _, client := range []*dialect.Dialect{&Dialect, &openai.Dialect, &anthropic.Dialect} {
				if out := client.Client.EncodeChat(nil, resp); !json.Valid(out) {
					t.Errorf("%s: not JSON: %s", client.Name, out)
				}
			}
			if u := resp.Usage; u.Input < 0 || u.Output < 0 || u.CachedInput > u.Input || u.Reasoning > u.Output {
				t.Errorf("usage is %+v", u)
			}
		}
		if e := decodeError(500, func(string) string { return "" }, body); e.Message == "" || e.Status < 400 {
			t.Errorf("the error is %+v", e)
		}
		_, _ = decodeEmbed(body)
		_, _ = decodeCount(body)
	})
}

// FuzzStream reads any frame, twice, and scans it.
func FuzzStream(f *testing.F) {
	seeds(f, "stream")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, e := Dialect.Chat.Stream(), newEncoder(dialect.StreamOptions{})
		var out []byte
		for range 2 {
			chunks, err := s.Decode(dialect.Frame{Data: data}, nil)
			if err != nil {
				break
			}
			for i := range chunks {
				out = e.Chunk(out, &chunks[i])
			}
		}
		out = e.End(out, &schema.Usage{})
		for frame := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
			if !json.Valid([]byte(strings.TrimPrefix(frame, "data: "))) {
				t.Errorf("not JSON: %s", frame)
			}
		}
		var tally dialect.Tally
		_, _ = Dialect.Chat.Scan(true).Scan(append(append([]byte("data: "), data...), "\n\n"...), &tally)
	})
}

// FuzzRequest reads any request; what passes Head can be edited, and what can
// be read can be sent on or is refused with a reason.
func FuzzRequest(f *testing.F) {
	seeds(f, "upstream")
	f.Add([]byte(`{"generateContentRequest":{"contents":{"parts":{"text":"x"}}},"requests":[{"content":{"parts":[{"text":"a"}]}}]}`))
	q := Quirks{Path: developerPath}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range []schema.Operation{schema.OpChat, schema.OpCount, schema.OpEmbed} {
			h, err := head(op, body)
			if err != nil {
				continue
			}
			if op == schema.OpEmbed {
				if req, err := decodeEmbedRequest(body); err == nil {
					if up, err := q.encodeEmbed(req); err == nil && !json.Valid(up.Body) {
						t.Errorf("not JSON: %s", up.Body)
					}
				}
				continue
			}
			if op == schema.OpChat {
				out := providertest.Spliced(q.splice, body, &h, "m", 7)
				if again, err := head(op, out); err != nil || again.MaxTokens != 7 {
					t.Errorf("%s became %s: %+v, %v", body, out, again, err)
				}
			} else if out := providertest.SplicedCount(Quirks{Vertex: true, Path: developerPath}.spliceCount, body, &h, "m"); !json.Valid(out) {
				t.Errorf("not JSON: %s", out)
			}
			req, err := decodeRequest(body)
			if err != nil {
				continue
			}
			req.Model = "gemini-3-flash"
			for _, to := range []*dialect.Dialect{&Dialect, &openai.Dialect, &anthropic.Dialect} {
				if up, err := to.Chat.Encode(req); err == nil && !json.Valid(up.Body) {
					t.Errorf("%s: not JSON: %s", to.Name, up.Body)
				}
			}
		}
	})
}

func FuzzSchema(f *testing.F) {
	f.Add([]byte(`{"type":"OBJECT","properties":{"a":{"const":1,"exclusiveMinimum":2}},"any_of":[{"minItems":"2"}],"items":true}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if out := cleanSchema(raw); json.Valid(raw) && !json.Valid(out) {
			t.Errorf("%s became %s", raw, out)
		}
	})
}
