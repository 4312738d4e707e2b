// Package guard decides what may be said to a model, and by one: texts in,
// verdicts and masked texts out. It speaks no HTTP and knows no dialect; what
// must be asked elsewhere (a webhook, a model) is asked through a function that
// the guard is given.
//
// A Matcher finds what a guard looks for in a text: kinds (email, phone, card,
// iban, ip, secret, injection), known without any pattern, and patterns of the
// user's own. It works on a text that is still growing, too: it tells from
// where on it cannot decide yet, and what comes before may be given away.
//
// A Session is one call on its way past the guards of its model. It keeps the
// values that were masked, so that the answer can have them back.
package guard
