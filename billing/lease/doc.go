// Package lease has replicas share limits and budgets without asking for each call: each
// takes blocks of what is allowed from a place that all of them know, uses them
// up by itself, and gives back what it did not use.
//
// A Pool is one limit: so many permits in any stretch of a window's time. The
// place counts by slots of the window, at its own clock, and a permit may be used
// in the slot that it was counted in and no later, so that no stretch ever has
// more than the limit. A call that finds no permit in the block waits for the
// next exchange, which all that wait for any pool share: there is one at a time,
// and one command for all of it. What is taken beyond what calls wait for is what
// they used of late, at most a hundredth of the limit and a quarter of what is
// left, so that nothing is held back near the limit.
//
// Where the place is not there, or takes too long, calls go on with what the
// replica counts by itself.
//
// A Slice is what a replica has of a budget of all: what it may spend, and hold
// for calls, before it has to ask for more. What each replica has spent is told as
// a sum and not as a change, so that it may be told twice, and by whom it is said,
// so that a replica which starts again says what its ledger knows. A slice has a
// term: who is not heard of any more loses it, but for what it has spent. Calls
// that a slice has not enough for, where nobody can be asked, are to be refused.
//
// Where all replicas have one ledger, that cannot tell what one of them has spent:
// see Common.
//
// What the place is, the package does not know: see gateway/shared.
package lease
