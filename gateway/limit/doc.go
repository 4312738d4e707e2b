// Package limit counts requests by whatever tells callers apart: a key, an
// address, a header's value.
//
// A Limit is of any length of time, and its window slides: no stretch of that
// length ever holds more than the limit, but for a burst that was saved up in
// quieter times. Teams' and keys' own limits, which count tokens and settle, are
// those of package billing.
package limit
