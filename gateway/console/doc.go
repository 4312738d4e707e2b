// Package console is the web console of the admin listener: pages made on the
// server, one style sheet, one small script that no page needs, and no request
// to anywhere else.
//
// Every page stands in one table (routes.go) with the line of the admin API's
// table of routes that it stands for: who may make that request may see the
// page. Pages know neither the store nor the configuration. What they show is
// what the admin API answers to who is signed in, and what their forms change is
// changed by a request to it (api.go), so that rules, roles and errors stand in
// one place. Refusals of the API stand beside the field that they name
// (form.go). Charts are SVG, drawn here (chart.go).
//
// Who looks at it signs in with an admin token at /sign-in, or once with a
// link that OneTimeLink made. A session is a random cookie (HttpOnly,
// SameSite=Strict) whose hash is kept in memory; it ends after twelve hours, at
// sign-out, when the process ends, and when its token leaves the configuration.
// A team-owner sees its own team alone. Whatever changes something is a POST
// with a word that follows from the session, and those of other sites are
// refused (net/http's CrossOriginProtection).
//
// Names that callers chose reach the page through html/template only, and the
// content security policy allows no script and no style that stands in a page,
// so that a name can never become code.
//
// English stands in the templates (assets/*.html) and in the texts of the Go
// files, none in the style sheet or the script.
package console
