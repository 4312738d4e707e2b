package voyage

import (
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// house is how one of the two spells the API.
type house struct {
	dimensions string          // the field for the vectors' length
	top        string          // the field for how many documents to give
	base64     string          // the field for vectors in base64
	embed      map[string]bool // own fields of embeddings
	rank       map[string]bool // own fields of rankings
}

// Dialect is Voyage's API. Paths are below https://api.voyageai.com/v1; the
// key is a bearer token.
var Dialect = house{
	dimensions: "output_dimension", top: "top_k", base64: "encoding_format",
	embed: map[string]bool{"input_type": true, "truncation": true, "output_dtype": true, "output_dimension": true},
	rank:  map[string]bool{"truncation": true},
}.dialect("voyage")

// Jina is Jina's API, and its rankings are those of most servers of open
// models (vLLM, Infinity, LiteLLM). Paths are below https://api.jina.ai/v1; the
// key is a bearer token.
var Jina = house{
	dimensions: "dimensions", top: "top_n", base64: "embedding_type",
	embed: map[string]bool{"task": true, "late_chunking": true, "truncate": true, "normalized": true, "embedding_type": true, "return_multivector": true},
	rank:  map[string]bool{"truncate": true, "max_doc_length": true},
}.dialect("jina")

func (h house) dialect(name string) dialect.Dialect {
	return dialect.Dialect{
		Name:   name,
		Embed:  &dialect.Embed{Encode: h.encodeEmbed, Decode: decodeEmbed},
		Rerank: &dialect.Rerank{Encode: h.encodeRerank, Decode: decodeRerank},
		Error:  openai.Dialect.Error, // {"detail":"…"} and {"detail":[…]}
	}
}

// encodeEmbed is Embed.Encode.
func (h house) encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if err := wire.NoTokens(req); err != nil {
		return nil, err
	}
	up := &dialect.Upstream{Path: "/embeddings"}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendTexts(b, "input", req.Input)
	if !wire.Says(req.Extra[h.dimensions]) {
		b = wire.AppendInt(b, h.dimensions, req.Dimensions)
	}
	if req.EncodingFormat == "base64" && !wire.Says(req.Extra[h.base64]) {
		b = wire.AppendText(b, h.base64, req.EncodingFormat)
	}
	b, up.Dropped = wire.AppendOwn(b, req.Extra, h.embed)
	if req.User != "" {
		up.Dropped = append(up.Dropped, "user")
	}
	up.Body = append(b, '}')
	return up, nil
}

// decodeEmbed is Embed.Decode: OpenAI's answer, whose usage may be the total
// alone.
func decodeEmbed(body []byte) (*schema.EmbedResponse, error) {
	resp, err := openai.Dialect.Embed.Decode(body)
	if err == nil && resp.Usage.Input == 0 {
		resp.Usage = totalUsage(body)
	}
	return resp, err
}
