// Package e2e drives the built binary from outside, as its users do: over HTTP,
// through its command line, with signals, and by killing it. It knows the
// public surface alone and imports nothing of the gateway; the providers are
// fakes (package bench/upstream).
//
// TestMain builds the binary once, or takes the one that SLUICE_E2E_BINARY
// names. SLUICE_E2E_FULL=1 runs the long forms (20 crashes instead of 5, a store
// that is stopped for 60 s instead of 5; SLUICE_E2E_CRASHES and
// SLUICE_E2E_STORE_STOP set them to any other number); a full disk is tried by
// root alone, who can mount one;
// SLUICE_E2E_SDK=1 the rounds of the makers' own clients (sdk/: six for Node.js,
// pinned by package-lock.json; OpenAI's for Go, in a module of its own), which
// need Node.js and npm; SLUICE_E2E_BROWSER=1 the console in a browser (browser/,
// likewise), which needs Debian's chromium too, or what SLUICE_CHROMIUM names,
// and leaves screenshots of every page in SLUICE_BROWSER_SHOTS if that is set.
// With -short nothing runs.
package e2e
