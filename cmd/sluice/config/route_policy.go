package config

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/gateway/cel"
	"sluice/gateway/wasm"
)

// RoutePolicy is a rule of the route's own: an expression or a module.
type RoutePolicy struct {
	CEL  string `json:"cel"`
	Else int64  `json:"else"` // the status where the expression is not true; 0: 403

	WASM    string        `json:"wasm"`   // the module's file, beside the configuration's
	Memory  Size          `json:"memory"` // of an instance
	Timeout time.Duration `json:"timeout"`
	Config  JSON          `json:"config"` // what the module is told beside the request

	program *cel.Program
	module  *wasm.Policy
}

func defaultRoutePolicy() RoutePolicy {
	return RoutePolicy{Memory: 16 << 20, Timeout: 50 * time.Millisecond}
}

// Program is the compiled expression; nil: it is a module.
func (p *RoutePolicy) Program() *cel.Program { return p.program }

// Module is the compiled module; nil: it is an expression.
func (p *RoutePolicy) Module() *wasm.Policy { return p.module }

// Bounds of a module.
const (
	leastModuleMemory = 64 << 10
	mostModuleMemory  = 1 << 30
	mostModuleFile    = 64 << 20
)

// policies compiles the policies of all routes, and notes the modules' files.
func (l *loader) policies(c *Config, d *decoder) {
	for i := range c.Routes {
		for j := range c.Routes[i].Policies {
			path := []string{"routes", strconv.Itoa(i), "policies", strconv.Itoa(j)}
			p := &c.Routes[i].Policies[j]
			given := func(key string) bool { return d.origin.given(below(path, key)...) }
			switch {
			case (p.CEL == "") == (p.WASM == ""):
				d.fault(path, "want one of cel, wasm")
			case p.CEL != "" && (given("memory") || given("timeout") || given("config")):
				d.fault(path, "memory, timeout and config are for wasm")
			case p.CEL != "":
				d.rule(path, p)
			case given("else"):
				d.fault(below(path, "else"), "is for cel: a module says its status itself")
			default:
				l.module(d, path, p)
			}
		}
	}
}

func (d *decoder) rule(path []string, p *RoutePolicy) {
	if p.Else != 0 && (p.Else < 400 || p.Else > 599) {
		d.fault(below(path, "else"), "want a status from 400 to 599")
	}
	var err error
	if p.program, err = cel.Compile(p.CEL, cel.Options{}); err != nil {
		d.fault(below(path, "cel"), "%v", err)
	}
}

func (l *loader) module(d *decoder, path []string, p *RoutePolicy) {
	if p.Memory < leastModuleMemory || p.Memory > mostModuleMemory {
		d.fault(below(path, "memory"), "want from 64KiB to 1GiB")
		return
	}
	if p.Timeout == 0 {
		d.fault(below(path, "timeout"), "want a duration such as 50ms")
		return
	}
	file := p.WASM
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	at := below(path, "wasm")
	l.source(file)
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > mostModuleFile) {
		d.fault(at, "want a file of at most 64MiB")
		return
	}
	code, err := os.ReadFile(file)
	if err != nil {
		d.fault(at, "%v", err)
		return
	}
	if p.module, err = wasm.Compile(wasm.Options{Code: code, Memory: int64(p.Memory), Timeout: p.Timeout}); err != nil {
		d.fault(at, "%v", err)
	}
}
