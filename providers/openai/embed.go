package openai

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeEmbedRequest reads a client's request.
func decodeEmbedRequest(raw []byte) (*schema.EmbedRequest, error) {
	req := &schema.EmbedRequest{}
	var err error
	gjson.ParseBytes(raw).ForEach(func(key, v gjson.Result) bool {
		if v.Type == gjson.Null {
			return true
		}
		switch key.Str {
		case "model":
			req.Model = v.String()
		case "input":
			err = decodeInput(req, v)
		case "encoding_format":
			if req.EncodingFormat, err = wire.Text(key.Str, v); err == nil && v.Str != "float" && v.Str != "base64" {
				err = schema.Invalid(key.Str, "encoding_format must be float or base64")
			}
		case "dimensions":
			req.Dimensions, err = wire.Integer(key.Str, v)
		case "user":
			req.User, err = wire.Text(key.Str, v)
		default:
			req.Extra = addExtra(req.Extra, key.Str, v.Raw)
		}
		return err == nil
	})
	return req, err
}

// decodeInput reads a text, texts, token ids, or lists of token ids.
func decodeInput(req *schema.EmbedRequest, v gjson.Result) error {
	if v.Type == gjson.String {
		req.Input = []string{v.Str}
		return nil
	}
	items := v.Array()
	for i, item := range items {
		switch {
		case item.Type == gjson.String && req.Tokens == nil:
			req.Input = append(req.Input, item.Str)
		case item.Type == gjson.Number && i == 0:
			ids, ok := tokenIDs(v)
			if !ok {
				return badInput()
			}
			req.Tokens = [][]int64{ids}
			return nil
		case item.IsArray() && req.Input == nil:
			ids, ok := tokenIDs(item)
			if !ok {
				return badInput()
			}
			req.Tokens = append(req.Tokens, ids)
		default:
			return badInput()
		}
	}
	return nil
}

func tokenIDs(v gjson.Result) (out []int64, ok bool) {
	for _, id := range v.Array() {
		if id.Type != gjson.Number {
			return nil, false
		}
		out = append(out, id.Int())
	}
	return out, true
}

func badInput() error {
	return schema.Invalid("input", "input must be a string, strings, token ids, or lists of token ids")
}

func encodeEmbedRequest(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	b := append([]byte(nil), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = append(b, `,"input":[`...)
	for _, s := range req.Input {
		b = wire.AppendString(wire.AppendComma(b), s)
	}
	for _, ids := range req.Tokens {
		b = append(wire.AppendComma(b), '[')
		for _, id := range ids {
			b = strconv.AppendInt(wire.AppendComma(b), id, 10)
		}
		b = append(b, ']')
	}
	b = append(b, ']')
	b = appendText(b, "encoding_format", req.EncodingFormat)
	b = appendInt(b, "dimensions", req.Dimensions)
	b = appendText(b, "user", req.User)
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		b = wire.AppendString(append(b, ','), name)
		b = append(append(b, ':'), req.Extra[name]...)
	}
	return &dialect.Upstream{Path: "/embeddings", Body: append(b, '}')}, nil
}

func decodeEmbedResponse(body []byte) (*schema.EmbedResponse, error) {
	if !gjson.ValidBytes(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	usage, data, err := answerParts(body, "data")
	if err != nil {
		return nil, err
	}
	out := &schema.EmbedResponse{Model: gjson.GetBytes(body, "model").String()}
	if usage.usage.IsObject() {
		out.Usage = usageOf(usage.usage, usage.tier.Str)
	}
	data.ForEach(func(_, v gjson.Result) bool {
		e := schema.Embedding{Index: int(v.Get("index").Int())}
		if vector := v.Get("embedding"); vector.Type == gjson.String {
			e.Base64 = string([]byte(vector.Str))
		} else {
			each(vector, func(n gjson.Result) { e.Vector = append(e.Vector, float32(n.Num)) })
		}
		out.Data = append(out.Data, e)
		return true
	})
	return out, nil
}

// encodeEmbedResponse writes the vectors in the form that was asked for,
// whichever they came in.
func encodeEmbedResponse(b []byte, req *schema.EmbedRequest, resp *schema.EmbedResponse) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i := range resp.Data {
		e := &resp.Data[i]
		b = append(wire.AppendComma(b), `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(e.Index), 10)
		b = append(b, `,"embedding":`...)
		if req.EncodingFormat == "base64" {
			b = appendPacked(b, e)
		} else {
			b = appendVector(b, e)
		}
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = wire.AppendString(b, resp.Model)
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, resp.Usage.Input, 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, resp.Usage.Input+resp.Usage.Output, 10)
	return append(b, '}', '}')
}

func appendPacked(b []byte, e *schema.Embedding) []byte {
	if e.Base64 != "" {
		return wire.AppendString(b, e.Base64)
	}
	packed := make([]byte, 0, 4*len(e.Vector))
	for _, f := range e.Vector {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(f))
	}
	b = base64.StdEncoding.AppendEncode(append(b, '"'), packed)
	return append(b, '"')
}

func appendVector(b []byte, e *schema.Embedding) []byte {
	vector := e.Vector
	if e.Base64 != "" {
		packed, err := base64.StdEncoding.DecodeString(e.Base64)
		if err != nil {
			packed = nil
		}
		for ; len(packed) >= 4; packed = packed[4:] {
			vector = append(vector, math.Float32frombits(binary.LittleEndian.Uint32(packed)))
		}
	}
	b = append(b, '[')
	for _, f := range vector {
		if f-f != 0 { // NaN and infinities, which JSON has not
			f = 0
		}
		b = strconv.AppendFloat(wire.AppendComma(b), float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}
