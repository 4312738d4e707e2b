// Package examples holds configurations, prompts and clients to begin from,
// one directory each; README.md lists them. There is no code to import: its
// tests start the binary with every example, run the commands that the
// example's own comments show, and check what comes back, so that an example
// that has stopped working fails the build.
//
// SLUICE_E2E_BINARY names a binary to test instead of the one that the tests
// build. Clients whose package is not installed are skipped.
package examples
