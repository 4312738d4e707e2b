package gemini

import (
	"slices"
	"testing"

	"sluice/providers/openai"
	"sluice/providers/schema"
)

func TestEncodeEmbed(t *testing.T) {
	vertex := New(Quirks{Vertex: true, Path: VertexPath("p", "l")})
	dims := int64(3)
	req := &schema.EmbedRequest{Model: "gemini-embedding-001", Input: []string{"a<b", "c"}, Dimensions: &dims,
		Extra: map[string]rawJSON{"task_type": rawJSON(`"RETRIEVAL_QUERY"`), "x": rawJSON(`1`)}}
	up, err := Dialect.Embed.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"requests":[{"content":{"parts":[{"text":"a<b"}]},"model":"models/gemini-embedding-001","outputDimensionality":3,"taskType":"RETRIEVAL_QUERY"},` +
		`{"content":{"parts":[{"text":"c"}]},"model":"models/gemini-embedding-001","outputDimensionality":3,"taskType":"RETRIEVAL_QUERY"}]}`
	if string(up.Body) != want || up.Path != "/v1beta/models/gemini-embedding-001:batchEmbedContents" || !slices.Equal(up.Dropped, []string{"x"}) {
		t.Errorf("%s %s %v, want %s", up.Path, up.Body, up.Dropped, want)
	}
	up, err = vertex.Embed.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want = `{"instances":[{"content":"a<b","task_type":"RETRIEVAL_QUERY"},{"content":"c","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":3}}`
	if string(up.Body) != want || up.Path != "/v1/projects/p/locations/l/publishers/google/models/gemini-embedding-001:predict" {
		t.Errorf("%s %s, want %s", up.Path, up.Body, want)
	}
	req.Model = "gemini-embedding-2-preview"
	if _, err = vertex.Embed.Encode(req); err == nil {
		t.Error("two texts went to a method that takes one")
	}
	req.Input = req.Input[:1]
	if up, err = vertex.Embed.Encode(req); err != nil || up.Path != "/v1/projects/p/locations/l/publishers/google/models/gemini-embedding-2-preview:embedContent" {
		t.Errorf("%v, %v", up, err)
	}
	if _, err := Dialect.Embed.Encode(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
		t.Errorf("token ids give %v", err)
	}
}

func TestDecodeEmbed(t *testing.T) {
	for _, body := range []string{
		`{"embeddings":[{"values":[1,2]}]}`, `{"embedding":{"values":[1,2]},"usageMetadata":{"promptTokenCount":4}}`,
		`{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":4}}}]}`,
	} {
		resp, err := decodeEmbed([]byte(body))
		if err != nil || len(resp.Data) != 1 || !slices.Equal(resp.Data[0].Vector, []float32{1, 2}) || resp.Usage.Input != 4 && resp.Usage.Source != schema.UsageNone {
			t.Errorf("%s: %+v, %v", body, resp, err)
		}
	}
	for _, body := range []string{`{}`, `x`, `{"embeddings":[{}]}`, `{"error":{"code":400,"message":"m"}}`} {
		if _, err := decodeEmbed([]byte(body)); err == nil {
			t.Errorf("%s: no error", body)
		}
	}
}

// TestEmbedClient crosses to OpenAI's form and back, one and a batch.
func TestEmbedClient(t *testing.T) {
	for raw, want := range map[string][2]string{
		`{"content":{"parts":[{"text":"a"},{"text":"b"}]},"outputDimensionality":2}`: {`["ab"]`, `{"embedding":{"values":[0.5,1]}}`},
		`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`: {`["a","b"]`,
			`{"embeddings":[{"values":[0.5,1]},{"values":[1]}]}`},
	} {
		req, err := decodeEmbedRequest([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		up, err := openai.Dialect.Embed.Encode(req)
		if err != nil || !contains(string(up.Body), `"input":`+want[0]) {
			t.Errorf("%s became %s, %v", raw, up.Body, err)
		}
		got := encodeEmbedResponse(nil, req, &schema.EmbedResponse{Data: []schema.Embedding{{Vector: []float32{0.5, 1}}, {Base64: "AACAPw=="}}})
		if string(got) != want[1] {
			t.Errorf("the answer is %s, want %s", got, want[1])
		}
	}
	for _, raw := range []string{`{"content":{"parts":[{"inlineData":{}}]}}`, `{"content":{}}`, `{"requests":[]}`,
		`{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"taskType":"X"}]}`,
		`{"content":{"parts":[{"text":"a"}]},"outputDimensionality":"x"}`} {
		if _, err := decodeEmbedRequest([]byte(raw)); err == nil {
			t.Errorf("%s: no error", raw)
		}
	}
}

func TestEncodeCount(t *testing.T) {
	req := &schema.ChatRequest{Model: "m", Messages: []schema.Message{{Role: "system", Parts: schema.TextParts("s")}, {Role: "user", Parts: schema.TextParts("u")}}}
	up, err := Dialect.Count.Encode(req)
	want := `{"generateContentRequest":{"contents":[{"role":"user","parts":[{"text":"u"}]}],"model":"models/m","systemInstruction":{"parts":[{"text":"s"}]}}}`
	if err != nil || string(up.Body) != want || up.Path != "/v1beta/models/m:countTokens" {
		t.Errorf("%s, %v, want %s", up.Body, err, want)
	}
	up, err = New(Quirks{Vertex: true}).Count.Encode(req)
	want = `{"contents":[{"role":"user","parts":[{"text":"u"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}`
	if err != nil || string(up.Body) != want {
		t.Errorf("%s, %v, want %s", up.Body, err, want)
	}
	if got := string(encodeTokens(nil, 5)); got != `{"totalTokens":5}` {
		t.Error(got)
	}
	for _, body := range []string{`{}`, `x`, `{"error":{"code":403}}`} {
		if _, err := decodeCount([]byte(body)); err == nil {
			t.Errorf("%s: no error", body)
		}
	}
}
