// Package wasm runs policies that are WebAssembly modules: bytes in, bytes out,
// with bounds of memory and time, and nothing of the machine within reach.
//
// A module exports memory, alloc(size i32) i32 and on_request(ptr i32, len i32)
// i64, and may export on_response of the same type. For a call the input is put
// where alloc says; the result is the output's place, the pointer in the high
// half and the length in the low. Of imports there is WASI alone, without files,
// arguments, environment or network, so that what TinyGo or Go (1.24 and later,
// GOOS=wasip1, -buildmode=c-shared) compile can run; _initialize is called first
// where it is exported.
//
// Instances are kept and used again, each by one call at a time; one that failed
// is thrown away, and so is one whose memory has grown to half of what it may:
// most modules never free. What a module keeps in its memory may thus be gone at
// any time.
package wasm
