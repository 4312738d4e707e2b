// Package reshape changes bodies: JSON by what an Edit says, XML to JSON and
// back, and JSON from templates with the values of other JSON in them. It knows
// nothing of requests.
//
// Values are those of prompts/ordered: objects keep the order of their keys, a
// key that stood twice counts once, numbers keep their digits. Nesting is
// bounded, both ways.
package reshape
