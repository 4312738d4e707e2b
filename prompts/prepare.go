package prompts

import (
	"fmt"
	"sync"
)

// prepare compiles what the front matter says and checks it against the body.
func (t *Template) prepare(o ParseOptions, faults *Faults) {
	fault := func(key, format string, args ...any) {
		faults.addf(o.File, t.lines[key], "%s: %s", key, fmt.Sprintf(format, args...))
	}
	var err error
	if t.checkIn, err = compileSchema(t.Input.Schema); err != nil {
		fault("input", "schema: %v", err)
	}
	if t.checkOut, err = compileSchema(t.Output.Schema); err != nil {
		fault("output", "schema: %v", err)
	}
	t.growing = sync.OnceValue(func() *growing { return growingOf(t.Output.Schema, 0) })
	if o.Lenient {
		if t.request, err = t.requestOf(t.Model, t.Config, t.Output); err != nil {
			t.invalid = err
		}
		return
	}
	if t.request, err = t.requestOf(t.Model, t.Config, t.Output); err != nil {
		key := "config"
		if e, ok := err.(*settingError); ok {
			key = e.key
		}
		fault(key, "%v", err)
	}
	if len(*faults) > 0 {
		return
	}
	t.checkSteps(fault)
	if t.Input.Schema == nil {
		return
	}
	t.checkVariables(fault)
	for _, e := range t.body.CheckVariables(t.variables()) {
		*faults = append(*faults, Fault(*e))
	}
}

// checkVariables holds the file's own values to the input schema: the defaults
// and the inputs of the tests.
func (t *Template) checkVariables(fault func(key, format string, args ...any)) {
	shape := shapeOf(t.Input.Schema, 0)
	if shape != nil && (shape.Scalar || shape.List) {
		fault("input", "the schema must describe an object: its properties are the variables")
		return
	}
	for _, p := range t.CheckInput(nil) {
		if p.Message != required {
			fault("input", "default: %s %s", p.Pointer, p.Message)
		}
	}
	for _, test := range t.Sluice.Tests {
		for _, p := range t.CheckInput(test.Input) {
			fault("sluice.tests", "test %q: input %s %s", test.Name, p.Pointer, p.Message)
		}
	}
}
