//go:build wasip1

// Plans is a policy in WebAssembly: requests say in the header x-plan what their
// caller has paid for, and the policy lets those plans pass that the route's
// config names. What passes is told its plan's rank; answers tell that they were
// looked at.
package main

import (
	"encoding/json"
	"slices"
	"unsafe"
)

// request is what the gateway tells of a request.
type request struct {
	Headers map[string]string `json:"headers"`
	Config  struct {
		Plans []string `json:"plans"`
	} `json:"config"`
}

type headers struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

// verdict is what the gateway is told.
type verdict struct {
	Allow   bool    `json:"allow"`
	Status  int     `json:"status,omitempty"`
	Body    string  `json:"body,omitempty"`
	Headers headers `json:"headers"`
}

// input and output stay where they are until the next call.
var input, output []byte

//go:wasmexport alloc
func alloc(size int32) int32 {
	input = make([]byte, max(size, 1))
	return int32(uintptr(unsafe.Pointer(&input[0])))
}

//go:wasmexport on_request
func onRequest(_, length int32) int64 {
	var r request
	if err := json.Unmarshal(input[:length], &r); err != nil {
		return give(verdict{Status: 500})
	}
	plan := r.Headers["x-plan"]
	if !slices.Contains(r.Config.Plans, plan) {
		return give(verdict{Status: 402, Body: `{"error": "your plan does not include this"}`})
	}
	rank := string(rune('1' + slices.Index(r.Config.Plans, plan)%9))
	return give(verdict{Allow: true, Headers: headers{Set: map[string]string{"x-rank": rank}, Remove: []string{"x-plan"}}})
}

//go:wasmexport on_response
func onResponse(_, _ int32) int64 {
	return give(verdict{Allow: true, Headers: headers{Set: map[string]string{"x-policy": "plans"}}})
}

// give puts a verdict where the gateway finds it.
func give(v verdict) int64 {
	output, _ = json.Marshal(v) // of plain fields: it cannot fail
	return int64(uintptr(unsafe.Pointer(&output[0])))<<32 | int64(len(output))
}

func main() {}
