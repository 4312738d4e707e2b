package mock

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"math"
	"strings"

	"sluice/providers/schema"
)

// The lengths of vectors.
const (
	DefaultDimensions = 256
	maxDimensions     = 4096
)

// Embed makes a unit vector of every input: the sum of a pseudo-random
// direction for each of its words, so that equal texts have equal vectors and
// texts that share words are near each other. Errors are of type
// *schema.Error.
func (m *Mock) Embed(ctx context.Context, req *schema.EmbedRequest) (*schema.EmbedResponse, error) {
	if _, err := m.begin(ctx, req.Model); err != nil {
		return nil, err
	}
	if req.Model != "embed" {
		return nil, noModel(req.Model)
	}
	size := int64(DefaultDimensions)
	if req.Dimensions != nil {
		size = *req.Dimensions
	}
	if size < 1 || size > maxDimensions {
		return nil, schema.Invalid("dimensions", "dimensions must be between 1 and %d", maxDimensions)
	}
	if len(req.Input) == 0 && len(req.Tokens) == 0 {
		return nil, schema.Invalid("input", "input is empty")
	}
	resp := &schema.EmbedResponse{Model: req.Model, Usage: schema.Usage{Source: schema.UsageReported}}
	add := func(features [][]byte, tokens int64) {
		resp.Usage.Input += tokens
		resp.Data = append(resp.Data, schema.Embedding{Index: len(resp.Data), Vector: vector(features, int(size))})
	}
	for _, text := range req.Input {
		var features [][]byte
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			features = append(features, []byte(word))
		}
		add(features, m.o.Count(text))
	}
	for _, tokens := range req.Tokens {
		features := make([][]byte, len(tokens))
		for i, t := range tokens {
			features[i] = binary.LittleEndian.AppendUint64(nil, uint64(t))
		}
		add(features, int64(len(tokens)))
	}
	return resp, nil
}

// vector adds up the directions of the features and scales the sum to length
// 1. Without features, or where they cancel out, it is a fixed direction.
func vector(features [][]byte, size int) []float32 {
	sum := make([]float64, size)
	for _, f := range features {
		h := fnv.New64a()
		_, _ = h.Write(f) // never fails
		addDirection(sum, h.Sum64())
	}
	length := norm(sum)
	if length < 1e-9 {
		addDirection(sum, 0)
		length = norm(sum)
	}
	out := make([]float32, size)
	for i, v := range sum {
		out[i] = float32(v / length)
	}
	return out
}

// addDirection adds a pseudo-random direction: SplitMix64 (Steele, Lea and
// Flood 2014) from the seed, each output taken as a number in [-1, 1).
func addDirection(sum []float64, seed uint64) {
	for i := range sum {
		seed += 0x9E3779B97F4A7C15
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		sum[i] += float64(int64(z^z>>31)) / (1 << 63)
	}
}

func norm(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
