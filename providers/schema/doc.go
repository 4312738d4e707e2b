// Package schema is the unified vocabulary between every client dialect and
// every provider dialect: one chat request, one answer, one stream chunk, one
// usage, one error.
//
// The words are OpenAI's, as go-openai writes them, and go-openai's own types
// are used wherever they lose nothing (tool calls, function definitions,
// finish reasons). What they would lose (a temperature of 0, audio parts,
// thinking blocks with signatures, cache marks, vendor fields) has types here.
//
// A client's body is never re-encoded through these types when both sides
// speak the same dialect: Request.Raw is then patched in place and passed on.
// They are for reading, and for crossing from one dialect to another.
//
// The package imports no other package of the project and does no I/O.
package schema
