package gemini

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// embedFields are the API's own fields of a request for an embedding.
var embedFields = map[string]bool{"taskType": true, "title": true, "autoTruncate": true}

// encodeEmbed is Embed.Encode: batchEmbedContents, which one text may use too.
// Vertex has predict instead, and for models from gemini-embedding-2 on
// embedContent, which takes one text.
func (q Quirks) encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if len(req.Tokens) > 0 || len(req.Input) == 0 {
		return nil, schema.Invalid("input", "input must be text: the provider takes no token ids")
	}
	up := &dialect.Upstream{}
	own := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		if camel := camelCase(name); embedFields[camel] {
			own[camel] = req.Extra[name]
		} else {
			up.Dropped = append(up.Dropped, name)
		}
	}
	if req.User != "" {
		up.Dropped = append(up.Dropped, "user")
	}
	var body any
	switch {
	case !q.Vertex:
		up.Path = q.Path(req.Model, "batchEmbedContents")
		list := make([]map[string]any, len(req.Input))
		for i, text := range req.Input {
			list[i] = q.embedOne(req, own, text)
			list[i]["model"] = q.resource(req.Model)
		}
		body = map[string]any{"requests": list}
	case strings.Contains(req.Model, "gemini-embedding-") && !strings.Contains(req.Model, "gemini-embedding-0"):
		if len(req.Input) > 1 {
			return nil, schema.Invalid("input", "input: the provider takes one text a request for model %q", req.Model)
		}
		up.Path = q.Path(req.Model, "embedContent")
		body = q.embedOne(req, own, req.Input[0])
	default:
		up.Path = q.Path(req.Model, "predict")
		body = predictBody(req, own)
	}
	var err error
	if up.Body, err = wire.Marshal(body); err != nil {
		return nil, fmt.Errorf("cannot encode embeddings request for model %q: %w", req.Model, err)
	}
	return up, nil
}

func (q Quirks) embedOne(req *schema.EmbedRequest, own map[string]any, text string) map[string]any {
	one := maps.Clone(own)
	one["content"] = content{Parts: []part{{Text: &text}}}
	setValue(one, "outputDimensionality", req.Dimensions)
	return one
}

// predictBody is the body of Vertex's predict (page text-embeddings-api).
func predictBody(req *schema.EmbedRequest, own map[string]any) any {
	instances := make([]map[string]any, len(req.Input))
	for i, text := range req.Input {
		instances[i] = map[string]any{"content": text}
		if task, ok := own["taskType"]; ok {
			instances[i]["task_type"] = task
		}
		if title, ok := own["title"]; ok {
			instances[i]["title"] = title
		}
	}
	body := map[string]any{"instances": instances}
	parameters := map[string]any{}
	setValue(parameters, "outputDimensionality", req.Dimensions)
	if cut, ok := own["autoTruncate"]; ok {
		parameters["autoTruncate"] = cut
	}
	if len(parameters) > 0 {
		body["parameters"] = parameters
	}
	return body
}

// decodeEmbed reads the answers of all three methods.
func decodeEmbed(body []byte) (*schema.EmbedResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if root.Get("error").IsObject() {
		return nil, bodyError(body)
	}
	out := &schema.EmbedResponse{}
	out.Usage, _ = readUsage(root)
	add := func(v gjson.Result) {
		e := schema.Embedding{Index: len(out.Data)}
		for _, n := range v.Get("values").Array() {
			e.Vector = append(e.Vector, float32(n.Num))
		}
		if n := v.Get("statistics.token_count"); n.Exists() {
			out.Usage.Input += count(n)
			out.Usage.Source = schema.UsageReported
		}
		out.Data = append(out.Data, e)
	}
	each(root.Get("embedding"), add)
	each(root.Get("embeddings"), add)
	each(root.Get("predictions"), func(v gjson.Result) { add(v.Get("embeddings")) })
	for i := range out.Data {
		if out.Data[i].Vector == nil {
			return nil, wire.NotAnswer("the provider's answer has an embedding without values")
		}
	}
	if len(out.Data) == 0 {
		return nil, wire.NotAnswer("the provider's answer has no embeddings")
	}
	return out, nil
}
