// Package load drives an HTTP server with the same request again and again and
// checks every answer.
//
// A closed loop keeps a number of connections busy: the next request of a connection
// follows the last answer. It measures throughput; its latencies flatter a
// server that stalls. An open loop sends at a set rate whatever the server does and
// measures from the moment at which a request was due, so that waiting for a
// free connection counts.
//
// The client is raw HTTP/1.1 over bufio: it shares a core with the fake
// upstream and must not be what is measured.
package load
