// Package admin is the admin plane: REST under /admin/v1, and /metrics.
//
// Every resource stands in one table (routes.go): path, method, who may, and
// the function that serves it. The mux is built from that table, and a test
// walks it with every role, so that no route exists without a decision about
// who may use it.
//
// A request passes: token → role → (for a team-owner) its own team → handler.
// Handlers return an error or write an answer; errors.go is the only writer of
// statuses and problem bodies (RFC 9457). Lists are {"data": [...], "next":
// cursor or null}. Money is a decimal string of dollars, times are RFC 3339,
// durations are milliseconds.
//
// The package knows neither the data plane nor the store: what it needs of
// them stands in Options, as the interfaces of billing and prompts and as
// functions. Changes go to the store, one at a time, after the same check that
// the running book makes; Options.Changed then puts them in force before the
// answer goes out.
//
// /admin/v1/openapi.json is made from the table of routes, what openapi_routes.go
// says of each, and the types that are read and answered; tests hold it against
// what the handlers know and answer.
//
// /metrics needs no token: Prometheus scrapes it, it holds no key, team or
// user, and the admin listener is not for the public. Everything else answers
// 401 without a token.
package admin
