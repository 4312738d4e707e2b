// Package router chooses among candidates and drives the attempts of a call.
//
// A Route is a name with candidates, an order of trying them, a retry policy
// and fallbacks to other routes. A Target is the standing state of one
// candidate (circuit breaker, calls in flight) and a Pool that of a provider's
// secrets (cool-downs); both are shared by all calls and live on over reloads,
// handed from one Registry to the next.
//
// A Plan is one call's way through a route:
//
//	p := router.Plan{Route: r}
//	err := p.Do(ctx, func(a *router.Attempt) error { … })
//
// For each candidate that is neither out nor cooling, in the route's order:
// tries with backoff as the policy says; then the next candidate; then the
// fallbacks. What a provider says about a key (401, 403, 429, no quota) moves
// on to the next key of the pool, then to the next candidate, always. All of
// that ends when an attempt returns nil, which a stream does at its first
// byte; it says Late before and tells its outcome by Done when it is over.
//
// The order is the route's Balance: as given, by turns, by weight, by what is in
// flight, by what was learnt of the targets (how long answers take, how many go
// well, how much they hold: Plan.Came), or by what the plan's Subject says of
// the call: its cost at a candidate, and the key that it stays at a target by.
//
// Plan.Admit is asked before each attempt: where a provider's limit refuses one,
// the call goes on to the next candidate, and if none is left, the refusal is
// the answer. Plan.AdmitKey is its like for a secret: one that it refuses is
// passed over for the pool's next.
//
// What is left alone, and for how long (rest.go): a secret that was refused, at
// every target; a secret at one target whose rate limit is used up, or which
// fails there alone (a breaker for each); a target, where its only secret is
// limited or its provider asks for time. The only secret that fits never rests,
// nor does a route's only target.
//
// What is unhealthy (health.go): a candidate at a place whose checks fail is
// passed over while a healthy one is left.
//
// What other replicas have found of all that comes by Registry.Hear (news.go), and
// counts for less than what was found here since.
//
// DoHedged is Do for a call beside whose first attempt, if it is slow, a second
// is made (hedge.go): the first to answer wins, the other is cancelled. Where no
// target has room, a call waits in its route's Queue (queue.go), in which teams
// take turns.
//
// The package knows neither models nor HTTP: what a caller needs to attempt a
// candidate is its Payload, and errors are told apart by schema.Class alone.
// The only goroutines that it starts are those of timers (a second attempt's,
// and a queue's look for room) and of Checks, which have the real time. All
// other time comes from the Plan's Clock.
package router
