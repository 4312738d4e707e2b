// Package upstream speaks HTTP/1.1 to one provider, with a connection pool of
// its own.
//
// fasthttp's ResponseHeader reads the head of an answer; the rest is here,
// because fasthttp's client has one absolute deadline for an answer and its
// streamed body alike, takes a body that was cut for a whole one, ignores the
// size limit when it streams, and does not retry on a connection that the
// server had closed while it was idle.
//
// What a Client promises:
//
//   - four time limits, each with an error of its own: to connect, to the first
//     byte of an answer, between two bytes, and for the whole;
//   - a body that ends before its announced end is an error, always;
//   - a connection goes back to the pool only when its answer was read to the
//     end; the caller who leaves early closes it, and the provider notices;
//   - cancelling (the context, or Abort from another goroutine) makes a blocked
//     read return at once;
//   - no goroutine of its own: not per call, not per connection.
//
// Every error is a *schema.Error of origin provider (the caller adds the
// provider's name) and holds neither the address nor a header.
package upstream
