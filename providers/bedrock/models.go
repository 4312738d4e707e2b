package bedrock

import "strings"

// forcing is which tool choices a model knows besides auto.
type forcing uint8

const (
	forceNone forcing = iota
	forceAny          // some tool
	forceTool         // some tool, or a certain one
)

// traits are the differences between models that a request must respect.
type traits struct {
	claude     bool
	system     bool    // system prompts
	force      forcing // tool choices (ToolChoice in the API reference)
	structured bool    // outputConfig.textFormat
	cache      bool    // cachePoint in messages and system
	cacheTools bool    // cachePoint behind tools
	cacheHour  bool    // cachePoint with a ttl of 1h
	topK       string  // where top_k goes; a dot goes into an object
	effort     string  // how effort is told: nova, openai; empty: not at all
	more       bool    // frequency_penalty, presence_penalty and seed by these names
}

// geographies are the prefixes of cross-region inference profiles.
var geographies = map[string]bool{"us": true, "eu": true, "apac": true, "ap": true, "jp": true, "au": true, "ca": true, "sa": true, "me": true, "us-gov": true, "global": true}

// baseModel is the name of the foundation model: without an ARN's head and the
// prefix of an inference profile. An application's inference profile has a
// name that says nothing.
func baseModel(model string) string {
	if strings.HasPrefix(model, "arn:") || strings.HasPrefix(model, "arn%3A") {
		model = strings.ReplaceAll(strings.ReplaceAll(model, "%2F", "/"), "%3A", ":")
		model = model[strings.LastIndexByte(model, '/')+1:]
	}
	if prefix, rest, ok := strings.Cut(model, "."); ok && geographies[prefix] {
		return rest
	}
	return model
}

func has(name string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// traitsOf reads a model's traits from its name. Sources: the API reference's
// ToolChoice, the user guide's pages structured-output and prompt-caching, and
// the pages model-parameters-* of each maker.
func traitsOf(model string) traits {
	name := strings.ToLower(baseModel(model))
	maker, _, _ := strings.Cut(name, ".")
	switch {
	case has(name, "claude"):
		return claudeTraits(name)
	case has(name, "nova"):
		t := traits{system: true, force: forceTool, cache: true, topK: "inferenceConfig.topK"}
		if has(name, "nova-2") {
			t.effort = "nova"
		}
		return t
	case has(name, "titan"):
		return traits{}
	}
	switch maker {
	case "meta", "ai21", "writer":
		return traits{system: true}
	case "mistral":
		t := traits{system: !has(name, "mistral-7b", "mixtral"), topK: "top_k"}
		old := has(name, "mistral-7b", "mixtral", "-2402", "-2407", "-2502")
		t.structured = !old
		if !old || has(name, "mistral-large") {
			t.force = forceAny
		}
		return t
	case "cohere":
		return traits{system: true, topK: "k", more: true}
	case "openai":
		return traits{system: true, force: forceAny, structured: true, effort: "openai"}
	case "deepseek":
		return traits{system: true, structured: !has(name, "r1")}
	case "qwen", "google", "minimax", "moonshot", "moonshotai", "nvidia", "zai":
		return traits{system: true, force: forceAny, structured: true}
	}
	return traits{system: true, force: forceTool, cache: true, cacheTools: true}
}

func claudeTraits(name string) traits {
	t := traits{claude: true, system: true, force: forceTool}
	t.cache = !has(name, "claude-v2", "claude-instant", "claude-3-sonnet", "claude-3-opus", "claude-3-haiku", "claude-3-5-sonnet-20240620")
	t.cacheTools = t.cache
	t.cacheHour = t.cache && !has(name, "claude-3", "sonnet-4-2", "opus-4-2", "opus-4-1")
	return t
}

// claudeName is a Claude model in the words of the Messages API.
func claudeName(model string) string {
	name := baseModel(model)
	for _, old := range []string{"claude-v2", "claude-instant"} {
		if strings.Contains(name, old) {
			return "claude-2-1"
		}
	}
	return strings.TrimPrefix(name, "anthropic.")
}
