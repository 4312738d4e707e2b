package upstream

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/tidwall/gjson"
)

const defaultDimensions = 8

// openaiEmbeddings answers an embeddings request: a vector for each input that
// depends on the input alone, as floats or as base64 of little-endian float32.
func openaiEmbeddings(_, body string) []byte {
	root := gjson.Parse(body)
	inputs := []gjson.Result{root.Get("input")}
	if inputs[0].IsArray() && inputs[0].Get("0").Type != gjson.Number {
		inputs = inputs[0].Array()
	}
	dimensions := defaultDimensions
	if n := int(root.Get("dimensions").Int()); n > 0 {
		dimensions = n
	}
	data := make([]object, 0, len(inputs))
	tokens := 0
	for i, input := range inputs {
		tokens += len(input.Raw)/4 + 1
		vector := Vector(input.String(), dimensions)
		var embedding any = vector
		if root.Get("encoding_format").String() == "base64" {
			embedding = packed(vector)
		}
		data = append(data, object{"object": "embedding", "index": i, "embedding": embedding})
	}
	return encode(object{"object": "list", "model": root.Get("model").String(), "data": data,
		"usage": object{"prompt_tokens": tokens, "total_tokens": tokens}})
}

// Vector is the embedding of a text: n values in [-1, 1), the same for the same
// text.
func Vector(text string, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		h := fnv.New32a()
		h.Write([]byte{byte(i), byte(i >> 8)})     //nolint:errcheck // a hash never fails
		h.Write([]byte(text))                      //nolint:errcheck // a hash never fails
		v[i] = float32(int(h.Sum32()%128)-64) / 64 // exact in six decimals
	}
	return v
}

func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}
