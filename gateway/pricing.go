package gateway

import (
	"sluice/billing"
	"sluice/providers/schema"
)

// listed are the prices that the provider charges for the call.
func (t *Target) listed(c *Call) *billing.Prices {
	p := t.PricesAt(c.now)
	if p == nil && c.snap.Settings.Unpriced == billing.UnpricedEstimate {
		return t.Provider.Dearest
	}
	return p // nil prices cost nothing
}

// prices are those that the call is charged with.
func (t *Target) prices(c *Call) *billing.Prices {
	p := t.listed(c)
	r := c.rates()
	if r == nil || p == free {
		return p
	}
	return r.Of(p, c.model.Name, t.Name, t.Model)
}

// markup is what the caller is charged for its usage beyond what the provider
// charges.
func (t *Target) markup(c *Call, u schema.Usage, charged billing.Nano) billing.Nano {
	p := t.listed(c)
	if t.prices(c) == p {
		return 0
	}
	return charged - p.Cost(u)
}

// mayCost is the prices that the call may be charged with: those of every
// service tier that the target may serve it at.
func (t *Target) mayCost(c *Call) *billing.Prices {
	return t.prices(c).Asked(mayServe(t.kind(), c.req.Head.ServiceTier))
}

// dearer tells whether a provider charges more than the usual for a tier.
func dearer(kind, asked string) bool {
	switch kind {
	case "anthropic":
		return asked == "fast"
	case "openai", "azure":
		return asked == "fast" || asked == "priority"
	}
	return false
}

// mayServe is the service tier at which a provider may serve a request that
// asks for one; it may always fall back to the usual one. A request that does
// not say leaves the choice to what the account is set to with OpenAI
// (reference, service_tier: auto) and many others, and is served at the usual
// tier by the Gemini API (page priority-inference) and by Bedrock (page
// service-tiers-inference). Anthropic serves all but standard_only at the
// priority that the account has bought (page service-tiers), and Vertex at what
// the headers of the provider's settings say. All read 2026-11-29.
func mayServe(kind, asked string) string {
	usual := asked == "default" || asked == "standard" || asked == "standard_only" || asked == "on_demand"
	switch {
	case kind == "vertex":
		return billing.AnyTier
	case usual:
		return ""
	case kind == "anthropic":
		if asked == "fast" {
			return asked
		}
		return "priority"
	}
	switch asked {
	case "", "auto":
		if kind == "gemini" || kind == "bedrock" {
			return ""
		}
		return billing.AnyTier
	case "flex", "priority", "fast", "batch", "reserved":
		return asked
	}
	return billing.AnyTier // whatever a host makes of it
}
