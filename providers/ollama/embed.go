package ollama

import (
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// embedFields are the API's own fields of /api/embed.
var embedFields = map[string]bool{"truncate": true, "keep_alive": true, "options": true}

// encodeEmbed is Embed.Encode. Vectors are always numbers.
func encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if err := wire.NoTokens(req); err != nil {
		return nil, err
	}
	up := &dialect.Upstream{Path: "/api/embed"}
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = wire.AppendTexts(b, "input", req.Input)
	b = wire.AppendInt(b, "dimensions", req.Dimensions)
	b, up.Dropped = wire.AppendOwn(b, req.Extra, embedFields)
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
		return nil, wire.NotAnswer("the provider's answer has no embeddings")
	}
	return out, nil
}
