package openai

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"sluice/providers/schema"
)

func TestDecodeRerank(t *testing.T) {
	req, err := decodeRerankRequest([]byte(`{"model":"m","query":"q","documents":["a",{"text":"b","id":1}],"top_n":2,"return_documents":true,"max_tokens_per_doc":9,"none":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if req.Model != "m" || req.Query != "q" || !slices.Equal(req.Documents, []string{"a", "b"}) || *req.TopN != 2 || !req.Return || string(req.Extra["max_tokens_per_doc"]) != "9" || len(req.Extra) != 1 {
		t.Errorf("%+v", req)
	}
	if req, err = decodeRerankRequest([]byte(`{"query":"q","documents":["a"],"top_k":1}`)); err != nil || *req.TopN != 1 || req.Return {
		t.Errorf("%+v %v", req, err)
	}
	for body, param := range map[string]string{
		`[]`:                                                   "",
		`{"documents":["a"]}`:                                  "query",
		`{"query":1,"documents":["a"]}`:                        "query",
		`{"query":"q"}`:                                        "documents",
		`{"query":"q","documents":[]}`:                         "documents",
		`{"query":"q","documents":"a"}`:                        "documents",
		`{"query":"q","documents":["a",1]}`:                    "documents[1]",
		`{"query":"q","documents":[{"image":"x"}]}`:            "documents[0]",
		`{"query":"q","documents":["a"],"top_n":0}`:            "top_n",
		`{"query":"q","documents":["a"],"top_n":"1"}`:          "top_n",
		`{"query":"q","documents":["a"],"return_documents":1}`: "return_documents",
	} {
		_, err := decodeRerankRequest([]byte(body))
		if e := schema.AsError(err); e.Code != schema.CodeInvalidRequest || e.Param != param {
			t.Errorf("%s gives %v with param %q, want %q", body, err, e.Param, param)
		}
	}
}

func TestEncodeRerank(t *testing.T) {
	got := string(encodeRerankResponse(nil, &schema.RerankResponse{ID: "r", Model: "m", Usage: schema.Usage{Input: 43},
		Results: []schema.Ranked{{Index: 1, Score: 0.5, Document: `b "c"`}, {Index: 0, Score: math.NaN()}}}))
	want := `{"id":"r","object":"list","model":"m","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b \"c\""}},{"index":0,"relevance_score":0}],` +
		`"usage":{"prompt_tokens":43,"total_tokens":43},"meta":{"tokens":{"input_tokens":43,"output_tokens":0}}}`
	if got != want || !json.Valid([]byte(got)) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func FuzzDecodeRerank(f *testing.F) {
	f.Add([]byte(`{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req, err := decodeRerankRequest(raw)
		if err == nil && (req.Query == "" || len(req.Documents) == 0) {
			t.Errorf("%+v", req)
		}
	})
}
