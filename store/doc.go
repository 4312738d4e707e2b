// Package store keeps what must survive: the ledger, the teams and keys that
// the admin API made, and the versions of prompts. It implements the
// interfaces that their owners declare (billing.Ledger, billing.Tenants,
// prompts.Store), a file an aggregate, over SQLite; nobody but cmd imports it.
//
// There is one writing connection, so writers queue in Go instead of meeting
// SQLITE_BUSY, and a few reading ones, which see a snapshot and never wait for
// the writer (WAL). Each write is one transaction.
//
// # The ledger
//
// An entry is inserted once, by (call, attempt). What repeats (team, key,
// model, …, status) is interned in dims, tags in tagsets. In the transaction
// that inserts it, and only if it is new, an entry is added to the rollups by
// hour and by UTC day: usage_* by dims alone, tagged_* by tags too if it has
// any, user_* by user and tags if it has a user. What is only shown of an entry
// is in its column detail, JSON. So a flood of different users
// makes only reports by user slower.
//
// A report over [From, To) in any time zone is put together of whole days,
// whole hours and, at what is left at the ends, entries. Grouped by tag it is
// usage_* with no tag, minus tagged_* with no tag, plus tagged_*; by user
// likewise: exact, as all figures are sums of integers. Latencies are counted
// in buckets, from which the percentiles are read.
//
// Verify proves entries = hours = days.
package store
