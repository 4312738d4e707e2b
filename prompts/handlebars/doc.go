// Package handlebars reads and runs the Handlebars templates of Dotprompt
// prompts: variables and paths, if, unless, each, with, lookup, log, json,
// ifEquals, unlessEquals, sections, else chains, partials with context and
// hash, block parameters, @data, white-space control, and Dotprompt's
// statements role, history, media and section.
//
// What it adds to the language is a guarantee: running a template yields
// events, not a string. Text goes to Output.Text; a statement goes to
// Output.Statement. A value can only ever become text. Names of helpers and
// partials and the argument of role are literals of the template, checked
// when it is read; nothing that a value holds is ever parsed.
//
// Running is bounded in output, steps and depth (Limits) and deterministic:
// the keys of an object are visited in sorted order. A Template is immutable
// and may be run by any number of goroutines at once.
//
// Values are what JSON decodes to: nil, bool, string, json.Number, float64,
// int, []any and map[string]any. A missing value is nil and prints nothing.
// Text is never HTML-escaped.
//
// The parser is the package's own. The maintained Go port (raymond) was tried:
// it leaks a goroutine for each template with a syntax error, takes a carriage
// return inside a tag for part of a name, strips the blank in
// "{{> greeting}} {{name}}", does not strip the indent of the second of two
// adjacent blocks, and knows no null, undefined or line of a closing tag.
// The grammar and the rules of white space followed here are those of
// handlebars.js 4 (src/handlebars.yy, handlebars.l, whitespace-control.js).
// Decorators, partial blocks, inline partials and raw blocks are refused by
// name: Dotprompt has no use for them.
package handlebars
