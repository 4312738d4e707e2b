package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"sluice/gateway/validate"
)

// RouteValidate is what requests, and answers too, are held against: one of two
// files, whose paths are relative to the configuration's own.
type RouteValidate struct {
	Request  string `json:"request"` // a JSON Schema of bodies
	OpenAPI  string `json:"openapi"`
	Response bool   `json:"response"`                       // of openapi: answers too
	Report   Stages `json:"report" enum:"request,response"` // what passes though it does not fit, and is told of

	schema   *validate.Schema
	contract *validate.Contract
	digest   string
}

// Reports tells whether a part, request or response, is only told of.
func (v *RouteValidate) Reports(part string) bool { return slices.Contains(v.Report, part) }

// Digest tells what is held against from another one.
func (v *RouteValidate) Digest() string { return v.digest }

// Compiled is what was in the file; the other one is nil.
func (v *RouteValidate) Compiled() (*validate.Schema, *validate.Contract) {
	return v.schema, v.contract
}

// maxRouteFile bounds the files that routes name.
const maxRouteFile = 16 << 20

// routeFile reads a file that a route names. It is watched from then on.
func (l *loader) routeFile(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(l.dir, name)
	}
	l.source(name)
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the file: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxRouteFile:
		return nil, fmt.Errorf("want a file of at most %d MiB", maxRouteFile>>20)
	}
	return os.ReadFile(name)
}

// validations reads the documents that routes are held against. Many may name
// the same.
func (l *loader) validations(c *Config, d *decoder) {
	schemas, contracts := map[string]*validate.Schema{}, map[string]*validate.Contract{}
	for i := range c.Routes {
		v := c.Routes[i].Validate
		if v == nil {
			continue
		}
		path := []string{"routes", strconv.Itoa(i), "validate"}
		var err error
		if v.Request != "" {
			if v.schema, err = compiled(l, v.Request, schemas, validate.NewSchema); err != nil {
				d.fault(below(path, "request"), "%v", err)
			}
		}
		if v.OpenAPI != "" {
			if v.contract, err = compiled(l, v.OpenAPI, contracts, validate.NewContract); err != nil {
				d.fault(below(path, "openapi"), "%v", err)
			}
		}
		if name := cmp.Or(v.Request, v.OpenAPI); name != "" && len(v.Report) > 0 && err == nil {
			text, err := l.routeFile(name)
			if v.digest = digestOf(text); err != nil {
				d.fault(path, "%v", err)
			}
		}
	}
}

func compiled[T any](l *loader, name string, known map[string]*T, compile func([]byte) (*T, error)) (*T, error) {
	if made := known[name]; made != nil {
		return made, nil
	}
	text, err := l.routeFile(name)
	if err == nil {
		known[name], err = compile(text)
	}
	return known[name], err
}

func (k *checker) validate(path []string, r *Route) {
	v := r.Validate
	switch {
	case v == nil:
	case (v.Request == "") == (v.OpenAPI == ""):
		k.fault(path, "want a schema of bodies as request, or openapi, one of them")
	case v.Response && v.OpenAPI == "":
		k.fault(below(path, "response"), "is for openapi")
	case v.Reports("response") && v.OpenAPI == "":
		k.fault(below(path, "report"), "response is for openapi")
	}
}
