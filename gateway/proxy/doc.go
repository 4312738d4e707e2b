// Package proxy is the classic gateway: routes, and the backends that they lead
// to.
//
// A request's path is made normal once (Normalise), and a Tree finds its Route:
// by host, path, method, headers and query, in an order of precedence that is
// fixed when the tree is built. A Route is a chain of Steps before a backend, a
// Handler. A Step is one policy: it is compiled with what the configuration
// says of it and wrapped around what comes after it, so that a policy that a
// route does not name is not there at all, neither as a nil to be looked at nor
// as a field to be copied.
//
// An Exchange is one request on its way through a route. What the steps must
// know of the gateway around them they ask of its Edge.
//
//	tree       which route                        path.go, match.go, tree.go
//	steps      who calls, and who may             auth.go, permission.go, vars.go
//	           how often                          steps.go
//	backend    a fixed answer, a redirect,        static.go
//	           a document's examples              mock.go
//	           or targets over HTTP               http.go, answer.go, switch.go
//	headers    what passes, both ways             headers.go
//
// HTTP targets are chosen, tried again and left alone by the same router as
// models. Health checks belong to the router's targets, discovery to the list
// that an HTTP backend is made with: neither is known here.
package proxy
