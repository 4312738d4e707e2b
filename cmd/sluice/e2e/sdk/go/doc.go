// Package sdk holds the round of OpenAI's client for Go. It is a module of its
// own: the gateway needs none of what it requires.
package sdk
