// Package cache keeps answers of models, so that a request that was answered
// lately needs no provider.
//
// An answer is kept under the request that it answers, in a form that is the
// same in every client dialect (see Ask), within the scope of a key, a team or
// everybody. What is kept is bounded in bytes, exactly: the libraries looked at
// bound a number of items (hashicorp/golang-lru), or bytes at some later time
// (otter, ristretto), and none is purged by tag or prefix. A Flight makes one
// call of identical ones that come at once; the Index finds an answer to a
// question that means nearly the same. Replicas may share a second level, gateway/shared.
package cache
