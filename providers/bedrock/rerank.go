package bedrock

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeRerank is Rerank.Encode: InvokeModel for cohere.rerank-v3-5:0 and
// amazon.rerank-v1:0, which take the same body but for Cohere's api_version.
func encodeRerank(req *schema.RerankRequest) (*dialect.Upstream, error) {
	if req.Query == "" {
		return nil, schema.Invalid("query", "query is empty")
	}
	if len(req.Documents) == 0 {
		return nil, schema.Invalid("documents", "documents is empty")
	}
	body := wire.AppendText([]byte{'{'}, "query", req.Query)
	body = wire.AppendTexts(body, "documents", req.Documents)
	body = wire.AppendInt(body, "top_n", req.TopN)
	if strings.Contains(baseModel(req.Model), "cohere") {
		body = append(body, `,"api_version":2`...)
	}
	return &dialect.Upstream{Path: modelPath(req.Model, "invoke"), Body: append(body, '}'), Dropped: slices.Sorted(maps.Keys(req.Extra))}, nil
}

// decodeRerank is Rerank.Decode. It reads InvokeModel's answer and that of the
// agents' Rerank operation, which has the same in other letters. Neither gives
// the documents back.
func decodeRerank(body []byte) (*schema.RerankResponse, error) {
	var a struct {
		ID      string `json:"id"`
		Results []struct {
			Index int      `json:"index"`
			Score *float64 `json:"relevance_score"`
			Agent *float64 `json:"relevanceScore"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, wire.NotUnderstood(err)
	}
	if a.Results == nil {
		return nil, wire.NotUnderstood(fmt.Errorf("there are no results"))
	}
	out := &schema.RerankResponse{ID: a.ID}
	for _, r := range a.Results {
		if r.Score == nil {
			r.Score = r.Agent
		}
		if r.Score == nil || r.Index < 0 {
			return nil, wire.NotUnderstood(fmt.Errorf("a result has no score or no place"))
		}
		out.Results = append(out.Results, schema.Ranked{Index: r.Index, Score: *r.Score})
	}
	slices.SortStableFunc(out.Results, func(a, b schema.Ranked) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return out, nil
}
