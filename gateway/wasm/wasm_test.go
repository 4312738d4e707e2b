package wasm

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/wasm/wasmtest"
)

func policy(t *testing.T, m wasmtest.Module) *Policy {
	t.Helper()
	p, err := Compile(Options{Code: m.Bytes(), Memory: 1 << 20, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCall(t *testing.T) {
	p := policy(t, wasmtest.Module{Request: `{"allow":true}`, Response: `{"allow":false}`})
	for range 3 {
		for function, want := range map[string]string{OnRequest: `{"allow":true}`, OnResponse: `{"allow":false}`} {
			if out, err := p.Call(t.Context(), function, []byte("{}")); err != nil || string(out) != want {
				t.Errorf("%s: %s, %v", function, out, err)
			}
		}
	}
	if !p.Responses() || policy(t, wasmtest.Module{Request: "x"}).Responses() {
		t.Error("whether there is an on_response")
	}
}

// Whatever a module does, the next call has its chance, and the process its
// memory.
func TestWildModules(t *testing.T) {
	for name, m := range map[string]wasmtest.Module{
		"trap": {Code: wasmtest.Trap}, "loop": {Code: wasmtest.Forever}, "memory": {Code: wasmtest.Hog}, "outside": {Code: wasmtest.Outside},
		"long": {Code: wasmtest.Place(0, mostOutput+1)},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(t, m)
			for range 3 {
				out, err := p.Call(t.Context(), OnRequest, []byte("{}"))
				if err == nil || name == "loop" != errors.Is(err, errTime) {
					t.Errorf("it gave %q, %v", out, err)
				}
			}
		})
	}
	// Input that does not fit is told too.
	if _, err := policy(t, wasmtest.Module{Request: "x"}).Call(t.Context(), OnRequest, make([]byte, 1<<20)); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("too much input: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := policy(t, wasmtest.Module{Code: wasmtest.Forever}).Call(gone, OnRequest, nil); err == nil {
		t.Error("it answered one who has left")
	}
}

// A module that fails when it is used again gets a new memory.
func TestUsedUpInstance(t *testing.T) {
	p := policy(t, wasmtest.Module{Request: "{}", Once: true})
	for i := range 5 {
		if _, err := p.Call(t.Context(), OnRequest, nil); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	p := policy(t, wasmtest.Module{Request: `{"allow":true}`})
	var all sync.WaitGroup
	for range 2 * instances {
		all.Go(func() {
			for range 10 {
				if out, err := p.Call(t.Context(), OnRequest, []byte("{}")); err != nil || string(out) != `{"allow":true}` {
					t.Errorf("%s, %v", out, err)
				}
			}
		})
	}
	all.Wait()
	runtime.KeepAlive(p)
}

func TestCompileRefuses(t *testing.T) {
	for want, m := range map[string]wasmtest.Module{
		"does not export memory":                                {Without: "memory"},
		"does not export alloc(size i32) i32":                   {Without: "alloc"},
		"does not export on_request(ptr i32, len i32) i64":      {Without: "on_request"},
		"imports env.fetch: there is nothing to import":         {Import: "fetch"},
		"cannot compile the module: section memory: min 32 pag": {Pages: 32},
	} {
		if _, err := Compile(Options{Code: m.Bytes(), Memory: 1 << 20, Timeout: time.Second}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", m, err, want)
		}
	}
	if _, err := Compile(Options{Code: []byte("no module"), Memory: 1 << 20, Timeout: time.Second}); err == nil {
		t.Error("any bytes are a module")
	}
}
