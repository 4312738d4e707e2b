// Package providers is the portable client: one way to call every provider,
// whatever it and the caller speak.
//
// A Provider joins a dialect (how the provider speaks), an upstream.Client
// (how bytes get there) and how its secret is sent. What a call does depends on
// who asks:
//
//   - The caller speaks the provider's dialect. Bytes pass through: the body is
//     patched in place (model, output limit, usage asked for), the answer is
//     only looked into for its usage. Unknown fields survive both ways.
//   - The caller speaks another one. The request is decoded to the unified form
//     once a call, encoded for the provider, and the answer goes the same way
//     back.
//   - The caller is a prompt (Request.Unified): the answer is given unified.
//
// An in-process provider (Local) always is of the second or third kind.
//
// A stream is read, never pushed: Stream.Read gives whole frames, as many as
// one read from the network brought, and no goroutine stands between. io.EOF
// comes after the stream's proper end only; a stream that was cut ends in an
// error and no byte of an ending. Errors are *schema.Error with the provider's
// name and the status that the caller gets.
package providers
