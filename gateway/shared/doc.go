// Package shared is what replicas share through Redis: a second level of answers
// that are kept, behind the memory of each, purges that reach all of them,
// permits of limits and parts of budgets (see billing/lease), which a script
// counts, and News of keys and targets that are out, which the router takes in.
//
// A Level is used while it hears of purges, and at no other time: it subscribes,
// reads the log of purges, and is up from then until the connection breaks or
// Redis is slow. While it is down, nothing is asked and nothing is waited for.
//
// A purge takes nothing out of Redis. It is a record in a log, a stream that all
// replicas follow, and an answer says how much of the log was known when it was
// asked for: one that a later purge fits is not given. So a purge takes the same
// time whatever is kept, an answer under way does not come back after it, and
// what is purged leaves Redis when its time is over.
//
// A memcached can be such a level in the place of Redis, and nothing else. It tells
// nobody of anything: the log is an item (see journal), and whoever asks for a
// value asks whether there is more in it.
//
// What values hold and which of them a purge fits is known to those who keep
// them, gateway/httpcache and gateway/cache.
package shared
