// Package config reads Sluice's configuration into one typed value and finds
// every fault in it at once.
//
// Load puts three layers on top of each other with koanf: the embedded
// default.yaml, the user's file, and variables such as SLUICE_SERVER__LISTEN.
// All scalars stay text until the typed field that takes them reads them, so
// money never passes through a float, `on` is a word, and keys may hold dots.
//
// The path of a load:
//
//	tree.go        YAML nodes to maps of text, and the line of every key
//	expand.go      ${NAME}, ${NAME:-default} and ${file:path}
//	environ.go     SLUICE_… variables to a layer
//	load.go        the layers, merged
//	decode.go      the merged tree into the structs of config.go and gateway.go
//	unsupported.go keys that are documented but not built yet: refused
//	check.go       what one value says about another
//
// A fault names its file and line, the path of the key and what is wanted. It
// never quotes a secret, nor anything that came out of ${…}.
//
// Files that the configuration names (prompts.dir, ${file:…}) are sought beside
// the file that names them; what Sluice writes (store) is relative to the
// working directory.
package config
