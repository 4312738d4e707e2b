package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

const (
	page = 64 << 10
	// instances bounds how many of a policy run at the same time, and so its
	// memory.
	instances = 64
	// begins is how long a new instance may take to initialise, which is no part
	// of a call's time.
	begins = 10 * time.Second
	// mostOutput bounds what a call may give.
	mostOutput = 1 << 20
)

// The functions that a policy may export.
const (
	OnRequest  = "on_request"
	OnResponse = "on_response"
)

// Options are what a policy is made of.
type Options struct {
	Code    []byte
	Memory  int64         // the most that an instance may have, in bytes; at least 64 KiB
	Timeout time.Duration // of a call; above 0
}

// Policy is a compiled module. It is safe for concurrent use.
type Policy struct {
	timeout   time.Duration
	full      uint32 // the memory from which on an instance is not used again
	runtime   wazero.Runtime
	module    wazero.CompiledModule
	responses bool
	free      chan *instance
	slots     chan struct{} // one for each that runs
}

// instance is a module with a memory of its own.
type instance struct {
	module api.Module
	alloc  api.Function
	used   bool
}

// Compile reads a module. Its error says what it lacks.
func Compile(o Options) (*Policy, error) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(true).WithMemoryLimitPages(uint32(max(o.Memory/page, 1))))
	p := &Policy{timeout: o.Timeout, full: uint32(o.Memory / 2), runtime: r, free: make(chan *instance, instances), slots: make(chan struct{}, instances)}
	if err := p.compile(ctx, o); err != nil {
		_ = r.Close(ctx) // the other error says more
		return nil, err
	}
	// Calls that came before a reload go on with what was in force: it is closed
	// when the last of them is over.
	runtime.AddCleanup(p, func(r wazero.Runtime) { _ = r.Close(context.Background()) }, r)
	return p, nil
}

func (p *Policy) compile(ctx context.Context, o Options) (err error) {
	if p.module, err = p.runtime.CompileModule(ctx, o.Code); err != nil {
		return fmt.Errorf("cannot compile the module: %w", err)
	}
	if err := p.checkExports(); err != nil {
		return err
	}
	for _, f := range p.module.ImportedFunctions() {
		if from, name, _ := f.Import(); from != wasi_snapshot_preview1.ModuleName {
			return fmt.Errorf("the module imports %s.%s: there is nothing to import but WASI", from, name)
		}
	}
	if len(p.module.ImportedFunctions()) > 0 {
		if _, err := wasi_snapshot_preview1.Instantiate(ctx, p.runtime); err != nil {
			return fmt.Errorf("cannot provide WASI: %w", err)
		}
	}
	first, err := p.begin()
	if err != nil {
		return err
	}
	p.free <- first
	return nil
}

// checkExports wants what a policy must have.
func (p *Policy) checkExports() error {
	if len(p.module.ExportedMemories()) == 0 || p.module.ExportedMemories()["memory"] == nil {
		return errors.New("the module does not export memory")
	}
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	functions := p.module.ExportedFunctions()
	has := func(name, shown string, in, out []api.ValueType) error {
		f := functions[name]
		if f == nil || !slices.Equal(f.ParamTypes(), in) || !slices.Equal(f.ResultTypes(), out) {
			return fmt.Errorf("the module does not export %s", shown)
		}
		return nil
	}
	call := []api.ValueType{i32, i32}
	if err := has("alloc", "alloc(size i32) i32", []api.ValueType{i32}, []api.ValueType{i32}); err != nil {
		return err
	}
	if err := has(OnRequest, "on_request(ptr i32, len i32) i64", call, []api.ValueType{i64}); err != nil {
		return err
	}
	if p.responses = functions[OnResponse] != nil; p.responses {
		return has(OnResponse, "on_response as (ptr i32, len i32) i64", call, []api.ValueType{i64})
	}
	return nil
}

// begin makes an instance.
func (p *Policy) begin() (*instance, error) {
	ctx, cancel := context.WithTimeout(context.Background(), begins)
	defer cancel()
	m, err := p.runtime.InstantiateModule(ctx, p.module, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader))
	if err != nil {
		return nil, fmt.Errorf("cannot begin an instance: %w", err)
	}
	return &instance{module: m, alloc: m.ExportedFunction("alloc")}, nil
}

// Responses tells whether the policy looks at answers too.
func (p *Policy) Responses() bool { return p.responses }

// Call gives input to a function of the policy, and its output. An error is one
// of the module's: over its memory or its time, or a trap.
func (p *Policy) Call(ctx context.Context, function string, input []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout+begins)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%d calls of the policy run already: %w", instances, ctx.Err())
	}
	i, err := p.take()
	if err != nil {
		return nil, err
	}
	again := i.used
	out, err := p.run(ctx, i, function, input)
	if err != nil && again && ctx.Err() == nil && !errors.Is(err, errTime) { // it may have been full of what others left
		if i, err = p.begin(); err != nil {
			return nil, err
		}
		out, err = p.run(ctx, i, function, input)
	}
	return out, err
}

func (p *Policy) take() (*instance, error) {
	select {
	case i := <-p.free:
		return i, nil
	default:
		return p.begin()
	}
}

var errTime = errors.New("it took longer than it may")

// run makes one call on an instance, and keeps it for others if all went well.
func (p *Policy) run(ctx context.Context, i *instance, function string, input []byte) (out []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	i.used = true
	out, err = i.call(ctx, function, input)
	if err == nil && i.module.Memory().Size() < p.full {
		select {
		case p.free <- i:
			return out, nil
		default:
		}
	}
	_ = i.module.Close(context.Background()) // nothing of it is needed any more
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return nil, fmt.Errorf("%w: %v", errTime, p.timeout)
	}
	return out, err
}

// call does what the package says of calls.
func (i *instance) call(ctx context.Context, function string, input []byte) ([]byte, error) {
	at, err := i.alloc.Call(ctx, uint64(len(input)))
	if err != nil {
		return nil, fmt.Errorf("alloc failed: %w", err)
	}
	memory := i.module.Memory()
	if !memory.Write(uint32(at[0]), input) {
		return nil, fmt.Errorf("alloc gave no room for %d bytes", len(input))
	}
	result, err := i.module.ExportedFunction(function).Call(ctx, at[0], uint64(len(input)))
	if err != nil {
		return nil, fmt.Errorf("%s failed: %w", function, err)
	}
	from, length := uint32(result[0]>>32), uint32(result[0])
	if length > mostOutput {
		return nil, fmt.Errorf("%s gave %d bytes, the most is %d", function, length, mostOutput)
	}
	view, ok := memory.Read(from, length)
	if !ok {
		return nil, fmt.Errorf("%s gave a place outside its memory", function)
	}
	return slices.Clone(view), nil
}
