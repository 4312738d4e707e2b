package gateway

// Settle waits until no call is open: every one is recorded then.
func (g *Gateway) Settle() { g.open.Wait() }

// MostShadows bounds the shadow calls that are under way.
const MostShadows = mostShadows
