// Package validate holds requests and answers against what an API promises: a
// JSON Schema for bodies, or an OpenAPI document (3.0 and 3.1) for all of them.
// All that is wrong is told at once.
//
// Documents are read and compiled when the configuration is, so that a broken
// reference is a fault of the configuration and no caller's. Nothing outside of
// the document is fetched.
package validate
