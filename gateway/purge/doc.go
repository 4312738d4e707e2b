// Package purge hears of purges that other systems send over NATS or RabbitMQ,
// in the form in which they send them over Redis (see shared.ParseEvent).
//
// Each source is listened to by itself: it connects, and again after a while
// that grows, for as long as the process runs. What is sent while it is away is
// not heard, but for that which waits in a queue of RabbitMQ: until then an
// answer is as old as its time allows, and no older.
//
// A purge that each replica hears is carried out here alone. One that is taken
// from a queue, of which the replicas share the messages, is theirs too: Options
// say what becomes of it.
package purge
