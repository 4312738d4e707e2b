//go:build !unix

package upstream

// peek cannot look here; a dead connection is found by the retry instead.
func peek(uintptr) (stale bool) { return false }
