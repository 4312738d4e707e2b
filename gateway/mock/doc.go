// Package mock answers in place of a service that is described by an OpenAPI
// document (3.0 and 3.1), before there is one.
//
// An answer is the document's own example, and what a schema allows where there
// is none: always the same for the same request. Which of the document's answers
// it is, callers say by Prefer (RFC 7240), as with Prism: code=404 or
// example=name; dynamic=true is for what is made from the schema. Accept chooses
// among types.
package mock
