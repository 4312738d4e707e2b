// Package store keeps what must survive: the ledger, the teams and keys that
// the admin API made, and the versions of prompts. It implements the
// interfaces that their owners declare (billing.Ledger, billing.Tenants,
// prompts.Store), a file an aggregate, over SQLite or PostgreSQL; nobody but cmd
// imports it.
//
// Statements are written once, for SQLite; what PostgreSQL says otherwise is in
// postgres.go. There, one lock of the database is for all that writes in a
// transaction, of whatever replica; a replica has one more session for what it
// needs to know of the others (replica.go). What is read on a team's behalf is held
// to policies there (behalf.go).
//
// On SQLite there is one writing connection, so writers queue in Go instead of meeting
// SQLITE_BUSY, and a few reading ones, which see a snapshot and never wait for
// the writer (WAL). Each write is one transaction.
//
// # The ledger
//
// An entry is inserted once, by (call, attempt). What repeats (team, key,
// model, …, status) is interned in dims, tags in tagsets. What is only shown of
// an entry is in its column detail, JSON. In the transaction that inserts
// entries, their sums go into packs: bytes that hold the sums of a UTC day and
// of its hours, by dims, once more by tagsets too, and once more by users too.
// Packs are only added; sixteen become one of the next level, and those of a
// day that is over become one, as a log-structured tree does it. So writing
// costs little, whatever is in the table, and a report reads a few packs. The
// users of a day that is over are spread over sixteen packs, of which a report
// of one user reads one.
//
// Long reports sum their packs on a few goroutines, each with groups of its own,
// while the snapshot is read on; what the goroutines have is added up then.
//
// A report over [From, To) in any time zone is put together of whole days,
// whole hours and, at what is left at the ends, entries: exact, as all figures
// are sums of integers. Latencies are counted in buckets, from which the
// percentiles are read.
//
// Entries that are erased leave their sums in erased, without their users'
// names: packs stay what they were but for these names. A report that begins or
// ends within an hour counts what was erased of it at the hour's beginning.
//
// Verify proves entries + erased = hours = days, of every kind.
package store
