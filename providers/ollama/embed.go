package ollama

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeEmbed is Embed.Encode. Vectors are always numbers.
func encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if len(req.Tokens) > 0 {
		return nil, schema.Invalid("input", "input must be texts: the provider takes no token ids")
	}
	up := &dialect.Upstream{Path: "/api/embed"}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendTexts(b, "input", req.Input)
	b = wire.AppendInt(b, "dimensions", req.Dimensions)
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		switch name {
		case "truncate", "keep_alive", "options":
			b = wire.AppendRaw(b, name, json.RawMessage(req.Extra[name]))
		default:
			up.Dropped = append(up.Dropped, name)
		}
	}
	if req.User != "" {
		up.Dropped = append(up.Dropped, "user")
	}
	up.Body = append(b, '}')
	return up, nil
}

// decodeEmbed is Embed.Decode. It reads the answer of the elder /api/embeddings
// too, which is one vector.
func decodeEmbed(body []byte) (*schema.EmbedResponse, error) {
	root, err := parse(body)
	if err != nil {
		return nil, err
	}
	out := &schema.EmbedResponse{Model: root.Get("model").Str, Usage: usage(root)}
	add := func(_, vector gjson.Result) bool {
		e := schema.Embedding{Index: len(out.Data)}
		vector.ForEach(func(_, n gjson.Result) bool { e.Vector = append(e.Vector, float32(n.Num)); return true })
		out.Data = append(out.Data, e)
		return true
	}
	switch list, one := root.Get("embeddings"), root.Get("embedding"); {
	case list.IsArray():
		list.ForEach(add)
	case one.IsArray():
		add(gjson.Result{}, one)
	default:
		return nil, notAnAnswer("the provider's answer has no embeddings")
	}
	return out, nil
}
