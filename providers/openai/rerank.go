package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// OpenAI ranks no documents. Its clients' gateways take POST /v1/rerank in the
// shape of Cohere's and Jina's APIs (docs.cohere.com/reference/rerank,
// jina.ai/reranker, read 2026-11-24), whose answers differ in the place of the
// usage alone: both are told.

// decodeRerankRequest reads a client's request. top_k is Voyage's word.
func decodeRerankRequest(raw []byte) (*schema.RerankRequest, error) {
	root := gjson.ParseBytes(raw)
	req := &schema.RerankRequest{}
	err := wire.EachField(root, func(name string, v gjson.Result) error { return rerankField(req, name, v) })
	switch {
	case err != nil:
		return nil, err
	case req.Query == "":
		return nil, schema.Invalid("query", "query must be a non-empty string")
	case len(req.Documents) == 0:
		return nil, schema.Invalid("documents", "documents must be a non-empty array")
	}
	return req, nil
}

func rerankField(req *schema.RerankRequest, name string, v gjson.Result) (err error) {
	switch name {
	case "model":
		req.Model = v.String()
	case "query":
		req.Query, err = wire.Text(name, v)
	case "documents":
		req.Documents, err = rerankDocuments(v)
	case "top_n", "top_k":
		if req.TopN, err = wire.Integer(name, v); err == nil && *req.TopN < 1 {
			err = schema.Invalid(name, "%s must be at least 1", name)
		}
	case "return_documents":
		req.Return, err = wire.Boolean(name, v)
	default:
		if req.Extra == nil {
			req.Extra = make(map[string]json.RawMessage)
		}
		req.Extra[name] = json.RawMessage(v.Raw)
	}
	return err
}

// rerankDocuments reads texts, each a string or {"text": …}.
func rerankDocuments(v gjson.Result) ([]string, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("documents", "documents must be an array of texts")
	}
	var out []string
	for i, item := range v.Array() {
		if text := item.Get("text"); item.IsObject() && text.Type == gjson.String {
			item = text
		}
		if item.Type != gjson.String {
			at := fmt.Sprintf("documents[%d]", i)
			return nil, schema.Invalid(at, "%s must be a string or an object with a text", at)
		}
		out = append(out, item.Str)
	}
	return out, nil
}

// encodeRerankResponse writes a ranking for a client.
func encodeRerankResponse(b []byte, resp *schema.RerankResponse) []byte {
	b = append(b, `{"id":`...)
	b = wire.AppendString(b, resp.ID)
	b = append(b, `,"object":"list","model":`...)
	b = wire.AppendString(b, resp.Model)
	b = append(b, `,"results":[`...)
	for i := range resp.Results {
		r := &resp.Results[i]
		b = append(wire.AppendComma(b), `{"index":`...)
		b = strconv.AppendInt(b, int64(r.Index), 10)
		score := r.Score
		if score-score != 0 { // NaN and infinities, which JSON has not
			score = 0
		}
		b = wire.AppendFloat(b, "relevance_score", &score)
		if r.Document != "" {
			b = append(b, `,"document":{"text":`...)
			b = append(wire.AppendString(b, r.Document), '}')
		}
		b = append(b, '}')
	}
	total := resp.Usage.Input + resp.Usage.Output
	b = append(b, `],"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, resp.Usage.Input, 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, total, 10)
	b = append(b, `},"meta":{"tokens":{"input_tokens":`...)
	b = strconv.AppendInt(b, resp.Usage.Input, 10)
	b = append(b, `,"output_tokens":`...)
	b = strconv.AppendInt(b, resp.Usage.Output, 10)
	return append(b, "}}}"...)
}

var rerankFields = []string{"model", "query", "documents"}

// rerankHead is head for a request to rank.
func rerankHead(raw []byte) (schema.Head, error) {
	h := schema.Head{N: 1, BodyAt: bytes.IndexByte(raw, '{') + 1}
	var found [3]bool
	err := wire.Object(raw, rerankFields, func(field int, v gjson.Result) error {
		found[field] = true
		switch {
		case field == 0 && (v.Type != gjson.String || v.Str == ""):
			return schema.Invalid("model", "model must be a non-empty string")
		case field == 0:
			h.Model, h.ModelAt = strings.Clone(v.Str), schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
			return nil
		case field == 1 && v.Type != gjson.String:
			return schema.Invalid("query", "query must be a string")
		case field == 2 && (!v.IsArray() || isEmpty(v)):
			return schema.Invalid("documents", "documents must be a non-empty array")
		}
		h.PromptSize += len(v.Raw)
		return nil
	})
	if err != nil {
		return schema.Head{}, err
	}
	for i, there := range found {
		if !there {
			return schema.Head{}, schema.Invalid(rerankFields[i], "%s is missing", rerankFields[i])
		}
	}
	return h, nil
}
