package billing

import "context"

// Behalf is on whose behalf the store is read: what belongs to these teams is
// all that it gives then, whatever it is asked for. PostgreSQL sees to that; on
// SQLite what is asked for decides alone.
type Behalf struct {
	Teams   []string
	Prompts []string // that the teams publish: they see who subscribes to these
}

type behalfKey struct{}

// OnBehalf is the context of questions to the store on somebody's behalf. What
// the gateway asks for itself, such as all teams and keys, must not have it.
func OnBehalf(ctx context.Context, b Behalf) context.Context {
	return context.WithValue(ctx, behalfKey{}, &b)
}

// BehalfOf tells on whose behalf the store is asked; nil: on the gateway's own.
func BehalfOf(ctx context.Context) *Behalf {
	b, _ := ctx.Value(behalfKey{}).(*Behalf)
	return b
}
