package bedrock

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeEmbed is Embed.Encode: InvokeModel, in the form of the model's maker.
func encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if len(req.Tokens) > 0 {
		return nil, schema.Invalid("input", "input: the provider embeds texts, not token ids")
	}
	if len(req.Input) == 0 {
		return nil, schema.Invalid("input", "input is empty")
	}
	e := &embedder{req: req, known: map[string]bool{}}
	name := strings.ToLower(baseModel(req.Model))
	var body []byte
	var err error
	switch {
	case has(name, "cohere"):
		body = e.cohere(has(name, "embed-v4"))
	case has(name, "nova"):
		body, err = e.nova()
	default:
		body, err = e.titan(has(name, "embed-text-v2"), has(name, "embed-image"))
	}
	if err != nil {
		return nil, err
	}
	for _, field := range slices.Sorted(maps.Keys(req.Extra)) {
		if !e.known[field] {
			e.dropped = append(e.dropped, field)
		}
	}
	if req.User != "" {
		e.dropped = append(e.dropped, "user")
	}
	return &dialect.Upstream{Path: modelPath(req.Model, "invoke"), Body: body, Dropped: e.dropped}, nil
}

type embedder struct {
	req     *schema.EmbedRequest
	known   map[string]bool // fields of Extra that the model takes
	dropped []string
}

// own appends a field of the caller's own, or what stands for it.
func (e *embedder) own(dst []byte, name, otherwise string) []byte {
	e.known[name] = true
	raw := e.req.Extra[name]
	if len(raw) == 0 {
		raw = json.RawMessage(otherwise)
	}
	return wire.AppendRaw(dst, name, raw)
}

// single is the one text that models without batches take.
func (e *embedder) single() (string, error) {
	if len(e.req.Input) > 1 {
		return "", schema.Invalid("input", "input: the model embeds one text a request, not %d", len(e.req.Input))
	}
	return e.req.Input[0], nil
}

// titan is Amazon's own family: text v1 has no settings, text v2 dimensions
// and normalize, image the length of its vectors.
func (e *embedder) titan(second, image bool) ([]byte, error) {
	text, err := e.single()
	if err != nil {
		return nil, err
	}
	body := wire.AppendString([]byte(`{"inputText":`), text)
	switch dims := e.req.Dimensions; {
	case second:
		body = e.own(wire.AppendInt(body, "dimensions", dims), "normalize", "")
	case image && dims != nil:
		body = append(wire.AppendInt(append(wire.AppendKey(body, "embeddingConfig"), '{'), "outputEmbeddingLength", dims), '}')
	case dims != nil:
		e.dropped = append(e.dropped, "dimensions")
	}
	return append(body, '}'), nil
}

// cohere takes up to 96 texts, and must be told what they are for.
func (e *embedder) cohere(v4 bool) []byte {
	body := wire.AppendTexts([]byte{'{'}, "texts", e.req.Input)
	body = e.own(body, "input_type", `"search_document"`)
	body = e.own(body, "truncate", "")
	body = append(body, `,"embedding_types":["float"]`...)
	if v4 {
		body = wire.AppendInt(body, "output_dimension", e.req.Dimensions)
	} else if e.req.Dimensions != nil {
		e.dropped = append(e.dropped, "dimensions")
	}
	return append(body, '}')
}

// nova is Amazon's multimodal family (nova2-userguide, embeddings-schema).
func (e *embedder) nova() ([]byte, error) {
	text, err := e.single()
	if err != nil {
		return nil, err
	}
	body := []byte(`{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{`)
	body = e.own(body, "embeddingPurpose", `"GENERIC_INDEX"`)
	body = wire.AppendInt(body, "embeddingDimension", e.req.Dimensions)
	body = append(wire.AppendKey(body, "text"), `{"truncationMode":"END","value":`...)
	return append(wire.AppendString(body, text), "}}}"...), nil
}

// decodeEmbed is Embed.Decode; the answer's form tells its maker. Only Titan
// tells its usage in the body.
func decodeEmbed(body []byte) (*schema.EmbedResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotUnderstood(fmt.Errorf("it is not JSON"))
	}
	root := gjson.ParseBytes(body)
	out := &schema.EmbedResponse{}
	list := root.Get("embeddings") // Cohere: vectors, or vectors by type; Nova: objects
	if f := list.Get("float"); f.IsArray() {
		list = f
	}
	vectors := list.Array()
	if one := root.Get("embedding"); one.IsArray() {
		vectors = []gjson.Result{one}
	}
	for i, v := range vectors {
		if own := v.Get("embedding"); own.IsArray() {
			v = own
		}
		vector, err := floats(v)
		if err != nil {
			return nil, err
		}
		out.Data = append(out.Data, schema.Embedding{Index: i, Vector: vector})
	}
	if len(out.Data) == 0 {
		return nil, wire.NotUnderstood(fmt.Errorf("there are no embeddings"))
	}
	if n := root.Get("inputTextTokenCount"); n.Type == gjson.Number && n.Int() >= 0 {
		out.Usage = schema.Usage{Input: n.Int(), Source: schema.UsageReported}
	}
	return out, nil
}

func floats(v gjson.Result) ([]float32, error) {
	items := v.Array()
	out := make([]float32, len(items))
	for i, item := range items {
		f, err := strconv.ParseFloat(item.Raw, 32)
		if err != nil {
			return nil, wire.NotUnderstood(fmt.Errorf("an embedding holds %.20q", item.Raw))
		}
		out[i] = float32(f)
	}
	if len(out) == 0 {
		return nil, wire.NotUnderstood(fmt.Errorf("an embedding is empty"))
	}
	return out, nil
}
