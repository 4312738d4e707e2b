package voyage

import (
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeRerank is Rerank.Encode.
func (h house) encodeRerank(req *schema.RerankRequest) (*dialect.Upstream, error) {
	up := &dialect.Upstream{Path: "/rerank"}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendString(wire.AppendKey(b, "query"), req.Query)
	b = wire.AppendTexts(b, "documents", req.Documents)
	b = wire.AppendInt(b, h.top, req.TopN)
	b = wire.AppendBool(b, "return_documents", &req.Return) // Jina returns them by itself
	b, up.Dropped = wire.AppendOwn(b, req.Extra, h.rank)
	up.Body = append(b, '}')
	return up, nil
}

// decodeRerank is Rerank.Decode, of both houses.
func decodeRerank(body []byte) (*schema.RerankResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	results := root.Get("results")
	if !results.IsArray() {
		results = root.Get("data")
	}
	if !results.IsArray() {
		if root.Get("detail").Exists() || root.Get("error").Exists() {
			e := openai.Dialect.Error(http.StatusBadGateway, func(string) string { return "" }, body)
			e.UpstreamStatus = http.StatusOK
			return nil, e
		}
		return nil, wire.NotAnswer("the provider's answer has no results")
	}
	out := &schema.RerankResponse{ID: root.Get("id").String(), Model: root.Get("model").String(), Usage: totalUsage(body)}
	results.ForEach(func(_, v gjson.Result) bool {
		r := schema.Ranked{Index: int(v.Get("index").Int()), Score: v.Get("relevance_score").Num}
		switch document := v.Get("document"); {
		case document.Type == gjson.String:
			r.Document = document.Str
		case document.IsObject():
			r.Document = document.Get("text").Str
		}
		out.Results = append(out.Results, r)
		return true
	})
	return out, nil
}

// totalUsage reads a usage of which the total is all that both houses tell:
// what they make has no tokens, so all of them were read.
func totalUsage(body []byte) schema.Usage {
	total := gjson.GetBytes(body, "usage.total_tokens")
	if !total.Exists() {
		return schema.Usage{}
	}
	return schema.Usage{Input: max(0, total.Int()), Source: schema.UsageReported}
}
