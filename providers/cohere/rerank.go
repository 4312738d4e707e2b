package cohere

import (
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// rerankFields are the API's own fields of /v2/rerank.
var rerankFields = map[string]bool{"max_tokens_per_doc": true, "priority": true}

// encodeRerank is Rerank.Encode. The API gives places only: the caller of
// Decode has the documents.
func encodeRerank(req *schema.RerankRequest) (*dialect.Upstream, error) {
	up := &dialect.Upstream{Path: "/v2/rerank"}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendString(wire.AppendKey(b, "query"), req.Query)
	b = wire.AppendTexts(b, "documents", req.Documents)
	b = wire.AppendInt(b, "top_n", req.TopN)
	b, up.Dropped = wire.AppendOwn(b, req.Extra, rerankFields)
	up.Body = append(b, '}')
	return up, nil
}

// decodeRerank is Rerank.Decode. Usage says that it was reported and holds no
// tokens: the API bills searches.
func decodeRerank(body []byte) (*schema.RerankResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	results := root.Get("results")
	if !results.IsArray() {
		if text := root.Get("message"); text.Type == gjson.String {
			return nil, failed(text.Str)
		}
		return nil, wire.NotAnswer("the provider's answer has no results")
	}
	out := &schema.RerankResponse{ID: root.Get("id").String()}
	results.ForEach(func(_, v gjson.Result) bool {
		out.Results = append(out.Results, schema.Ranked{Index: int(v.Get("index").Int()), Score: v.Get("relevance_score").Num,
			Document: v.Get("document.text").Str})
		return true
	})
	if units := root.Get("meta.billed_units"); units.IsObject() {
		out.Usage = schema.Usage{Input: max(0, units.Get("input_tokens").Int()), Output: max(0, units.Get("output_tokens").Int()), Source: schema.UsageReported}
	}
	return out, nil
}
