package bedrock

import "sluice/providers/schema"

// usage is Converse's TokenUsage.
type usage struct {
	Input      int64 `json:"inputTokens"`
	Output     int64 `json:"outputTokens"`
	Total      int64 `json:"totalTokens"`
	CacheRead  int64 `json:"cacheReadInputTokens"`
	CacheWrite int64 `json:"cacheWriteInputTokens"`
	Details    []struct {
		TTL    string `json:"ttl"`
		Tokens int64  `json:"inputTokens"`
	} `json:"cacheDetails"` // of what was written
}

// unified adds up what Bedrock counts apart: inputTokens are only those that
// were neither read from the cache nor written to it. Where the total says
// that they are in it already, they are not added.
func (u *usage) unified() schema.Usage {
	if u == nil {
		return schema.Usage{}
	}
	out := schema.Usage{
		Input: max(u.Input, 0), CachedInput: max(u.CacheRead, 0), CacheWrite: max(u.CacheWrite, 0), Output: max(u.Output, 0),
		Source: schema.UsageReported,
	}
	if cached := out.CachedInput + out.CacheWrite; u.Total != u.Input+u.Output || out.Input < cached {
		out.Input += cached
	}
	for _, d := range u.Details {
		if d.TTL == "1h" {
			out.CacheWrite1h += max(d.Tokens, 0)
		}
	}
	out.CacheWrite1h = min(out.CacheWrite1h, out.CacheWrite)
	return out
}

// at is the usage of an answer that was served at a tier: priority, default,
// flex or reserved (page API_runtime_ServiceTier).
func (u *usage) at(tier serviceTier) schema.Usage {
	out := u.unified()
	out.Tier = schema.Tier(tier.Type)
	return out
}
