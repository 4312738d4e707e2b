// Package gateway is the data plane: it takes a program's request, passes it to
// a model, and knows what it cost.
//
// # The path of a request
//
// One goroutine carries a call from its first byte to its last. The stages
// stand in this order, each in the file named beside it:
//
//	listener       fasthttp reads headers and body                gateway.go
//	call           id, clock, snapshot of the configuration       call.go
//	look           is it HTTP of one meaning only                 malformed.go
//	dispatch       what is served at this path                    handler.go
//	authenticate   whose key is it                                auth.go
//	decode         one strict walk finds model, stream, limits    the caller's dialect (Head)
//	choose         which model, and may this key have it          chat.go, snapshot.go
//	admit          limits of the key, its prompt and its model    limits.go, billing
//	reserve        hold the most that the call can cost           reserve.go, billing
//	guard in       deny, mask, ask; of a model with guards only   guards.go, gateway/guard
//	look up        an answer that is kept, or under way           reuse.go, near.go, gateway/cache
//	route          targets in order, keys, retries, fallback,     chat.go (route), router,
//	               and the limits of each attempt's provider      limits.go
//	attempt        bytes spliced, or translated, and sent         providers, providers/upstream
//	answer         whole, or frame by frame                       chat.go, stream.go
//	resume         a stream that broke goes on at the next target resume.go, router, providers
//	guard out      what the answer says; a stream's chunk by      guards.go, providers (Filter)
//	               chunk, before it is encoded
//	charge         usage priced, the hold settled                 finish.go, billing
//	keep           the answer, for whoever asks the same          reuse_keep.go, prompt_reuse.go
//	record         usage into the spool, before the last byte     finish.go, billing
//	finish         metrics, access line, the call given back      finish.go
//
// A prompt (prompt.go) differs in one stage: its input is checked and rendered
// into a unified request where a model call is decoded. Every outcome reaches
// finish: success, a refusal, a provider's failure, a caller who left, a panic.
// A whole answer is finished by the handler, a stream by its body, because
// only the connection knows when the last byte went out.
//
// Two kinds of call differ in more. What has no unified form (files, pictures,
// speech, …) is passed on as it is but for the model's name: pass.go and the
// files beside it stand where decode, reserve and charge do. A realtime session
// (realtime.go) takes its connection from the server once the provider has
// opened one too, is charged response by response, and recorded at its end.
//
// A request to a classic route (route.go) shares call, authenticate, key's
// limits, access line and finish; in between it passes the steps and the backend
// of gateway/proxy, and no body is read before one of these asks for it.
//
// Other doors lead into the same path: responses.go keeps answers that a later call goes on from. Prompts are also
// models (prompt_model.go), tools and prompts of the Model Context Protocol
// (mcp*.go) and operations of /openapi.json (openapi.go); several inputs at once,
// keys that replay an answer, splits and steps are the other prompt_*.go. A call
// that is mirrored (shadow.go) has a second one made from copies, by the team
// shadow, from the limits on; the two know nothing of each other.
//
// # What it stands on
//
// Everything dynamic (keys, models, routes, prices, limits) is in one immutable
// Snapshot that a call loads once, so that a change is seen whole or not at
// all. Nothing on the path waits for the store: money and limits are held in
// memory (billing.Book), usage goes to a local file (billing.Spool) and from
// there to the store.
//
// A caller who leaves while its provider is silent is found by looking at the
// sockets of open calls in turn (watch.go); the call's context (providers/lifetime) then
// ends, and with it the upstream request.
//
// # Words
//
//	Call       one client request
//	Caller     the key it came with, and what that key may do
//	Secret     a provider's credential (never "key")
//	Provider   an upstream that is switched on
//	Dialect    a wire format, spoken by callers, providers or both
//	Target     a provider's model: provider/model
//	Model      a name that callers ask for; it has a route of targets
//	Route      targets with their balance, retries and fallbacks
//	Attempt    one try of one target with one secret
//	Frame      an event of a stream; Chunk: what it adds, in unified form
//	Shadow     a call that the operator has made beside a caller's, at another model
//	Hold       money set aside for a call that runs
//	Entry      a line of the ledger
//	Snapshot   the configuration as a call sees it
package gateway
