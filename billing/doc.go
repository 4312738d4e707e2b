// Package billing is the money of the gateway: what a call may cost, what it
// did cost, who pays, and how much of it is left.
//
//   - Nano is the only form money takes: integers of 1e-9 dollars. Prices turn
//     decimal strings into integers and usage into money, rounded once.
//     A call costs what its service tier does; Asked narrows prices to the tiers
//     that a request may be served at, for what is to be held. Schedule is the
//     prices that were set while the gateway runs, each from its time on, and
//     Rates what a team is charged in the place of the provider's prices.
//   - Counter counts tokens offline. It is for callers that are near a limit
//     and for providers that report no usage; everybody else estimates.
//   - Book keeps what teams and keys have spent and hold, in memory. Before a
//     call goes out, Owner.Hold sets aside the most that it can use (money,
//     tokens, the request itself), in every budget above it at once or in none;
//     Hold.Settle turns that into what it did use. Owner.For adds the budgets
//     and limits of the user and the tags of a call (person.go). Owner.Admit does the same for requests, tokens and
//     calls at once; Owner.AdmitFor besides shares what a provider allows
//     between the teams that ask for it (share.go).
//     Where replicas share limits, a call that its own has let pass wants permits
//     of all of them together (limit_lease.go, package lease), and hard budgets
//     lend out of what this replica has of them (hold_lease.go).
//   - Entry is a line of the ledger. Spool.Append puts it on disk before the
//     answer ends; the spool's writer moves entries to the Ledger, which every
//     figure (Report) is derived from, and every Invoice.
//   - BudgetStatus is how a budget stands, and by its rate so far (foresee)
//     when it runs out. Warnings tells of those that reach a level to warn at.
//
// The order at the end of a call is: cost it, spool the Entry, settle the hold
// and the ticket. A budget that a reload adds is filled from the ledger, so
// what has been spooled but not settled is then counted, and nothing is lost.
//
// Owners are immutable views made by Book.Rebuild; the state below them lives
// in accounts that survive every reload under the same name. An account has a
// lock of its own, always taken in the order of the accounts' ids, so that a
// call locks its own chain and nobody else's. Nothing here sweeps in the
// background: windows are computed from the clock when they are read.
//
// The package imports the schema and the tokenizer, and knows neither HTTP nor
// SQL.
package billing
