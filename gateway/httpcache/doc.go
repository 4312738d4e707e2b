// Package httpcache keeps answers of ordinary HTTP services.
//
// What may be kept, for whom and for how long is a Policy's affair: the rules of
// RFC 9111 for a shared cache, or a plain time to live. A Store keeps what that
// comes to, within a bound of bytes, by route and URI and then by the request's
// headers that the answer varies by. An Entry is one answer. It is not changed:
// one that was found to hold still is put anew.
//
// Replicas may share a second level, gateway/shared: a flight asks it before it
// asks the backend, and hands on what it brings.
//
// gateway/cache has the same bound and the same purges, and shares nothing with
// this but that: what is found there is a question to a model by its meaning or
// its digest, one answer each; what is found here has variants, ages, is given
// when it is stale, and is asked about again.
//
// Cache-Control is read by github.com/pquerna/cachecontrol; what that means for
// an answer is decided here, for the rest of that library speaks of net/http.
package httpcache
