package cel

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// Options say what an expression may name, and what it must give.
type Options struct {
	Body     bool // it may name body
	Response bool // it may name response
	Value    bool // it may give a value of any type; else it must be true or false
}

// What an evaluation may cost, in CEL's units, of which a comparison takes about
// one. Those that go through a body get more.
const (
	costOfRule = 100_000
	costOfBody = 2_000_000
)

// Program is a compiled expression. Any number of goroutines may run it.
type Program struct {
	text string
	run  cel.Program
}

// environment is what all expressions have in common. It is made when the first
// one is compiled.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	provider, err := newProvider()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(append(inZones(),
		cel.CustomTypeProvider(provider), cel.CustomTypeAdapter(provider),
		cel.Variable("caller", callerType), cel.Variable("request", requestType), cel.Variable("now", cel.TimestampType),
		cel.OptionalTypes(), ext.Strings(), ext.Lists(ext.ListsMaxRangeSize(10_000)), ext.Sets(), ext.Math(), ext.Encoders(),
		ext.Network(), ext.Regex(), ext.Bindings(), ext.TwoVarComprehensions(),
	)...)
})

// Compile reads an expression. Its error names the place, and what is wrong
// there.
func Compile(text string, o Options) (*Program, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	var more []cel.EnvOption
	if o.Body {
		more = append(more, cel.Variable("body", cel.DynType))
	}
	if o.Response {
		more = append(more, cel.Variable("response", responseType))
	}
	if len(more) > 0 {
		if env, err = env.Extend(more...); err != nil {
			return nil, err
		}
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, compileError(text, issues)
	}
	if t := ast.OutputType(); !o.Value && !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("expression %s: want true or false, this gives %s", quote(text), t)
	}
	cost := uint64(costOfRule)
	if o.Body {
		cost = costOfBody
	}
	run, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(cost))
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", quote(text), err)
	}
	return &Program{text: text, run: run}, nil
}

// compileError tells the first thing that is wrong, on one line.
func compileError(text string, issues *cel.Issues) error {
	first := issues.Errors()[0]
	message, _, _ := strings.Cut(first.Message, " (in container")
	return fmt.Errorf("expression %s: line %d, column %d: %s", quote(text), max(first.Location.Line(), 1), max(first.Location.Column()+1, 1), message)
}

// quote shows an expression in a message; a long one is cut short.
func quote(text string) string {
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return strconv.Quote(text)
}

// String is the expression as it was written.
func (p *Program) String() string { return p.text }

// Test runs an expression that is true or false. An error (a claim that is not
// there, a cost above its bound) is no yes: whoever asks takes it for a no.
func (p *Program) Test(v *Vars) (bool, error) {
	out, err := p.eval(v)
	if err != nil {
		return false, err
	}
	yes, is := out.(types.Bool)
	if !is {
		return false, fmt.Errorf("expression %s: want true or false, it gave %s", quote(p.text), out.Type().TypeName())
	}
	return bool(yes), nil
}

// Value runs an expression for what it gives, as encoding/json would write it:
// nil, bool, int64, uint64, float64, string, []any or map[string]any.
func (p *Program) Value(v *Vars) (any, error) {
	out, err := p.eval(v)
	if err != nil {
		return nil, err
	}
	made, err := plain(out)
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", quote(p.text), err)
	}
	return made, nil
}

func (p *Program) eval(v *Vars) (ref.Val, error) {
	out, _, err := p.run.Eval(v)
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", quote(p.text), err)
	}
	return out, nil
}
