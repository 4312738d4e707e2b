// Package wire holds what two dialects would otherwise both write: the strict
// walk over a JSON object, strings put into JSON, data URLs, the data of an
// event, and Retry-After.
//
// Reading is done with gjson over a view of the bytes, without a copy. gjson
// itself never checks what it reads, takes the first of two equal keys where
// most other parsers take the last, and recurses as deep as the input says;
// Valid and Object close those three doors, and are the only way by which a
// caller's body should be entered.
package wire
