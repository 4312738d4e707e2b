// Package console is the web console of the admin listener: pages made on the
// server, one style sheet, no script and no request to anywhere else.
//
// The first page is the overview at /: what was called, used and spent today
// and in the last 24 hours, by team and by model, budgets, prompts that are
// served, how the providers are, and how to make a first call.
//
// Who looks at it signs in with an admin token at /sign-in, or once with a
// link that OneTimeLink made. A session is a random cookie (HttpOnly,
// SameSite=Strict) whose hash is kept in memory; it ends after twelve hours, at
// sign-out, when the process ends, and when its token leaves the configuration.
// A team-owner sees its own team alone. Whatever changes something is a POST,
// and those of other sites are refused (net/http's CrossOriginProtection).
//
// Names that callers chose reach the page through html/template only, and the
// content security policy allows no script and no inline style, so that a name
// can never become code.
package console
