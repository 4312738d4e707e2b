package voyage

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func TestRecorded(t *testing.T) {
	for _, endpoint := range []string{"embeddings", "rerank"} {
		t.Run(endpoint, func(t *testing.T) {
			providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: "voyage", Endpoint: endpoint})
		})
	}
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestEncodeEmbed(t *testing.T) {
	n := int64(256)
	req := &schema.EmbedRequest{Model: "m", Input: []string{"a", "b"}, EncodingFormat: "base64", Dimensions: &n, User: "u",
		Extra: map[string]json.RawMessage{"input_type": raw(`"query"`), "task": raw(`"retrieval.query"`), "other": raw("1")}}
	for _, tc := range []struct {
		d       *dialect.Dialect
		want    string
		dropped []string
	}{
		{&Dialect, `{"model":"m","input":["a","b"],"output_dimension":256,"encoding_format":"base64","input_type":"query"}`, []string{"other", "task", "user"}},
		{&Jina, `{"model":"m","input":["a","b"],"dimensions":256,"embedding_type":"base64","task":"retrieval.query"}`, []string{"input_type", "other", "user"}},
	} {
		up, err := tc.d.Embed.Encode(req)
		if err != nil || up.Path != "/embeddings" || string(up.Body) != tc.want || !slices.Equal(up.Dropped, tc.dropped) {
			t.Errorf("%s: %s %v %v", tc.d.Name, up.Body, up.Dropped, err)
		}
		if _, err := tc.d.Embed.Encode(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
			t.Errorf("token ids give %v", err)
		}
	}
	own, err := Dialect.Embed.Encode(&schema.EmbedRequest{Model: "m", Input: []string{"a"}, EncodingFormat: "float", Dimensions: &n, Extra: map[string]json.RawMessage{"output_dimension": raw("512")}})
	if err != nil || string(own.Body) != `{"model":"m","input":["a"],"output_dimension":512}` {
		t.Errorf("%s %v", own.Body, err)
	}
}

func TestDecodeEmbed(t *testing.T) {
	for body, input := range map[string]int64{
		`{"data":[{"index":1,"embedding":[0.5]}],"model":"m","usage":{"total_tokens":12}}`:                       12,
		`{"data":[{"index":1,"embedding":"AAAAPw=="}],"model":"m","usage":{"total_tokens":6,"prompt_tokens":6}}`: 6,
	} {
		r, err := decodeEmbed([]byte(body))
		if err != nil || r.Usage != (schema.Usage{Input: input, Source: schema.UsageReported}) || r.Data[0].Index != 1 || r.Model != "m" {
			t.Errorf("%s gives %+v %v", body, r, err)
		}
	}
	if r, err := decodeEmbed([]byte(`{"data":[{"embedding":[1]}]}`)); err != nil || r.Usage.Source != schema.UsageNone {
		t.Errorf("%+v %v", r, err)
	}
}

func TestRerank(t *testing.T) {
	n := int64(2)
	req := &schema.RerankRequest{Model: "m", Query: "q", Documents: []string{"a", "b"}, TopN: &n, Return: true,
		Extra: map[string]json.RawMessage{"truncation": raw("true"), "rank_fields": raw(`["x"]`)}}
	for _, tc := range []struct {
		d       *dialect.Dialect
		want    string
		dropped []string
	}{
		{&Dialect, `{"model":"m","query":"q","documents":["a","b"],"top_k":2,"return_documents":true,"truncation":true}`, []string{"rank_fields"}},
		{&Jina, `{"model":"m","query":"q","documents":["a","b"],"top_n":2,"return_documents":true}`, []string{"rank_fields", "truncation"}},
	} {
		up, err := tc.d.Rerank.Encode(req)
		if err != nil || up.Path != "/rerank" || string(up.Body) != tc.want || !slices.Equal(up.Dropped, tc.dropped) {
			t.Errorf("%s: %s %v %v", tc.d.Name, up.Body, up.Dropped, err)
		}
	}
	for _, body := range []string{
		`{"object":"list","data":[{"relevance_score":0.5,"index":1,"document":"b"},{"relevance_score":0.25,"index":0}],"model":"m","usage":{"total_tokens":43}}`,
		`{"results":[{"relevance_score":0.5,"index":1,"document":{"text":"b"}},{"relevance_score":0.25,"index":0}],"model":"m","usage":{"total_tokens":43}}`,
	} {
		r, err := decodeRerank([]byte(body))
		if err != nil || len(r.Results) != 2 || r.Results[0] != (schema.Ranked{Index: 1, Score: 0.5, Document: "b"}) || r.Usage.Input != 43 || r.Model != "m" {
			t.Errorf("%s gives %+v %v", body, r, err)
		}
	}
	for body, class := range map[string]schema.Class{
		"": schema.ClassInvalidOutput, "{}": schema.ClassInvalidOutput, `{"detail":"overloaded"}`: schema.ClassOverloaded, `{"error":{"message":"x"}}`: schema.ClassServerError,
	} {
		if _, err := decodeRerank([]byte(body)); schema.AsError(err).Class != class {
			t.Errorf("%q gives %v", body, err)
		}
	}
}

// TestCrossing puts a client's rerank call through each house and back.
func TestCrossing(t *testing.T) {
	client := openai.Dialect.Client
	req, err := client.DecodeRerank([]byte(`{"model":"rerank","query":"q","documents":["a",{"text":"b"}],"top_n":1,"return_documents":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*dialect.Dialect{&Dialect, &Jina} {
		up, err := d.Rerank.Encode(req)
		if err != nil || !json.Valid(up.Body) || len(up.Dropped) != 0 {
			t.Errorf("%s: %+v %v", d.Name, up, err)
		}
		resp, err := d.Rerank.Decode([]byte(`{"results":[{"relevance_score":0.5,"index":1,"document":{"text":"b"}}],"model":"m","usage":{"total_tokens":43}}`))
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Rerank.Decode(client.EncodeRerank(nil, resp))
		if err != nil || again.Results[0] != resp.Results[0] || again.Usage != resp.Usage {
			t.Errorf("%+v %v, want %+v", again, err, resp)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"results":[{"index":1,"relevance_score":0.5,"document":{"text":"a"}}],"data":[{"embedding":[1]}],"usage":{"total_tokens":3}}`))
	f.Add([]byte(`{"detail":[{"msg":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := decodeRerank(body)
		_, err2 := decodeEmbed(body)
		for _, err := range []error{err, err2} {
			if err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
	})
}
