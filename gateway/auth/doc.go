// Package auth finds who a request is from, for those that come without a key
// of ours: by JSON Web Tokens, OAuth 2.0 introspection (RFC 7662), names and
// passwords, HTTP message signatures (RFC 9421) and client certificates.
//
// A Method is one of them, made of a part of the configuration. It finds no
// credential of its kind, or an Identity, or says why not: 401 where the
// credential is not good, 503 where whoever could tell does not answer. Never
// does a silent issuer look like a wrong password.
//
//	jwt.go, keys.go        tokens that are signed, and the keys of their issuers
//	oauth2.go              tokens that their issuer is asked about
//	basic.go               names and passwords, kept as bcrypt
//	hmac.go, replay.go     requests that are signed with a shared secret
//	cert.go                client certificates
//	claims.go              what tokens say, as an Identity
//	fetch.go               the HTTP client for all of them
//
// Who may do what is not decided here.
package auth
