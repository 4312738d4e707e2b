// Package alert tells when something is wrong: rules that are looked at every
// few seconds, away from the calls, and whom to tell.
//
// A Rule has a Condition, which reads figures of the ledger and of this process
// and gives a Reading for each set of labels. A reading that holds begins an
// Alert: pending until the rule's time is over, then firing, then resolved when
// it holds no more. An alert is one rule and one set of labels, so that nobody
// is told twice of the same.
//
// What is to be delivered is worked out from the alerts each time, not kept in
// a queue: what a receiver has not taken is still owed to it at the next look,
// and after a restart, for alerts are kept in a file.
package alert
