package prompts

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"sluice/prompts/ordered"
)

// Models is how tests reach models. Both are called from several goroutines.
type Models struct {
	Ask   Ask
	Embed Embed // nil: none; tests that compare by meaning fail
}

// Embed gives the vectors of texts by an embedding model.
type Embed func(ctx context.Context, model string, texts []string) ([][]float32, error)

// The terms of an expectation that do not say otherwise. mock/embed, which
// every gateway has, sees which words are there, not what they mean.
const (
	similarModel = "mock/embed"
	leastSimilar = 0.75
)

// similarity is what the expectation similar says: a text, or {value, threshold,
// model}.
type similarity struct {
	value, model string
	threshold    float64
}

// similarityOf reads the expectation; said is what is wrong with it.
func similarityOf(v any) (s similarity, said string) {
	s = similarity{model: similarModel, threshold: leastSimilar}
	if text, ok := v.(string); ok {
		s.value = text
		return s, ""
	}
	o, ok := v.(ordered.Object)
	if !ok {
		return s, "a text, or {value, threshold, model}"
	}
	for _, f := range o {
		text, isText := f.Value.(string)
		switch f.Key {
		case "value":
			s.value = text
		case "model":
			s.model = text
		case "threshold":
			n, _ := f.Value.(json.Number)
			var err error
			s.threshold, err = n.Float64()
			isText = err == nil && s.threshold > 0 && s.threshold <= 1
		default:
			return s, "without " + f.Key + ": it takes value, threshold and model"
		}
		if !isText {
			return s, "{value: text, threshold: above 0 and at most 1, model: name}"
		}
	}
	if s.value == "" || s.model == "" {
		return s, "a text, or {value, threshold, model}"
	}
	return s, ""
}

// expectSimilar holds the output to a text that it should mean the same as, by
// the cosine of their embeddings.
func expectSimilar(ctx context.Context, want any, text string, embed Embed) string {
	s, said := similarityOf(want)
	if said != "" {
		return "it must be " + said
	}
	if embed == nil {
		return "it could not be compared: there are no embeddings here"
	}
	vectors, err := embed(ctx, s.model, []string{s.value, text})
	if err != nil {
		return "it could not be compared: " + err.Error()
	}
	if len(vectors) != 2 || len(vectors[0]) != len(vectors[1]) {
		return fmt.Sprintf("it could not be compared: %s gave no two vectors", s.model)
	}
	if near := cosine(vectors[0], vectors[1]); near < s.threshold {
		return fmt.Sprintf("%s is %.2f like %q, less than %v", shown(text), near, s.value, s.threshold)
	}
	return ""
}

// cosine is how near two vectors of one length are, at most 1; 0 if one of them
// has no direction.
func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}
