package schema

import "strings"

// UsageSource tells where the figures of a Usage come from.
type UsageSource uint8

// The sources, from the surest to the least sure.
const (
	UsageNone      UsageSource = iota
	UsageReported              // by the provider
	UsageCounted               // by us, with the model's tokenizer
	UsageEstimated             // by us, from sizes
)

// String is the source's name in records.
func (s UsageSource) String() string {
	switch s {
	case UsageReported:
		return "reported"
	case UsageCounted:
		return "counted"
	case UsageEstimated:
		return "estimated"
	}
	return "none"
}

// Usage counts what a call consumed, in tokens unless said otherwise.
//
// Input is everything that the model read: cached reads and cache writes are
// inside it, as in OpenAI's counting; adapters whose provider counts them
// beside the input (Anthropic, Bedrock) add them up. Reasoning is inside
// Output, audio inside Input and Output.
type Usage struct {
	Input        int64
	CachedInput  int64 // read from the provider's prompt cache
	CacheWrite   int64 // written to it, all lifetimes together
	CacheWrite1h int64 // of CacheWrite, those kept for an hour
	Output       int64
	Reasoning    int64
	AudioInput   int64
	AudioOutput  int64
	Images       int64 // pictures made
	// Tier is the service tier that the provider says it served the call at,
	// where its prices are others: priority, flex, batch. Empty: the usual one.
	Tier   string
	Source UsageSource
}

// Tier is the word for a service tier in a Usage, of a provider's or a
// caller's. The usual tier is empty, whatever it is called, and so is one that
// is paid for beforehand (OpenAI's scale). A word that cannot be a tier's is
// taken for the usual one.
func Tier(word string) string {
	switch word {
	case "", "auto", "default", "standard", "standard_only", "on_demand", "scale":
		return ""
	case "flex":
		return "flex"
	case "priority":
		return "priority"
	case "fast":
		return "fast"
	case "batch":
		return "batch"
	}
	if len(word) > 32 {
		return ""
	}
	for i := range len(word) {
		if c := word[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return ""
		}
	}
	return strings.Clone(word) // it may be a view of an answer
}

// IsZero tells whether nothing was counted.
func (u *Usage) IsZero() bool { return u.Input == 0 && u.Output == 0 && u.Images == 0 }

// Merge takes over every non-zero figure of v, as streams report usage in
// steps: later figures replace earlier ones.
func (u *Usage) Merge(v Usage) {
	set := func(dst *int64, n int64) {
		if n != 0 {
			*dst = n
		}
	}
	set(&u.Input, v.Input)
	set(&u.CachedInput, v.CachedInput)
	set(&u.CacheWrite, v.CacheWrite)
	set(&u.CacheWrite1h, v.CacheWrite1h)
	set(&u.Output, v.Output)
	set(&u.Reasoning, v.Reasoning)
	set(&u.AudioInput, v.AudioInput)
	set(&u.AudioOutput, v.AudioOutput)
	set(&u.Images, v.Images)
	if v.Tier != "" {
		u.Tier = v.Tier
	}
	if v.Source != UsageNone {
		u.Source = v.Source
	}
}
