package cohere

import (
	"maps"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// embedFields are the API's own fields of /v2/embed.
var embedFields = map[string]bool{"truncate": true, "max_tokens": true, "priority": true}

// encodeEmbed is Embed.Encode. The API must be told what the texts are for;
// documents is what a caller who says nothing most likely has. Vectors are
// asked for as numbers, whatever form the caller wants them in.
func encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if err := wire.NoTokens(req); err != nil {
		return nil, err
	}
	up := &dialect.Upstream{Path: "/v2/embed"}
	extra := maps.Clone(req.Extra)
	for _, name := range []string{"input_type", "embedding_types"} {
		delete(extra, name)
	}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendTexts(b, "texts", req.Input)
	b = append(wire.AppendKey(b, "input_type"), orElse(req.Extra["input_type"], `"search_document"`)...)
	b = append(wire.AppendKey(b, "embedding_types"), orElse(req.Extra["embedding_types"], `["float"]`)...)
	b = wire.AppendInt(b, "output_dimension", req.Dimensions)
	b, up.Dropped = wire.AppendOwn(b, extra, embedFields)
	if req.User != "" {
		up.Dropped = append(up.Dropped, "user")
	}
	up.Body = append(b, '}')
	return up, nil
}

func orElse(raw []byte, otherwise string) []byte {
	if !wire.Says(raw) {
		return []byte(otherwise)
	}
	return raw
}

// vectorTypes are the forms of a vector, the best first.
var vectorTypes = []string{"float", "base64", "int8", "uint8", "binary", "ubinary"}

// decodeEmbed is Embed.Decode.
func decodeEmbed(body []byte) (*schema.EmbedResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	all := root.Get("embeddings")
	list := all // without types the list stands alone
	for _, name := range vectorTypes {
		if v := all.Get(name); v.IsArray() && !list.IsArray() {
			list = v
		}
	}
	if !list.IsArray() {
		if text := root.Get("message"); text.Type == gjson.String {
			return nil, failed(text.Str)
		}
		return nil, wire.NotAnswer("the provider's answer has no embeddings")
	}
	out := &schema.EmbedResponse{}
	list.ForEach(func(_, v gjson.Result) bool {
		e := schema.Embedding{Index: len(out.Data), Base64: v.Str}
		if v.IsArray() {
			v.ForEach(func(_, n gjson.Result) bool { e.Vector = append(e.Vector, float32(n.Num)); return true })
		}
		out.Data = append(out.Data, e)
		return true
	})
	if units := root.Get("meta.billed_units"); units.IsObject() {
		out.Usage = schema.Usage{Input: max(0, units.Get("input_tokens").Int()) + max(0, units.Get("image_tokens").Int()), Source: schema.UsageReported}
	}
	return out, nil
}
