// Package waf looks for attacks in requests by the OWASP Core Rule Set, which is
// built in (github.com/corazawaf/coraza-coreruleset, Apache-2.0), with Coraza.
//
// All Rules share one compiled set, which is made when the first is asked for:
// 20 MiB and a tenth of a second that nobody pays who does not use it. What they
// differ by, the paranoia level and the rules that are left out, is told to each
// transaction.
//
// The requests that APIs get are not those of forms, so some of the set is set
// otherwise: all methods and content types are fine (routes say which they
// take), and so are hosts that are addresses. JSON is looked into value by value.
// What people write to a model, in the fields that the model APIs have for it,
// is prose and not looked into: it may speak of SQL and scripts.
package waf
