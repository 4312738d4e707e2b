// Package auth turns secrets into the headers of a request where a key alone
// in a header will not do.
//
//   - AWS signs the whole request with Signature Version 4, or sends a Bedrock
//     API key.
//   - Google sends an access token: from a service account's key, a user's
//     refresh token, an external workload identity, or the metadata server of
//     the machine.
//   - Entra sends an access token for Azure, by client credentials.
//
// Each gives a Sign function, to be asked once for every request. Tokens are
// kept per secret, renewed some minutes before they end, and fetched once
// however many calls wait for them; a call that can still use the old token
// does not wait.
//
// Errors are *schema.Error of origin provider and never hold a secret, a token
// or an answer of an identity service. An identity service that cannot be
// reached or fails is 503 unavailable, of class connection, so that the router
// tries elsewhere; one that refuses, and a secret that cannot be used, is of
// class auth.
//
// The package reads neither the environment nor the clock by itself: values
// and Now come in as options. It opens connections to identity services, and
// the files that an external Google credential names.
package auth
