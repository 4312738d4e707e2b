package gemini

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeEmbedRequest is Client.DecodeEmbed, of embedContent and
// batchEmbedContents. The forms of their answers differ: a batch is marked by
// an EncodingFormat of float, which says nothing else to any provider.
func decodeEmbedRequest(raw []byte) (*schema.EmbedRequest, error) {
	root := gjson.ParseBytes(raw)
	req := &schema.EmbedRequest{}
	batch := root.Get("requests")
	if !batch.Exists() {
		return req, readEmbed(req, root, "")
	}
	req.EncodingFormat = "float"
	var err error
	i := 0
	each(batch, func(v gjson.Result) {
		if err == nil {
			err = readEmbed(req, v, fmt.Sprintf("requests[%d].", i))
		}
		i++
	})
	if err == nil && len(req.Input) == 0 {
		err = schema.Invalid("requests", "requests must be a non-empty array")
	}
	return req, err
}

// readEmbed adds one text to the request. What is said of how to embed it must
// be the same for all.
func readEmbed(req *schema.EmbedRequest, v gjson.Result, at string) error {
	var text strings.Builder
	var fault error
	each(v.Get("content"), func(c gjson.Result) {
		each(c.Get("parts"), func(p gjson.Result) {
			if t := p.Get("text"); t.Type == gjson.String {
				text.WriteString(t.Str)
			} else {
				fault = schema.Invalid(at+"content.parts", "%scontent.parts: the gateway embeds text only", at)
			}
		})
	})
	if fault != nil {
		return fault
	}
	if text.Len() == 0 {
		return schema.Invalid(at+"content", "%scontent has no text", at)
	}
	first := len(req.Input) == 0
	req.Input = append(req.Input, text.String())
	own := wire.Others(v, "model", "content")
	for _, name := range slices.Sorted(maps.Keys(own)) {
		raw, camel := own[name], camelCase(name)
		switch {
		case camel == "outputDimensionality":
			n, err := wire.Integer(at+camel, gjson.ParseBytes(raw))
			if err != nil {
				return err
			}
			if !first && (req.Dimensions == nil || *req.Dimensions != *n) {
				return schema.Invalid(at+camel, "%s%s must be the same in all requests", at, camel)
			}
			req.Dimensions = n
		case !first && string(req.Extra[camel]) != string(raw):
			return schema.Invalid(at+camel, "%s%s must be the same in all requests", at, camel)
		default:
			if req.Extra == nil {
				req.Extra = map[string]json.RawMessage{}
			}
			req.Extra[camel] = raw
		}
	}
	return nil
}

// encodeEmbedResponse is Client.EncodeEmbed.
func encodeEmbedResponse(b []byte, req *schema.EmbedRequest, resp *schema.EmbedResponse) []byte {
	batch := req.EncodingFormat == "float"
	if batch {
		b = append(b, `{"embeddings":[`...)
	} else {
		b = append(b, `{"embedding":`...)
	}
	for i := range resp.Data {
		if i > 0 && !batch {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"values":[`...)
		for _, f := range vector(&resp.Data[i]) {
			if f-f != 0 { // NaN and infinities, which JSON has not
				f = 0
			}
			b = strconv.AppendFloat(wire.AppendComma(b), float64(f), 'g', -1, 32)
		}
		b = append(b, ']', '}')
	}
	if batch {
		b = append(b, ']')
	} else if len(resp.Data) == 0 {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

// vector is an embedding's numbers, in whichever form they came.
func vector(e *schema.Embedding) []float32 {
	if e.Base64 == "" {
		return e.Vector
	}
	packed, err := base64.StdEncoding.DecodeString(e.Base64)
	if err != nil {
		return nil
	}
	var out []float32
	for ; len(packed) >= 4; packed = packed[4:] {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(packed)))
	}
	return out
}
