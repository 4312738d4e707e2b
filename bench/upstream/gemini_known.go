package upstream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// The API refuses fields that it does not know. These are those of
// GenerateContentRequest, EmbedContentRequest and CountTokensRequest, and of
// Schema, which is a part of JSON Schema's; the names are in the API reference.
var (
	geminiFields = strings.Fields(`contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent
		serviceTier store model content taskType title outputDimensionality embedContentConfig requests generateContentRequest labels`)
	schemaFields = strings.Fields(`type format title description nullable enum maxItems minItems properties required minProperties
		maxProperties minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum`)
)

// unknownGemini names a field that the API does not know, or "".
func unknownGemini(root gjson.Result) string {
	fault := unknownField(root, geminiFields, "")
	root.Get("tools.#.functionDeclarations|@flatten").ForEach(func(_, f gjson.Result) bool {
		if fault == "" {
			fault = unknownSchema(f.Get("parameters"), "tools.function_declarations.parameters")
		}
		return fault == ""
	})
	if fault == "" {
		fault = unknownSchema(root.Get("generationConfig.responseSchema"), "generation_config.response_schema")
	}
	return fault
}

func unknownField(v gjson.Result, known []string, at string) (fault string) {
	if !v.IsObject() {
		return ""
	}
	v.ForEach(func(key, _ gjson.Result) bool {
		if !slices.Contains(known, key.String()) {
			fault = fmt.Sprintf("Invalid JSON payload received. Unknown name %q at '%s': Cannot find field.", key.String(), at)
		}
		return fault == ""
	})
	return fault
}

func unknownSchema(s gjson.Result, at string) string {
	fault := unknownField(s, schemaFields, at)
	for _, below := range []string{"properties", "anyOf"} {
		s.Get(below).ForEach(func(_, v gjson.Result) bool {
			if fault == "" {
				fault = unknownSchema(v, at+"."+below)
			}
			return fault == ""
		})
	}
	if items := s.Get("items"); fault == "" && items.Exists() {
		fault = unknownSchema(items, at+".items")
	}
	return fault
}
