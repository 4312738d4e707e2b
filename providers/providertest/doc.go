// Package providertest is the conformance suite that every dialect passes. It
// is used from a dialect's own tests:
//
//	func TestScenarios(t *testing.T) { providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata") }
//	func TestRecorded(t *testing.T) {
//		providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: "x", Endpoint: "chat"})
//	}
//
// Scenarios replays small archives written from a provider's documents, from
// the client's request to the client's answer (scenario.go tells the format).
// Recorded replays real traffic, where there is a folder of it, and compares what the dialect makes of it with
// what the index expects.
//
// Every stream is read whole, byte by byte and with CRLF line ends, which must
// make no difference, and cut after every frame and at many bytes, which must
// never look like a proper end.
package providertest
