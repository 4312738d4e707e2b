// Package export writes the ledger's entries to files for other programs: one a
// day, as CSV, JSON lines or Parquet, in a folder or an S3-compatible bucket.
//
// Entries stream from a Source to a file; nothing holds a whole day. A file has
// its name only once it is whole, so that an export that was broken off can be
// run again: it writes what is not there.
package export
