// Package sink takes records of calls to where they are kept: a file, a
// collector, an HTTP endpoint, a subject of NATS.
//
// A Queue stands between the calls and each of them. It is bounded, takes a
// record without ever waiting, and counts what it could not keep. One goroutine
// empties it in batches; what fails is tried again for a while and then given
// up, so that a sink that was away is served again once it is back.
package sink
