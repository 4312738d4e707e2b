// Package fetch gets images, sounds and documents that a caller gave by URL,
// for targets that take bytes only.
//
// A URL is the caller's word and the gateway stands inside the operator's
// network: whoever could make it ask for http://169.254.169.254/ would read the
// machine's credentials through a model. So the package
//
//   - speaks http and https only, sends no cookie, no credentials and no
//     Referer, and uses no proxy;
//   - looks at the address of every connection when it is made, after the name
//     was resolved: a name that resolves otherwise the second time gains
//     nothing, and each redirect is a connection of its own;
//   - follows three redirects at most;
//   - reads no more than Options.Max bytes, in no more than Options.Timeout;
//   - takes images, sounds, films, text and documents only, by the answer's
//     type, or by its first bytes where they say otherwise.
//
// Errors are *schema.Error of class invalid_request with status 400; they name
// the URL's host but no address, so that nothing can be learnt of the network
// behind. A caller who left, and a call out of time, are errors of their own
// class.
//
// Addresses that are not for the public are those of IANA's registries of
// special-purpose addresses (RFC 6890) and, of IPv6, all that is not global
// unicast (2000::/3) or embeds an IPv4 address (6to4, Teredo, NAT64).
package fetch
